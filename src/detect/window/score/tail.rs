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
    (-ln_beta_share(seen, size, 1.0 - success, success) / std::f64::consts::LN_2).max(0.0)
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
    fn the_usual_is_nine_in_ten() {
        // Poisson of mean 1: 3 or less with chance 0.98, 2 or less with 0.92
        assert_eq!(usual(1.0, 1.0), (0.0, 3.0));
        // of mean 100: the fifth and the ninety-fifth percentile
        assert_eq!(usual(100.0, 100.0), (84.0, 117.0));
    }
}
