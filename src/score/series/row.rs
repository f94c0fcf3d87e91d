//! A line of CSV → the time and the value in it.

use crate::score::when::instant;
use crate::time::Timestamp;

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
        let point = match (instant(timestamp), number) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 2014-02-14T14:30:00Z, from a calendar.
    const VALENTINE: Timestamp = Timestamp(1_392_388_200_000_000);

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
