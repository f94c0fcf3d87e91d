//! The detection of a rule → the condition that its rows meet, or what in it cannot be used, and where.

use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Detections, Quantifier, SigmaValue};

use super::compare::{self, Complaint, Context};
use super::condition::Condition;
use super::modifiers;
use super::parse::Wrong;
use super::place::Lines;

/// `section` is the key that the detections stand under: `detection`, or `filter` in a filter.
///
/// # Errors
/// With the place of what cannot be used.
pub fn condition(context: &Context, detections: &Detections, section: &str, lines: &Lines) -> Result<Condition, Wrong> {
    if detections.timeframe.is_some() {
        let message = "`timeframe` belongs to a correlation: write one that names this rule".to_owned();
        return Err((lines.key(&[section, "timeframe"]), message));
    }
    let scope = Scope { context, detections, section, lines };
    let any = detections.conditions.iter().map(|expr| scope.expression(expr));
    Ok(Condition::any(any.collect::<Result<_, _>>()?))
}

/// The names of the fields that the detections look at, sorted.
pub fn fields(detections: &Detections) -> Vec<String> {
    let mut names = Vec::new();
    detections.named.values().for_each(|detection| collect(detection, &mut names));
    names.sort();
    names.dedup();
    names
}

fn collect(detection: &Detection, names: &mut Vec<String>) {
    match detection {
        Detection::AllOf(items) => names.extend(items.iter().filter_map(|item| item.field.name.clone())),
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter().for_each(|part| collect(part, names)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {}
    }
}

struct Scope<'a> {
    context: &'a Context<'a>,
    detections: &'a Detections,
    section: &'a str,
    lines: &'a Lines,
}

impl Scope<'_> {
    fn expression(&self, expr: &ConditionExpr) -> Result<Condition, Wrong> {
        let each = |parts: &[ConditionExpr]| parts.iter().map(|part| self.expression(part)).collect::<Result<_, _>>();
        Ok(match expr {
            ConditionExpr::And(parts) => Condition::all(each(parts)?),
            ConditionExpr::Or(parts) => Condition::any(each(parts)?),
            ConditionExpr::Not(inner) => Condition::Not(Box::new(self.expression(inner)?)),
            ConditionExpr::Identifier(name) => match self.detections.named.get(name) {
                Some(detection) => self.detection(name, detection)?,
                None => return Err(self.no_detection(name, &format!("there is no detection `{name}`"))),
            },
            ConditionExpr::Selector { quantifier, pattern } => {
                let mut named: Vec<_> =
                    self.detections.named.iter().filter(|(name, _)| pattern.matches_detection_name(name)).collect();
                named.sort_by_key(|(name, _)| *name);
                if named.is_empty() {
                    return Err(self.no_detection(&pattern.to_string(), &format!("no detection is called `{pattern}`")));
                }
                let each = named.into_iter().map(|(name, detection)| self.detection(name, detection));
                let each = each.collect::<Result<Vec<_>, _>>()?;
                match quantifier {
                    Quantifier::Any | Quantifier::Count(1) => Condition::any(each),
                    Quantifier::All => Condition::all(each),
                    Quantifier::Count(least) => Condition::Some(*least, each),
                }
            }
        })
    }

    fn no_detection(&self, name: &str, message: &str) -> Wrong {
        (self.lines.value(&[self.section, "condition"], name), message.to_owned())
    }

    fn detection(&self, name: &str, detection: &Detection) -> Result<Condition, Wrong> {
        let each = |parts: &[Detection]| parts.iter().map(|part| self.detection(name, part)).collect::<Result<_, _>>();
        let here = |message: &str| (self.lines.key(&[self.section, name]), message.to_owned());
        match detection {
            Detection::AllOf(items) if items.is_empty() => Err(here("the detection is empty")),
            Detection::AllOf(items) => {
                let each = items.iter().map(|item| self.item(name, item));
                Ok(Condition::all(each.collect::<Result<_, _>>()?))
            }
            Detection::AnyOf(parts) if parts.is_empty() => Err(here("the detection is empty")),
            Detection::AnyOf(parts) => Ok(Condition::any(each(parts)?)),
            Detection::And(parts) => Ok(Condition::all(each(parts)?)),
            Detection::Keywords(values) => {
                let plain = modifiers::read(&[]).expect("no modifiers contradict none");
                let found = compare::keywords(self.context, &plain, values);
                found.map_err(|complaint| self.wrong(&[self.section, name], complaint))
            }
            Detection::ArrayMatch { quantifier, .. } => {
                let place = self.lines.value(&[self.section, name], &format!("[{quantifier}]"));
                Err((
                    place,
                    format!(
                        "`[{quantifier}]` is a proposal for Sigma 3 and not supported: \
                     a path through a list already means any of its elements"
                    ),
                ))
            }
            Detection::Conditional { .. } => Err(here("conditions within array blocks are not supported")),
        }
    }

    fn item(&self, name: &str, item: &DetectionItem) -> Result<Condition, Wrong> {
        let field = item.field.name.as_deref().unwrap_or_default();
        let path = [self.section, name, field];
        if field == "<<" {
            return Err((self.lines.key(&path), "`<<` is not read: write out what it brings in".to_owned()));
        }
        if item.values.iter().any(|value| self.is_nested(value)) {
            let message = format!(
                "a value of `{field}` is a mapping or a list within one: a field is named by its path, as in `a.b`"
            );
            return Err((self.lines.key(&path), message));
        }
        compare::item(self.context, item).map_err(|complaint| self.wrong(&[self.section, name, field], complaint))
    }

    /// The parser gives such a value as a text of its own making, which the file does not have.
    fn is_nested(&self, value: &SigmaValue) -> bool {
        let SigmaValue::String(text) = value else { return false };
        let is_made = ["Mapping {", "Sequence [", "TaggedValue {"].iter().any(|begin| text.original.starts_with(begin));
        is_made && !self.lines.text.contains(&text.original)
    }

    fn wrong(&self, path: &[&str], complaint: Complaint) -> Wrong {
        let place = match &complaint.value {
            Some(value) => self.lines.value(path, value),
            None => self.lines.key(path),
        };
        (place, complaint.message)
    }
}
