//! A condition on several columns → its truth for rows of a batch, by what each of its parts says of one column's values: symbols repeat, and
//! to look up what a value says costs a fraction of asking DataFusion for each row, or for each rule.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::program::{Leaves, Program, Rows, each_symbol, is_wide};

/// What something may be, a bit for each of SQL's three truths.
type May = u8;
const TRUE: May = 1;
const FALSE: May = 2;
const NULL: May = 4;
const ANY: May = TRUE | FALSE | NULL;

fn of(truth: Option<bool>) -> May {
    match truth {
        Some(true) => TRUE,
        Some(false) => FALSE,
        None => NULL,
    }
}

/// `AND` of what two may be: by both, eight to each.
const AND: [May; 64] = both(FALSE, TRUE);
const OR: [May; 64] = both(TRUE, FALSE);

/// `AND` is false where one is, and true where both are; `OR` is the same with the two exchanged.
const fn both(strong: May, weak: May) -> [May; 64] {
    let (mut table, mut place) = ([0; 64], 0);
    while place < 64 {
        let (one, other) = (place as u8 >> 3, place as u8 & 7);
        if one != 0 && other != 0 {
            if (one | other) & strong != 0 {
                table[place] |= strong;
            }
            if one & other & weak != 0 {
                table[place] |= weak;
            }
            if one & NULL != 0 && other & (NULL | weak) != 0 || other & NULL != 0 && one & (NULL | weak) != 0 {
                table[place] |= NULL;
            }
        }
        place += 1;
    }
    table
}

/// What something becomes that is true, false, or null.
type Becomes = [May; 3];
const NOT: Becomes = [FALSE, TRUE, NULL];

/// A condition taken apart.
pub struct Truth {
    tree: Tree,
    /// Atoms that are asked of rows, those that the author wrote first in front.
    of_rows: Vec<usize>,
    /// Atoms that are asked of values.
    of_values: Vec<usize>,
}

enum Tree {
    Known(May),
    /// Of values.
    Values(usize),
    /// Of rows, by its place among those.
    Rows(usize),
    Becomes(Box<Tree>, Becomes),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    /// The second where the first is true, else the third.
    If(Box<[Tree; 3]>),
}

/// What conditions of one table are made of.
#[derive(Default)]
pub struct Atoms {
    known: HashMap<Expr, usize>,
    all: Vec<Atom>,
}

struct Atom {
    program: Program,
    /// Of a column of symbols, or of truths.
    of_values: bool,
}

/// What an atom says of each value of its column in one batch, and of none. `None` where it cannot be asked of one of them.
pub type Told = OnceCell<Option<Box<[May]>>>;

impl Atoms {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// A condition, flattened, taken apart, where that saves anything: where a part of it is on one column of values that repeat.
    pub fn take_apart(&mut self, leaves: &mut Leaves, condition: &Expr) -> Result<Option<Truth>> {
        if !is_logic(condition) || condition.column_refs().len() < 2 || !self.has_values(leaves, condition) {
            return Ok(None);
        }
        let mut truth = Truth { tree: Tree::Known(ANY), of_rows: Vec::new(), of_values: Vec::new() };
        truth.tree = self.tree(leaves, condition, &mut truth.of_rows, &mut truth.of_values)?;
        Ok(Some(truth))
    }

    /// Whether a part of it is asked of values.
    fn has_values(&self, leaves: &Leaves, expr: &Expr) -> bool {
        of_values(leaves, expr)
            || parts(expr).is_some_and(|parts| parts.iter().any(|part| self.has_values(leaves, part)))
    }

    fn tree(
        &mut self,
        leaves: &mut Leaves,
        expr: &Expr,
        of_rows: &mut Vec<usize>,
        of_each: &mut Vec<usize>,
    ) -> Result<Tree> {
        if let Expr::Literal(ScalarValue::Boolean(truth), _) = expr {
            return Ok(Tree::Known(of(*truth)));
        }
        let is_of_values = of_values(leaves, expr);
        if is_of_values || parts(expr).is_none() {
            let atom = self.ask(leaves, expr, is_of_values)?;
            if is_of_values {
                of_each.push(atom);
                return Ok(Tree::Values(atom));
            }
            let known = of_rows.iter().position(|known| *known == atom);
            return Ok(Tree::Rows(known.unwrap_or_else(|| {
                of_rows.push(atom);
                of_rows.len() - 1
            })));
        }
        let mut part = |expr: &Expr| self.tree(leaves, expr, of_rows, of_each);
        let mut becomes = |expr: &Expr, becomes: Becomes| Ok(Tree::Becomes(Box::new(part(expr)?), becomes));
        match expr {
            Expr::Not(inner) => becomes(inner, NOT),
            Expr::IsTrue(inner) => becomes(inner, [TRUE, FALSE, FALSE]),
            Expr::IsNotTrue(inner) => becomes(inner, [FALSE, TRUE, TRUE]),
            Expr::IsFalse(inner) => becomes(inner, [FALSE, TRUE, FALSE]),
            Expr::IsNotFalse(inner) => becomes(inner, [TRUE, FALSE, TRUE]),
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => becomes(inner, [FALSE, FALSE, TRUE]),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => becomes(inner, [TRUE, TRUE, FALSE]),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let (left, right) = (Box::new(part(left)?), Box::new(part(right)?));
                Ok(if *op == Operator::And { Tree::And(left, right) } else { Tree::Or(left, right) })
            }
            Expr::Case(case) => {
                let mut rest = match &case.else_expr {
                    Some(rest) => part(rest)?,
                    None => Tree::Known(NULL),
                };
                for (when, then) in case.when_then_expr.iter().rev() {
                    // what DataFusion makes of `coalesce`
                    rest = match (&**when, rest) {
                        (Expr::IsNotNull(inner), Tree::Known(other)) if inner == then => {
                            Tree::Becomes(Box::new(part(then)?), [TRUE, FALSE, other])
                        }
                        (when, rest) => Tree::If(Box::new([part(when)?, part(then)?, rest])),
                    };
                }
                Ok(rest)
            }
            _ => unreachable!("it has parts"),
        }
    }

    fn ask(&mut self, leaves: &mut Leaves, expr: &Expr, of_values: bool) -> Result<usize> {
        if let Some(known) = self.known.get(expr) {
            return Ok(*known);
        }
        self.all.push(Atom { program: Program::new(leaves, std::slice::from_ref(expr))?, of_values });
        self.known.insert(expr.clone(), self.all.len() - 1);
        Ok(self.all.len() - 1)
    }
}

/// Whether it reads one column, of symbols or of truths.
fn of_values(leaves: &Leaves, expr: &Expr) -> bool {
    let columns = expr.column_refs();
    let mut columns = columns.iter();
    match (columns.next(), columns.next()) {
        (Some(column), None) => leaves.is_dictionary(&column.name) || leaves.is_truth(&column.name),
        _ => false,
    }
}

/// The conditions that a condition is made of; `None` where it is made of none.
fn parts(expr: &Expr) -> Option<Vec<&Expr>> {
    Some(match expr {
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner) => vec![inner],
        Expr::IsNull(inner) | Expr::IsNotNull(inner) if is_logic(inner) => vec![inner],
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, right }) => vec![left, right],
        Expr::Case(case) if case.expr.is_none() && is_logic(expr) => {
            let pairs = case.when_then_expr.iter().flat_map(|(when, then)| [&**when, &**then]);
            pairs.chain(case.else_expr.as_deref()).collect()
        }
        _ => return None,
    })
}

/// Whether it is a condition, as far as its outermost words say.
fn is_logic(expr: &Expr) -> bool {
    match expr {
        Expr::Not(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsNotTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsNotFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotUnknown(_)
        | Expr::Like(_)
        | Expr::InList(_)
        | Expr::Between(_)
        | Expr::Literal(ScalarValue::Boolean(_), _) => true,
        // the second are comparisons
        Expr::BinaryExpr(BinaryExpr { op, .. }) => op.is_logic_operator() || op.supports_propagation(),
        Expr::Case(case) => {
            let thens = case.when_then_expr.iter().map(|(_, then)| &**then);
            thens.chain(case.else_expr.as_deref()).all(is_logic)
        }
        _ => false,
    }
}

/// One batch, while conditions are asked of it.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    pub atoms: &'a Atoms,
    /// The leaves.
    pub arrays: &'a [ArrayRef],
    /// As many as there are atoms.
    pub told: &'a [Told],
}

impl Truth {
    /// Whether it is true, false or null for each of some rows. `None` where the values of these few are too many to ask all of them.
    ///
    /// # Errors
    /// When a part fails on a row for which the others leave open what the whole is.
    pub fn of(&self, asking: Asking, rows: Rows) -> Option<Result<BooleanArray>> {
        let is_few =
            |atom: &usize| asking.told[*atom].get().is_some() || !is_wide(asking.values_len(*atom), rows.len());
        if !self.of_values.iter().all(is_few) || self.of_values.iter().any(|atom| asking.told(*atom).is_none()) {
            return None;
        }
        Some(self.decide(asking, rows))
    }

    fn decide(&self, asking: Asking, rows: Rows) -> Result<BooleanArray> {
        let mut found = self.tree.of(asking, rows, &[]);
        // of each atom of rows, what it says of those that were still open
        let mut said: Vec<Vec<May>> = Vec::new();
        for atom in &self.of_rows {
            let open: Vec<usize> = (0..found.len()).filter(|place| found[*place].count_ones() > 1).collect();
            if open.is_empty() {
                break;
            }
            let these: Vec<u32> = open.iter().map(|place| rows.row(*place)).collect();
            let truth = asking.atoms.all[*atom].program.run(asking.arrays, Rows::These(&these))?.remove(0);
            let truth = truth.as_boolean();
            let mut all = vec![ANY; found.len()];
            open.iter().zip(truth.iter()).for_each(|(place, truth)| all[*place] = of(truth));
            said.push(all);
            let of_open: Vec<Vec<May>> =
                said.iter().map(|all| open.iter().map(|place| all[*place]).collect()).collect();
            let now = self.tree.of(asking, Rows::These(&these), &of_open);
            open.into_iter().zip(now).for_each(|(place, now)| found[place] = now);
        }
        Ok(found.into_iter().map(|may| (may != NULL).then_some(may == TRUE)).collect())
    }
}

impl Tree {
    /// What it may be for each of some rows; of the atoms of rows as many are known as are `said`.
    fn of(&self, asking: Asking, rows: Rows, said: &[Vec<May>]) -> Vec<May> {
        match self {
            Tree::Known(may) => vec![*may; rows.len()],
            Tree::Values(atom) => asking.of_rows(*atom, rows),
            Tree::Rows(place) => said.get(*place).cloned().unwrap_or_else(|| vec![ANY; rows.len()]),
            Tree::Becomes(inner, becomes) => {
                let bit = |may: usize, bit: usize| if may >> bit & 1 == 1 { becomes[bit] } else { 0 };
                let table: [May; 8] = std::array::from_fn(|may| bit(may, 0) | bit(may, 1) | bit(may, 2));
                let mut all = inner.of(asking, rows, said);
                all.iter_mut().for_each(|may| *may = table[usize::from(*may & ANY)]);
                all
            }
            Tree::And(left, right) => pairs(&AND, left.of(asking, rows, said), &right.of(asking, rows, said)),
            Tree::Or(left, right) => pairs(&OR, left.of(asking, rows, said), &right.of(asking, rows, said)),
            Tree::If(parts) => {
                let [when, then, other] = parts.each_ref().map(|part| part.of(asking, rows, said));
                let one = |((when, then), other): ((May, May), May)| {
                    let yes = if when & TRUE != 0 { then } else { 0 };
                    let no = if when & (FALSE | NULL) != 0 { other } else { 0 };
                    yes | no
                };
                when.into_iter().zip(then).zip(other).map(one).collect()
            }
        }
    }
}

fn pairs(table: &[May; 64], mut left: Vec<May>, right: &[May]) -> Vec<May> {
    for (left, right) in left.iter_mut().zip(right) {
        *left = table[usize::from((*left & ANY) << 3 | (*right & ANY))];
    }
    left
}

impl Asking<'_> {
    fn column(&self, atom: usize) -> &ArrayRef {
        &self.arrays[self.atoms.all[atom].program.reads[0]]
    }

    fn values_len(&self, atom: usize) -> usize {
        self.column(atom).as_any_dictionary_opt().map_or(2, |symbols| symbols.values().len())
    }

    /// What an atom says of each value of its column, and of none.
    fn told(&self, atom: usize) -> Option<&[May]> {
        let ask = || {
            let Atom { program, of_values } = &self.atoms.all[atom];
            debug_assert!(of_values);
            let column = self.column(atom);
            let values: ArrayRef = match column.data_type() {
                DataType::Boolean => Arc::new(BooleanArray::from(vec![Some(false), Some(true), None])),
                _ => each_symbol(column)?,
            };
            let count = values.len();
            let truth = program.run_on(vec![values], count).ok()?.remove(0);
            Some(truth.as_boolean_opt()?.iter().map(of).collect())
        };
        self.told[atom].get_or_init(ask).as_deref()
    }

    fn of_rows(&self, atom: usize, rows: Rows) -> Vec<May> {
        let told = self.told(atom).expect("it was asked before");
        let none = told.len() - 1;
        let column = self.column(atom);
        let code: &dyn Fn(usize) -> usize = &|row: usize| match column.data_type() {
            DataType::Boolean => usize::from(column.as_boolean().value(row)),
            _ => column.as_dictionary::<Int32Type>().keys().values()[row] as usize,
        };
        let nulls = column.nulls();
        if let (DataType::Dictionary(..), None) = (column.data_type(), nulls) {
            let codes = &column.as_dictionary::<Int32Type>().keys().values()[..];
            return match rows {
                Rows::All(_) => codes.iter().map(|code| told[*code as usize]).collect(),
                Rows::These(rows) => rows.iter().map(|row| told[codes[*row as usize] as usize]).collect(),
            };
        }
        let may = |row: usize| if nulls.is_some_and(|nulls| nulls.is_null(row)) { told[none] } else { told[code(row)] };
        match rows {
            Rows::All(count) => (0..count).map(may).collect(),
            Rows::These(rows) => rows.iter().map(|row| may(*row as usize)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::detect::compile::only_statement;
    use crate::detect::query;
    use crate::detect::reference::References;
    use crate::detect::session;
    use crate::detect::tests::{batch, changed, event, rule};
    use crate::logs::cloudtrail::CLOUDTRAIL;

    fn condition() -> impl Strategy<Value = String> {
        let atoms = [
            "eventName = 'A'",
            "eventName IN ('A', 'B')",
            "errorCode IS NULL",
            "errorCode <> 'D'",
            "readOnly",
            "managementEvent",
            "regexp_like(userAgent, '(?i)x')",
            "userAgent NOT LIKE 'x%'",
            "coalesce(userAgent, '') LIKE '%y'",
            "coalesce(errorCode, eventName) = 'A'",
            "requestParameters ->> 'k' = 'v'",
            "requestParameters ->> 'k' IS NOT NULL",
            "userIdentity.accountId <> recipientAccountId",
        ];
        prop::sample::select(atoms.to_vec()).prop_map(str::to_owned).prop_recursive(5, 24, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            prop_oneof![
                two.clone().prop_map(|(a, b)| format!("({a} AND {b})")),
                two.clone().prop_map(|(a, b)| format!("({a} OR {b})")),
                (
                    inner.clone(),
                    prop::sample::select(vec!["TRUE", "FALSE", "NULL", "NOT TRUE", "NOT FALSE", "NOT NULL"])
                )
                    .prop_map(|(a, is)| format!("(({a}) IS {is})")),
                inner.clone().prop_map(|a| format!("(NOT {a})")),
                (inner.clone(), any::<bool>()).prop_map(|(a, other)| format!("coalesce({a}, {other})")),
                two.prop_map(|(a, b)| format!("(CASE WHEN {a} THEN {b} END)")),
                (inner.clone(), inner.clone(), inner)
                    .prop_map(|(a, b, c)| format!("(CASE WHEN {a} THEN {b} ELSE {c} END)")),
            ]
        })
    }

    fn call() -> impl Strategy<Value = Value> {
        let one_of = |values: [Value; 3]| prop::sample::select(values.to_vec());
        let names = (one_of(["A", "B", "C"].map(Value::from)), one_of([Value::Null, "D".into(), "A".into()]));
        let truths =
            (one_of([Value::Null, true.into(), false.into()]), one_of([Value::Null, true.into(), false.into()]));
        let agents = one_of([Value::Null, "xy".into(), "yX".into()]);
        let parameters = one_of([Value::Null, json!({ "k": "v" }), json!({ "k": 1 })]);
        let accounts = one_of([Value::Null, "111122223333".into(), "444455556666".into()]);
        (names, truths, agents, parameters, accounts).prop_map(|((name, error), (reads, manages), agent, parameters, account)| {
            let changes = json!({
                "eventName": name, "errorCode": error, "readOnly": reads, "managementEvent": manages, "userAgent": agent,
                "requestParameters": parameters, "userIdentity": { "type": "IAMUser", "accountId": account },
            });
            changed(event("x", "e"), changes)
        })
    }

    proptest! {
        #[test]
        fn a_condition_taken_apart_says_what_it_says_whole(
            sql in condition(),
            calls in prop::collection::vec(call(), 1..40),
            which in prop::collection::vec(any::<prop::sample::Index>(), 1..10),
        ) {
            let rows = batch(&calls);
            let state = session::planner(&[&CLOUDTRAIL], &References::default());
            let mut leaves = Leaves::new(&CLOUDTRAIL);
            let text = rule("", &format!("SELECT eventID FROM cloudtrail WHERE {sql}")).text;
            let query = query::take_apart(&state, &leaves, only_statement(&text));
            // one that can be decided without a row has no filter
            let Ok(query) = query else { return Ok(()) };
            let mut atoms = Atoms::default();
            let truth = atoms.take_apart(&mut leaves, &query.condition).unwrap();
            let whole = Program::new(&mut leaves, std::slice::from_ref(&query.condition)).unwrap();
            let Some(truth) = truth else { return Ok(()) };
            let (arrays, told) = (leaves.arrays(&rows), Vec::from_iter((0..atoms.len()).map(|_| Told::default())));
            let asking = Asking { atoms: &atoms, arrays: &arrays, told: &told };
            let some: Vec<u32> = which.iter().map(|which| which.index(calls.len()) as u32).collect();
            for rows in [Rows::These(&some), Rows::All(calls.len())] {
                let found = truth.of(asking, rows).expect("there are few values").unwrap();
                let expected = whole.run(&arrays, rows).unwrap().remove(0);
                prop_assert_eq!(&found, expected.as_boolean(), "{}", sql);
            }
        }
    }

    #[test]
    fn what_a_value_decides_asks_no_row_and_fails_on_none() {
        let state = session::planner(&[&CLOUDTRAIL], &References::default());
        let mut leaves = Leaves::new(&CLOUDTRAIL);
        let sql = "SELECT eventID FROM cloudtrail WHERE eventName = 'A' OR CAST(requestParameters ->> 'k' AS INT) > 3";
        let query = query::take_apart(&state, &leaves, only_statement(&rule("", sql).text)).unwrap();
        let mut atoms = Atoms::default();
        let truth = atoms.take_apart(&mut leaves, &query.condition).unwrap().unwrap();
        let call = |name: &str, k: &str| changed(event(name, "e"), json!({ "requestParameters": { "k": k } }));
        let rows = batch(&[call("A", "no number"), call("B", "4"), call("B", "3"), call("B", "none either")]);
        let (arrays, told) = (leaves.arrays(&rows), Vec::from_iter((0..atoms.len()).map(|_| Told::default())));
        let asking = Asking { atoms: &atoms, arrays: &arrays, told: &told };
        let some = |rows: &[u32]| truth.of(asking, Rows::These(rows)).unwrap();
        assert_eq!(some(&[0, 1, 2]).unwrap(), BooleanArray::from(vec![true, true, false]));
        assert!(some(&[0, 3]).is_err());
    }
}
