//! Values → how unlike the last points are to every stretch of the points before: a beat that is missed, or that comes at
//! another pace, is no outlier, and few metrics keep their beat by the clock.

use super::season::rate;

/// How far back stretches are compared, in points: what is nearer than the least is the same stretch.
const LAG_MIN: usize = 16;
const LAGS: usize = 512;
/// How fast a distance follows: some 16 points are compared, and after twice as many it is that of a stretch.
const RATE: f32 = 1.0 / 16.0;
const FULL: f64 = 32.0;
/// What one point is off counts up to so many widths of the metric; a distance of this share of a width is none.
const OFF_MAX: f64 = 4.0;
const NEAR: f64 = 0.05;
/// How fast what is usual follows, and how many times itself it takes in at once.
const USUAL_RATE: f64 = 0.002;
const UNUSUAL_MAX: f64 = 6.0;
/// Distances are compared so many at a time.
const LANES: usize = 16;
/// Points before the first distance that is known.
const YOUNG: f64 = FULL + (LAG_MIN + LANES) as f64 - 1.0;
/// Values are taken to be this far from the first one at most, so that no sum of distances is infinite.
const LARGEST: f64 = 1e35;

pub struct Echo {
    begun: f64,
    /// The latest values, less the first one, from `newest` on back in time. They are there twice, and so in one piece.
    past: [f32; 2 * LAGS],
    newest: usize,
    /// How far the last points are from those so many points before them.
    apart: [f32; LAGS],
    /// Usual distance to the nearest stretch, and to all of them.
    nearest: f64,
    mean: f64,
    beat: f64,
}

impl Echo {
    pub fn new() -> Echo {
        Echo { begun: 0.0, past: [0.0; 2 * LAGS], newest: 0, apart: [0.0; LAGS], nearest: 0.0, mean: 0.0, beat: 0.0 }
    }

    pub fn begin(&mut self, value: f64) {
        self.begun = value;
    }

    /// The distance to the nearest stretch, in units of what is usual, 1 while nothing is known; and learns it. `width` is that
    /// of the metric.
    pub fn observe(&mut self, value: f64, width: f64, points: f64) -> f64 {
        self.take(value, (OFF_MAX * width).min(LARGEST) as f32);
        let Some((nearest, mean)) = self.distances(points) else { return 1.0 };
        let (none, known) = (NEAR * width, points - YOUNG);
        let nearest = nearest.max(none);
        let most = |usual: f64| if known < 20.0 { f64::INFINITY } else { UNUSUAL_MAX * usual.max(none) };
        self.nearest += rate(USUAL_RATE, known) * (nearest.min(most(self.nearest)) - self.nearest);
        self.mean += rate(USUAL_RATE, known) * (mean.min(most(self.mean)) - self.mean);
        self.beat = (1.0 - self.nearest / self.mean.max(none)).max(0.0).powi(3);
        nearest / self.nearest.max(none)
    }

    /// How far the metric is known to repeat itself, in 0..=1: noise is as far from the nearest stretch as from others.
    pub fn beat(&self) -> f64 {
        self.beat
    }

    fn take(&mut self, value: f64, most: f32) {
        let value = (value - self.begun).clamp(-LARGEST, LARGEST) as f32;
        self.newest = (self.newest + LAGS - 1) % LAGS;
        self.past[self.newest] = value;
        self.past[self.newest + LAGS] = value;
        let past = &self.past[self.newest..self.newest + LAGS];
        for (apart, before) in self.apart.iter_mut().zip(past) {
            *apart += RATE * ((value - before).abs().min(most) - *apart);
        }
    }

    /// To the nearest stretch, and the mean to all; `None` while too few are known.
    fn distances(&self, points: f64) -> Option<(f64, f64)> {
        if points < YOUNG + 1.0 {
            return None;
        }
        let known = LAGS.min((points - FULL) as usize);
        let (mut least, mut sum, mut count) = ([f32::INFINITY; LANES], [0.0f32; LANES], 0);
        for apart in self.apart[LAG_MIN..known].chunks_exact(LANES) {
            for ((least, sum), apart) in least.iter_mut().zip(&mut sum).zip(apart) {
                *least = least.min(*apart);
                *sum += apart;
            }
            count += LANES;
        }
        let nearest = least.into_iter().fold(f32::INFINITY, f32::min);
        Some((f64::from(nearest), f64::from(sum.into_iter().sum::<f32>()) / count as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the points from `from` on come to, of those that `value` gives.
    fn observed(value: impl Fn(usize) -> f64, from: usize, to: usize) -> (Vec<f64>, f64) {
        let mut echo = Echo::new();
        echo.begin(value(0));
        let all: Vec<f64> = (1..to).map(|step| echo.observe(value(step), 1.0, step as f64 + 1.0)).collect();
        (all[from - 1..].to_vec(), echo.beat())
    }

    #[test]
    fn a_beat_that_is_missed_is_far_from_all_before_it() {
        let beat = |step: usize| if step % 40 < 4 { 3.0 } else { (step * 7 % 5) as f64 * 0.05 };
        let (usual, known) = observed(beat, 1_000, 1_200);
        assert!(usual.iter().all(|distance| *distance < 1.5) && known > 0.5, "{known} {usual:?}");
        let (missed, _) = observed(|step| beat(if step >= 1_200 { 10 } else { step }), 1_200, 1_230);
        assert!(missed.iter().any(|distance| *distance > 2.5), "{missed:?}");
    }

    #[test]
    fn no_value_is_too_large() {
        let (distances, beat) = observed(|step| if step % 3 == 0 { 1e290 } else { -1e290 }, 1, 2_000);
        assert!(distances.iter().all(|distance| distance.is_finite()) && (0.0..=1.0).contains(&beat));
    }
}
