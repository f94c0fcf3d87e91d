//! What is archived together: the rows of a stretch of a shard, of an object, or a message that cannot be understood.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use futures::{StreamExt, stream};
use tokio::time::{Instant as Until, timeout_at};

use crate::archive::bucket::Bucket;
use crate::archive::{Archive, Config, Object};
use crate::catalog;
use crate::finding::FindingId;
use crate::table::{Batch, Reject};
use crate::time::Timestamp;

/// Objects that are put at the same time.
const PUTS_AT_ONCE: usize = 8;
/// What the names of their folders begin with, among the temporary ones.
const FOLDER: &str = "weir-unit-";

/// Its files wait on the disk until its items are done with, and are gone with it.
pub struct Unit {
    /// What its files are named for.
    name: String,
    /// When it came, which is the time of its rejects.
    at: Timestamp,
    kept: Option<Kept>,
    /// The findings that its rows have matched.
    pub found: BTreeSet<FindingId>,
}

struct Kept {
    archive: Archive,
    objects: Vec<Object>,
    writes: u32,
    _folder: tempfile::TempDir,
    /// Says that the folder is in use, for as long as this process lives.
    _lock: File,
}

/// Removes what processes left that were killed in a call. The disk of a function outlives them: where a call runs out of time or memory,
/// Lambda starts another process beside the files of the one before, and after some such calls there would be no room.
///
/// # Errors
/// When the folder for temporary files, or what is left in it, cannot be read or removed.
pub fn sweep(temporary: &Path) -> io::Result<()> {
    for entry in fs::read_dir(temporary)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(FOLDER));
        if is_ours && File::open(entry.path())?.try_lock().is_ok() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

impl Unit {
    /// `identity` says whose rows it has: the same gives the same name. Without a configuration nothing is archived.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written.
    pub fn new(identity: &[&str], at: Timestamp, config: Option<&Config>) -> anyhow::Result<Unit> {
        let kept = match config {
            None => None,
            Some(config) => {
                let (folder, lock) = folder().context("making a folder for temporary files")?;
                let archive = Archive::open(folder.path(), config)?;
                Some(Kept { archive, objects: Vec::new(), writes: 0, _folder: folder, _lock: lock })
            }
        };
        Ok(Unit { name: name_of(identity), at, kept, found: BTreeSet::new() })
    }

    /// Names it otherwise, while nothing is written.
    pub fn rename(&mut self, identity: &[&str]) {
        self.name = name_of(identity);
    }

    /// Takes rows and rejects in.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written.
    pub fn keep(&mut self, batches: Vec<Batch>, rejects: &[Reject]) -> anyhow::Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        kept.archive.add(batches);
        kept.archive.add(catalog::rejects_batch(rejects, self.at).into_iter().collect());
        if kept.archive.is_full() { self.write() } else { Ok(()) }
    }

    /// Writes what has gathered in memory to the disk.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written.
    pub fn write(&mut self) -> anyhow::Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let name = format!("{}-{}", self.name, kept.writes);
        kept.objects.extend(kept.archive.write_as(&name).context("writing the archive")?);
        kept.writes += 1;
        Ok(())
    }

    /// Puts its files into the bucket.
    ///
    /// # Errors
    /// What S3 says of the first that it does not take, or that the time is over; and how many are there by then. These are replaced
    /// when the same items come again together, and else stay beside those that the items are in then.
    pub async fn put(&self, bucket: &Bucket, until: Instant) -> anyhow::Result<()> {
        let Some(kept) = &self.kept else { return Ok(()) };
        let puts = kept.objects.iter().map(async |object| {
            let put = bucket.put(&kept.archive, object).await;
            put.with_context(|| format!("writing {}", bucket.name(object))).map(|()| object.rows)
        });
        let mut puts = stream::iter(puts).buffer_unordered(PUTS_AT_ONCE);
        let (mut files, mut rows) = (0, 0);
        let all = async {
            while let Some(put) = puts.next().await {
                rows += put?;
                files += 1;
            }
            anyhow::Ok(())
        };
        let all = timeout_at(Until::from_std(until), all).await.context("the time was over before all was archived");
        all.flatten().with_context(|| format!("{files} of {} files, with {rows} rows, are there", kept.objects.len()))
    }
}

fn folder() -> io::Result<(tempfile::TempDir, File)> {
    let folder = tempfile::Builder::new().prefix(FOLDER).tempdir()?;
    let lock = File::open(folder.path())?;
    lock.lock()?;
    Ok((folder, lock))
}

/// 16 hexadecimal digits that are others for other parts.
pub fn name_of(parts: &[&str]) -> String {
    let mut hash = blake3::Hasher::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().to_hex()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = temporary.path().join(name);
            fs::create_dir_all(folder.join("_weir/pending")).unwrap();
            fs::write(folder.join("_weir/pending/a.parquet"), "rows").unwrap();
            folder
        };
        let [left, used, other] = ["weir-unit-a", "weir-unit-b", "other"].map(folder);
        let lock = File::open(&used).unwrap();
        lock.lock().unwrap();
        sweep(temporary.path()).unwrap();
        assert_eq!([left, used, other].map(|folder| folder.exists()), [false, true, true]);
        assert!(sweep(&temporary.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_name_is_of_the_parts_and_of_where_they_end() {
        assert_eq!(name_of(&["a", "b"]), name_of(&["a", "b"]));
        assert_eq!(name_of(&["a", "b"]).len(), 16);
        assert_ne!(name_of(&["a", "b"]), name_of(&["ab"]));
        assert_ne!(name_of(&["a", "b"]), name_of(&["b", "a"]));
    }
}
