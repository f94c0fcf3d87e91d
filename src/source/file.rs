//! Paths, globs and standard input → pieces of whole records, each with the position it brings its file to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{self, Read, Seek};
use std::os::unix::fs::MetadataExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;

use super::half_written::is_half_written;
use super::{Event, Feed, Gone, PANICKED, Piece, layout};
use crate::decode::{self, Counts, Input};
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
    /// Names the file's version: a file that changes is another partition and is read again.
    partition: Arc<str>,
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
/// Files that were read to their end before are passed over, and one that was left in the middle is read again from its
/// start but only what lies behind its offset is sent.
pub fn read(config: Config, feed: Feed) {
    let queue = Arc::new(Queue::default());
    for _ in 0..feed.decode.memory.threads(config.readers.max(1)) {
        let (queue, feed) = (queue.clone(), feed.clone());
        thread::spawn(move || {
            while let Some(file) = queue.take() {
                if feed.stop.is_cancelled() || guarded(&file.name, &feed, || read_file(&file, &feed)).is_err() {
                    return;
                }
            }
        });
    }
    thread::spawn(move || list(&config, &queue, &feed));
}

/// Reads a file. One that is read no further because of a bug is told of, and those behind it are read.
fn guarded(name: &str, feed: &Feed, read: impl FnOnce() -> Result<(), Gone>) -> Result<(), Gone> {
    panic::catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| feed.blocking_send(Event::Unreadable { name: name.to_owned(), why: PANICKED.to_owned() }))
}

/// Files waiting to be read.
#[derive(Default)]
struct Queue {
    files: Mutex<(VecDeque<File>, bool)>,
    changed: std::sync::Condvar,
}

impl Queue {
    fn put(&self, files: impl IntoIterator<Item = File>) {
        self.files.lock().expect("no reader panics while holding the queue").0.extend(files);
        self.changed.notify_all();
    }

    fn close(&self) {
        self.files.lock().expect("no reader panics while holding the queue").1 = true;
        self.changed.notify_all();
    }

    fn take(&self) -> Option<File> {
        let mut files = self.files.lock().expect("no reader panics while holding the queue");
        loop {
            match files.0.pop_front() {
                Some(file) => return Some(file),
                None if files.1 => return None,
                None => files = self.changed.wait(files).expect("no reader panics while holding the queue"),
            }
        }
    }
}

/// Finds the files once, or again and again when following.
///
/// When following, a file is taken once its size and time of change have stayed the same between two looks; one that
/// ends within a record may still be written to, and is taken a minute later.
fn list(config: &Config, queue: &Queue, feed: &Feed) {
    let mut taken = BTreeSet::new();
    let mut complained = BTreeSet::new();
    let mut awaited = BTreeSet::new();
    let mut read = BTreeSet::new();
    let mut before: BTreeMap<PathBuf, Arc<str>> = BTreeMap::new();
    let mut looks: BTreeMap<PathBuf, (Arc<str>, u32)> = BTreeMap::new();
    loop {
        let mut found = Vec::new();
        let mut now = BTreeMap::new();
        for spec in &config.from {
            let mut any = false;
            expand(spec, &config.exclude, &mut |result| {
                any = true;
                match result {
                    Ok(file) => {
                        let settled = !config.follow
                            || before.get(&file.path) == Some(&file.partition)
                                && (taken.contains(&file.partition) || !is_begun(&file, &mut looks));
                        now.insert(file.path.clone(), file.partition.clone());
                        if settled && taken.insert(file.partition.clone()) {
                            if !read.insert(file.path.clone()) {
                                tracing::warn!(
                                    file = %file.path.display(),
                                    "it has changed since it was read, and is read again from its beginning: rows of tables without \
                                     an id are there twice then"
                                );
                            }
                            found.push(file);
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
        before = now;
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

/// Whether a file ends within a record, for as long as it is worth to wait for the rest; `looks` has how often that was
/// asked of its last version.
fn is_begun(file: &File, looks: &mut BTreeMap<PathBuf, (Arc<str>, u32)>) -> bool {
    // a file that cannot be read is told of when it is read
    if !file.is_regular() || !is_half_written(&file.path).unwrap_or(false) {
        looks.remove(&file.path);
        return false;
    }
    let (partition, count) = looks.entry(file.path.clone()).or_insert_with(|| (file.partition.clone(), 0));
    if *partition != file.partition {
        (*partition, *count) = (file.partition.clone(), 0);
    }
    *count += 1;
    *count <= HALF_WRITTEN_LOOKS
}

const NOTHING_THERE: &str = "no such file or folder";
const NO_FILE: &str = "neither a file nor a folder";

type Found<'a> = dyn FnMut(Result<File, (String, String)>) + 'a;

/// Names every file that a path, folder or glob stands for, in the order of their names.
fn expand(spec: &str, exclude: &[PathBuf], found: &mut Found<'_>) {
    if spec == "-" {
        return found(Ok(File { name: "-".into(), path: "-".into(), bytes: u64::MAX, partition: "-".into() }));
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
    let changed =
        meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_nanos());
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    Ok(File {
        partition: format!("file:{}|{}|{changed}", whole.display(), meta.len()).into(),
        path: path.to_owned(),
        bytes: if meta.is_file() { meta.len() } else { u64::MAX },
        name,
    })
}

/// Reads one file to its end, or to the first error.
fn read_file(file: &File, feed: &Feed) -> Result<(), Gone> {
    let persistent = file.is_regular();
    if persistent && feed.resume.is_done(&file.partition) {
        return feed.blocking_send(Event::AlreadyRead);
    }
    let done: u64 = match feed.resume.0.get(&file.partition) {
        Some(Offset::At(digits)) if persistent => digits.parse().unwrap_or(0),
        _ => 0,
    };
    let unreadable = |error: io::Error| Event::Unreadable { name: file.name.clone(), why: error.to_string() };
    let (input, mut watched) = match open(file) {
        Ok(opened) => opened,
        Err(error) => return feed.blocking_send(unreadable(error)),
    };
    let origin = Arc::new(Origin::from_name(&file.name));
    let mut reader = decode::open(input, origin, &feed.decode);
    let mut read_before = 0;
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
        inflated += next.as_ref().map_or(0, |records| records.bytes_len() as u64);
        let read = match &mut watched {
            // Parquet is not read from front to back
            Some(handle) => handle.stream_position().unwrap_or(0).min(file.bytes).max(read_before),
            None if !file.is_regular() => inflated,
            None => file.bytes,
        };
        let offset = match &next {
            Some(records) => Offset::at(records.end()),
            None => Offset::End,
        };
        let skip = !end && offset <= Offset::at(done);
        if !skip {
            feed.blocking_send(Event::Piece(Piece {
                records: next.into_iter().collect(),
                rejects,
                counts,
                position: persistent.then(|| Position { partition: file.partition.clone(), offset }),
                read_bytes: read - read_before,
                ended: end,
                ..Piece::default()
            }))?;
            read_before = read;
        }
        if end {
            return Ok(());
        }
    }
}

/// The input, and for a large file a second handle that tells how far it has been read.
fn open(file: &File) -> io::Result<(Input, Option<fs::File>)> {
    if file.name == "-" {
        return Ok((Input::Stream(Box::new(io::stdin())), None));
    }
    if !file.is_regular() {
        // a pipe, as of `<(zcat flow.log.gz)`, cannot be sought
        return Ok((Input::Stream(Box::new(fs::File::open(&file.path)?)), None));
    }
    if file.bytes <= WHOLE_BYTES_MAX {
        // with room for the padding, so that a file that is not compressed is parsed where it was read to
        let mut bytes = Vec::with_capacity(file.bytes as usize + decode::PADDING + 1);
        fs::File::open(&file.path)?.read_to_end(&mut bytes)?;
        return Ok((Input::Bytes(Bytes::from(bytes)), None));
    }
    let handle = fs::File::open(&file.path)?;
    let watched = handle.try_clone()?;
    Ok((Input::File(handle), Some(watched)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;

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
        let (Input::Stream(mut stream), None) = open(&file).unwrap() else { panic!("it cannot be sought") };
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
    }

    #[test]
    fn for_the_rest_of_a_record_it_waits_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut looks = BTreeMap::new();
        let mut is_begun = |text: &str| {
            fs::write(&path, text).unwrap();
            super::is_begun(&describe(&path).unwrap(), &mut looks)
        };
        assert!(is_begun("{\"a\":"));
        assert!(!is_begun("{\"a\":1}"));
        fs::write(&path, "{\"a\":").unwrap();
        let file = describe(&path).unwrap();
        let waited = (0..100).take_while(|_| super::is_begun(&file, &mut looks)).count();
        assert_eq!(waited, 60);
    }

    #[test]
    fn a_file_that_changed_is_another_partition() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "x").unwrap();
        let before = describe(&path).unwrap().partition;
        fs::write(&path, "xy").unwrap();
        assert_ne!(before, describe(&path).unwrap().partition);
    }
}
