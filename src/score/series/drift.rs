//! Values less their season → how far the level of late is from where it was for long: what creeps is never far from the
//! value before it.

use super::season::rate;

/// Rates of the two levels: about 10 points, and 1,000.
const QUICK: f64 = 0.1;
const SLOW: f64 = 0.001;
/// What moves the slow level at most, in widths of the metric; what widens the usual distance at most, in itself.
const STEP_MAX: f64 = 8.0;

#[derive(Default)]
pub struct Drift {
    quick: f64,
    slow: f64,
    /// Distance of the two: its usual size.
    usual: f64,
}

impl Drift {
    pub fn begin(&mut self, value: f64) {
        (self.quick, self.slow) = (value, value);
    }

    /// The distance of the two levels, in units of what is usual; and learns it. `floor` is a distance that is none.
    pub fn observe(&mut self, value: f64, width: f64, floor: f64, points: f64) -> f64 {
        let most = STEP_MAX * width;
        self.quick += rate(QUICK, points) * (value - self.quick);
        self.slow += rate(SLOW, points) * (value - self.slow).clamp(-most, most);
        let apart = (self.quick - self.slow).abs();
        let odd = apart / (self.usual + floor);
        self.usual += rate(SLOW, points) * (apart.min(STEP_MAX * self.usual + floor) - self.usual);
        odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creeping_level_is_far_from_where_it_was() {
        let mut drift = Drift::default();
        drift.begin(10.0);
        let wave = |step: u32| 10.0 + f64::from(step % 7) * 0.1;
        let still = (2..3_000).map(|step| drift.observe(wave(step), 0.2, 0.01, f64::from(step))).last().unwrap();
        let creeps = |step: u32| wave(step) + f64::from(step - 3_000) * 0.005;
        let crept = (3_000..3_400).map(|step| drift.observe(creeps(step), 0.2, 0.01, f64::from(step))).last().unwrap();
        assert!(still < 2.0 && crept > 5.0, "{still} {crept}");
    }
}
