//! Keys → cells, at most a fixed number of them: a full neighbourhood gives up the cell that is worth least.

/// What is remembered of a key.
pub(super) trait Cell: Default {
    /// How much would be lost with this cell at tick `now`; the least goes first.
    fn worth(&self, now: u64) -> f32;
}

const WAYS: usize = 8;

/// A set-associative table: each key belongs to one set of eight places. The upper half of a place is the tag of a key,
/// the lower half the number of its cell, from 1; an empty place is 0. Two keys that agree in the tag and in the set, which
/// takes 45 bits or more of a hash to be equal, share a cell.
pub(super) struct Table<C> {
    sets: Vec<[u64; WAYS]>,
    cells: Vec<C>,
}

impl<C: Cell> Table<C> {
    /// Room for `8 << set_bits` keys.
    pub(super) fn new(set_bits: u32) -> Table<C> {
        assert!(set_bits <= 28, "cell numbers are 32 bits");
        Table { sets: vec![[0; WAYS]; 1 << set_bits], cells: Vec::new() }
    }

    /// The cell of `key`; made, or made anew in the place of another, when there is none.
    pub(super) fn cell(&mut self, key: u64, now: u64) -> &mut C {
        let number = key as usize & (self.sets.len() - 1);
        let set = &mut self.sets[number];
        let tag = key >> 32;
        if let Some(place) = set.iter().find(|&&place| place >> 32 == tag && place != 0) {
            return &mut self.cells[cell_of(*place)];
        }
        if let Some(empty) = set.iter_mut().find(|place| **place == 0) {
            self.cells.push(C::default());
            *empty = tag << 32 | self.cells.len() as u64;
            return self.cells.last_mut().expect("it was just pushed");
        }
        let worth = |place: u64| self.cells[cell_of(place)].worth(now);
        let least = set.iter_mut().min_by(|a, b| worth(**a).total_cmp(&worth(**b))).expect("a set has places");
        let cell = cell_of(*least);
        *least = tag << 32 | (cell as u64 + 1);
        self.cells[cell] = C::default();
        &mut self.cells[cell]
    }

    /// Cells in use.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }
}

fn cell_of(place: u64) -> usize {
    place as u32 as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Count(f32);

    impl Cell for Count {
        fn worth(&self, _: u64) -> f32 {
            self.0
        }
    }

    #[test]
    fn a_full_set_gives_up_its_least() {
        let mut table = Table::<Count>::new(0);
        for key in 1..=8u64 {
            table.cell(key << 32, 0).0 = if key == 5 { 0.5 } else { key as f32 };
        }
        assert_eq!((table.cell(3 << 32, 0).0, table.len()), (3.0, 8));
        assert_eq!(table.cell(9 << 32, 0).0, 0.0, "a new cell in the place of 5");
        table.cell(9 << 32, 0).0 = 9.0;
        assert_eq!((table.cell(1 << 32, 0).0, table.cell(8 << 32, 0).0, table.len()), (1.0, 8.0, 8));
        assert_eq!((table.cell(5 << 32, 0).0, table.len()), (0.0, 8), "5 is forgotten");
    }
}
