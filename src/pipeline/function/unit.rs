//! What is archived together: the rows of a stretch of a shard, of an object, or a message that cannot be understood.

use std::collections::BTreeSet;
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
                let folder = tempfile::tempdir().context("making a folder for temporary files")?;
                let archive = Archive::open(folder.path(), config)?;
                Some(Kept { archive, objects: Vec::new(), writes: 0, _folder: folder })
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
    fn a_name_is_of_the_parts_and_of_where_they_end() {
        assert_eq!(name_of(&["a", "b"]), name_of(&["a", "b"]));
        assert_eq!(name_of(&["a", "b"]).len(), 16);
        assert_ne!(name_of(&["a", "b"]), name_of(&["ab"]));
        assert_ne!(name_of(&["a", "b"]), name_of(&["b", "a"]));
    }
}
