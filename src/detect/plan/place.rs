//! A rule's query and the planner's complaint → the place in the file, and the column that was probably meant.

use std::ops::ControlFlow;

use arrow::datatypes::{DataType, FieldRef, Fields};
use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, NamedWindowDefinition, NamedWindowExpr, Query, Select, SelectItem, SetExpr, Spanned,
    Statement as SqlStatement, TableFactor, Value, WindowType, visit_expressions,
};

use super::mistakes::{CURLY, Mistake};
use crate::detect::athena::aggregates;
use crate::detect::window::aggregate::IN_RULES;
use crate::rule::dialect::{find_call, find_word, line_and_column};
use crate::rule::shape::{of_rows, of_rows_mut, query};
use crate::rule::spelling::distance;
use crate::table::{Kind, Table};

/// Line and column of what is wrong, with words for it.
pub type Complaint = ((usize, usize), String);

/// The first column of the query that the table does not have.
pub fn unknown_column(statement: &Statement, table: &Table) -> Option<Complaint> {
    let query = query(statement)?;
    let aliases = aliases(statement);
    let mut parameters: Vec<Ident> = Vec::new();
    if !std::ptr::eq(of_rows(query), query) {
        parameters.extend(given(select(statement)));
    }
    let found = visit_expressions(query, |expr| {
        let names = match expr {
            Expr::Lambda(lambda) => {
                parameters.extend(lambda.params.iter().map(|parameter| parameter.name.clone()));
                return ControlFlow::Continue(());
            }
            Expr::Identifier(name) => std::slice::from_ref(name),
            Expr::CompoundIdentifier(names) => names,
            _ => return ControlFlow::Continue(()),
        };
        let (first, rest) = names.split_first().expect("a name has a part");
        if parameters.iter().any(|parameter| folded(parameter) == folded(first)) {
            return ControlFlow::Continue(());
        }
        let of_table = folded(first) == table.name || aliases.iter().any(|alias| folded(alias) == folded(first));
        if of_table && rest.first().is_some_and(|name| parameters.iter().any(|known| folded(known) == folded(name))) {
            return ControlFlow::Continue(());
        }
        let complaint = missing(if of_table && !rest.is_empty() { rest } else { names }, table);
        let complaint =
            complaint.map(|complaint| if rest.is_empty() { of_name(first, statement, complaint) } else { complaint });
        complaint.map_or(ControlFlow::Continue(()), ControlFlow::Break)
    });
    found.break_value()
}

/// What is said of a name that is no column: also when it is one given in SELECT, or text in the quotes of names.
fn of_name(name: &Ident, statement: &Statement, (place, message): Complaint) -> Complaint {
    if name.quote_style == Some('"') {
        return (place, format!("{message}; text is written in single quotes: '{}'", name.value.replace('\'', "''")));
    }
    if name.value.starts_with(CURLY) {
        let text = name.value.trim_matches(CURLY).replace('\'', "''");
        return (place, format!("{message}; text is written in straight quotes: '{text}'"));
    }
    let Some(SetExpr::Select(select)) = query(statement).map(|query| query.body.as_ref()) else {
        return (place, message);
    };
    let is_it =
        |item: &SelectItem| matches!(item, SelectItem::ExprWithAlias { alias, .. } if folded(alias) == folded(name));
    if !select.projection.iter().any(is_it) {
        return (place, message);
    }
    let having = select.having.as_ref().map(|having| line_and_column(having.span().start));
    let instead = match having.is_some_and(|start| place >= start) {
        true => "in HAVING write the aggregate again",
        false => "write the expression again",
    };
    (place, format!("`{}` is a name given in SELECT: {instead}", folded(name)))
}

/// Other names of the table, and of the query within FROM.
fn aliases(statement: &Statement) -> Vec<Ident> {
    let Some(query) = query(statement) else { return Vec::new() };
    let of = |query: &Query| {
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        match &select.from.first()?.relation {
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias.as_ref(),
            _ => None,
        }
        .map(|alias| alias.name.clone())
    };
    [query, of_rows(query)].into_iter().filter_map(of).collect()
}

/// The names that a SELECT gives.
fn given(select: &Select) -> impl Iterator<Item = Ident> {
    select.projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        _ => None,
    })
}

fn missing(names: &[Ident], table: &Table) -> Option<Complaint> {
    let schema = table.schema();
    let (mut fields, mut above) = (schema.fields(), String::new());
    for (index, name) in names.iter().enumerate() {
        let folded = folded(name);
        let Some((_, field)) = fields.find(&folded) else {
            let owner = if above.is_empty() { format!("table {}", table.name) } else { format!("`{above}`") };
            let meant = suggest(&folded, &above, fields, schema.fields());
            let meant = meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            return Some((line_and_column(name.span.start), format!("{owner} has no column `{folded}`{meant}")));
        };
        above = if above.is_empty() { folded } else { format!("{above}.{folded}") };
        match (names.get(index + 1), field.data_type()) {
            (None, _) => {}
            (Some(_), DataType::Struct(inner)) => fields = inner,
            (Some(next), data_type) => {
                let message = match data_type {
                    DataType::List(_) => format!("`{above}` is a list: write `{above}[1].{}`", next.value),
                    _ if is_json(table, &above) => {
                        format!("`{above}` is JSON text: write `{above} ->> '{}'`", next.value)
                    }
                    _ => format!("`{above}` has no fields"),
                };
                return Some((line_and_column(next.span.start), message));
            }
        }
    }
    None
}

fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

/// Whether the column at a path, dots between its names, is free-form JSON.
pub fn is_json(table: &Table, path: &str) -> bool {
    let mut columns = table.columns;
    let mut names = path.split('.').peekable();
    while let Some(column) = names.next().and_then(|name| columns.iter().find(|column| column.name == name)) {
        match (names.peek(), column.kind) {
            (None, Kind::Json) => return true,
            (Some(_), Kind::Struct(inner)) => columns = inner,
            _ => return false,
        }
    }
    false
}

/// The column of the same struct with the nearest name, else any column that ends in that very name.
fn suggest(name: &str, above: &str, near: &Fields, all: &Fields) -> Option<String> {
    let closest = near.iter().map(|field| (distance(name, field.name()), field.name())).min();
    if let Some((edits, found)) = closest
        && edits <= 1 + name.len() / 4
    {
        return Some(if above.is_empty() { found.clone() } else { format!("{above}.{found}") });
    }
    let mut paths = Vec::new();
    collect_paths("", all, &mut paths);
    paths.into_iter().find(|path| path.rsplit('.').next() == Some(name))
}

fn collect_paths(above: &str, fields: &Fields, paths: &mut Vec<String>) {
    let path =
        |field: &FieldRef| if above.is_empty() { field.name().clone() } else { format!("{above}.{}", field.name()) };
    paths.extend(fields.iter().map(path));
    for field in fields {
        if let DataType::Struct(inner) = field.data_type() {
            collect_paths(&path(field), inner, paths);
        }
    }
}

/// Where the planner's complaint points: its own span, else what it is about, else a word or text it quotes, else a function it names, else the
/// first part of the query that does not plan when it stands alone, else the query.
pub fn planner_error(
    error: &DataFusionError,
    text: &str,
    statement: &Statement,
    plans: impl Fn(Statement) -> bool,
) -> Complaint {
    let span = error
        .diagnostic()
        .and_then(|diagnostic| diagnostic.span)
        .map(|span| (span.start.line as usize, span.start.column as usize));
    let mistake = Mistake::of(error);
    let message = unsupported(error).unwrap_or_else(|| words(error));
    let called = || message.split(' ').find_map(|word| find_call(text, word));
    let quoted = || message.split(['\'', '`', '"']).skip(1).step_by(2).find_map(|word| find_word(text, word, 0));
    let part = || parts(statement).into_iter().find(|(_, part)| !plans(part.clone())).map(|(place, _)| place);
    let place = span
        .or_else(|| mistake.place(text))
        .or_else(quoted)
        .or_else(called)
        .or_else(part)
        .or_else(|| find_word(text, "SELECT", 0))
        .unwrap_or((1, 1));
    (place, message)
}

/// Of an aggregate that `weir sql` has as Athena does, and rules have not.
fn unsupported(error: &DataFusionError) -> Option<String> {
    let text = error.strip_backtrace();
    let (name, _) = text.split_once("Invalid function '")?.1.split_once('\'')?;
    let is_aggregate = aggregates::IN_QUERIES.contains(&name);
    is_aggregate.then(|| format!("the aggregate `{name}` is not supported in rules; there are {IN_RULES}"))
}

/// What an error says, on one line, without saying what kind of error it is.
pub fn words(error: &DataFusionError) -> String {
    Mistake::of(error).message.lines().collect::<Vec<_>>().join(" ")
}

/// The query with only one selected column and no condition, or with only one condition, for each of them.
fn parts(statement: &Statement) -> Vec<((usize, usize), Statement)> {
    let Some((items, conditions)) = items_and_conditions(statement) else { return Vec::new() };
    let start = |spanned: &dyn Fn() -> datafusion::sql::sqlparser::tokenizer::Span| line_and_column(spanned().start);
    let items = items.into_iter().map(|item| (start(&|| item.span()), with(statement, Some(item.clone()), None)));
    let conditions =
        conditions.into_iter().map(|one| (start(&|| one.span()), with(statement, None, Some(one.clone()))));
    items.chain(conditions).collect()
}

/// Each condition of the WHERE, as SQL, and the query that has only that one.
pub fn conditions(statement: &Statement) -> Vec<(String, Statement)> {
    let conditions = items_and_conditions(statement).map_or(Vec::new(), |(_, conditions)| conditions);
    conditions.into_iter().map(|one| (one.to_string(), with(statement, None, Some(one.clone())))).collect()
}

/// The query over the same table that selects one expression of every row.
pub fn alone(statement: &Statement, expr: &Expr) -> Statement {
    let item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::new("asked") };
    let mut alone = with(statement, Some(item), None);
    if let Some(select) = select_mut(&mut alone) {
        select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
        select.having = None;
    }
    alone
}

/// The SELECT of a rule's statement that reads the table.
pub fn select(statement: &Statement) -> &Select {
    match query(statement).map(|query| of_rows(query).body.as_ref()) {
        Some(SetExpr::Select(select)) => select,
        _ => panic!("a rule is SELECT ... FROM ...: {statement}"),
    }
}

/// The same, to change it.
pub fn select_mut(statement: &mut Statement) -> Option<&mut Select> {
    body_mut(of_rows_mut(query_mut(statement)?))
}

/// The SELECT that a rule's statement is: of a rule over frames the one around the SELECT that reads the table.
pub fn outer_mut(statement: &mut Statement) -> Option<&mut Select> {
    body_mut(query_mut(statement)?)
}

fn query_mut(statement: &mut Statement) -> Option<&mut Query> {
    let Statement::Statement(statement) = statement else { return None };
    let SqlStatement::Query(query) = statement.as_mut() else { return None };
    Some(query)
}

fn body_mut(query: &mut Query) -> Option<&mut Select> {
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    Some(select)
}

/// Whether a statement is over frames.
pub fn is_framed(statement: &Statement) -> bool {
    query(statement).is_some_and(|query| !std::ptr::eq(of_rows(query), query))
}

/// What a rule over windows asks of them: its HAVING, or the WHERE around its frames.
pub fn asks_windows(statement: &Statement) -> Option<&Expr> {
    let SetExpr::Select(outer) = query(statement)?.body.as_ref() else { return None };
    if is_framed(statement) { outer.selection.as_ref() } else { outer.having.as_ref() }
}

/// What the keys of a rule's windows are: its GROUP BY, or what its frames are partitioned by.
pub fn keys(statement: &Statement) -> Vec<Expr> {
    let select = select(statement);
    if !is_framed(statement) {
        return match &select.group_by {
            GroupByExpr::Expressions(by, _) => by.clone(),
            GroupByExpr::All(_) => Vec::new(),
        };
    }
    let named = |name: &Ident| {
        select.named_window.iter().find_map(|NamedWindowDefinition(known, window)| match window {
            NamedWindowExpr::WindowSpec(spec) if folded(known) == folded(name) => Some(spec.partition_by.clone()),
            _ => None,
        })
    };
    let found = visit_expressions(&select.projection, |expr| match expr {
        Expr::Function(call) => match &call.over {
            Some(WindowType::WindowSpec(spec)) => ControlFlow::Break(Some(spec.partition_by.clone())),
            Some(WindowType::NamedWindow(name)) => ControlFlow::Break(named(name)),
            None => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    });
    found.break_value().flatten().unwrap_or_default()
}

fn items_and_conditions(statement: &Statement) -> Option<(Vec<SelectItem>, Vec<Expr>)> {
    let select = match of_rows(query(statement)?).body.as_ref() {
        SetExpr::Select(select) => select,
        _ => return None,
    };
    let mut conditions = Vec::new();
    split(select.selection.as_ref()?, &mut conditions);
    Some((select.projection.clone(), conditions))
}

fn split(condition: &Expr, into: &mut Vec<Expr>) {
    use datafusion::sql::sqlparser::ast::BinaryOperator::And;
    match condition {
        Expr::BinaryOp { left, op: And, right } => {
            split(left, into);
            split(right, into);
        }
        Expr::Nested(inner) if matches!(inner.as_ref(), Expr::BinaryOp { op: And, .. }) => split(inner, into),
        other => into.push(other.clone()),
    }
}

fn with(statement: &Statement, item: Option<SelectItem>, condition: Option<Expr>) -> Statement {
    let truth = || Expr::Value(Value::Boolean(true).into());
    let mut query = of_rows(query(statement).expect("a rule is a query")).clone();
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = vec![item.unwrap_or_else(|| SelectItem::UnnamedExpr(truth()))];
        select.selection = Some(condition.unwrap_or_else(truth));
    }
    Statement::Statement(Box::new(SqlStatement::Query(Box::new(query))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::cloudtrail::CLOUDTRAIL;
    use crate::rule::dialect::parse;

    fn complaint(condition: &str) -> String {
        let sql = format!("SELECT eventTime\nFROM cloudtrail AS c\nWHERE {condition}");
        let ((line, column), message) = unknown_column(&parse(&sql).unwrap()[0], &CLOUDTRAIL).unwrap_or_default();
        format!("{line}:{column} {message}")
    }

    #[test]
    fn an_unknown_column_has_a_place_and_a_guess() {
        assert_eq!(
            complaint("evntName = 'x'"),
            "3:7 table cloudtrail has no column `evntname`; did you mean `eventname`?"
        );
        assert_eq!(
            complaint("userIdentity.tpye = 'x'"),
            "3:20 `useridentity` has no column `tpye`; did you mean `useridentity.type`?"
        );
        assert_eq!(
            complaint("accessKeyId = 'x'"),
            "3:7 table cloudtrail has no column `accesskeyid`; did you mean `useridentity.accesskeyid`?"
        );
        assert_eq!(
            complaint("requestParameters.roleName = 'x'"),
            "3:25 `requestparameters` is JSON text: write `requestparameters ->> 'roleName'`"
        );
        assert_eq!(
            complaint("c.resuorces[1].arn = 'x'"),
            "3:9 table cloudtrail has no column `resuorces`; did you mean `resources`?"
        );
        assert_eq!(complaint("resources.arn = 'x'"), "3:17 `resources` is a list: write `resources[1].arn`");
    }

    #[test]
    fn a_name_given_in_select_and_text_in_double_quotes_are_told_as_such() {
        assert_eq!(
            complaint("eventName = \"ConsoleLogin\""),
            "3:19 table cloudtrail has no column `ConsoleLogin`; text is written in single quotes: 'ConsoleLogin'"
        );
        assert_eq!(
            complaint("eventName = ‘ConsoleLogin’"),
            "3:19 table cloudtrail has no column `‘consolelogin’`; text is written in straight quotes: 'ConsoleLogin'"
        );
        let of = |rest: &str| {
            let sql = format!("SELECT count(DISTINCT awsRegion) AS regions\nFROM cloudtrail\n{rest}");
            let ((line, column), message) = unknown_column(&parse(&sql).unwrap()[0], &CLOUDTRAIL).unwrap();
            format!("{line}:{column} {message}")
        };
        assert_eq!(
            of("WHERE true GROUP BY account\nHAVING regions >= 2"),
            "4:8 `regions` is a name given in SELECT: in HAVING write the aggregate again"
        );
        assert_eq!(
            of("WHERE regions > 2\nGROUP BY account\nHAVING count(*) > 2"),
            "3:7 `regions` is a name given in SELECT: write the expression again"
        );
    }

    #[test]
    fn known_columns_and_names_of_lambdas_pass() {
        let fine = "c.eventName = 'x' AND cloudtrail.userIdentity.type = 'y' AND resources[1].arn = 'z' \
                    AND c.resources[1].arn = 'z' \
                    AND array_any_match(resources, r -> r.arn = 'a')";
        assert_eq!(complaint(fine), "0:0 ");
    }
}
