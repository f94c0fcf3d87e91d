//! JSON text and a path → the values that stand there, read without building them. Lists on the way are seen through.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Gives `found` the text of every value at the path and below it: strings as they are, numbers and booleans as text,
/// nothing for null. False when nothing stands there.
///
/// Of damaged JSON, and below 128 levels, it gives what comes before.
pub fn texts(json: &str, path: &[String], found: &mut dyn FnMut(&str)) -> bool {
    let mut reached = 0;
    walk(json, path, &mut |value| match value {
        Value::Text(text) => found(text),
        Value::Here { .. } => reached += 1,
    });
    reached > 0
}

/// Whether a value other than null stands at the path. Several nulls, one in each element of a list, count as a value.
pub fn exists(json: &str, path: &[String]) -> bool {
    let (mut reached, mut values) = (0, 0);
    walk(json, path, &mut |value| {
        if let Value::Here { null } = value {
            reached += 1;
            values += usize::from(!null);
        }
    });
    values > 0 || reached > 1
}

enum Value<'a> {
    /// A value at the very path.
    Here { null: bool },
    /// A text at the path or below it.
    Text(&'a str),
}

fn walk(json: &str, path: &[String], found: &mut dyn FnMut(Value)) {
    let mut told = 0;
    let mut found_first = |value: Value| {
        told += 1;
        found(value);
    };
    // columns hold JSON that the parser has checked; of what is too deep, as much counts as was read
    if walk_once(json, path, &mut found_first).is_err()
        && let Some(json) = without_huge(json)
    {
        let _ = walk_once(&json, path, &mut |value| if told == 0 { found(value) } else { told -= 1 });
    }
}

fn walk_once(json: &str, path: &[String], found: &mut dyn FnMut(Value)) -> serde_json::Result<()> {
    Walk { path, below: false, found }.deserialize(&mut serde_json::Deserializer::from_str(json))
}

/// The same JSON with numbers that no `f64` holds as texts, for these end the walk; `None` where there are none.
fn without_huge(json: &str) -> Option<String> {
    let is_of_number = |next: char| next.is_ascii_digit() || "+-.eE".contains(next);
    let (mut out, mut rest, mut inside) = (String::new(), json, false);
    while let Some(next) = rest.chars().next() {
        let is_number = !inside && (next == '-' || next.is_ascii_digit());
        let length = match next {
            // what is escaped ends no text
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ if is_number => rest.len() - rest.trim_start_matches(is_of_number).len(),
            _ => next.len_utf8(),
        };
        let (part, behind) = rest.split_at(length);
        inside ^= next == '"';
        rest = behind;
        let is_huge = is_number && part.parse().is_ok_and(|number: f64| number.is_infinite());
        out.extend(if is_huge { ["\"", part, "\""] } else { ["", part, ""] });
    }
    (out.len() > json.len()).then_some(out)
}

struct Walk<'a> {
    path: &'a [String],
    /// Whether a value at the path contains this one.
    below: bool,
    found: &'a mut dyn FnMut(Value),
}

impl Walk<'_> {
    fn scalar<E>(self, text: &str) -> Result<(), E> {
        if self.path.is_empty() {
            if !self.below {
                (self.found)(Value::Here { null: false });
            }
            (self.found)(Value::Text(text));
        }
        Ok(())
    }

    /// The path ends at this list or object.
    fn enter(&mut self) {
        if self.path.is_empty() && !self.below {
            (self.found)(Value::Here { null: false });
            self.below = true;
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.scalar(text)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.scalar(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.scalar(&value.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        if self.path.is_empty() && !self.below {
            (self.found)(Value::Here { null: true });
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.enter();
        let (path, below) = (self.path, self.below);
        while list.next_element_seed(Walk { path, below, found: &mut *self.found })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        self.enter();
        while let Some(is_next) = object.next_key_seed(Key(self.path.first().map(String::as_str)))? {
            if is_next {
                let path = self.path.get(1..).unwrap_or_default();
                object.next_value_seed(Walk { path, below: self.below, found: &mut *self.found })?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Whether a key is the next one of the path; below its end all are.
struct Key<'a>(Option<&'a str>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(self.0.is_none_or(|next| next == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, path: &str, expected: Option<&[&str]>, stands: bool) {
        let path: Vec<String> = path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
        let mut found = Vec::new();
        let any = texts(json, &path, &mut |text| found.push(text.to_owned()));
        assert_eq!(any.then_some(found), expected.map(|texts| texts.iter().map(|&text| text.to_owned()).collect()));
        assert_eq!(exists(json, &path), stands, "{json} {path:?}");
    }

    #[test]
    fn lists_on_the_way_are_seen_through() {
        let json = r#"{"items": [{"ip": "10.0.0.1", "n": 1}, {"n": 2}, {"ip": ["a", ["b"]]}], "x": 1}"#;
        check(json, "items.ip", Some(&["10.0.0.1", "a", "b"]), true);
        check(json, "items.n", Some(&["1", "2"]), true);
        check(json, "items.none", None, false);
        check(json, "x.y", None, false);
    }

    #[test]
    fn everything_below_counts() {
        check(r#"{"a": {"b": "x", "c": [true, null, 1.50]}}"#, "a", Some(&["x", "true", "1.5"]), true);
        check(r#"{"a": {"b": "x"}}"#, "", Some(&["x"]), true);
        check("\"text\"", "", Some(&["text"]), true);
    }

    #[test]
    fn null_is_no_value_and_emptiness_is_one() {
        check(r#"{"a": null}"#, "a", Some(&[]), false);
        check(r#"{"a": []}"#, "a", Some(&[]), true);
        check(r#"{"a": {}}"#, "a", Some(&[]), true);
        check(r#"{"a": ""}"#, "a", Some(&[""]), true);
        check(r#"[{"a": null}, {"a": null}]"#, "a", Some(&[]), true);
    }

    #[test]
    fn a_number_that_is_too_large_ends_no_walk() {
        let json = r#"{"a": ["x", 1e999, "y\" 1e999", -2e400, 2e3], "b": "z"}"#;
        check(json, "a", Some(&["x", "1e999", "y\" 1e999", "-2e400", "2000"]), true);
        check(json, "b", Some(&["z"]), true);
        check(r#"{"a": 1e999}"#, "a", Some(&["1e999"]), true);
        check(r#"{"a": [1e999, {"b": "#, "a", Some(&["1e999"]), true);
    }

    #[test]
    fn damage_and_depth_end_the_walk() {
        check(r#"{"a": "x", "b": "#, "a", Some(&["x"]), true);
        let deep = format!(r#"{{"a": "x", "b": {}1{}, "c": "y"}}"#, "[".repeat(500), "]".repeat(500));
        check(&deep, "a", Some(&["x"]), true);
        check(&deep, "c", Some(&["y"]), true);
    }
}
