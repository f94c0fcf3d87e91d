//! Paths, globs and standard input → pieces of whole records, each with the position it brings its file to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::half_written::{self, is_half_written, is_of_lines};
use super::pipe::Pipe;
use super::tail::{Size, Tail, Tails, Version};
use super::{Event, Feed, Gone, PANICKED, Piece, layout, tail};
use crate::decode::{self, Counts, Input, Reader};
use crate::mark;
use crate::position::{Offset, Position};
use crate::table::{Origin, Reject};
use crate::wait;

/// Files up to this size are read whole, so that gzip can be inflated in one shot; larger ones are streamed.
const WHOLE_BYTES_MAX: u64 = 4 << 20;
/// How often `--follow` looks for new files.
const POLL: Duration = Duration::from_secs(1);
/// Looks for which `--follow` leaves a file alone that ends within a record and does not change.
const HALF_WRITTEN_LOOKS: u32 = 60;
/// After this time a file that was read and is not there any more is forgotten: a copy that comes back later is read again.
const GONE: Duration = Duration::from_secs(24 * 3600);
/// How often it is looked which these are.
const GONE_LOOK: Duration = Duration::from_secs(60);

/// One file to read.
#[derive(Clone, Debug)]
struct File {
    /// As shown to people; `-` is standard input.
    name: String,
    path: PathBuf,
    /// The most there can be of what is no regular file.
    bytes: u64,
    version: Version,
    extent: Extent,
}

/// How much of a file is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// All that there was when it was found,
    All,
    /// or of a text of lines, to which more is being written, those that are whole.
    Lines,
}

impl File {
    /// Not standard input, nor a pipe: these give what they have once.
    fn is_regular(&self) -> bool {
        self.bytes < u64::MAX
    }
}

/// What to read and how.
#[derive(Clone)]
pub struct Config {
    /// Paths of files or folders, globs, or `-`.
    pub from: Vec<String>,
    /// Never to read from, below a folder: the archive, and the files that the run writes.
    pub exclude: Vec<PathBuf>,
    /// Keep looking for new files.
    pub follow: bool,
    pub readers: usize,
}

impl Config {
    /// Whether standard input or a pipe is named.
    pub fn has_pipe(&self) -> bool {
        let is_pipe = |name: &str| fs::metadata(name).is_ok_and(|meta| meta.file_type().is_fifo());
        self.from.iter().any(|name| name == "-" || is_pipe(name))
    }
}

/// Starts reading.
///
/// Files that were read to their end before are passed over. A text of lines is gone on with behind what was read of it, also when more was
/// written to it since; any other file that was left in the middle is read again from its start, but only what lies behind its offset is
/// sent.
pub fn read(config: Config, feed: Feed) {
    let files =
        Arc::new(Files { tails: Mutex::new(Tails::of(&feed.resume)), follow: config.follow, ..Files::default() });
    for _ in 0..feed.decode.memory.threads(config.readers.max(1)) {
        let (files, feed) = (files.clone(), feed.clone());
        thread::spawn(move || {
            while let Some(file) = files.queue.take() {
                if feed.stop.is_cancelled() || guarded(&file.name, &feed, || read_file(&file, &files, &feed)).is_err() {
                    return;
                }
                files.queue.done(&file);
            }
        });
    }
    thread::spawn(move || list(&config, &files, &feed));
}

/// What the readers share.
#[derive(Default)]
struct Files {
    queue: Queue,
    tails: Mutex<Tails>,
    follow: bool,
    /// Names of those that could not be opened when that was last tried.
    shut: Mutex<BTreeSet<String>>,
}

impl Files {
    fn tails(&self) -> MutexGuard<'_, Tails> {
        self.tails.lock().expect("no reader panics while holding it")
    }

    /// A file could be opened: once it cannot any more, that is told.
    fn opened(&self, file: &File) {
        self.shut.lock().expect("no reader panics while holding it").remove(&file.version.path);
    }

    /// Has a file that could not be opened tried again at each look, since nothing of it changes when it may be read at last; true when
    /// that is to be told, which is the first time.
    fn not_opened(&self, file: &File, error: &io::Error) -> bool {
        // there is nothing to try again
        if !self.follow || error.kind() == io::ErrorKind::NotFound {
            return true;
        }
        self.queue.miss(file);
        self.shut.lock().expect("no reader panics while holding it").insert(file.version.path.clone())
    }
}

/// Reads a file. One that is read no further because of a bug is told of, and those behind it are read.
fn guarded(name: &str, feed: &Feed, read: impl FnOnce() -> Result<(), Gone>) -> Result<(), Gone> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| feed.blocking_send(Event::Unreadable { name: name.to_owned(), why: PANICKED.to_owned() }))
}

/// Files waiting to be read.
#[derive(Default)]
struct Queue {
    inside: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    files: VecDeque<File>,
    closed: bool,
    /// Numbers of the files that wait or are being read: another version of one is read behind it.
    busy: BTreeSet<String>,
    /// Names of those that were not there any more, or could not be opened.
    missed: Vec<String>,
}

impl Queue {
    fn inside(&self) -> MutexGuard<'_, Waiting> {
        self.inside.lock().expect("no reader panics while holding the queue")
    }

    fn put(&self, files: Vec<File>) {
        let mut inside = self.inside();
        inside.busy.extend(files.iter().map(|file| file.version.number.clone()));
        inside.files.extend(files);
        self.changed.notify_all();
    }

    fn close(&self) {
        self.inside().closed = true;
        self.changed.notify_all();
    }

    fn take(&self) -> Option<File> {
        let mut inside = self.inside();
        loop {
            match inside.files.pop_front() {
                Some(file) => return Some(file),
                None if inside.closed => return None,
                None => inside = self.changed.wait(inside).expect("no reader panics while holding the queue"),
            }
        }
    }

    fn is_busy(&self, file: &File) -> bool {
        self.inside().busy.contains(&file.version.number)
    }

    fn done(&self, file: &File) {
        self.inside().busy.remove(&file.version.number);
    }

    fn miss(&self, file: &File) {
        self.inside().missed.push(file.version.path.clone());
    }

    fn missed(&self) -> Vec<String> {
        std::mem::take(&mut self.inside().missed)
    }
}

/// Finds the files once, or again and again when following.
fn list(config: &Config, files: &Files, feed: &Feed) {
    let queue = &files.queue;
    let mut looks = Looks { follow: config.follow, read_before: tail::paths(&feed.resume), ..Looks::default() };
    let mut asked = wait::now();
    let mut complained = BTreeSet::new();
    let mut awaited = BTreeSet::new();
    loop {
        let mut found = Vec::new();
        let mut queued = BTreeSet::new();
        looks.missed(queue.missed());
        let asks_what_is_gone = config.follow && wait::now() - asked >= GONE_LOOK;
        let mut numbers = BTreeSet::new();
        for spec in &config.from {
            let mut any = false;
            expand(spec, &config.exclude, &mut |result| {
                any = true;
                match result {
                    Ok(file) => {
                        if asks_what_is_gone {
                            numbers.insert(file.version.number.clone());
                        }
                        let is_busy = queue.is_busy(&file) || queued.contains(&file.version.number);
                        if let Some(extent) = looks.wants(&file, config.follow && is_busy) {
                            queued.insert(file.version.number.clone());
                            found.push(File { extent, ..file });
                        }
                    }
                    Err((name, why)) => {
                        // when following, what is not there yet may still come
                        if config.follow && (why == NOTHING_THERE || why == NO_MATCH) {
                            if awaited.insert(name.clone()) {
                                tracing::warn!(from = name, "there is nothing yet: what comes will be read");
                            }
                        } else if complained.insert(name.clone()) {
                            let _ = feed.blocking_send(Event::Unreadable { name, why });
                        }
                    }
                }
            });
            if !any && !config.follow {
                tracing::warn!(folder = spec, "there is nothing to read in a folder");
            }
        }
        looks.end();
        if asks_what_is_gone {
            asked = wait::now();
            let gone = looks.gone(asked, |name| files.tails().is_elsewhere(name, &numbers));
            gone.iter().for_each(|name| files.tails().forget(name));
            let outlived = files.tails().forget_outlived(asked, GONE, &numbers);
            let forget: Vec<Arc<str>> = gone.iter().map(|name| tail::versions_of(name)).chain(outlived).collect();
            if !forget.is_empty() {
                let _ = feed.blocking_send(Event::Piece(Piece { forget, ..Piece::default() }));
            }
        }
        // by their names one account's year would come before the next one's, whose rows would be late by then
        found.sort_by_cached_key(|file| layout::delivered(&file.name));
        queue.put(found);
        // standard input is taken once, and who follows nothing else is done at its end
        let is_over = config.from.iter().all(|from| from == "-") && looks.taken.contains_key("-");
        if !config.follow || is_over || feed.stop.is_cancelled() {
            break;
        }
        thread::sleep(POLL);
        if feed.stop.is_cancelled() {
            break;
        }
    }
    queue.close();
}

/// What was seen of the files, by their names, and what was taken of them.
///
/// When following, a file is taken once its size and time of change have stayed the same between two looks; one that ends within a
/// record may still be written to, and is taken a minute later. Of one that is made of lines, those that are whole are taken before.
#[derive(Default)]
struct Looks {
    follow: bool,
    before: BTreeMap<String, Size>,
    now: BTreeMap<String, Size>,
    taken: BTreeMap<String, (Size, Extent)>,
    /// For how many looks a file has ended within a record.
    begun: BTreeMap<String, (Size, u32)>,
    /// Names of those that earlier runs read.
    read_before: BTreeSet<String>,
    /// Since when files that were read are not there any more.
    absent: BTreeMap<String, Instant>,
}

impl Looks {
    /// How much of a file is to be read now, if anything; nothing more is while it is busy.
    fn wants(&mut self, file: &File, is_busy: bool) -> Option<Extent> {
        let (name, size) = (file.version.path.clone(), file.version.size);
        self.now.insert(name.clone(), size);
        let taken = self.taken.get(&name).filter(|(taken, _)| *taken == size).map(|(_, extent)| *extent);
        if is_busy || taken == Some(Extent::All) {
            return None;
        }
        let wanted = match self.before.get(&name).copied() {
            _ if !self.follow => Extent::All,
            Some(before) if before == size && !self.is_begun(file) => Extent::All,
            Some(_) if taken.is_none() && has_lines(file) => Extent::Lines,
            _ => return None,
        };
        self.taken.insert(name, (size, wanted));
        Some(wanted)
    }

    /// Whether a file ends within a record, for as long as it is worth to wait for the rest.
    fn is_begun(&mut self, file: &File) -> bool {
        let (name, size) = (&file.version.path, file.version.size);
        // a file that cannot be read is told of when it is read
        let half = || is_half_written(&fs::File::open(&file.path)?);
        if !file.is_regular() || !half().unwrap_or(false) {
            self.begun.remove(name);
            return false;
        }
        let (seen, count) = self.begun.entry(name.clone()).or_insert((size, 0));
        if *seen != size {
            (*seen, *count) = (size, 0);
        }
        *count += 1;
        *count <= HALF_WRITTEN_LOOKS
    }

    fn missed(&mut self, names: Vec<String>) {
        for name in names {
            self.taken.remove(&name);
        }
    }

    /// All files were looked at.
    fn end(&mut self) {
        self.before = std::mem::take(&mut self.now);
        self.begun.retain(|name, _| self.before.contains_key(name));
    }

    /// Names of the files that were read and have not been there for [`GONE`], and are forgotten with that: a run that goes on for ever would
    /// remember each file that ever was. Where nothing is found in the folder that they were in, or, where that is gone, in the one above, it may
    /// be one that is not mounted now, and they stay known; so do those that are there under another name.
    fn gone(&mut self, now: Instant, is_elsewhere: impl Fn(&str) -> bool) -> Vec<String> {
        let there = &self.before;
        self.absent.retain(|name, _| !there.contains_key(name));
        for name in self.taken.keys().chain(&self.read_before).filter(|name| !there.contains_key(*name)) {
            self.absent.entry(name.clone()).or_insert(now);
        }
        let has_neighbors = |name: &str| {
            let folder = Path::new(name).ancestors().skip(1).find(|folder| folder.is_dir());
            let below = folder.map(|folder| folder.join("").display().to_string());
            below.is_some_and(|below| {
                there.range(below.clone()..).next().is_some_and(|(name, _)| name.starts_with(&below))
            })
        };
        let absent = self.absent.iter().filter(|(_, since)| now - **since >= GONE).map(|(name, _)| name);
        let gone: Vec<String> = absent.filter(|name| has_neighbors(name) && !is_elsewhere(name)).cloned().collect();
        for name in &gone {
            self.absent.remove(name);
            self.taken.remove(name);
            self.read_before.remove(name);
        }
        gone
    }
}

/// Whether a file is made of lines, of which one is whole.
fn has_lines(file: &File) -> bool {
    let lines = || is_of_lines(&fs::File::open(&file.path)?);
    file.is_regular() && lines().unwrap_or(false)
}

const NOTHING_THERE: &str = "no such file or folder";
const NO_MATCH: &str = "no file matches";
const NO_FILE: &str = "neither a file nor a folder";

type Found<'a> = dyn FnMut(Result<File, (String, String)>) + 'a;

/// Names every file that a path, folder or glob stands for, in the order of their names.
fn expand(spec: &str, exclude: &[PathBuf], found: &mut Found<'_>) {
    if spec == "-" {
        let version = Version { path: "-".into(), number: "-".into(), ..Version::default() };
        return found(Ok(File { name: "-".into(), path: "-".into(), bytes: u64::MAX, version, extent: Extent::All }));
    }
    let path = Path::new(spec);
    if path.exists() {
        return walk(path, exclude, found);
    }
    match glob::glob(spec) {
        Ok(paths) if spec.contains(['*', '?', '[']) => {
            let mut any = false;
            for path in paths {
                any = true;
                match path {
                    Ok(path) if exclude.iter().any(|exclude| path.is_file() && same(&path, exclude)) => {}
                    Ok(path) => walk(&path, exclude, found),
                    Err(error) => found(Err((error.path().display().to_string(), error.error().to_string()))),
                }
            }
            if !any {
                found(Err((spec.to_owned(), NO_MATCH.to_owned())));
            }
        }
        _ => found(Err((spec.to_owned(), NOTHING_THERE.to_owned()))),
    }
}

/// A file itself, or every file below a folder; names that begin with a dot, archives of ours, and what else is to be
/// excluded, are passed over.
fn walk(path: &Path, exclude: &[PathBuf], found: &mut Found<'_>) {
    let entries =
        walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter().filter_entry(|entry| {
            let hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
            let is_dir = entry.file_type().is_dir();
            let archive = is_dir && entry.path().join("_weir").is_dir();
            let named = |exclude: &Path| is_dir || entry.depth() > 0 && exclude.file_name() == Some(entry.file_name());
            let excluded = exclude.iter().any(|exclude| named(exclude) && same(entry.path(), exclude));
            !hidden && !archive && !excluded
        });
    for entry in entries {
        let described = entry.map_err(|error| {
            let name = error.path().unwrap_or(path).display().to_string();
            (name, error.io_error().map_or_else(|| error.to_string(), io::Error::to_string))
        });
        match described {
            Ok(entry) if entry.file_type().is_dir() => {}
            // to open a pipe may take for ever: it is done for who names it
            Ok(entry) if entry.depth() > 0 && !entry.file_type().is_file() => {
                found(Err((entry.path().display().to_string(), NO_FILE.to_owned())));
            }
            Ok(entry) => found(describe(entry.path())),
            Err(error) => found(Err(error)),
        }
    }
}

/// Whether two paths lead to the same file or folder, also as links.
pub fn same(a: &Path, b: &Path) -> bool {
    let number = |path: &Path| fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
    number(a).is_some_and(|a| number(b) == Some(a))
}

fn describe(path: &Path) -> Result<File, (String, String)> {
    let name = path.display().to_string();
    let meta = fs::metadata(path).map_err(|error| (name.clone(), error.to_string()))?;
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let version = Version { path: whole.display().to_string(), size: Size::of(&meta), number: mark::number(&meta) };
    let bytes = if meta.is_file() { meta.len() } else { u64::MAX };
    Ok(File { name, path: path.to_owned(), bytes, version, extent: Extent::All })
}

/// Reads one file to the end of what is wanted of it, or to the first error.
fn read_file(file: &File, files: &Files, feed: &Feed) -> Result<(), Gone> {
    let persistent = file.is_regular();
    let partition: Arc<str> = file.version.partition().into();
    if persistent && (feed.resume.is_done(&partition) || files.tails().is_done(&file.version)) {
        return feed.blocking_send(Event::AlreadyRead);
    }
    let done: u64 = match feed.resume.0.get(&partition) {
        Some(Offset::At(digits)) if persistent => digits.parse().unwrap_or(0),
        _ => 0,
    };
    let unreadable = |error: io::Error| Event::Unreadable { name: file.name.clone(), why: error.to_string() };
    let Opened { mut reader, handle, mut tail, mut cut } = match open(file, files, &feed.decode, &feed.stop) {
        Ok(Some(opened)) => opened,
        Ok(None) => {
            files.queue.miss(file);
            return Ok(());
        }
        Err(error) if files.not_opened(file, &error) => return feed.blocking_send(unreadable(error)),
        Err(_) => return Ok(()),
    };
    files.opened(file);
    let mut read_before = tail.as_ref().map_or(0, Tail::bytes);
    let mut inflated = 0;
    let mut stopped = false;
    loop {
        // of a pipe, which cannot be gone on with, what has come is handed on once more
        if feed.stop.is_cancelled() && (handle.is_some() || std::mem::replace(&mut stopped, true)) {
            return Ok(());
        }
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        if let Some(cut) = cut.take() {
            let tally = counts.of("");
            (tally.records, tally.rejects) = (tally.records + 1, tally.rejects + 1);
            rejects.push(cut);
        }
        let next = match reader.next(&mut rejects, &mut counts) {
            Ok(next) => next,
            Err(error) => return feed.blocking_send(unreadable(error)),
        };
        if next.is_none() && reader.is_paused() {
            continue;
        }
        let end = next.is_none();
        if end && file.extent == Extent::Lines {
            return Ok(());
        }
        if !end && next.as_ref().is_some_and(|records| records.end() <= done) {
            continue;
        }
        inflated += next.as_ref().map_or(0, |records| records.bytes_len() as u64);
        let line_end = reader.line_end().or(tail.as_ref().map(Tail::line_end));
        let (position, forget) = match (&handle, line_end) {
            (None, _) => (None, Vec::new()),
            (Some(handle), Some(to)) => {
                let advanced = files.tails().advance(&file.version, handle, to, tail.as_ref(), end);
                match advanced {
                    Ok((position, now, forget)) => {
                        tail = Some(now);
                        (Some(position), forget)
                    }
                    Err(error) => return feed.blocking_send(unreadable(error)),
                }
            }
            (Some(_), None) => {
                let offset = next.as_ref().map_or(Offset::End, |records| Offset::at(records.end()));
                (Some(Position { partition: partition.clone(), offset }), Vec::new())
            }
        };
        let read = match (&handle, &tail) {
            (None, _) => inflated,
            (Some(_), Some(tail)) if !end => tail.bytes(),
            // Parquet is not read from front to back
            (Some(handle), None) if !end => (&mut &*handle).stream_position().unwrap_or(0),
            (Some(_), _) => file.bytes,
        };
        let read = read.min(file.bytes).max(read_before);
        let is_first_end = end && (tail.is_none() || files.tails().is_first_end(&file.version));
        if end && persistent && file.bytes > 0 && tail.is_none() && files.tails().is_again(&file.version) {
            tracing::warn!(
                file = %file.path.display(),
                "it has changed since it was read, and was read again from its beginning: rows of tables without an id are there \
                 twice then, since it is compressed, or a document and no lines that are appended to"
            );
        }
        feed.blocking_send(Event::Piece(Piece {
            records: next.into_iter().collect(),
            rejects,
            counts,
            position,
            forget,
            read_bytes: read - read_before,
            ended: is_first_end,
            ..Piece::default()
        }))?;
        read_before = read;
        if end {
            return match reader.broken() {
                Some(why) => feed.blocking_send(Event::Unreadable { name: file.name.clone(), why: why.to_owned() }),
                None => Ok(()),
            };
        }
    }
}

/// What a file is read from.
struct Opened {
    reader: Reader,
    /// That of a regular file.
    handle: Option<fs::File>,
    /// What was read of it before.
    tail: Option<Tail>,
    /// A line of which the beginning was read before, as if it were all.
    cut: Option<Reject>,
}

const WAS_CUT: &str =
    "the line that begins so had no end when it was read: the row of its beginning stays, and all of it is read now";

/// Opens a file behind what was read of it; `None` when another has its name by now, or it is not of lines any more, and it will be found
/// again.
fn open(file: &File, files: &Files, options: &decode::Options, stop: &CancellationToken) -> io::Result<Option<Opened>> {
    let origin = Arc::new(Origin::from_name(&file.name));
    let start = |input: Input, handle: Option<fs::File>| {
        Ok(Some(Opened { reader: decode::open(input, origin.clone(), options), handle, tail: None, cut: None }))
    };
    if file.name == "-" {
        return start(Input::Stream(Box::new(Pipe::standard_input(stop.clone())?)), None);
    }
    // to open a pipe that nobody writes into would hold up a run that is to stop
    let flags = if file.is_regular() { 0 } else { libc::O_NONBLOCK };
    let mut handle = fs::OpenOptions::new().read(true).custom_flags(flags).open(&file.path)?;
    if !file.is_regular() {
        // a pipe, as of `<(zcat flow.log.gz)`, cannot be sought
        return start(Input::Stream(Box::new(Pipe::new(handle, stop.clone()))), None);
    }
    // some file systems number a file anew when it is looked at again
    let meta = handle.metadata()?;
    let is_other = files.follow && mark::number(&meta) != file.version.number && Size::of(&meta) != file.version.size;
    if is_other || (file.extent == Extent::Lines && !is_of_lines(&handle)?) {
        return Ok(None);
    }
    let tail = files.tails().find(&file.version, &handle)?;
    let opened = if let Some(tail) = tail {
        let before = tail.before(&handle)?;
        let mut rest = handle.try_clone()?;
        rest.seek(SeekFrom::Start(before.offset))?;
        let rest = rest.take(file.bytes - before.offset);
        let cut = half_written::read(&handle, before.offset, tail.bytes() - before.offset)?;
        let cut = (!cut.is_empty()).then(|| Reject::new(&origin, before.offset, "", WAS_CUT, &cut));
        let reader = decode::go_on(Box::new(rest), before, origin, options)?;
        Some(Opened { reader, handle: Some(handle), tail: Some(tail), cut })
    } else if file.bytes <= WHOLE_BYTES_MAX {
        // with room for the padding, so that a file that is not compressed is parsed where it was read to
        let mut bytes = Vec::with_capacity(file.bytes as usize + decode::PADDING + 1);
        (&mut handle).take(file.bytes).read_to_end(&mut bytes)?;
        start(Input::Bytes(Bytes::from(bytes)), Some(handle))?
    } else if half_written::read(&handle, 0, 4)? == b"PAR1" {
        start(Input::File(handle.try_clone()?), Some(handle))?
    } else {
        start(Input::Stream(Box::new(handle.try_clone()?.take(file.bytes))), Some(handle))?
    };
    Ok(opened.map(|opened| match file.extent {
        Extent::All => opened,
        Extent::Lines => Opened { reader: opened.reader.growing(), ..opened },
    }))
}

#[cfg(test)]
mod tests;
