//! A statement in Athena's words, which AWS's example queries are written in → the same in DataFusion's words.

pub mod shape;
pub mod tables;
mod shown;
pub mod types;
mod unions;
mod zones;
pub mod doubles;
pub mod decimals;
pub mod names;
pub mod calls;
pub mod aggregates;
mod groups;
pub mod twice;
mod outer;
mod fields;
mod rows;
mod items;
mod quantified;
mod casts;
mod compared;
mod lateral;
mod left_out;
mod like;
mod unnest;
mod using;
mod times;
mod json_path;
mod time_format;
pub mod template;

use std::collections::HashSet;
use std::ops::ControlFlow;

use anyhow::{anyhow, bail};
use datafusion::common::{self, Diagnostic, Location};
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    self, AccessExpr, BinaryOperator, DataType, Distinct, ExactNumberInfo, Expr, Fetch, Function, Ident, LimitClause,
    ObjectName, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier, Spanned,
    Subscript, TableFactor, TableSampleKind, TypedString, Value, ValueWithSpan, VisitMut, VisitorMut,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use self::calls::{from_the_end, function};
use self::casts::{is_list_of_json, is_text, nested, typed};
use self::compared::{compare, in_order, is_comparison, quoted_days};
use self::outer::Scopes;
use self::tables::{Named, archived, called};
use self::template::{call_name, expression, positional, text, with_arguments};
use self::times::{
    AT_TIME_ZONE, as_text, as_texts_beside_one, complete, complete_cast, complete_time, in_micros, in_nanos,
    interval_times, is_time, part, part_of_zone, parts_of_interval, time_of_zone,
};
use self::unnest::Unnested;
use crate::rule::dialect::{SqlError, line_and_column};

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
    in_words(statement, For::Rule).map_err(|error| match error.downcast::<SqlError>() {
        Ok(SqlError { line, column, message }) => {
            let start = Location { line: line as u64, column: column as u64 };
            let diagnostic = Diagnostic::new_error(&message, Some(common::Span::new(start, start)));
            DataFusionError::Plan(message).with_diagnostic(diagnostic)
        }
        Err(error) => DataFusionError::Plan(error.to_string()),
    })
}

fn in_words(statement: &mut Statement, who: For) -> anyhow::Result<()> {
    match statement {
        Statement::Statement(statement) => {
            let named = if who == For::Query { Named::by(&**statement) } else { Named::default() };
            let mut words = Words { who, named, ..Words::default() };
            shown::described(statement);
            if let Some(tables) = shown::tables_of(statement) {
                **statement = tables;
                return Ok(());
            }
            if let ControlFlow::Break(error) = statement.visit(&mut words) {
                return Err(error);
            }
            if let (For::Query, ast::Statement::Query(query)) = (who, &mut **statement) {
                twice::marked(query);
            }
            Ok(())
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
    /// Columns of AWS's tables that it names and that are made of others here.
    named: Named,
    scopes: Scopes,
}

impl VisitorMut for Words {
    type Break = anyhow::Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<anyhow::Error> {
        let given = query.with.iter().flat_map(|with| &with.cte_tables).map(|table| table.alias.name.clone());
        self.given.extend(given);
        if let (For::Query, SetExpr::Values(values)) = (self.who, query.body.as_mut()) {
            decimals::beside_doubles(values);
        }
        if let Some(Fetch { with_ties: true, .. }) = &query.fetch {
            return ControlFlow::Break(anyhow!(
                "there is no WITH TIES here: SELECT *, rank() OVER (ORDER BY n DESC) AS place FROM t QUALIFY place <= 2 has as many rows"
            ));
        }
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
        let place = select.select_token.0.span;
        if select.top.is_some() {
            return ControlFlow::Break(at(place, anyhow!("there is no TOP here: LIMIT 10 behind the query")));
        }
        if !select.lateral_views.is_empty() {
            let instead = anyhow!("there is no LATERAL VIEW here: CROSS JOIN UNNEST(resources) AS t (r)");
            return ControlFlow::Break(at(place, instead));
        }
        groups::in_words(select);
        left_out::folded(select);
        self.scopes.enter(select, &self.given);
        if self.who == For::Query {
            groups::by_alias(select, |name| self.scopes.has(name));
        }
        self.unnested.join(select);
        let text = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) if !is_name(expr) => Some(expr.to_string()),
            _ => None,
        };
        self.shown.push(select.projection.iter().map(text).collect());
        if self.who == For::Query
            && let Err(error) = using::resolve(select)
        {
            return ControlFlow::Break(at(place, error));
        }
        ControlFlow::Continue(())
    }

    /// A column that is put in other words, here or by DataFusion, is shown by those that were typed.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<anyhow::Error> {
        let typed = self.shown.pop().unwrap_or_default();
        if self.who == For::Query {
            fields::named(select, &typed, &self.scopes, &self.unnested);
        }
        self.scopes.leave();
        if self.who == For::Query {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                    rows::in_column(expr);
                }
            }
            let around = rows::relations(&select.from);
            let conditions = [&mut select.selection, &mut select.having].into_iter().flatten();
            conditions.for_each(|condition| rows::in_condition(condition, &around));
            twice::grouped(select);
            twice::called(select);
        }
        let mut seen = HashSet::new();
        for (place, (item, typed)) in select.projection.iter_mut().zip(typed).enumerate() {
            let (SelectItem::UnnamedExpr(expr), Some(typed)) = (&*item, typed) else { continue };
            let is_again = self.who == For::Query && !seen.insert(typed.clone());
            let is_other = self.who == For::Query && !typed.eq_ignore_ascii_case("count(*)");
            if is_again || is_other || expr.to_string() != typed {
                let name = if is_again { twice::again(&typed, place) } else { typed };
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
            }
        }
        ControlFlow::Continue(())
    }

    /// DataFusion takes what a `SELECT DISTINCT` is ordered by for another column than the same expression with a name.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<anyhow::Error> {
        if let (For::Query, Some(operation)) = (self.who, counted(&query.body)) {
            return ControlFlow::Break(anyhow!(
                "there is no {operation} ALL here, which counts equal rows: {operation} has each row once"
            ));
        }
        if self.who == For::Query {
            twice::behind_another(&mut query.body);
        }
        if let (For::Query, Some(order)) = (self.who, &mut query.order_by) {
            self.scopes.back();
            fields::ordered(order, &self.scopes, &self.named);
            self.scopes.leave();
        }
        if let (For::Query, SetExpr::Select(select)) = (self.who, query.body.as_ref())
            && let Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) = &mut query.order_by
        {
            groups::ordered(select, order);
        }
        if let SetExpr::Select(select) = query.body.as_ref()
            && matches!(select.distinct, Some(Distinct::Distinct))
            && let Some(OrderBy { kind: OrderByKind::Expressions(order), .. }) = &mut query.order_by
        {
            // a number is a place, also where a column is the same number
            for order in order.iter_mut().filter(|order| !matches!(order.expr, Expr::Value(_))) {
                let named = select.projection.iter().find_map(|item| match item {
                    SelectItem::ExprWithAlias { expr, alias } if *expr == order.expr => Some(alias.clone()),
                    _ => None,
                });
                if let Some(name) = named {
                    order.expr = Expr::Identifier(name);
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<anyhow::Error> {
        if let Some(sampled) = sampled(factor) {
            *factor = sampled;
        }
        if matches!(factor, TableFactor::Table { args: Some(_), .. }) {
            in_nanos(factor);
        }
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                if let Some((table, typed)) = archived(name)
                    && !self.given.iter().any(|given| given.value.eq_ignore_ascii_case(&typed.value))
                {
                    let is_of_athena = !typed.value.eq_ignore_ascii_case(table);
                    let subquery = self.named.with_columns(table, is_of_athena);
                    if is_of_athena || name.0.len() > 1 || subquery.is_some() {
                        *name = ObjectName::from(vec![Ident::new(table)]);
                        alias.get_or_insert_with(|| called(typed));
                    }
                    if let Some(subquery) = subquery {
                        let alias = alias.take();
                        *factor = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
                    }
                }
                ControlFlow::Continue(())
            }
            TableFactor::Pivot { .. } => ControlFlow::Break(anyhow!(
                "there is no PIVOT here: sum(bytes) FILTER (WHERE protocol = 6) AS tcp is the column of one value"
            )),
            TableFactor::Unpivot { .. } => ControlFlow::Break(anyhow!(
                "there is no UNPIVOT here: CROSS JOIN UNNEST(ARRAY['a', 'b'], ARRAY[a, b]) AS t (name, value)"
            )),
            TableFactor::TableFunction { .. } => {
                ControlFlow::Break(anyhow!("there is no TABLE(...) here: FROM UNNEST(sequence(1, 3)) AS t (n)"))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// What is cast decides how JSON is taken out of its text, so this is asked before the call inside it is.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<anyhow::Error> {
        if let (For::Query, Some(of_items)) = (self.who, items::of_items(expr)) {
            *expr = of_items;
        }
        if self.who == For::Query {
            rows::as_tuples(expr);
        }
        if let Expr::Cast { expr, .. } = expr
            && let Expr::TypedString(TypedString { data_type: DataType::JSON, value, .. }) = expr.as_ref()
        {
            **expr = with_arguments("json_parse(arg1)", &[&Expr::Value(value.clone())]);
        }
        if let Expr::Cast { expr, data_type, .. } = expr
            && let Expr::Function(call) = expr.as_mut()
            && matches!(call_name(call).as_deref(), Some("json_extract" | "json_parse"))
            && nested(data_type).is_none()
            && !matches!(data_type, DataType::JSON)
        {
            rename(call, json_path::taken_as(data_type, self.who));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<anyhow::Error> {
        if self.who == For::Query
            && let Expr::Function(call) = expr
            && let Some((_, field)) = json_path::field(call).filter(|(column, _)| self.scopes.has(column))
        {
            *expr = field;
            return ControlFlow::Continue(());
        }
        if let Expr::CompoundIdentifier(name) = expr {
            self.unnested.shorten(name);
            of_event_data(name);
            self.named.fold(name);
            if let [column] = name.as_slice() {
                *expr = Expr::Identifier(column.clone());
            } else if let Some(field) = self.scopes.field(name).filter(|_| self.who == For::Query) {
                *expr = field;
                return ControlFlow::Continue(());
            } else if let Some(text) =
                fields::of_json(name, &self.scopes, &self.named).filter(|_| self.who == For::Query)
            {
                *expr = text;
                return ControlFlow::Continue(());
            }
        }
        self.named.mark_times(expr, |name| self.scopes.has(name));
        self.compared(expr);
        if let Expr::Identifier(name) = expr {
            self.named.fold(std::slice::from_mut(name));
        }
        match translated(expr, self.who) {
            Ok(Some(other)) => *expr = other,
            Ok(None) => {}
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

impl Words {
    /// Writes what days and columns of partitions are compared with as these columns have it.
    fn compared(&self, expr: &mut Expr) {
        let is_here = self.scopes.has(&Ident::new("day"));
        let complete = |column: &Expr, value: &mut Expr| {
            self.named.complete_day(column, value, is_here);
            self.named.complete(column, value);
        };
        match expr {
            Expr::BinaryOp { left, op, right } if is_comparison(op) => {
                complete(left, right);
                complete(right, left);
            }
            Expr::Between { expr, low, high, .. } => [low, high].into_iter().for_each(|value| complete(expr, value)),
            Expr::InList { expr, list, .. } => list.iter_mut().for_each(|value| complete(expr, value)),
            Expr::Like { expr, pattern, .. } => complete(expr, pattern),
            Expr::Function(call) if self.who == For::Query && call_name(call).as_deref() == Some("date_parse") => {
                let args = positional(call);
                let Some([day, format]) = args.as_deref() else { return };
                if !matches!(text(format), Some("%Y/%m/%d" | "%Y-%m-%d")) {
                    return;
                }
                if self.named.is_day(day, is_here) {
                    *expr = with_arguments("arrow_cast(arg1, 'Timestamp(Microsecond, None)')", &[day]);
                } else if self.named.is_folder(day) {
                    *expr = with_arguments("date_parse(arg1, '%Y/%m/%d')", &[day]);
                }
            }
            _ => {}
        }
    }
}

/// EXCEPT ALL and INTERSECT ALL, whose equal rows DataFusion 55 does not count.
fn counted(body: &SetExpr) -> Option<SetOperator> {
    match body {
        SetExpr::SetOperation { op: SetOperator::Union, left, right, .. } => counted(left).or_else(|| counted(right)),
        SetExpr::SetOperation { op, set_quantifier: SetQuantifier::All, .. } => Some(*op),
        SetExpr::SetOperation { left, right, .. } => counted(left).or_else(|| counted(right)),
        _ => None,
    }
}

/// `eventData.eventName`, as event data stores of integrations have it, is `eventName`.
fn of_event_data(name: &mut Vec<Ident>) {
    let is_event_data = |name: &Ident| name.value.eq_ignore_ascii_case("eventdata");
    let place = name.iter().take(2).position(is_event_data);
    if let Some(place) = place.filter(|place| place + 1 < name.len()) {
        name.remove(place);
    }
}

/// The error with the place of what it is about, where the statement was typed and not made here.
fn at(place: Span, error: anyhow::Error) -> anyhow::Error {
    match line_and_column(place.start) {
        (0, _) => error,
        (line, column) => SqlError { line, column, message: error.to_string() }.into(),
    }
}

/// What takes the place of an expression whose parts are in DataFusion's words already.
fn translated(expr: &mut Expr, who: For) -> anyhow::Result<Option<Expr>> {
    Ok(match expr {
        Expr::Function(call) => {
            let name = call.name.span();
            return function(call, who).map_err(|error| at(name, error));
        }
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
        // a text in AWS's table for Athena, and another one than that of a time
        Expr::Cast { expr, data_type, .. } if is_time(expr) && is_text(data_type) => {
            as_text(expr);
            if who == For::Query { typed(expr, data_type) } else { None }
        }
        Expr::Cast { data_type: kind @ DataType::Decimal(ExactNumberInfo::None), .. } if who == For::Query => {
            *kind = DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, 0));
            None
        }
        Expr::Cast { expr, data_type, .. } if who == For::Query => {
            complete_cast(expr, data_type);
            typed(expr, data_type)
        }
        Expr::TypedString(TypedString { data_type: DataType::JSON, value, .. }) => Some(Expr::Value(value.clone())),
        Expr::TypedString(TypedString {
            data_type: kind @ DataType::Decimal(ExactNumberInfo::None), value, ..
        }) => {
            if let Some(exact) = value.value.clone().into_string().as_deref().and_then(decimals::kind_of) {
                *kind = exact;
            }
            None
        }
        Expr::Value(number) if who == For::Query && matches!(number.value, Value::Number(..)) => {
            decimals::literal(number)
        }
        Expr::TypedString(TypedString { data_type: kind @ DataType::Timestamp(..), value, .. }) => {
            in_micros(kind);
            if let Value::SingleQuotedString(text) = &mut value.value
                && let Some(whole) = complete(text)
            {
                *text = whole;
            }
            time_of_zone(&value.value)
        }
        Expr::AtTimeZone { timestamp, time_zone } => Some(with_arguments(AT_TIME_ZONE, &[timestamp, time_zone])),
        Expr::Extract { field, expr, .. } => {
            if let Some(function) = part_of_zone(&field.to_string()) {
                return Ok(calls::same(function, &[expr]));
            }
            part(&field.to_string()).map(|part| with_arguments(&format!("date_part('{part}', arg1)"), &[expr]))
        }
        Expr::CompoundFieldAccess { root, access_chain } => match fields::subscripts(root, access_chain) {
            None if who == For::Query => fields::item(root, access_chain),
            text => text,
        },
        Expr::Lambda(lambda) => {
            lists_as_calls(&mut lambda.body);
            if who == For::Query {
                fields::places(lambda);
            }
            None
        }
        Expr::RLike { .. } => bail!("there is no RLIKE here: regexp_like(eventName, '^Get')"),
        Expr::Like { any: true, .. } | Expr::ILike { any: true, .. } => {
            bail!(
                "there is no LIKE ANY here: regexp_like(eventName, '^(Get|List)'), or several LIKE with OR between them"
            )
        }
        Expr::SimilarTo { .. } => bail!("there is no SIMILAR TO here: LIKE 'Get%', or regexp_like(eventName, '^Get')"),
        Expr::Like { expr, pattern, escape_char, .. } | Expr::ILike { expr, pattern, escape_char, .. } => {
            as_text(expr);
            if who == For::Query {
                like::of_day(expr);
                like::with_backslashes(pattern, escape_char)?;
            }
            None
        }
        Expr::Interval(interval) => {
            parts_of_interval(interval)?;
            None
        }
        Expr::Value(ValueWithSpan { value, .. }) if matches!(value, Value::UnicodeStringLiteral(_)) => {
            if let Value::UnicodeStringLiteral(text) = value {
                *value = Value::SingleQuotedString(std::mem::take(text));
            }
            None
        }
        Expr::InSubquery { expr, subquery, negated } if who == For::Query => match expr.as_mut() {
            Expr::Tuple(parts) if *negated => Some(rows::outside(parts, subquery)),
            Expr::Tuple(parts) => {
                **expr = rows::within(parts, subquery);
                None
            }
            _ => {
                rows::selected(subquery);
                None
            }
        },
        // DataFusion 55 takes it for false where no row is found for one around it
        Expr::Exists { subquery, negated } if who == For::Query && rows::is_of_one_row(subquery) => {
            Some(Expr::Value(Value::Boolean(!*negated).with_empty_span()))
        }
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            as_text(expr);
            substring_from.as_ref().and_then(|from| from_the_end(expr, from, substring_for.as_deref(), who))
        }
        Expr::BinaryOp { left, op, right } => {
            if is_comparison(op) {
                quoted_days([left, right])?;
            }
            if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
                compare(left, right);
                compare(right, left);
            }
            complete_time(left, right);
            complete_time(right, left);
            if who == For::Query && is_comparison(op) {
                as_texts_beside_one(&mut [&mut **left, &mut **right]);
            }
            if !matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
                in_order([left, right]);
            }
            match op {
                BinaryOperator::StringConcat if who == For::Query => {
                    as_text(left);
                    as_text(right);
                    None
                }
                BinaryOperator::Multiply => interval_times(left, right),
                BinaryOperator::Eq if who == For::Query => rows::same(left, right),
                BinaryOperator::NotEq if who == For::Query => {
                    rows::same(left, right).map(|same| items::negated_if(true, same))
                }
                _ => None,
            }
        }
        Expr::Case { conditions, else_result, .. } if who == For::Query => {
            let results = conditions.iter_mut().map(|when| &mut when.result);
            let mut results: Vec<&mut Expr> = results.chain(else_result.as_deref_mut()).collect();
            as_texts_beside_one(&mut results);
            None
        }
        Expr::Between { expr, low, high, .. } => {
            quoted_days([low, high])?;
            complete_time(expr, low);
            complete_time(expr, high);
            in_order([expr, low, high]);
            None
        }
        Expr::AnyOp { left, compare_op, right, .. } => quantified::any(left, compare_op, right),
        Expr::AllOp { left, compare_op, right } => quantified::all(left, compare_op, right),
        Expr::InList { expr, list, negated } => {
            list.iter_mut().for_each(|value| {
                compare(expr, value);
                complete_time(expr, value);
            });
            if who == For::Query { rows::among(expr, list, *negated) } else { None }
        }
        _ => None,
    })
}

/// `ARRAY[x]` → `make_array(x)`, which may name what a lambda is given: DataFusion 55 plans the former without these names.
fn lists_as_calls(body: &mut Expr) {
    let _ = visit_expressions_mut(body, |expr| {
        if let Expr::Array(list) = expr {
            let places: Vec<String> = (1..=list.elem.len()).map(|place| format!("arg{place}")).collect();
            let items: Vec<&Expr> = list.elem.iter().collect();
            *expr = with_arguments(&format!("make_array({})", places.join(", ")), &items);
        }
        ControlFlow::<()>::Continue(())
    });
}

/// A part of the rows of a table, as TABLESAMPLE takes so many of a hundred.
fn sampled(factor: &TableFactor) -> Option<TableFactor> {
    let mut table = factor.clone();
    let (sample, alias) = match &mut table {
        TableFactor::Table { sample, alias, name, .. } => {
            let typed = name.0.last().and_then(|part| part.as_ident()).cloned();
            (sample.take()?, alias.take().or_else(|| typed.map(called)))
        }
        TableFactor::Derived { sample, alias, .. } => (sample.take()?, alias.take()),
        _ => return None,
    };
    let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample;
    let share = sample.quantity.as_ref()?;
    let mut subquery = template::query("SELECT * FROM t WHERE random() < CAST(arg1 AS DOUBLE) / 100", &[&share.value]);
    if let SetExpr::Select(select) = subquery.body.as_mut() {
        select.from[0].relation = table;
    }
    Some(TableFactor::Derived { lateral: false, subquery, alias, sample: None })
}

/// Whether it is shown by its last name, which an item of a list, `resources[1]`, has not.
fn is_name(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(AccessExpr::Subscript(Subscript::Index { index })) => text(index).is_some(),
            _ => true,
        },
        _ => false,
    }
}

/// The last of the names that lead to a column or field, in lower case.
fn last_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.value.to_ascii_lowercase()),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.to_ascii_lowercase()),
        _ => None,
    }
}

fn is_address(kind: &DataType) -> bool {
    kind.to_string().eq_ignore_ascii_case("ipaddress")
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
            ("SELECT json_extract_scalar(a, '$.b[*]') FROM t", "has several values"),
            ("SELECT json_extract_scalar(a, '$.b[x]') FROM t", "neither a place nor a name"),
            ("SELECT json_extract_scalar(a, '$.b[0') FROM t", "`[` without `]`"),
            ("SELECT json_extract(a, b) FROM t", "is a text constant"),
            ("SELECT a FROM t ORDER BY a FETCH FIRST 2 ROWS WITH TIES", "there is no WITH TIES"),
            ("SELECT a FROM t WHERE a LIKE 'x#' ESCAPE '#'", "stands before %, _ or itself"),
            ("SELECT INTERVAL '1:2' DAY TO SECOND", "is no interval of day to second"),
            ("SELECT a FROM t WHERE a SIMILAR TO 'x%'", "there is no SIMILAR TO"),
            ("SELECT date_format(a, '%D') FROM t", "`%D`"),
            ("SELECT format_datetime(a, 'xxxx') FROM t", "`xxxx`"),
            ("SELECT format_datetime(a, b) FROM t", "such as 'yyyy-MM-dd'"),
            ("SELECT date_diff('era', a, b) FROM t", "the unit of date_diff"),
            ("SELECT date_add('era', 1, b) FROM t", "the unit of date_add"),
        ];
        for (sql, expected) in cases {
            assert!(error(sql).contains(expected), "{sql}: {}", error(sql));
        }
    }

    #[test]
    fn what_is_in_words_of_datafusion_stays() {
        for sql in [
            "SELECT a, t.b, count(*) AS n FROM t JOIN u ON t.a = u.a WHERE a LIKE 'x%' AND b = 0 AND c IN (1, 20) GROUP BY a",
            "SELECT json_get_str(a, 'b') AS b, to_char(eventTime, '%M') AS m, array_element(x, 1) AS x FROM t ORDER BY eventTime",
            "SELECT x FROM UNNEST([1, 2]) AS t (x)",
        ] {
            let mut statement = parse(sql).unwrap().pop_front().unwrap();
            let before = statement.to_string();
            translate(&mut statement).unwrap();
            assert_eq!(statement.to_string(), before);
        }
    }
}
