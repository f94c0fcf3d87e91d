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

/// `-log2` of the chance that a standard normal number is `z` or more. 0 far below zero; finite for every finite `z`, though
/// the chance itself is below the smallest number from 38 on.
///
/// Below 4 the integral by its series, above by the continued fraction of its tail (Abramowitz and Stegun, 26.2.11 and
/// 26.2.14); the chance is right to 11 digits.
pub fn normal_bits(z: f64) -> f64 {
    if z < 4.0 {
        // P(0 < Z < z) = density (z + z^3/3 + z^5/(3 5) + ..); all terms have one sign
        let z = z.max(-9.0);
        let (mut term, mut sum, mut odd) = (z, z, 1.0);
        while term.abs() > 1e-17 * sum.abs() {
            odd += 2.0;
            term *= z * z / odd;
            sum += term;
        }
        let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
        return -(0.5 - density * sum).log2();
    }
    // P(Z > z) = density / (z + 1/(z + 2/(z + ..)))
    let fraction = (1..=100).rev().fold(z, |below, k| z + f64::from(k) / below);
    (0.5 * z * z + (std::f64::consts::TAU.sqrt() * fraction).ln()) / std::f64::consts::LN_2
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

    #[test]
    fn bits_of_the_normal_tail_reach_far_out() {
        let check = |z, bits: f64| {
            let found = normal_bits(z);
            assert!((found - bits).abs() <= 1e-11 * bits.max(1.0), "{z}: {found}");
        };
        check(-3.0, 0.001948806837325615);
        check(0.0, 1.0);
        check(1.0, 2.656032797424106);
        check(1.959_964, 5.321928147029686);
        check(3.9, 14.34371324090168);
        check(4.0, 14.9464670377193);
        check(4.1, 15.56297432390942);
        check(6.0, 29.91683372818874);
        check(10.0, 76.79651110679066);
        check(40.0, 1160.804609150638);
        check(300.0, 64930.83142278809);
        assert_eq!(normal_bits(-1e300), 0.0);
        assert!(normal_bits(1e150).is_finite());
    }
}
