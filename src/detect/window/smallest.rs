//! A set that keeps its smallest members.

use std::cmp::Ordering;

/// Distinct values in rising order. Which of them stay depends on all that were ever added, not on their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smallest<T>(Vec<T>);

impl<T> Default for Smallest<T> {
    fn default() -> Smallest<T> {
        Smallest(Vec::new())
    }
}

impl<T: Ord> Smallest<T> {
    /// Adds `make()`, where it is among the `max` smallest and not yet there; `order` says how a member compares with it.
    pub fn add_with(&mut self, max: usize, mut order: impl FnMut(&T) -> Ordering, make: impl FnOnce() -> T) {
        // most come behind all that are kept
        if self.0.len() >= max && self.0.last().is_some_and(|last| order(last).is_lt()) {
            return;
        }
        let Err(place) = self.0.binary_search_by(order) else { return };
        if place >= max {
            return;
        }
        self.insert(place, make(), max);
    }

    /// Adds a value.
    pub fn add(&mut self, value: T, max: usize) {
        if self.0.len() >= max && self.0.last().is_some_and(|last| *last < value) {
            return;
        }
        match self.0.binary_search(&value) {
            Err(place) if place < max => self.insert(place, value, max),
            _ => {}
        }
    }

    /// There are very many sets, most of them of one member: room is made for one, and never for more than `max`.
    fn insert(&mut self, place: usize, value: T, max: usize) {
        if self.0.len() >= max {
            self.0.pop();
        }
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(self.0.len().clamp(1, max - self.0.len()));
        }
        self.0.insert(place, value);
    }

    /// Adds all of another set.
    pub fn merge(&mut self, other: &Smallest<T>, max: usize)
    where
        T: Clone,
    {
        if self.0.len() >= max && self.0.last() <= other.0.first() {
            return;
        }
        if other.0.len() <= 8 {
            other.0.iter().for_each(|value| self.add_with(max, |known| known.cmp(value), || value.clone()));
            return;
        }
        let room = max.min(self.0.len() + other.0.len());
        let mut own = std::mem::replace(&mut self.0, Vec::with_capacity(room)).into_iter().peekable();
        let mut more = other.0.iter().peekable();
        while self.0.len() < max {
            let value = match (own.peek(), more.peek()) {
                (Some(mine), Some(its)) if mine >= its => {
                    if mine == *its {
                        own.next();
                    }
                    more.next().cloned()
                }
                (Some(_), _) => own.next(),
                (None, _) => more.next().cloned(),
            };
            let Some(value) = value else { break };
            self.0.push(value);
        }
    }

    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// About what the places of its members take, in bytes: a list that grew is three quarters full.
    pub fn places_len(&self) -> usize {
        self.0.len() * size_of::<T>() / 3 * 4
    }
}

impl<T: Ord> FromIterator<T> for Smallest<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Smallest<T> {
        let mut values: Vec<T> = values.into_iter().collect();
        values.sort();
        values.dedup();
        values.shrink_to_fit();
        Smallest(values)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_smallest_stay_in_whatever_order_they_come(values: Vec<u8>, cut in 0usize..64, max in 1usize..20) {
            let cut = cut.min(values.len());
            let (mut one, mut other) = (Smallest::default(), Smallest::default());
            values[..cut].iter().for_each(|value| one.add(*value, max));
            values[cut..].iter().for_each(|value| other.add_with(max, |known: &u8| known.cmp(value), || *value));
            one.merge(&other, max);
            prop_assert!([&one, &other].into_iter().all(|set| set.0.capacity() <= max));
            let expected: Vec<u8> = values.iter().copied().collect::<BTreeSet<u8>>().into_iter().take(max).collect();
            prop_assert_eq!(one.as_slice(), &expected);
        }
    }
}
