//! One line of `src,dst,tick`, or of columns that a header names → its source, destination and tick.

use std::fmt;

use crate::score::when::{per_second, written};
use crate::time::MICROS_PER_SECOND;

/// An edge as its line has it. Source and destination are any text, without the quotes around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub src: &'a [u8],
    pub dst: &'a [u8],
    pub tick: u64,
}

/// Names of columns in a header, in any case; the first of these that is there is taken.
const SOURCES: [&str; 8] = ["src", "source", "src_ip", "source_ip", "srcip", "srcaddr", "src_addr", "sip"];
const DESTINATIONS: [&str; 9] =
    ["dst", "dest", "destination", "dst_ip", "dest_ip", "destination_ip", "dstip", "dstaddr", "dst_addr"];
const TICKS: [&str; 8] = ["tick", "minute", "second", "time", "timestamp", "ts", "start", "start_time"];

/// Where a line has its source, destination and tick: the first three fields, unless a header says otherwise; and what stands
/// between its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    separator: u8,
    src: usize,
    dst: usize,
    tick: usize,
}

impl Default for Columns {
    fn default() -> Columns {
        Columns { separator: b',', src: 0, dst: 1, tick: 2 }
    }
}

impl Columns {
    /// Finds the columns that a first line names; the first three, unless it names all of them. Commas are between them; semicolons,
    /// tabulators or bars where there are not two commas.
    pub fn of(first: &[u8]) -> Columns {
        Columns::named(first).unwrap_or(Columns { separator: separator(first), ..Columns::default() })
    }

    fn named(header: &[u8]) -> Option<Columns> {
        let separator = separator(header);
        let header = String::from_utf8_lossy(header).to_lowercase();
        let names: Vec<&str> = header
            .split(char::from(separator))
            .map(|name| name.trim_matches([' ', '"', '\u{feff}', '\r', '\n']))
            .collect();
        let place = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
        Some(Columns { separator, src: place(&SOURCES)?, dst: place(&DESTINATIONS)?, tick: place(&TICKS)? })
    }
}

/// What stands between the fields of a line, which are three or more.
fn separator(line: &[u8]) -> u8 {
    let is_twice = |mark: &u8| line.iter().filter(|byte| *byte == mark).nth(1).is_some();
    [b',', b';', b'\t', b'|'].into_iter().find(is_twice).unwrap_or(b',')
}

/// Why a line is no edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// Fewer fields than it takes to have a source, a destination and a tick.
    TooFewFields,
    /// The tick is neither a whole number from 0 to 2^64 - 1 nor a time since 1970.
    NoTick,
    /// A quoted field does not end.
    OpenQuote,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LineError::TooFewFields => "too few fields for src,dst,tick",
            LineError::NoTick => "the tick is neither a whole number nor a time",
            LineError::OpenQuote => "a quoted field does not end",
        })
    }
}

impl std::error::Error for LineError {}

/// Reads a line, with or without its line end. Other fields are passed over. A tick may end in a fraction, which
/// is cut off. Times are seconds since 1970, and so are numbers that are milli-, micro- or nanoseconds since then.
///
/// # Errors
/// See [`LineError`].
pub fn parse_line(line: &[u8], columns: Columns) -> Result<Line<'_>, LineError> {
    let wanted = [columns.src, columns.dst, columns.tick];
    let (mut found, mut rest) = ([&line[..0]; 3], Some(line));
    for place in 0..=columns.src.max(columns.dst).max(columns.tick) {
        let (text, next) = field(rest.ok_or(LineError::TooFewFields)?, columns.separator)?;
        for (found, wanted) in found.iter_mut().zip(wanted) {
            if wanted == place {
                *found = text;
            }
        }
        rest = next;
    }
    let [src, dst, tick] = found;
    Ok(Line { src, dst, tick: tick_of(tick).ok_or(LineError::NoTick)? })
}

/// True for a first line that names columns: its third field has no digit, or all three are named.
pub fn is_header(line: &[u8]) -> bool {
    let separator = separator(line);
    let third = line.split(|&byte| byte == separator).nth(2);
    third.is_some_and(|tick| !tick.is_empty() && !tick.iter().any(u8::is_ascii_digit)) || Columns::named(line).is_some()
}

/// The first field, and what follows its separator.
fn field(line: &[u8], separator: u8) -> Result<(&[u8], Option<&[u8]>), LineError> {
    let quoted = line.first() == Some(&b'"');
    let from = if quoted { end_of_quoted(line)? } else { 0 };
    let end = line[from..].iter().position(|&byte| byte == separator).map(|at| from + at);
    let text = line[..end.unwrap_or(line.len())].trim_ascii();
    let text = if quoted { &text[1..from - 1] } else { text };
    Ok((text, end.map(|at| &line[at + 1..])))
}

/// One past the closing quote; a doubled quote is part of the text, and stays doubled in it.
fn end_of_quoted(line: &[u8]) -> Result<usize, LineError> {
    let mut at = 1;
    loop {
        at += 1 + line[at..].iter().position(|&byte| byte == b'"').ok_or(LineError::OpenQuote)?;
        match line.get(at) {
            Some(b'"') => at += 1,
            _ => return Ok(at),
        }
    }
}

fn tick_of(text: &[u8]) -> Option<u64> {
    if let Some(tick) = whole(text) {
        return Some(tick / per_second(tick as f64) as u64);
    }
    let time = written(std::str::from_utf8(text).ok()?)?;
    u64::try_from(time.0.div_euclid(MICROS_PER_SECOND)).ok()
}

fn whole(text: &[u8]) -> Option<u64> {
    let digits = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let fraction = &text[digits..];
    let is_fraction = fraction.is_empty() || fraction[0] == b'.' && fraction[1..].iter().all(u8::is_ascii_digit);
    if digits == 0 || !is_fraction {
        return None;
    }
    text[..digits].iter().try_fold(0u64, |whole, digit| whole.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(src: &'static str, dst: &'static str, tick: u64) -> Result<Line<'static>, LineError> {
        Ok(Line { src: src.as_bytes(), dst: dst.as_bytes(), tick })
    }

    fn parse(line: &[u8]) -> Result<Line<'_>, LineError> {
        parse_line(line, Columns::default())
    }

    #[test]
    fn a_header_says_where_the_columns_are() {
        let of = |header: &str| Columns::of(header.as_bytes());
        assert_eq!(of("src,dst,tick"), Columns::default());
        assert_eq!(of("a,b,c"), Columns::default());
        assert_eq!(of("src,dst,port"), Columns::default());
        let flows = of("\u{feff}Timestamp,\"Src_IP\",port,dst_ip\r\n");
        assert_eq!(flows, Columns { separator: b',', src: 1, dst: 3, tick: 0 });
        assert_eq!(parse_line(b"17,a,80,b", flows), edge("a", "b", 17));
        assert_eq!(parse_line(b"17,a,80", flows), Err(LineError::TooFewFields));
    }

    #[test]
    fn other_signs_than_commas_may_stand_between_fields() {
        for mark in [';', '\t', '|'] {
            let named = format!("time{mark}\"src\"{mark}port{mark}dst\r\n");
            assert!(is_header(named.as_bytes()) && is_header(format!("a{mark}b{mark}c").as_bytes()), "{mark:?}");
            let line = format!("17{mark}\"a,{mark}\"{mark}80{mark}b\n");
            let found = parse_line(line.as_bytes(), Columns::of(named.as_bytes())).unwrap();
            assert_eq!((found.src, found.dst, found.tick), (format!("a,{mark}").as_bytes(), &b"b"[..], 17));
            let line = format!("a{mark}b, c{mark}17{mark}x");
            assert!(!is_header(line.as_bytes()));
            let found = parse_line(line.as_bytes(), Columns::of(line.as_bytes())).unwrap();
            assert_eq!((found.src, found.dst, found.tick), (&b"a"[..], &b"b, c"[..], 17));
        }
    }

    #[test]
    fn fields_are_any_text_and_a_number() {
        assert_eq!(parse(b"10.0.0.1,10.0.0.2,17"), edge("10.0.0.1", "10.0.0.2", 17));
        assert_eq!(parse(b" web 1 , db,99999999999\r\n"), edge("web 1", "db", 99_999_999_999));
        assert_eq!(parse(b",b,3.75,more"), edge("", "b", 3));
        assert_eq!(parse(b"\"a,\"\"b\",\"c\",0"), edge("a,\"\"b", "c", 0));
    }

    #[test]
    fn a_time_is_seconds_since_1970() {
        for tick in
            ["1392388200500", "1392388200500000", "1392388200500000000", "2014-02-14T14:30:00.5Z", "2014-02-14 14:30"]
        {
            assert_eq!(parse(format!("a,b,{tick}\n").as_bytes()), edge("a", "b", 1_392_388_200), "{tick}");
        }
        assert_eq!(parse(b"a,b,18446744073709551615"), edge("a", "b", 18_446_744_073));
        assert_eq!(parse(b"a,b,1969-12-31T23:59:59Z"), Err(LineError::NoTick));
    }

    #[test]
    fn what_is_no_edge_says_why() {
        assert_eq!(parse(b""), Err(LineError::TooFewFields));
        assert_eq!(parse(b"a,b"), Err(LineError::TooFewFields));
        assert_eq!(parse(b"\"a,b,1"), Err(LineError::OpenQuote));
        for tick in ["", "x", "-1", "1e3", "1.x", "18446744073709551616"] {
            assert_eq!(parse(format!("a,b,{tick}").as_bytes()), Err(LineError::NoTick), "{tick}");
        }
    }

    #[test]
    fn a_header_has_no_digit_where_the_tick_would_be() {
        assert!(is_header(b"src,dst,tick") && is_header(b"source,destination,minute\r\n"));
        assert!(is_header(b"src_ip,dst_ip,sha1,time\n"), "all three are named");
        assert!(!is_header(b"a,b,1") && !is_header(b"a,b") && !is_header(b"a,b,"));
    }
}
