//! Many small files of one partition → one file with the same rows, in the order of event time.
//!
//! The exchange of files survives a crash at any point, and a reader that holds [`Reading`](super::read::Reading) sees
//! every row once:
//!
//! 1. The merged file is written under `_weir/pending`, where nobody looks.
//! 2. Under the exclusive lock, which is taken only when nobody reads, `_weir/hidden` names the merged file.
//! 3. The merged file moves to its partition.
//! 4. `_weir/hidden` is replaced, in one rename, by the list of the small files. From here the merged file counts.
//! 5. The small files are removed, then `_weir/hidden`.
//!
//! Readers pass over what `_weir/hidden` names, and after a crash that is what [`Archive::sweep`](super::Archive::sweep)
//! removes. Other engines read the folders without the lock: between steps 3 and 5, some milliseconds, they may see
//! rows twice.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::mem::replace;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::encode::{Encoder, file_schema};
use super::gather::{Place, Rows};
use super::layout::PRIVATE;
use super::read::{HIDDEN, LOCK, hidden};
use super::write::{stamp, times};
use super::{Archive, Config, Object};
use crate::catalog;
use crate::caught::caught;
use crate::table::Table;
use crate::time::Timestamp;

/// A file is small when it has less than one part in this many of [`Config::file_bytes`]: what a full buffer is written to is larger, where it
/// goes to one partition, and need not be written twice.
pub const SMALL_SHARE: u64 = 32;
/// A partition is compacted when it has this many small files.
pub const FILES_MIN: usize = 8;
/// At most this many files are merged at once: each keeps a page of every column in memory.
const FILES_MAX: usize = 8;
/// Rows read from a file at a time,
const READ_ROWS: usize = 512;
/// and written.
const MERGE_ROWS: usize = 4096;

impl Archive {
    /// Merges small files in the partitions that `committed` files went to; those themselves stay, because they are
    /// moved into place again if the run dies before the next commit. Waits for nobody: while somebody reads the
    /// archive, it does nothing. A file that cannot be read stays as it is, and is told of once. Gives the number of files that went away.
    ///
    /// # Errors
    /// When a file cannot be written. The archive has the same rows as before.
    pub fn compact(&mut self, committed: &[Object]) -> anyhow::Result<usize> {
        let recent: HashSet<PathBuf> = committed.iter().map(|object| self.dir.join(&object.path)).collect();
        let mut partitions: Vec<(&str, PathBuf)> = committed
            .iter()
            .filter_map(|object| Some((object.table.as_str(), self.dir.join(&object.path).parent()?.to_owned())))
            .collect();
        partitions.sort_unstable();
        partitions.dedup();
        self.end_exchange()?;
        if !hidden(&self.dir)?.is_empty() {
            return Ok(0);
        }
        let mut gone = 0;
        for (name, folder) in partitions {
            let Some(table) = catalog::table(name) else { continue };
            loop {
                match self.compact_some(table, &folder, &recent) {
                    Ok(Compacted::Files(count)) => gone += count - 1,
                    Ok(Compacted::Nothing) => break,
                    Ok(Compacted::IsRead) => return Ok(gone),
                    Err(error) => match error.downcast_ref::<Unreadable>().map(|Unreadable(path)| path.clone()) {
                        // the others are merged without it
                        Some(path) => {
                            let why = format!("{error:#}");
                            tracing::warn!(why, "a file of the archive is damaged, and is merged with no others");
                            self.damaged.insert(path);
                        }
                        None => return Err(error).with_context(|| format!("compacting {}", folder.display())),
                    },
                }
            }
        }
        Ok(gone)
    }

    /// Merges some files of a partition.
    ///
    /// # Errors
    /// [`Unreadable`] where one of them cannot be read, or when one cannot be written.
    fn compact_some(&self, table: &Table, folder: &Path, recent: &HashSet<PathBuf>) -> anyhow::Result<Compacted> {
        let passed_over = |path: &PathBuf| recent.contains(path) || self.damaged.contains(path);
        let Some(files) = small_files(folder, passed_over, table, &self.config)? else { return Ok(Compacted::Nothing) };
        let is_exchanged = self.compact_files(table, folder, &files)?;
        Ok(if is_exchanged { Compacted::Files(files.len()) } else { Compacted::IsRead })
    }

    /// False when somebody reads the archive.
    fn compact_files(&self, table: &Table, folder: &Path, files: &[PathBuf]) -> anyhow::Result<bool> {
        if self.lock()?.is_none() {
            return Ok(false);
        }
        let mut names = blake3::Hasher::new();
        files.iter().for_each(|file| {
            names.update(file.as_os_str().as_encoded_bytes());
        });
        let names = names.finalize().to_hex();
        let pending = self.dir.join(PRIVATE).join("pending").join(format!("compacted-{names}.parquet"));
        let first = merge(table, files, &pending, &self.config).inspect_err(|_| {
            // what is left of it the next start removes
            let _ = fs::remove_file(&pending);
        })?;
        let merged = folder.join(format!("{}-{}.parquet", stamp(first), &names[..16]));
        let exchanged = match self.lock()? {
            None => false,
            Some(_lock) => {
                self.hide(&[&merged])?;
                fs::rename(&pending, &merged).with_context(|| format!("making {}", merged.display()))?;
                sync(folder)?;
                self.hide(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
                self.remove_hidden()?;
                true
            }
        };
        if !exchanged {
            fs::remove_file(&pending).with_context(|| format!("removing {}", pending.display()))?;
        }
        Ok(exchanged)
    }

    /// Ends an exchange that a crash broke off; see the order of steps above.
    pub(super) fn end_exchange(&self) -> anyhow::Result<()> {
        match hidden(&self.dir)?.is_empty() {
            true => Ok(()),
            // while somebody reads, the hidden files stay hidden
            false => match self.lock()? {
                None => Ok(()),
                Some(_lock) => self.remove_hidden(),
            },
        }
    }

    /// The exclusive lock; `None` while somebody reads.
    fn lock(&self) -> anyhow::Result<Option<File>> {
        let path = self.dir.join(PRIVATE).join(LOCK);
        let lock = OpenOptions::new().create(true).append(true).open(&path);
        let lock = lock.with_context(|| format!("opening {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }

    /// Replaces the list of hidden files.
    fn hide(&self, files: &[&Path]) -> anyhow::Result<()> {
        let private = self.dir.join(PRIVATE);
        let (path, new) = (private.join(HIDDEN), private.join("hidden.new"));
        let lines = files.iter().map(|file| {
            let relative = file.strip_prefix(&self.dir).expect("a file of the archive lies in it");
            format!("{}\n", relative.to_str().expect("the archive names its files in ASCII"))
        });
        let write = || -> io::Result<()> {
            let mut file = File::create(&new)?;
            file.write_all(lines.collect::<String>().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().with_context(|| format!("writing {}", path.display()))?;
        sync(&private)
    }

    fn remove_hidden(&self) -> anyhow::Result<()> {
        for file in hidden(&self.dir)? {
            let path = self.dir.join(file);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", path.display()));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let path = self.dir.join(PRIVATE).join(HIDDEN);
        fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
    }
}

/// What became of the small files of a partition.
enum Compacted {
    /// So many became one.
    Files(usize),
    /// There are too few.
    Nothing,
    /// Somebody reads the archive.
    IsRead,
}

/// A file that is not what was once written, or is on a disk that gives no more.
#[derive(Debug, thiserror::Error)]
#[error("reading {}", .0.display())]
struct Unreadable(PathBuf);

/// What is read of a file of the archive. Over what is damaged its reader may panic too.
///
/// # Errors
/// [`Unreadable`], and why.
fn read<T>(path: &Path, read: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let read = caught(read).unwrap_or_else(|| bail!("it is damaged"));
    read.with_context(|| Unreadable(path.to_owned()))
}

/// How many paths are waited for at a time: the disk has them all with one wait of its own, or few.
const SYNCS: usize = 16;

/// Waits until the disk has what is in these files, and the names in these folders.
pub(super) fn sync_all(paths: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
    let paths: Vec<&PathBuf> = paths.iter().collect();
    thread::scope(|scope| {
        let sync_some = |some: &[&PathBuf]| some.iter().try_for_each(|path| sync(path));
        let parts = paths.chunks(paths.len().div_ceil(SYNCS).max(1));
        let waiting: Vec<_> = parts.map(|some| scope.spawn(move || sync_some(some))).collect();
        waiting.into_iter().try_for_each(|some| some.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Waits until the disk has what is in a file, or the names in a folder.
fn sync(path: &Path) -> anyhow::Result<()> {
    File::open(path).and_then(|opened| opened.sync_all()).with_context(|| format!("syncing {}", path.display()))
}

/// The files of a partition to merge into one, earliest first: enough of them, small, and of the table's schema as it
/// is now. `None` when the partition is well as it is.
fn small_files(
    folder: &Path,
    passed_over: impl Fn(&PathBuf) -> bool,
    table: &Table,
    config: &Config,
) -> anyhow::Result<Option<Vec<PathBuf>>> {
    let reading = || format!("reading {}", folder.display());
    let mut small = Vec::new();
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let (path, bytes) = (entry.path(), entry.metadata().with_context(reading)?.len());
        let is_parquet = path.extension().is_some_and(|extension| extension == "parquet");
        if is_parquet && !passed_over(&path) && bytes < config.file_bytes / SMALL_SHARE {
            small.push((path, bytes));
        }
    }
    small.sort_unstable();
    if small.len() < FILES_MIN {
        return Ok(None);
    }
    let (mut files, mut bytes) = (Vec::new(), 0);
    for (path, size) in small {
        let same = open(&path)?.schema().fields() == file_schema(table).fields();
        if same && files.len() < FILES_MAX && bytes + size <= config.file_bytes {
            bytes += size;
            files.push(path);
        }
    }
    Ok((files.len() >= FILES_MIN).then_some(files))
}

fn open(path: &Path) -> anyhow::Result<ParquetRecordBatchReaderBuilder<File>> {
    read(path, || Ok(ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?))
}

/// Merges sorted files into one, and gives the first time in it. In memory are some rows of each file that is begun and has more: those of
/// one large object follow each other, and hardly two of them are.
fn merge(table: &Table, files: &[PathBuf], target: &Path, config: &Config) -> anyhow::Result<Option<Timestamp>> {
    let writing = || format!("writing {}", target.display());
    let mut rows = 0;
    let (mut runs, mut next) = (Vec::new(), BinaryHeap::new());
    for path in files {
        let file = open(path)?;
        rows += usize::try_from(file.metadata().file_metadata().num_rows()).unwrap_or(0);
        let first = read(path, || first_time(table, file))?;
        next.extend(first.map(|first| Reverse((first, runs.len()))));
        runs.push(Run { path, reader: None, times: Vec::new(), row: 0, batch: 0 });
    }
    let mut encoder = Encoder::create(target, table, config, rows, &HashSet::new()).with_context(writing)?;
    // the rows that places name, and those that each run has not come to
    let mut batches = Vec::new();
    let first = next.peek().and_then(|Reverse((time, _))| *time);
    let mut places: Vec<Place> = Vec::new();
    while let Some(Reverse((_, index))) = next.pop() {
        let run = &mut runs[index];
        if run.reader.is_none() {
            run.begin(table, &mut batches)?;
        }
        places.push((run.batch, run.row));
        run.row += 1;
        if run.row < run.times.len() || run.load(table, &mut batches)? {
            next.push(Reverse((run.times[run.row], index)));
        }
        if places.len() == MERGE_ROWS {
            append(&mut encoder, &batches, &mut places).with_context(writing)?;
            let begun = runs.iter_mut().filter(|run| run.reader.is_some()).enumerate();
            batches = begun.map(|(place, run)| batches[replace(&mut run.batch, place)].clone()).collect();
        }
    }
    append(&mut encoder, &batches, &mut places).with_context(writing)?;
    encoder.finish().with_context(writing)?;
    sync(target)?;
    Ok(first)
}

/// The time of a file's first row, or `None` where it has no row.
fn first_time(table: &Table, file: ParquetRecordBatchReaderBuilder<File>) -> anyhow::Result<Option<Option<Timestamp>>> {
    let time = ProjectionMask::columns(file.parquet_schema(), [table.time]);
    let row = file.with_projection(time).with_batch_size(1).build()?.next().transpose()?;
    Ok(row.and_then(|row| times(table, &row).first().copied()))
}

/// Writes the rows at the places, and empties the list. Batches that no place names cost nothing.
fn append(encoder: &mut Encoder, batches: &[RecordBatch], places: &mut Vec<Place>) -> anyhow::Result<()> {
    let mut named = vec![None; batches.len()];
    let mut rows = Vec::new();
    for (batch, _) in places.iter_mut() {
        *batch = *named[*batch].get_or_insert_with(|| {
            rows.push(batches[*batch].clone());
            rows.len() - 1
        });
    }
    encoder.append(&Rows::new(&rows), places)?;
    places.clear();
    Ok(())
}

/// A sorted file being read.
struct Run<'a> {
    path: &'a Path,
    /// None before its first row is due, and behind its last.
    reader: Option<ParquetRecordBatchReader>,
    /// Of the batch read last: its times, the row of it that is next, and its place among the batches in memory.
    times: Vec<Option<Timestamp>>,
    row: usize,
    batch: usize,
}

impl Run<'_> {
    /// Opens the file, which has rows, and reads the first batch into memory.
    fn begin(&mut self, table: &Table, batches: &mut Vec<RecordBatch>) -> anyhow::Result<()> {
        let file = open(self.path)?;
        self.reader = Some(read(self.path, || Ok(file.with_batch_size(READ_ROWS).build()?))?);
        self.load(table, batches)?;
        Ok(())
    }

    /// Reads the next batch into memory; false at the end.
    fn load(&mut self, table: &Table, batches: &mut Vec<RecordBatch>) -> anyhow::Result<bool> {
        let Some(reader) = &mut self.reader else { return Ok(false) };
        let Some(batch) = read(self.path, || Ok(reader.next().transpose()?))? else {
            self.reader = None;
            return Ok(false);
        };
        (self.times, self.row, self.batch) = (times(table, &batch), 0, batches.len());
        batches.push(batch);
        Ok(true)
    }
}
