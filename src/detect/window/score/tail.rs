//! How far out in its tail an over-dispersed count lies.

/// `-log2` of the chance that a negative binomial count with this mean and variance is `seen` or more: 0 for nothing seen,
/// finite however far out. A variance not above the mean is taken as a little above it, a Poisson count's.
///
/// The tail is the regularised incomplete beta `I(1 - q; x, r)` with `q = mean/variance`, `r = mean q/(1 - q)` (DLMF 8.17.24).
pub fn rate_bits(seen: f64, mean: f64, variance: f64) -> f64 {
    if seen <= 0.0 {
        return 0.0;
    }
    let variance = variance.max(mean * (1.0 + 1e-6));
    let success = mean / variance;
    let size = mean * success / (1.0 - success);
    if seen + size > EXACT_MAX {
        return normal_bits(deviations(seen - 0.5, mean, size)).max(0.0);
    }
    (-ln_beta_share(seen, size, 1.0 - success, success) / std::f64::consts::LN_2).max(0.0)
}

/// Past so large parameters the incomplete beta is a difference of numbers that leave it no digits, and its fraction needs more steps than
/// it is given.
const EXACT_MAX: f64 = 1e8;

/// How many standard deviations of a normal number a negative binomial one is out: the root of its deviance, corrected by the saddle point
/// (Barndorff-Nielsen's `r*`). Beside sums of the terms its bits are right to a thousandth from a mean of 1000 on, of a
/// size of 1 to a hundredth.
fn deviations(seen: f64, mean: f64, size: f64) -> f64 {
    let off = seen - mean;
    let deviance = 2.0 * (seen * (off / mean).ln_1p() - (seen + size) * (off / (mean + size)).ln_1p());
    let root = deviance.max(0.0).sqrt().copysign(off);
    if root.abs() < 0.01 {
        // what the correction comes to near the mean, a sixth of the skewness
        return root + (size + 2.0 * mean) / (6.0 * (mean * size * (mean + size)).sqrt());
    }
    let saddle = (size * off / (mean * (seen + size))).ln_1p() * (seen * ((seen + size) / size)).sqrt();
    root + (saddle / root).ln() / root
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

/// `ln I(x; a, b)`, with `y = 1 - x` given so that no digits are lost.
fn ln_beta_share(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * y.ln();
    if x < (a + 1.0) / (a + b + 2.0) {
        front - a.ln() + fraction(a, b, x).ln()
    } else {
        let rest = (front - b.ln()).exp() * fraction(b, a, y);
        (-rest.min(1.0 - 1e-16)).ln_1p()
    }
}

/// The continued fraction of the incomplete beta (DLMF 8.17.22), by Lentz's method.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const LEAST: f64 = 1e-300;
    let bound = |number: f64| if number.abs() < LEAST { LEAST } else { number };
    let (mut c, mut d) = (1.0, 1.0 / bound(1.0 - (a + b) * x / (a + 1.0)));
    let mut product = d;
    // it needs about the root of the larger parameter
    for m in 1..20_000 {
        let m = f64::from(m);
        for term in [
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        ] {
            d = 1.0 / bound(1.0 + term * d);
            c = bound(1.0 + term / c);
            product *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-13 {
            break;
        }
    }
    product
}

/// `ln Γ(x)` for positive x: Stirling's series from 10 on, below it by the recurrence.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = 1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0));
    let series = (1.0 / 12.0 - square * series) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

/// The counts that nine in ten windows lie between, of a negative binomial with this mean and variance.
pub fn usual(mean: f64, variance: f64) -> (f64, f64) {
    let least = first_above(mean, variance, -(0.95f64.log2())) - 1.0;
    (least.max(0.0), (first_above(mean, variance, 20f64.log2()) - 1.0).max(0.0))
}

/// The smallest whole number whose tail has more than so many bits.
fn first_above(mean: f64, variance: f64, bits: f64) -> f64 {
    let is_above = |seen: f64| rate_bits(seen, mean, variance) > bits;
    let mut high = 1.0;
    while !is_above(high) {
        high *= 2.0;
    }
    let mut low = (high / 2.0).floor();
    while high - low > 1.0 {
        let middle = ((low + high) / 2.0).floor();
        if middle <= low || middle >= high {
            break;
        }
        if is_above(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    // expected values by mpmath with 40 digits
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

    #[test]
    fn tails_are_what_the_sum_of_their_terms_is() {
        let check = |seen: f64, mean: f64, variance: f64, chance: f64| {
            let found = (-rate_bits(seen, mean, variance)).exp2();
            assert!((found / chance - 1.0).abs() < 1e-5, "{seen} of {mean}, {variance}: {found} for {chance}");
        };
        // size 1 is geometric: with mean 1 and variance 2 the chance of n or more is 2^-n
        check(1.0, 1.0, 2.0, 0.5);
        check(10.0, 1.0, 2.0, 1.0 / 1024.0);
        check(100.0, 1.0, 2.0, 7.888609052210118e-31);
        // size 2, success 1/2: 1 - 1/4 - 2/8 = 1/2 for two or more
        check(2.0, 2.0, 4.0, 0.5);
        // nearly Poisson: 1 - e^-1 and 1 - 2 e^-1
        check(1.0, 1.0, 1.0, 0.632_120_558_828_557_7);
        check(2.0, 1.0, 1.0, 0.264_241_117_657_115_4);
        assert_eq!(rate_bits(0.0, 3.0, 3.0), 0.0);
        let far = rate_bits(1e9, 1e3, 1e5);
        assert!(far > 1e6 && far.is_finite(), "{far}");
        assert!(rate_bits(1e10, 1e10, 1e19).is_finite());
    }

    #[test]
    fn what_is_huge_is_nearly_normal() {
        let check = |mean: f64, spread: f64, deviations: f64, bits: f64| {
            let variance = mean * spread;
            let found = rate_bits(mean + deviations * variance.sqrt(), mean, variance);
            assert!((found / bits - 1.0).abs() < 1e-3, "{mean} {spread} {deviations}: {found} for {bits}");
        };
        // -log2 of the tail of a normal number
        for (mean, spread) in [(1e9, 1.0), (1e9, 1.2), (1e12, 1.0), (1e15, 1.2), (1e15, 1e6)] {
            check(mean, spread, -1.0, 0.249_231_020_292);
            check(mean, spread, 0.0, 1.0);
            check(mean, spread, 1.0, 2.656_032_797_424);
            check(mean, spread, 6.0, 29.916_833_728_189);
        }
        // sums of the terms: Poisson of mean 1000 and 100,000, and a long tail
        let check = |seen: f64, mean: f64, variance: f64, bits: f64| {
            let found = rate_bits(seen, mean, variance);
            assert!((found / bits - 1.0).abs() < 1e-3, "{seen} of {mean}, {variance}: {found} for {bits}");
        };
        check(1000.0, 1000.0, 1000.0, 0.987_916_971_309);
        check(1190.0, 1000.0, 1000.0, 28.356_892_194_762);
        check(100_949.0, 100_000.0, 100_000.0, 9.510_325_846_975);
        // size 1 is geometric, the longest tail there is: e^-3
        let found = rate_bits(3e9, 1e9, 1e9 * (1e9 + 1.0));
        assert!((found / 4.328_085_123 - 1.0).abs() < 0.01, "{found}");
    }

    #[test]
    fn the_usual_is_nine_in_ten() {
        // Poisson of mean 1: 3 or less with chance 0.98, 2 or less with 0.92
        assert_eq!(usual(1.0, 1.0), (0.0, 3.0));
        // of mean 100: the fifth and the ninety-fifth percentile
        assert_eq!(usual(100.0, 100.0), (84.0, 117.0));
    }
}
