//! A file, and a length of it → by what it is known up to there, so that no other file is taken for it later.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use serde::{Deserialize, Serialize};

/// How far a file was written or read when that was last committed, and by what it is known then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub bytes: u64,
    /// Hash of the last bytes before that, at most [`TAIL_BYTES`]; empty where there is no file.
    #[serde(default)]
    pub tail: String,
    /// Device and number of the file; empty where there is none.
    #[serde(default)]
    pub file: String,
}

/// Of the end of a file so much tells it from any other.
const TAIL_BYTES: u64 = 4 << 10;

impl Mark {
    /// What a file is known by up to some length; of one that is shorter, nothing is known but its number.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(file: &File, bytes: u64) -> io::Result<Mark> {
        let own = file.metadata()?;
        if !own.is_file() {
            return Ok(Mark { bytes, ..Mark::default() });
        }
        let mut tail = vec![0; bytes.min(TAIL_BYTES) as usize];
        let from = bytes - tail.len() as u64;
        match file.read_exact_at(&mut tail, from) {
            Ok(()) => {}
            // it was emptied meanwhile, and is known by its number again once something is in it
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => tail.clear(),
            Err(error) => return Err(error),
        }
        Ok(Mark { bytes, tail: blake3::hash(&tail).to_hex().to_string(), file: number(&own) })
    }

    /// Whether both are of one file. An empty one is known by its number alone.
    pub fn is_same(&self, other: &Mark) -> bool {
        self.bytes == other.bytes && self.tail == other.tail && (self.bytes > 0 || self.file == other.file)
    }
}

/// What a file is known by as long as it is there, whatever its name.
pub fn number(file: &Metadata) -> String {
    format!("{}:{}", file.dev(), file.ino())
}
