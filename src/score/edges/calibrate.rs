//! A statistic → its tail probability among those seen before, in bits.

/// Bins of an octave of `1 + x`, and octaves.
const FINE: usize = 8;
const OCTAVES: usize = 12;
const BINS: usize = FINE * OCTAVES;

/// Observations that stand in for a history before there is one, in a tail of `(1 + x)^-1.5`: heavy, so that a young
/// stream gives little evidence.
const PRIOR: f32 = 50.0;
const PRIOR_POWER: f32 = 1.5;

/// Where fewer lie above, the tail is continued as `(1 + x)^-3`.
const ABOVE_MIN: f32 = 20.0;
const TAIL_POWER: f32 = 3.0;

/// Past this weight all is halved, so that what was usual long ago is forgotten.
const WEIGHT_MAX: f32 = 30_000.0;

/// Observations between two readings of the histogram.
const STALE_MAX: u32 = 512;

/// A histogram of what was seen, over `ln(1 + x)`, and the bits of its tail at each border of a bin.
pub(super) struct Calibrated {
    weights: [f32; BINS],
    total: f32,
    stale: u32,
    bits: [f32; BINS + 1],
}

impl Calibrated {
    pub(super) fn new() -> Calibrated {
        let tail = |bin: usize| if bin < BINS { PRIOR * border(bin).powf(-PRIOR_POWER) } else { 0.0 };
        let weights = std::array::from_fn(|bin| tail(bin) - tail(bin + 1));
        let mut calibrated = Calibrated { weights, total: PRIOR, stale: 0, bits: [0.0; BINS + 1] };
        calibrated.read();
        calibrated
    }

    /// `-log2` of the share of the past at or above `x`; 0 for what is not above zero.
    pub(super) fn bits(&self, x: f32) -> f32 {
        let place = place(x);
        let (bin, part) = (place as usize, place.fract());
        self.bits[bin] + part * (self.bits[bin + 1] - self.bits[bin])
    }

    pub(super) fn learn(&mut self, x: f32, weight: f32) {
        self.weights[place(x) as usize] += weight;
        self.total += weight;
        self.stale += 1;
        if self.stale == STALE_MAX {
            self.stale = 0;
            if self.total > WEIGHT_MAX {
                self.weights.iter_mut().for_each(|weight| *weight *= 0.5);
                self.total *= 0.5;
            }
            self.read();
        }
    }

    fn read(&mut self) {
        let mut tail = [0.0; BINS + 1];
        for bin in (0..BINS).rev() {
            tail[bin] = tail[bin + 1] + self.weights[bin];
        }
        let mut before = 0.0;
        for (bin, bits) in self.bits.iter_mut().enumerate().skip(1) {
            *bits = match tail[bin] {
                above if above >= ABOVE_MIN => (self.total / above).log2().max(before),
                _ => before + TAIL_POWER * (border(bin) / border(bin - 1)).log2(),
            };
            before = *bits;
        }
    }
}

/// `1 + x` at the lower border of a bin. Inside an octave the bins are equally wide.
fn border(bin: usize) -> f32 {
    f32::exp2((bin / FINE) as f32) * (1.0 + (bin % FINE) as f32 / FINE as f32)
}

/// The bin of `x` and how far into it: exponent and mantissa of `1 + x`, read off its bits.
fn place(x: f32) -> f32 {
    let steps = (1.0 + x.max(0.0)).to_bits() - 1.0f32.to_bits();
    (steps as f32 * (FINE as f32 / (1 << 23) as f32)).min(BINS as f32 - 0.01)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_and_places_agree() {
        for bin in 0..BINS {
            assert_eq!(place(border(bin) - 1.0), bin as f32);
        }
        assert_eq!(place(-3.0), 0.0);
        assert_eq!(place(1e9) as usize, BINS - 1);
    }

    #[test]
    fn bits_are_the_tail_of_what_was_learnt() {
        let mut calibrated = Calibrated::new();
        // the numbers 0, 1, .. 1023: half are at or above 512, an eighth at or above 896
        (0..25 * 1024).for_each(|n| calibrated.learn((n % 1024) as f32, 1.0));
        assert!((calibrated.bits(511.0) - 1.0).abs() < 0.02, "{}", calibrated.bits(511.0));
        assert!((calibrated.bits(895.0) - 3.0).abs() < 0.02, "{}", calibrated.bits(895.0));
        assert!(calibrated.bits(3000.0) > calibrated.bits(1100.0) && calibrated.bits(1100.0) > 10.0);
    }

    #[test]
    fn what_is_usual_follows_the_stream() {
        let mut calibrated = Calibrated::new();
        (0..20_000).for_each(|_| calibrated.learn(1.0, 1.0));
        let before = calibrated.bits(50.0);
        (0..100_000).for_each(|_| calibrated.learn(60.0, 1.0));
        assert!(before > 10.0 && calibrated.bits(50.0) < 0.5, "{before} {}", calibrated.bits(50.0));
    }
}
