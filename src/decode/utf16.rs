//! Text in UTF-16, as Windows tools write it (`aws ... > file` in Windows PowerShell) → the same text in UTF-8.

use std::io::{self, Read};

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

/// Whether a text is UTF-16: by its mark, or as one byte of each two is zero and the other is not for as far as we look.
pub fn order(head: &[u8]) -> Option<Order> {
    const LOOK: usize = 64;
    const LEAST: usize = 8;
    let head = &head[..head.len().min(LOOK) / 2 * 2];
    let all =
        |zero: usize| head.len() >= LEAST && head.chunks_exact(2).all(|pair| pair[zero] == 0 && pair[1 - zero] != 0);
    match head {
        // so does UTF-32 begin, of which every second unit is zero
        [0xff, 0xfe, 0, 0, ..] => None,
        [0xff, 0xfe, ..] => Some(Order::Little),
        [0xfe, 0xff, ..] => Some(Order::Big),
        _ if all(1) => Some(Order::Little),
        _ if all(0) => Some(Order::Big),
        _ => None,
    }
}

/// Units read at a time.
const UNITS: usize = 4096;

/// The text of a source; units that are no text become U+FFFD.
pub struct Utf16<R> {
    source: R,
    order: Order,
    /// Bytes of a unit, or of the first of two, whose rest is still to come.
    begun: Vec<u8>,
    /// What was read and not yet handed on.
    text: String,
    at: usize,
}

impl<R: Read> Utf16<R> {
    pub fn new(source: R, order: Order) -> Utf16<R> {
        Utf16 { source, order, begun: Vec::new(), text: String::new(), at: 0 }
    }

    /// Reads some of the source. False at its end.
    fn more(&mut self) -> io::Result<bool> {
        (self.text, self.at) = (String::new(), 0);
        let mut bytes = std::mem::take(&mut self.begun);
        let before = bytes.len();
        bytes.resize(before + 2 * UNITS, 0);
        let count = match self.source.read(&mut bytes[before..]) {
            Ok(count) => count,
            Err(error) => {
                bytes.truncate(before);
                self.begun = bytes;
                return Err(error);
            }
        };
        bytes.truncate(before + count);
        let of_pair = |pair: &[u8; 2]| match self.order {
            Order::Little => u16::from_le_bytes(*pair),
            Order::Big => u16::from_be_bytes(*pair),
        };
        let (pairs, _) = bytes.as_chunks::<2>();
        let mut units: Vec<u16> = pairs.iter().map(of_pair).collect();
        if count > 0 {
            if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
                units.pop();
            }
            self.begun = bytes[2 * units.len()..].to_vec();
        }
        self.text = String::from_utf16_lossy(&units);
        if count == 0 && bytes.len() % 2 == 1 {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        Ok(count > 0 || !self.text.is_empty())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            if !self.more()? {
                return Ok(0);
            }
        }
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time.
    struct ByOne<'b>(&'b [u8]);

    impl Read for ByOne<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(1);
            self.0.read(&mut buffer[..most])
        }
    }

    fn read(bytes: &[u8], order: Order) -> String {
        let [mut by_one, mut whole] = [String::new(), String::new()];
        Utf16::new(ByOne(bytes), order).read_to_string(&mut by_one).unwrap();
        Utf16::new(bytes, order).read_to_string(&mut whole).unwrap();
        assert_eq!(by_one, whole);
        whole
    }

    #[test]
    fn a_text_is_the_same_however_it_comes() {
        let text = "\u{feff}{\"a\":\"ä€😀\"}\r\n".repeat(2000);
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!((order(&little), read(&little, Order::Little)), (Some(Order::Little), text.clone()));
        assert_eq!((order(&big), read(&big, Order::Big)), (Some(Order::Big), text));
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(read(b"a\0\x00\xd8b\0", Order::Little), "a\u{fffd}b");
        assert_eq!(read(b"a\0\x00\xd8", Order::Little), "a\u{fffd}");
        assert_eq!(read(b"a\0b", Order::Little), "a\u{fffd}");
        assert_eq!(read(b"", Order::Big), "");
    }

    #[test]
    fn other_texts_are_not_taken_for_it() {
        assert_eq!(order(b"\0[\0{\0\"\0a"), Some(Order::Big));
        for other in [&b"[\0{\0"[..], b"[\0{\0\"aa\0", b"{\"a\":1}\0\0\0\0\0", b"\xff\xfe\0\0{\0\0\0", b"", b"\xff"] {
            assert_eq!(order(other), None, "{other:?}");
        }
    }
}
