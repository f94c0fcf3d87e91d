//! A metric, point by point → a score for each: 1 - p, where p is the chance of something at least as unusual under what
//! this metric did before.
//!
//! Nine statistics say in what way a point can be odd (`model`, `echo`, `shape`; `flat` and `gap`, which count as one). Each is
//! ranked in its own past (`tail`), so that none of them assumes a distribution. The two least likely ones, and what the points
//! before said, make one p; and an episode is told once (`hold`). The score of a point depends on that point and those before it,
//! on no clock and on no chance.

mod hold;
mod model;
mod drift;
mod echo;
mod flat;
mod gap;
mod again;
mod row;
mod season;
mod shape;
mod slope;
mod tail;
#[cfg(test)]
mod tests;

pub use row::{Columns, Row};

use crate::time::Timestamp;
use echo::Echo;
use flat::Flat;
use gap::Gap;
use hold::Hold;
use model::Model;
use shape::Shapes;
use slope::Slope;
use tail::Tail;

/// Points before the first score: what has no past is not unusual.
pub const WARM_UP: u64 = 150;

/// How far each statistic is trusted: its p is divided by this. Found, with every constant of this folder, on made
/// streams of forty kinds with known anomalies (seasons, counts, heavy tails, steps, bursts, drift, flat stretches).
const TRUST: [f64; 8] = [0.3, 0.4, 1.0, 0.5, 0.4, 3.0, 1.0, 0.2];
/// The one of them that counts for as much as the metric has a beat.
const ECHO: usize = 6;
/// How the past of each fades (`Tail::fading`). Distances from seasons and levels are large while these are learnt; for
/// the others, a past that fades costs more false alarms than it finds.
const FADING: [f64; 7] = [0.0, 2.0, 0.0, 0.0, 2.0, 0.0, 0.0];
/// What the second least likely statistic adds to the first, in logarithms: what is odd in two ways is rarely noise.
const SECOND: f64 = 0.6;
/// What the points before add: a smoothed trace of their logarithms. Noise is odd for one point, episodes for several.
const TRACE: f64 = 0.5;
const TRACE_RATE: f64 = 0.3;
/// What the two and the trace come to is no chance yet. On noise (normal, uniform, exponential, log-normal, Student's t,
/// Poisson, autoregressive, daily) it is `10^-CERTAIN` times its square, within a factor of 3 at 0.01 and at 0.001:
/// `the_share_of_high_scores_on_noise_is_nominal`.
const CERTAIN: f64 = -2.33;
/// How much faster that falls below [`USUAL_MIN`], by the power of what this metric says of it (`Slope`): noise with light
/// tails comes there too rarely, and noise with heavy ones too often.
const STEEPER: f64 = 1.5;
const SLOPE_POWER: i32 = 2;
const USUAL_MIN: f64 = -3.0;
/// A longer past gives more occasions for the same chance: it grows with this power of the points, and is itself at
/// `USUAL`.
const OCCASIONS: f64 = 0.6;
const USUAL: f64 = 3_000.0;
/// Past this number of points, neither occasions nor the hold grow.
const POINTS_MAX: f64 = 20_000.0;
/// Points of an episode that is held count this much in the past, so that an episode does not become the rule at once.
const HELD_WEIGHT: f64 = 0.1;

/// The state of one metric: 24 KiB, whatever the length of its past.
pub struct Scorer {
    points: u64,
    model: Model,
    shapes: Shapes,
    echo: Echo,
    tails: [Tail; 7],
    flat: Flat,
    gap: Gap,
    trace: f64,
    slope: Slope,
    hold: Hold,
}

impl Default for Scorer {
    fn default() -> Self {
        Scorer::new()
    }
}

impl Scorer {
    pub fn new() -> Scorer {
        Scorer {
            points: 0,
            model: Model::new(),
            shapes: Shapes::new(),
            echo: Echo::new(),
            tails: FADING.map(Tail::fading),
            flat: Flat::new(f64::NAN),
            gap: Gap::new(),
            trace: 0.0,
            slope: Slope::default(),
            hold: Hold::new(),
        }
    }

    /// Scores a point, in 0..=1, and learns it. Points come in the order of their times; a gap or a step back is no
    /// error, for the time only says where in the day and the week the point belongs. The first [`WARM_UP`] points
    /// score 0.
    ///
    /// The value is finite; past ±1e290 it is taken for that.
    pub fn score(&mut self, time: Timestamp, value: f64) -> f64 {
        assert!(value.is_finite(), "a value that is no number has no score");
        let value = value.clamp(-1e290, 1e290);
        self.points += 1;
        if self.points == 1 {
            self.model.begin(value);
            self.echo.begin(value);
            self.flat = Flat::new(value);
            return 0.0;
        }
        let points = self.points as f64;
        let (spot, [residual, season, loudness, ratio, drift]) = self.model.observe(time, value, points);
        let shape = self.shapes.observe(spot, points);
        let echo = self.echo.observe(value, self.model.width(), points);
        let statistics = [residual, season, loudness, ratio, drift, shape, echo];
        // a value that repeats itself and a beat that stops are one statistic: what never leaves a value has no peaks either
        let run = self.flat.observe(value).min(self.gap.observe(spot));
        let p = self.chance(&statistics, run, points.min(POINTS_MAX));
        let held = self.hold.judge(p, points.min(POINTS_MAX));
        let weight = if held.repeats { HELD_WEIGHT } else { 1.0 };
        if self.points > 10 {
            self.tails.iter_mut().zip(statistics).for_each(|(tail, statistic)| tail.add(statistic, weight));
        }
        1.0 - held.p
    }

    /// Whether all points so far were learnt, and none was scored.
    pub fn is_warming_up(&self) -> bool {
        (1..WARM_UP).contains(&self.points)
    }

    /// One p of all.
    fn chance(&mut self, statistics: &[f64; 7], run: f64, points: f64) -> f64 {
        let mut trust = TRUST;
        trust[ECHO] *= self.echo.beat();
        let (mut first, mut second) = (1.0f64, 1.0f64);
        let ranked = self.tails.iter().zip(statistics).map(|(tail, statistic)| tail.chance(*statistic));
        for (chance, trust) in ranked.chain([run]).zip(trust) {
            let chance = chance / trust;
            second = second.min(chance.max(first));
            first = first.min(chance);
        }
        let odd = -(first.log10() + SECOND * second.log10()) / (1.0 + SECOND);
        let traced = (odd + TRACE * self.trace) / (1.0 + TRACE / 2.0);
        self.trace += TRACE_RATE * (odd - self.trace);
        if self.points < WARM_UP {
            return 1.0;
        }
        let chance = -CERTAIN - 2.0 * traced;
        let steeper = STEEPER * self.slope.of().powi(SLOPE_POWER);
        if !self.hold.goes_on() {
            self.slope.learn(chance);
        }
        let occasions = OCCASIONS * (points / USUAL).log10();
        10f64.powf(occasions + chance + (steeper - 1.0) * (chance - USUAL_MIN).min(0.0)).min(1.0)
    }
}
