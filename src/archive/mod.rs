//! Batches → a Parquet archive on disk, committed round by round.
//!
//! Rows gather in memory; [`Archive::write`] sorts them into files under `_weir/pending`, a commit names the files, and
//! [`Archive::publish`] moves them into place. A file in a table's folder is therefore always a committed one.
//! [`Archive::compact`] merges small ones.

pub mod layout;
pub mod gather;
pub mod chunk;
pub mod encode;
pub mod write;
pub mod read;
pub mod compact;
pub mod bucket;
#[cfg(test)]
pub(crate) mod fixture;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rayon::prelude::*;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::catalog;
use crate::memory::Memory;
use crate::table::{Batch, Table};
use compact::sync_all;
use layout::PRIVATE;

/// The `[archive]` section of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Folder of the archive; `none` keeps nothing. For `weir lambda`, `s3://BUCKET/PREFIX`.
    pub dir: String,
    /// Bytes of rows that gather in memory before they are written: more make larger files.
    pub buffer_bytes: usize,
    /// Level of zstd, 1 to 19.
    #[serde(deserialize_with = "at_most_19")]
    pub zstd_level: i32,
    /// Rows of a row group, at least 1,000.
    #[serde(deserialize_with = "at_least_1000")]
    pub row_group_rows: usize,
    /// Size that files grow to when small ones are merged. Those under a thirty-second of it are small.
    pub file_bytes: u64,
}

impl Config {
    /// The same where memory is short: less gathers, and a row group, which is in memory while it is made, has fewer rows. Files grow to
    /// less too: what is written of a full buffer would count as small, and all rows be written twice.
    pub fn within(&self, memory: Memory) -> Config {
        const ROWS_MIN: usize = 4096;
        let row_group_rows = memory.of(self.row_group_rows).max(self.row_group_rows.min(ROWS_MIN));
        let [buffer_bytes, file_bytes] =
            [self.buffer_bytes, self.file_bytes as usize].map(|usual| memory.of_rows(usual));
        Config { buffer_bytes, row_group_rows, file_bytes: file_bytes as u64, ..self.clone() }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            dir: "weir-archive".into(),
            buffer_bytes: 48 << 20,
            zstd_level: 1,
            row_group_rows: 65_536,
            file_bytes: 32 << 20,
        }
    }
}

fn at_most_19<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    let level = i32::deserialize(from)?;
    (1..=19)
        .contains(&level)
        .then_some(level)
        .ok_or_else(|| D::Error::custom(format!("{level} is no level of zstd: 1 to 19 are")))
}

fn at_least_1000<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let rows = usize::deserialize(from)?;
    (rows >= 1000)
        .then_some(rows)
        .ok_or_else(|| D::Error::custom("a row group has at least 1000 rows: fewer take more room than they hold"))
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    pub table: String,
    /// Relative to the archive.
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
}

impl Object {
    /// Where it waits, relative to the archive, until a commit names it.
    fn pending(&self) -> String {
        // the path itself may be longer than a file's name can be
        format!("{PRIVATE}/pending/{}.parquet", blake3::hash(self.path.as_bytes()).to_hex())
    }
}

/// What it takes to sort a row when the buffer is written: its time, its place, and the codes of its symbols.
const SORT_BYTES: usize = 64;

/// The archive of one folder.
pub struct Archive {
    dir: PathBuf,
    config: Config,
    buffered: BTreeMap<&'static str, Vec<Batch>>,
    buffered_bytes: usize,
    /// The most that came at once of these.
    added_bytes: usize,
    /// Files that could not be read to be merged.
    damaged: HashSet<PathBuf>,
}

impl Archive {
    /// Opens the archive in `dir`, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(dir: &Path, config: &Config) -> anyhow::Result<Archive> {
        if dir.to_str().is_some_and(|dir| dir.starts_with(bucket::SCHEME)) {
            bail!("{} is no folder: an archive in S3 is written by `weir lambda`", dir.display());
        }
        let pending = dir.join(PRIVATE).join("pending");
        fs::create_dir_all(&pending).with_context(|| format!("making the archive's folder {}", pending.display()))?;
        let probe = pending.join("probe");
        fs::write(&probe, b"weir")
            .and_then(|()| fs::remove_file(&probe))
            .with_context(|| format!("writing to the archive {}", dir.display()))?;
        let lock = dir.join(PRIVATE).join(read::LOCK);
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&lock)
            .with_context(|| format!("making {}", lock.display()))?;
        Ok(Archive {
            dir: dir.to_owned(),
            config: config.clone(),
            buffered: BTreeMap::new(),
            buffered_bytes: 0,
            added_bytes: 0,
            damaged: HashSet::new(),
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes rows in.
    pub fn add(&mut self, batches: Vec<Batch>) {
        let before = self.buffered_bytes;
        for batch in batches {
            if batch.rows.num_rows() > 0 {
                self.buffered_bytes += batch.bytes_len() + batch.rows.num_rows() * SORT_BYTES;
                self.buffered.entry(batch.table.name).or_default().push(batch);
            }
        }
        self.added_bytes = self.added_bytes.max(self.buffered_bytes - before);
    }

    /// Rows that wait to be written.
    pub fn waiting(&self) -> Vec<Batch> {
        self.buffered.values().flatten().cloned().collect()
    }

    /// Bytes of rows that wait to be written, with what it takes to sort them.
    pub fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// True when the buffer should be written: it is as full as it can be, give or take half of what came at once.
    pub fn is_full(&self) -> bool {
        self.buffered_bytes + self.added_bytes / 2 >= self.config.buffer_bytes
    }

    /// Writes what has gathered to files that wait for their commit, and empties the buffer.
    ///
    /// # Errors
    /// When a file cannot be written; the error names it.
    pub fn write(&mut self, round: u64) -> anyhow::Result<Vec<Object>> {
        self.write_as(&format!("{round:08}"))
    }

    /// The same with a name of the caller's, in place of the number of a round, which tells the files from others of their
    /// folders.
    ///
    /// # Errors
    /// When a file cannot be written; the error names it.
    pub fn write_as(&mut self, unit: &str) -> anyhow::Result<Vec<Object>> {
        (self.buffered_bytes, self.added_bytes) = (0, 0);
        let mut objects = Vec::new();
        for (name, batches) in std::mem::take(&mut self.buffered) {
            let table: &'static Table = catalog::table(name).expect("batches are of tables of the catalog");
            let sorted = write::Sorted::new(table, batches);
            let written: Vec<anyhow::Result<Object>> = sorted
                .partitions
                .par_iter()
                .map(|(partition, rows)| {
                    let folder = partition.folder(table);
                    let file = format!("{}-{unit}.parquet", write::stamp(sorted.first(rows)));
                    let mut object = Object {
                        table: name.to_owned(),
                        path: folder.join(file).display().to_string(),
                        rows: rows.len() as u64,
                        bytes: 0,
                    };
                    let path = self.dir.join(object.pending());
                    object.bytes = sorted
                        .write(rows, &path, &self.config)
                        .with_context(|| format!("writing {}", path.display()))?;
                    Ok(object)
                })
                .collect();
            for object in written {
                objects.push(object?);
            }
        }
        // all together: a core that waited for each would have others to write meanwhile
        sync_all(&objects.iter().map(|object| self.dir.join(object.pending())).collect())?;
        Ok(objects)
    }

    /// How much of rows may gather.
    pub fn buffer_bytes_max(&self) -> usize {
        self.config.buffer_bytes
    }

    /// Whether a file is there, in its place or waiting for it.
    pub fn has(&self, object: &Object) -> bool {
        self.dir.join(object.pending()).exists() || self.dir.join(&object.path).exists()
    }

    /// The last round that a file in its place is named for, 0 where none is; `None` where there is no file.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn last_round(&self) -> anyhow::Result<Option<u64>> {
        let mut last: Option<u64> = None;
        for table in catalog::tables() {
            let files = read::files(&self.dir, table)?;
            last = last.max(files.iter().map(|file| round_of(&file.path).unwrap_or(0)).max());
        }
        Ok(last)
    }

    /// Moves committed files into place; those that are there already stay.
    ///
    /// # Errors
    /// When a file can be found neither where it waits nor where it belongs, or cannot be moved.
    pub fn publish(&self, objects: &[Object]) -> anyhow::Result<()> {
        let mut folders = BTreeSet::new();
        for object in objects {
            let (from, to) = (self.dir.join(object.pending()), self.dir.join(&object.path));
            let folder = to.parent().expect("an object lies in a folder");
            // one that is there already may not be on the disk by this name
            folders.insert(folder.to_owned());
            if !from.exists() && to.exists() {
                continue;
            }
            let made = folder.ancestors().take_while(|folder| !folder.exists() && *folder != self.dir);
            folders.extend(made.filter_map(|folder| Some(folder.parent()?.to_owned())));
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
            fs::rename(&from, &to).with_context(|| format!("moving {} to {}", from.display(), to.display()))?;
        }
        // the next commit forgets these files, so the disk must have their names before it
        sync_all(&folders)
    }

    /// Removes files that no commit names, and ends an exchange of files that a crash broke off.
    ///
    /// # Errors
    /// When the folder cannot be read or a file in it not be removed.
    pub fn sweep(&self) -> anyhow::Result<()> {
        let pending = self.dir.join(PRIVATE).join("pending");
        for entry in fs::read_dir(&pending).with_context(|| format!("reading {}", pending.display()))? {
            let path = entry.with_context(|| format!("reading {}", pending.display()))?.path();
            fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        self.end_exchange()
    }
}

/// The number of the round in a file's name, behind the time; merged files have sixteen digits of a hash there.
fn round_of(path: &Path) -> Option<u64> {
    let (_, unit) = path.file_stem()?.to_str()?.rsplit_once('-')?;
    if unit.len() < 16 { unit.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
