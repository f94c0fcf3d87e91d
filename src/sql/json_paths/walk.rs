//! A [`Path`] and JSON → the values that it leads to, as SQL's standard has them.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::parse::{Comparison, Condition, Method, Operator, Path, Sought, Step};

/// The path cannot be gone along: a strict one leads nowhere, or a number is computed of something else.
#[derive(Debug, PartialEq, Eq)]
pub struct Lost;

type Values<'v> = Result<Vec<Cow<'v, Value>>, Lost>;

impl Path {
    /// The values there. `given` is what `PASSING` names.
    ///
    /// # Errors
    /// Where it cannot be gone along.
    pub fn of<'v>(&'v self, json: &'v Value, given: &'v [(String, Value)]) -> Values<'v> {
        Walk { strict: self.strict, root: json, given, current: None, last: None }.of(&self.sought)
    }
}

#[derive(Clone, Copy)]
struct Walk<'v> {
    strict: bool,
    root: &'v Value,
    given: &'v [(String, Value)],
    /// What a filter is asked of.
    current: Option<&'v Value>,
    /// The last place of the list whose places are sought.
    last: Option<usize>,
}

impl<'v> Walk<'v> {
    fn of(self, sought: &'v Sought) -> Values<'v> {
        Ok(match sought {
            Sought::Root => vec![Cow::Borrowed(self.root)],
            Sought::Current => vec![Cow::Borrowed(self.current.ok_or(Lost)?)],
            Sought::Last => vec![Cow::Owned(Value::from(self.last.ok_or(Lost)?))],
            Sought::Given(name) => {
                let (_, value) = self.given.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).ok_or(Lost)?;
                vec![Cow::Borrowed(value)]
            }
            Sought::Constant(value) => vec![Cow::Borrowed(value)],
            Sought::Computed(left, operator, right) => {
                let [left, right] = [self.of(left)?, self.of(right)?].map(|side| self.number(side));
                vec![Cow::Owned(computed(&left?, *operator, &right?).ok_or(Lost)?)]
            }
            Sought::Step(from, step) => {
                let mut found = Vec::new();
                for value in self.of(from)? {
                    self.step(step, value, &mut found)?;
                }
                found
            }
        })
    }

    /// The one number among values.
    fn number(self, values: Vec<Cow<'v, Value>>) -> Result<Number, Lost> {
        match self.unwrapped(values).as_slice() {
            [value] => value.as_number().cloned().ok_or(Lost),
            _ => Err(Lost),
        }
    }

    /// Values with the items of lists in their places, unless the path is strict.
    fn unwrapped(self, values: Vec<Cow<'v, Value>>) -> Vec<Cow<'v, Value>> {
        if self.strict {
            return values;
        }
        let each = |value| match items(value) {
            Ok(items) => items,
            Err(value) => vec![value],
        };
        values.into_iter().flat_map(each).collect()
    }

    fn step(self, step: &'v Step, value: Cow<'v, Value>, found: &mut Vec<Cow<'v, Value>>) -> Result<(), Lost> {
        let of_items = match step {
            Step::Name(_) | Step::Names | Step::Filter(_) => !self.strict,
            Step::Method(method) => !self.strict && !matches!(method, Method::Size | Method::Type),
            Step::Below(_) | Step::Places(_) | Step::AllPlaces => false,
        };
        if of_items && value.is_array() {
            let items = items(value).unwrap_or_default();
            return items.into_iter().try_for_each(|item| self.step_of_one(step, item, found));
        }
        self.step_of_one(step, value, found)
    }

    fn step_of_one(self, step: &'v Step, value: Cow<'v, Value>, found: &mut Vec<Cow<'v, Value>>) -> Result<(), Lost> {
        match step {
            Step::Name(name) => match part(&value, |value| value.as_object()?.get(name)) {
                Some(part) => found.push(part),
                None if self.strict => return Err(Lost),
                None => {}
            },
            Step::Names => match value {
                Cow::Borrowed(Value::Object(object)) => found.extend(object.values().map(Cow::Borrowed)),
                Cow::Owned(Value::Object(object)) => found.extend(object.into_values().map(Cow::Owned)),
                _ if self.strict => return Err(Lost),
                _ => {}
            },
            Step::Below(name) => below(value, name, found),
            Step::Places(places) => return self.places(places, value, found),
            Step::AllPlaces => match items(value) {
                Ok(items) => found.extend(items),
                Err(_) if self.strict => return Err(Lost),
                Err(value) => found.push(value),
            },
            Step::Filter(condition) => {
                let held = match &value {
                    Cow::Borrowed(value) => Walk { current: Some(*value), ..self }.holds(condition),
                    Cow::Owned(value) => Walk { current: Some(value), ..self }.holds(condition),
                };
                if held == Some(true) {
                    found.push(value);
                }
            }
            Step::Method(Method::Size) if self.strict && !value.is_array() => return Err(Lost),
            Step::Method(method) => found.extend(of_method(*method, &value)?.into_iter().map(Cow::Owned)),
        }
        Ok(())
    }

    fn places(
        self,
        places: &'v [(Sought, Option<Sought>)],
        value: Cow<'v, Value>,
        found: &mut Vec<Cow<'v, Value>>,
    ) -> Result<(), Lost> {
        if self.strict && !value.is_array() {
            return Err(Lost);
        }
        // what is no list is one of one item
        let length = value.as_array().map_or(1, Vec::len);
        let within = Walk { last: length.checked_sub(1), ..self };
        let place = |sought| within.number(within.of(sought)?)?.as_i64().ok_or(Lost);
        for (from, to) in places {
            // of an empty list there is no last place
            let (Ok(from), Ok(to)) = (place(from), place(to.as_ref().unwrap_or(from))) else {
                if length > 0 || self.strict {
                    return Err(Lost);
                }
                continue;
            };
            if self.strict && (from < 0 || to < from || to >= length as i64) {
                return Err(Lost);
            }
            for at in from.max(0)..=to.min(length as i64 - 1) {
                let item = if value.is_array() { part(&value, |value| value.get(at as usize)) } else { None };
                found.push(item.unwrap_or_else(|| value.clone()));
            }
        }
        Ok(())
    }

    /// Whether a condition holds; `None` where that is unknown.
    fn holds(self, condition: &'v Condition) -> Option<bool> {
        match condition {
            Condition::Both(left, right) => match (self.holds(left), self.holds(right)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Condition::Either(left, right) => match (self.holds(left), self.holds(right)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Condition::Not(inner) => self.holds(inner).map(|held| !held),
            Condition::IsUnknown(inner) => Some(self.holds(inner).is_none()),
            Condition::Exists(sought) => self.of(sought).ok().map(|values| !values.is_empty()),
            Condition::Compare(left, comparison, right) => {
                let (left, right) = (self.values(left)?, self.values(right)?);
                let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
                // one such pair leaves all unknown, wherever it stands
                if pairs.clone().any(|(left, right)| differ(left, right) || differ(right, left)) {
                    return None;
                }
                self.any(pairs.map(|(left, right)| compared(left, *comparison, right)))
            }
            Condition::Begins(text, begin) => {
                let (texts, begins) = (self.values(text)?, self.values(begin)?);
                let [begin] = begins.as_slice() else { return None };
                self.any(texts.iter().map(|text| Some(text.as_str()?.starts_with(begin.as_str()?))))
            }
            Condition::Matches(text, regex) => {
                self.any(self.values(text)?.iter().map(|text| Some(regex.is_match(text.as_str()?))))
            }
        }
    }

    /// What a condition is asked of; `None` where the path to it cannot be gone along.
    fn values(self, sought: &'v Sought) -> Option<Vec<Cow<'v, Value>>> {
        self.of(sought).ok().map(|found| self.unwrapped(found))
    }

    /// Whether any of these holds; where one is unknown, a lax path has found it before or has not, and a strict one knows nothing.
    fn any(self, mut judged: impl Iterator<Item = Option<bool>>) -> Option<bool> {
        if self.strict {
            return judged.try_fold(false, |any, held| Some(any | held?));
        }
        judged.find(|held| *held != Some(false)).unwrap_or(Some(false))
    }
}

/// A part of a value, which is borrowed where the whole is.
fn part<'v>(value: &Cow<'v, Value>, find: impl Fn(&Value) -> Option<&Value>) -> Option<Cow<'v, Value>> {
    match value {
        Cow::Borrowed(value) => find(value).map(Cow::Borrowed),
        Cow::Owned(value) => find(value).cloned().map(Cow::Owned),
    }
}

/// The items of a list; what is none comes back.
fn items(value: Cow<'_, Value>) -> Result<Vec<Cow<'_, Value>>, Cow<'_, Value>> {
    match value {
        Cow::Borrowed(Value::Array(items)) => Ok(items.iter().map(Cow::Borrowed).collect()),
        Cow::Owned(Value::Array(items)) => Ok(items.into_iter().map(Cow::Owned).collect()),
        other => Err(other),
    }
}

/// The values of all fields of a name, however deep they stand.
fn below<'v>(value: Cow<'v, Value>, name: &str, found: &mut Vec<Cow<'v, Value>>) {
    found.extend(part(&value, |value| value.as_object()?.get(name)));
    let inner: Vec<Cow<'v, Value>> = match value {
        Cow::Borrowed(Value::Object(object)) => object.values().map(Cow::Borrowed).collect(),
        Cow::Borrowed(Value::Array(items)) => items.iter().map(Cow::Borrowed).collect(),
        Cow::Owned(Value::Object(object)) => object.into_values().map(Cow::Owned).collect(),
        Cow::Owned(Value::Array(items)) => items.into_iter().map(Cow::Owned).collect(),
        _ => Vec::new(),
    };
    inner.into_iter().for_each(|value| below(value, name, found));
}

fn of_method(method: Method, value: &Value) -> Result<Vec<Value>, Lost> {
    let number = || value.as_number().ok_or(Lost);
    Ok(vec![match method {
        Method::Size => Value::from(value.as_array().map_or(1, Vec::len)),
        Method::Type => Value::from(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }),
        Method::Double => {
            let text = value.as_str().map(|text| text.trim().parse::<f64>());
            let double = value.as_f64().or_else(|| text?.ok()).ok_or(Lost)?;
            Value::Number(Number::from_f64(double).ok_or(Lost)?)
        }
        Method::Abs | Method::Ceiling | Method::Floor => rounded(method, number()?).ok_or(Lost)?,
        Method::KeyValue => {
            let object = value.as_object().ok_or(Lost)?;
            let pair = |(name, value): (&String, &Value)| {
                let fields = [("name", Value::from(name.as_str())), ("value", value.clone()), ("id", Value::from(0))];
                Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            };
            return Ok(object.iter().map(pair).collect());
        }
    }])
}

fn rounded(method: Method, number: &Number) -> Option<Value> {
    match (number.as_i64(), method) {
        (Some(whole), Method::Abs) => whole.checked_abs().map(Value::from),
        (Some(whole), _) => Some(Value::from(whole)),
        (None, method) => {
            let double = number.as_f64()?;
            let double = match method {
                Method::Ceiling => double.ceil(),
                Method::Floor => double.floor(),
                _ => double.abs(),
            };
            // a whole number is shown without a point
            if double.fract() == 0.0 && method != Method::Abs && double.abs() < i64::MAX as f64 {
                return Some(Value::from(double as i64));
            }
            Number::from_f64(double).map(Value::Number)
        }
    }
}

/// Integers where both are; `None` where there is no such number.
fn computed(left: &Number, operator: Operator, right: &Number) -> Option<Value> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        let number = match operator {
            Operator::Plus => left.checked_add(right),
            Operator::Minus => left.checked_sub(right),
            Operator::Times => left.checked_mul(right),
            Operator::By => left.checked_div(right),
            Operator::Rest => left.checked_rem(right),
        };
        return number.map(Value::from);
    }
    let (left, right) = (left.as_f64()?, right.as_f64()?);
    let number = match operator {
        Operator::Plus => left + right,
        Operator::Minus => left - right,
        Operator::Times => left * right,
        Operator::By => left / right,
        Operator::Rest => left % right,
    };
    Number::from_f64(number).map(Value::Number)
}

/// Whether one is a list or an object, which compares with a null alone.
fn differ(one: &Value, other: &Value) -> bool {
    (one.is_array() || one.is_object()) && !other.is_null()
}

/// `None` where two values do not compare.
fn compared(left: &Value, comparison: Comparison, right: &Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) | (_, Value::Null) => return Some(comparison == Comparison::Other),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?)?,
        },
        _ => return None,
    };
    Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Other => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::More => order.is_gt(),
        Comparison::MoreOrEqual => order.is_ge(),
    })
}
