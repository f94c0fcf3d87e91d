//! Bytes of a text → the same, and the number of the line on which what begins at some byte has its first letter.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

/// Bytes of a record, and of what a reader in front of it has read ahead.
const RECORD_BYTES_MAX: u64 = 16 << 20;

/// What is read of a text, which a reader in front of it keeps to itself. It ends where a record has no end.
pub struct Counted<R> {
    text: R,
    lines: Lines,
}

/// The lines that were read and not asked for yet.
#[derive(Clone, Default)]
pub struct Lines(Rc<RefCell<Count>>);

#[derive(Default)]
struct Count {
    bytes: u64,
    /// Where the record begins that was asked for last.
    asked: u64,
    line_ends: u64,
    /// A letter came since the last end of a line.
    is_inside: bool,
    /// Of each line with a letter, the place of the first and the number of the line.
    begun: VecDeque<(u64, u64)>,
}

impl<R: Read> Counted<R> {
    pub fn new(text: R) -> (Counted<R>, Lines) {
        let lines = Lines::default();
        (Counted { text, lines: lines.clone() }, lines)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut lines = self.lines.0.borrow_mut();
        if lines.bytes.saturating_sub(lines.asked) > RECORD_BYTES_MAX {
            return Err(io::Error::other("a record is longer than 16 MiB: is a quote not closed?"));
        }
        let count = self.text.read(buffer)?;
        lines.take(&buffer[..count]);
        Ok(count)
    }
}

impl Count {
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => (self.line_ends, self.is_inside) = (self.line_ends + 1, false),
                b'\r' => {}
                _ if self.is_inside => {}
                _ => {
                    self.begun.push_back((self.bytes, self.line_ends + 1));
                    self.is_inside = true;
                }
            }
            self.bytes += 1;
        }
    }
}

impl Lines {
    /// The line of the first letter at this byte or behind it; of what is before it nobody asks later.
    pub fn at(&self, byte: u64) -> u64 {
        let mut count = self.0.borrow_mut();
        count.asked = byte;
        while count.begun.front().is_some_and(|(begin, _)| *begin < byte) {
            count.begun.pop_front();
        }
        count.begun.front().map_or(count.line_ends + 1, |(_, line)| *line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_has_no_end_ends_the_text() {
        let (mut counted, lines) = Counted::new(io::repeat(b'a'));
        let mut some = vec![0; 1 << 20];
        for at in 1..=40 {
            counted.read_exact(&mut some).unwrap();
            lines.at(at << 20);
        }
        (0..17).for_each(|_| counted.read_exact(&mut some).unwrap());
        assert!(counted.read_exact(&mut some).unwrap_err().to_string().starts_with("a record is longer than 16 MiB"));
    }

    #[test]
    fn lines_are_counted_whatever_ends_them_and_empty_ones_too() {
        for text in ["a\n\nbc\nd", "a\r\n\r\nbc\r\nd"] {
            let (mut counted, lines) = Counted::new(text.as_bytes());
            let mut byte = [0];
            counted.read_exact(&mut byte).unwrap();
            assert_eq!(lines.at(0), 1);
            counted.read_to_end(&mut Vec::new()).unwrap();
            let end = |line: &str| text.find(line).unwrap() as u64;
            assert_eq!(
                [lines.at(1), lines.at(end("bc") - 1), lines.at(end("d") - 1), lines.at(end("d"))],
                [3, 3, 4, 4]
            );
        }
    }
}
