//! Groups and partitions by columns whose values repeat, and counts of their different values → the same by numbers that stand for these
//! values, which are texts again above.
//!
//! DataFusion 55 makes bytes of the texts of each row, and compares or sorts these; a number is looked up once for each value of a batch.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type, UInt32Type};
use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, Window,
};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use hashbrown::HashMap;

use super::per_value::symbols;

/// To be asked last: of a number the other rules do not know that it is a column.
#[derive(Debug)]
pub struct Numbered;

impl OptimizerRule for Numbered {
    fn name(&self) -> &str {
        "numbered"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let numbers = Arc::new(Numbers::default());
        let ask = |plan: LogicalPlan| match ends_early(&plan) {
            true => Ok(Transformed::new(plan, false, TreeNodeRecursion::Jump)),
            false => Ok(Transformed::no(plan)),
        };
        plan.transform_down_up_with_subqueries(ask, |plan| match plan {
            LogicalPlan::Aggregate(aggregate) => by_number(aggregate, &numbers),
            LogicalPlan::Window(window) => parted_by_number(window, &numbers, config.alias_generator()),
            other => Ok(Transformed::no(other)),
        })
    }
}

/// `SELECT DISTINCT column ... LIMIT 10` reads no more than it needs, but of numbers, which are computed: all rows.
fn ends_early(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Limit(limit) = plan else { return false };
    matches!(limit.input.as_ref(), LogicalPlan::Aggregate(aggregate) if aggregate.aggr_expr.is_empty())
}

fn number_of(numbers: &Arc<Numbers>) -> ScalarUDF {
    ScalarUDF::new_from_impl(NumberOf { numbers: numbers.clone(), signature: any() })
}

/// In which order the partitions come does not matter.
fn parted_by_number(
    window: Window,
    numbers: &Arc<Numbers>,
    names: &AliasGenerator,
) -> Result<Transformed<LogicalPlan>> {
    let (of, number) = (window.input.schema().clone(), number_of(numbers));
    let mut computed: Vec<(Expr, String)> = Vec::new();
    let functions = window.window_expr.iter().cloned().map(|function| {
        let name = NamePreserver::new_for_projection().save(&function);
        let mut function = function.unalias();
        let Expr::WindowFunction(call) = &mut function else { return name.restore(function) };
        for key in call.params.partition_by.iter_mut().filter(|key| repeats(key, &of)) {
            let expr = number.call(vec![key.clone().unalias()]);
            let known = computed.iter().find(|(known, _)| *known == expr).map(|(_, name)| name.clone());
            let name = known.unwrap_or_else(|| {
                let name = names.next("__number");
                computed.push((expr, name.clone()));
                name
            });
            *key = Expr::Column(Column::new_unqualified(name));
        }
        name.restore(function)
    });
    let functions: Vec<Expr> = functions.collect();
    if computed.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Window(window)));
    }
    let Window { input, schema, .. } = window;
    let columns = |schema: &DFSchema| schema.columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
    let computed = computed.into_iter().map(|(expr, name)| expr.alias(name));
    let below = Projection::try_new(columns(&of).into_iter().chain(computed).collect(), input)?;
    let asked = Window::try_new(functions, Arc::new(LogicalPlan::Projection(below)))?;
    let shown = Projection::try_new(columns(&schema), Arc::new(LogicalPlan::Window(asked)))?;
    Ok(Transformed::yes(LogicalPlan::Projection(shown)))
}

fn by_number(aggregate: Aggregate, numbers: &Arc<Numbers>) -> Result<Transformed<LogicalPlan>> {
    let (of, number) = (aggregate.input.schema().clone(), number_of(numbers));
    let key = |expr: Expr| key_by_number(expr, &of, &number);
    let keys: Vec<_> = aggregate.group_expr.iter().cloned().map(key).collect::<Result<_>>()?;
    let names = NamePreserver::new_for_projection();
    let mut counted = |function: Expr| {
        let name = names.save(&function);
        counted_by_number(function, &of, &number).update_data(|function| name.restore(function))
    };
    let functions: Vec<_> = aggregate.aggr_expr.iter().cloned().map(&mut counted).collect();
    if !keys.iter().any(|key| key.transformed) && !functions.iter().any(|function| function.transformed) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let keys = keys.into_iter().map(|key| key.data).collect();
    let functions = functions.into_iter().map(|function| function.data).collect();
    let numbered = Aggregate::try_new(aggregate.input, keys, functions)?;
    let text = ScalarUDF::new_from_impl(TextOf { numbers: numbers.clone(), signature: any() });
    let shown = aggregate.schema.iter().zip(numbered.schema.iter()).map(|((qualifier, field), (other, found))| {
        let column = Expr::Column(Column::from((other, found)));
        let is_number = field.data_type() != found.data_type();
        let value = if is_number { text.call(vec![column]) } else { column };
        let has_name = !is_number && qualifier == other && field.name() == found.name();
        if has_name { value } else { value.alias_qualified(qualifier.cloned(), field.name()) }
    });
    let shown = shown.collect();
    let plan = Projection::try_new(shown, Arc::new(LogicalPlan::Aggregate(numbered)))?;
    Ok(Transformed::yes(LogicalPlan::Projection(plan)))
}

fn key_by_number(expr: Expr, of: &DFSchema, number: &ScalarUDF) -> Result<Transformed<Expr>> {
    match expr {
        Expr::GroupingSet(_) => expr.map_children(|part| key_by_number(part, of, number)),
        expr if repeats(&expr, of) => Ok(Transformed::yes(number.call(vec![expr.unalias()]))),
        expr => Ok(Transformed::no(expr)),
    }
}

/// `count(DISTINCT column)` of numbers; anything else as it is.
fn counted_by_number(function: Expr, of: &DFSchema, number: &ScalarUDF) -> Transformed<Expr> {
    let Expr::AggregateFunction(mut call) = function.clone().unalias() else { return Transformed::no(function) };
    let params = &mut call.params;
    match params.args.as_slice() {
        [arg] if call.func.name() == "count" && params.distinct && repeats(arg, of) => {
            params.args = vec![number.call(vec![arg.clone()])];
            Transformed::yes(Expr::AggregateFunction(call))
        }
        _ => Transformed::no(function),
    }
}

/// Whether it is a column whose values repeat, or computed to be like one.
fn repeats(expr: &Expr, of: &DFSchema) -> bool {
    expr.get_type(of).is_ok_and(|kind| kind == symbols())
}

fn any() -> Signature {
    Signature::any(1, Volatility::Immutable)
}

/// The field of what there is for each value of the argument, and for none of its nulls: plans above know of `coalesce(errorCode, 'none')` that
/// it is never null.
fn of_each(args: &ReturnFieldArgs, name: &str, kind: DataType) -> FieldRef {
    Arc::new(Field::new(name, kind, args.arg_fields[0].is_nullable()))
}

/// Texts of a query, and the numbers that they have in it. They are kept to its end, each once.
#[derive(Debug, Default)]
struct Numbers(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    of_text: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Known {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.of_text.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer texts than fit in memory");
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.of_text.insert(text, number);
        number
    }
}

impl Numbers {
    /// The number of each row's text, and none where there is no text.
    fn of(&self, column: &DictionaryArray<Int32Type>) -> UInt32Array {
        const UNSEEN: u32 = u32::MAX;
        let (keys, values) = (column.keys(), column.values().as_string::<i32>());
        let key = |row: usize| keys.is_valid(row).then(|| keys.value(row) as usize).filter(|key| values.is_valid(*key));
        let mut numbers = vec![UNSEEN; values.len()];
        let mut unknown = Vec::new();
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let mut is_seen = vec![false; values.len()];
            for key in (0..column.len()).filter_map(key) {
                if !std::mem::replace(&mut is_seen[key], true) {
                    match known.of_text.get(values.value(key)) {
                        Some(number) => numbers[key] = *number,
                        None => unknown.push(key),
                    }
                }
            }
        }
        if !unknown.is_empty() {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            unknown.into_iter().for_each(|key| numbers[key] = known.number(values.value(key)));
        }
        (0..column.len()).map(|row| key(row).map(|key| numbers[key])).collect()
    }

    /// The texts of these numbers, each once.
    fn texts(&self, numbers: &UInt32Array) -> DictionaryArray<Int32Type> {
        let mut places: HashMap<u32, i32> = HashMap::new();
        let mut texts = Vec::new();
        let mut place = |number: u32| {
            *places.entry(number).or_insert_with(|| {
                texts.push(number);
                texts.len() as i32 - 1
            })
        };
        let keys: Int32Array = numbers.iter().map(|number| number.map(&mut place)).collect();
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let texts = StringArray::from_iter_values(texts.iter().map(|number| &*known.texts[*number as usize]));
        DictionaryArray::new(keys, Arc::new(texts))
    }
}

/// `number_of(column)`: the number that stands for the text of each row.
#[derive(Debug)]
struct NumberOf {
    numbers: Arc<Numbers>,
    signature: Signature,
}

/// `text_of(number)`: the text that it stands for.
#[derive(Debug)]
struct TextOf {
    numbers: Arc<Numbers>,
    signature: Signature,
}

impl ScalarUDFImpl for NumberOf {
    fn name(&self) -> &str {
        "number_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(of_each(&args, self.name(), DataType::UInt32))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = cast(&args.args[0].to_array(args.number_rows)?, &symbols())?;
        Ok(ColumnarValue::Array(Arc::new(self.numbers.of(texts.as_dictionary::<Int32Type>()))))
    }
}

impl ScalarUDFImpl for TextOf {
    fn name(&self) -> &str {
        "text_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(symbols())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(of_each(&args, self.name(), symbols()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers: ArrayRef = args.args[0].to_array(args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(self.numbers.texts(numbers.as_primitive::<UInt32Type>()))))
    }
}

impl PartialEq for NumberOf {
    fn eq(&self, other: &NumberOf) -> bool {
        Arc::ptr_eq(&self.numbers, &other.numbers)
    }
}

impl Eq for NumberOf {}

impl Hash for NumberOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.numbers).hash(state);
    }
}

impl PartialEq for TextOf {
    fn eq(&self, other: &TextOf) -> bool {
        Arc::ptr_eq(&self.numbers, &other.numbers)
    }
}

impl Eq for TextOf {}

impl Hash for TextOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.numbers).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use arrow::record_batch::RecordBatch;
    use datafusion::datasource::MemTable;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::sql::session;
    use crate::sql::tests::{answer, archive};

    /// A session with `t`, of 1,000 rows in batches with dictionaries of their own, some of whose names are none.
    fn session_with_names(dir: &std::path::Path) -> SessionContext {
        let names = ["ann", "bob", "", "é/Ü", "carla"];
        let batch = |from: usize| {
            let name = |row: usize| names.get(row * 7 % 6).copied();
            let place = |row: usize| ["eu-west-1", "us-east-1"].get(row % 3).copied();
            let rows = from..from + 100;
            let of_names: DictionaryArray<Int32Type> = rows.clone().map(name).collect();
            let of_places: DictionaryArray<Int32Type> = rows.clone().map(place).collect();
            let numbers = Int32Array::from_iter_values(rows.map(|row| row as i32));
            let columns: Vec<(&str, ArrayRef)> =
                vec![("name", Arc::new(of_names)), ("place", Arc::new(of_places)), ("n", Arc::new(numbers))];
            let columns = columns.into_iter().map(|(name, column)| (name, column, true));
            RecordBatch::try_from_iter_with_nullable(columns).unwrap()
        };
        let batches: Vec<RecordBatch> = (0..10).map(|part| batch(part * 100)).collect();
        let session = session(dir).unwrap();
        let table = MemTable::try_new(batches[0].schema(), vec![batches[..4].to_vec(), batches[4..].to_vec()]).unwrap();
        session.register_table("t", Arc::new(table)).unwrap();
        session
    }

    #[tokio::test]
    async fn answers_are_those_of_texts() {
        let dir = archive();
        let (numbered, plain) = (session_with_names(dir.path()), session_with_names(dir.path()));
        assert!(plain.remove_optimizer_rule("numbered"));
        for sql in [
            "SELECT name, place, count(*), max(n) FROM t GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            "SELECT name, count(DISTINCT place), count(DISTINCT n) FROM t GROUP BY name ORDER BY name",
            "SELECT count(DISTINCT name), count(DISTINCT place), count(DISTINCT n % 7) FROM t",
            "SELECT count(DISTINCT name) FILTER (WHERE n > 500) AS a, count(DISTINCT name) AS b FROM t",
            "SELECT DISTINCT name, place FROM t ORDER BY 1, 2",
            "SELECT name, place, count(*) FROM t GROUP BY CUBE (name, place) ORDER BY 1, 2, 3",
            "SELECT name, n % 2 AS odd, grouping(name), count(*) FROM t GROUP BY ROLLUP (name, n % 2) ORDER BY 1, 2, 3",
            "SELECT place, name, count(*) FROM t GROUP BY GROUPING SETS ((place, name), (name), ()) ORDER BY 1, 2, 3",
            "SELECT name, array_agg(DISTINCT place ORDER BY place), min(name) FROM t GROUP BY name ORDER BY 1",
            "SELECT x, count(*) FROM (SELECT DISTINCT coalesce(name, place, 'none') AS x, place FROM t \
             UNION ALL SELECT coalesce(name, 'none'), 'x' FROM t) AS u GROUP BY x ORDER BY 1",
            "SELECT upper(name) AS u, place, count(*) FROM t GROUP BY 1, 2 HAVING count(*) > 3 AND place <> 'x' ORDER BY 1, 2",
            "SELECT t.name, count(*) FROM t JOIN (SELECT DISTINCT name FROM t WHERE n > 990) b USING (name) GROUP BY 1 ORDER BY 1",
            "SELECT name, (SELECT count(DISTINCT place) FROM t b WHERE b.name = a.name) FROM (SELECT DISTINCT name FROM t) a \
             ORDER BY 1",
            "SELECT name, rank() OVER (ORDER BY count(*) DESC, name) FROM t GROUP BY name ORDER BY 2",
            "SELECT n, row_number() OVER (PARTITION BY name, place ORDER BY n), sum(n) OVER (PARTITION BY name ORDER BY n DESC), \
             count(*) OVER (PARTITION BY n % 5) FROM t ORDER BY n LIMIT 70",
            "SELECT name, n FROM (SELECT *, rank() OVER (PARTITION BY name ORDER BY n) AS r FROM t) WHERE r = 2 ORDER BY 1",
            "SELECT name, place, sum(count(*)) OVER (PARTITION BY place ORDER BY name) FROM t GROUP BY 1, 2 ORDER BY 2, 1",
            "SELECT name FROM t WHERE n < 50 GROUP BY name UNION ALL SELECT place FROM t GROUP BY place ORDER BY 1",
            "SELECT name, place FROM t INTERSECT SELECT name, place FROM t WHERE n < 5 ORDER BY 1, 2",
            "SELECT count(*) FROM (SELECT name, place FROM t WHERE n < 0 GROUP BY 1, 2)",
        ] {
            assert_eq!(answer(&numbered, sql).await, answer(&plain, sql).await, "{sql}");
        }
        let explained = answer(&numbered, "EXPLAIN SELECT name, count(*) FROM t GROUP BY name").await;
        assert!(explained.contains("text_of(number_of(t.name)) AS name"), "{explained}");
        let of_numbers = answer(&numbered, "EXPLAIN SELECT n, count(*) FROM t GROUP BY n").await;
        assert!(!of_numbers.contains("number_of"), "{of_numbers}");
        let of_some = answer(&numbered, "EXPLAIN SELECT DISTINCT name, place FROM t LIMIT 2").await;
        assert!(!of_some.contains("number_of"), "{of_some}");
    }

    #[test]
    fn a_text_has_one_number_in_all_dictionaries() {
        let numbers = Numbers::default();
        let of = |texts: &[Option<&str>]| {
            let column: DictionaryArray<Int32Type> = texts.iter().copied().collect();
            numbers.of(&column)
        };
        let (first, second) = (of(&[Some("a"), None, Some(""), Some("a")]), of(&[Some("b"), Some(""), Some("a")]));
        assert_eq!(first, UInt32Array::from(vec![Some(0), None, Some(1), Some(0)]));
        assert_eq!(second, UInt32Array::from(vec![Some(2), Some(1), Some(0)]));
        let texts = numbers.texts(&UInt32Array::from(vec![Some(2), None, Some(0), Some(2)]));
        let texts = texts.downcast_dict::<StringArray>().unwrap();
        assert_eq!(texts.into_iter().collect::<Vec<_>>(), [Some("b"), None, Some("a"), Some("b")]);
        // a value that is there and none, which arrow lets dictionaries have
        let values = StringArray::from(vec![None, Some("a")]);
        let column = DictionaryArray::<Int32Type>::new(Int32Array::from(vec![0, 1]), Arc::new(values));
        assert_eq!(numbers.of(&column), UInt32Array::from(vec![None, Some(0)]));
    }
}
