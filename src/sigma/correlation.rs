//! A correlation and the rules that it names → the text of a query file: a rule over windows of the rows of those.

use rsigma_parser::{
    ConditionExpr, ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, SigmaRule, WindowMode,
};

use super::compare::Context;
use super::condition::Condition;
use super::fields::{self, Field, One, quoted};
use super::parse::Wrong;
use super::place::Lines;
use super::{is_called, is_correlation, nested, timespan, write};

/// A rule, or another correlation, that a correlation names.
pub struct Step<'a> {
    /// As the correlation names it.
    pub reference: &'a str,
    pub of: Of<'a>,
}

pub enum Of<'a> {
    /// With the condition of its rows.
    Rule(&'a SigmaRule, Condition),
    Correlation(&'a CorrelationRule, &'a Lines, Vec<Step<'a>>),
}

impl Step<'_> {
    fn is(&self, name: &str) -> bool {
        let called = match &self.of {
            Of::Rule(rule, _) => is_called(rule, name),
            Of::Correlation(correlation, ..) => is_correlation(correlation, name),
        };
        self.reference == name || called
    }

    /// Of its rows: of a correlation those of its rules.
    pub fn condition(&self) -> Condition {
        match &self.of {
            Of::Rule(_, condition) => condition.clone(),
            Of::Correlation(.., steps) => Condition::any(steps.iter().map(Step::condition).collect()),
        }
    }

    /// SQL of the number of its rows in a window.
    fn count(&self) -> String {
        format!("count(*) FILTER (WHERE {})", self.condition().alone())
    }

    /// That there are any, and that there are none.
    fn is_there(&self) -> Condition {
        let count = self.count();
        Condition::Either { holds: format!("{count} > 0"), fails: format!("{count} = 0") }
    }
}

/// What a correlation asks of a window.
pub struct Judged {
    pub having: Vec<String>,
    /// Columns to show.
    pub shown: Vec<String>,
    /// Whether more rows cannot make the condition false.
    pub grows: bool,
}

/// The whole file. The rows are those of any step; a row of several is taken once, and where they group by different fields
/// as the first one's.
///
/// # Errors
/// With the place of what cannot be used.
pub fn query_file(
    context: &Context,
    correlation: &CorrelationRule,
    steps: &[Step],
    lines: &Lines,
) -> Result<String, Wrong> {
    let lowering = Lowering { context, correlation, steps, lines };
    let keys = lowering.keys()?;
    let is_nested = steps.iter().any(|step| matches!(step.of, Of::Correlation(..)));
    let (judged, window) = if is_nested || correlation.window == WindowMode::Session {
        nested::judged(&lowering)?
    } else {
        let judged = lowering.judged()?;
        let window = lowering.window(judged.grows)?;
        (judged, window)
    };
    let groups: Vec<&str> = keys.iter().map(|(_, sql)| &**sql).chain([&*window]).collect();
    let shown = |(name, sql): &(&str, String)| {
        // as `Field::shown` has it: by itself, such a name may be one by which a column sets a part of the finding
        let is_unmapped = *sql == format!("unmapped ->> {}", quoted(name, '\''));
        let name = if is_unmapped { format!("unmapped.{name}") } else { (*name).to_owned() };
        format!("{sql} AS {}", quoted(&name, '"'))
    };
    let mut columns: Vec<String> = keys.iter().map(shown).collect();
    columns.push("count(*) AS events".to_owned());
    columns.extend(judged.shown);
    let usual: &[(&str, &str)] = match context.table.name {
        "cloudtrail" => &[("eventName", "event_names"), ("sourceIPAddress", "addresses"), ("userAgent", "user_agents")],
        "vpc_flow" => &[("srcaddr", "sources"), ("dstaddr", "destinations"), ("dstport", "ports")],
        _ => &[],
    };
    columns.extend(usual.iter().map(|(sql, name)| format!("sample({sql}) AS {name}")));
    columns.push(write::whose(&correlation.into()));
    let rows = Condition::any(steps.iter().map(Step::condition).collect());
    let mut file = write::header(&correlation.into());
    file.push_str(&format!("SELECT {}\n", columns.join(",\n       ")));
    file.push_str(&format!("FROM {}\n", context.table.name));
    file.push_str(&format!("WHERE {}\n", rows.conjuncts().join("\n  AND ")));
    file.push_str(&format!("GROUP BY {}\n", groups.join(", ")));
    file.push_str(&format!("HAVING {}\n", judged.having.join("\n   AND ")));
    Ok(file)
}

pub struct Lowering<'a> {
    pub context: &'a Context<'a>,
    pub correlation: &'a CorrelationRule,
    pub steps: &'a [Step<'a>],
    pub lines: &'a Lines,
}

impl Lowering<'_> {
    /// Names and SQL of what is grouped by.
    fn keys(&self) -> Result<Vec<(&str, String)>, Wrong> {
        for alias in &self.correlation.aliases {
            if let Some(lost) = alias.mapping.keys().filter(|name| !self.steps.iter().any(|step| step.is(name))).min() {
                let place = self.lines.value(&["correlation", "aliases", &alias.alias], lost);
                return Err((place, format!("the correlation names no rule `{lost}`")));
            }
        }
        let mut keys: Vec<(&str, String)> = Vec::new();
        for name in &self.correlation.group_by {
            let wrong = |message| (self.lines.value(&["correlation", "group-by"], name), message);
            let (sql, _) = self.value(name).map_err(wrong)?;
            if !keys.iter().any(|(_, known)| *known == sql) {
                keys.push((name, sql));
            }
        }
        Ok(keys)
    }

    /// What a step calls a field, or an alias of one.
    pub fn own<'b>(&'b self, step: &Step, name: &'b str) -> &'b str {
        let alias = self.correlation.aliases.iter().find(|alias| alias.alias == name);
        let own = alias.and_then(|alias| alias.mapping.iter().find(|(rule, _)| step.is(rule)));
        own.map_or(name, |(_, field)| field)
    }

    /// SQL of the one value that a row has for a field, or for an alias of one.
    pub fn value(&self, name: &str) -> Result<(String, One), String> {
        let mut of_steps = Vec::new();
        for step in self.steps {
            let field = self.own(step, name);
            let value = match &step.of {
                Of::Rule(..) => single(self.context, field),
                Of::Correlation(correlation, lines, steps) if correlation.group_by.iter().any(|by| by == field) => {
                    Lowering { context: self.context, correlation, steps, lines }.value(field)
                }
                Of::Correlation(..) => Err(format!(
                    "what `{}` matches has the fields that it groups by, and `{field}` is none of them",
                    step.reference
                )),
            };
            let is_alias = self.correlation.aliases.iter().any(|alias| alias.alias == name);
            let of_rule = matches!(step.of, Of::Rule(..)) && is_alias;
            of_steps.push(value.map_err(|message| match of_rule {
                true => format!("{message} (for `{}`)", step.reference),
                false => message,
            })?);
        }
        let (last, rest) = of_steps.split_last().expect("a correlation has a step");
        if rest.iter().all(|other| other == last) {
            return Ok(last.clone());
        }
        let alike = rest.iter().all(|(_, kind)| *kind == last.1);
        let text = |sql: &str| if alike { sql.to_owned() } else { format!("CAST({sql} AS VARCHAR)") };
        let cases = self
            .steps
            .iter()
            .zip(rest)
            .map(|(step, (sql, _))| format!("WHEN {} THEN {}", step.condition().alone(), text(sql)));
        let sql = format!("CASE {} ELSE {} END", cases.collect::<Vec<_>>().join(" "), text(&last.0));
        Ok((sql, if alike { last.1 } else { One::Text }))
    }

    fn judged(&self) -> Result<Judged, Wrong> {
        match (self.correlation.correlation_type, &self.correlation.condition) {
            (CorrelationType::EventCount, CorrelationCondition::Threshold { predicates, .. }) => {
                Ok(compared("count(*)", predicates, Vec::new()))
            }
            (CorrelationType::ValueCount, CorrelationCondition::Threshold { predicates, field, .. }) => {
                let value = self.distinct(field.as_deref().unwrap_or_default())?;
                let count = format!("count(DISTINCT {value})");
                let shown = vec![format!("{count} AS distinct_values"), format!("sample({value}) AS some_values")];
                Ok(compared(&count, predicates, shown))
            }
            (CorrelationType::ValueSum, CorrelationCondition::Threshold { predicates, field, .. }) => {
                let sum = format!("sum({})", self.number(field.as_deref().unwrap_or_default(), "BIGINT")?);
                let shown = vec![format!("{sum} AS total")];
                Ok(compared(&sum, predicates, shown))
            }
            (CorrelationType::ValueAvg, CorrelationCondition::Threshold { predicates, field, .. }) => {
                let mean = format!("avg({})", self.number(field.as_deref().unwrap_or_default(), "BIGINT")?);
                let shown = vec![format!("{mean} AS average")];
                // a row more may move it either way
                Ok(Judged { grows: false, ..compared(&mean, predicates, shown) })
            }
            (CorrelationType::ValueMedian, CorrelationCondition::Threshold { predicates, field, .. }) => {
                self.percentile("median", 50, predicates, field.as_deref().unwrap_or_default())
            }
            (CorrelationType::ValuePercentile, CorrelationCondition::Threshold { predicates, field, percentile }) => {
                let percentile = self.asked_percentile(*percentile)?;
                self.percentile("percentile", percentile, predicates, field.as_deref().unwrap_or_default())
            }
            (CorrelationType::Temporal, condition) => self.together(condition),
            (CorrelationType::TemporalOrdered, condition) => self.in_order(condition),
            (kind, CorrelationCondition::Extended(_)) => {
                let message = format!("the condition of `{}` compares a number, as in `gte: 10`", kind.as_str());
                Err((self.lines.key(&["correlation", "condition"]), message))
            }
        }
    }

    /// All rules, or as many or such as the condition asks for.
    fn together(&self, condition: &CorrelationCondition) -> Result<Judged, Wrong> {
        let shown = self.counts();
        let all = Condition::all(self.steps.iter().map(Step::is_there).collect());
        match condition {
            CorrelationCondition::Threshold { .. } if !self.has_condition() => {
                Ok(Judged { having: all.conjuncts(), shown, grows: true })
            }
            CorrelationCondition::Threshold { predicates, .. } => {
                let of_all = self.steps.len() as u64;
                if predicates.as_slice() == [(ConditionOperator::Gte, of_all)] {
                    return Ok(Judged { having: all.conjuncts(), shown, grows: true });
                }
                let each = self.steps.iter().map(|step| format!("CASE WHEN {} > 0 THEN 1 ELSE 0 END", step.count()));
                let count = each.collect::<Vec<_>>().join(" + ");
                Ok(compared(&count, predicates, shown))
            }
            CorrelationCondition::Extended(expr) => {
                let having = self.expression(expr)?.conjuncts();
                Ok(Judged { having, shown, grows: !has_not(expr) })
            }
        }
    }

    /// The parser writes `gte: 1` where there is none.
    pub fn has_condition(&self) -> bool {
        let in_braces = || !self.lines.has(&["correlation", "type"]) && self.lines.text("condition").is_some();
        self.lines.has(&["correlation", "condition"]) || in_braces()
    }

    /// Each rule no earlier than the one before it. Times in whole seconds do not tell which of two in one second was first.
    fn in_order(&self, condition: &CorrelationCondition) -> Result<Judged, Wrong> {
        let place = || self.lines.key(&["correlation", "condition"]);
        let more = match condition {
            CorrelationCondition::Extended(expr) => Some((self.expression(expr)?, has_not(expr))),
            CorrelationCondition::Threshold { .. } => {
                if !self.all_of_steps() {
                    let message = "the condition of `temporal_ordered` is that all of its rules match, one after the \
                                   other: leave it out";
                    return Err((place(), message.to_owned()));
                }
                None
            }
        };
        let time = self.time();
        let having = match self.steps {
            [only] => format!("{} > 0", only.count()),
            [first, second] => format!(
                "min({time}) FILTER (WHERE {}) <= max({time}) FILTER (WHERE {})",
                first.condition().alone(),
                second.condition().alone()
            ),
            steps => {
                let steps = steps.iter().map(|step| format!(",\n                {}", step.condition().alone()));
                format!("in_order({time}{})", steps.collect::<String>())
            }
        };
        let grows = !more.as_ref().is_some_and(|(_, has_not)| *has_not);
        let having = [having].into_iter().chain(more.into_iter().flat_map(|(more, _)| more.conjuncts()));
        Ok(Judged { having: having.collect(), shown: self.counts(), grows })
    }

    /// Whether a number of rules that it compares with is met by all of its own, and not by none.
    pub fn all_of_steps(&self) -> bool {
        let CorrelationCondition::Threshold { predicates, .. } = &self.correlation.condition else { return false };
        let holds = |rules: u64| predicates.iter().all(|(operator, number)| holds(*operator, rules, *number));
        holds(self.steps.len() as u64) && !holds(0)
    }

    pub fn counts(&self) -> Vec<String> {
        let column = |step: &Step| {
            let name = match &step.of {
                Of::Rule(rule, _) => format!("matches of {}", rule.name.as_deref().unwrap_or(&rule.title)),
                Of::Correlation(rule, ..) => format!("events of {}", rule.name.as_deref().unwrap_or(&rule.title)),
            };
            format!("{} AS {}", step.count(), quoted(&name, '"'))
        };
        self.steps.iter().map(column).collect()
    }

    /// A condition over names of rules.
    fn expression(&self, expr: &ConditionExpr) -> Result<Condition, Wrong> {
        let each = |parts: &[ConditionExpr]| parts.iter().map(|part| self.expression(part)).collect::<Result<_, _>>();
        Ok(match expr {
            ConditionExpr::And(parts) => Condition::all(each(parts)?),
            ConditionExpr::Or(parts) => Condition::any(each(parts)?),
            ConditionExpr::Not(inner) => Condition::Not(Box::new(self.expression(inner)?)),
            ConditionExpr::Identifier(_) | ConditionExpr::Selector { .. } => self.steps[self.named(expr)?].is_there(),
        })
    }

    /// The place of the step that a condition names.
    pub fn named(&self, expr: &ConditionExpr) -> Result<usize, Wrong> {
        let name = expr.to_string();
        let (name, message) = match expr {
            ConditionExpr::Identifier(name) => match self.steps.iter().position(|step| step.is(name)) {
                Some(place) => return Ok(place),
                None => (name, format!("the correlation names no rule `{name}`")),
            },
            ConditionExpr::Selector { pattern, .. } => {
                (&pattern.to_string(), format!("write the names of the rules in place of `{pattern}`"))
            }
            ConditionExpr::And(_) | ConditionExpr::Or(_) | ConditionExpr::Not(_) => {
                (&name, format!("`{name}` is the name of no rule"))
            }
        };
        Err((self.lines.value(&["correlation", "condition"], name), message))
    }

    /// SQL of what distinct values are counted of; null where a field has none.
    pub fn distinct(&self, names: &[String]) -> Result<String, Wrong> {
        let values = names.iter().map(|name| self.value(name).map_err(|message| (self.of_field(name), message)));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        match values.as_slice() {
            [] => Err(self.no_field()),
            [(only, _)] => Ok(only.clone()),
            // no value of a log has this character in it
            _ => Ok(values
                .iter()
                .map(|(sql, _)| format!("CAST({sql} AS VARCHAR)"))
                .collect::<Vec<_>>()
                .join(" || chr(31) || ")),
        }
    }

    /// A percentile of a field, 0 to 100, and the column's name.
    fn percentile(
        &self,
        name: &str,
        percentile: u64,
        predicates: &[(ConditionOperator, u64)],
        names: &[String],
    ) -> Result<Judged, Wrong> {
        let number = self.number(names, "DOUBLE")?;
        let percentile = format!("approx_percentile({number}, {})", percentile as f64 / 100.0);
        let shown = vec![format!("{percentile} AS {name}")];
        // a row more may move it either way
        Ok(Judged { grows: false, ..compared(&percentile, predicates, shown) })
    }

    /// The percentile that the condition names, which is the median where it names none.
    fn asked_percentile(&self, parsed: Option<u64>) -> Result<u64, Wrong> {
        let condition = ["correlation", "condition"];
        // the parser drops what is no whole number; a field may be called so too, but has no colon behind it
        let keys = ["percentile:", "percentile\":", "percentile':"].map(|key| self.lines.value(&condition, key));
        let named = keys.into_iter().find(|place| *place != self.lines.key(&condition));
        match (parsed, named) {
            (Some(percentile @ 0..=100), _) => Ok(percentile),
            (None, None) => Ok(50),
            (_, place) => {
                let message = "a percentile is a whole number from 0 to 100".to_owned();
                Err((place.unwrap_or(self.lines.key(&condition)), message))
            }
        }
    }

    /// SQL of the number of a row, of a type where it is in a text.
    fn number(&self, names: &[String], kind: &str) -> Result<String, Wrong> {
        let name = match names {
            [] => return Err(self.no_field()),
            [name] => name,
            [_, second, ..] => {
                let message = format!("`{}` is of one field", self.correlation.correlation_type.as_str());
                return Err((self.of_field(second), message));
            }
        };
        match self.value(name).map_err(|message| (self.of_field(name), message))? {
            (sql, One::Number) => Ok(sql),
            (sql, One::Text) => Ok(format!("try_cast({sql} AS {kind})")),
            (_, One::Bool | One::Time) => Err((self.of_field(name), format!("`{name}` is no number"))),
        }
    }

    fn of_field(&self, name: &str) -> (usize, usize) {
        self.lines.value(&["correlation", "condition", "field"], name)
    }

    fn no_field(&self) -> Wrong {
        let message = format!("`{}` needs a `field`", self.correlation.correlation_type.as_str());
        (self.lines.key(&["correlation", "condition"]), message)
    }

    /// The timespan in seconds.
    pub fn seconds(&self) -> Result<i64, Wrong> {
        let seconds = i64::try_from(self.correlation.timespan.seconds)
            .ok()
            .filter(|seconds| (1..=DAYS_MAX * 86_400).contains(seconds));
        seconds.ok_or_else(|| self.wrong_timespan(format!("a timespan is between a second and {DAYS_MAX} days")))
    }

    /// How many seconds apart the rows of a session are at most; `None` of what does not go by sessions.
    pub fn gap(&self) -> Result<Option<i64>, Wrong> {
        let Some(gap) = &self.correlation.gap else { return Ok(None) };
        match i64::try_from(gap.seconds) {
            Ok(seconds @ 1..) if seconds <= DAYS_MAX * 86_400 => Ok(Some(seconds)),
            _ => {
                let place = self.lines.text("gap:").unwrap_or_else(|| self.lines.key(&["correlation"]));
                Err((place, format!("a gap is between a second and {DAYS_MAX} days")))
            }
        }
    }

    pub fn wrong_timespan(&self, message: String) -> Wrong {
        let key = if self.lines.has(&["correlation", "timeframe"]) { "timeframe" } else { "timespan" };
        (self.lines.key(&["correlation", key]), message)
    }

    fn window(&self, grows: bool) -> Result<String, Wrong> {
        let seconds = self.seconds()?;
        match self.correlation.window {
            WindowMode::Sliding if grows => Ok(timespan::sliding(&self.time(), seconds)),
            WindowMode::Sliding | WindowMode::Tumbling => Ok(timespan::periods(&self.time(), seconds)),
            WindowMode::Session => panic!("what goes by sessions is judged as what is nested"),
        }
    }

    pub fn time(&self) -> String {
        match fields::resolve(self.context.table, self.context.table.time) {
            Ok(Field::One { sql, .. }) => sql,
            other => panic!("the time of a table is one of its columns, not {other:?}"),
        }
    }
}

/// Longest timespan: rows are remembered as long.
pub const DAYS_MAX: i64 = 366;

/// A field of one value.
fn single(context: &Context, name: &str) -> Result<(String, One), String> {
    match fields::resolve(context.table, name)? {
        Field::One { sql, kind } => Ok((sql, kind)),
        Field::Many { single: Some(sql), .. } => Ok((sql, One::Text)),
        Field::Many { single: None, .. } => Err(format!("`{name}` is no single value")),
    }
}

fn compared(aggregate: &str, predicates: &[(ConditionOperator, u64)], shown: Vec<String>) -> Judged {
    let having = predicates.iter().map(|(operator, number)| {
        let operator = match operator {
            ConditionOperator::Lt => "<",
            ConditionOperator::Lte => "<=",
            ConditionOperator::Gt => ">",
            ConditionOperator::Gte => ">=",
            ConditionOperator::Eq => "=",
            ConditionOperator::Neq => "<>",
        };
        // the parser keeps a negative number in its two's complement
        format!("{aggregate} {operator} {}", number.cast_signed())
    });
    let rises = |operator: &ConditionOperator| matches!(operator, ConditionOperator::Gt | ConditionOperator::Gte);
    let grows = predicates.iter().all(|(operator, _)| rises(operator));
    Judged { having: having.collect(), shown, grows }
}

fn holds(operator: ConditionOperator, value: u64, number: u64) -> bool {
    match operator {
        ConditionOperator::Lt => value < number,
        ConditionOperator::Lte => value <= number,
        ConditionOperator::Gt => value > number,
        ConditionOperator::Gte => value >= number,
        ConditionOperator::Eq => value == number,
        ConditionOperator::Neq => value != number,
    }
}

pub fn has_not(expr: &ConditionExpr) -> bool {
    match expr {
        ConditionExpr::Not(_) => true,
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => parts.iter().any(has_not),
        ConditionExpr::Identifier(_) | ConditionExpr::Selector { .. } => false,
    }
}
