//! Chances of the points of a metric → how fast they fall off in it: whether what is rare comes as often as it says.

/// Logarithms to 10 of two chances, not so small that only anomalies are below them.
const RARE: f64 = -1.5;
const RARER: f64 = -2.5;
/// What stands in for a past, in points below [`RARE`]: those of 2,000.
const PRIOR: f64 = 60.0;

/// How many points were below either chance.
#[derive(Default)]
pub struct Slope {
    rare: f64,
    rarer: f64,
}

impl Slope {
    pub fn learn(&mut self, chance: f64) {
        self.rare += f64::from(u8::from(chance < RARE));
        self.rarer += f64::from(u8::from(chance < RARER));
    }

    /// 1 where chances are what they say, more where small ones are rarer than that, less where they are more frequent.
    pub fn of(&self) -> f64 {
        let nominal = PRIOR * 10f64.powf(RARER - RARE);
        // of those that are rare, so many to one are rarer
        ((self.rare + PRIOR) / (self.rarer + nominal)).log10() / (RARE - RARER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_one_where_chances_are_what_they_say() {
        let after = |rare: usize, rarer: usize| {
            let mut slope = Slope::default();
            (0..5_000).for_each(|_| slope.learn(-0.5));
            (0..rare).for_each(|_| slope.learn(-2.0));
            (0..rarer).for_each(|_| slope.learn(-3.0));
            slope.of()
        };
        assert!((after(0, 0) - 1.0).abs() < 1e-9);
        assert!((after(540, 60) - 1.0).abs() < 1e-9);
        // 660 by 6, and 660 by 306
        assert!((after(600, 0) - 2.041_392_685).abs() < 1e-6, "{}", after(600, 0));
        assert!((after(300, 300) - 0.333_793_8).abs() < 1e-4, "{}", after(300, 300));
    }
}
