//! A query that joins lists of the user's, or has them in a subquery → the same query, which asks them by function: a list has one
//! row for each key, so that each row of a table finds one at most.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, ObjectNamePart, Query, Select, SelectItem,
    SetExpr, Spanned, TableFactor, Value, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};

use super::keyed::{Keyed, Kind};
use super::{List, References};
use crate::detect::athena::template::{call_name, positional, with_arguments};
use crate::detect::plan::place::{self, Complaint};
use crate::rule::dialect::{SqlError, line_and_column};
use crate::rule::shape::list_name;
use crate::table::Table;

/// A list in FROM.
struct Joined<'a> {
    list: Named<'a>,
    /// What a row of the table is looked up by.
    value: Expr,
}

/// A list as a query calls it.
struct Named<'a> {
    name: String,
    alias: Option<String>,
    rows: &'a Keyed,
}

/// Has a rule over a table ask the lists that it joins.
///
/// # Errors
/// Where there is no such list, or what is asked of it is more than a look-up by its key.
pub fn lower(statement: &mut Statement, table: &Table, references: &References) -> Result<(), Complaint> {
    // names within a subquery are of its list, and not of one that is joined
    if let Statement::Statement(statement) = statement
        && let ControlFlow::Break(complaint) = statement.visit(&mut Subqueries { references })
    {
        return Err(complaint);
    }
    let is_framed = place::is_framed(statement);
    let Some(select) = place::select_mut(statement).filter(|select| joins(select)) else { return Ok(()) };
    let star = |item: &&SelectItem| match item {
        SelectItem::Wildcard(_) => !is_framed,
        SelectItem::QualifiedWildcard(..) => true,
        _ => false,
    };
    if let Some(item) = select.projection.iter().find(star) {
        return Err(complain(item, "a rule that joins a list names the columns that it selects, in place of *"));
    }
    let joined = take_joins(select, table, references)?;
    columns(select, &joined, Some(table))
}

fn joins(select: &Select) -> bool {
    select.from.first().is_some_and(|from| !from.joins.is_empty())
}

fn complain(about: &impl Spanned, message: impl Into<String>) -> Complaint {
    (line_and_column(about.span().start), message.into())
}

/// Takes the joins out of a SELECT: those that rows must have an answer from become conditions.
fn take_joins<'a>(
    select: &mut Select,
    table: &Table,
    references: &'a References,
) -> Result<Vec<Joined<'a>>, Complaint> {
    let (mut joined, table): (Vec<Joined>, _) = (Vec::new(), Some(table));
    for join in std::mem::take(&mut select.from[0].joins) {
        let list = named(&join.relation, references)?;
        let (on, is_left) = match join.join_operator {
            JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) => (on, false),
            JoinOperator::Left(JoinConstraint::On(on)) | JoinOperator::LeftOuter(JoinConstraint::On(on)) => (on, true),
            _ => {
                let message = "a rule joins a list by JOIN or LEFT JOIN, with ON";
                return Err(complain(&join.relation, message));
            }
        };
        let on_place = line_and_column(on.span().start);
        let mut rest = Vec::new();
        split(on, &mut rest);
        let value = rest.iter().position(|part| value_of_key(part, &list, table).is_some());
        let Some(value) =
            value.map(|place| value_of_key(&rest.remove(place), &list, table).expect("it was just found"))
        else {
            return Err((on_place, format!("ON has to say {}", list.asked_by())));
        };
        let (column, value) = value?;
        if column != list.rows.key() {
            let (name, key) = (&list.name, list.rows.key());
            return Err((
                on_place,
                format!(
                    "reference.{name} is looked up by `{key}`, its `column`, and not by `{column}`: another [reference] of that file may be"
                ),
            ));
        }
        if is_left && !rest.is_empty() {
            return Err(complain(&rest[0], format!("ON of a LEFT JOIN says {} and nothing else", list.asked_by())));
        }
        let value = columns_of(value, &joined, table)?;
        if !is_left {
            rest.push(list.has(&value));
        }
        joined.push(Joined { list, value });
        for part in rest {
            let part = columns_of(part, &joined, table)?;
            select.selection = Some(match select.selection.take() {
                None => part,
                Some(others) => both(others, part),
            });
        }
    }
    Ok(joined)
}

/// The list that a part of FROM names.
fn named<'a>(relation: &TableFactor, references: &'a References) -> Result<Named<'a>, Complaint> {
    let (Some(name), TableFactor::Table { alias, .. }) = (list_name(relation), relation) else {
        return Err(complain(relation, "a rule joins nothing but lists: JOIN reference.NAME"));
    };
    let (name, place) = (folded(name), line_and_column(name.span.start));
    match references.named(&name) {
        Ok(List::Keyed(rows)) => Ok(Named { name, alias: alias.as_ref().map(|alias| folded(&alias.name)), rows }),
        Ok(List::Database(_)) => Err((
            place,
            format!(
                "[reference.{name}] is a database of addresses: from_reference(sourceIPAddress, '{name}', 'country.iso_code') asks it"
            ),
        )),
        Err(error) => Err((place, place::words(&error))),
    }
}

impl Named<'_> {
    /// How ON asks it.
    fn asked_by(&self) -> String {
        let called = self.alias.clone().unwrap_or_else(|| format!("reference.{}", self.name));
        match self.rows.kind() {
            Kind::Text => format!("<value> = {called}.{}", self.rows.key()),
            Kind::Network => format!("cidr_match(<address>, {called}.{})", self.rows.key()),
        }
    }

    fn has(&self, value: &Expr) -> Expr {
        placed(with_arguments("in_reference(arg1, arg2)", &[value, &text(&self.name)]), value)
    }

    fn column(&self, value: &Expr, column: &str) -> Expr {
        let args = [value, &text(&self.name), &text(column)];
        placed(with_arguments("from_reference(arg1, arg2, arg3)", &args), value)
    }

    /// The name of a column of it that stands behind its own name.
    fn qualified<'e>(&self, expr: &'e Expr) -> Option<&'e Ident> {
        let Expr::CompoundIdentifier(names) = expr else { return None };
        let (column, owner) = names.split_last()?;
        let owner: Vec<String> = owner.iter().map(folded).collect();
        let is_it = match (&self.alias, owner.as_slice()) {
            (Some(alias), [owner]) => owner == alias,
            (None, [owner]) => *owner == self.name,
            (None, [schema, owner]) => schema == "reference" && *owner == self.name,
            _ => false,
        };
        is_it.then_some(column)
    }

    /// The name of a column of it, if the table has none of that name.
    fn plain<'e>(&self, expr: &'e Expr, table: Option<&Table>) -> Option<&'e Ident> {
        match expr {
            Expr::Identifier(name) if self.has_column(&folded(name)) && !has_column(table, &folded(name)) => Some(name),
            _ => None,
        }
    }

    fn has_column(&self, name: &str) -> bool {
        self.rows.columns().any(|column| column == name)
    }

    fn check(&self, column: &Ident) -> Result<String, Complaint> {
        let folded = folded(column);
        if self.has_column(&folded) {
            return Ok(folded);
        }
        let there = self.rows.columns().collect::<Vec<_>>().join(", ");
        let message = format!("reference.{} has no column `{folded}`; there are {there}", self.name);
        Err((line_and_column(column.span.start), message))
    }
}

/// Of `value = r.column` or `cidr_match(value, r.column)`, the column and the value; an error where the list is not of such values.
fn value_of_key(part: &Expr, list: &Named, table: Option<&Table>) -> Option<Result<(String, Expr), Complaint>> {
    let column = |expr: &Expr| list.qualified(expr).or_else(|| list.plain(expr, table)).cloned();
    let (kind, value, name) = match bare(part) {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (column(left), column(right)) {
            (None, Some(name)) => (Kind::Text, (**left).clone(), name),
            (Some(name), None) => (Kind::Text, (**right).clone(), name),
            _ => return None,
        },
        Expr::Function(call) if call_name(call).as_deref() == Some("cidr_match") => {
            match positional(call)?.as_slice() {
                [value, network] => (Kind::Network, value.clone(), column(network)?),
                _ => return None,
            }
        }
        _ => return None,
    };
    let column = match list.check(&name) {
        Ok(column) => column,
        Err(complaint) => return Some(Err(complaint)),
    };
    if column == list.rows.key() && kind != list.rows.kind() {
        let what = match list.rows.kind() {
            Kind::Text => "texts (its `kind` is not network)",
            Kind::Network => "networks",
        };
        return Some(Err(complain(part, format!("reference.{} has {what}: ON {}", list.name, list.asked_by()))));
    }
    Some(Ok((column, value)))
}

/// Puts what the lists say in the place of their columns.
fn columns(select: &mut Select, joined: &[Joined], table: Option<&Table>) -> Result<(), Complaint> {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && let Some(name) =
                joined.iter().find_map(|of| of.list.qualified(expr).or_else(|| of.list.plain(expr, table)))
        {
            *item = SelectItem::ExprWithAlias { alias: name.clone(), expr: expr.clone() };
        }
    }
    put_columns(select, joined, table)
}

fn columns_of(mut expr: Expr, joined: &[Joined], table: Option<&Table>) -> Result<Expr, Complaint> {
    put_columns(&mut expr, joined, table)?;
    Ok(expr)
}

fn put_columns(sql: &mut impl VisitMut, joined: &[Joined], table: Option<&Table>) -> Result<(), Complaint> {
    match sql.visit(&mut Columns { joined, table, parameters: Vec::new() }) {
        ControlFlow::Break(complaint) => Err(complaint),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Columns<'a> {
    joined: &'a [Joined<'a>],
    table: Option<&'a Table>,
    /// Of lambdas.
    parameters: Vec<String>,
}

impl VisitorMut for Columns<'_> {
    type Break = Complaint;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Complaint> {
        if let Expr::Lambda(lambda) = expr {
            self.parameters.extend(lambda.params.iter().map(|parameter| folded(&parameter.name)));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Complaint> {
        match self.looked_up(expr) {
            Ok(Some(call)) => *expr = call,
            Ok(None) => {}
            Err(complaint) => return ControlFlow::Break(complaint),
        }
        ControlFlow::Continue(())
    }
}

impl Columns<'_> {
    fn looked_up(&self, expr: &Expr) -> Result<Option<Expr>, Complaint> {
        for Joined { list, value } in self.joined {
            if let Some(column) = list.qualified(expr) {
                return Ok(Some(list.column(value, &list.check(column)?)));
            }
        }
        let Expr::Identifier(name) = expr else { return Ok(None) };
        let folded = folded(name);
        if self.parameters.contains(&folded) {
            return Ok(None);
        }
        let lists: Vec<&Joined> = self.joined.iter().filter(|of| of.list.has_column(&folded)).collect();
        match lists.as_slice() {
            [] => Ok(None),
            [Joined { list, value }] if !has_column(self.table, &folded) => Ok(Some(list.column(value, &folded))),
            [first, rest @ ..] => {
                let other = rest.first().map_or(self.table.map_or("", |table| table.name).to_owned(), |other| {
                    format!("reference.{}", other.list.name)
                });
                let message =
                    format!("`{folded}` is a column of reference.{} and of {other}: write which", first.list.name);
                Err((line_and_column(name.span.start), message))
            }
        }
    }
}

/// Puts look-ups in the place of `value IN (SELECT key FROM reference.NAME)`.
struct Subqueries<'a> {
    references: &'a References,
}

impl VisitorMut for Subqueries<'_> {
    type Break = Complaint;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Complaint> {
        let Expr::InSubquery { expr: value, subquery, negated } = expr else { return ControlFlow::Continue(()) };
        match self.looked_up(value, subquery) {
            Ok(found) => {
                // a value that is null is neither in the list nor not in it
                let found = with_arguments("CASE WHEN arg1 IS NOT NULL THEN arg2 END", &[value, &found]);
                *expr = if *negated { with_arguments("(NOT arg1)", &[&found]) } else { found };
                ControlFlow::Continue(())
            }
            Err(complaint) => ControlFlow::Break(complaint),
        }
    }
}

impl Subqueries<'_> {
    fn looked_up(&self, value: &Expr, query: &mut Query) -> Result<Expr, Complaint> {
        let place = line_and_column(query.span().start);
        let refuse = |message: String| (place, message);
        let is_plain =
            query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
        let SetExpr::Select(select) = query.body.as_mut() else {
            return Err(refuse("a rule has IN (SELECT ...) of a list, and nothing else in it".to_owned()));
        };
        let [from] = select.from.as_slice() else {
            return Err(refuse("IN (SELECT ...) of a rule reads one list".to_owned()));
        };
        let list = named(&from.relation, self.references)?;
        let form = format!("IN (SELECT {} FROM reference.{}), and WHERE behind it", list.rows.key(), list.name);
        let groups = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
        let is_plain =
            is_plain && from.joins.is_empty() && select.distinct.is_none() && select.having.is_none() && !groups;
        let [SelectItem::UnnamedExpr(item)] = select.projection.as_slice() else {
            return Err(refuse(format!("what a rule asks of a list is {form}")));
        };
        let column = list.qualified(item).or(match item {
            Expr::Identifier(name) => Some(name),
            _ => None,
        });
        match column.map(|name| list.check(name)).transpose()? {
            Some(column) if is_plain && column == list.rows.key() => {}
            _ => return Err(refuse(format!("what a rule asks of a list is {form}"))),
        }
        if list.rows.kind() == Kind::Network {
            let message = format!("reference.{0} has networks: in_reference(<address>, '{0}')", list.name);
            return Err(refuse(message));
        }
        let found = list.has(value);
        let Some(condition) = select.selection.take() else { return Ok(found) };
        let joined = [Joined { list, value: value.clone() }];
        let of_list = &joined[0].list;
        let foreign = visit_expressions(&condition, |expr| match expr {
            Expr::Identifier(name) if !of_list.has_column(&folded(name)) => ControlFlow::Break(expr.clone()),
            Expr::CompoundIdentifier(_) if of_list.qualified(expr).is_none() => ControlFlow::Break(expr.clone()),
            _ => ControlFlow::Continue(()),
        });
        if let ControlFlow::Break(name) = foreign {
            return Err(complain(&name, format!("`{name}` is no column of reference.{}", of_list.name)));
        }
        let condition = columns_of(condition, &joined, None)?;
        Ok(with_arguments("(arg1 AND coalesce(arg2, false))", &[&found, &condition]))
    }
}

/// Has `cidr_match(address, r.network)`, of a list of networks in FROM, hold for the smallest network around the address, as it does in
/// a rule.
///
/// # Errors
/// Where the list is none of networks.
pub fn join_networks(statement: &mut Statement, references: &References) -> Result<(), SqlError> {
    let Statement::Statement(statement) = statement else { return Ok(()) };
    match statement.visit(&mut Networks { references }) {
        ControlFlow::Break(((line, column), message)) => Err(SqlError { line, column, message }),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Networks<'a> {
    references: &'a References,
}

impl VisitorMut for Networks<'_> {
    type Break = Complaint;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Complaint> {
        let joined = select.from.iter().flat_map(|from| &from.joins).map(|join| &join.relation);
        let relations = select.from.iter().map(|from| &from.relation).chain(joined);
        // what is not there the planner tells of
        let lists: Vec<Named> = relations.filter_map(|relation| named(relation, self.references).ok()).collect();
        if lists.is_empty() {
            return ControlFlow::Continue(());
        }
        visit_expressions_mut(select, |expr| {
            let of = |expr: &Expr| lists.iter().find_map(|list| Some((list, list.qualified(expr)?.clone())));
            let Expr::Function(call) = &*expr else { return ControlFlow::Continue(()) };
            let args = positional(call).filter(|_| call_name(call).as_deref() == Some("cidr_match"));
            let Some([value, network]) = args.as_deref() else { return ControlFlow::Continue(()) };
            let Some((list, column)) = of(network) else { return ControlFlow::Continue(()) };
            let column = match list.check(&column) {
                Ok(column) => column,
                Err(complaint) => return ControlFlow::Break(complaint),
            };
            if list.rows.kind() != Kind::Network || column != list.rows.key() {
                let message = format!("reference.{} is not looked up by networks in `{column}`", list.name);
                return ControlFlow::Break(complain(network, message));
            }
            *expr = with_arguments("(arg1 = arg2)", &[&list.column(value, &column), network]);
            ControlFlow::Continue(())
        })
    }
}

fn split(expr: Expr, into: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            split(*left, into);
            split(*right, into);
        }
        Expr::Nested(inner) if matches!(bare(&inner), Expr::BinaryOp { op: BinaryOperator::And, .. }) => {
            split(*inner, into)
        }
        other => into.push(other),
    }
}

fn both(left: Expr, right: Expr) -> Expr {
    let nested = |expr: Expr| match expr {
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => Box::new(Expr::Nested(Box::new(expr))),
        other => Box::new(other),
    };
    Expr::BinaryOp { left: nested(left), op: BinaryOperator::And, right: nested(right) }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// A call with the place of what it is about, for the planner to complain of.
fn placed(mut call: Expr, value: &Expr) -> Expr {
    if let Expr::Function(function) = &mut call
        && let [ObjectNamePart::Identifier(name)] = function.name.0.as_mut_slice()
    {
        name.span = value.span();
    }
    call
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).with_empty_span())
}

fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

fn has_column(table: Option<&Table>, name: &str) -> bool {
    table.is_some_and(|table| table.schema().column_with_name(name).is_some())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    use serde_json::json;

    use super::*;
    use crate::detect::Detector;
    use crate::detect::tests::{batch, changed, event, rule};
    use crate::logs;
    use crate::table::Batch;
    use crate::time::Timestamp;

    fn table(kind: Kind, columns: &[(&str, &[Option<&str>])]) -> List {
        let column = |(name, values): &(&str, &[Option<&str>])| {
            (name.to_string(), Arc::new(StringArray::from(values.to_vec())) as ArrayRef)
        };
        List::Keyed(Keyed::new(kind, RecordBatch::try_from_iter(columns.iter().map(column)).unwrap(), 0).unwrap())
    }

    /// Users with an owner each, owners with a team, and networks with a name.
    pub(crate) fn references() -> References {
        let assets = [
            ("arn", &[Some("eve"), Some("bob"), Some("eve"), None, Some("joe")][..]),
            ("criticality", &[Some("high"), None, Some("low"), Some("high"), Some("low")]),
            ("owner", &[Some("ann"), Some("tim"), None, None, None]),
            ("region", &[Some("eu"), None, None, None, None]),
        ];
        let teams = [("owner", &[Some("ann"), Some("tim")][..]), ("team", &[Some("red"), Some("blue")])];
        let nets = [
            ("cidr", &[Some("192.0.2.0/24"), Some("192.0.2.7"), Some("198.51.100.0/24")][..]),
            ("name", &[Some("office"), Some("gate"), None]),
        ];
        let lists = [
            ("assets".to_owned(), table(Kind::Text, &assets)),
            ("teams".to_owned(), table(Kind::Text, &teams)),
            ("nets".to_owned(), table(Kind::Network, &nets)),
        ];
        References::new(lists.into())
    }

    /// Calls of eve, bob, mal and somebody without a name, whose event ids begin with their names, from several places.
    pub(crate) fn calls() -> Batch {
        let mut events = Vec::new();
        for (number, address) in
            ["192.0.2.7", "192.0.2.8", "198.51.100.1", "203.0.113.1", "iam.amazonaws.com"].iter().enumerate()
        {
            for user in ["eve", "bob", "mal", ""] {
                let id = format!("{user}{number}");
                let identity = if user.is_empty() {
                    json!({ "type": "Unknown" })
                } else {
                    json!({ "type": "IAMUser", "userName": user })
                };
                events.push(changed(
                    event("GetUser", &id),
                    json!({ "sourceIPAddress": address, "userIdentity": identity }),
                ));
            }
        }
        batch(&events)
    }

    /// Ends of queries of which each row selected tells its event id and a value.
    pub(crate) const QUERIES: [(&str, &str, &str); 13] = [
        (
            "r.criticality",
            "FROM cloudtrail JOIN reference.assets r ON userIdentity.userName = r.arn WHERE r.criticality = 'high'",
            "eve",
        ),
        (
            "criticality",
            "FROM cloudtrail c INNER JOIN reference.assets AS r ON (r.arn = c.userIdentity.userName AND c.eventName = 'GetUser') WHERE true",
            "eve bob",
        ),
        (
            "coalesce(r.criticality, 'none')",
            "FROM cloudtrail LEFT JOIN reference.assets r ON userIdentity.userName = r.arn WHERE eventName = 'GetUser' AND r.criticality IS DISTINCT FROM 'high'",
            "bob mal ",
        ),
        (
            "assets.owner",
            "FROM cloudtrail JOIN reference.assets ON userIdentity.userName = assets.arn WHERE assets.criticality IS NULL OR cloudtrail.eventName = 'x'",
            "bob",
        ),
        (
            "reference.assets.arn",
            "FROM cloudtrail LEFT JOIN reference.assets ON userIdentity.userName = reference.assets.arn WHERE reference.assets.arn IS NULL",
            "mal ",
        ),
        (
            "t.team",
            "FROM cloudtrail JOIN reference.assets r ON userIdentity.userName = r.arn JOIN reference.teams t ON t.owner = r.owner WHERE t.team = 'red'",
            "eve",
        ),
        (
            "n.name",
            "FROM cloudtrail JOIN reference.nets n ON cidr_match(sourceIPAddress, n.cidr) WHERE n.name IS NOT NULL AND userIdentity.userName = 'eve'",
            "eve0 eve1",
        ),
        (
            "n.name",
            "FROM cloudtrail LEFT JOIN reference.nets n ON cidr_match(sourceIPAddress, n.cidr) WHERE coalesce(n.name, '') <> 'office' AND userIdentity.userName = 'bob'",
            "bob0 bob2 bob3 bob4",
        ),
        ("eventName", "FROM cloudtrail WHERE userIdentity.userName IN (SELECT arn FROM reference.assets)", "eve bob"),
        (
            "eventName",
            "FROM cloudtrail WHERE userIdentity.userName NOT IN (SELECT arn FROM reference.assets) AND eventName = 'GetUser'",
            "mal",
        ),
        (
            "eventName",
            "FROM cloudtrail WHERE userIdentity.userName IN (SELECT a.arn FROM reference.assets a WHERE a.criticality = 'high' OR owner = 'tim')",
            "eve bob",
        ),
        (
            "eventName",
            "FROM cloudtrail WHERE userIdentity.userName NOT IN (SELECT arn FROM reference.assets WHERE criticality = 'high')",
            "bob mal",
        ),
        (
            "r.owner",
            "FROM cloudtrail JOIN reference.assets r ON userIdentity.userName = r.arn WHERE r.owner NOT IN (SELECT owner FROM reference.teams WHERE team = 'red') AND userIdentity.userName IN (SELECT arn FROM reference.assets WHERE owner = 'tim')",
            "bob",
        ),
    ];

    /// The ids of the events that a query selects with the value that it shows, in order.
    pub(crate) fn streamed(value: &str, rest: &str) -> Vec<String> {
        let rule = rule("-- key = [\"eventID\"]\n", &format!("SELECT eventID AS id, {value} AS value {rest}"));
        let (mut detector, refused) = Detector::with_references(logs::TABLES, &references(), [rule]);
        assert_eq!(refused, [], "{value} {rest}");
        let found = detector.observe(&[calls()], Timestamp(0));
        let said = |finding: crate::finding::Finding| {
            let of =
                |wanted: &str| finding.evidence.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
            format!("{} {}", of("id").unwrap_or_default(), of("value").unwrap_or_default())
        };
        let mut said: Vec<String> = found.into_iter().map(said).collect();
        said.sort();
        said
    }

    #[test]
    fn a_rule_joins_lists() {
        for (value, rest, expected) in QUERIES {
            let said = streamed(value, rest);
            let calls = |name: &str| match name.ends_with(|last: char| last.is_ascii_digit()) {
                true => vec![name.to_owned()],
                false => (0..5).map(|number| format!("{name}{number}")).collect(),
            };
            let mut expected: Vec<String> = expected.split(' ').flat_map(calls).collect();
            expected.sort();
            let ids: Vec<&str> = said.iter().map(|said| said.split(' ').next().unwrap()).collect();
            assert_eq!(ids, expected, "{value} {rest}");
        }
        assert_eq!(streamed(QUERIES[6].0, QUERIES[6].1), ["eve0 gate", "eve1 office"]);
    }

    #[test]
    fn windows_and_frames_group_by_what_a_list_says() {
        let grouped = "SELECT r.owner, count(*) AS calls, sample(r.criticality) AS levels FROM cloudtrail LEFT JOIN reference.assets r \
                       ON userIdentity.userName = r.arn WHERE eventName = 'GetUser' \
                       GROUP BY account, r.owner, tumble(eventTime, INTERVAL '1 hour') HAVING count(*) >= 10 OR max(r.criticality) = 'high'";
        let framed = "SELECT eventTime, team, n FROM (SELECT eventTime, team, count(*) OVER before AS n FROM cloudtrail \
                      JOIN reference.assets r ON userIdentity.userName = r.arn JOIN reference.teams t ON t.owner = r.owner WHERE eventName = 'GetUser' \
                      WINDOW before AS (PARTITION BY account, team ORDER BY eventTime RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW)) \
                      WHERE n >= 5 AND team = 'blue'";
        let found = |sql: &str, shown: &str| {
            let (mut detector, refused) = Detector::with_references(logs::TABLES, &references(), [rule("", sql)]);
            assert_eq!(refused, []);
            let mut found = detector.observe(&[calls()], Timestamp(0));
            found.extend(detector.finish());
            let one = |finding: &crate::finding::Finding| {
                finding.evidence.iter().find(|(name, _)| name == shown).map(|(_, value)| value.clone())
            };
            let mut shown: Vec<_> = found.iter().map(one).collect();
            shown.sort();
            shown
        };
        assert_eq!(found(grouped, "owner"), [None, Some("ann".to_owned())]);
        assert_eq!(found(framed, "team"), [Some("blue".to_owned())]);
    }

    #[test]
    fn what_a_list_cannot_be_asked_is_refused_by_name_and_place() {
        for (sql, expected) in [
            (
                "JOIN reference.nowhere r ON r.a = eventName WHERE true",
                "x.sql:6:16: the configuration has no [reference.nowhere]; there are: assets, nets, teams",
            ),
            (
                "JOIN reference.assets r ON r.arn = eventName WHERE r.level = 'x'",
                "x.sql:6:54: reference.assets has no column `level`; there are arn, criticality, owner, region",
            ),
            (
                "JOIN reference.assets r ON r.owner = eventName WHERE true",
                "x.sql:6:28: reference.assets is looked up by `arn`, its `column`, and not by `owner`",
            ),
            ("JOIN reference.assets r ON r.arn > eventName WHERE true", "x.sql:6:28: ON has to say <value> = r.arn"),
            (
                "JOIN reference.nets n ON n.cidr = sourceIPAddress WHERE true",
                "x.sql:6:26: reference.nets has networks: ON cidr_match(<address>, n.cidr)",
            ),
            (
                "JOIN reference.assets r ON cidr_match(sourceIPAddress, r.arn) WHERE true",
                "x.sql:6:28: reference.assets has texts (its `kind` is not network): ON <value> = r.arn",
            ),
            (
                "LEFT JOIN reference.assets r ON r.arn = eventName AND r.owner = 'x' WHERE true",
                "x.sql:6:55: ON of a LEFT JOIN says <value> = r.arn and nothing else",
            ),
            (
                "RIGHT JOIN reference.assets r ON r.arn = eventName WHERE true",
                "x.sql:6:12: a rule joins a list by JOIN or LEFT JOIN, with ON",
            ),
            (
                "JOIN reference.assets r USING (region) WHERE true",
                "x.sql:6:6: a rule joins a list by JOIN or LEFT JOIN, with ON",
            ),
            (
                "JOIN reference.assets r ON r.arn = eventName WHERE region = 'eu'",
                "x.sql:6:52: `region` is a column of reference.assets and of cloudtrail: write which",
            ),
            (
                "JOIN reference.assets r ON r.arn = eventName JOIN reference.teams t ON t.owner = eventName WHERE owner = 'eu'",
                "`owner` is a column of reference.assets and of reference.teams: write which",
            ),
            ("JOIN reference.assets r ON r.arn = eventTime WHERE true", "text, not"),
            (
                "WHERE eventName IN (SELECT owner FROM reference.assets)",
                "x.sql:6:21: what a rule asks of a list is IN (SELECT arn FROM reference.assets), and WHERE behind it",
            ),
            (
                "WHERE eventName IN (SELECT arn FROM reference.assets LIMIT 3)",
                "x.sql:6:21: what a rule asks of a list is",
            ),
            (
                "WHERE eventName IN (SELECT arn FROM reference.assets WHERE userAgent = owner)",
                "x.sql:6:60: `userAgent` is no column of reference.assets",
            ),
            (
                "WHERE sourceIPAddress IN (SELECT cidr FROM reference.nets)",
                "x.sql:6:27: reference.nets has networks: in_reference(<address>, 'nets')",
            ),
        ] {
            let rule = rule("", &format!("SELECT eventTime FROM cloudtrail\n{sql}"));
            let (_, refused) = Detector::with_references(logs::TABLES, &references(), [rule]);
            let said = refused.first().map(ToString::to_string).unwrap_or_default();
            assert!(said.contains(expected), "{sql}\n{said}");
        }
        let star = rule("", "SELECT *\nFROM cloudtrail JOIN reference.assets r ON r.arn = eventName WHERE true");
        let (_, refused) = Detector::with_references(logs::TABLES, &references(), [star]);
        assert!(
            refused[0].to_string().starts_with("x.sql:5:8: a rule that joins a list names the columns"),
            "{}",
            refused[0]
        );
    }
}
