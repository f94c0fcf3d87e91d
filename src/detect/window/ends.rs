//! A set that keeps its smallest members and its largest.

use std::cmp::Ordering;

/// Distinct values in rising order: the smallest, and the largest of all. Which of them stay depends on all that were ever
/// added, not on their order. Limits are of at least two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends<T>(Vec<T>);

impl<T> Default for Ends<T> {
    fn default() -> Ends<T> {
        Ends(Vec::new())
    }
}

impl<T: Ord> Ends<T> {
    /// Adds `make()`, where it stays and is not yet there, so that at most `max` are kept; `order` says how a member compares
    /// with it.
    pub fn add_with(&mut self, max: usize, order: impl FnMut(&T) -> Ordering, make: impl FnOnce() -> T) {
        let Err(place) = self.0.binary_search_by(order) else { return };
        if self.0.len() < max {
            // there are very many sets, most of them of one member: room is made for one, and never for more than `max`
            if self.0.len() == self.0.capacity() {
                self.0.reserve_exact(self.0.len().clamp(1, max - self.0.len()));
            }
            self.0.insert(place, make());
        } else if place >= max {
            self.0[max - 1] = make();
        } else if place < max - 1 {
            self.0.remove(max - 2);
            self.0.insert(place, make());
        }
    }

    /// Adds all of another set.
    pub fn merge(&mut self, other: &Ends<T>, max: usize)
    where
        T: Clone,
    {
        // where all come behind those that stay, one of them may
        let is_behind = self.0.len() >= max && other.0.first() >= self.0.get(max - 2);
        let from = if is_behind { other.0.len().saturating_sub(1) } else { 0 };
        other.0[from..].iter().for_each(|value| self.add_with(max, |known| known.cmp(value), || value.clone()));
    }

    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// About what the places of its members take, in bytes: a list that grew is three quarters full.
    pub fn places_len(&self) -> usize {
        self.0.len() * size_of::<T>() / 3 * 4
    }
}

impl<T: Ord> FromIterator<T> for Ends<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Ends<T> {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort();
        values.dedup();
        values.shrink_to_fit();
        Ends(values)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_smallest_and_the_largest_stay_in_whatever_order_they_come(
            values: Vec<u8>,
            cut in 0usize..64,
            max in 2usize..20,
        ) {
            let cut = cut.min(values.len());
            let (mut one, mut other) = (Ends::default(), Ends::default());
            let add = |to: &mut Ends<u8>, value: &u8| to.add_with(max, |known| known.cmp(value), || *value);
            values[..cut].iter().for_each(|value| add(&mut one, value));
            values[cut..].iter().for_each(|value| add(&mut other, value));
            one.merge(&other, max);
            prop_assert!([&one, &other].into_iter().all(|set| set.0.capacity() <= max));
            let all: Vec<u8> = values.iter().copied().collect::<BTreeSet<u8>>().into_iter().collect();
            let mut expected = all.clone();
            if all.len() > max {
                expected.truncate(max - 1);
                expected.extend(all.last());
            }
            prop_assert_eq!(one.as_slice(), &expected);
        }
    }
}
