//! `FROM t CROSS JOIN UNNEST(list) AS u (item)` → a subquery in the place of `t` that has the items as one more column.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, Select, SelectItem, SetExpr, TableAlias, TableFactor,
    TableWithJoins, Value, visit_expressions,
};

use super::casts::nested;
use super::shape::row_fields;
use super::template::{query, with_arguments};
use super::{last_name, lateral};
use crate::catalog;
use crate::table::Kind;

/// What `UNNEST` was called, with its columns: `u.item` is `item` once the items are a column.
#[derive(Debug, Default)]
pub struct Unnested(Vec<(Ident, Vec<Ident>)>);

impl Unnested {
    /// Puts subqueries in the places of tables whose lists are unnested behind FROM. DataFusion has `unnest` behind SELECT only.
    pub fn join(&mut self, select: &mut Select) {
        join_instead_of_commas(&mut select.from);
        for table in &mut select.from {
            if let Some(alone) = alone(&table.relation) {
                table.relation = alone;
            }
            let mut at = 0;
            while at < table.joins.len() {
                if let Some(lists) = lateral::as_lists(&table.joins[at].relation) {
                    table.joins[at].relation = lists;
                }
                let found = owner(table, at);
                match found.and_then(|owner| Some((owner, self.subquery(relation(table, owner), &table.joins[at])?))) {
                    Some((owner, subquery)) => {
                        *relation_mut(table, owner) = subquery;
                        table.joins.remove(at);
                    }
                    None => at += 1,
                }
            }
        }
    }

    /// Whether an `UNNEST` that is called so has items for its one column, of the same name: its alias names none.
    pub fn is_item(&self, name: &Ident) -> bool {
        self.0
            .iter()
            .any(|(alias, columns)| same(alias, name) && matches!(columns.as_slice(), [one] if same(one, alias)))
    }

    /// Takes the name of an `UNNEST` off the name of its column.
    pub fn shorten(&self, name: &mut Vec<Ident>) {
        let [first, second, ..] = name.as_slice() else { return };
        let is_column = |(alias, columns): &(Ident, Vec<Ident>)| {
            same(alias, first) && columns.iter().any(|column| same(column, second))
        };
        if self.0.iter().any(is_column) {
            name.remove(0);
        }
    }

    fn subquery(&mut self, relation: &TableFactor, join: &Join) -> Option<TableFactor> {
        let TableFactor::UNNEST { alias, array_exprs, with_offset: false, with_ordinality, .. } = &join.relation else {
            return None;
        };
        let keeps_all = keeps_all(&join.join_operator)?;
        let outer = match relation {
            // nobody can name it
            TableFactor::Derived { alias: None, .. } => Ident::new(format!("unnested_{}", self.0.len())),
            _ => name(relation)?,
        };
        let columns = columns(alias.as_ref(), array_exprs, *with_ordinality);
        let mut lists = parts(alias.as_ref(), array_exprs, columns.len() - usize::from(*with_ordinality))?;
        if lists.len() == 4 && is_of_lake(array_exprs, &columns) {
            lists[..3].rotate_left(1);
        }
        if let Some(alias) = alias {
            self.0.push((alias.name.clone(), columns.clone()));
        }
        let filters = !keeps_all && array_exprs.iter().all(is_stored);
        let sql = unnesting(&columns, lists.len(), *with_ordinality, keeps_all, filters);
        Some(derived(&sql, &lists.iter().collect::<Vec<_>>(), relation.clone(), &outer))
    }
}

/// `FROM UNNEST(list) WITH ORDINALITY AS t (x, n)` as a subquery, and others that DataFusion does not take alone.
fn alone(relation: &TableFactor) -> Option<TableFactor> {
    let TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } = relation else {
        return None;
    };
    let given = alias.as_ref().map_or(0, |alias| alias.columns.len());
    if !*with_ordinality && given <= array_exprs.len() && !is_of_one_field(alias.as_ref(), array_exprs) {
        return None;
    }
    let names = columns(alias.as_ref(), array_exprs, *with_ordinality);
    let lists = parts(alias.as_ref(), array_exprs, names.len() - usize::from(*with_ordinality))?;
    let items = (1..=lists.len()).map(|place| format!("unnest(arg{place})"));
    let shown = items.chain(with_ordinality.then(|| ordinals(lists.len()))).zip(&names);
    let shown = shown.map(|(item, name)| format!("{item} AS {}", quoted(name)));
    let sql = format!("SELECT {}", shown.collect::<Vec<_>>().join(", "));
    let subquery = query(&sql, &lists.iter().collect::<Vec<_>>());
    let alias = alias.as_ref().map(|alias| TableAlias { columns: Vec::new(), ..alias.clone() });
    Some(TableFactor::Derived { lateral: false, subquery, alias, sample: None })
}

/// What the columns of an `UNNEST` are called: as its alias says, else as the fields of the rows of its list, and else as nobody does.
fn columns(alias: Option<&TableAlias>, lists: &[Expr], with_ordinality: bool) -> Vec<Ident> {
    let named: Vec<Ident> = alias.iter().flat_map(|alias| &alias.columns).map(|column| column.name.clone()).collect();
    let count = lists.len() + usize::from(with_ordinality);
    if named.len() >= count {
        return named;
    }
    let known = match (alias, lists) {
        (Some(alias), [_]) if !with_ordinality => return vec![alias.name.clone()],
        (_, [list]) => fields(list),
        _ => None,
    };
    let nameless = || (1..=lists.len()).map(|place| format!("unnested_column_{place}")).collect();
    let columns = known.unwrap_or_else(nameless).into_iter().chain(with_ordinality.then(|| "ordinality".to_owned()));
    columns.map(Ident::new).collect()
}

/// As many lists as there are columns: the fields of the rows of one list, and the keys and values of a map, are a column each.
fn parts(alias: Option<&TableAlias>, lists: &[Expr], count: usize) -> Option<Vec<Expr>> {
    let is_of_one_field = is_of_one_field(alias, lists);
    match lists {
        lists if lists.len() == count && !is_of_one_field => Some(lists.to_vec()),
        [list] if count > 1 || is_of_one_field => {
            Some((1..=count).map(|place| with_arguments(&format!("item_parts(arg1, {place})"), &[list])).collect())
        }
        _ => None,
    }
}

/// Whether a column is named for a list of rows that have one field, `CAST(... AS ARRAY(ROW(id VARCHAR)))`: then it is that field.
fn is_of_one_field(alias: Option<&TableAlias>, lists: &[Expr]) -> bool {
    match lists {
        [list @ Expr::Cast { .. }] => {
            alias.is_some_and(|alias| !alias.columns.is_empty()) && fields(list).is_some_and(|names| names.len() == 1)
        }
        _ => false,
    }
}

/// Whether the four fields of a resource are called in the order of CloudTrail Lake, account, type, ARN and its prefix. Here, and in
/// Athena, which has no prefix, the ARN is the first.
fn is_of_lake(lists: &[Expr], columns: &[Ident]) -> bool {
    let is_resources = matches!(lists, [list] if last_name(list).as_deref() == Some("resources"));
    is_resources && columns[0].value.to_ascii_lowercase().starts_with("account")
}

/// The places of the items of so many lists, beside them.
fn ordinals(lists: usize) -> String {
    let lengths = (1..=lists).map(|place| format!("coalesce(CAST(cardinality(arg{place}) AS BIGINT), 0)"));
    let length = lengths.reduce(|longest, next| format!("greatest({longest}, {next})")).unwrap_or_default();
    format!("unnest(generate_series(1, {length}))")
}

/// Which table before a join has the lists that are unnested there, where their items may be columns of it: 0 is the first one,
/// and none whose rows a join before has filled with nulls.
fn owner(table: &TableWithJoins, at: usize) -> Option<usize> {
    if at == 0 {
        return Some(0);
    }
    let TableFactor::UNNEST { array_exprs, .. } = &table.joins[at].relation else { return None };
    let mut owner = None;
    let several = visit_expressions(array_exprs, |expr| {
        let first = match expr {
            Expr::Identifier(name) => name,
            Expr::CompoundIdentifier(names) => &names[0],
            _ => return ControlFlow::Continue(()),
        };
        match (place_of(table, at, first), owner) {
            (Some(place), None) => owner = Some(place),
            (Some(place), Some(known)) if place == known => {}
            _ => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    });
    let keeps = |join: &Join| {
        matches!(
            join.join_operator,
            JoinOperator::Join(_)
                | JoinOperator::Inner(_)
                | JoinOperator::CrossJoin(_)
                | JoinOperator::Left(_)
                | JoinOperator::LeftOuter(_)
        )
    };
    let is_inner =
        |join: &Join| keeps(join) && !matches!(join.join_operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_));
    let owner = owner.filter(|_| several.is_continue())?;
    let fits = (owner == 0 || is_inner(&table.joins[owner - 1])) && table.joins[owner..at].iter().all(keeps);
    fits.then_some(owner)
}

/// The one table before a join that is called so, or that has a column of that name.
fn place_of(table: &TableWithJoins, at: usize, first: &Ident) -> Option<usize> {
    let called = |place: &usize| name(relation(table, *place)).is_some_and(|name| same(&name, first));
    let mut places = (0..=at).filter(|place| has_column(relation(table, *place), first));
    (0..=at).find(called).or_else(|| places.next().filter(|_| places.next().is_none()))
}

/// Whether a table of the catalog, or what was made of one here, has the column.
fn has_column(relation: &TableFactor, column: &Ident) -> bool {
    match relation {
        TableFactor::Table { name, args: None, .. } => {
            let Some(name) = name.0.last().and_then(|part| part.as_ident()) else { return false };
            catalog::tables().any(|table| {
                table.name.eq_ignore_ascii_case(&name.value)
                    && table.columns.iter().any(|known| known.name.eq_ignore_ascii_case(&column.value))
            })
        }
        TableFactor::Derived { alias: Some(alias), .. } if !alias.columns.is_empty() => {
            alias.columns.iter().any(|named| same(&named.name, column))
        }
        TableFactor::Derived { subquery, .. } => match subquery.body.as_ref() {
            SetExpr::Select(select) => {
                let is_all = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_));
                select.projection.iter().any(is_all)
                    && select.from.iter().any(|from| has_column(&from.relation, column))
            }
            _ => false,
        },
        _ => false,
    }
}

/// The first table, or the one of the join before that place.
fn relation(table: &TableWithJoins, place: usize) -> &TableFactor {
    if place == 0 { &table.relation } else { &table.joins[place - 1].relation }
}

fn relation_mut(table: &mut TableWithJoins, place: usize) -> &mut TableFactor {
    if place == 0 { &mut table.relation } else { &mut table.joins[place - 1].relation }
}

/// `FROM t, UNNEST(...)` is what `FROM t CROSS JOIN UNNEST(...)` is.
fn join_instead_of_commas(from: &mut Vec<TableWithJoins>) {
    let mut joined: Vec<TableWithJoins> = Vec::with_capacity(from.len());
    for table in from.drain(..) {
        match joined.last_mut() {
            Some(before)
                if matches!(
                    table.relation,
                    TableFactor::UNNEST { .. } | TableFactor::Derived { lateral: true, .. }
                ) =>
            {
                let join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
                before.joins.push(Join { relation: table.relation, global: false, join_operator });
                before.joins.extend(table.joins);
            }
            _ => joined.push(table),
        }
    }
    *from = joined;
}

/// Whether rows without items are kept; `None` where the join is another.
fn keeps_all(join: &JoinOperator) -> Option<bool> {
    let always = |constraint: &JoinConstraint| match constraint {
        JoinConstraint::None => true,
        JoinConstraint::On(Expr::Value(value)) => value.value == Value::Boolean(true),
        _ => false,
    };
    match join {
        JoinOperator::CrossJoin(on) | JoinOperator::Join(on) | JoinOperator::Inner(on) if always(on) => Some(false),
        JoinOperator::Left(on) | JoinOperator::LeftOuter(on) if always(on) => Some(true),
        _ => None,
    }
}

/// What columns of a table are qualified with.
pub fn name(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table { alias: Some(alias), args: None, .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, alias: None, args: None, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

/// Whether a list has the name of a column of the archive, and is not computed.
fn is_stored(list: &Expr) -> bool {
    matches!(list, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) && fields(list).is_some()
}

/// The fields of the items of a column that is a list, in their order.
fn fields(list: &Expr) -> Option<Vec<String>> {
    let name = match list {
        Expr::Cast { data_type, .. } => return row_fields(nested(data_type)?),
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(names) => names.last()?,
        _ => return None,
    };
    let mut columns = catalog::tables().flat_map(|table| table.columns);
    columns.find_map(|column| match column.kind {
        Kind::List(fields) if column.name.eq_ignore_ascii_case(&name.value) => {
            Some(fields.iter().map(|field| field.name.to_owned()).collect())
        }
        _ => None,
    })
}

/// The query that unnests the lists `arg1`, `arg2` ... of its table side by side. Of rows without items `unnest` makes none: `filters`
/// only spares reading the rest of them, and would compute a list twice that is no column.
fn unnesting(columns: &[Ident], lists: usize, with_ordinality: bool, keeps_all: bool, filters: bool) -> String {
    let mut shown = vec!["*".to_owned()];
    let mut any = Vec::new();
    for (column, place) in columns.iter().zip(1..=lists) {
        let list = format!("arg{place}");
        // of a list that is null or empty `unnest` makes no row; its first element is a null of the right type
        let items = match keeps_all {
            true => {
                format!("CASE WHEN cardinality({list}) > 0 THEN {list} ELSE make_array(array_element({list}, 1)) END")
            }
            false => list.clone(),
        };
        shown.push(format!("unnest({items}) AS {}", quoted(column)));
        any.push(format!("cardinality({list}) > 0"));
    }
    if let (true, Some(ordinal)) = (with_ordinality, columns.last()) {
        shown.push(format!("{} AS {}", ordinals(lists), quoted(ordinal)));
    }
    let condition = if filters { any.join(" OR ") } else { "true".to_owned() };
    format!("SELECT {} FROM t WHERE {condition}", shown.join(", "))
}

/// The query with `relation` in the place of its table, as a table of that name.
fn derived(sql: &str, args: &[&Expr], relation: TableFactor, name: &Ident) -> TableFactor {
    let mut subquery = query(sql, args);
    if let SetExpr::Select(select) = subquery.body.as_mut() {
        select.from[0].relation = relation;
    }
    let alias = TableAlias { explicit: true, name: name.clone(), columns: Vec::new(), at: None };
    TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None }
}

/// The name as it is found: in lower case where it was typed without quotes.
fn quoted(name: &Ident) -> String {
    let folded = if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() };
    format!("\"{}\"", folded.replace('"', "\"\""))
}

fn same(a: &Ident, b: &Ident) -> bool {
    quoted(a) == quoted(b)
}
