//! A line of CSV → the time and the value in it.

use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// Where a file has its time and its value. Other columns are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    timestamp: usize,
    value: usize,
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub struct Row<'a> {
    /// The time as it is written, without quotation marks.
    pub timestamp: &'a str,
    /// Time and value, which is finite; or what is wrong, in words.
    pub point: Result<(Timestamp, f64), String>,
}

impl Columns {
    /// Finds the columns `timestamp` and `value` in a header line, in any case; `None` when one of them is missing.
    pub fn of(header: &str) -> Option<Columns> {
        let names: Vec<&str> = fields(header.trim_start_matches('\u{feff}')).collect();
        let place = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        Some(Columns { timestamp: place("timestamp")?, value: place("value")? })
    }

    /// Reads a line. Times may be `2014-02-14 14:30:00` (UTC), RFC 3339, or seconds or milliseconds since 1970: what is
    /// 100,000,000,000 (the year 5138 in seconds) or more is milliseconds.
    pub fn read<'a>(&self, line: &'a str) -> Row<'a> {
        let (mut timestamp, mut value) = ("", "");
        for (place, field) in fields(line).enumerate() {
            if place == self.timestamp {
                timestamp = field;
            }
            if place == self.value {
                value = field;
            }
        }
        let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
        let point = match (time(timestamp), number) {
            (_, None) => Err(format!("`{value}` is not a number")),
            (None, _) => Err(format!("`{timestamp}` is not a time")),
            (Some(time), Some(number)) => Ok((time, number)),
        };
        Row { timestamp, point }
    }
}

/// The fields of a line, without the blanks and quotation marks around them. A line is a row, so that one quotation mark
/// too many costs no more than its own line.
fn fields(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?.trim_ascii_start();
        let quoted = text.strip_prefix('"').and_then(|inside| inside.split_once('"'));
        if let Some((field, after)) = quoted {
            rest = after.split_once(',').map(|(_, next)| next);
            return Some(field);
        }
        let (field, next) = text.split_once(',').map_or((text, None), |(field, next)| (field, Some(next)));
        rest = next;
        Some(field.trim_ascii_end())
    })
}

fn time(text: &str) -> Option<Timestamp> {
    plain(text.as_bytes()).or_else(|| epoch(text)).or_else(|| {
        let text = text.replacen(' ', "T", 1);
        Timestamp::parse(&text).or_else(|| Timestamp::parse(&(text + "Z")))
    })
}

/// `2014-02-14 14:30:00` or `2014-02-14 14:30`, a blank or a `T` in the middle: what nearly every line has.
fn plain(text: &[u8]) -> Option<Timestamp> {
    let seconds = match text.len() {
        16 => 0,
        19 if text[16] == b':' => two(text, 17)?,
        _ => return None,
    };
    let marks = text[4] == b'-' && text[7] == b'-' && matches!(text[10], b' ' | b'T') && text[13] == b':';
    let (year, month, day) = (two(text, 0)? * 100 + two(text, 2)?, two(text, 5)?, two(text, 8)?);
    let (hours, minutes) = (two(text, 11)?, two(text, 14)?);
    let in_month = day >= 1 && (day <= 28 || days(year, month, day) < days(year, month + 1, 1));
    let real = (1..=12).contains(&month) && in_month && hours < 24 && minutes < 60 && seconds < 60;
    let micros = (hours * 3600 + minutes * 60 + seconds) * MICROS_PER_SECOND;
    (marks && real).then(|| Timestamp(days(year, month, day) * MICROS_PER_DAY + micros))
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    let digits = &text[at..at + 2];
    digits.iter().all(u8::is_ascii_digit).then(|| i64::from(digits[0] - b'0') * 10 + i64::from(digits[1] - b'0'))
}

/// Days since 1970-01-01 in the Gregorian calendar, by years that begin in March, so that the leap day ends them
/// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`). For years from 0 on; month 13 is the
/// January after.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn epoch(text: &str) -> Option<Timestamp> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    let seconds = if number.abs() < 1e11 { number } else { number / 1e3 };
    Some(Timestamp((seconds * 1e6).round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2014-02-14T14:30:00Z, from a calendar.
    const VALENTINE: Timestamp = Timestamp(1_392_388_200_000_000);

    #[test]
    fn times_are_read_in_every_notation() {
        for text in [
            "2014-02-14 14:30:00",
            "2014-02-14T14:30:00",
            "2014-02-14 14:30",
            "2014-02-14T14:30:00Z",
            "2014-02-14T15:30:00+01:00",
            "2014-02-14 14:30:00.000",
            "1392388200",
            "1392388200.0",
            "1392388200000",
        ] {
            assert_eq!(time(text), Some(VALENTINE), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2014-13-14 14:30:00",
            "2014-02-29 14:30:00",
            "2014-12-32 14:30:00",
            "2014-02-14 24:30:00",
            "2014-02-14 14:30:0x",
            "NaN",
            "14:30",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_days_of_a_month_are_read() {
        assert_eq!(time("2016-02-29 00:00:00"), Some(Timestamp(1_456_704_000_000_000)));
        assert_eq!(time("2014-12-31 00:00"), Some(Timestamp(1_419_984_000_000_000)));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(1969, 12, 31), -1);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2024, 12, 31), 20_088);
    }

    #[test]
    fn a_header_says_where_the_columns_are() {
        assert_eq!(Columns::of("timestamp,value"), Some(Columns { timestamp: 0, value: 1 }));
        assert_eq!(Columns::of("\u{feff}host,Value, \"Timestamp\""), Some(Columns { timestamp: 2, value: 1 }));
        assert_eq!(Columns::of("2014-02-14 14:30:00,12.5"), None);
        assert_eq!(Columns::of("timestamp,count"), None);
    }

    #[test]
    fn a_row_is_read_or_says_what_is_wrong() {
        let columns = Columns::of("host,timestamp,value").unwrap();
        let read = |line| columns.read(line);
        let good = Row { timestamp: "2014-02-14 14:30:00", point: Ok((VALENTINE, -1.5)) };
        assert_eq!(read("web,2014-02-14 14:30:00,-1.5"), good);
        assert_eq!(read("\"a, b\",\"2014-02-14 14:30:00\", -1.5 ,more"), good);
        let wrong = |line| read(line).point.unwrap_err();
        assert_eq!(wrong("web,2014-02-14 14:30:00,n/a"), "`n/a` is not a number");
        assert_eq!(wrong("web,2014-02-14 14:30:00,NaN"), "`NaN` is not a number");
        assert_eq!(wrong("web,2014-02-14 14:30:00,inf"), "`inf` is not a number");
        assert_eq!(wrong("web,2014-02-14 14:30:00"), "`` is not a number");
        assert_eq!(wrong("web,soon,1"), "`soon` is not a time");
        assert_eq!(read("\"web,2014-02-14 14:30:00,1").timestamp, "2014-02-14 14:30:00");
    }
}
