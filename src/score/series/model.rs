//! Time and value → five ways in which the value may not be what was expected, and where it stands.
//!
//! Every mean is an exponential one whose rate is `1 / points` while that is larger, so that it begins as a plain mean.
//! What a value may change is cut at a multiple of the usual deviation (Huber, "Robust Estimation of a Location
//! Parameter", 1964), so that one peak moves nothing much.

use super::drift::Drift;
use super::season::{Season, rate};
use crate::time::Timestamp;

/// Deviations smaller than this share of the level are none.
const FLOOR: f64 = 1e-3;

/// Deviations that come at the same time day after day are allowed for past this many spreads, and by this share.
const HABIT_MIN: f64 = 5.0;
const HABIT_SHARE: f64 = 0.5;

/// What a metric is expected to do next, and by how much it usually does something else.
pub struct Model {
    /// Usual size of the values.
    size: f64,
    last: f64,
    quick: f64,
    steady: f64,
    season: Season,
    /// Usual deviation from what each forecaster says.
    errors: [f64; 5],
    /// Deviation from the best forecast: usual, of late, over a longer time.
    spread: f64,
    spread_now: f64,
    spread_long: f64,
    /// Logarithm of value by forecast: of late, and its usual size.
    ratio: f64,
    ratio_usual: f64,
    center: f64,
    width: f64,
    drift: Drift,
}

impl Model {
    pub fn new() -> Model {
        Model {
            size: 0.0,
            last: 0.0,
            quick: 0.0,
            steady: 0.0,
            season: Season::new(),
            errors: [0.0; 5],
            spread: 0.0,
            spread_now: 0.0,
            spread_long: 0.0,
            ratio: 0.0,
            ratio_usual: 0.0,
            center: 0.0,
            width: 0.0,
            drift: Drift::default(),
        }
    }

    /// Takes the first value for the level.
    pub fn begin(&mut self, value: f64) {
        self.size = value.abs();
        (self.last, self.quick, self.steady, self.center) = (value, value, value, value);
        self.season.begin(value);
        self.drift.begin(value);
    }

    /// The value's place about the center in units of the width; and, all of them 0 or more:
    /// - residual: the deviation from the best one-step forecast, by what is usual at this time of the day;
    /// - season: the same for the steady level with its season, over some points: a forecast that follows the value says
    ///   nothing of a day that is unlike the days before;
    /// - loudness: the deviation of late by that over a longer time;
    /// - ratio: value by forecast, in logarithms: a drop to nothing of what is spread over orders of magnitude;
    /// - drift: the level of late, less its season, by where it was for long.
    ///
    /// What deviates as far at this time day after day is made less of in all but the second and the last.
    pub fn observe(&mut self, time: Timestamp, value: f64, points: f64) -> (f64, [f64; 5]) {
        self.size += rate(0.002, points) * (value.abs() - self.size);
        let floor = self.floor();
        self.season.turn(time);
        let [day, week] = self.season.forecasts();
        let forecasts = [self.quick, self.steady, day, week, self.last];
        let forecast = self.best(forecasts);
        let deviation = (value - forecast).abs();
        let spread = self.spread.max(floor);
        let calm = self.calm(deviation, spread);
        let residual = calm * deviation / self.season.local_spread(spread).max(floor);
        let season = self.season.distance(value, self.steady, floor, points);
        let loudness = self.loudness(calm * deviation.min(12.0 * spread), floor, points);
        let ratio = self.ratio(value, forecast, calm, points);
        let spot = (value - self.center) / self.width.max(floor);
        self.learn_errors(forecasts, value, floor, points);
        self.learn_levels(value, deviation, floor, points);
        let drift = self.drift.observe(value - self.season.part(), self.width.max(floor), floor, points);
        (spot, [residual, season, loudness, ratio, drift])
    }

    /// Usual distance of the values from their center; above 0.
    pub fn width(&self) -> f64 {
        self.width.max(self.floor())
    }

    fn floor(&self) -> f64 {
        1e-300 + self.size * FLOOR
    }

    /// The forecast that was the best of late, of those that are known yet.
    fn best(&self, forecasts: [f64; 5]) -> f64 {
        let [day, week] = self.season.known();
        let known = [true, true, day, week, true];
        let told = forecasts.into_iter().zip(self.errors).zip(known);
        told.filter_map(|(told, known)| known.then_some(told))
            .reduce(|best, next| if next.1 < best.1 { next } else { best })
            .expect("the quick mean is always known")
            .0
    }

    /// What of a deviation counts at this time of the day, in 0..=1; and notes it for the days after.
    fn calm(&mut self, deviation: f64, spread: f64) -> f64 {
        let habit = (self.season.habit() - HABIT_MIN * spread).max(0.0);
        self.season.note(deviation);
        spread / (spread + HABIT_SHARE * habit)
    }

    fn loudness(&mut self, deviation: f64, floor: f64, points: f64) -> f64 {
        self.spread_now += 0.1 * (deviation - self.spread_now);
        let loudness = self.spread_now.max(floor) / self.spread_long.max(floor);
        self.spread_long += rate(0.002, points) * (deviation - self.spread_long);
        loudness
    }

    fn ratio(&mut self, value: f64, forecast: f64, calm: f64, points: f64) -> f64 {
        // next to nothing is as good as nothing
        let nothing = 0.01 * self.size + 1e-300;
        let ratio = calm * ((value.abs() + nothing) / (forecast.abs() + nothing)).ln();
        self.ratio += 0.3 * (ratio - self.ratio);
        let odd = self.ratio.abs() / self.ratio_usual.max(1e-3);
        let cut = ratio.abs().min(6.0 * self.ratio_usual.max(0.02));
        self.ratio_usual += rate(0.003, points) * (cut - self.ratio_usual);
        odd
    }

    fn learn_errors(&mut self, forecasts: [f64; 5], value: f64, floor: f64, points: f64) {
        let most = if points < 20.0 { f64::INFINITY } else { 20.0 * self.spread.max(floor) };
        for (error, forecast) in self.errors.iter_mut().zip(forecasts) {
            *error += rate(0.01, points) * ((value - forecast).abs().min(most) - *error);
        }
    }

    fn learn_levels(&mut self, value: f64, deviation: f64, floor: f64, points: f64) {
        let spread = self.spread.max(floor);
        let cut = deviation.min(6.0 * spread);
        self.spread += rate(0.01, points) * (if points < 20.0 { deviation } else { cut } - self.spread);
        self.last = value;
        self.quick += rate(0.4, points) * (value - self.quick);
        self.steady += rate(0.01, points) * (value - self.steady).clamp(-12.0 * spread, 12.0 * spread);
        let most = if points < 50.0 { f64::INFINITY } else { 6.0 * self.width.max(floor) };
        let off = (value - self.center).clamp(-most, most);
        self.center += rate(0.001, points) * off;
        self.width += rate(0.001, points) * (off.abs() - self.width);
        self.season.learn(value, cut, self.steady, 6.0 * self.width.max(floor), points);
    }
}
