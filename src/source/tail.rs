//! Text files that were read, up to some line → where each is gone on with once more is written to it, under whatever name.
//!
//! Such a file's partition is named for its version, as that of any other is, and for what was read of it: `|BYTES:HEADER:TAIL:DEVICE:FILE`
//! stands behind, [`Mark`]'s three and where the line begins that names the fields. Each piece brings it to another partition, in place of
//! the one before; the last one's is at its end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::Instant;

use super::half_written::read;
use crate::decode::line::first_line;
use crate::decode::{Before, LineEnd};
use crate::mark::Mark;
use crate::position::{Checkpoint, Offset, Position};

/// What of a text's beginning says what it is, and how long its header may be.
const HEAD_BYTES: u64 = 2 << 20;
const HEADER_BYTES: u64 = 64 << 10;
/// A line that was cut off is not found when more of it was read.
const LINE_BYTES: u64 = 1 << 20;
/// Of the hash in a partition's name.
const TAIL_DIGITS: usize = 16;

/// A file as it was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Without links.
    pub path: String,
    pub size: Size,
    /// By what it is known under another name.
    pub number: String,
}

/// What changes with a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    bytes: u64,
    /// When it was changed, in nanoseconds since 1970.
    changed: u128,
}

impl Size {
    pub fn of(file: &Metadata) -> Size {
        let changed = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Size { bytes: file.len(), changed: changed.map_or(0, |since| since.as_nanos()) }
    }
}

impl Version {
    /// Names it in the checkpoint: a file that changes is another partition.
    pub fn partition(&self) -> String {
        format!("{SCHEME}{}|{}|{}", self.path, self.size.bytes, self.size.changed)
    }
}

const SCHEME: &str = "file:";

/// What was read of a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    partition: Arc<str>,
    version: Version,
    mark: Mark,
    header: Option<u64>,
    /// There is no more of this version.
    is_done: bool,
}

impl Tail {
    fn new(version: &Version, mark: Mark, header: Option<u64>, is_done: bool) -> Tail {
        let place = header.map_or_else(|| "-".to_owned(), |place| place.to_string());
        let partition = format!("{}|{}:{place}:{}:{}", version.partition(), mark.bytes, mark.tail, mark.file).into();
        Tail { partition, version: version.clone(), mark, header, is_done }
    }

    /// Reads a partition's name; `None` for one of another kind.
    fn parse(partition: &Arc<str>, offset: &Offset) -> Option<Tail> {
        let mut parts = partition.strip_prefix(SCHEME)?.rsplitn(4, '|');
        let (mark, changed, bytes, path) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let mut of_mark = mark.splitn(4, ':');
        let (marked, header, tail, file) = (of_mark.next()?, of_mark.next()?, of_mark.next()?, of_mark.next()?);
        let version = Version {
            path: path.to_owned(),
            size: Size { bytes: bytes.parse().ok()?, changed: changed.parse().ok()? },
            number: file.to_owned(),
        };
        let mark = Mark { bytes: marked.parse().ok()?, tail: tail.to_owned(), file: file.to_owned() };
        let header = if header == "-" { None } else { Some(header.parse().ok()?) };
        Some(Tail { partition: partition.clone(), version, mark, header, is_done: *offset == Offset::End })
    }

    pub fn bytes(&self) -> u64 {
        self.mark.bytes
    }

    pub fn line_end(&self) -> LineEnd {
        LineEnd { offset: self.mark.bytes, header: self.header }
    }

    /// What has to be known of the text to go on with it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn before(&self, file: &File) -> io::Result<Before> {
        let line = |place| -> io::Result<(u64, String)> {
            let text = read(file, place, HEADER_BYTES)?;
            Ok((place, String::from_utf8_lossy(first_line(&text).trim_ascii()).into_owned()))
        };
        let header = self.header.map(line).transpose()?;
        let head = read(file, 0, HEAD_BYTES.min(self.mark.bytes))?;
        Ok(Before { head, header, offset: self.cut_line(file)?.unwrap_or(self.mark.bytes) })
    }

    /// Where the last line begins that was read, if it had no end then, and has more now: it was being written.
    fn cut_line(&self, file: &File) -> io::Result<Option<u64>> {
        let Some(last) = self.mark.bytes.checked_sub(1) else { return Ok(None) };
        if !matches!(read(file, last, 2)?[..], [before, behind] if before != b'\n' && !matches!(behind, b'\n' | b'\r'))
        {
            return Ok(None);
        }
        let from = self.mark.bytes.saturating_sub(LINE_BYTES);
        let line = memchr::memrchr(b'\n', &read(file, from, self.mark.bytes - from)?);
        Ok(line.map(|end| from + end as u64 + 1).or((from == 0).then_some(0)))
    }
}

/// Names of the files that a checkpoint knows something of.
pub fn paths(checkpoint: &Checkpoint) -> BTreeSet<String> {
    let path = |partition: &str| {
        let rest = partition.strip_prefix(SCHEME)?;
        // of a text of lines there is a mark too
        let parts = if rest.rsplit('|').next().is_some_and(|part| part.contains(':')) { 3 } else { 2 };
        rest.rsplitn(parts + 1, '|').last().map(str::to_owned)
    };
    let files = checkpoint.from(SCHEME).map(|(name, _)| name).take_while(|name| name.starts_with(SCHEME));
    files.filter_map(|name| path(name)).collect()
}

/// Stands for all versions of a file, as [`Checkpoint::forget`] takes it.
pub fn versions_of(path: &str) -> Arc<str> {
    format!("{SCHEME}{path}|").into()
}

/// By what a file is known up to some length; the checkpoint has one for each text file, which 64 bits of a hash tell from others.
fn mark(file: &File, bytes: u64) -> io::Result<Mark> {
    let mut mark = Mark::of(file, bytes)?;
    mark.tail.truncate(TAIL_DIGITS);
    Ok(mark)
}

/// The text files that were read.
#[derive(Default)]
pub struct Tails {
    by_number: BTreeMap<String, Tail>,
    /// Numbers of the files that were read under a name.
    numbers: BTreeMap<String, BTreeSet<String>>,
    /// Those that were read to an end in this run.
    ended: BTreeSet<String>,
    /// Names of other files, which are read from their beginning when they change.
    others: BTreeSet<String>,
    /// By number, since when those are under no name any more that a later file has the name of.
    outlived: BTreeMap<String, Instant>,
}

impl Tails {
    pub fn of(checkpoint: &Checkpoint) -> Tails {
        let mut tails = Tails::default();
        let files = checkpoint.from(SCHEME).take_while(|(name, _)| name.starts_with(SCHEME));
        files.filter_map(|(name, offset)| Tail::parse(name, offset)).for_each(|tail| tails.put(tail));
        tails
    }

    fn put(&mut self, tail: Tail) {
        let number = tail.mark.file.clone();
        self.numbers.entry(tail.version.path.clone()).or_default().insert(number.clone());
        self.by_number.insert(number, tail);
    }

    /// What was read under this number, whatever its name was, and under this name, whatever its number was: a file that was copied back
    /// has another.
    fn candidates<'a>(&'a self, version: &'a Version) -> impl Iterator<Item = &'a Tail> {
        let named = self.numbers.get(&version.path).into_iter().flatten();
        let numbers = Some(&version.number).into_iter().chain(named);
        let of_path = |tail: &&Tail| tail.version.path == version.path || tail.mark.file == version.number;
        numbers.filter_map(|number| self.by_number.get(number)).filter(of_path)
    }

    /// Whether nothing more is to be read of it.
    pub fn is_done(&self, version: &Version) -> bool {
        self.candidates(version).any(|tail| tail.is_done && tail.version.size == version.size)
    }

    /// What was read of a file, when it has that still: it was neither truncated nor replaced.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&self, version: &Version, file: &File) -> io::Result<Option<Tail>> {
        for tail in self.candidates(version) {
            if tail.mark.bytes <= version.size.bytes && mark(file, tail.mark.bytes)?.is_same(&tail.mark) {
                return Ok(Some(tail.clone()));
            }
        }
        Ok(None)
    }

    /// A file was read up to a line, from where `before` has it: its position, and the partitions that stand for less of it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn advance(
        &mut self,
        version: &Version,
        file: &File,
        to: LineEnd,
        before: Option<&Tail>,
        is_done: bool,
    ) -> io::Result<(Position, Tail, Vec<Arc<str>>)> {
        let mark = mark(file, to.offset)?;
        let number = mark.file.clone();
        let tail = Tail::new(version, mark, to.header, is_done);
        let offset = if is_done { Offset::End } else { Offset::at(to.offset) };
        let position = Position { partition: tail.partition.clone(), offset };
        let replaced = self.by_number.get(&number).map(|tail| tail.partition.clone());
        let forget = replaced.into_iter().chain(before.map(|tail| tail.partition.clone()));
        let forget = forget.filter(|partition| *partition != tail.partition).collect();
        if let Some(before) = before.filter(|before| before.mark.file != number) {
            self.by_number.remove(&before.mark.file);
        }
        self.put(tail.clone());
        Ok((position, tail, forget))
    }

    /// Whether what was read under a name is among the files with these numbers, under another name.
    pub fn is_elsewhere(&self, path: &str, numbers: &BTreeSet<String>) -> bool {
        self.numbers.get(path).is_some_and(|own| own.iter().any(|number| numbers.contains(number)))
    }

    /// Forgets what was read under a name.
    pub fn forget(&mut self, path: &str) {
        for number in self.numbers.remove(path).unwrap_or_default() {
            if self.by_number.get(&number).is_some_and(|tail| tail.version.path == path) {
                self.by_number.remove(&number);
                self.ended.remove(&number);
            }
        }
        self.others.remove(path);
    }

    /// Forgets what has been under no name for so long, while another file has the name that it was read under: of a log that is rotated there
    /// is one more each time. Gives the partitions.
    pub fn forget_outlived(&mut self, now: Instant, long: Duration, there: &BTreeSet<String>) -> Vec<Arc<str>> {
        let is_outlived = |(number, tail): &(&String, &Tail)| {
            let mut named = self.numbers.get(&tail.version.path).into_iter().flatten();
            !there.contains(*number) && named.any(|other| there.contains(other))
        };
        let all: BTreeSet<String> =
            self.by_number.iter().filter(is_outlived).map(|(number, _)| number.clone()).collect();
        self.outlived.retain(|number, _| all.contains(number));
        for number in all {
            self.outlived.entry(number).or_insert(now);
        }
        let over = self.outlived.extract_if(.., |_, since| now - *since >= long);
        let over: Vec<String> = over.map(|(number, _)| number).collect();
        over.iter().filter_map(|number| self.forget_number(number)).collect()
    }

    fn forget_number(&mut self, number: &str) -> Option<Arc<str>> {
        let tail = self.by_number.remove(number)?;
        if let Some(numbers) = self.numbers.get_mut(&tail.version.path) {
            numbers.remove(number);
        }
        self.ended.remove(number);
        Some(tail.partition)
    }

    /// Whether a file was read to its end for the first time.
    pub fn is_first_end(&mut self, version: &Version) -> bool {
        self.ended.insert(version.number.clone())
    }

    /// A file that cannot be gone on with is read; true when it was before, in another version.
    pub fn is_again(&mut self, version: &Version) -> bool {
        !self.others.insert(version.path.clone())
    }
}
