//! Where a row lies in the archive: `TABLE/account=A/region=R/day=D/`.

use std::path::{Path, PathBuf};

use crate::table::Table;
use crate::time::{Timestamp, day_text};

/// Folder of everything in an archive that is not a table.
pub const PRIVATE: &str = "_weir";

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
    /// The folder, relative to the archive.
    pub fn folder(&self, table: &Table) -> PathBuf {
        let day = self.day.map_or_else(|| "unknown".to_owned(), day_text);
        Path::new(table.name)
            .join(format!("account={}", encoded(&self.account)))
            .join(format!("region={}", encoded(&self.region)))
            .join(format!("day={day}"))
    }
}

/// A value as a folder's name: percent-encoded as Hive does, at most 100 bytes long, never empty.
fn encoded(value: &str) -> String {
    let mut name = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte as char),
            other => name.push_str(&format!("%{other:02X}")),
        }
        if name.len() > 96 {
            break;
        }
    }
    if name.is_empty() { "unknown".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::cloudtrail::CLOUDTRAIL;

    #[test]
    fn a_hostile_value_stays_inside_its_folder() {
        let folder = |account: &str| {
            let partition = Partition { account: account.into(), region: "us-east-1".into(), day: Some(19936) };
            partition.folder(&CLOUDTRAIL).display().to_string()
        };
        assert_eq!(folder("111122223333"), "cloudtrail/account=111122223333/region=us-east-1/day=2024-08-01");
        assert_eq!(folder("../x"), "cloudtrail/account=%2E%2E%2Fx/region=us-east-1/day=2024-08-01");
        assert_eq!(folder(""), "cloudtrail/account=unknown/region=us-east-1/day=2024-08-01");
        assert!(folder(&"é".repeat(500)).len() < 200);
    }

    #[test]
    fn an_absurd_time_has_no_day() {
        assert_eq!(day_of(Some(Timestamp::parse("2024-08-01T23:59:59Z").unwrap())), Some(19936));
        assert_eq!(day_of(Some(Timestamp(0))), None);
        assert_eq!(day_of(Some(Timestamp(i64::MAX))), None);
        assert_eq!(day_of(None), None);
    }
}
