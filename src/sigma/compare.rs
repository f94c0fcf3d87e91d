//! A field, its modifiers and its values → the condition that they match.

use std::collections::BTreeMap;

use rsigma_parser::{DetectionItem, SigmaString, SigmaValue};

use super::condition::Condition;
use super::fields::{self, Field, One, quoted};
use super::modifiers::{self, Modifiers, Operator, Text};
use super::pattern::{self, Pattern};
use crate::table::Table;

/// What rules are read against.
pub struct Context<'a> {
    pub table: &'static Table,
    /// Values of `%name%` under the modifier `expand`.
    pub placeholders: &'a BTreeMap<String, Vec<String>>,
}

/// Why an item cannot be used, and the value at fault where it is one.
#[derive(Debug, PartialEq, Eq)]
pub struct Complaint {
    pub message: String,
    pub value: Option<String>,
}

impl From<String> for Complaint {
    fn from(message: String) -> Complaint {
        Complaint { message, value: None }
    }
}

/// One comparison, of a field that has one value or of each of its values.
enum Test {
    Pattern(Pattern),
    Number(f64),
    Bool(bool),
    Null,
    /// A regular expression, flags included.
    Regex(String),
    Network(String),
    /// By this operator of SQL.
    Order(&'static str, f64),
    /// The part of a time that has this number.
    TimePart(&'static str, f64),
}

/// # Errors
/// When a modifier, a value or the field is not one that the table can answer.
pub fn item(context: &Context, item: &DetectionItem) -> Result<Condition, Complaint> {
    let modifiers = modifiers::read(&item.field.modifiers)?;
    let Some(name) = &item.field.name else {
        return keywords(context, &modifiers, &item.values);
    };
    let field = fields::resolve(context.table, name)?;
    let condition = match modifiers.operator {
        Operator::Exists => exists(&field, &item.values)?,
        Operator::Field(compared) => {
            let each = item.values.iter().map(|value| field_reference(context, &field, &modifiers, compared, value));
            linked(&modifiers, each.collect::<Result<_, _>>()?)
        }
        _ => values(context, name, &field, &modifiers, &item.values)?,
    };
    if modifiers.neq {
        return Ok(Condition::all(vec![presence(&field, true), Condition::Not(Box::new(condition))]));
    }
    Ok(condition)
}

/// Values without a field: looked for in every value of the event.
///
/// # Errors
/// As [`item`].
pub fn keywords(context: &Context, modifiers: &Modifiers, list: &[SigmaValue]) -> Result<Condition, Complaint> {
    let modifiers = match modifiers.operator {
        Operator::Equal => Modifiers { operator: Operator::Contains, ..modifiers.clone() },
        Operator::Exists | Operator::Field(_) => {
            return Err("values without a field are searched for as text".to_owned().into());
        }
        _ => modifiers.clone(),
    };
    if list.contains(&SigmaValue::Null) {
        return Err("null without a field cannot be searched for".to_owned().into());
    }
    let condition = values(context, "", &fields::whole_event(context.table), &modifiers, list)?;
    Ok(if modifiers.neq { Condition::Not(Box::new(condition)) } else { condition })
}

fn exists(field: &Field, values: &[SigmaValue]) -> Result<Condition, Complaint> {
    let word = |value: &SigmaValue| match value {
        SigmaValue::Bool(truth) => Some(*truth),
        SigmaValue::String(text) => match text.original.to_lowercase().as_str() {
            "true" | "yes" => Some(true),
            "false" | "no" => Some(false),
            _ => None,
        },
        SigmaValue::Integer(_) | SigmaValue::Float(_) | SigmaValue::Null => None,
    };
    match values {
        [value] if let Some(truth) = word(value) => Ok(presence(field, truth)),
        _ => Err("`exists` takes true or false".to_owned().into()),
    }
}

fn presence(field: &Field, present: bool) -> Condition {
    let (holds, fails) = match field {
        Field::One { sql, .. } => (format!("{sql} IS NOT NULL"), format!("{sql} IS NULL")),
        Field::Many { exists, .. } if exists.ends_with(" IS NOT NULL") => {
            (exists.clone(), exists.replace(" IS NOT NULL", " IS NULL"))
        }
        Field::Many { exists, .. } => (exists.clone(), format!("NOT {exists}")),
    };
    if present { Condition::Either { holds, fails } } else { Condition::Either { holds: fails, fails: holds } }
}

fn linked(modifiers: &Modifiers, each: Vec<Condition>) -> Condition {
    if modifiers.all { Condition::all(each) } else { Condition::any(each) }
}

fn values(
    context: &Context,
    name: &str,
    field: &Field,
    modifiers: &Modifiers,
    list: &[SigmaValue],
) -> Result<Condition, Complaint> {
    if list.is_empty() {
        return Err("a list without values matches nothing".to_owned().into());
    }
    let mut each = Vec::new();
    for value in list {
        let at = |message: String| Complaint { message, value: Some(value.to_string()) };
        each.push(tests(context, modifiers, value).map_err(at)?);
    }
    let one = |tests: Vec<Test>, value: Option<&SigmaValue>| {
        let at = |message: String| Complaint { message, value: value.map(ToString::to_string) };
        match field {
            Field::One { sql, kind } => of_one(name, sql, *kind, tests).map_err(at),
            Field::Many { texts, .. } => of_many(field, texts, tests).map_err(at),
        }
    };
    if modifiers.all {
        let each = each.into_iter().zip(list).map(|(tests, value)| one(tests, Some(value)));
        return Ok(Condition::all(each.collect::<Result<_, _>>()?));
    }
    one(each.into_iter().flatten().collect(), (list.len() == 1).then(|| &list[0]))
}

/// The comparisons of one value, any of which will do.
fn tests(context: &Context, modifiers: &Modifiers, value: &SigmaValue) -> Result<Vec<Test>, String> {
    let compared = match modifiers.operator {
        Operator::Equal => Text::Equal,
        Operator::Contains => Text::Contains,
        Operator::StartsWith => Text::StartsWith,
        Operator::EndsWith => Text::EndsWith,
        Operator::Regex => return Ok(vec![regex(modifiers, value)?]),
        Operator::Cidr => return Ok(vec![cidr(value)?]),
        Operator::Order(sign) => return Ok(vec![Test::Order(sign, number_of(value)?)]),
        Operator::TimePart(part) => return Ok(vec![Test::TimePart(part, number_of(value)?)]),
        Operator::Exists | Operator::Field(_) => unreachable!("these are not comparisons with a value"),
    };
    // what base64 is made of is the text of a number too
    let as_is = compared == Text::Equal && modifiers.base64.is_none();
    let text = match value {
        SigmaValue::Null => return Ok(vec![Test::Null]),
        SigmaValue::Bool(truth) if as_is => return Ok(vec![Test::Bool(*truth)]),
        SigmaValue::Integer(number) if as_is => return Ok(vec![Test::Number(*number as f64)]),
        SigmaValue::Float(_) if as_is => return Ok(vec![Test::Number(number_of(value)?)]),
        SigmaValue::Bool(_) | SigmaValue::Integer(_) | SigmaValue::Float(_) => {
            SigmaString::from_raw(&value.to_string())
        }
        SigmaValue::String(text) => text.clone(),
    };
    let texts = if modifiers.expand {
        let expanded = pattern::expanded(&text.original, context.placeholders)?;
        expanded.iter().map(|text| SigmaString::new(text)).collect()
    } else {
        vec![text]
    };
    let mut tests = Vec::new();
    for text in texts {
        match modifiers.base64 {
            None => tests.push(Test::Pattern(Pattern::new(&text, compared, modifiers.cased, modifiers.windash))),
            Some(base64) => {
                let plain =
                    text.as_plain().ok_or("a text with wildcards has no base64: write `\\*` for an asterisk")?;
                let compared = if base64 == modifiers::Base64::Offset { Text::Contains } else { compared };
                let encoded = pattern::encoded(&plain, modifiers.wide, base64);
                if encoded.is_empty() {
                    return Err("`base64offset` of an empty text is in every text".to_owned());
                }
                let pattern =
                    |text: &String| Pattern::new(&SigmaString::from_raw(text), compared, modifiers.cased, false);
                tests.extend(encoded.iter().map(pattern).map(Test::Pattern));
            }
        }
    }
    Ok(tests)
}

fn regex(modifiers: &Modifiers, value: &SigmaValue) -> Result<Test, String> {
    let SigmaValue::String(pattern) = value else { return Err("a regular expression is text".into()) };
    let flags = &modifiers.flags;
    let flags = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
    let whole = format!("{flags}{}", pattern.original);
    match regex::Regex::new(&whole) {
        // DataFusion makes a LIKE of an expression for plain text, in which a backslash then escapes; of a group it makes none
        Ok(_) if whole.contains('\\') => Ok(Test::Regex(format!("({whole})"))),
        Ok(_) => Ok(Test::Regex(whole)),
        Err(regex::Error::Syntax(why)) => {
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(format!("regular expression `{}`: {why}", pattern.original))
        }
        Err(error) => Err(format!("regular expression `{}`: {error}", pattern.original)),
    }
}

fn cidr(value: &SigmaValue) -> Result<Test, String> {
    let network = value.to_string();
    let known = network.parse::<ipnet::IpNet>().is_ok() || network.parse::<std::net::IpAddr>().is_ok();
    if !known {
        return Err(format!("`{network}` is not a network such as 10.0.0.0/8"));
    }
    Ok(Test::Network(network))
}

fn number_of(value: &SigmaValue) -> Result<f64, String> {
    let number = match value {
        SigmaValue::Integer(number) => Some(*number as f64),
        SigmaValue::Float(number) => Some(*number),
        SigmaValue::String(text) => text.original.parse().ok(),
        SigmaValue::Bool(_) | SigmaValue::Null => None,
    };
    // SQL has no words for infinity and what is no number
    number.filter(|number: &f64| number.is_finite()).ok_or_else(|| format!("`{value}` is not a number"))
}

/// Any of these comparisons, with a column of one value.
fn of_one(name: &str, sql: &str, kind: One, tests: Vec<Test>) -> Result<Condition, String> {
    let mut parts = Vec::new();
    let (mut exact, mut folded, mut numbers, mut networks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for test in tests {
        match (test, kind) {
            (Test::Null, _) => {
                parts.push(Condition::Either { holds: format!("{sql} IS NULL"), fails: format!("{sql} IS NOT NULL") });
            }
            (Test::Bool(truth), One::Bool) => parts.push(is_true(sql, truth)),
            (Test::Bool(truth), One::Text) => parts.push(Condition::Is(in_list(&lower(sql), &words(truth)))),
            (Test::Number(number), One::Number) => numbers.push(number.to_string()),
            (Test::Number(number), One::Text) => parts.push(Condition::Is(format!("{} = {number}", as_number(sql)))),
            (Test::Order(sign, number), One::Number) => parts.push(Condition::Is(format!("{sql} {sign} {number}"))),
            (Test::Order(sign, number), One::Text) => {
                parts.push(Condition::Is(format!("{} {sign} {number}", as_number(sql))));
            }
            (Test::TimePart(part, number), One::Time | One::Number | One::Text) => {
                parts.push(Condition::Is(format!("date_part('{part}', {}) = {number}", as_time(sql, kind))));
            }
            (Test::Regex(regex), _) => {
                parts.push(Condition::Is(format!("{} ~ {}", as_text(sql, kind), quoted(&regex, '\''))));
            }
            (Test::Network(network), One::Text) => networks.push(quoted(&network, '\'')),
            (Test::Pattern(pattern), kind) => match (pattern.plain(), kind) {
                (Some(plain), One::Bool) if plain == "true" || plain == "false" => {
                    parts.push(is_true(sql, plain == "true"));
                }
                (Some(plain), One::Number) => match plain.parse::<i64>() {
                    Ok(number) if number.to_string() == plain => numbers.push(plain),
                    _ => return Err(format!("`{name}` is a number, and `{plain}` is none")),
                },
                (Some(plain), _) if pattern.folds() => folded.push(plain),
                (Some(plain), _) => exact.push(plain),
                (None, _) => {
                    let text = as_text(sql, kind);
                    let text = if pattern.folds() { lower(&text) } else { text };
                    parts.push(Condition::Is(pattern.matches(&text)));
                }
            },
            (Test::Bool(truth), _) => return Err(format!("`{name}` is {}, and {truth} is none", an(kind))),
            (Test::Number(number), _) => return Err(format!("`{name}` is {}, and {number} is none", an(kind))),
            (Test::Order(..), _) => return Err(format!("`{name}` is {}, not a number", an(kind))),
            (Test::TimePart(..), _) => return Err(format!("`{name}` is {}, not a time", an(kind))),
            (Test::Network(_), _) => return Err(format!("`{name}` is {}, not an address", an(kind))),
        }
    }
    let mut lists = Vec::new();
    if !folded.is_empty() {
        lists.push(Condition::Is(in_list(&lower(&as_text(sql, kind)), &folded)));
    }
    if !exact.is_empty() {
        lists.push(Condition::Is(in_list(&as_text(sql, kind), &exact)));
    }
    if !numbers.is_empty() {
        lists.push(Condition::Is(listed(sql, &numbers)));
    }
    if !networks.is_empty() {
        lists.push(Condition::Is(format!("cidr_match({sql}, {})", networks.join(", "))));
    }
    lists.extend(parts);
    Ok(Condition::any(lists))
}

/// Any of these comparisons, with any of the field's values.
fn of_many(field: &Field, texts: &str, tests: Vec<Test>) -> Result<Condition, String> {
    let null = tests.iter().any(|test| matches!(test, Test::Null));
    let rest: Vec<Test> = tests.into_iter().filter(|test| !matches!(test, Test::Null)).collect();
    let mut parts = Vec::new();
    if null {
        parts.push(presence(field, false));
    }
    if !rest.is_empty() {
        let inner = of_one("", "v", One::Text, rest)?.alone();
        parts.push(Condition::Is(format!("array_any_match({texts}, v -> {inner})")));
    }
    Ok(Condition::any(parts))
}

/// A comparison with the value of another field.
fn field_reference(
    context: &Context,
    field: &Field,
    modifiers: &Modifiers,
    compared: Text,
    value: &SigmaValue,
) -> Result<Condition, Complaint> {
    let at = |message: String| Complaint { message, value: Some(value.to_string()) };
    let SigmaValue::String(name) = value else { return Err(at("fieldref takes the name of a field".into())) };
    let name = name.as_plain().ok_or_else(|| at("the name of a field has no wildcards".into()))?;
    let other = fields::resolve(context.table, &name).map_err(at)?;
    let side = |field: &Field, variable: &'static str| match field {
        Field::One { sql, kind } => (as_text(sql, *kind), None),
        Field::Many { texts, .. } => (variable.to_owned(), Some(format!("array_any_match({texts}, {variable} -> "))),
    };
    let ((one, around_one), (two, around_two)) = (side(field, "v"), side(&other, "w"));
    let fold = |text: String| if modifiers.cased { text } else { lower(&text) };
    let (one, two) = (fold(one), fold(two));
    let mut sql = match compared {
        Text::Equal => format!("{one} = {two}"),
        Text::Contains => format!("strpos({one}, {two}) > 0"),
        Text::StartsWith => format!("starts_with({one}, {two})"),
        Text::EndsWith => format!("ends_with({one}, {two})"),
    };
    for around in [around_two, around_one].into_iter().flatten() {
        sql = format!("{around}{sql})");
    }
    Ok(Condition::Is(sql))
}

fn is_true(sql: &str, truth: bool) -> Condition {
    let (holds, fails) = if truth { ("IS TRUE", "IS NOT TRUE") } else { ("IS FALSE", "IS NOT FALSE") };
    Condition::Either { holds: format!("{sql} {holds}"), fails: format!("{sql} {fails}") }
}

/// How logs write a truth.
fn words(truth: bool) -> Vec<String> {
    let words = if truth { ["true", "1", "yes"] } else { ["false", "0", "no"] };
    words.map(str::to_owned).into()
}

fn in_list(text: &str, values: &[String]) -> String {
    listed(text, &values.iter().map(|value| quoted(value, '\'')).collect::<Vec<_>>())
}

fn listed(sql: &str, values: &[String]) -> String {
    match values {
        [one] => format!("{sql} = {one}"),
        many => format!("{sql} IN ({})", many.join(", ")),
    }
}

fn lower(sql: &str) -> String {
    format!("lower({sql})")
}

fn as_number(text: &str) -> String {
    format!("try_cast({text} AS DOUBLE)")
}

/// Numbers are seconds since the epoch, as flow logs write them.
fn as_time(sql: &str, kind: One) -> String {
    match kind {
        One::Time => sql.to_owned(),
        One::Number => format!("to_timestamp({sql})"),
        One::Text | One::Bool => format!("try_cast({sql} AS TIMESTAMP)"),
    }
}

/// The value as its log wrote it.
fn as_text(sql: &str, kind: One) -> String {
    match kind {
        One::Text => sql.to_owned(),
        One::Number | One::Bool => format!("CAST({sql} AS VARCHAR)"),
        One::Time => format!("to_char({sql}, '%Y-%m-%dT%H:%M:%SZ')"),
    }
}

fn an(kind: One) -> &'static str {
    match kind {
        One::Text => "text",
        One::Number => "a number",
        One::Bool => "true or false",
        One::Time => "a time",
    }
}
