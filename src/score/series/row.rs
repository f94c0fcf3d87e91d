//! A line of CSV → the time and the value in it.

use std::borrow::Cow;

use crate::score::when::instant;
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// Names of a column of times; the first of these that is there is taken.
const TIMES: [&str; 7] = ["timestamp", "time", "datetime", "date", "ts", "@timestamp", "_time"];

/// Where a file has its time, if it has any, and its value. Other columns are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    separator: char,
    timestamp: Option<usize>,
    value: usize,
}

/// What a line says.
#[derive(Debug, PartialEq)]
pub struct Row<'a> {
    /// The time as it is written, without quotation marks; in a file without times the number of the row.
    pub timestamp: Cow<'a, str>,
    /// Time and value, which is finite; or what is wrong, in words.
    pub point: Result<(Timestamp, f64), String>,
}

impl Columns {
    /// Finds the columns in a header line, in any case. Times are under `timestamp`, a name like it, or none in front;
    /// values under `wanted`, or else under `value` or the only other name. Commas separate them; semicolons,
    /// tabulators or bars where there is no comma. `None` where there are no such values, or a name is a number.
    pub fn of(header: &str, wanted: Option<&str>) -> Option<Columns> {
        let header = header.trim_start_matches('\u{feff}');
        let separator = [',', ';', '\t', '|'].into_iter().find(|mark| header.contains(*mark)).unwrap_or(',');
        let names: Vec<&str> = fields(header, separator).collect();
        if names.iter().any(|name| name.parse::<f64>().is_ok()) {
            return None;
        }
        let place = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let unnamed = names.first().filter(|name| name.is_empty()).map(|_| 0);
        let timestamp = TIMES.into_iter().find_map(place).or(unnamed);
        let only = || {
            let mut others = (0..names.len()).filter(|other| Some(*other) != timestamp && !names[*other].is_empty());
            let first = others.next();
            first.filter(|_| others.next().is_none())
        };
        let value = match wanted {
            Some(wanted) => place(wanted),
            None => place("value").or_else(only),
        };
        Some(Columns { separator, timestamp, value: value? })
    }

    /// Whether rows have times, and are not numbered.
    pub fn has_times(&self) -> bool {
        self.timestamp.is_some()
    }

    /// Reads a line, which is the row of this `number`: without times, each row is a second after the one before. Between
    /// semicolons a comma is the mark of a fraction.
    pub fn read<'a>(&self, line: &'a str, number: u64) -> Row<'a> {
        let (mut timestamp, mut value) = (Cow::Borrowed(""), "");
        for (place, field) in fields(line, self.separator).enumerate() {
            if Some(place) == self.timestamp {
                timestamp = Cow::Borrowed(field);
            }
            if place == self.value {
                value = field;
            }
        }
        let time = match self.timestamp {
            Some(_) => instant(&timestamp),
            None => {
                timestamp = Cow::Owned(number.to_string());
                Some(Timestamp(number as i64 * MICROS_PER_SECOND))
            }
        };
        // spreadsheets put semicolons between numbers where these have commas within
        let number =
            if self.separator == ';' { value.replacen(',', ".", 1).parse::<f64>() } else { value.parse::<f64>() };
        let finite = number.ok().filter(|value| value.is_finite());
        let point = match (time, finite) {
            (_, None) => Err(format!("`{value}` is not a number")),
            (None, _) => Err(format!("`{timestamp}` is not a time")),
            (Some(time), Some(value)) => Ok((time, value)),
        };
        Row { timestamp, point }
    }
}

/// The fields of a line, without the blanks and quotation marks around them. A line is a row, so that one quotation mark
/// too many costs no more than its own line.
fn fields(line: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?.trim_start_matches(' ');
        let quoted = text.strip_prefix('"').and_then(|inside| inside.split_once('"'));
        if let Some((field, after)) = quoted {
            rest = after.split_once(separator).map(|(_, next)| next);
            return Some(field);
        }
        let (field, next) = text.split_once(separator).map_or((text, None), |(field, next)| (field, Some(next)));
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
        let columns = |separator, timestamp, value| Some(Columns { separator, timestamp, value });
        let of = |header| Columns::of(header, None);
        assert_eq!(of("timestamp,value"), columns(',', Some(0), 1));
        assert_eq!(of("\u{feff}host,Value, \"Timestamp\""), columns(',', Some(2), 1));
        assert_eq!(of("date,timestamp,value"), columns(',', Some(1), 2));
        assert_eq!(of("timestamp,count"), columns(',', Some(0), 1));
        assert_eq!(of("Time;cpu"), columns(';', Some(0), 1));
        assert_eq!(of("cpu\ttime"), columns('\t', Some(1), 0));
        assert_eq!(of("timestamp|value"), columns('|', Some(0), 1));
        assert_eq!(of(",cpu"), columns(',', Some(0), 1));
        assert_eq!(of("\tcpu"), columns('\t', Some(0), 1));
        assert_eq!(of("cpu"), columns(',', None, 0));
        assert_eq!(Columns::of("time,cpu,mem", Some("Mem")), columns(',', Some(0), 2));
        assert_eq!(Columns::of("time,value", Some("mem")), None);
        for none in ["2014-02-14 14:30:00,12.5", "12.5", "timestamp,cpu,mem", "timestamp", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn a_row_is_read_or_says_what_is_wrong() {
        let columns = Columns::of("host,timestamp,value", None).unwrap();
        let read = |line| columns.read(line, 1);
        let good = Row { timestamp: "2014-02-14 14:30:00".into(), point: Ok((VALENTINE, -1.5)) };
        assert_eq!(read("web,2014-02-14 14:30:00,-1.5"), good);
        assert_eq!(read("\"a, b\",\"2014-02-14 14:30:00\", -1.5 ,more"), good);
        let wrong = |line| read(line).point.unwrap_err();
        assert_eq!(wrong("web,2014-02-14 14:30:00,n/a"), "`n/a` is not a number");
        assert_eq!(wrong("web,2014-02-14 14:30:00,NaN"), "`NaN` is not a number");
        assert_eq!(wrong("web,2014-02-14 14:30:00,inf"), "`inf` is not a number");
        assert_eq!(wrong("web,2014-02-14 14:30:00"), "`` is not a number");
        assert_eq!(wrong("web,soon,1"), "`soon` is not a time");
        assert_eq!(read("\"web,2014-02-14 14:30:00,1").timestamp, "2014-02-14 14:30:00");
        let tabbed = Columns::of("time\tcpu", None).unwrap();
        assert_eq!(tabbed.read("2014-02-14 14:30:00\t-1.5", 1), good);
        let of_spreadsheet = Columns::of("time;cpu", None).unwrap();
        assert_eq!(of_spreadsheet.read("2014-02-14 14:30:00;-1,5", 1), good);
        assert_eq!(of_spreadsheet.read("2014-02-14 14:30:00;-1.5", 1), good);
        assert!(of_spreadsheet.read("2014-02-14 14:30:00;1.234,5", 1).point.is_err());
        assert!(tabbed.read("2014-02-14 14:30:00\t1,234", 1).point.is_err(), "a fraction, or thousands");
        let untimed = Columns::of("cpu", None).unwrap();
        assert_eq!(untimed.read("3", 7), Row { timestamp: "7".into(), point: Ok((Timestamp(7_000_000), 3.0)) });
    }
}
