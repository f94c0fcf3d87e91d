//! The past of a statistic → the chance that it is at least as large as now.

/// Bins of an eighth of an octave: 2^-8 to 2^12 and what lies beyond.
const BINS: usize = 160;
const BINS_PER_OCTAVE: f64 = 8.0;
const LOWEST_OCTAVE: f64 = -8.0;
/// Values beyond this share of the past are the tail, if they are [`TAIL_MIN`] or more.
const TAIL: f64 = 0.02;
const TAIL_MIN: f64 = 10.0;
/// Past this weight the past counts half, so that old habits fade: 57 days of points every five minutes.
const WEIGHT_MAX: f64 = 16_384.0;
const CHANCE_MIN: f64 = 1e-14;
/// Past this number of values, a past that fades does so by a constant rate.
const FADING_MAX: f64 = 20_000.0;
/// What is left of the past before it is written down: not at every value.
const FADED: f64 = 0.99;

/// A histogram of the logarithms of what was seen.
///
/// Up to the tail, the chance is the conformal one, `(1 + as large) / (1 + seen)` (Vovk, Gammerman, Shafer, "Algorithmic
/// Learning in a Random World", 2005). In the tail it falls exponentially in the logarithm, by the mean of the
/// excesses (Hill, "A Simple General Approach to Inference About the Tail of a Distribution", 1975), and is never less
/// than the share that was as large before: a second kind of large value is not the tail of the first.
pub struct Tail {
    bins: [f32; BINS],
    highest: usize,
    weight: f64,
    /// Values so far, the power of the fading, and what it comes to that is not in the bins yet.
    added: f64,
    power: f64,
    left: f64,
}

impl Tail {
    pub fn new() -> Tail {
        Tail::fading(0.0)
    }

    /// Of n values the one of number i counts `(i / n)^power`. For what is large while the habits it is measured by are
    /// being learnt: that says nothing of later.
    pub fn fading(power: f64) -> Tail {
        Tail { bins: [0.0; BINS], highest: 0, weight: 0.0, added: 0.0, power, left: 1.0 }
    }

    pub fn add(&mut self, value: f64, weight: f64) {
        self.fade();
        let bin = place(value) as usize;
        self.bins[bin] += weight as f32;
        self.highest = self.highest.max(bin);
        self.weight += weight;
        if self.weight > WEIGHT_MAX {
            self.bins.iter_mut().for_each(|bin| *bin /= 2.0);
            self.weight /= 2.0;
        }
    }

    fn fade(&mut self) {
        self.added = FADING_MAX.min(self.added + 1.0);
        self.left *= 1.0 - (self.power / self.added).min(0.5);
        if self.left < FADED {
            let left = std::mem::replace(&mut self.left, 1.0);
            self.bins.iter_mut().for_each(|bin| *bin *= left as f32);
            self.weight *= left;
        }
    }

    /// The chance of `value` or more. Exact only where it matters: chances above 0.3 are rounded down to 0.3 or so.
    pub fn chance(&self, value: f64) -> f64 {
        let place = place(value);
        let own = place as usize;
        let mut above = 0.0;
        for bin in (own + 1..=self.highest).rev() {
            above += f64::from(self.bins[bin]);
            if above > 0.3 * self.weight {
                return above / (1.0 + self.weight);
            }
        }
        let as_large = above + f64::from(self.bins[own]) * (1.0 - place.fract());
        let tail = (TAIL * self.weight).max(TAIL_MIN);
        if as_large >= tail || self.weight < 30.0 {
            return (1.0 + as_large) / (1.0 + self.weight);
        }
        self.beyond(place, as_large, tail)
    }

    fn beyond(&self, place: f64, as_large: f64, tail: f64) -> f64 {
        let (mut begin, mut count, mut sum) = (self.highest, 0.0, 0.0);
        while begin > 0 && count + f64::from(self.bins[begin]) < tail {
            count += f64::from(self.bins[begin]);
            sum += f64::from(self.bins[begin]) * (begin as f64 + 0.5);
            begin -= 1;
        }
        let begin = begin as f64 + 1.0;
        let all = 1.0 + self.weight;
        let over = (place - begin).max(0.0);
        if over == 0.0 || count < 3.0 {
            let few = (1.0 + count) / all * (-over / 4.0).exp();
            return few.min((1.0 + as_large) / all).max(CHANCE_MIN);
        }
        // two excesses of a bin each stand for what is not known yet; less than two bins would be too sure of a bound
        let mean = (sum - count * begin + 2.0) / (count + 2.0);
        let fitted = (count + 0.5) / all * (-over / mean.max(2.0)).exp();
        fitted.max((as_large - 1.0) / all).max(CHANCE_MIN)
    }
}

/// Bin and fraction of it. What lies beyond the last bin is at its beginning, so that all of it counts as large as any.
fn place(value: f64) -> f64 {
    ((value.max(1e-6).log2() - LOWEST_OCTAVE) * BINS_PER_OCTAVE).clamp(0.0, BINS as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred large values, then many small ones.
    fn after(mut tail: Tail) -> f64 {
        (0..100).for_each(|_| tail.add(64.0, 1.0));
        (0..3_900).for_each(|step| tail.add(1.0 + f64::from(step % 10) / 10.0, 1.0));
        tail.chance(32.0)
    }

    #[test]
    fn the_beginning_of_a_past_that_fades_is_soon_forgotten() {
        // 100 of 4,000; and the sum of i^2 to 100 by that to 4,000 is 1.6e-5, where one in 1,333 is the least there is
        let (kept, faded) = (after(Tail::new()), after(Tail::fading(2.0)));
        assert!((0.02..0.03).contains(&kept), "{kept}");
        assert!(faded < 1e-3, "{faded}");
    }

    #[test]
    fn what_lies_beyond_the_bins_is_as_likely_as_it_was() {
        let mut tail = Tail::new();
        (0..2_000).for_each(|step| tail.add(if step % 20 == 0 { 1e6 } else { 1.0 }, 1.0));
        assert!((0.04..0.06).contains(&tail.chance(1e5)), "{}", tail.chance(1e5));
    }

    #[test]
    fn what_fades_evenly_keeps_its_shares() {
        let mut tail = Tail::fading(2.0);
        (0..6_000).for_each(|step| tail.add(if step % 10 == 0 { 16.0 } else { 1.0 }, 1.0));
        assert!((0.08..0.12).contains(&tail.chance(8.0)), "{}", tail.chance(8.0));
    }
}
