//! Statement → the table it reads and how it fires, or what in it is not `SELECT ... FROM <table> WHERE ...`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as AnyStatement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, Ident, ObjectName, Query, Select, SetExpr, Statement, TableFactor,
    visit_expressions,
};

use super::dialect::find_word;
use super::{Fires, Learns};

/// A part of SQL that rules cannot have, named by the words it starts with.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit(&'static str);

impl Misfit {
    pub fn message(&self) -> String {
        match self.0 {
            "" => "a rule is SELECT ... FROM <table> WHERE ...".to_owned(),
            "UNNEST" => {
                "a rule judges each row once, and UNNEST makes several of one: array_any_match(resources, r -> r.arn = '...')"
                    .to_owned()
            }
            "WHERE" => "a rule needs a WHERE: without one every row is a finding".to_owned(),
            "SELECT without WHERE" => {
                "the query within FROM needs a WHERE, of the rows that frames are made of: without one they are made of every row".to_owned()
            }
            "ROLLUP" | "CUBE" | "GROUPING SETS" => format!(
                "a rule groups once, and {} groups several times over: a rule for each, or GROUP BY what tells most apart",
                self.0
            ),
            "GROUP BY" => "a rule that groups needs a HAVING: without one every group is a finding".to_owned(),
            "HAVING" => {
                "HAVING needs a GROUP BY with a window: GROUP BY ..., tumble(<time>, INTERVAL '10 minutes')".to_owned()
            }
            "JOIN" => "a rule joins nothing but lists: JOIN reference.NAME, of the configuration's [reference.NAME]".to_owned(),
            words => format!("not supported yet: {words}; a rule is SELECT ... FROM <table> WHERE ..."),
        }
    }

    /// Line and column of those words.
    pub fn place(&self, text: &str) -> Option<(usize, usize)> {
        // a subquery is the second SELECT of the file
        if self.0 == "WHERE" {
            return None;
        }
        let which = usize::from(["SELECT within SELECT", "SELECT without WHERE"].contains(&self.0));
        find_word(text, self.0.split(' ').next()?, which)
    }
}

/// The tables as AWS's documentation creates them for Athena, and here.
pub const ATHENA_TABLES: [(&str, &str); 8] = [
    ("cloudtrail_logs", "cloudtrail"),
    ("cloudtrail", "cloudtrail"),
    ("vpc_flow_logs", "vpc_flow"),
    ("vpcflow", "vpc_flow"),
    ("vpcflowlogs", "vpc_flow"),
    ("test_table_vpclogs", "vpc_flow"),
    ("gd_logs", "guardduty_finding"),
    ("guardduty", "guardduty_finding"),
];

/// The table that a name means, whichever database stands in front of it.
fn table_name(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    let last = last.map_or_else(|| name.to_string(), |last| last.value.clone()).to_lowercase();
    let ours = ATHENA_TABLES.iter().find(|(theirs, _)| *theirs == last);
    ours.map_or(last, |(_, ours)| (*ours).to_owned())
}

/// Name of the one table that the statement reads, in lower case, and what makes it fire.
pub fn table(statement: &AnyStatement) -> Result<(String, Fires), Misfit> {
    let query = query(statement).ok_or(Misfit(""))?;
    let (select, fires) = select(query)?;
    let joined = select.from.iter().flat_map(|from| &from.joins).map(|join| &join.relation);
    let mut relations = select.from.iter().map(|from| &from.relation).chain(joined);
    check(relations.any(|relation| matches!(relation, TableFactor::UNNEST { .. })), "UNNEST")?;
    let [from] = select.from.as_slice() else { return Err(Misfit("")) };
    check(from.joins.iter().any(|join| list_name(&join.relation).is_none()), "JOIN")?;
    check(select.selection.is_none(), "WHERE")?;
    let subquery = visit_expressions(select, |expr| match expr {
        Expr::InSubquery { subquery, .. } if reads_list(subquery) => ControlFlow::Continue(()),
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    check(subquery.is_break(), "SELECT within SELECT")?;
    match &from.relation {
        relation if list_name(relation).is_some() => Err(Misfit("FROM something other than a table")),
        TableFactor::Table { name, args: None, .. } => Ok((table_name(name), fires)),
        TableFactor::Derived { subquery, lateral: false, .. } if fires == Fires::PerRow && has_over(subquery) => {
            rows_of_frames(subquery)
        }
        TableFactor::Derived { .. } => Err(Misfit("SELECT within SELECT")),
        _ => Err(Misfit("FROM something other than a table")),
    }
}

/// The same of the query within FROM of a rule over frames, whose rows those are.
fn rows_of_frames(query: &Query) -> Result<(String, Fires), Misfit> {
    let (select, fires) = select(query)?;
    check(fires == Fires::PerWindow, "GROUP BY within a query over frames")?;
    let [from] = select.from.as_slice() else { return Err(Misfit("")) };
    check(from.joins.iter().any(|join| list_name(&join.relation).is_none()), "JOIN")?;
    check(select.selection.is_none(), "SELECT without WHERE")?;
    match &from.relation {
        TableFactor::Table { name, args: None, .. } => Ok((table_name(name), Fires::PerWindow)),
        _ => Err(Misfit("SELECT within SELECT")),
    }
}

/// Columns, in lower case, each with constants of which a row must have one to be selected, as far as the WHERE of a query over one table
/// says so plainly: `eventName = 'GetUser'`, `eventName IN (...)`, and what several of these joined by AND and OR come to.
pub fn asks(statement: &AnyStatement) -> BTreeMap<String, BTreeSet<String>> {
    let none = BTreeMap::new;
    let Some((select, _)) = query(statement).and_then(|query| select(query).ok()) else { return none() };
    let [from] = select.from.as_slice() else { return none() };
    if !from.joins.is_empty() || !matches!(from.relation, TableFactor::Table { .. }) {
        return none();
    }
    select.selection.as_ref().map_or_else(none, asks_of)
}

fn asks_of(condition: &Expr) -> BTreeMap<String, BTreeSet<String>> {
    let column = |expr: &Expr| match expr {
        Expr::Identifier(name) => Some(name.value.to_lowercase()),
        _ => None,
    };
    let constant = |expr: &Expr| match expr {
        Expr::Value(value) => value.value.clone().into_string(),
        _ => None,
    };
    match condition {
        Expr::Nested(inner) => asks_of(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let (mut all, more) = (asks_of(left), asks_of(right));
            for (column, values) in more {
                // both must hold, so that either is enough
                let known = all.entry(column).or_insert_with(|| values.clone());
                if values.len() < known.len() {
                    *known = values;
                }
            }
            all
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
            let (mut all, mut more) = (asks_of(left), asks_of(right));
            all.retain(|column, values| more.remove(column).map(|more| values.extend(more)).is_some());
            all
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let asked = column(left).zip(constant(right)).or_else(|| column(right).zip(constant(left)));
            asked.into_iter().map(|(column, value)| (column, BTreeSet::from([value]))).collect()
        }
        Expr::InList { expr, list, negated: false } => {
            let values = list.iter().map(constant).collect::<Option<BTreeSet<String>>>();
            column(expr).zip(values).into_iter().collect()
        }
        _ => BTreeMap::new(),
    }
}

/// Of what was before its windows a query asks by a function in HAVING, once.
pub fn learns(statement: &AnyStatement) -> Option<Learns> {
    let what = |expr: &Expr| {
        let Expr::Function(call) = expr else { return None };
        match &*call.name.0.last()?.as_ident()?.value.to_lowercase() {
            "first_seen" => Some(Learns::New),
            "rare" | "unusual_hour" | "unusual_rate" => Some(Learns::Usual),
            _ => None,
        }
    };
    let asks = |expr: &Expr| what(expr).map_or(ControlFlow::Continue(()), ControlFlow::Break);
    visit_expressions(query(statement)?, asks).break_value()
}

/// The name of the list that a part of FROM reads: `reference.NAME`, of the configuration's `[reference.NAME]`.
pub fn list_name(relation: &TableFactor) -> Option<&Ident> {
    let TableFactor::Table { name, args: None, .. } = relation else { return None };
    let [schema, name] = name.0.as_slice() else { return None };
    schema.as_ident()?.value.eq_ignore_ascii_case(LISTS).then(|| name.as_ident()).flatten()
}

/// What stands in front of the names of lists.
pub const LISTS: &str = "reference";

fn reads_list(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    select.from.first().is_some_and(|from| list_name(&from.relation).is_some())
}

/// Whether a query computes something over frames.
fn has_over(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    let over = |expr: &Expr| match expr {
        Expr::Function(call) if call.over.is_some() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    visit_expressions(&select.projection, over).is_break()
}

/// The query that reads the table: the one within FROM of a rule over frames, else the query itself.
pub fn of_rows(query: &Query) -> &Query {
    let SetExpr::Select(select) = query.body.as_ref() else { return query };
    match select.from.first().map(|from| &from.relation) {
        Some(TableFactor::Derived { subquery, .. }) => subquery,
        _ => query,
    }
}

/// The same, to change it.
pub fn of_rows_mut(query: &mut Query) -> &mut Query {
    let is_derived = !std::ptr::eq(of_rows(query), query);
    if !is_derived {
        return query;
    }
    match query.body.as_mut() {
        SetExpr::Select(select) => match select.from.first_mut().map(|from| &mut from.relation) {
            Some(TableFactor::Derived { subquery, .. }) => subquery,
            _ => unreachable!("it was just found in FROM"),
        },
        _ => unreachable!("it was just found in a SELECT"),
    }
}

/// The query of a statement that is one.
pub fn query(statement: &AnyStatement) -> Option<&Query> {
    match statement {
        AnyStatement::Statement(statement) => match statement.as_ref() {
            Statement::Query(query) => Some(query),
            _ => None,
        },
        _ => None,
    }
}

fn select(query: &Query) -> Result<(&Select, Fires), Misfit> {
    check(query.with.is_some(), "WITH")?;
    check(query.order_by.is_some(), "ORDER BY")?;
    check(query.limit_clause.is_some(), "LIMIT")?;
    check(query.fetch.is_some(), "FETCH")?;
    let select = match query.body.as_ref() {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { .. } => return Err(Misfit("UNION, EXCEPT or INTERSECT")),
        _ => return Err(Misfit("")),
    };
    check(matches!(&select.distinct, Some(Distinct::Distinct | Distinct::On(_))), "DISTINCT")?;
    check(select.qualify.is_some(), "QUALIFY")?;
    let GroupByExpr::Expressions(by, more) = &select.group_by else { return Err(Misfit("GROUP BY ALL")) };
    check(!more.is_empty(), "GROUP BY with modifiers")?;
    check(by.iter().any(|expr| matches!(expr, Expr::Rollup(_))), "ROLLUP")?;
    check(by.iter().any(|expr| matches!(expr, Expr::Cube(_))), "CUBE")?;
    check(by.iter().any(|expr| matches!(expr, Expr::GroupingSets(_))), "GROUPING SETS")?;
    check(!by.is_empty() && select.having.is_none(), "GROUP BY")?;
    check(by.is_empty() && select.having.is_some(), "HAVING")?;
    Ok((select, if by.is_empty() { Fires::PerRow } else { Fires::PerWindow }))
}

fn check(present: bool, words: &'static str) -> Result<(), Misfit> {
    if present { Err(Misfit(words)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::dialect;

    fn asked(condition: &str) -> String {
        let sql = format!("SELECT eventTime FROM cloudtrail WHERE {condition}");
        let asks = asks(&dialect::parse(&sql).unwrap().pop_front().unwrap());
        let asked = |(column, values): (String, BTreeSet<String>)| {
            format!("{column}:{}", values.into_iter().collect::<Vec<_>>().join(","))
        };
        asks.into_iter().map(asked).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_a_rule_learns_is_said_by_its_having() {
        let of = |having: &str| {
            let sql = format!(
                "SELECT eventName FROM cloudtrail WHERE eventName <> 'rare' \
                 GROUP BY eventName, tumble(eventTime, INTERVAL '1 day') HAVING {having}"
            );
            learns(&dialect::parse(&sql).unwrap().pop_front().unwrap())
        };
        assert_eq!(of("count(*) > 2 AND FIRST_SEEN(eventName, INTERVAL '9 days')"), Some(Learns::New));
        assert_eq!(of("\"rare\"(eventName, 1) AND count(*) > 2"), Some(Learns::Usual));
        assert_eq!([of("unusual_rate(count(*), 1)"), of("unusual_hour(1)")], [Some(Learns::Usual); 2]);
        assert_eq!(of("count(*) > 2"), None);
    }

    #[test]
    fn what_a_rule_plainly_asks_of_a_column_is_seen() {
        assert_eq!(asked("eventName = 'A'"), "eventname:A");
        assert_eq!(asked("'A' = eventName AND eventSource IN ('s', 't') AND x > 1"), "eventname:A eventsource:s,t");
        assert_eq!(asked("(eventName = 'A' AND x = 1 OR eventName IN ('B', 'C')) AND y = 'z'"), "eventname:A,B,C y:z");
        assert_eq!(asked("eventName IN ('A', 'B') AND eventName IN ('B')"), "eventname:B");
        for open in [
            "eventName = 'A' OR x = 1",
            "NOT eventName = 'A'",
            "eventName NOT IN ('A')",
            "eventName <> 'A'",
            "lower(eventName) = 'a'",
            "eventName IN ('A', x)",
            "coalesce(eventName = 'A', true)",
            "eventName LIKE 'A'",
            "eventName = errorCode",
        ] {
            assert_eq!(asked(open), "", "{open}");
        }
    }

    #[test]
    fn what_a_rule_cannot_have_is_named_and_found() {
        let refused = |sql: &str| {
            let misfit = table(&dialect::parse(sql).unwrap()[0]).unwrap_err();
            (misfit.0, misfit.place(sql))
        };
        assert_eq!(refused("SELECT a FROM t JOIN u ON t.a = u.a WHERE a"), ("JOIN", Some((1, 17))));
        assert_eq!(refused("SELECT a FROM reference.u WHERE a"), ("FROM something other than a table", Some((1, 10))));
        let fine = "SELECT a FROM t LEFT JOIN reference.u ON t.a = u.a WHERE a IN (SELECT b FROM reference.v)";
        assert_eq!(table(&dialect::parse(fine).unwrap()[0]), Ok(("t".to_owned(), Fires::PerRow)));
        for from in ["t CROSS JOIN UNNEST(l) AS u (a)", "t, UNNEST(l) AS u (a)"] {
            assert_eq!(refused(&format!("SELECT a\nFROM {from} WHERE a = 1")).0, "UNNEST", "{from}");
        }
        assert_eq!(refused("SELECT a FROM t,\nUNNEST(l) AS u (a) WHERE a = 1").1, Some((2, 1)));
        assert_eq!(refused("SELECT a FROM t"), ("WHERE", None));
        assert_eq!(refused("SELECT a FROM t WHERE a IN (SELECT b FROM u)"), ("SELECT within SELECT", Some((1, 29))));
        let within = refused("SELECT a FROM (SELECT a FROM t WHERE a) WHERE a");
        assert_eq!(within, ("SELECT within SELECT", Some((1, 16))));
        let over = "count(*) OVER (ORDER BY a) AS n";
        let framed = format!("SELECT n FROM (SELECT {over} FROM t WHERE a) WHERE n > 1");
        assert_eq!(table(&dialect::parse(&framed).unwrap()[0]), Ok(("t".to_owned(), Fires::PerWindow)));
        let within = refused(&format!("SELECT n FROM (SELECT {over} FROM t) WHERE n > 1"));
        assert_eq!(within, ("SELECT without WHERE", Some((1, 16))));
        assert_eq!(refused(&format!("SELECT n FROM (SELECT {over} FROM t WHERE a)")), ("WHERE", None));
        for (by, words) in [
            ("ROLLUP (a, b)", "ROLLUP"),
            ("a, rollup (b)", "ROLLUP"),
            ("CUBE (a, b)", "CUBE"),
            ("GROUPING SETS ((a), (b))", "GROUPING SETS"),
        ] {
            let (said, place) = refused(&format!("SELECT a FROM t WHERE a\nGROUP BY {by} HAVING a"));
            assert_eq!((said, place.map(|place| place.0)), (words, Some(2)), "{by}");
        }
        for (from, name) in
            [("default.\"Cloudtrail_Logs\" AS l", "cloudtrail"), ("vpc_flow_logs", "vpc_flow"), ("d.t", "t")]
        {
            let read = table(&dialect::parse(&format!("SELECT a FROM {from} WHERE a")).unwrap()[0]);
            assert_eq!(read, Ok((name.to_owned(), Fires::PerRow)));
        }
        assert_eq!(refused("SELECT a FROM t WHERE a\nORDER BY a"), ("ORDER BY", Some((2, 1))));
        assert_eq!(refused("SELECT DISTINCT a FROM t WHERE a"), ("DISTINCT", Some((1, 8))));
        assert_eq!(refused("SELECT a FROM t WHERE a UNION SELECT b FROM t WHERE b").0, "UNION, EXCEPT or INTERSECT");
    }
}
