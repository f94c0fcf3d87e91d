//! Buffers of texts that nothing points into any more → the buffers of the next texts.
//!
//! The texts of a round stay as long as the rows that point into them, so they are freed many at a time, and the allocator gives
//! such large pieces back to the system: each next text would begin with a page fault for every 4 KiB, which cost half of what
//! inflating it did. The pieces of a long stream are read into them too.

use std::mem;
use std::sync::{Mutex, PoisonError};

use arrow::buffer::Buffer;
use bytes::Bytes;

use crate::memory::Memory;

/// What is smaller is left to the allocator, which keeps pages for it.
const BYTES_MIN: usize = 64 << 10;
/// What is kept for later, where memory is not short: as much as the archive's buffer lets go of at a time. With 16 MiB a single large
/// object takes a twentieth more CPU time, and not less memory, for what is kept is what is taken next.
const KEPT_BYTES_MAX: usize = 48 << 20;
/// Capacities are multiples of this, so that texts of about one length fit into each other's buffers.
const STEP: usize = 64 << 10;

static FREE: Mutex<Free> = Mutex::new(Free { buffers: Vec::new(), bytes: 0, bytes_max: KEPT_BYTES_MAX, spare: 0 });

struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
    bytes_max: usize,
    /// The fewest buffers there were since [`let_go`] was called: so many were not needed.
    spare: usize,
}

impl Free {
    /// The smallest that is large enough, unless it is much too large.
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| (capacity..=2 * capacity).contains(&buffer.capacity());
        let fitting = self.buffers.iter().enumerate().filter(|(_, buffer)| fits(buffer));
        let (place, _) = fitting.min_by_key(|(_, buffer)| buffer.capacity())?;
        let buffer = self.buffers.swap_remove(place);
        self.bytes -= buffer.capacity();
        self.spare = self.spare.min(self.buffers.len());
        Some(buffer)
    }

    /// Takes a buffer back, or gives it again where there are enough.
    fn give(&mut self, buffer: Vec<u8>) -> Option<Vec<u8>> {
        if self.bytes + buffer.capacity() > self.bytes_max {
            return Some(buffer);
        }
        self.bytes += buffer.capacity();
        self.buffers.push(buffer);
        None
    }

    fn let_go(&mut self) -> Vec<Vec<u8>> {
        let gone: Vec<Vec<u8>> = self.buffers.drain(..self.spare).collect();
        self.bytes -= gone.iter().map(Vec::capacity).sum::<usize>();
        self.spare = self.buffers.len();
        gone
    }
}

fn with_free<T>(act: impl FnOnce(&mut Free) -> T) -> T {
    act(&mut FREE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// An empty buffer of this capacity or more.
pub fn buffer(capacity: usize) -> Vec<u8> {
    if capacity < BYTES_MIN {
        return Vec::with_capacity(capacity);
    }
    let capacity = capacity.next_multiple_of(STEP);
    with_free(|free| free.take(capacity)).unwrap_or_else(|| Vec::with_capacity(capacity))
}

/// Takes back a buffer that is not needed any more.
pub fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() >= BYTES_MIN {
        buffer.clear();
        // what is not taken is freed after the lock
        let _rest = with_free(|free| free.give(buffer));
    }
}

/// The bytes as arrow has them; the buffer is taken back when the last column that points into it is gone.
pub fn shared(bytes: Vec<u8>) -> Buffer {
    if bytes.capacity() < BYTES_MIN {
        return Buffer::from_vec(bytes);
    }
    Buffer::from(Bytes::from_owner(Shared(bytes)))
}

struct Shared(Vec<u8>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        give_back(mem::take(&mut self.0));
    }
}

/// Keeps no more than the memory's share.
pub fn keep_to(memory: Memory) {
    with_free(|free| free.bytes_max = memory.of(KEPT_BYTES_MAX));
}

/// Frees what was not needed since the last call.
pub fn let_go() {
    // freed after the lock
    let _spare = with_free(Free::let_go);
}

/// Frees everything.
pub fn let_go_of_all() {
    let _all = with_free(|free| {
        free.spare = free.buffers.len();
        free.let_go()
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_that_is_large_enough_is_taken_and_none_that_is_much_too_large() {
        let mut free = Free { buffers: Vec::new(), bytes: 0, bytes_max: 1000, spare: 0 };
        for capacity in [300, 100, 200] {
            assert!(free.give(Vec::with_capacity(capacity)).is_none());
        }
        assert!(free.give(Vec::with_capacity(401)).is_some(), "there would be 1,001 bytes");
        let mut take = |capacity| free.take(capacity).map(|buffer| buffer.capacity());
        assert_eq!(
            [take(301), take(49), take(101), take(150), take(50)],
            [None, None, Some(200), Some(300), Some(100)]
        );
        assert_eq!(free.bytes, 0);
    }

    #[test]
    fn what_was_not_needed_for_a_while_is_let_go_of() {
        let mut free = Free { buffers: Vec::new(), bytes: 0, bytes_max: 1000, spare: 0 };
        let mut used: Vec<_> = (0..3).map(|_| Vec::with_capacity(100)).collect();
        used.drain(..).for_each(|buffer| assert!(free.give(buffer).is_none()));
        assert_eq!(free.let_go().len(), 0, "there were none for a part of the time");
        let (one, two) = (free.take(100).unwrap(), free.take(100).unwrap());
        free.give(one);
        free.give(two);
        assert_eq!((free.let_go().len(), free.bytes), (1, 200));
        assert_eq!((free.let_go().len(), free.bytes), (2, 0));
    }

    #[test]
    fn a_shared_buffer_has_its_bytes_as_long_as_anything_points_into_them() {
        let mut bytes = buffer(BYTES_MIN);
        bytes.extend_from_slice(b"text");
        let shared = shared(bytes);
        let part = shared.slice(1);
        drop(shared);
        let other = vec![b'x'; buffer(BYTES_MIN).capacity()];
        assert_eq!(&part[..], b"ext");
        assert!(other.capacity() >= BYTES_MIN && buffer(1).capacity() < BYTES_MIN);
    }
}
