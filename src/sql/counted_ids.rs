//! How many different ids all rows have, as `count(DISTINCT eventID)` → how many different numbers, which ids of 36 characters are, and
//! how many texts that are none.
//!
//! DataFusion 55 keeps each different text with what it is known by, and looks each up twice: in a table of several times the bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array, StringViewArray};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use crate::catalog;

/// To be asked before the one that makes groups of what is counted.
#[derive(Debug)]
pub struct CountedIds;

impl OptimizerRule for CountedIds {
    fn name(&self) -> &str {
        "counted_ids"
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|plan| match plan {
            // of groups each would have two tables in the place of one
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                by_number(aggregate, config.alias_generator())
            }
            other => Ok(Transformed::no(other)),
        })
    }
}

fn by_number(aggregate: Aggregate, names: &AliasGenerator) -> Result<Transformed<LogicalPlan>> {
    let of = aggregate.input.schema().clone();
    let counted: Vec<_> = aggregate.aggr_expr.iter().map(|function| count_of_ids(function, &of)).collect();
    let plan = match counted.as_slice() {
        [Some(count)] if count.0.params.filter.is_none() => alone(aggregate, count, names)?,
        some if some.iter().any(Option::is_some) && is_kept_whole(&aggregate) => beside(aggregate, some, names)?,
        _ => return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate))),
    };
    Ok(Transformed::yes(plan))
}

/// Whether DataFusion keeps in memory what it counts. Where all that is counted is one column's it makes groups of it, which wait on disk
/// where memory is short.
fn is_kept_whole(aggregate: &Aggregate) -> bool {
    let calls = aggregate.aggr_expr.iter().filter_map(|function| match function {
        Expr::AggregateFunction(call) => Some(call),
        Expr::Alias(alias) => match alias.expr.as_ref() {
            Expr::AggregateFunction(call) => Some(call),
            _ => None,
        },
        _ => None,
    });
    let mut columns: Vec<&[Expr]> = Vec::new();
    let mut filters = false;
    for params in calls.map(|call| &call.params).filter(|params| params.distinct) {
        filters |= params.filter.is_some();
        if !columns.contains(&params.args.as_slice()) {
            columns.push(&params.args);
        }
    }
    filters || columns.len() > 1
}

/// One count and nothing else: groups of numbers and texts, which wait on disk where memory is short.
fn alone(aggregate: Aggregate, (call, id): &Count, names: &AliasGenerator) -> Result<LogicalPlan> {
    let columns = [names.next("__ids"), names.next("__ids")];
    let parts = [Part::numbers(), Part::texts()].map(|part| ScalarUDF::new_from_impl(part).call(vec![id.clone()]));
    let keys = parts.into_iter().zip(&columns).map(|(part, name)| part.alias(name)).collect();
    let groups = LogicalPlan::Aggregate(Aggregate::try_new(aggregate.input.clone(), keys, vec![])?);
    let counts = columns.map(|name| {
        let mut call = call.clone();
        call.params.distinct = false;
        call.params.args = vec![Expr::Column(Column::new_unqualified(name))];
        Expr::AggregateFunction(call).alias(names.next("__ids"))
    });
    let below = Aggregate::try_new(Arc::new(groups), vec![], counts.into())?;
    shown(&aggregate, below, &[Some(())])
}

/// Counts beside others, each in a table of its own.
fn beside(aggregate: Aggregate, counted: &[Option<Count>], names: &AliasGenerator) -> Result<LogicalPlan> {
    let parts = [Part::numbers(), Part::texts()].map(ScalarUDF::new_from_impl);
    let mut functions = Vec::new();
    for (function, count) in aggregate.aggr_expr.iter().zip(counted) {
        let Some((call, id)) = count else {
            functions.push(function.clone());
            continue;
        };
        functions.extend(parts.iter().map(|part| {
            let mut call = call.clone();
            call.params.args = vec![part.call(vec![id.clone()])];
            Expr::AggregateFunction(call).alias(names.next("__ids"))
        }));
    }
    let below = Aggregate::try_new(aggregate.input.clone(), vec![], functions)?;
    shown(&aggregate, below, counted)
}

/// What stands below with the names of what it takes the place of, where two counts are one.
fn shown<T>(aggregate: &Aggregate, below: Aggregate, counted: &[Option<T>]) -> Result<LogicalPlan> {
    let mut found = below.schema.columns().into_iter().map(Expr::Column);
    let mut next = || found.next().expect("each function has a column");
    let shown = counted.iter().zip(aggregate.schema.iter()).map(|(count, (qualifier, field))| match count {
        Some(_) => (next() + next()).alias_qualified(qualifier.cloned(), field.name()),
        None => next(),
    });
    let shown = shown.collect();
    Ok(LogicalPlan::Projection(Projection::try_new(shown, Arc::new(LogicalPlan::Aggregate(below)))?))
}

type Count = (AggregateFunction, Expr);

/// `count(DISTINCT column)` of a column of ids, and that column.
fn count_of_ids(function: &Expr, of: &DFSchema) -> Option<(datafusion::logical_expr::expr::AggregateFunction, Expr)> {
    let Expr::AggregateFunction(call) = function.clone().unalias() else { return None };
    let [id @ Expr::Column(column)] = call.params.args.as_slice() else { return None };
    let has_ids = column.name == "requestid" || catalog::tables().any(|table| table.id == Some(column.name.as_str()));
    let is_text = id.get_type(of).is_ok_and(|kind| matches!(kind, DataType::Utf8View | DataType::Utf8));
    let is_count = call.func.name() == "count" && call.params.distinct;
    let id = (has_ids && is_text && is_count).then(|| id.clone())?;
    Some((call, id))
}

/// One of two parts of a column of texts, null where a row is of the other.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Part {
    /// Numbers of 128 bits, which a decimal of 38 digits holds though it could not show all; otherwise the texts that are none.
    is_numbers: bool,
    signature: Signature,
}

impl Part {
    fn numbers() -> Part {
        Part { is_numbers: true, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn texts() -> Part {
        Part { is_numbers: false, ..Part::numbers() }
    }

    fn of(&self, texts: &StringViewArray) -> Result<ArrayRef> {
        if self.is_numbers {
            let number =
                |text: Option<&str>| text.and_then(|text| number(text.as_bytes())).map(|number| number as i128);
            return Ok(Arc::new(texts.iter().map(number).collect::<Decimal128Array>()));
        }
        let is_number = |text: Option<&str>| Some(text.is_some_and(|text| digits(text.as_bytes()).is_some()));
        Ok(nullif(texts, &texts.iter().map(is_number).collect::<BooleanArray>())?)
    }
}

impl ScalarUDFImpl for Part {
    fn name(&self) -> &str {
        if self.is_numbers { "id_number" } else { "id_text" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(if self.is_numbers { DataType::Decimal128(38, 10) } else { DataType::Utf8View })
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), self.return_type(&[])?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Utf8View)?;
        Ok(ColumnarValue::Array(self.of(texts.as_string_view())?))
    }
}

/// The digits of an id as AWS writes it, `0c5cd0f5-b5d1-4a5e-9b6c-8d0a7a0f0b1e`: in small letters, so that no two texts are one number.
fn digits(text: &[u8]) -> Option<[u8; 32]> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let mut digits = [0; 32];
    for (to, from) in [(0, 0..8), (8, 9..13), (12, 14..18), (16, 19..23), (20, 24..36)] {
        digits[to..to + from.len()].copy_from_slice(&text[from]);
    }
    let is_digit = |byte: &u8| byte.is_ascii_digit() | (b'a'..=b'f').contains(byte);
    let has_dashes = [8, 13, 18, 23].iter().all(|at| text[*at] == b'-');
    (has_dashes && digits.iter().fold(true, |all, byte| all & is_digit(byte))).then_some(digits)
}

/// The number that an id is.
fn number(text: &[u8]) -> Option<u128> {
    let digits = digits(text)?;
    let eight = |at: usize| {
        // of each character its four bits, and of neighbours one number, thrice
        let all = u64::from_be_bytes(digits[at..at + 8].try_into().expect("eight of 32"));
        let all = (all & 0x0f0f_0f0f_0f0f_0f0f) + (all >> 6 & 0x0101_0101_0101_0101) * 9;
        let all = (all | all >> 4) & 0x00ff_00ff_00ff_00ff;
        let all = (all | all >> 8) & 0x0000_ffff_0000_ffff;
        u128::from((all | all >> 16) as u32)
    };
    Some(eight(0) << 96 | eight(8) << 64 | eight(16) << 32 | eight(24))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, Int32Array};
    use arrow::record_batch::RecordBatch;
    use datafusion::datasource::MemTable;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::sql::session;
    use crate::sql::tests::{answer, archive};

    const IDS: [Option<&str>; 9] = [
        Some("0c5cd0f5-b5d1-4a5e-9b6c-8d0a7a0f0b1e"),
        Some("0C5CD0F5-B5D1-4A5E-9B6C-8D0A7A0F0B1E"),
        Some("ffffffff-ffff-ffff-ffff-ffffffffffff"),
        Some("ffffffff-ffff-ffff-ffff-fffffffffffg"),
        Some("ffffffff.ffff-ffff-ffff-ffffffffffff"),
        Some("00000000-0000-0000-0000-000000000000"),
        Some(""),
        Some("4SGF2PAMPLE0XAMPLE"),
        None,
    ];

    /// A session with `t`, of ids of which some are none, and some stand in several batches.
    fn session_with_ids(dir: &std::path::Path) -> SessionContext {
        let batch = |from: usize| {
            let made = |row: usize| format!("{row:08x}-0000-4000-8000-00000000000{}", row % 3);
            let made: Vec<String> = (from..from + 40).map(made).collect();
            let ids = made.iter().map(|id| Some(id.as_str())).chain(IDS);
            let ids: StringViewArray = ids.collect();
            let numbers = Int32Array::from_iter_values((0..ids.len()).map(|row| row as i32));
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("eventid", Arc::new(ids.clone())),
                ("requestid", Arc::new(cast(&ids, &DataType::Utf8).unwrap())),
                ("n", Arc::new(numbers)),
            ];
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, of)| (name, of, true))).unwrap()
        };
        let batches = [batch(0), batch(30), batch(200)];
        let session = session(dir).unwrap();
        let table = MemTable::try_new(batches[0].schema(), vec![batches[..2].to_vec(), batches[2..].to_vec()]).unwrap();
        session.register_table("t", Arc::new(table)).unwrap();
        session
    }

    #[tokio::test]
    async fn answers_are_those_of_texts() {
        let dir = archive();
        let (numbered, plain) = (session_with_ids(dir.path()), session_with_ids(dir.path()));
        assert!(plain.remove_optimizer_rule("counted_ids"));
        for sql in [
            "SELECT count(DISTINCT eventid) FROM t",
            "SELECT count(DISTINCT eventid) AS ids, count(*), count(DISTINCT requestid), count(DISTINCT n) FROM t",
            "SELECT count(DISTINCT eventid) FILTER (WHERE n > 35) AS a, count(DISTINCT eventid) AS b, max(n) FROM t",
            "SELECT 2 * count(DISTINCT eventid) + 1, count(DISTINCT eventid) - count(DISTINCT requestid) FROM t",
            "SELECT count(DISTINCT eventid) FROM t WHERE n < 0",
            "SELECT count(DISTINCT eventid) FROM t HAVING count(DISTINCT eventid) > 3",
            "SELECT n % 3, count(DISTINCT eventid) FROM t GROUP BY 1 ORDER BY 1",
            "SELECT n, (SELECT count(DISTINCT eventid) FROM t b WHERE b.n < 4) FROM t WHERE n < 3 ORDER BY 1",
            "SELECT count(DISTINCT upper(eventid)), count(DISTINCT eventid) FROM t",
        ] {
            assert_eq!(answer(&numbered, sql).await, answer(&plain, sql).await, "{sql}");
        }
        // 70 made, 40 and 30 and 40 of which ten stand twice, and eight texts
        let counted = answer(&numbered, "SELECT count(DISTINCT eventid) AS ids FROM t").await;
        assert!(counted.contains("| 118 |"), "{counted}");
        let explain = async |sql: &str| answer(&numbered, &format!("EXPLAIN {sql}")).await;
        let alone = explain("SELECT count(DISTINCT eventid) FROM t").await;
        assert!(alone.contains("groupBy=[[id_number(t.eventid)"), "{alone}");
        let beside = explain("SELECT count(DISTINCT eventid), count(DISTINCT n) FROM t").await;
        assert!(beside.contains("count(DISTINCT id_number(t.eventid)"), "{beside}");
        // DataFusion makes groups of it
        let of_one = explain("SELECT count(DISTINCT eventid), max(n) FROM t").await;
        assert!(!of_one.contains("id_number") && of_one.contains("groupBy=[[t.eventid"), "{of_one}");
    }

    #[test]
    fn an_id_is_the_number_that_its_digits_say() {
        let of = |text: &str| number(text.as_bytes());
        assert_eq!(of("00010203-0405-0607-0809-0a0b0c0d0eff"), Some(0x0001_0203_0405_0607_0809_0a0b_0c0d_0eff));
        assert_eq!(of("fedcba98-7654-3210-fedc-ba9876543210"), Some(0xfedc_ba98_7654_3210_fedc_ba98_7654_3210));
        let are: Vec<bool> = IDS.iter().map(|id| id.and_then(of).is_some()).collect();
        assert_eq!(are, [true, false, true, false, false, true, false, false, false]);
    }
}
