//! A time as people and programs write it → an instant.

use crate::time::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// Reads a date with or without a time of day, as [`written`] has it, or a number of what went by since 1970: seconds up to
/// 100,000,000,000 (the year 5138), and milli-, micro- and nanoseconds up to a thousand times as many each.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    plain(text.as_bytes()).or_else(|| epoch(text)).or_else(|| written(text))
}

/// Reads `2014-02-14 14:30:00`, RFC 3339 and what is near to them: a `/` for a `-`, no seconds, offsets without a colon or
/// behind a blank, `UTC` at the end; and `14.02.2014 14:30`, where dots say that the day is first. What has no offset is
/// taken for UTC. A year has four digits: `03/04/24` may be any of three days.
pub(super) fn written(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix("UTC").or_else(|| text.strip_suffix("GMT")).unwrap_or(text).trim_ascii_end();
    if let Some(text) = year_first(text) {
        return written(&text);
    }
    let year = text.as_bytes().get(..4)?;
    if !year.iter().all(u8::is_ascii_digit) {
        return None;
    }
    plain(text.as_bytes()).or_else(|| Timestamp::parse(text)).or_else(|| {
        let (day, time) = text.split_at_checked(10)?;
        let day = if day.matches('/').count() == 2 { day.replace('/', "-") } else { day.to_owned() };
        if time.is_empty() {
            return Timestamp::parse(&day);
        }
        let (time, offset) = parted(time.strip_prefix([' ', 'T', 't'])?);
        let seconds = if time.len() == 5 { ":00" } else { "" };
        Timestamp::parse(&format!("{day}T{time}{seconds}{offset}"))
    })
}

/// What begins with `14.02.2014`, with `2014-02-14` in its place.
fn year_first(text: &str) -> Option<String> {
    let (date, rest) = text.split_at_checked(10)?;
    let bytes = date.as_bytes();
    let is_dotted = bytes[2] == b'.' && bytes[5] == b'.' && bytes[6..].iter().all(u8::is_ascii_digit);
    is_dotted.then(|| format!("{}-{}-{}{rest}", &date[6..], &date[3..5], &date[..2]))
}

/// A time of day, and its offset as RFC 3339 has it.
fn parted(text: &str) -> (&str, String) {
    let (time, offset) = text.split_at(text.rfind(['Z', 'z', '+', '-']).unwrap_or(text.len()));
    let offset = match offset.len() {
        0 => "Z".to_owned(),
        5 if offset.is_ascii() => format!("{}:{}", &offset[..3], &offset[3..]),
        _ => offset.to_owned(),
    };
    (time.trim_ascii_end(), offset)
}

/// `2014-02-14 14:30:00` or `2014-02-14 14:30`, a blank or a `T` in the middle: what nearly every line has.
fn plain(text: &[u8]) -> Option<Timestamp> {
    let seconds = match text.len() {
        16 => 0,
        19 if text[16] == b':' => two(text, 17)?,
        _ => return None,
    };
    let dates = matches!(text[4], b'-' | b'/') && text[4] == text[7];
    let marks = dates && matches!(text[10], b' ' | b'T') && text[13] == b':';
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
    let micros = number * 1e6 / per_second(number.abs());
    Some(Timestamp(micros.round() as i64))
}

/// How many of the unit of a number since 1970 are a second.
pub(super) fn per_second(since_1970: f64) -> f64 {
    let thousands = [1e11, 1e14, 1e17].iter().filter(|least| since_1970 >= **least).count();
    [1.0, 1e3, 1e6, 1e9][thousands]
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
            "2014-02-14 15:30:00+0100",
            "2014-02-14T09:30:00.000-0500",
            "2014-02-14 15:30:00 +0100",
            "2014-02-14T09:30:00 -05:00",
            "2014-02-14 15:30 +01:00",
            "2014-02-14T14:30Z",
            "2014-02-14 14:30:00 UTC",
            "2014-02-14 14:30 UTC",
            "2014/02/14 14:30:00",
            "2014/02/14 14:30",
            "2014/02/14 14:30:00.000",
            "14.02.2014 14:30",
            "14.02.2014 14:30:00",
            "14.02.2014 15:30:00 +0100",
            "1392388200",
            "1392388200.0",
            "1392388200000",
            "1392388200000000",
            "1392388200000000000",
        ] {
            assert_eq!(instant(text), Some(VALENTINE), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "UTC",
            "é0100",
            "2014-13-14 14:30:00",
            "2014-02-29 14:30:00",
            "2014-12-32 14:30:00",
            "2014-02-14 24:30:00",
            "2014-02-14 14:30:0x",
            "2014/02-14 14:30",
            "02/14/2014 14:30",
            "02.14.2014 14:30",
            "14.02.14 14:30",
            "é.02.2014 14:30",
            "03/04/24",
            "03-04-24",
            "NaN",
            "14:30",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn the_last_days_of_a_month_are_read() {
        assert_eq!(instant("2016-02-29 00:00:00"), Some(Timestamp(1_456_704_000_000_000)));
        assert_eq!(instant("2014-12-31 00:00"), Some(Timestamp(1_419_984_000_000_000)));
        assert_eq!(instant("2014/12/31"), Some(Timestamp(1_419_984_000_000_000)));
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(1969, 12, 31), -1);
        assert_eq!(days(2000, 2, 29), 11_016);
        assert_eq!(days(2000, 3, 1), 11_017);
        assert_eq!(days(2024, 12, 31), 20_088);
    }
}
