//! Whether text is a time as ASFF takes it.

use chrono::NaiveDate;

/// `2024-01-02T03:04:05`, then a fraction of up to nine digits or none, then `Z` or an offset of at most 18 hours: `+01:00`,
/// `+0100` or `+01`.
pub fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let number = |from: usize, digits: usize| -> Option<u32> {
        let part = bytes.get(from..from + digits)?;
        part.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
    };
    let read = || {
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        let separated = separators.iter().all(|(at, byte)| bytes.get(*at) == Some(byte));
        let day = NaiveDate::from_ymd_opt(number(0, 4)? as i32, number(5, 2)?, number(8, 2)?);
        let of_day = number(11, 2)? <= 23 && number(14, 2)? <= 59 && number(17, 2)? <= 59;
        let mut rest = &text[19..];
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            if !(1..=9).contains(&(fraction.len() - rest.len())) {
                return None;
            }
        }
        (separated && day.is_some() && of_day && is_zone(rest)).then_some(())
    };
    text.is_ascii() && read().is_some()
}

fn is_zone(text: &str) -> bool {
    let Some(offset) = text.strip_prefix(['+', '-']) else { return text == "Z" };
    let (hours, minutes) = match offset.len() {
        2 => (offset, "00"),
        4 => offset.split_at(2),
        5 => match offset.split_once(':') {
            Some(parts) => parts,
            None => return false,
        },
        _ => return false,
    };
    let is_digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| if is_digits(text) { text.parse::<u32>().ok() } else { None };
    match (number(hours), number(minutes)) {
        (Some(hours), Some(minutes)) => minutes <= 59 && hours * 60 + minutes <= 18 * 60,
        _ => false,
    }
}
