//! Paths, globs and standard input → pieces of whole records, each with the position it brings its file to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::half_written::{self, is_half_written, is_of_lines};
use super::tail::{Size, Tail, Tails, Version};
use super::{Event, Feed, Gone, PANICKED, Piece, layout};
use crate::decode::{self, Counts, Input, Reader};
use crate::mark;
use crate::position::{Offset, Position};
use crate::table::Origin;

/// Files up to this size are read whole, so that gzip can be inflated in one shot; larger ones are streamed.
const WHOLE_BYTES_MAX: u64 = 4 << 20;
/// How often `--follow` looks for new files.
const POLL: Duration = Duration::from_secs(1);
/// Looks for which `--follow` leaves a file alone that ends within a record and does not change.
const HALF_WRITTEN_LOOKS: u32 = 60;

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

/// Starts reading.
///
/// Files that were read to their end before are passed over. A text of lines is gone on with behind what was read of it, also when more was
/// written to it since; any other file that was left in the middle is read again from its start, but only what lies behind its offset is
/// sent.
pub fn read(config: Config, feed: Feed) {
    let files =
        Arc::new(Files { queue: Queue::default(), tails: Mutex::new(Tails::of(&feed.resume)), follow: config.follow });
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
    thread::spawn(move || list(&config, &files.queue, &feed));
}

/// What the readers share.
struct Files {
    queue: Queue,
    tails: Mutex<Tails>,
    follow: bool,
}

impl Files {
    fn tails(&self) -> MutexGuard<'_, Tails> {
        self.tails.lock().expect("no reader panics while holding it")
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
    /// Names of those that were not there any more.
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
fn list(config: &Config, queue: &Queue, feed: &Feed) {
    let mut looks = Looks { follow: config.follow, ..Looks::default() };
    let mut complained = BTreeSet::new();
    let mut awaited = BTreeSet::new();
    loop {
        let mut found = Vec::new();
        let mut queued = BTreeSet::new();
        looks.missed(queue.missed());
        for spec in &config.from {
            let mut any = false;
            expand(spec, &config.exclude, &mut |result| {
                any = true;
                match result {
                    Ok(file) => {
                        let is_busy = queue.is_busy(&file) || queued.contains(&file.version.number);
                        if let Some(extent) = looks.wants(&file, config.follow && is_busy) {
                            queued.insert(file.version.number.clone());
                            found.push(File { extent, ..file });
                        }
                    }
                    Err((name, why)) => {
                        // when following, what is not there yet may still come
                        if config.follow && why == NOTHING_THERE {
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
        // by their names one account's year would come before the next one's, whose rows would be late by then
        found.sort_by_cached_key(|file| layout::delivered(&file.name));
        queue.put(found);
        if !config.follow || feed.stop.is_cancelled() {
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
}

/// Whether a file is made of lines, of which one is whole.
fn has_lines(file: &File) -> bool {
    let lines = || is_of_lines(&fs::File::open(&file.path)?);
    file.is_regular() && lines().unwrap_or(false)
}

const NOTHING_THERE: &str = "no such file or folder";
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
                found(Err((spec.to_owned(), "no file matches".to_owned())));
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
    let Opened { mut reader, handle, mut tail } = match open(file, files, &feed.decode) {
        Ok(Some(opened)) => opened,
        Ok(None) => {
            files.queue.miss(file);
            return Ok(());
        }
        Err(error) => return feed.blocking_send(unreadable(error)),
    };
    let mut read_before = tail.as_ref().map_or(0, Tail::bytes);
    let mut inflated = 0;
    loop {
        if feed.stop.is_cancelled() {
            return Ok(());
        }
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let next = match reader.next(&mut rejects, &mut counts) {
            Ok(next) => next,
            Err(error) => return feed.blocking_send(unreadable(error)),
        };
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
}

/// Opens a file behind what was read of it; `None` when another has its name by now, or it is not of lines any more, and it will be found
/// again.
fn open(file: &File, files: &Files, options: &decode::Options) -> io::Result<Option<Opened>> {
    let origin = Arc::new(Origin::from_name(&file.name));
    let start = |input: Input, handle: Option<fs::File>| {
        Ok(Some(Opened { reader: decode::open(input, origin.clone(), options), handle, tail: None }))
    };
    if file.name == "-" {
        return start(Input::Stream(Box::new(io::stdin())), None);
    }
    let mut handle = fs::File::open(&file.path)?;
    if !file.is_regular() {
        // a pipe, as of `<(zcat flow.log.gz)`, cannot be sought
        return start(Input::Stream(Box::new(handle)), None);
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
        rest.seek(SeekFrom::Start(tail.bytes()))?;
        let rest = rest.take(file.bytes - tail.bytes());
        let reader = decode::go_on(Box::new(rest), before, origin, options)?;
        Some(Opened { reader, handle: Some(handle), tail: Some(tail) })
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
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::decode::Body;
    use crate::position::Checkpoint;

    fn names(spec: &str, exclude: &[PathBuf]) -> (Vec<String>, Vec<String>) {
        let (mut files, mut errors) = (Vec::new(), Vec::new());
        expand(spec, exclude, &mut |result| match result {
            Ok(file) => files.push(Path::new(&file.name).file_name().unwrap().to_string_lossy().into_owned()),
            Err((_, why)) => errors.push(why),
        });
        (files, errors)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_a_reader_panics_over_is_told_of() {
        let none = tokio::sync::watch::channel(Arc::default()).1;
        let stop = tokio_util::sync::CancellationToken::new();
        let (feed, mut events) = super::super::queue(decode::Options::default(), Arc::default(), none, stop);
        let reading = thread::spawn(move || {
            let first = guarded("a.json", &feed, || panic!("as the test wants it"));
            (first.is_ok(), guarded("b.json", &feed, || feed.blocking_send(Event::AlreadyRead)).is_ok())
        });
        let Some(Event::Unreadable { name, why }) = events.next().await else { panic!("nothing is told") };
        assert_eq!((&*name, &*why), ("a.json", PANICKED));
        assert!(matches!(events.next().await, Some(Event::AlreadyRead)));
        assert!(events.next().await.is_none());
        assert_eq!(reading.join().unwrap(), (true, true));
    }

    #[test]
    fn a_folder_gives_its_files_but_neither_hidden_ones_nor_an_archive() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["b.gz", "a.json", ".hidden", "sub/c.log", "out/_weir/state", "out/x.parquet", "kept/y.parquet"] {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let all = dir.path().to_string_lossy().into_owned();
        assert_eq!(names(&all, &[]).0, ["a.json", "b.gz", "y.parquet", "c.log"]);
        assert_eq!(names(&all, &[dir.path().join("kept"), dir.path().join("b.gz")]).0, ["a.json", "c.log"]);
        assert_eq!(names(&format!("{all}/b.gz"), &[dir.path().join("b.gz")]).0, ["b.gz"]);
        assert_eq!(names(&format!("{all}/*.json"), &[]).0, ["a.json"]);
        assert_eq!(names(&format!("{all}/*.none"), &[]).1, ["no file matches"]);
        assert_eq!(names(&format!("{all}/nothing"), &[]).1, [NOTHING_THERE]);
    }

    #[tokio::test]
    async fn what_was_delivered_first_is_read_first_whoever_it_is_of() {
        let dir = tempfile::tempdir().unwrap();
        for file in [
            "1/CloudTrail/us-east-1/2024/08/02/b",
            "1/CloudTrail/us-east-1/2024/08/01/c",
            "2/CloudTrail/eu-west-1/2024/08/01/a",
            "z",
        ] {
            let path = dir.path().join(if file == "z" { file.into() } else { format!("AWSLogs/11112222333{file}") });
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let none = tokio::sync::watch::channel(Arc::default()).1;
        let stop = tokio_util::sync::CancellationToken::new();
        let (feed, _events) = super::super::queue(decode::Options::default(), Arc::default(), none, stop);
        let from = vec![dir.path().to_string_lossy().into_owned()];
        let queue = Queue::default();
        list(&Config { from, exclude: Vec::new(), follow: false, readers: 1 }, &queue, &feed);
        let ends = std::iter::from_fn(|| queue.take()).map(|file| file.name[file.name.len() - 1..].to_owned());
        assert_eq!(ends.collect::<String>(), "zcab");
    }

    #[test]
    fn what_is_no_file_is_told_of_in_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        let all = dir.path().to_string_lossy().into_owned();
        assert_eq!(names(&all, &[]), (vec!["a".to_owned()], vec![NO_FILE.to_owned()]));
    }

    #[test]
    fn a_pipe_is_read_as_it_comes_and_is_no_partition() {
        let (from, mut to) = io::pipe().unwrap();
        to.write_all(b"x").unwrap();
        drop(to);
        let file = describe(Path::new(&format!("/proc/self/fd/{}", from.as_raw_fd()))).unwrap();
        assert!(!file.is_regular());
        let files = Files { queue: Queue::default(), tails: Mutex::default(), follow: false };
        let mut opened = open(&file, &files, &decode::Options::default()).unwrap().unwrap();
        assert!(opened.handle.is_none(), "it cannot be sought");
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        assert!(opened.reader.next(&mut rejects, &mut counts).unwrap().is_none());
        assert_eq!(rejects[0].bytes, b"x");
    }

    #[test]
    fn for_the_rest_of_a_record_it_waits_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut looks = Looks { follow: true, ..Looks::default() };
        let mut wants = |text: Option<&str>| {
            text.into_iter().for_each(|text| fs::write(&path, text).unwrap());
            let wanted = looks.wants(&describe(&path).unwrap(), false);
            looks.end();
            wanted
        };
        assert_eq!((wants(Some("{\"a\":")), wants(None)), (None, None));
        assert_eq!((wants(Some("{\"a\":1}")), wants(None)), (None, Some(Extent::All)));
        assert_eq!(wants(Some("{\"a\": ")), None);
        let waited = (0..100).take_while(|_| wants(None).is_none()).count();
        assert_eq!(waited, 60);
        // of lines those that are whole are taken before
        assert_eq!(wants(Some("{\"a\":1}\n{\"a\":")), Some(Extent::Lines));
        assert_eq!((0..100).take_while(|_| wants(None).is_none()).count(), 60);
        assert_eq!(wants(None), None);
        assert_eq!((wants(Some("{\"a\":1}\n{\"a\":2}\n")), wants(None)), (Some(Extent::Lines), Some(Extent::All)));
    }

    /// What a run reads.
    #[derive(Debug, Default)]
    struct Found {
        /// The header and the text of each piece.
        texts: Vec<(String, String)>,
        rejects: usize,
        unreadable: Vec<String>,
        ended: usize,
        already: usize,
        done: Checkpoint,
    }

    impl Found {
        fn all(&self) -> String {
            self.texts.iter().map(|(_, text)| text.as_str()).collect()
        }

        fn add(&mut self, event: Event) {
            match event {
                Event::Piece(piece) => {
                    for records in piece.records {
                        let (header, text) = match records.body {
                            Body::Lines(lines) => (lines.format.unwrap_or_default(), lines.text),
                            Body::Json(json) => (Arc::default(), json.text),
                            Body::Parquet(_) => panic!("there is none"),
                        };
                        let text = String::from_utf8_lossy(text.as_slice()).into_owned();
                        self.texts.push((header.to_string(), text));
                    }
                    self.rejects += piece.rejects.len();
                    self.ended += usize::from(piece.ended);
                    piece.position.into_iter().for_each(|position| self.done.advance(position));
                    piece.forget.iter().for_each(|name| self.done.forget(name));
                }
                Event::AlreadyRead => self.already += 1,
                Event::Unreadable { why, .. } => self.unreadable.push(why),
                Event::Reached { .. } => {}
            }
        }
    }

    /// Reads what is new, of it only some pieces.
    async fn read_some(path: &Path, done: &Checkpoint, pieces: usize) -> Found {
        let none = tokio::sync::watch::channel(Arc::default()).1;
        let stop = tokio_util::sync::CancellationToken::new();
        let resume = Arc::new(done.clone());
        let (feed, mut events) = super::super::queue(decode::Options::default(), resume, none, stop);
        let from = vec![path.display().to_string()];
        read(Config { from, exclude: Vec::new(), follow: false, readers: 1 }, feed);
        let mut found = Found { done: done.clone(), ..Found::default() };
        for _ in 0..pieces {
            let Some(event) = events.next().await else { break };
            found.add(event);
        }
        found
    }

    async fn read_new(path: &Path, done: &Checkpoint) -> Found {
        read_some(path, done, usize::MAX).await
    }

    fn append(path: &Path, text: &str) {
        fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    const FIELDS: &str = "account-id interface-id srcaddr dstaddr";
    const OTHER_FIELDS: &str = "version vpc-id srcaddr";

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_text_that_grows_what_is_appended_is_read_as_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let fields = &format!("{FIELDS}\n");
        let others = &format!("{fields}1 eni-1 10.0.0.1 10.0.0.2\n{OTHER_FIELDS}\n");
        let csv = "eventVersion,eventID,eventName,eventSource,awsRegion,eventTime";
        for (header, first, second, third) in [
            (FIELDS, &format!("{fields}1 eni-1 10.0.0.1 10.0.0.2\n")[..], "2 eni-2 10.0.0.1 10.0.0.2\n", "3 eni-3 - -"),
            (FIELDS, fields, "2 eni-2 10.0.0.1 10.0.0.2\n", "\n"),
            (OTHER_FIELDS, &format!("{others}2 vpc-1 10.0.0.1\n"), "2 vpc-2 10.0.0.1\n", "2 vpc-3 10.0.0.1\n"),
            (OTHER_FIELDS, others, "2 vpc-2 10.0.0.1\n", "2 vpc-3 10.0.0.1\n"),
            ("", "24/08/01 12:00:00 INFO A: a\n", "\tat b.C\n24/08/01 12:00:01 INFO A: b\n", "more\n"),
            ("", "{\"eventVersion\":\"1\"}\n", "{\"eventVersion\":\"2\"}\n{\"eventVersion\":\"3\"}", "\n{}\n"),
            (csv, &format!("{csv}\n1,a,b,c,d,e\n"), "1,f,\"g\nh\",i,j,k\n", "1,l,m,n,o,p\n"),
        ] {
            fs::write(&path, first).unwrap();
            let mut found = read_new(&path, &Checkpoint::default()).await;
            assert_eq!(found.rejects, 0, "{first}");
            for appended in [second, third] {
                append(&path, appended);
                found = read_new(&path, &found.done).await;
                assert_eq!(found.texts, [(header.to_owned(), appended.to_owned())], "{first}");
                assert_eq!((found.ended, found.done.0.len()), (1, 1), "{:?}", found.done);
            }
            let again = read_new(&path, &found.done).await;
            assert_eq!((again.texts.len(), again.already, again.done), (0, 1, found.done));
            fs::remove_file(&path).unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_line_of_json_that_is_begun_is_read_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "{\"eventVersion\":\"1\"}\n{\"eventVer").unwrap();
        let found = read_new(&path, &Checkpoint::default()).await;
        assert_eq!(read_new(&path, &found.done).await.already, 1);
        append(&path, "sion\":\"2\"}\n");
        assert_eq!(read_new(&path, &found.done).await.all(), "{\"eventVersion\":\"2\"}\n");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_truncated_or_replaced_or_no_text_of_lines_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let rows = |number: usize| "1 eni-1 10.0.0.1 10.0.0.2\n".repeat(number);
        let zipped = |text: &str| {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(text.as_bytes()).unwrap();
            gzip.finish().unwrap()
        };
        let records = |number: usize| format!("{{\"Records\":[{}]}}", vec!["{}"; number].join(","));
        for (first, second) in [
            (format!("{FIELDS}\n{}", rows(9)).into_bytes(), format!("{FIELDS}\n{}", rows(3)).into_bytes()),
            (format!("{FIELDS}\n{}", rows(9)).into_bytes(), format!("{OTHER_FIELDS}\n{}", rows(12)).into_bytes()),
            (zipped(&format!("{FIELDS}\n{}", rows(1))), zipped(&format!("{FIELDS}\n{}", rows(2)))),
            (records(1).into_bytes(), records(2).into_bytes()),
            (records(1).into_bytes(), [records(1), records(1)].join("\n").into_bytes()),
            (b"{\n\"a\":1\n}\n".to_vec(), b"{\n\"a\":1\n}\n{\n\"a\":2\n}\n".to_vec()),
            (b"what is this\n".to_vec(), b"what is this\n24/08/01 12:00:00 INFO A: a\n".to_vec()),
        ] {
            fs::write(&path, &first).unwrap();
            let found = read_new(&path, &Checkpoint::default()).await;
            fs::write(&path, &second).unwrap();
            let again = read_new(&path, &found.done).await;
            let alone = read_new(&path, &Checkpoint::default()).await;
            assert!(!alone.texts.is_empty());
            assert_eq!(again.texts, alone.texts, "{}", String::from_utf8_lossy(&first));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_ends_before_its_end_is_told_of_and_read_up_to_there() {
        let dir = tempfile::tempdir().unwrap();
        let lines: String = (0..2000).map(|number| format!("24/08/01 12:00:00 INFO A: {number}\n")).collect();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(lines.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let cut_off = "the compressed data is cut off at its end";
        let unknown = "compressed with bzip2: decompress it, or use gzip or zstd";
        for (bytes, why, has_lines) in [
            (&gzip[..], None, true),
            (&gzip[..gzip.len() / 2], Some(cut_off), true),
            (b"BZh91AY&SY", Some(unknown), false),
            // a file beside the logs
            (b"how to read these", None, false),
        ] {
            fs::write(dir.path().join("a"), bytes).unwrap();
            let found = read_new(dir.path(), &Checkpoint::default()).await;
            assert_eq!(found.unreadable, Vec::from_iter(why));
            assert_eq!((found.all().starts_with("24/08/01 12:00:00 INFO A: 0\n"), found.ended), (has_lines, 1));
            assert_eq!(found.rejects, usize::from(bytes.len() != gzip.len()));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_text_that_is_renamed_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let [path, away] = ["a.log", "a.log.1"].map(|name| dir.path().join(name));
        let line = |number: u32| format!("24/08/01 12:00:00 INFO A: {number}\n");
        fs::write(&path, line(1)).unwrap();
        let found = read_new(dir.path(), &Checkpoint::default()).await;
        append(&path, &line(2));
        fs::rename(&path, &away).unwrap();
        fs::write(&path, line(3)).unwrap();
        let found = read_new(dir.path(), &found.done).await;
        assert_eq!(found.all(), [line(3), line(2)].concat());
        // also when nothing is appended, and when it is copied back
        fs::rename(&path, dir.path().join("b")).unwrap();
        let found = read_new(dir.path(), &found.done).await;
        assert_eq!((found.all(), found.already, found.done.0.len()), (String::new(), 2, 2));
        fs::copy(&away, dir.path().join("c")).unwrap();
        fs::rename(dir.path().join("c"), &away).unwrap();
        append(&away, &line(4));
        let found = read_new(dir.path(), &found.done).await;
        assert_eq!((found.all(), found.done.0.len()), (line(4), 2));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_crash_in_the_middle_of_a_text_doubles_no_line_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let lines = |from: u32, to: u32| -> String {
            (from..to).map(|number| format!("{number} eni-1 10.0.0.1 {}\n", "x".repeat(80))).collect()
        };
        let whole = lines(0, 60_000);
        fs::write(&path, format!("{FIELDS}\n{}", &whole)).unwrap();
        let begun = read_some(&path, &Checkpoint::default(), 2).await;
        assert_eq!((begun.texts.len(), begun.ended, begun.done.0.len()), (2, 0, 1));
        let unchanged = read_new(&path, &begun.done).await;
        assert_eq!(begun.all() + &unchanged.all(), whole);
        append(&path, &lines(60_000, 60_001));
        let rest = read_new(&path, &begun.done).await;
        assert!(begun.all() + &rest.all() == lines(0, 60_001));
        assert!(rest.texts.iter().all(|(header, _)| header == FIELDS));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn following_reads_whole_lines_while_they_are_written_and_each_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let none = tokio::sync::watch::channel(Arc::default()).1;
        let stop = tokio_util::sync::CancellationToken::new();
        let (feed, mut events) = super::super::queue(decode::Options::default(), Arc::default(), none, stop.clone());
        let from = vec![dir.path().display().to_string()];
        read(Config { from, exclude: Vec::new(), follow: true, readers: 2 }, feed);
        let writing = path.clone();
        let writer = thread::spawn(move || {
            fs::write(&writing, format!("{FIELDS}\n")).unwrap();
            for number in 0..24 {
                // never the same at two looks, and never whole
                append(&writing, &format!("{number} eni-1 "));
                thread::sleep(POLL / 4);
                append(&writing, "10.0.0.1 10.0.0.2\n");
            }
        });
        let mut found = Found::default();
        let mut while_written = 0;
        let last = "23 eni-1 10.0.0.1 10.0.0.2\n";
        while !found.all().ends_with(last) {
            found.add(tokio::time::timeout(Duration::from_secs(30), events.next()).await.unwrap().unwrap());
            while_written += usize::from(!writer.is_finished());
        }
        stop.cancel();
        assert!(while_written >= 2, "{while_written}");
        let expected: String = (0..24).map(|number| format!("{number} eni-1 10.0.0.1 10.0.0.2\n")).collect();
        assert_eq!(found.all(), expected);
        assert!(found.texts.iter().all(|(header, text)| header == FIELDS && text.ends_with('\n')));
        assert_eq!(found.done.0.len(), 1);
    }

    #[test]
    fn a_file_that_changed_is_another_partition() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "x").unwrap();
        let before = describe(&path).unwrap().version.partition();
        fs::write(&path, "xy").unwrap();
        assert_ne!(before, describe(&path).unwrap().version.partition());
    }
}
