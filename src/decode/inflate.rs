//! Compressed bytes → inflated bytes, whole or as a stream. The compression is told by its magic bytes.

use std::cell::RefCell;
use std::io::{self, Cursor, Read};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::gzip::Gzip;
use super::utf16::{self, Order, Utf16};
use super::{PADDING, reuse};

/// What comes off the bytes of an object before they are a text in UTF-8, or of another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    Utf16(Order),
    None,
}

impl Compression {
    pub fn of(head: &[u8]) -> Compression {
        match head {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // a frame, or one that decoders skip
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => utf16::order(head).map_or(Compression::None, Compression::Utf16),
        }
    }
}

thread_local! {
    /// Its tables are as large as a small object.
    static DECOMPRESSOR: RefCell<libdeflater::Decompressor> = RefCell::new(libdeflater::Decompressor::new());
}

/// Inflates a gzip file of one sound member in one go, to at most `max` bytes, with [`PADDING`] zero bytes behind
/// them. `None` for every other file, also for gzip or UTF-16 inside of gzip: a stream inflates it, or says what is wrong with it.
pub fn whole(gzip: &[u8], max: usize) -> Option<Vec<u8>> {
    let size = *gzip.last_chunk::<4>()?;
    // what the file says about itself is only a hint: a lie makes libdeflate fail
    let length = u32::from_le_bytes(size) as usize;
    if length > max || length / 1100 > gzip.len() {
        return None;
    }
    // libdeflate stops after the first member without a word, and its size stands at the end of the file where others are as long:
    // what may be the head of another is left to the stream, which knows
    let may_begin = |at: usize| gzip.get(at + 3).is_some_and(|flags| flags & 0b1110_0000 == 0);
    if memchr::memmem::find_iter(gzip, &[0x1f, 0x8b, 8]).skip(1).any(may_begin) {
        return None;
    }
    let mut bytes = reuse::buffer(length + PADDING);
    // SAFETY: u8 has no invalid values and libdeflate writes before it reads; what it leaves unwritten is cut off
    // below. Zeroing first costs a tenth of the whole way from gzip to columns.
    #[allow(clippy::uninit_vec)]
    unsafe {
        bytes.set_len(length);
    }
    let done = DECOMPRESSOR.with_borrow_mut(|decompressor| decompressor.gzip_decompress(gzip, &mut bytes));
    if done != Ok(length) || matches!(Compression::of(&bytes), Compression::Gzip | Compression::Utf16(_)) {
        return None;
    }
    bytes.resize(length + PADDING, 0);
    Some(bytes)
}

/// A stream of inflated bytes that knows how much it was made from.
pub struct Stream {
    inner: Inner,
    /// What is inflated may be gzip again.
    nested: bool,
    taken: Arc<Taken>,
    /// By this stream, and by the parts of the same object before it.
    given: u64,
    before: u64,
    limits: Limits,
}

enum Inner {
    Gzip(Box<Gzip<Source>>),
    Other(Source),
}

type Source = Box<dyn Read + Send>;

impl Inner {
    /// Appends up to `room` bytes, fewer only at the end, or before an error.
    fn append(&mut self, out: &mut Vec<u8>, room: usize) -> io::Result<usize> {
        match self {
            Inner::Gzip(gzip) => gzip.append(out, room),
            Inner::Other(source) => source.take(room as u64).read_to_end(out),
        }
    }
}

#[derive(Clone, Copy)]
pub struct Limits {
    pub bytes: u64,
    pub ratio: u64,
}

/// What a decoder read from its source.
#[derive(Default)]
struct Taken {
    bytes: AtomicU64,
    failed: AtomicBool,
}

struct Counted<R> {
    inner: R,
    taken: Arc<Taken>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.inner.read(buffer);
        match &result {
            Ok(count) => {
                self.taken.bytes.fetch_add(*count as u64, Ordering::Relaxed);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
            Err(_) => self.taken.failed.store(true, Ordering::Relaxed),
        }
        result
    }
}

/// How reading a [`Stream`] went.
#[derive(Debug)]
pub enum Filled {
    More,
    /// There is no more for now: the source would block.
    Paused,
    End,
    /// The rest cannot be inflated; why.
    Broken(String),
}

/// Ratios are not judged before this many bytes: a short file of zeros is no bomb.
const RATIO_FROM: u64 = 64 << 20;

impl Stream {
    pub fn new(source: Box<dyn Read + Send>, compression: Compression, limits: Limits) -> io::Result<Stream> {
        let taken = Arc::new(Taken::default());
        let source = Counted { inner: source, taken: taken.clone() };
        let inner = match compression {
            Compression::Gzip => Inner::Gzip(Box::new(Gzip::new(Box::new(source)))),
            Compression::Zstd => Inner::Other(Box::new(zstd::stream::read::Decoder::new(source)?)),
            Compression::Utf16(order) => Inner::Other(Box::new(Utf16::new(source, order))),
            Compression::None => Inner::Other(Box::new(source)),
        };
        let nested = matches!(compression, Compression::Gzip | Compression::Zstd);
        Ok(Stream { inner, nested, taken, given: 0, before: 0, limits })
    }

    /// Counts the bytes that other parts of the same object gave before against the limit in bytes.
    pub fn behind(self, before: u64) -> Stream {
        Stream { given: before, before, ..self }
    }

    /// Firehose may be told to compress what CloudWatch Logs gives it compressed: gzip inside of gzip; people do it with zstd, and with
    /// UTF-16. Appends the first bytes when it is not that.
    fn inflate_again(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        const LOOK: usize = 16;
        let mut head = Vec::new();
        let result = self.inner.append(&mut head, LOOK);
        if head.is_empty() && result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            self.nested = true;
        }
        let again = Compression::of(&head);
        if result.is_err() || !matches!(again, Compression::Gzip | Compression::Utf16(_)) {
            out.extend_from_slice(&head);
            return result;
        }
        let outer: Source = match mem::replace(&mut self.inner, Inner::Other(Box::new(io::empty()))) {
            Inner::Gzip(outer) => outer,
            Inner::Other(outer) => outer,
        };
        let whole: Source = Box::new(Cursor::new(head).chain(outer));
        self.inner = match again {
            Compression::Utf16(order) => Inner::Other(Box::new(Utf16::new(whole, order))),
            _ => Inner::Gzip(Box::new(Gzip::new(whole))),
        };
        Ok(0)
    }

    /// Appends about `count` bytes to `out`.
    ///
    /// # Errors
    /// Only those of the source; bytes that cannot be inflated are [`Filled::Broken`].
    pub fn fill(&mut self, out: &mut Vec<u8>, count: usize) -> io::Result<Filled> {
        let before = out.len();
        let room = self.limits.bytes.saturating_sub(self.given).saturating_add(1).min(count as u64);
        let result = match mem::take(&mut self.nested) {
            true => self.inflate_again(out),
            false => Ok(0),
        };
        let result = result.and_then(|head| {
            let rest = room.saturating_sub(head as u64) as usize;
            Ok(head + self.inner.append(out, rest)?)
        });
        self.given += (out.len() - before) as u64;
        if self.given > self.limits.bytes {
            let over = (self.given - self.limits.bytes) as usize;
            out.truncate(out.len() - over);
            self.given = self.limits.bytes;
            return Ok(Filled::Broken(format!("cut off: it inflates to more than {} bytes", self.limits.bytes)));
        }
        let taken = self.taken.bytes.load(Ordering::Relaxed);
        let own = self.given - self.before;
        if own > RATIO_FROM && own / taken.max(1) > self.limits.ratio {
            return Ok(Filled::Broken(format!(
                "cut off: it inflates to more than {} times its size",
                self.limits.ratio
            )));
        }
        match result {
            Ok(read) if (read as u64) < room => Ok(Filled::End),
            Ok(_) => Ok(Filled::More),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Filled::Paused),
            Err(error) if self.taken.failed.load(Ordering::Relaxed) => Err(error),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Ok(Filled::Broken("the compressed data is cut off at its end".to_owned()))
            }
            Err(error) => Ok(Filled::Broken(format!("the compressed data is damaged: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn stream(bytes: Vec<u8>, limits: Limits) -> (Vec<u8>, String) {
        let compression = Compression::of(&bytes);
        let mut stream = Stream::new(Box::new(io::Cursor::new(bytes)), compression, limits).unwrap();
        let mut out = Vec::new();
        loop {
            match stream.fill(&mut out, 1000).unwrap() {
                Filled::More | Filled::Paused => {}
                Filled::End => return (out, String::new()),
                Filled::Broken(why) => return (out, why),
            }
        }
    }

    const WIDE: Limits = Limits { bytes: 1 << 40, ratio: 1 << 40 };

    #[test]
    fn one_member_is_inflated_whole_and_two_are_not() {
        let one = gzip(b"hello");
        assert_eq!(whole(&one, 100).unwrap(), [&b"hello"[..], &[0; PADDING]].concat());
        assert_eq!(whole(&one, 4), None);
        assert_eq!(whole(&one[..one.len() - 1], 100), None);
        let twice = [one.clone(), one.clone()].concat();
        assert_eq!(whole(&twice, 100), None);
        assert_eq!(stream(twice, WIDE), (b"hellohello".to_vec(), String::new()));
        assert_eq!(whole(&[one, b"rubbish".to_vec()].concat(), 1 << 30), None);
    }

    #[test]
    fn zeros_and_line_ends_behind_gzip_are_no_damage() {
        let padded = [gzip(b"hello, "), vec![0; 512], gzip(b"you"), vec![0; 7]].concat();
        assert_eq!(whole(&padded, 1000), None);
        assert_eq!(stream(padded, WIDE), (b"hello, you".to_vec(), String::new()));
        let as_long = [gzip(b"hello"), vec![0; 100], gzip(b"there")].concat();
        assert_eq!(whole(&as_long, 1000), None);
        assert_eq!(stream(as_long, WIDE), (b"hellothere".to_vec(), String::new()));
        let printed = [gzip(b"hello, "), b"\n".to_vec(), gzip(b"you"), b"\r\n".to_vec()].concat();
        assert_eq!(stream(printed, WIDE), (b"hello, you".to_vec(), String::new()));
        let (out, why) = stream([gzip(b"hello"), vec![0, 1]].concat(), WIDE);
        assert_eq!(out, b"hello");
        assert!(!why.is_empty());
    }

    #[test]
    fn gzip_inside_of_gzip_is_inflated_twice_and_no_more() {
        let twice = gzip(&[gzip(b"hello, "), gzip(b"you")].concat());
        assert_eq!(whole(&twice, 1000), None);
        assert_eq!(stream(twice, WIDE), (b"hello, you".to_vec(), String::new()));
        let thrice = gzip(&gzip(&gzip(b"hello")));
        assert_eq!(stream(thrice, WIDE), (gzip(b"hello"), String::new()));
        let (out, why) = stream(gzip(&gzip(b"hello")[..20]), WIDE);
        assert_eq!((&out[..], why.as_str()), (&b"hello"[..], "the compressed data is cut off at its end"));
        assert_eq!(stream(gzip(b"x"), WIDE), (b"x".to_vec(), String::new()));
        let of_zstd = zstd::encode_all(&gzip(b"hello")[..], 1).unwrap();
        assert_eq!(stream(of_zstd, WIDE), (b"hello".to_vec(), String::new()));
        assert_eq!(stream(gzip(b""), WIDE), (Vec::new(), String::new()));
    }

    #[test]
    fn what_came_before_the_damage_is_kept() {
        let text: Vec<u8> = (0..20_000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        let whole = gzip(&text);
        let (out, why) = stream(whole[..whole.len() / 2].to_vec(), WIDE);
        assert!(out.len() > 1000 && text.starts_with(&out));
        assert_eq!(why, "the compressed data is cut off at its end");
        let (out, why) = stream([&whole[..], b"rubbish behind the end"].concat(), WIDE);
        assert_eq!(out, text);
        assert!(why.starts_with("the compressed data is damaged"), "{why}");
    }

    #[test]
    fn damage_in_the_middle_keeps_what_came_before_it_however_much_is_asked_for() {
        let text: Vec<u8> =
            (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes()).collect();
        let mut damaged = gzip(&text);
        let middle = damaged.len() / 2;
        damaged[middle..middle + 40].fill(0xff);
        let ask = |count: usize| {
            let mut stream = Stream::new(Box::new(io::Cursor::new(damaged.clone())), Compression::Gzip, WIDE).unwrap();
            let mut out = Vec::new();
            loop {
                match stream.fill(&mut out, count).unwrap() {
                    Filled::More | Filled::Paused => {}
                    Filled::End => panic!("it is damaged"),
                    Filled::Broken(_) => return out,
                }
            }
        };
        let by_one = ask(1);
        assert!(by_one.len() > text.len() * 2 / 5, "{} of {}", by_one.len(), text.len());
        assert_eq!(ask(2 << 20).len(), by_one.len());
    }

    #[test]
    fn a_bomb_is_cut_off() {
        let bomb = gzip(&vec![b'0'; 1 << 20]);
        let (out, why) = stream(bomb, Limits { bytes: 1234, ratio: 1 << 40 });
        assert_eq!((out.len(), why.as_str()), (1234, "cut off: it inflates to more than 1234 bytes"));
        // zstd, since without optimization gzip needs half a minute for this much
        let bomb = zstd::encode_all(&vec![b'0'; 100 << 20][..], 1).unwrap();
        let (out, why) = stream(bomb, Limits { bytes: 1 << 40, ratio: 100 });
        assert_eq!(why, "cut off: it inflates to more than 100 times its size");
        assert!(out.len() < 65 << 20);
    }

    #[test]
    fn zstd_frames_follow_each_other() {
        let frame = zstd::encode_all(&b"abc"[..], 1).unwrap();
        assert_eq!(stream([frame.clone(), frame].concat(), WIDE), (b"abcabc".to_vec(), String::new()));
    }
}
