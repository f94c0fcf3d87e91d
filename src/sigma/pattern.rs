//! A value of a Sigma rule → the texts it stands for, and the SQL that compares with them.

use std::fmt::Write;

use rsigma_parser::{SigmaString, SpecialChar, StringPart};

use super::fields::quoted;
use super::modifiers::{Base64, Text, Wide};

/// A text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
    cased: bool,
    /// Whether each of [`WINDOWS_DASHES`] also stands for the others.
    windash: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    /// `*`: any number of characters.
    Many,
    /// `?`: any one character.
    One,
}

impl Pattern {
    /// Without `cased`, the pattern is in lower case and compares with lower case.
    pub fn new(value: &SigmaString, compared: Text, cased: bool, windash: bool) -> Pattern {
        let fold = |text: &str| if cased { text.to_owned() } else { text.to_lowercase() };
        let mut parts: Vec<Part> = Vec::new();
        if matches!(compared, Text::Contains | Text::EndsWith) {
            parts.push(Part::Many);
        }
        for part in &value.parts {
            match part {
                StringPart::Plain(text) => parts.push(Part::Text(fold(text))),
                StringPart::Special(SpecialChar::WildcardMulti) => parts.push(Part::Many),
                StringPart::Special(SpecialChar::WildcardSingle) => parts.push(Part::One),
            }
        }
        if matches!(compared, Text::Contains | Text::StartsWith) {
            parts.push(Part::Many);
        }
        parts.dedup_by(|one, other| *one == Part::Many && *other == Part::Many);
        Pattern { parts, cased, windash }
    }

    /// The one text that matches; `None` when there are several.
    pub fn plain(&self) -> Option<String> {
        match self.parts.as_slice() {
            [] => Some(String::new()),
            [Part::Text(text)] if !self.windash || !text.contains(WINDOWS_DASHES) => Some(text.clone()),
            _ => None,
        }
    }

    /// Whether texts are compared in lower case.
    pub fn folds(&self) -> bool {
        // no character becomes one of these in lower case
        let caseless = |c: char| c.is_ascii() && !c.is_ascii_alphabetic();
        let has_case = |part: &Part| matches!(part, Part::Text(text) if !text.chars().all(caseless));
        !self.cased && self.parts.iter().any(has_case)
    }

    /// SQL that compares a text, already in lower case where the pattern folds.
    pub fn matches(&self, text: &str) -> String {
        if let Some(plain) = self.plain() {
            return format!("{text} = {}", quoted(&plain, '\''));
        }
        if self.windash {
            return format!("{text} ~ {}", quoted(&self.regex(), '\''));
        }
        format!("{text} LIKE {}", quoted(&self.like(), '\''))
    }

    fn like(&self) -> String {
        let mut like = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    for c in text.chars() {
                        if matches!(c, '%' | '_' | '\\') {
                            like.push('\\');
                        }
                        like.push(c);
                    }
                }
                Part::Many => like.push('%'),
                Part::One => like.push('_'),
            }
        }
        like
    }

    fn regex(&self) -> String {
        let mut regex = String::from("(?s)^");
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    for c in text.chars() {
                        if WINDOWS_DASHES.contains(&c) {
                            regex.push_str(ANY_DASH);
                        } else {
                            regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                        }
                    }
                }
                Part::Many => regex.push_str(".*"),
                Part::One => regex.push('.'),
            }
        }
        regex.push('$');
        regex
    }
}

/// Hyphen, slash, en dash, em dash and horizontal bar: how Windows programs let options begin.
const WINDOWS_DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// The same as a class of a regular expression.
const ANY_DASH: &str = "[-/\u{2013}\u{2014}\u{2015}]";

/// The texts whose presence shows that this one was encoded.
pub fn encoded(text: &str, wide: Option<Wide>, base64: Base64) -> Vec<String> {
    let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let bytes = match wide {
        None => text.as_bytes().to_vec(),
        Some(Wide::LittleEndian) => units(u16::to_le_bytes),
        Some(Wide::BigEndian) => units(u16::to_be_bytes),
        Some(Wide::Marked) => [vec![0xff, 0xfe], units(u16::to_le_bytes)].concat(),
    };
    match base64 {
        Base64::Whole => {
            let mut whole = base64_of(&bytes);
            whole.extend(std::iter::repeat_n('=', (4 - whole.len() % 4) % 4));
            vec![whole]
        }
        Base64::Offset => (0..3).map(|offset| inner(&bytes, offset)).filter(|inner| !inner.is_empty()).collect(),
    }
}

/// The characters that the bytes become behind `offset` other bytes, without those that also depend on their neighbors.
fn inner(bytes: &[u8], offset: usize) -> String {
    let shifted = [&vec![0; offset][..], bytes].concat();
    let all = base64_of(&shifted);
    let first = [0, 2, 3][offset];
    // six bits a character: the last one is whole only at the end of a group
    let behind = shifted.len() * 8 / 6;
    all.get(first..behind).unwrap_or_default().to_owned()
}

/// Without padding.
fn base64_of(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().enumerate().fold(0u32, |bits, (place, byte)| bits | u32::from(*byte) << (16 - 8 * place));
        for letter in 0..=group.len() {
            out.push(char::from(LETTERS[(bits >> (18 - 6 * letter)) as usize & 63]));
        }
    }
    out
}

/// Puts the values of placeholders into a text: `%name%` becomes each of its values in turn.
///
/// # Errors
/// Names a placeholder that has no values.
pub fn expanded(
    text: &str,
    placeholders: &std::collections::BTreeMap<String, Vec<String>>,
) -> Result<Vec<String>, String> {
    let mut done = vec![String::new()];
    let mut pieces = text.split('%');
    done[0].push_str(pieces.next().unwrap_or_default());
    let pieces: Vec<&str> = pieces.collect();
    for pair in pieces.chunks(2) {
        let [name, behind] = pair else {
            done.iter_mut().for_each(|text| {
                let _ = write!(text, "%{}", pair[0]); // writing to a String cannot fail
            });
            break;
        };
        let values = placeholders.get(*name).filter(|values| !values.is_empty());
        let Some(values) = values else {
            return Err(format!(
                "placeholder `%{name}%` has no values: list them in weir.toml under [sigma.placeholders]"
            ));
        };
        let with = |text: &String| values.iter().map(|value| format!("{text}{value}{behind}")).collect::<Vec<_>>();
        done = done.iter().flat_map(with).collect();
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sql(value: &str, compared: Text) -> String {
        Pattern::new(&SigmaString::new(value), compared, false, false).matches("x")
    }

    #[test]
    fn wildcards_become_those_of_like_and_its_own_are_escaped() {
        assert_eq!(sql("Stop", Text::Equal), "x = 'stop'");
        assert_eq!(sql("", Text::Equal), "x = ''");
        assert_eq!(sql("St*p?", Text::Equal), "x LIKE 'st%p_'");
        assert_eq!(sql(r"a\*b\?c\\d\e", Text::Equal), r"x = 'a*b?c\d\e'");
        assert_eq!(sql(r"50%_\", Text::StartsWith), r"x LIKE '50\%\_\\%'");
        assert_eq!(sql("it's", Text::Contains), "x LIKE '%it''s%'");
        assert_eq!(sql("*x*", Text::Contains), "x LIKE '%x%'");
        assert_eq!(sql("*", Text::Contains), "x LIKE '%'");
    }

    #[test]
    fn case_is_folded_where_there_is_any() {
        let folds = |value: &str, cased| Pattern::new(&SigmaString::new(value), Text::Contains, cased, false).folds();
        assert!(folds("a", false) && folds("Ä", false) && !folds("10.0.*", false) && !folds("a", true));
    }

    #[test]
    fn windash_is_a_class_of_dashes() {
        let pattern = Pattern::new(&SigmaString::new("-ab-c.d"), Text::Contains, false, true);
        assert_eq!(pattern.matches("x"), "x ~ '(?s)^.*[-/–—―]ab[-/–—―]c\\.d.*$'");
        let other = |text: &str| Pattern::new(&SigmaString::new(text), Text::Equal, false, true).matches("x");
        assert_eq!(other("/user –x"), "x ~ '(?s)^[-/–—―]user [-/–—―]x$'");
        assert_eq!(other("user"), "x = 'user'");
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let whole = |text, wide| encoded(text, wide, Base64::Whole).remove(0);
        assert_eq!(whole("f", None), "Zg==");
        assert_eq!(whole("fo", None), "Zm8=");
        assert_eq!(whole("foobar", None), "Zm9vYmFy");
        assert_eq!(whole("ab", Some(Wide::LittleEndian)), "YQBiAA==");
        assert_eq!(whole("ab", Some(Wide::BigEndian)), "AGEAYg==");
        assert_eq!(whole("ab", Some(Wide::Marked)), "//5hAGIA");
    }

    #[test]
    fn an_offset_leaves_out_what_neighbors_change() {
        assert_eq!(encoded("foobar", None, Base64::Offset), ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]);
        // behind 0, 1 and 2 bytes and before any other: base64 of all such texts has them
        for (place, before) in ["", "x", "xy"].into_iter().enumerate() {
            for behind in ["", "1", "~~"] {
                let all = whole(&format!("{before}foobar{behind}"));
                assert!(all.contains(&encoded("foobar", None, Base64::Offset)[place]), "{all}");
            }
        }
    }

    fn whole(text: &str) -> String {
        encoded(text, None, Base64::Whole).remove(0)
    }

    #[test]
    fn placeholders_become_each_of_their_values() {
        let known = BTreeMap::from([("who".to_owned(), vec!["a".to_owned(), "b".to_owned()])]);
        assert_eq!(expanded("x-%who%-y", &known).unwrap(), ["x-a-y", "x-b-y"]);
        assert_eq!(expanded("%who%%who%", &known).unwrap(), ["aa", "ab", "ba", "bb"]);
        assert_eq!(expanded("100%", &known).unwrap(), ["100%"]);
        assert!(expanded("%what%", &known).unwrap_err().starts_with("placeholder `%what%` has no values"));
    }
}
