//! Counts of one node or edge over three spans, and how far they are above its rate since the stream began.

use crate::score::tail::poisson_deviations;

/// Half-lives of the spans in ticks: a burst, minutes, hours where a tick is a minute.
pub(super) const HALF_LIVES: [f32; 3] = [1.0, 16.0, 512.0];

/// Past this many deviations of its shortest span a tick is an attack rather than a habit, and counts a tenth in the rate.
/// Longer spans rise so far every morning.
const HABIT_MAX: f32 = 15.0;
/// Ticks of the stream before which nothing is held to be an attack in this sense: all is new then.
const YOUNG: f32 = 10.0;
/// What every rate starts from, in events since the stream began.
const BEGUN: f32 = 0.3;

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
}

impl<const SPANS: usize> Default for Rate<SPANS> {
    fn default() -> Self {
        Rate { spans: [0.0; SPANS], total: 0.0, added: 0.0 }
    }
}

impl<const SPANS: usize> Rate<SPANS> {
    /// Counts `by` in the present tick.
    pub(super) fn add(&mut self, by: f32) {
        self.spans.iter_mut().for_each(|span| *span += by);
        self.added += by;
    }

    /// Deviations of each span above what the ticks before the present one lead to expect; `shares` are those of these
    /// spans.
    pub(super) fn deviations(&self, shares: &[f32]) -> [f32; SPANS] {
        std::array::from_fn(|k| {
            let expected = (self.total + BEGUN) * shares[k];
            let is_more = self.spans[k] > expected;
            if is_more { poisson_deviations(self.spans[k].into(), expected.into()) as f32 } else { 0.0 }
        })
    }

    /// Ends the tick: it becomes part of the rate.
    pub(super) fn turn(&mut self, spans: &Spans, shares: &[f32], kept: &[f32]) {
        let odd = spans.age > YOUNG && self.deviations(shares)[0] > HABIT_MAX;
        self.total += if odd { 0.1 * self.added } else { self.added };
        self.added = 0.0;
        self.spans.iter_mut().zip(kept).for_each(|(span, kept)| *span *= kept);
    }
}
