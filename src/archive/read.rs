//! An archive's folder → its committed files, and a guard under which they stay where they are.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use walkdir::WalkDir;

use super::layout::{PRIVATE, Partition};
use crate::table::Table;

/// File whose lock says that somebody reads the archive (shared) or exchanges files in it (exclusive).
pub const LOCK: &str = "lock";
/// File that lists, one a line and relative to the archive, the files that hold rows which another file holds too.
pub const HIDDEN: &str = "hidden";

/// A committed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub partition: Partition,
    pub path: PathBuf,
    pub bytes: u64,
    pub modified: std::time::SystemTime,
}

/// While one is held, no file of the archive is replaced by another.
#[derive(Debug)]
pub struct Reading {
    _lock: Option<File>,
}

impl Reading {
    /// Waits for an exchange of files that is under way, which takes milliseconds.
    ///
    /// # Errors
    /// When the lock is there but cannot be opened or taken.
    pub fn start(dir: &Path) -> anyhow::Result<Reading> {
        let path = dir.join(PRIVATE).join(LOCK);
        match File::open(&path) {
            Ok(lock) => {
                lock.lock_shared().with_context(|| format!("locking {}", path.display()))?;
                Ok(Reading { _lock: Some(lock) })
            }
            // an archive that was copied without its private folder has nobody who exchanges files
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Reading { _lock: None }),
            Err(error) => Err(error).with_context(|| format!("opening {}", path.display())),
        }
    }
}

/// The files of a table, sorted by path, which inside a partition is by time. A table without a folder has none.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(dir: &Path, table: &Table) -> anyhow::Result<Vec<Found>> {
    let root = dir.join(table.name);
    if !root.is_dir() {
        return Ok(Vec::new());
    }
    let hidden = hidden(dir)?;
    let is_private = |name: &str| name.starts_with('.') || name.starts_with('_');
    // days that were moved to another disk are read there, and one that is not there any more is an error
    let walk = WalkDir::new(&root).min_depth(1).follow_links(true).sort_by_file_name().into_iter();
    let mut found = Vec::new();
    for entry in walk.filter_entry(|entry| !is_private(&entry.file_name().to_string_lossy())) {
        let entry = entry.with_context(|| format!("reading {}", root.display()))?;
        let path = entry.path();
        let relative = path.strip_prefix(dir).expect("a walk stays below its root");
        let Some(partition) = partition_of(relative) else { continue };
        if !entry.file_type().is_file() || hidden.contains(relative) {
            continue;
        }
        let metadata = entry.metadata().with_context(|| format!("reading {}", path.display()))?;
        let modified = metadata.modified().with_context(|| format!("reading {}", path.display()))?;
        found.push(Found { partition, path: path.to_owned(), bytes: metadata.len(), modified });
    }
    Ok(found)
}

/// The partition of `TABLE/account=A/region=R/day=D/NAME.parquet`; `None` for any other path.
fn partition_of(relative: &Path) -> Option<Partition> {
    let parts: Vec<&str> = relative.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    let [_table, account, region, day, name] = parts[..] else { return None };
    if !name.ends_with(".parquet") {
        return None;
    }
    Partition::from_folders(account, region, day)
}

pub(super) fn hidden(dir: &Path) -> anyhow::Result<HashSet<PathBuf>> {
    let path = dir.join(PRIVATE).join(HIDDEN);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.lines().map(PathBuf::from).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}
