//! The text of SQL's path of JSON, `lax $.items[*] ? (@.port < 1024).cidrIp` → a [`Path`].

use regex::{Regex, RegexBuilder};
use serde_json::Value;

#[derive(Debug)]
pub struct Path {
    /// Whether a step that leads nowhere is an error, which is no value, and no list is looked into for a name.
    pub strict: bool,
    pub sought: Sought,
}

/// What leads to values.
#[derive(Debug)]
pub enum Sought {
    /// `$`
    Root,
    /// `@`, in a filter.
    Current,
    /// `last`, in brackets.
    Last,
    /// `$name` of `PASSING ... AS name`.
    Given(String),
    Constant(Value),
    Step(Box<Sought>, Box<Step>),
    Computed(Box<Sought>, Operator, Box<Sought>),
}

#[derive(Debug)]
pub enum Step {
    Name(String),
    /// `.*`
    Names,
    /// `..name`
    Below(String),
    /// `[0, 2 to last]`
    Places(Vec<(Sought, Option<Sought>)>),
    /// `[*]`
    AllPlaces,
    /// `? (@.port < 1024)`
    Filter(Condition),
    Method(Method),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Plus,
    Minus,
    Times,
    By,
    Rest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Abs,
    Ceiling,
    Double,
    Floor,
    KeyValue,
    Size,
    Type,
}

#[derive(Debug)]
pub enum Condition {
    Both(Box<Condition>, Box<Condition>),
    Either(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    IsUnknown(Box<Condition>),
    Compare(Sought, Comparison, Sought),
    Begins(Sought, Sought),
    Matches(Sought, Regex),
    Exists(Sought),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Other,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

impl Path {
    /// # Errors
    /// When it is no path, with where it goes wrong.
    pub fn parse(text: &str) -> Result<Path, String> {
        let inner = text.trim();
        let (strict, rest) = match (inner.strip_prefix("strict "), inner.strip_prefix("lax ")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => (false, inner),
        };
        let mut parser = Parser { rest };
        let sought = parser.sum().filter(|_| parser.rest.trim().is_empty());
        sought.map(|sought| Path { strict, sought }).ok_or_else(|| {
            let place = match parser.rest.trim() {
                "" => "ends too early".to_owned(),
                rest => format!("goes wrong at `{rest}`"),
            };
            format!(
                "the path {text} {place}: a path has names, places, stars, filters and methods, as in \
                 lax $.items[*] ? (@.fromPort < 1024).cidrIp"
            )
        })
    }
}

const METHODS: [(&str, Method); 7] = [
    ("abs", Method::Abs),
    ("ceiling", Method::Ceiling),
    ("double", Method::Double),
    ("floor", Method::Floor),
    ("keyvalue", Method::KeyValue),
    ("size", Method::Size),
    ("type", Method::Type),
];

/// Longer ones first.
const COMPARISONS: [(&str, Comparison); 8] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::Other),
    ("<>", Comparison::Other),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::MoreOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::More),
    ("=", Comparison::Equal),
];

/// Each function takes what it reads off the rest, and is `None` where something else stands there.
#[derive(Clone, Copy)]
struct Parser<'p> {
    rest: &'p str,
}

impl<'p> Parser<'p> {
    fn sum(&mut self) -> Option<Sought> {
        self.computed(&[("+", Operator::Plus), ("-", Operator::Minus)], Parser::product)
    }

    fn product(&mut self) -> Option<Sought> {
        self.computed(&[("*", Operator::Times), ("/", Operator::By), ("%", Operator::Rest)], Parser::signed)
    }

    fn computed(&mut self, signs: &[(&str, Operator)], side: fn(&mut Self) -> Option<Sought>) -> Option<Sought> {
        let mut left = side(self)?;
        while let Some((_, operator)) = signs.iter().find(|(sign, _)| self.takes(sign)) {
            left = Sought::Computed(Box::new(left), *operator, Box::new(side(self)?));
        }
        Some(left)
    }

    fn signed(&mut self) -> Option<Sought> {
        if self.takes("-") {
            let zero = Box::new(Sought::Constant(Value::from(0)));
            return Some(Sought::Computed(zero, Operator::Minus, Box::new(self.signed()?)));
        }
        let _ = self.takes("+"); // it changes nothing
        let mut sought = self.first()?;
        while let Some(step) = self.step()? {
            sought = Sought::Step(Box::new(sought), Box::new(step));
        }
        Some(sought)
    }

    fn first(&mut self) -> Option<Sought> {
        if self.takes("$") {
            return Some(self.word().map_or(Sought::Root, |name| Sought::Given(name.to_owned())));
        }
        if self.takes("@") {
            return Some(Sought::Current);
        }
        if self.takes("(") {
            let inner = self.sum()?;
            return self.takes(")").then_some(inner);
        }
        for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
            if self.takes_word(word) {
                return Some(Sought::Constant(value));
            }
        }
        if self.takes_word("last") {
            return Some(Sought::Last);
        }
        if let Some(text) = self.quoted() {
            return Some(Sought::Constant(Value::from(text)));
        }
        self.number().map(Sought::Constant)
    }

    /// `Some(None)` where no step stands.
    fn step(&mut self) -> Option<Option<Step>> {
        Some(Some(if self.takes("..") {
            Step::Below(self.name()?)
        } else if self.takes(".") {
            if self.takes("*") { Step::Names } else { self.name_or_method()? }
        } else if self.takes("[") {
            self.places()?
        } else if self.takes("?") {
            if !self.takes("(") {
                return None;
            }
            let condition = self.either()?;
            self.takes(")").then_some(Step::Filter(condition))?
        } else {
            return Some(None);
        }))
    }

    fn name_or_method(&mut self) -> Option<Step> {
        let name = self.name()?;
        if !self.takes("(") {
            return Some(Step::Name(name));
        }
        let (_, method) = METHODS.iter().find(|(known, _)| *known == name).filter(|_| self.takes(")"))?;
        Some(Step::Method(*method))
    }

    /// What stands in brackets, and the bracket behind it.
    fn places(&mut self) -> Option<Step> {
        let step = if self.takes("*") {
            Step::AllPlaces
        } else if let Some(name) = self.quoted() {
            Step::Name(name)
        } else {
            let mut places = Vec::new();
            loop {
                let from = self.sum()?;
                let to = if self.takes_word("to") { Some(self.sum()?) } else { None };
                places.push((from, to));
                if !self.takes(",") {
                    break Step::Places(places);
                }
            }
        };
        self.takes("]").then_some(step)
    }

    fn either(&mut self) -> Option<Condition> {
        let mut left = self.both()?;
        while self.takes("||") {
            left = Condition::Either(Box::new(left), Box::new(self.both()?));
        }
        Some(left)
    }

    fn both(&mut self) -> Option<Condition> {
        let mut left = self.condition()?;
        while self.takes("&&") {
            left = Condition::Both(Box::new(left), Box::new(self.condition()?));
        }
        Some(left)
    }

    fn condition(&mut self) -> Option<Condition> {
        if self.takes("!") {
            return Some(Condition::Not(Box::new(self.condition()?)));
        }
        if self.takes_word("exists") {
            if !self.takes("(") {
                return None;
            }
            let sought = self.sum()?;
            return self.takes(")").then_some(Condition::Exists(sought));
        }
        // a parenthesis is around a condition, or around what is compared
        let mut inner = *self;
        if inner.takes("(")
            && let Some(condition) = inner.either()
            && inner.takes(")")
        {
            *self = inner;
            let is_unknown = self.takes_word("is") && self.takes_word("unknown");
            return Some(if is_unknown { Condition::IsUnknown(Box::new(condition)) } else { condition });
        }
        let left = self.sum()?;
        if self.takes_word("starts") {
            return self.takes_word("with").then(|| self.sum())?.map(|begin| Condition::Begins(left, begin));
        }
        if self.takes_word("like_regex") {
            let pattern = self.quoted()?;
            let flags = if self.takes_word("flag") { self.quoted()? } else { String::new() };
            return regex(&pattern, &flags).map(|regex| Condition::Matches(left, regex));
        }
        let (_, comparison) = COMPARISONS.iter().find(|(sign, _)| self.takes(sign))?;
        self.sum().map(|right| Condition::Compare(left, *comparison, right))
    }

    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(sign);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// A word that stands alone.
    fn takes_word(&mut self, word: &str) -> bool {
        let mut inner = Parser { rest: self.rest.trim_start() };
        let is_there = inner.word() == Some(word);
        if is_there {
            *self = inner;
        }
        is_there
    }

    /// Letters, digits and underscores, right here.
    fn word(&mut self) -> Option<&'p str> {
        let is_other = |letter: char| !letter.is_alphanumeric() && letter != '_';
        let (word, rest) = self.rest.split_at(self.rest.find(is_other).unwrap_or(self.rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn name(&mut self) -> Option<String> {
        if let Some(name) = self.quoted() {
            return Some(name);
        }
        self.rest = self.rest.trim_start();
        self.word().map(str::to_owned)
    }

    /// A text in quotes, in which a backslash stands before a quote.
    fn quoted(&mut self) -> Option<String> {
        let rest = self.rest.trim_start();
        let quote = rest.chars().next().filter(|letter| ['"', '\''].contains(letter))?;
        let (mut text, mut letters) = (String::new(), rest[1..].chars());
        loop {
            match letters.next()? {
                '\\' => match letters.next()? {
                    letter if ['"', '\'', '\\'].contains(&letter) => text.push(letter),
                    // of a pattern
                    letter => text.extend(['\\', letter]),
                },
                letter if letter == quote => break,
                letter => text.push(letter),
            }
        }
        self.rest = letters.as_str();
        Some(text)
    }

    fn number(&mut self) -> Option<Value> {
        let rest = self.rest.trim_start();
        let digits = |text: &str| text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let mut end = digits(rest);
        if end > 0 && rest[end..].starts_with('.') && digits(&rest[end + 1..]) > 0 {
            end += 1 + digits(&rest[end + 1..]);
        }
        let number = serde_json::from_str(&rest[..end]).ok()?;
        self.rest = &rest[end..];
        Some(number)
    }
}

/// A pattern with the letters of its flags, as XQuery has them.
fn regex(pattern: &str, flags: &str) -> Option<Regex> {
    let literal = regex::escape(pattern);
    let mut builder = RegexBuilder::new(if flags.contains('q') { &literal } else { pattern });
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            's' => builder.dot_matches_new_line(true),
            'm' => builder.multi_line(true),
            'x' => builder.ignore_whitespace(true),
            'q' => &mut builder,
            _ => return None,
        };
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_path_is_told_with_its_place() {
        for (path, place) in [
            ("a.b", "at `a.b`"),
            ("$.a[x]", "at `x]`"),
            ("$.a[0", "ends too early"),
            ("lax $.a ? (@ >)", "at `)`"),
            ("lax $.a ? @", "at `@`"),
            ("lax $.a.nothing()", "at `)`"),
            ("lax $.a ? (@ like_regex \"(\")", "at `)`"),
        ] {
            let error = Path::parse(path).unwrap_err();
            assert!(error.contains(place), "{error}");
            assert!(error.contains("names, places, stars, filters and methods"), "{error}");
        }
    }
}
