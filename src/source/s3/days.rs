//! Days of a folder that have been read whole, as the checkpoint holds them: one entry for each run of days in a row,
//! where single objects would be millions.
//!
//! The entry's partition is `s3://BUCKET/FOLDER/|days from 2024-08-01`, the folder being that of a Region, and its offset
//! the day, since 1970-01-01, before which all are done. What is put into the folder of a day after that is not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::position::{Checkpoint, Offset, Position};
use crate::source::plan::Leaf;
use crate::time::{MICROS_PER_DAY, Timestamp, day_text};

/// A day's files are all there this long after its end; before that, its objects are remembered one by one.
const SETTLED_DAYS: i64 = 2;

/// Whether nothing comes any more into the folder of a day.
pub(super) fn is_settled(day: i32, now: Timestamp) -> bool {
    i64::from(day) + 1 + SETTLED_DAYS <= now.0.div_euclid(MICROS_PER_DAY)
}

/// The folder that the folder of a day stands in, and the day; `None` for any other.
pub(super) fn folder_of_day(leaf: &Leaf) -> Option<(&str, i32)> {
    let day = leaf.day?;
    let text = day_text(day);
    let mut parts = text.split('-');
    let (year, month, date) = (parts.next()?, parts.next()?, parts.next()?);
    let hive = format!("year={year}/month={month}/day={date}/");
    let root = leaf.prefix.strip_suffix(&format!("{year}/{month}/{date}/")).or(leaf.prefix.strip_suffix(&hive))?;
    Some((root, day))
}

/// Whether an object is done, by itself or with the day in whose folder it stands.
pub(super) fn is_done(done: &Checkpoint, partition: &str) -> bool {
    done.is_done(partition) || is_folded(done, partition).unwrap_or(false)
}

fn is_folded(done: &Checkpoint, partition: &str) -> Option<bool> {
    let (name, _etag) = partition.rsplit_once('|')?;
    let folders: Vec<&str> = name.split('/').collect();
    let (folders, _file) = folders.split_at(folders.len() - 1);
    // the last three folders in a row that are a date: an hour's may stand behind them
    let (at, day) = folders.windows(3).enumerate().rev().find_map(|(at, parts)| Some((at, date(parts)?)))?;
    let run = format!("{}/{FROM}", folders[..at].join("/"));
    let mut runs = done.from(&run).take_while(|(name, _)| name.starts_with(&run));
    Some(runs.any(|(partition, behind)| {
        let first = Timestamp::parse(&partition[run.len()..]).map(Timestamp::day);
        first.is_some_and(|first| first <= day) && *behind > Offset::at(day as u64)
    }))
}

/// The day that folders stand for, named as AWS or Hive does.
fn date(folders: &[&str]) -> Option<i32> {
    let number = |place: usize, key: &str, digits: usize| {
        let value = folders[place].strip_prefix(key).unwrap_or(folders[place]);
        (value.len() == digits && value.bytes().all(|byte| byte.is_ascii_digit())).then_some(value)
    };
    let text = format!("{}-{}-{}", number(0, "year=", 4)?, number(1, "month=", 2)?, number(2, "day=", 2)?);
    Timestamp::parse(&text).map(Timestamp::day)
}

/// The days of one bucket that are done.
#[derive(Debug, Default)]
pub(super) struct Days {
    bucket: String,
    /// By folder, the runs: first day, and the day behind the last.
    runs: BTreeMap<String, BTreeMap<i32, i32>>,
}

impl Days {
    pub fn of(bucket: &str, checkpoint: &Checkpoint) -> Days {
        let mut days = Days { bucket: bucket.to_owned(), runs: BTreeMap::new() };
        let start = format!("s3://{bucket}/");
        for (partition, offset) in checkpoint.from(&start).take_while(|(name, _)| name.starts_with(&start)) {
            let run = partition[start.len()..].split_once(FROM);
            let (Some((root, first)), Offset::At(behind)) = (run, offset) else { continue };
            if let (Some(first), Ok(behind)) = (Timestamp::parse(first), behind.parse()) {
                days.runs.entry(root.to_owned()).or_default().insert(first.day(), behind);
            }
        }
        days
    }

    pub fn has(&self, root: &str, day: i32) -> bool {
        self.run_before(root, day).is_some_and(|(_, behind)| day < behind)
    }

    /// A day is done: the position that says so.
    pub fn add(&mut self, root: &str, day: i32) -> Position {
        let first = match self.run_before(root, day) {
            Some((first, behind)) if day <= behind => first,
            _ => day,
        };
        let behind = self.runs.entry(root.to_owned()).or_default().entry(first).or_default();
        *behind = (day + 1).max(*behind);
        let partition = format!("s3://{}/{root}{FROM}{}", self.bucket, day_text(first));
        Position { partition: Arc::from(partition), offset: Offset::at(*behind as u64) }
    }

    /// The last run that begins on the day or before.
    fn run_before(&self, root: &str, day: i32) -> Option<(i32, i32)> {
        self.runs.get(root)?.range(..=day).next_back().map(|(first, behind)| (*first, *behind))
    }
}

const FROM: &str = "|days from ";

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "AWSLogs/111122223333/CloudTrail/eu-west-1/";

    fn leaf(prefix: &str, day: Option<i32>) -> Leaf {
        Leaf { prefix: prefix.to_owned(), day }
    }

    #[test]
    fn only_the_folder_of_a_whole_day_is_one() {
        // 2024-08-01
        let day = 19_936;
        let plain = leaf(&format!("{ROOT}2024/08/01/"), Some(day));
        assert_eq!(folder_of_day(&plain), Some((ROOT, day)));
        let hive = leaf("AWSLogs/aws-account-id=1/aws-region=x-1/year=2024/month=08/day=01/", Some(day));
        assert_eq!(folder_of_day(&hive), Some(("AWSLogs/aws-account-id=1/aws-region=x-1/", day)));
        assert_eq!(folder_of_day(&leaf(&format!("{ROOT}2024/08/01/13/"), Some(day))), None);
        assert_eq!(folder_of_day(&leaf(&format!("{ROOT}2024/08/01/1111"), Some(day))), None);
        assert_eq!(folder_of_day(&leaf("plain/", None)), None);
    }

    #[test]
    fn days_in_a_row_are_one_entry() {
        let mut days = Days::of("bucket", &Checkpoint::default());
        let mut done = Checkpoint::default();
        for day in [19_936, 19_937, 19_938, 19_940] {
            done.advance(days.add(ROOT, day));
        }
        let partition = |first: &str| Arc::from(format!("s3://bucket/{ROOT}|days from {first}"));
        let expected = [(partition("2024-08-01"), Offset::at(19_939)), (partition("2024-08-05"), Offset::at(19_941))];
        assert_eq!(done.0.clone().into_iter().collect::<Vec<_>>(), expected);

        let again = Days::of("bucket", &done);
        let has: Vec<i32> = (19_934..19_944).filter(|day| again.has(ROOT, *day)).collect();
        assert_eq!(has, [19_936, 19_937, 19_938, 19_940]);
        assert!(!again.has("other/", 19_936));
        assert!(!Days::of("bucke", &done).has(ROOT, 19_936));
    }

    #[test]
    fn an_object_is_done_with_its_day() {
        let mut done = Checkpoint::default();
        let mut days = Days::of("bucket", &done);
        // 2024-08-01 and the day behind it
        for root in [ROOT, "hive/aws-region=eu-west-1/"] {
            done.advance(days.add(root, 19_936));
            done.advance(days.add(root, 19_937));
        }
        done.advance(Position { partition: "s3://bucket/alone|e".into(), offset: Offset::End });
        let is_done = |key: &str| is_done(&done, &format!("s3://bucket/{key}|e"));
        for key in ["2024/08/01/x.json.gz", "2024/08/02/13/x.gz"] {
            assert!(is_done(&format!("{ROOT}{key}")), "{key}");
        }
        assert!(is_done("hive/aws-region=eu-west-1/year=2024/month=08/day=02/x.gz") && is_done("alone"));
        for key in ["2024/07/31/x.gz", "2024/08/03/x.gz", "x.gz", "2024/08/x.gz"] {
            assert!(!is_done(&format!("{ROOT}{key}")), "{key}");
        }
        assert!(!is_done("AWSLogs/444455556666/CloudTrail/eu-west-1/2024/08/01/x.gz") && !is_done("other"));
    }

    #[test]
    fn a_day_that_fills_a_gap_joins_the_run_before_it() {
        let mut days = Days::of("bucket", &Checkpoint::default());
        days.add(ROOT, 10);
        days.add(ROOT, 12);
        assert_eq!(days.add(ROOT, 11).offset, Offset::at(12));
        assert!((10..13).all(|day| days.has(ROOT, day)));
        // what is known is not taken back
        assert_eq!(days.add(ROOT, 10).offset, Offset::at(12));
    }

    #[test]
    fn a_day_is_settled_two_days_after_its_end() {
        let end = |day: i64| Timestamp(day * MICROS_PER_DAY);
        assert!(!is_settled(100, Timestamp(end(103).0 - 1)));
        assert!(is_settled(100, end(103)));
    }
}
