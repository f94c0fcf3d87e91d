//! A Kinesis record as the Kinesis Producer Library packs it → the user records in it, their bytes where they are.
//!
//! An aggregated record (awslabs/amazon-kinesis-producer, aggregation-format.md) is four magic bytes, a protobuf
//! message, and the MD5 of that message:
//!
//! ```proto
//! message AggregatedRecord {
//!   repeated string partition_key_table = 1;  repeated string explicit_hash_key_table = 2;  repeated Record records = 3;
//! }
//! message Record {
//!   required uint64 partition_key_index = 1;  optional uint64 explicit_hash_key_index = 2;
//!   required bytes data = 3;  repeated Tag tags = 4;
//! }
//! ```
//!
//! The two messages are read by hand: the data stays a slice of the record it came in, and limits hold before anything
//! is allocated.

use bytes::Bytes;
use md5::{Digest, Md5};

/// What an aggregated record begins with.
pub const MAGIC: [u8; 4] = [0xf3, 0x89, 0x9a, 0xc2];
const DIGEST_BYTES: usize = 16;
/// The largest record that a stream takes, once its limit of 1 MiB has been raised.
pub const BYTES_MAX: usize = 10 << 20;
/// The largest record holds so many of 40 bytes each, and logs are longer.
const ENTRIES_MAX: usize = 1 << 18;

/// One record as its producer put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRecord<'a> {
    pub partition_key: &'a str,
    /// Decimal, as its producer wrote it; not checked.
    pub explicit_hash_key: Option<&'a str>,
    pub data: Bytes,
    /// Its place in the aggregate, from 0. With the sequence number of the whole it names the record.
    pub sub_sequence: u64,
}

/// The user records of an aggregated record, in order, at least one. `None` when it is not one or there is any doubt about
/// it (a wrong checksum, protobuf that does not parse, an index behind its table, more than 262,144 entries): then
/// the whole is one plain record, as the KCL has it.
///
/// Takes at most 40 MiB of memory beside `record`, for one that is made to take it.
pub fn unpack(record: &Bytes) -> Option<Vec<UserRecord<'_>>> {
    let message = checked(record)?;
    read(record, message).ok().filter(|records| !records.is_empty())
}

/// The protobuf message, when magic and checksum are right.
fn checked(record: &[u8]) -> Option<&[u8]> {
    let (message, digest) = record.strip_prefix(&MAGIC)?.split_last_chunk::<DIGEST_BYTES>()?;
    (Md5::digest(message)[..] == digest[..]).then_some(message)
}

/// Something about a message is not as the format has it.
struct Doubt;

fn read<'a>(record: &Bytes, message: &'a [u8]) -> Result<Vec<UserRecord<'a>>, Doubt> {
    // protobuf lets the tables stand behind the records that point into them
    let (mut partition_keys, mut hash_keys, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    for field in Fields(message) {
        let (list, value) = match field? {
            (1, Value::Bytes(value)) => (&mut partition_keys, value),
            (2, Value::Bytes(value)) => (&mut hash_keys, value),
            (3, Value::Bytes(value)) => (&mut messages, value),
            (1..=3, _) => return Err(Doubt),
            _ => continue,
        };
        if list.len() == ENTRIES_MAX {
            return Err(Doubt);
        }
        list.push(value);
    }
    let one = |(place, message): (usize, &&'a [u8])| {
        let (partition_key, hash_key, data) = pointers(message)?;
        Ok(UserRecord {
            partition_key: text(&partition_keys, partition_key)?,
            explicit_hash_key: hash_key.map(|index| text(&hash_keys, index)).transpose()?,
            data: record.slice_ref(data),
            sub_sequence: place as u64,
        })
    };
    messages.iter().enumerate().map(one).collect()
}

/// The fields of a `Record`: index of its partition key, of its explicit hash key, and its data.
fn pointers(message: &[u8]) -> Result<(u64, Option<u64>, &[u8]), Doubt> {
    let (mut partition_key, mut hash_key, mut data) = (None, None, None);
    for field in Fields(message) {
        match field? {
            (1, Value::Number(index)) => partition_key = Some(index),
            (2, Value::Number(index)) => hash_key = Some(index),
            (3, Value::Bytes(bytes)) => data = Some(bytes),
            (1..=3, _) => return Err(Doubt),
            _ => {}
        }
    }
    Ok((partition_key.ok_or(Doubt)?, hash_key, data.ok_or(Doubt)?))
}

fn text<'a>(table: &[&'a [u8]], index: u64) -> Result<&'a str, Doubt> {
    let bytes = usize::try_from(index).ok().and_then(|index| table.get(index)).ok_or(Doubt)?;
    std::str::from_utf8(bytes).map_err(|_| Doubt)
}

/// The fields of a protobuf message in order: number and value.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes, which the messages above do not have.
    Fixed,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Doubt>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_empty()).then(|| self.field())
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), Doubt> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.bytes(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.bytes(length)?)
            }
            5 => self.bytes(4).map(|_| Value::Fixed)?,
            // groups, which proto3 dropped, and types that never were
            _ => return Err(Doubt),
        };
        match tag >> 3 {
            number @ 1..=0x1fff_ffff => Ok((number, value)),
            _ => Err(Doubt),
        }
    }

    /// A varint: seven bits a byte, the lowest first, at most ten bytes.
    fn number(&mut self) -> Result<u64, Doubt> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or(Doubt)?;
            self.0 = rest;
            if shift == 63 && byte > 1 {
                return Err(Doubt);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Doubt)
    }

    fn bytes(&mut self, length: u64) -> Result<&'a [u8], Doubt> {
        let length = usize::try_from(length).map_err(|_| Doubt)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Doubt)?;
        self.0 = rest;
        Ok(bytes)
    }
}

impl UserRecord<'_> {
    /// Where the record belongs among the shards: its explicit hash key, or else the MD5 of its partition key. `None`
    /// when the explicit one is no number of 128 bits.
    pub fn hash_key(&self) -> Option<u128> {
        match self.explicit_hash_key {
            Some(decimal) => hash_key(decimal),
            None => Some(u128::from_be_bytes(Md5::digest(self.partition_key).into())),
        }
    }
}

/// Hash keys of a shard, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashRange {
    pub first: u128,
    pub last: u128,
}

impl HashRange {
    /// From the decimal numbers of `HashKeyRange`; `None` when they are not, or when the range is empty.
    pub fn parse(starting_hash_key: &str, ending_hash_key: &str) -> Option<HashRange> {
        let (first, last) = (hash_key(starting_hash_key)?, hash_key(ending_hash_key)?);
        (first <= last).then_some(HashRange { first, last })
    }

    pub fn contains(self, key: u128) -> bool {
        self.first <= key && key <= self.last
    }
}

fn hash_key(decimal: &str) -> Option<u128> {
    // `parse` alone would take a sign
    decimal.bytes().all(|byte| byte.is_ascii_digit()).then(|| decimal.parse().ok()).flatten()
}

#[cfg(test)]
pub(crate) mod tests;
