//! How far out in its tail a count lies.

/// The signed root of the deviance of a Poisson count: how many standard deviations `seen` is above `expected`, and
/// below it where negative. `expected` must be positive.
///
/// `2 (x ln(x/e) - (x - e))` (McCullagh and Nelder, Generalized Linear Models, 2.3) agrees with Pearson's `(x - e)^2 / e`
/// near the expectation, and far above it grows like `x ln x` rather than `x^2`.
pub fn poisson_deviations(seen: f64, expected: f64) -> f64 {
    let excess = seen - expected;
    let logarithm = if seen > 0.0 { seen * (seen / expected).ln() } else { 0.0 };
    (2.0 * (logarithm - excess)).max(0.0).sqrt().copysign(excess)
}

#[cfg(test)]
mod tests {
    use super::*;

    // expected values by mpmath with 40 digits

    #[test]
    fn deviations_are_signed_and_grow_like_the_logarithm() {
        let check = |seen, expected, deviations: f64| {
            let found = poisson_deviations(seen, expected);
            assert!((found - deviations).abs() <= 1e-9 * deviations.abs().max(1.0), "{seen} of {expected}: {found}");
        };
        check(5.0, 5.0, 0.0);
        check(10.0, 5.0, 1.965_437_256_998_785);
        check(0.0, 8.0, -4.0);
        check(1.0, 4.0, -1.796_499_729_407_221);
        check(1000.0, 1.0, 108.708_373_909_116_46);
        check(1e6, 1e-3, 6_280.647_393_055_338);
    }
}
