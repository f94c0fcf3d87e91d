//! Where a row lies in the archive: `TABLE/account=A/region=R/day=D/`.

use std::path::{Path, PathBuf};

use crate::table::Table;
use crate::time::{Timestamp, day_text};

/// Folder of everything in an archive that is not a table.
pub const PRIVATE: &str = "_weir";
/// Folder name of a missing account, Region or day.
const UNKNOWN: &str = "unknown";

/// A folder of the archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    pub account: String,
    pub region: String,
    /// Days since 1970-01-01; `None` where the event time is missing or absurd.
    pub day: Option<i32>,
}

/// Day of an event time between the years 2000 and 2100.
pub fn day_of(time: Option<Timestamp>) -> Option<i32> {
    const YEAR_2000: i32 = 10_957;
    const YEAR_2100: i32 = 47_482;
    time.map(Timestamp::day).filter(|day| (YEAR_2000..YEAR_2100).contains(day))
}

impl Partition {
    /// No value and an empty one are both `unknown`.
    pub fn new(account: Option<&str>, region: Option<&str>, day: Option<i32>) -> Partition {
        let named = |value: Option<&str>| value.filter(|value| !value.is_empty()).unwrap_or(UNKNOWN).to_owned();
        Partition { account: named(account), region: named(region), day }
    }

    /// Reads `account=A`, `region=R` and `day=D`; `None` when they are not these.
    pub fn from_folders(account: &str, region: &str, day: &str) -> Option<Partition> {
        let day = match day.strip_prefix("day=")? {
            UNKNOWN => None,
            day => Some(Timestamp::parse(day)?.day()),
        };
        let (account, region) = (account.strip_prefix("account=")?, region.strip_prefix("region=")?);
        Some(Partition { account: decoded(account), region: decoded(region), day })
    }

    /// The folder, relative to the archive.
    pub fn folder(&self, table: &Table) -> PathBuf {
        let day = self.day.map_or_else(|| UNKNOWN.to_owned(), day_text);
        Path::new(table.name)
            .join(format!("account={}", encoded(&self.account)))
            .join(format!("region={}", encoded(&self.region)))
            .join(format!("day={day}"))
    }
}

/// A value as a folder's name: percent-encoded as Hive does and never empty. A value too long for a folder is cut and
/// ends in a hash, so that two such values have two folders.
fn encoded(value: &str) -> String {
    const BYTES_MAX: usize = 96;
    let mut name = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte as char),
            other => name.push_str(&format!("%{other:02X}")),
        }
        if name.len() > BYTES_MAX {
            return format!("{name}~{}", &blake3::hash(value.as_bytes()).to_hex()[..16]);
        }
    }
    if name.is_empty() { UNKNOWN.to_owned() } else { name }
}

/// The value that [`encoded`] was given, as far as the name has it.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::cloudtrail::CLOUDTRAIL;

    #[test]
    fn a_hostile_value_stays_inside_its_folder() {
        let folder = |account: &str| {
            let partition = Partition::new(Some(account), Some("us-east-1"), Some(19936));
            partition.folder(&CLOUDTRAIL).display().to_string()
        };
        assert_eq!(folder("111122223333"), "cloudtrail/account=111122223333/region=us-east-1/day=2024-08-01");
        assert_eq!(folder("../x"), "cloudtrail/account=%2E%2E%2Fx/region=us-east-1/day=2024-08-01");
        assert_eq!(folder(""), "cloudtrail/account=unknown/region=us-east-1/day=2024-08-01");
        assert!(folder(&"é".repeat(500)).len() < 200);
        assert_ne!(folder(&"é".repeat(500)), folder(&"é".repeat(501)));
    }

    #[test]
    fn folders_tell_their_partition() {
        let read = |account, day| Partition::from_folders(account, "region=us-east-1", day);
        let written = |account, day| Some(Partition::new(Some(account), Some("us-east-1"), day));
        assert_eq!(read("account=%2E%2E%2Fx", "day=2024-08-01"), written("../x", Some(19936)));
        assert_eq!(read("account=100%", "day=unknown"), written("100%", None));
        assert_eq!(read("account=%C3%A9", "day=unknown"), written("é", None));
        assert_eq!(read("account=1", "day=today"), None);
        assert_eq!(read("1", "day=unknown"), None);
        assert_eq!(Partition::new(None, Some(""), None), Partition::new(Some("unknown"), Some("unknown"), None));
    }

    #[test]
    fn an_absurd_time_has_no_day() {
        assert_eq!(day_of(Some(Timestamp::parse("2024-08-01T23:59:59Z").unwrap())), Some(19936));
        assert_eq!(day_of(Some(Timestamp(0))), None);
        assert_eq!(day_of(Some(Timestamp(i64::MAX))), None);
        assert_eq!(day_of(None), None);
    }
}
