//! Counts of one node or edge over three spans, how far they are above its rate since the stream began, and what that was.

use crate::score::tail::poisson_deviations;

/// Half-lives of the spans in ticks: a burst, minutes, hours where a tick is a minute.
const HALF_LIVES: [f32; 3] = [1.0, 16.0, 512.0];

/// Past this many deviations of its shortest span a tick is an attack rather than a habit, and counts a tenth in the rate at
/// least. Longer spans rise so far every morning.
const HABIT_MAX: f32 = 15.0;
/// Such a tick after quiet ones begins a burst. One that came back so often is a habit, as a backup every hour is, and
/// counts in full; before that it counts by its number. With 3 in place of 5 streams rank alike, with 10 worse.
const HABIT_BURSTS: f32 = 5.0;
/// Ticks of the stream before which nothing is held to be an attack in this sense: all is new then.
const YOUNG: f32 = 10.0;
/// Classes of what was expected of a span: below 2^-9, then each eight times as much, the last from 8 on.
pub(super) const CLASSES: usize = 6;
/// What every rate starts from, in events since the stream began.
const BEGUN: f32 = 0.3;

/// How odd something is by one measure, and among what that is to be judged.
#[derive(Clone, Copy)]
pub(super) struct Statistic {
    pub(super) value: f32,
    /// Below [`CLASSES`].
    pub(super) class: usize,
}

/// Ticks that an even rate would fill each span with, as a share of the age of the stream: the expectation of a span is
/// the total times this.
#[derive(Clone, Copy)]
pub(super) struct Spans {
    pub(super) shares: [f32; 3],
    age: f32,
}

impl Spans {
    /// `age` in ticks, at least 1.
    pub(super) fn new(age: f32) -> Spans {
        // the sum of 2^(-k / half-life) over all k
        let ticks = |half_life: f32| 1.0 / (1.0 - (-1.0 / half_life).exp2());
        Spans { shares: HALF_LIVES.map(|half_life| ticks(half_life).min(age) / age), age }
    }
}

/// What is left of each span after so many ticks.
pub(super) fn kept(ticks: u64) -> [f32; 3] {
    HALF_LIVES.map(|half_life| (-(ticks.min(1 << 20) as f32) / half_life).exp2())
}

/// A count in some of the spans.
#[derive(Clone, Copy)]
pub(super) struct Rate<const SPANS: usize> {
    spans: [f32; SPANS],
    total: f32,
    added: f32,
    bursts: f32,
}

impl<const SPANS: usize> Default for Rate<SPANS> {
    fn default() -> Self {
        Rate { spans: [0.0; SPANS], total: 0.0, added: 0.0, bursts: 0.0 }
    }
}

impl<const SPANS: usize> Rate<SPANS> {
    /// Counts `by` in the present tick.
    pub(super) fn add(&mut self, by: f32) {
        self.spans.iter_mut().for_each(|span| *span += by);
        self.added += by;
    }

    /// Deviations of each span above what the ticks before the present one lead to expect; `shares` are those of these
    /// spans. Traffic comes in clumps, which are many deviations where next to nothing is expected and few where much is:
    /// the class is that of the expectation.
    pub(super) fn deviations(&self, shares: &[f32]) -> [Statistic; SPANS] {
        std::array::from_fn(|k| {
            let expected = (self.total + BEGUN) * shares[k];
            let is_more = self.spans[k] > expected;
            let value = if is_more { poisson_deviations(self.spans[k].into(), expected.into()) as f32 } else { 0.0 };
            Statistic { value, class: class_of(expected) }
        })
    }

    /// Ends the tick: it becomes part of the rate.
    pub(super) fn turn(&mut self, spans: &Spans, shares: &[f32], kept: &[f32]) {
        let is_burst = spans.age > YOUNG && self.deviations(shares)[0].value > HABIT_MAX;
        self.total += if is_burst { self.habit() * self.added } else { self.added };
        self.added = 0.0;
        self.spans.iter_mut().zip(kept).for_each(|(span, kept)| *span *= kept);
    }

    /// What of a tick that is a burst counts.
    fn habit(&mut self) -> f32 {
        let was_quiet = self.spans[0] < 1.1 * self.added;
        self.bursts += f32::from(u8::from(was_quiet));
        (self.bursts / HABIT_BURSTS).clamp(0.1, 1.0)
    }
}

fn class_of(expected: f32) -> usize {
    // the exponent of a number above zero
    let octave = (expected.to_bits() >> 23) as i32 - 127;
    ((octave + 12).div_euclid(3)).clamp(0, CLASSES as i32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_eight_times_the_one_before() {
        let check = |expected: f32, class| assert_eq!(class_of(expected), class, "{expected}");
        check(1e-30, 0);
        check(0.00195, 0);
        check(0.001_953_125, 1);
        check(0.0156, 1);
        check(0.015_625, 2);
        check(0.99, 3);
        check(1.0, 4);
        check(7.99, 4);
        check(8.0, 5);
        check(1e30, 5);
    }

    #[test]
    fn a_burst_that_comes_back_becomes_a_habit_and_one_that_lasts_does_not() {
        let after = |ticks: u32, gap: u32| {
            let mut rate = Rate::<3>::default();
            for tick in 0..ticks {
                let spans = Spans::new((1000 + tick * gap) as f32);
                rate.add(40.0);
                rate.turn(&spans, &spans.shares, &kept(gap.into()));
            }
            rate.total
        };
        // 1, 2, 3 and 4 fifths of 40, then six times all of it; ten times a fifth
        let (hourly, lasting) = (after(10, 60), after(10, 1));
        assert!((319.0..321.0).contains(&hourly) && (79.0..81.0).contains(&lasting), "{hourly} {lasting}");
    }

    #[test]
    fn a_clump_deviates_more_where_less_is_expected() {
        let spans = Spans::new(1000.0);
        let after = |ticks: u32| {
            let mut rate = Rate::<3>::default();
            for _ in 0..ticks {
                rate.add(10.0);
                rate.turn(&spans, &spans.shares, &kept(9));
            }
            rate.add(8.0);
            rate.deviations(&spans.shares)[0]
        };
        let (rare, busy) = (after(0), after(100));
        assert!(rare.value > 3.0 * busy.value, "{} {}", rare.value, busy.value);
        assert_eq!((rare.class, busy.class), (0, 4));
    }
}
