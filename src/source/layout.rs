//! S3 keys → what they say: where AWS puts the logs of an account, a service, a Region and a day, and when a file was
//! delivered.
//!
//! CloudTrail and VPC flow logs, and what GuardDuty exports, stand in
//! `[PREFIX/]AWSLogs/[o-ORGANIZATION/]ACCOUNT/SERVICE/REGION/YYYY/MM/DD/[HH/]FILE`, flow logs also, with Hive's names, in
//! `[PREFIX/]AWSLogs/aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/year=YYYY/month=MM/day=DD/[hour=HH/]FILE`.

use chrono::{Datelike, NaiveDate, TimeDelta};

use crate::table::Origin;
use crate::time::{MICROS_PER_DAY, MICROS_PER_HOUR, Timestamp};

/// What of a bucket is wanted. Empty lists want everything.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub range: Range,
    pub accounts: Vec<String>,
    pub regions: Vec<String>,
}

/// A stretch of event time: from `since`, up to but without `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// A file is named for the time that its delivery ended (CloudTrail) or that it was begun (flow logs, which are closed
/// every five minutes): its events may be younger by less than this.
const EARLY_MICROS: i64 = MICROS_PER_HOUR / 4;
/// Events are usually 5 to 15 minutes older than the name of their file. AWS promises no time; what is delivered later
/// than this is not found.
const LATE_MICROS: i64 = 6 * MICROS_PER_HOUR;

impl Range {
    /// From two instants in RFC 3339, or days: `since` a day begins at its midnight, `until` a day ends with it (UTC).
    ///
    /// # Errors
    /// Says which of them is no time, or that nothing lies between them.
    pub fn parse(since: Option<&str>, until: Option<&str>) -> Result<Range, String> {
        let time = |text: &str| {
            Timestamp::parse(text.trim())
                .ok_or_else(|| format!("`{text}` is neither a day like 2024-08-01 nor RFC 3339"))
        };
        let since_time = since.map(time).transpose()?;
        let mut until_time = until.map(time).transpose()?;
        if let (Some(time), Some(text)) = (&mut until_time, until)
            && text.trim().len() == "2024-08-01".len()
        {
            time.0 += MICROS_PER_DAY;
        }
        match (since_time, until_time) {
            (Some(from), Some(to)) if from >= to => {
                Err(format!("nothing lies between {} and {}", since.unwrap_or_default(), until.unwrap_or_default()))
            }
            (since, until) => Ok(Range { since, until }),
        }
    }

    /// Whether a file of this time can hold events of the range.
    pub fn may_hold(&self, file: Timestamp) -> bool {
        self.since.is_none_or(|since| file.0 >= since.0.saturating_sub(EARLY_MICROS))
            && self.until.is_none_or(|until| file.0 < until.0.saturating_add(LATE_MICROS))
    }

    /// First and last day, since 1970-01-01, whose folders can hold such files.
    fn days(&self) -> (Option<i32>, Option<i32>) {
        (
            self.since.map(|since| Timestamp(since.0.saturating_sub(EARLY_MICROS)).day()),
            self.until.map(|until| Timestamp(until.0.saturating_add(LATE_MICROS - 1)).day()),
        )
    }

    fn has_days(&self, first: i32, last: i32) -> bool {
        let (since, until) = self.days();
        since.is_none_or(|since| since <= last) && until.is_none_or(|until| first <= until)
    }
}

/// What is to be done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Read,
    /// No log, and known not to be.
    SetAside(&'static str),
    /// Of another account, Region or time than is wanted.
    Unwanted,
}

impl Wanted {
    /// Judges an object by its key. What the key does not say is taken to fit.
    pub fn judge(&self, key: &str) -> Verdict {
        if let Some(why) = set_aside(key) {
            return Verdict::SetAside(why);
        }
        let origin = Origin::from_name(key);
        let fits = origin.account.is_none_or(|account| self.has_account(&account))
            && origin.region.is_none_or(|region| self.has_region(&region))
            && key_time(key).is_none_or(|time| self.range.may_hold(time));
        if fits { Verdict::Read } else { Verdict::Unwanted }
    }

    fn has_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.iter().any(|wanted| wanted == account)
    }

    fn has_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.iter().any(|wanted| wanted == region)
    }
}

/// Why an object is no log, when its key says so.
pub fn set_aside(key: &str) -> Option<&'static str> {
    let (folders, file) = key.rsplit_once('/').unwrap_or(("", key));
    if file.is_empty() {
        Some("the marker of a folder")
    } else if folders.split('/').any(|folder| folder == DIGEST) || file.contains("_CloudTrail-Digest_") {
        Some(Strange::Digest.why())
    } else if file == "ConfigWritabilityCheckFile" {
        Some("written by AWS Config to see whether it can")
    } else {
        None
    }
}

const DIGEST: &str = "CloudTrail-Digest";

/// The time in a file's name: `..._20240801T1130Z_...`, to the minute or the second.
pub fn key_time(key: &str) -> Option<Timestamp> {
    let file = key.rsplit('/').next()?;
    file.split(['_', '.']).rev().find_map(|word| match word.len() {
        14 => Timestamp::parse(&format!("{}00Z", word.strip_suffix('Z')?)),
        16 if word.ends_with('Z') => Timestamp::parse(word),
        _ => None,
    })
}

/// When a file was delivered, as its name says it, or the day whose folder it is in.
pub fn delivered(path: &str) -> Option<Timestamp> {
    key_time(path).or_else(|| {
        let mut place = Place::Outside;
        for folder in path.rsplit_once('/')?.0.split('/') {
            if let Child::Into(below) = place.child(folder, &Wanted::default()) {
                place = below;
            }
        }
        if let Place::Day(day) = place { Some(Timestamp(i64::from(day) * MICROS_PER_DAY)) } else { None }
    })
}

/// How far down AWS's folders a prefix leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Above `AWSLogs/`, or nowhere in such a tree.
    Outside,
    /// In `AWSLogs/` or an organization's folder there.
    Root,
    Account(Names),
    Service(Names),
    Region(Names),
    Year(Names, i32),
    Month(Names, i32, u32),
    /// In the folder of a day since 1970-01-01, or deeper.
    Day(i32),
}

/// How folders are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    Plain,
    Hive,
}

/// What a folder in a [`Place`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    Into(Place),
    Unwanted,
    Strange(Strange),
}

/// Folders without logs for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strange {
    Digest,
    Service,
    Unknown,
}

impl Strange {
    pub fn why(self) -> &'static str {
        match self {
            Strange::Digest => "digests of CloudTrail's files, not logs",
            Strange::Service => "neither CloudTrail's, VPC flow logs nor GuardDuty's findings",
            Strange::Unknown => "not a folder as AWS names those of logs",
        }
    }
}

impl Place {
    /// What the folder `name` in this place is.
    pub fn child(self, name: &str, wanted: &Wanted) -> Child {
        let into = |place: Place, fits: bool| if fits { Child::Into(place) } else { Child::Unwanted };
        let found = match self {
            Place::Outside => (name == "AWSLogs").then_some(Child::Into(Place::Root)),
            Place::Root if is_organization(name) => Some(Child::Into(Place::Root)),
            Place::Root => {
                account(name).map(|(names, account)| into(Place::Account(names), wanted.has_account(account)))
            }
            Place::Account(names) => Some(service(names, name)),
            Place::Service(names) => names
                .value(name, "aws-region=")
                .filter(|region| is_region(region))
                .map(|region| into(Place::Region(names), wanted.has_region(region))),
            Place::Region(names) => {
                names.number(name, "year=", 4).map(|year| Child::Into(Place::Year(names, year as i32)))
            }
            Place::Year(names, year) => {
                names.number(name, "month=", 2).map(|month| Child::Into(Place::Month(names, year, month)))
            }
            Place::Month(names, year, month) => names
                .number(name, "day=", 2)
                .and_then(|day| day_number(year, month, day))
                .map(|day| Child::Into(Place::Day(day))),
            Place::Day(_) => Some(Child::Into(self)),
        };
        match found {
            Some(Child::Into(place)) => match place.days() {
                Ok(Some((first, last))) => into(place, wanted.range.has_days(first, last)),
                Ok(None) => Child::Into(place),
                Err(NoDate) => Child::Strange(Strange::Unknown),
            },
            Some(child) => child,
            None => Child::Strange(Strange::Unknown),
        }
    }

    /// The folders in this place, when the range alone says that they can be no more than two: those need not be listed.
    pub fn children_by_range(self, wanted: &Wanted) -> Option<Vec<String>> {
        let (Some(first), Some(last)) = wanted.range.days() else { return None };
        let (names, key, digits, numbers) = match self {
            Place::Region(names) => (names, "year=", 4, year(first)?..=year(last)?),
            Place::Year(names, _) => (names, "month=", 2, 1..=12),
            Place::Month(names, ..) => (names, "day=", 2, 1..=31),
            Place::Outside | Place::Root | Place::Account(_) | Place::Service(_) | Place::Day(_) => return None,
        };
        let name = |number| match names {
            Names::Plain => format!("{number:0digits$}"),
            Names::Hive => format!("{key}{number:0digits$}"),
        };
        let fits = |name: &String| matches!(self.child(name, wanted), Child::Into(_));
        let children: Vec<String> = numbers.map(name).filter(fits).take(3).collect();
        (children.len() <= 2).then_some(children)
    }

    /// First and last day in this place; `None` above the years.
    fn days(self) -> Result<Option<(i32, i32)>, NoDate> {
        let days = match self {
            Place::Year(_, year) => day_number(year, 1, 1).zip(day_number(year, 12, 31)),
            Place::Month(_, year, month) => {
                let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                day_number(year, month, 1).zip(day_number(next_year, next, 1).map(|next| next - 1))
            }
            Place::Day(day) => Some((day, day)),
            Place::Outside | Place::Root | Place::Account(_) | Place::Service(_) | Place::Region(_) => return Ok(None),
        };
        days.map(Some).ok_or(NoDate)
    }
}

/// There is no such month.
struct NoDate;

impl Names {
    fn value<'a>(self, name: &'a str, key: &str) -> Option<&'a str> {
        match self {
            Names::Plain => Some(name),
            Names::Hive => name.strip_prefix(key),
        }
    }

    fn number(self, name: &str, key: &str, digits: usize) -> Option<u32> {
        let value = self.value(name, key)?;
        let is_number = value.len() == digits && value.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| value.parse().ok()).flatten()
    }
}

fn account(name: &str) -> Option<(Names, &str)> {
    let (names, account) = match name.strip_prefix("aws-account-id=") {
        Some(account) => (Names::Hive, account),
        None => (Names::Plain, name),
    };
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some((names, account))
}

fn is_organization(name: &str) -> bool {
    name.strip_prefix("o-")
        .is_some_and(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

/// Any name that could be a Region's: new ones come.
fn is_region(name: &str) -> bool {
    name.contains('-') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// CloudTrail's own logs are `CloudTrail`, its other kinds `CloudTrail-Insight`, `-NetworkActivity`, `-Aggregated`.
fn service(names: Names, name: &str) -> Child {
    match names.value(name, "aws-service=") {
        Some(DIGEST) => Child::Strange(Strange::Digest),
        Some("vpcflowlogs" | "CloudTrail" | "GuardDuty") => Child::Into(Place::Service(names)),
        Some(kind) if kind.starts_with("CloudTrail-") => Child::Into(Place::Service(names)),
        _ => Child::Strange(Strange::Service),
    }
}

fn day_number(year: i32, month: u32, day: u32) -> Option<i32> {
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    Some(date.signed_duration_since(NaiveDate::default()).num_days() as i32)
}

/// The year of a day; 0 for all before it.
fn year(day: i32) -> Option<u32> {
    let date = NaiveDate::default().checked_add_signed(TimeDelta::days(day.into()))?;
    Some(u32::try_from(date.year()).unwrap_or(0))
}

#[cfg(test)]
mod tests;
