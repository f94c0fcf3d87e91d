//! Logical expressions over a table → programs that run on the rows of a batch, reading only the columns they need.

use std::cell::{Cell, OnceCell};
use std::ops::Index;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use datafusion::physical_expr::expressions::{BinaryExpr, IsNotNullExpr, lit};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::alike::Alike;
use super::joined::Joined;
use super::plan::absent::where_present;
use super::plan::item::field_of_item;
use super::plan::place::is_json;
use super::plan::regex::compile_once;
use super::plan::words::meaning;
use crate::table::{Batch, Table};

/// A column that some rule reads: of the table, or of a struct in it.
pub struct Leaf {
    /// Names from the table down, joined by dots: `useridentity.type`.
    pub path: String,
    /// The same as positions.
    steps: Vec<usize>,
    pub data_type: DataType,
    /// Its values may be few: it is no JSON, and no id of a row.
    repeats: bool,
}

/// The columns of one table that its rules read.
pub struct Leaves {
    pub table: &'static Table,
    schema: SchemaRef,
    pub all: Vec<Leaf>,
}

impl Leaves {
    pub fn new(table: &'static Table) -> Leaves {
        Leaves { table, schema: table.schema(), all: Vec::new() }
    }

    /// Rewrites an expression so that each field of a struct is a column of its own, named by its path, regular
    /// expressions are compiled, and words are what they stand for.
    pub fn flatten(&self, expr: Expr) -> Result<Expr> {
        let flat = expr.transform_up(|expr| {
            Ok(match expr {
                Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
                Expr::Alias(alias) => Transformed::yes(*alias.expr),
                Expr::ScalarFunction(call) => Transformed::yes(if let Some(path) = self.field_path(&call) {
                    Expr::Column(Column::new_unqualified(path))
                } else if let Some(meaning) = meaning(&call) {
                    meaning
                } else if let Some(field) = field_of_item(&call, |path| Some(self.resolve(path)?.1)) {
                    field
                } else {
                    where_present(compile_once(Expr::ScalarFunction(call))).data
                }),
                other => Transformed::yes(compile_once(other)),
            })
        })?;
        Ok(flat.data)
    }

    /// The path that a `get_field` call reads, when all of it leads through structs.
    fn field_path(&self, call: &ScalarFunction) -> Option<String> {
        let (Expr::Column(base), names) = (call.args.first()?, &call.args[1..]) else { return None };
        if call.func.name() != "get_field" {
            return None;
        }
        let mut path = base.name.clone();
        for name in names {
            let Expr::Literal(name, _) = name else { return None };
            path.push('.');
            path.push_str(name.try_as_str().flatten()?);
        }
        self.resolve(&path).map(|_| path)
    }

    /// Whether the column at a path is a dictionary.
    pub fn is_dictionary(&self, path: &str) -> bool {
        self.resolve(path).is_some_and(|(_, data_type)| matches!(data_type, DataType::Dictionary(..)))
    }

    fn resolve(&self, path: &str) -> Option<(Vec<usize>, DataType)> {
        let mut fields = self.schema.fields();
        let mut steps = Vec::new();
        let mut names = path.split('.').peekable();
        loop {
            let (step, field) = fields.find(names.next()?)?;
            steps.push(step);
            match (names.peek(), field.data_type()) {
                (None, data_type) => return Some((steps, data_type.clone())),
                (Some(_), DataType::Struct(inner)) => fields = inner,
                (Some(_), _) => return None,
            }
        }
    }

    /// Positions, in `all`, of the columns that flattened expressions read, in rising order.
    fn read_by(&mut self, exprs: &[Expr]) -> Vec<usize> {
        let mut read: Vec<usize> = Vec::new();
        for column in exprs.iter().flat_map(Expr::column_refs) {
            let known = self.all.iter().position(|leaf| leaf.path == column.name);
            read.push(known.unwrap_or_else(|| {
                let (steps, data_type) = self.resolve(&column.name).expect("the planner resolved this column");
                let repeats = !is_json(self.table, &column.name) && self.table.id != Some(&column.name);
                self.all.push(Leaf { path: column.name.clone(), steps, data_type, repeats });
                self.all.len() - 1
            }));
        }
        read.sort_unstable();
        read.dedup();
        read
    }

    /// A column of a batch.
    fn of(&self, leaf: usize, batch: &Batch) -> ArrayRef {
        let steps = &self.all[leaf].steps;
        let top = batch.rows.column(steps[0]).clone();
        // a struct that is null has null fields: the builders of `logs` see to it, as SQL's get_field expects
        steps[1..].iter().fold(top, |array, step| array.as_struct().column(*step).clone())
    }

    /// The columns of a batch, in the order of `all`.
    pub fn arrays<'a>(&'a self, batch: &'a Batch) -> Arrays<'a> {
        self.joined(batch.into())
    }

    /// The same of several batches.
    pub fn joined<'a>(&'a self, batches: Joined<'a>) -> Arrays<'a> {
        Arrays { leaves: self, batches, made: std::iter::repeat_with(Made::default).take(self.all.len()).collect() }
    }
}

/// The columns that rules read of one batch, or of several as if they were one: each is put together when it is first asked for.
pub struct Arrays<'a> {
    leaves: &'a Leaves,
    batches: Joined<'a>,
    made: Vec<Made>,
}

#[derive(Default)]
struct Made {
    array: OnceCell<ArrayRef>,
    alike: OnceCell<Option<Alike>>,
    /// Rows that were taken of it until it is put together.
    taken: Cell<usize>,
}

/// A column is put together once one in so many of its rows has been asked for: most of what findings show is asked of a few rows.
const TAKEN_PART: usize = 8;

impl Arrays<'_> {
    /// Rows of all columns.
    pub fn rows(&self) -> usize {
        self.batches.rows
    }

    /// Which rows have the same text; `None` where the column's texts do not repeat.
    ///
    /// # Panics
    /// When it is no column of texts.
    pub fn alike(&self, leaf: usize) -> Option<&Alike> {
        self.made[leaf].alike.get_or_init(|| Alike::of(self[leaf].as_string_view())).as_ref()
    }

    /// Some rows of a column, in their order.
    fn take(&self, leaf: usize, rows: &UInt32Array) -> Result<ArrayRef> {
        let Made { array, taken, .. } = &self.made[leaf];
        if array.get().is_none() && self.batches.are_several() {
            taken.set(taken.get() + rows.len());
            if taken.get() * TAKEN_PART <= self.rows() {
                return self.batches.take(|batch| self.leaves.of(leaf, batch), rows.values());
            }
        }
        let column = take(&self[leaf], rows, None)?;
        let is_wide = |values: usize| values > WIDE_MIN + rows.len() * WIDE_PART;
        match column.as_any_dictionary_opt() {
            Some(symbols) if is_wide(symbols.values().len()) => own_values(&column),
            _ => Ok(column),
        }
    }
}

impl Index<usize> for Arrays<'_> {
    type Output = ArrayRef;

    fn index(&self, leaf: usize) -> &ArrayRef {
        self.made[leaf].array.get_or_init(|| self.batches.column(|batch| self.leaves.of(leaf, batch)))
    }
}

/// Which rows to compute.
#[derive(Clone, Copy)]
pub enum Rows<'a> {
    All(usize),
    These(&'a [u32]),
}

impl Rows<'_> {
    pub fn len(&self) -> usize {
        match self {
            Rows::All(count) => *count,
            Rows::These(rows) => rows.len(),
        }
    }
}

/// The physical form of a planned expression over these columns. Integers whose sum, difference or product is none of their type are an
/// error, as in `weir sql`: DataFusion goes on from the other end of the range. What it makes of `coalesce(x, false)`, which is
/// `x IS NOT NULL AND x`, asks `x` once, not twice; and not four times where another such is in `x`.
pub fn physical(expr: &Expr, columns: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    // without options each function that is called makes itself all of them: a third of what compiled rules hold
    static PROPS: LazyLock<ExecutionProps> = LazyLock::new(|| {
        let mut props = ExecutionProps::new();
        props.config_options = Some(Arc::default());
        props
    });
    let expr = create_physical_expr(expr, columns, &PROPS, &PhysicalPlanningContext::default())?;
    let checked = expr.transform_up(|expr| {
        Ok(match expr.downcast_ref::<BinaryExpr>() {
            Some(binary) if matches!(binary.op(), Operator::Plus | Operator::Minus | Operator::Multiply) => {
                Transformed::yes(Arc::new(binary.clone().with_fail_on_overflow(true)) as Arc<dyn PhysicalExpr>)
            }
            Some(binary) if is_truth(binary) => {
                let (truth, never_distinct) = (binary.right().clone(), Operator::IsNotDistinctFrom);
                Transformed::yes(Arc::new(BinaryExpr::new(truth, never_distinct, lit(true))) as Arc<dyn PhysicalExpr>)
            }
            _ => Transformed::no(expr),
        })
    });
    Ok(checked?.data)
}

/// Whether it is `x IS NOT NULL AND x`.
fn is_truth(binary: &BinaryExpr) -> bool {
    let is_there = binary.left().downcast_ref::<IsNotNullExpr>();
    *binary.op() == Operator::And && is_there.is_some_and(|is_there| is_there.arg() == binary.right())
}

/// Physical expressions over the few columns that they read.
pub struct Program {
    /// Positions in [`Leaves::all`].
    pub reads: Vec<usize>,
    /// Rows can be told apart by all that it reads, see [`super::tuples`]: it may be run on one of all rows that are alike.
    pub coded: bool,
    schema: SchemaRef,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
}

impl Program {
    /// `exprs` are flattened.
    pub fn new(leaves: &mut Leaves, exprs: &[Expr]) -> Result<Program> {
        let reads = leaves.read_by(exprs);
        let field = |leaf: &usize| Field::new(&leaves.all[*leaf].path, leaves.all[*leaf].data_type.clone(), true);
        let schema = Arc::new(Schema::new(reads.iter().map(field).collect::<Vec<_>>()));
        let names = DFSchema::try_from(schema.clone())?;
        let coded = !reads.is_empty() && reads.iter().all(|leaf| is_coded(&leaves.all[*leaf], exprs));
        let exprs = exprs.iter().map(|expr| physical(expr, &names)).collect::<Result<_>>()?;
        Ok(Program { reads, coded, exprs, schema })
    }

    /// One array for each expression, with a value for each of `rows`, in their order.
    pub fn run(&self, arrays: &Arrays, rows: Rows) -> Result<Vec<ArrayRef>> {
        let columns: Vec<ArrayRef> = match rows {
            Rows::All(_) => self.reads.iter().map(|leaf| arrays[*leaf].clone()).collect(),
            Rows::These(rows) => {
                let rows = UInt32Array::from(rows.to_vec());
                let columns = self.reads.iter().map(|leaf| arrays.take(*leaf, &rows)).collect::<Result<Vec<_>>>()?;
                // an expression is asked of every value of a dictionary, and may fail on one that none of these rows has
                return self
                    .run_on(columns.clone(), rows.len())
                    .or_else(|_| self.run_on(columns.iter().map(own_values).collect::<Result<_>>()?, rows.len()));
            }
        };
        self.run_on(columns, rows.len())
    }

    /// The same over the very columns that the program reads.
    pub fn run_on(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<Vec<ArrayRef>> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        self.exprs.iter().map(|expr| expr.evaluate(&batch)?.into_array(rows)).collect()
    }
}

/// Whether rows are told apart by what expressions read of a column: a symbol, a text that may repeat, a truth, or whether there is a struct.
fn is_coded(leaf: &Leaf, exprs: &[Expr]) -> bool {
    match &leaf.data_type {
        DataType::Dictionary(key, _) => **key == DataType::Int32,
        DataType::Utf8View => leaf.repeats,
        DataType::Boolean => true,
        DataType::Struct(_) => {
            let is_it = |expr: &Expr| matches!(expr, Expr::Column(column) if column.name == leaf.path);
            let (mut read, mut asked) = (0, 0);
            for expr in exprs {
                let counted = expr.apply(|expr| {
                    read += usize::from(is_it(expr));
                    asked += usize::from(matches!(expr, Expr::IsNull(of) | Expr::IsNotNull(of) if is_it(of)));
                    Ok(TreeNodeRecursion::Continue)
                });
                counted.expect("counting does not fail");
            }
            read == asked
        }
        _ => false,
    }
}

/// An expression is asked of every value of a dictionary. With more values than so many, and so many to each row that it is asked for,
/// those that rows have are gathered first.
const WIDE_MIN: usize = 64;
const WIDE_PART: usize = 8;

/// The same column, its dictionary without values that no row has.
fn own_values(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Dictionary(_, value) => cast(&cast(column, value)?, column.data_type())?,
        _ => column.clone(),
    })
}

/// The type that a flattened expression has.
pub fn type_of(leaves: &mut Leaves, expr: &Expr) -> Result<DataType> {
    let program = Program::new(leaves, std::slice::from_ref(expr))?;
    expr.get_type(&DFSchema::try_from(program.schema)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::detect::plan::planner::only_statement;
    use crate::detect::plan::query::take_apart;
    use crate::detect::reference::References;
    use crate::detect::session;
    use crate::detect::tests::{batch, changed, event};
    use crate::logs::cloudtrail::CLOUDTRAIL;

    #[test]
    fn what_is_false_where_it_is_not_known_is_asked_once() {
        let mut leaves = Leaves::new(&CLOUDTRAIL);
        let state = session::planner(&[&CLOUDTRAIL], &References::default());
        let sql = "SELECT coalesce(coalesce(eventName = 'a', false) OR userAgent LIKE 'x%', false) FROM cloudtrail WHERE true";
        let item = take_apart(&state, &leaves, only_statement(sql)).unwrap().items.remove(0).1;
        let program = Program::new(&mut leaves, &[item]).unwrap();
        let text = program.exprs[0].to_string();
        assert_eq!((text.matches("eventname").count(), text.matches("useragent").count()), (1, 1), "{text}");
        let call = |name: Option<&str>, agent: Option<&str>| {
            changed(event("x", "e"), json!({ "eventName": name, "userAgent": agent }))
        };
        let calls = [
            call(Some("a"), None),
            call(Some("b"), None),
            call(None, None),
            call(None, Some("xy")),
            call(Some("b"), Some("y")),
        ];
        let batch = batch(&calls);
        let found = program.run(&leaves.arrays(&batch), Rows::All(calls.len())).unwrap().remove(0);
        let found: Vec<Option<bool>> = found.as_boolean().iter().collect();
        assert_eq!(found, [true, false, false, true, false].map(Some));
    }
}
