//! Values → how odd it is that the last one still stands: a sensor that is stuck repeats itself, and is no outlier.

use super::tail::Tail;

/// Runs shorter than this say nothing.
const RUN_MIN: f64 = 3.0;

/// How long a metric usually repeats a value exactly. A run that has not ended is no part of the past, so that what never
/// changes is never odd.
pub struct Flat {
    value: f64,
    run: f64,
    ended: Tail,
}

impl Flat {
    pub fn new(value: f64) -> Flat {
        Flat { value, run: 1.0, ended: Tail::new() }
    }

    /// The chance that a run lasts as long as the present one; 1 where it says nothing.
    pub fn observe(&mut self, value: f64) -> f64 {
        if value == self.value {
            self.run += 1.0;
        } else {
            self.ended.add(self.run, 1.0);
            (self.value, self.run) = (value, 1.0);
        }
        // runs are whole numbers: half of one less, so that those as long are all counted
        if self.run < RUN_MIN { 1.0 } else { self.ended.chance(self.run - 0.5) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_longer_than_those_before_is_odd() {
        let mut flat = Flat::new(0.0);
        // runs of one, two and three
        for step in 0..300 {
            let value = f64::from([0, 1, 1, 2, 2, 2][step % 6]);
            assert!(flat.observe(value) > 0.02, "{step}");
        }
        let chances: Vec<f64> = (0..40).map(|_| flat.observe(7.0)).collect();
        assert!(chances[2] > 0.2 && chances[39] < 0.01, "{chances:?}");
        assert!(flat.observe(8.0) == 1.0);
    }

    #[test]
    fn what_never_changes_is_not_odd() {
        let mut flat = Flat::new(5.0);
        assert!((0..10_000).all(|_| flat.observe(5.0) == 1.0));
    }
}
