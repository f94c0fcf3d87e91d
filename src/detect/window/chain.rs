//! When each step of a sequence was seen → whether the steps can be put in order.

use super::bytes::{Reader, Writer};
use super::smallest::Smallest;

/// Distinct times kept of one step; of a step that has more, the later ones are not known. First and last step need one.
pub const TIMES_MAX: usize = 10_000;

/// Times of each step, in microseconds since 1970. What is kept adds up the same in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain(Vec<Smallest<i64>>);

impl Chain {
    /// Of that many steps, none of them seen.
    pub fn new(steps: usize) -> Chain {
        Chain(vec![Smallest::default(); steps])
    }

    pub fn add(&mut self, step: usize, time: i64) {
        let last = self.0.len() - 1;
        let times = &mut self.0[step];
        if step == 0 {
            times.add(time, 1);
        } else if step == last {
            let latest = times.as_slice().first().map_or(time, |known| time.max(*known));
            *times = Smallest::from_iter([latest]);
        } else {
            times.add(time, TIMES_MAX);
        }
    }

    pub fn merge(&mut self, other: &Chain) {
        other.all().for_each(|(step, time)| self.add(step, time));
    }

    /// Each step with each of its times.
    pub fn all(&self) -> impl Iterator<Item = (usize, i64)> {
        self.0.iter().enumerate().flat_map(|(step, times)| times.as_slice().iter().map(move |time| (step, *time)))
    }

    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|times| times.as_slice().is_empty())
    }

    /// A bit for each step that was not seen, of the first 64.
    pub fn missing(&self) -> u64 {
        let first = self.0.iter().take(64).enumerate();
        first.filter(|(_, times)| times.as_slice().is_empty()).fold(0, |bits, (step, _)| bits | 1 << step)
    }

    /// Whether each step was seen no earlier than the one before it.
    pub fn holds(&self) -> bool {
        // the earliest time that a step can have leaves most to the next
        let next = |from: Option<i64>, times: &Smallest<i64>| {
            let (times, from) = (times.as_slice(), from?);
            times.get(times.partition_point(|time| *time < from)).copied()
        };
        self.0.iter().fold(Some(i64::MIN), next).is_some()
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        // a list that grew is about three quarters full
        self.0.iter().map(|times| 24 + times.as_slice().len() * 12).sum()
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(self.0.len() as u64);
        for times in &self.0 {
            to.number(times.as_slice().len() as u64);
            times.as_slice().iter().for_each(|time| to.signed(*time));
        }
    }

    /// What [`Chain::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Chain> {
        let mut steps = Vec::new();
        for _ in 0..from.number()? {
            let count = from.number()?;
            steps.push((0..count).map(|_| from.signed()).collect::<Option<Smallest<i64>>>()?);
        }
        Some(Chain(steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(seen: &[(usize, i64)]) -> Chain {
        let mut chain = Chain::new(3);
        seen.iter().for_each(|(step, time)| chain.add(*step, *time));
        chain
    }

    #[test]
    fn steps_are_in_order_when_times_can_be_chosen_so() {
        assert!(chain(&[(0, 1), (1, 2), (2, 3)]).holds());
        assert!(chain(&[(2, 3), (1, 2), (0, 1)]).holds(), "whichever came first");
        assert!(chain(&[(0, 5), (1, 5), (2, 5)]).holds(), "at one time");
        assert!(chain(&[(1, 1), (0, 2), (1, 3), (2, 2), (2, 9)]).holds());
        // the first and the last are in order with the one between them, but not at once
        assert!(!chain(&[(0, 5), (1, 1), (1, 9), (2, 7)]).holds());
        assert!(!chain(&[(0, 1), (2, 3)]).holds());
        assert!(!chain(&[]).holds());
    }

    #[test]
    fn a_step_in_the_middle_keeps_its_earliest_times() {
        let mut many = chain(&[(0, 0)]);
        (0..=TIMES_MAX as i64).rev().for_each(|time| many.add(1, time));
        many.add(2, TIMES_MAX as i64);
        assert_eq!(many.all().count(), 2 + TIMES_MAX);
        assert!(many.holds() && !many.all().any(|seen| seen == (1, TIMES_MAX as i64)));
    }
}
