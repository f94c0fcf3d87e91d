//! When the rows of a group were → how regularly they came.

use super::bytes::{Reader, Writer};
use super::smallest::Smallest;

/// Distinct times kept of one group; of one that has more, the later ones are not known.
pub const TIMES_MAX: usize = 512;
/// Gaps between times without which nothing is said.
const GAPS_MIN: usize = 3;

/// Distinct times, in microseconds since 1970. What is kept adds up the same in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times(Smallest<i64>);

impl Times {
    pub fn add(&mut self, time: i64) {
        self.0.add(time, TIMES_MAX);
    }

    pub fn merge(&mut self, other: &Times) {
        self.0.merge(&other.0, TIMES_MAX);
    }

    pub fn as_slice(&self) -> &[i64] {
        self.0.as_slice()
    }

    /// 1 where all gaps between one time and the next are alike, and 0 where half of them differ from their median by all of it
    /// or more: `1 - MAD / median`. `None` of fewer than four times.
    pub fn regularity(&self) -> Option<f64> {
        let mut gaps: Vec<u64> = self.as_slice().windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect();
        if gaps.len() < GAPS_MIN {
            return None;
        }
        let usual = median(&mut gaps);
        gaps.iter_mut().for_each(|gap| *gap = gap.abs_diff(usual));
        Some((1.0 - median(&mut gaps) as f64 / usual as f64).max(0.0))
    }

    /// About what it takes, in bytes.
    pub fn bytes_len(&self) -> usize {
        // a list that grew is about three quarters full
        self.as_slice().len() * 12
    }

    pub fn write(&self, to: &mut Writer) {
        to.number(self.as_slice().len() as u64);
        self.as_slice().iter().for_each(|time| to.signed(*time));
    }

    /// What [`Times::write`] wrote; `None` when it did not.
    pub fn read(from: &mut Reader) -> Option<Times> {
        let count = from.number()?;
        Some(Times((0..count).map(|_| from.signed()).collect::<Option<_>>()?))
    }
}

/// The lower of the two in the middle, where there are two.
fn median(numbers: &mut [u64]) -> u64 {
    let middle = (numbers.len() - 1) / 2;
    *numbers.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regularity(times: &[i64]) -> Option<f64> {
        let mut all = Times::default();
        times.iter().for_each(|time| all.add(*time));
        all.regularity()
    }

    #[test]
    fn like_gaps_are_regular_and_unlike_ones_are_not() {
        assert_eq!(regularity(&[]), None);
        assert_eq!(regularity(&[10, 20, 30]), None);
        assert_eq!(regularity(&[40, 10, 30, 20, 20]), Some(1.0));
        // gaps 10, 12, 8, 10: the median is 10, what they differ by 0, 2, 2, 0
        assert_eq!(regularity(&[0, 10, 22, 30, 40]), Some(1.0));
        // gaps 10, 14, 6: they differ from 10 by 0, 4, 4
        assert_eq!(regularity(&[0, 10, 24, 30]), Some(0.6));
        // gaps 1, 1, 100, 50, 70: they differ from 50 by 49, 49, 50, 0, 20
        assert_eq!(regularity(&[0, 1, 2, 102, 152, 222]), Some(1.0 - 49.0 / 50.0));
        // one gap out of many changes nothing
        let mut times: Vec<i64> = (0..20).map(|n| n * 60).collect();
        times.push(100_000);
        assert_eq!(regularity(&times), Some(1.0));
        // the longest gaps that there are
        assert_eq!(regularity(&[i64::MIN, -1, 0, i64::MAX]), Some(1.0));
    }
}
