//! A statement in Athena's words, which AWS's example queries are written in → the same in DataFusion's words.

mod aggregates;
mod unnest;
mod json_path;
mod time_format;
mod template;

use std::ops::ControlFlow;

use anyhow::{anyhow, bail};
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Fetch, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, LimitClause, ObjectName, Query, Select, SelectItem, Subscript,
    TableAlias, TableFactor, UnaryOperator, Value, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};

use self::json_path::keys;
use self::template::{call_name, expression, positional, query, text, with_arguments};
use self::time_format::{Direction, chrono, chrono_of_joda};
use self::unnest::Unnested;
use crate::catalog;
use crate::rule::shape::ATHENA_TABLES;
use crate::table::Kind;

/// Who runs the statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum For {
    /// DataFusion.
    #[default]
    Query,
    /// The engine, which has few aggregates, and no trouble with `IS TRUE`.
    Rule,
}

/// Puts what DataFusion knows in the place of what only Athena does.
///
/// # Errors
/// Where that cannot be done, or where DataFusion would pass over a word in silence: in words for the person who typed it.
pub fn translate(statement: &mut Statement) -> anyhow::Result<()> {
    in_words(statement, For::Query)
}

/// The same for a rule.
///
/// # Errors
/// As [`translate`].
pub fn translate_rule(statement: &mut Statement) -> Result<(), DataFusionError> {
    in_words(statement, For::Rule).map_err(|error| DataFusionError::Plan(error.to_string()))
}

fn in_words(statement: &mut Statement, who: For) -> anyhow::Result<()> {
    match statement {
        Statement::Statement(statement) => {
            let mut words = Words { who, ..Words::default() };
            let _ = visit_expressions(&**statement, |expr| {
                words.names_of_days |= last_name(expr).is_some_and(|name| DAYS.contains(&name.as_str()));
                ControlFlow::<()>::Continue(())
            }); // the closure never breaks
            match statement.visit(&mut words) {
                ControlFlow::Break(error) => Err(error),
                ControlFlow::Continue(()) => Ok(()),
            }
        }
        Statement::Explain(explain) => in_words(&mut explain.statement, who),
        _ => Ok(()),
    }
}

#[derive(Default)]
struct Words {
    who: For,
    unnested: Unnested,
    /// Of each SELECT around the place that is looked at, the text of its columns without alias.
    shown: Vec<Vec<Option<String>>>,
    /// What WITH calls its queries.
    given: Vec<Ident>,
    /// Whether it names a column that is another name of the day.
    names_of_days: bool,
}

/// What AWS's tables for Athena call the day that they are partitioned by: those of flow logs, and those of CloudTrail.
const DAYS: [&str; 2] = ["date", "timestamp"];

impl VisitorMut for Words {
    type Break = anyhow::Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<anyhow::Error> {
        let given = query.with.iter().flat_map(|with| &with.cte_tables).map(|table| table.alias.name.clone());
        self.given.extend(given);
        if let Some(Fetch { with_ties: false, percent: false, quantity }) = &query.fetch
            && matches!(query.limit_clause, None | Some(LimitClause::LimitOffset { limit: None, .. }))
        {
            let limit = Some(quantity.clone().unwrap_or_else(|| expression("1")));
            query.fetch = None;
            query.limit_clause = Some(match query.limit_clause.take() {
                Some(LimitClause::LimitOffset { offset, limit_by, .. }) => {
                    LimitClause::LimitOffset { limit, offset, limit_by }
                }
                _ => LimitClause::LimitOffset { limit, offset: None, limit_by: Vec::new() },
            });
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<anyhow::Error> {
        self.unnested.join(select);
        let text = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) if !is_name(expr) => Some(expr.to_string()),
            _ => None,
        };
        self.shown.push(select.projection.iter().map(text).collect());
        ControlFlow::Continue(())
    }

    /// A column that was put in other words is shown by those that were typed.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<anyhow::Error> {
        let typed = self.shown.pop().unwrap_or_default();
        for (item, typed) in select.projection.iter_mut().zip(typed) {
            if let (SelectItem::UnnamedExpr(expr), Some(typed)) = (&*item, typed)
                && expr.to_string() != typed
            {
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', typed) };
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<anyhow::Error> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => {
                ControlFlow::Break(anyhow!("there is no TABLESAMPLE here: WHERE random() < 0.1 is a tenth of the rows"))
            }
            TableFactor::Table { name, alias, args: None, .. } => {
                if let Some((table, typed)) = archived(name)
                    && !self.given.iter().any(|given| given.value.eq_ignore_ascii_case(&typed.value))
                {
                    let is_of_athena = !typed.value.eq_ignore_ascii_case(table);
                    *name = ObjectName::from(vec![Ident::new(table)]);
                    alias.get_or_insert(TableAlias { explicit: true, name: typed, columns: Vec::new(), at: None });
                    if is_of_athena && self.names_of_days && self.who == For::Query {
                        let theirs = if table == "vpc_flow" { DAYS[0] } else { DAYS[1] };
                        let subquery = query(&format!("SELECT *, day AS \"{theirs}\" FROM {table}"), &[]);
                        let alias = alias.take();
                        *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
                    }
                }
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// What is cast decides how JSON is taken out of its text, so this is asked before the call inside it is.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<anyhow::Error> {
        if let Expr::Cast { expr, data_type, .. } = expr
            && let Expr::Function(call) = expr.as_mut()
            && matches!(call_name(call).as_deref(), Some("json_extract" | "json_parse"))
        {
            let name = match &*data_type {
                kind if is_list_of_json(kind) => "json_extract_items",
                DataType::Array(_) => "json_extract_array",
                _ => "json_extract_text",
            };
            rename(call, name);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<anyhow::Error> {
        if let Expr::CompoundIdentifier(name) = expr {
            self.unnested.shorten(name);
            if let [column] = name.as_slice() {
                *expr = Expr::Identifier(column.clone());
            }
        }
        match translated(expr, self.who) {
            Ok(Some(other)) => *expr = other,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// What takes the place of an expression whose parts are in DataFusion's words already.
fn translated(expr: &mut Expr, who: For) -> anyhow::Result<Option<Expr>> {
    Ok(match expr {
        Expr::Function(call) => return function(call, who),
        Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
            if who == For::Rule =>
        {
            None
        }
        // DataFusion 55 takes these for never null where it plans and for nullable where it runs, and fails on its own
        // difference once two aggregates share one
        Expr::IsTrue(inner) => Some(with_arguments("coalesce(arg1, false)", &[inner])),
        Expr::IsNotTrue(inner) => Some(with_arguments("(NOT coalesce(arg1, false))", &[inner])),
        Expr::IsFalse(inner) => Some(with_arguments("(NOT coalesce(arg1, true))", &[inner])),
        Expr::IsNotFalse(inner) => Some(with_arguments("coalesce(arg1, true)", &[inner])),
        Expr::IsUnknown(inner) => Some(with_arguments("(arg1 IS NULL)", &[inner])),
        Expr::IsNotUnknown(inner) => Some(with_arguments("(arg1 IS NOT NULL)", &[inner])),
        Expr::Cast { expr, data_type, .. } if is_list_of_json(data_type) => Some((**expr).clone()),
        Expr::CompoundFieldAccess { root, access_chain } => subscripts(root, access_chain),
        Expr::SimilarTo { .. } => bail!("there is no SIMILAR TO here: LIKE 'Get%', or regexp_like(eventName, '^Get')"),
        Expr::Like { expr, .. } | Expr::ILike { expr, .. } | Expr::Substring { expr, .. } => {
            as_text(expr);
            None
        }
        Expr::BinaryOp { left, op, right } => {
            if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
                compare(left, right);
                compare(right, left);
            }
            complete_time(left, right);
            complete_time(right, left);
            None
        }
        Expr::Between { expr, low, high, .. } => {
            complete_time(expr, low);
            complete_time(expr, high);
            None
        }
        Expr::InList { expr, list, .. } => {
            list.iter_mut().for_each(|value| {
                compare(expr, value);
                complete_time(expr, value);
            });
            None
        }
        _ => None,
    })
}

/// The table here that a name of Athena means, `default.cloudtrail`, `cloudtrail_logs`, or `cloudtrail_logs_mybucket` as the
/// console of CloudTrail makes it, with the last word of that name.
fn archived(name: &ObjectName) -> Option<(&'static str, Ident)> {
    let words: Vec<&Ident> = name.0.iter().map(|part| part.as_ident()).collect::<Option<_>>()?;
    let (last, databases) = words.split_last()?;
    let is = |word: &str| last.value.eq_ignore_ascii_case(word);
    let begins = |word: &str| {
        let rest = last.value.get(word.len()..).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        rest && last.value[..word.len()].eq_ignore_ascii_case(word)
    };
    let renamed = ATHENA_TABLES.iter().find(|(theirs, _)| begins(theirs)).map(|(_, ours)| *ours);
    let qualified = || catalog::tables().map(|table| table.name).find(|table| !databases.is_empty() && is(table));
    Some((renamed.or_else(qualified)?, (*last).clone()))
}

/// Calls that are another call, or an operator, of their arguments: name, number of arguments, and what they are.
const SAME: [(&str, usize, &str); 57] = [
    ("any_match", 2, "array_any_match(arg1, arg2)"),
    ("array_average", 1, "array_avg(arg1)"),
    ("at_timezone", 2, "(arg1 AT TIME ZONE arg2)"),
    ("bitwise_and", 2, "(arg1 & arg2)"),
    ("bitwise_or", 2, "(arg1 | arg2)"),
    ("ceiling", 1, "ceil(arg1)"),
    ("codepoint", 1, "ascii(arg1)"),
    ("date", 1, "CAST(arg1 AS DATE)"),
    ("day", 1, "date_part('day', arg1)"),
    ("day_of_month", 1, "date_part('day', arg1)"),
    ("day_of_week", 1, "date_part('isodow', arg1)"),
    ("day_of_year", 1, "date_part('doy', arg1)"),
    ("dow", 1, "date_part('isodow', arg1)"),
    ("doy", 1, "date_part('doy', arg1)"),
    ("element_at", 2, "array_element(arg1, arg2)"),
    ("filter", 2, "array_filter(arg1, arg2)"),
    ("from_base64", 1, "decode(arg1, 'base64')"),
    // of no zone, which `AT TIME ZONE` would take for a time of the zone that is asked for
    ("from_unixtime", 1, "from_unixtime(arg1, 'UTC')"),
    ("from_utf8", 1, "CAST(arg1 AS VARCHAR)"),
    ("from_iso8601_date", 1, "CAST(arg1 AS DATE)"),
    ("from_iso8601_timestamp", 1, "arrow_cast(arg1, 'Timestamp(Microsecond, Some(\"UTC\"))')"),
    ("hour", 1, "date_part('hour', arg1)"),
    ("if", 2, "CASE WHEN arg1 THEN arg2 END"),
    ("if", 3, "CASE WHEN arg1 THEN arg2 ELSE arg3 END"),
    (
        "json_array_contains",
        2,
        "array_has(array_transform(json_get_array(arg1), v -> json_as_text(v)), CAST(arg2 AS VARCHAR))",
    ),
    ("json_array_get", 2, "json_get_json(arg1, arg2)"),
    ("json_array_length", 1, "json_length(arg1)"),
    ("json_format", 1, "arg1"),
    ("json_parse", 1, "arg1"),
    ("last_day_of_month", 1, "CAST(date_trunc('month', arg1) + INTERVAL '1 month' - INTERVAL '1 day' AS DATE)"),
    ("levenshtein_distance", 2, "levenshtein(arg1, arg2)"),
    ("minute", 1, "date_part('minute', arg1)"),
    ("mod", 2, "(arg1 % arg2)"),
    ("month", 1, "date_part('month', arg1)"),
    ("none_match", 2, "(NOT array_any_match(arg1, arg2))"),
    ("quarter", 1, "date_part('quarter', arg1)"),
    ("regexp_extract", 2, "array_element(regexp_match(arg1, concat('(', arg2, ')')), 1)"),
    ("regexp_extract", 3, "array_element(regexp_match(arg1, concat('(', arg2, ')')), arg3 + 1)"),
    ("regexp_replace", 2, "regexp_replace(arg1, arg2, '', 'g')"),
    ("second", 1, "date_part('second', arg1)"),
    ("sequence", 2, "generate_series(arg1, arg2)"),
    ("sign", 1, "signum(arg1)"),
    ("slice", 3, "array_slice(arg1, arg2, arg2 + arg3 - 1)"),
    ("split", 2, "string_to_array(arg1, arg2)"),
    ("to_iso8601", 1, "to_char(arg1, '%Y-%m-%dT%H:%M:%S%.3fZ')"),
    ("to_utf8", 1, "arrow_cast(arg1, 'Binary')"),
    ("to_base64", 1, "encode(arg1, 'base64')"),
    ("transform", 2, "array_transform(arg1, arg2)"),
    ("truncate", 1, "trunc(arg1)"),
    ("typeof", 1, "arrow_typeof(arg1)"),
    ("week", 1, "date_part('week', arg1)"),
    ("week_of_year", 1, "date_part('week', arg1)"),
    ("year", 1, "date_part('year', arg1)"),
    ("day_name", 1, "to_char(arg1, '%A')"),
    ("json_extract_items", 1, "json_get_array(arg1)"),
    ("json_extract_text", 1, "json_as_text(arg1)"),
    ("json_extract_array", 1, "array_transform(json_get_array(arg1), v -> json_as_text(v))"),
];

fn function(call: &mut Function, who: For) -> anyhow::Result<Option<Expr>> {
    let Some(name) = call_name(call) else { return Ok(None) };
    if aggregates::translate(&name, call, who) {
        return Ok(None);
    }
    if TEXT_FUNCTIONS.contains(&name.as_str())
        && let Some(first) = first_argument(call)
    {
        as_text(first);
    }
    let Some(args) = positional(call) else { return Ok(None) };
    Ok(match (name.as_str(), args.as_slice()) {
        ("json_extract_scalar" | "json_value", [json, path]) => {
            let keys = keys(path)?;
            // Athena's answer is null for an object and a list, which text is for `->>`
            let template = format!(
                "CASE WHEN left(json_get_json(arg1{keys}), 1) IN ('{{', '[') THEN NULL ELSE json_as_text(arg1{keys}) END"
            );
            Some(with_arguments(&template, &[json]))
        }
        ("json_extract" | "json_query", [json, path]) => {
            Some(with_arguments(&format!("json_get_json(arg1{})", keys(path)?), &[json]))
        }
        ("json_extract_text", [json, path]) => {
            Some(with_arguments(&format!("json_as_text(arg1{})", keys(path)?), &[json]))
        }
        ("json_extract_array", [json, path]) => {
            let template = "array_transform(json_get_array(arg1KEYS), v -> json_as_text(v))";
            Some(with_arguments(&template.replace("KEYS", &keys(path)?), &[json]))
        }
        ("json_extract_items", [json, path]) => {
            Some(with_arguments(&format!("json_get_array(arg1{})", keys(path)?), &[json]))
        }
        ("json_size", [json, path]) => Some(with_arguments(&format!("json_length(arg1{})", keys(path)?), &[json])),
        // of ours, too, whose arguments are names and not a path
        ("json_exists", [json, path]) if text(path).is_some_and(is_path) => {
            Some(with_arguments(&format!("json_exists(arg1{})", keys(path)?), &[json]))
        }
        ("all_match", [list, Expr::Lambda(lambda)]) => {
            let mut other = lambda.clone();
            let body = Box::new(Expr::Nested(lambda.body.clone()));
            other.body = Box::new(Expr::UnaryOp { op: UnaryOperator::Not, expr: body });
            Some(with_arguments("(NOT array_any_match(arg1, arg2))", &[list, &Expr::Lambda(other)]))
        }
        // CloudTrail Lake has maps where JSON text is here
        ("element_at", [map, key]) if text(key).is_some() => {
            Some(with_arguments("json_as_text(arg1, arg2)", &[map, key]))
        }
        ("contains", [network, Expr::Cast { expr, data_type, .. }]) if is_address(data_type) => {
            Some(with_arguments("cidr_match(arg1, arg2)", &[expr, network]))
        }
        ("contains", [list, _]) if is_list(list) => {
            Some(with_arguments("array_has(arg1, arg2)", &[&args[0], &args[1]]))
        }
        ("try", [tried]) => Some(trying(tried)),
        ("date_parse" | "parse_datetime", [time, _]) if is_time(time) => Some(time.clone()),
        ("date_parse", [time, format]) => {
            let format = time_format(&name, format, |format| chrono(format, Direction::Read))?;
            Some(with_arguments("to_timestamp(arg1, arg2)", &[time, &format]))
        }
        ("parse_datetime", [time, format]) => {
            let format = time_format(&name, format, |format| chrono_of_joda(format, Direction::Read))?;
            Some(with_arguments("to_timestamp(arg1, arg2)", &[time, &format]))
        }
        ("date_format", [time, format]) => {
            let format = time_format(&name, format, |format| chrono(format, Direction::Write))?;
            Some(with_arguments("to_char(arg1, arg2)", &[time, &format]))
        }
        ("format_datetime", [time, format]) => {
            let format = time_format(&name, format, |format| chrono_of_joda(format, Direction::Write))?;
            Some(with_arguments("to_char(arg1, arg2)", &[time, &format]))
        }
        ("date_add", [unit, count, time]) => Some(date_add(unit, count, time)?),
        ("date_diff", [unit, from, to]) => Some(date_diff(unit, from, to)?),
        _ => {
            let same = SAME.iter().find(|(same, count, _)| *same == name && *count == args.len());
            same.map(|(_, _, template)| with_arguments(template, &args.iter().collect::<Vec<_>>()))
        }
    })
}

fn time_format(function: &str, format: &Expr, chrono: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<Expr> {
    let Some(format) = text(format) else {
        let example = if function.starts_with("date_") { "%Y-%m-%d" } else { "yyyy-MM-dd" };
        bail!("the format of {function} is a text constant such as '{example}'")
    };
    Ok(Expr::Value(Value::SingleQuotedString(chrono(format)?).with_empty_span()))
}

/// The expression with null where one of its casts fails. Nothing else in it fails but arithmetic and the reading of times.
fn trying(expr: &Expr) -> Expr {
    let mut tried = expr.clone();
    let _ = visit_expressions_mut(&mut tried, |expr| {
        if let Expr::Cast { kind, .. } = expr {
            *kind = CastKind::TryCast;
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
    tried
}

/// `requestParameters['bucketName']`, which CloudTrail Lake has maps for, as the text at that place of JSON.
fn subscripts(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let name = last_name(root)?;
    let mut columns = catalog::tables().flat_map(|table| table.columns);
    columns.find(|column| column.name == name && matches!(column.kind, Kind::Json))?;
    let key = |access: &AccessExpr| match access {
        AccessExpr::Subscript(Subscript::Index { index }) => {
            text(index).map(|key| format!(", '{}'", key.replace('\'', "''")))
        }
        _ => None,
    };
    let keys: String = chain.iter().map(key).collect::<Option<String>>()?;
    Some(with_arguments(&format!("json_as_text(arg1{keys})"), &[root]))
}

/// Units of one length, in microseconds.
const UNITS: [(&str, i64); 6] = [
    ("millisecond", 1_000),
    ("second", 1_000_000),
    ("minute", 60_000_000),
    ("hour", 3_600_000_000),
    ("day", 86_400_000_000),
    ("week", 604_800_000_000),
];

fn date_add(unit: &Expr, count: &Expr, time: &Expr) -> anyhow::Result<Expr> {
    let Some(unit) = text(unit).map(str::to_ascii_lowercase) else {
        bail!("the unit of date_add is one such as 'day'")
    };
    let fixed = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, micros)| micros);
    Ok(match (count.to_string().parse::<i64>(), fixed) {
        (Ok(count), Some(_)) => with_arguments(&format!("(arg1 + INTERVAL '{count} {unit}')"), &[time]),
        (Ok(count), None) if matches!(unit.as_str(), "month" | "quarter" | "year") => {
            let months = count.saturating_mul(match unit.as_str() {
                "month" => 1,
                "quarter" => 3,
                _ => 12,
            });
            with_arguments(&format!("(arg1 + INTERVAL '{months} month')"), &[time])
        }
        (Err(_), Some(micros)) => {
            with_arguments(&format!("(arg1 + arrow_cast(arg2 * {micros}, 'Duration(Microsecond)'))"), &[time, count])
        }
        _ => bail!("date_add with the unit '{unit}' needs a number that is written out: date_add('month', -1, now())"),
    })
}

/// Whole units between two times; less than one is none.
fn date_diff(unit: &Expr, from: &Expr, to: &Expr) -> anyhow::Result<Expr> {
    let unit = text(unit).map(str::to_ascii_lowercase);
    let Some((_, micros)) = UNITS.iter().find(|(name, _)| Some(*name) == unit.as_deref()) else {
        bail!("the unit of date_diff is one of millisecond, second, minute, hour, day and week here");
    };
    let of = |time: &str| format!("arrow_cast(arrow_cast({time}, 'Timestamp(Microsecond, None)'), 'Int64')");
    Ok(with_arguments(&format!("(({} - {}) / {micros})", of("arg2"), of("arg1")), &[from, to]))
}

/// Functions whose first argument is text, which CloudTrail's `eventTime` is in AWS's table for Athena.
const TEXT_FUNCTIONS: [&str; 6] = ["regexp_like", "regexp_extract", "split_part", "starts_with", "strpos", "substr"];

/// Puts the text of CloudTrail's record in the place of `eventTime`.
fn as_text(expr: &mut Expr) {
    if is_time(expr) {
        *expr = with_arguments("to_char(arg1, '%Y-%m-%dT%H:%M:%SZ')", &[expr]);
    }
}

/// Writes a text that is compared with `eventTime` as a time that can be read: `2024-08-01:10:00:00`, as AWS's examples have
/// it, and `2024-08-01 10:00` are texts like any other for Athena.
fn complete_time(column: &Expr, value: &mut Expr) {
    let Expr::Value(constant) = value else { return };
    let Value::SingleQuotedString(text) = &constant.value else { return };
    let shape: String = text.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    let is_day = || last_name(column).is_some_and(|name| name == "day" || DAYS.contains(&name.as_str()));
    if shape == "0000/00/00" && is_day() {
        // so do the partitions of S3 have it
        constant.value = Value::SingleQuotedString(text.replace('/', "-"));
        return;
    }
    let (day, clock) = (text.get(..10), text.get(11..));
    let (Some(day), Some(clock), true) = (day, clock, is_time(column)) else { return };
    constant.value = Value::SingleQuotedString(match shape.as_str() {
        "0000-00-00:00:00:00" | "0000-00-00:00:00:00Z" => format!("{day}T{clock}"),
        "0000-00-00 00:00" | "0000-00-00T00:00" | "0000-00-00:00:00" => format!("{day}T{clock}:00"),
        _ => return,
    });
}

/// Whether a text is a path and not a name.
fn is_path(text: &str) -> bool {
    ["$.", "$[", "lax $", "strict $"].iter().any(|start| text.starts_with(start))
}

fn is_list_of_json(kind: &DataType) -> bool {
    match kind {
        DataType::Array(ArrayElemTypeDef::AngleBracket(item)) => matches!(item.as_ref(), DataType::JSON),
        _ => false,
    }
}

/// Calls that give a list.
const LISTS: [&str; 16] = [
    "array_agg",
    "array_concat",
    "array_distinct",
    "array_except",
    "array_filter",
    "array_intersect",
    "array_remove",
    "array_slice",
    "array_sort",
    "array_transform",
    "array_union",
    "flatten",
    "json_get_array",
    "json_texts",
    "string_to_array",
    "texts",
];

/// Whether an expression in DataFusion's words is certainly a list.
fn is_list(expr: &Expr) -> bool {
    match expr {
        Expr::Array(_) => true,
        Expr::Nested(inner) => is_list(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Array(_)),
        Expr::Function(call) => call_name(call).is_some_and(|name| LISTS.contains(&name.as_str())),
        _ => false,
    }
}

fn is_time(expr: &Expr) -> bool {
    last_name(expr).as_deref() == Some("eventtime")
}

fn is_name(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. })
}

/// The last of the names that lead to a column or field, in lower case.
fn last_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.to_ascii_lowercase()),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.to_ascii_lowercase()),
        _ => None,
    }
}

/// Texts that say `true` and `false` although CloudTrail means a boolean.
const TRUTHS_AS_TEXT: [&str; 2] = ["mfaauthenticated", "assumedroot"];

/// Writes a constant as the type of the column it is compared with: AWS's tables for Athena have text where a column is a
/// boolean here, and an account's leading zeros are lost in a number.
fn compare(column: &Expr, value: &mut Expr) {
    let Expr::Value(constant) = value else { return };
    let name = last_name(column);
    let is = |name: &str| {
        catalog::tables().any(|table| table.columns.iter().any(|c| c.name == name && matches!(c.kind, Kind::Bool)))
    };
    constant.value = match &constant.value {
        Value::SingleQuotedString(text) if name.as_deref().is_some_and(is) => {
            match text.to_ascii_lowercase().as_str() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                _ => return,
            }
        }
        Value::Boolean(truth) if name.is_some_and(|name| TRUTHS_AS_TEXT.contains(&name.as_str())) => {
            Value::SingleQuotedString(truth.to_string())
        }
        Value::Number(digits, _) if is_padded(&digits.to_string()) => Value::SingleQuotedString(digits.to_string()),
        _ => return,
    };
}

fn is_padded(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_address(kind: &DataType) -> bool {
    kind.to_string().eq_ignore_ascii_case("ipaddress")
}

fn first_argument(call: &mut Function) -> Option<&mut Expr> {
    match &mut call.args {
        FunctionArguments::List(list) => match list.args.first_mut()? {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        },
        _ => None,
    }
}

fn rename(call: &mut Function, name: &str) {
    if let Expr::Function(other) = expression(&format!("{name}()")) {
        call.name = other.name;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::dialect::parse;

    fn error(sql: &str) -> String {
        let mut statement = parse(sql).unwrap().pop_front().unwrap();
        translate(&mut statement).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_said_otherwise_is_an_error_that_says_what_can() {
        let cases = [
            ("SELECT json_extract_scalar(a, '$..b') FROM t", "has several values"),
            ("SELECT json_extract_scalar(a, '$.b[*]') FROM t", "neither a place nor a name"),
            ("SELECT json_extract_scalar(a, '$.b[0') FROM t", "`[` without `]`"),
            ("SELECT json_extract(a, b) FROM t", "is a text constant"),
            ("SELECT count(*) FROM t TABLESAMPLE BERNOULLI (10)", "there is no TABLESAMPLE"),
            ("SELECT a FROM t WHERE a SIMILAR TO 'x%'", "there is no SIMILAR TO"),
            ("SELECT date_format(a, '%D') FROM t", "`%D`"),
            ("SELECT format_datetime(a, 'xxxx') FROM t", "`xxxx`"),
            ("SELECT format_datetime(a, b) FROM t", "such as 'yyyy-MM-dd'"),
            ("SELECT date_diff('month', a, b) FROM t", "the unit of date_diff"),
            ("SELECT date_add('month', n, b) FROM t", "needs a number"),
        ];
        for (sql, expected) in cases {
            assert!(error(sql).contains(expected), "{sql}: {}", error(sql));
        }
    }

    #[test]
    fn what_is_in_words_of_datafusion_stays() {
        for sql in [
            "SELECT a, t.b, count(*) AS n FROM t JOIN u ON t.a = u.a WHERE a LIKE 'x%' AND b = 0 AND c IN (1, 20) GROUP BY a",
            "SELECT json_get_str(a, 'b'), to_char(eventTime, '%M'), array_element(x, 1) FROM t ORDER BY eventTime",
            "SELECT x FROM UNNEST([1, 2]) AS t (x)",
        ] {
            let mut statement = parse(sql).unwrap().pop_front().unwrap();
            let before = statement.to_string();
            translate(&mut statement).unwrap();
            assert_eq!(statement.to_string(), before);
        }
    }
}
