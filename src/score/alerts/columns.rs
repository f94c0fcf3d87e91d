//! A header and the fields of a line → an alert.

use std::fmt;

use crate::score::when::instant;
use crate::time::MICROS_PER_SECOND;

use super::Alert;

/// Where the columns are. `id`, `time` and `name` must be there; `ip`, `host` and `short` are empty where they are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    id: usize,
    time: usize,
    name: usize,
    ip: Option<usize>,
    host: Option<usize>,
    short: Option<usize>,
}

/// Why a header or a line cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnError {
    /// The header has no column of this name.
    NoColumn(&'static str),
    /// The line ends before this column.
    ShortLine(&'static str),
    /// The text is neither a number since 1970 nor an instant such as `2024-08-01T11:30:23Z`.
    BadTime(String),
}

impl fmt::Display for ColumnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColumnError::NoColumn(name) => write!(f, "the header has no column {name}"),
            ColumnError::ShortLine(name) => write!(f, "the line has no field {name}"),
            ColumnError::BadTime(text) => {
                write!(f, "{text:?} is no time: neither seconds since 1970 nor like 2024-08-01T11:30:23Z")
            }
        }
    }
}

impl std::error::Error for ColumnError {}

impl Columns {
    /// Finds the columns in the fields of a header, in any order and case; others are passed over. The time may be under
    /// `timestamp`.
    ///
    /// # Errors
    /// When `id`, `time` or `name` is missing.
    pub fn find<'a>(header: impl Iterator<Item = &'a str>) -> Result<Columns, ColumnError> {
        let names: Vec<String> = header.map(|name| name.trim_matches(['\u{feff}', ' ']).to_lowercase()).collect();
        let place = |name: &str| names.iter().position(|found| found == name);
        let must = |name| place(name).ok_or(ColumnError::NoColumn(name));
        let time = place("time").or_else(|| place("timestamp")).ok_or(ColumnError::NoColumn("time"))?;
        let (id, name) = (must("id")?, must("name")?);
        Ok(Columns { id, time, name, ip: place("ip"), host: place("host"), short: place("short") })
    }

    /// The id of a line; empty when it has none.
    pub fn id<'a>(&self, field: impl Fn(usize) -> Option<&'a str>) -> &'a str {
        field(self.id).unwrap_or("")
    }

    /// The id and the alert of a line whose fields `field` gives by their number.
    ///
    /// # Errors
    /// When the line is too short or its time cannot be read.
    pub fn alert<'a>(&self, field: impl Fn(usize) -> Option<&'a str>) -> Result<(&'a str, Alert<'a>), ColumnError> {
        let must = |at, name| field(at).ok_or(ColumnError::ShortLine(name));
        let may = |at: Option<usize>| at.and_then(&field).unwrap_or("").trim();
        let (id, time, name) = (must(self.id, "id")?, must(self.time, "time")?, must(self.name, "name")?);
        let time = seconds(time.trim()).ok_or_else(|| ColumnError::BadTime(time.to_owned()))?;
        Ok((id, Alert { time, name: name.trim(), ip: may(self.ip), host: may(self.host), short: may(self.short) }))
    }
}

/// Seconds since 1970.
fn seconds(text: &str) -> Option<f64> {
    Some(instant(text)?.0 as f64 / MICROS_PER_SECOND as f64)
}
