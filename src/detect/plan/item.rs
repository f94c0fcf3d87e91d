//! `resources[1].arn` → one call that reads the field of an item where it lies: DataFusion copies whole items first.

use std::sync::Arc;

use arrow::array::{Array, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// What a call stands for that reads a field of an item of a list, the item spelled out and counted from the front; `None` of any other
/// call. `kind` is of a column by its path.
pub fn field_of_item(call: &ScalarFunction, kind: impl Fn(&str) -> Option<DataType>) -> Option<Expr> {
    let [Expr::ScalarFunction(item), Expr::Literal(field, _)] = call.args.as_slice() else { return None };
    let [list @ Expr::Column(column), Expr::Literal(ScalarValue::Int64(Some(place)), _)] = item.args.as_slice() else {
        return None;
    };
    if (call.func.name(), item.func.name()) != ("get_field", "array_element") {
        return None;
    }
    let DataType::List(items) = kind(&column.name)? else { return None };
    let DataType::Struct(fields) = items.data_type() else { return None };
    let (field, found) = fields.find(field.try_as_str().flatten()?)?;
    let (before, kind) = (usize::try_from(*place).ok()?.checked_sub(1)?, found.data_type().clone());
    let function = FieldOfItem { before, field, kind, signature: Signature::any(1, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::new_from_impl(function));
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![list.clone()])))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FieldOfItem {
    /// How many items stand before it.
    before: usize,
    /// Position of the field, and its type.
    field: usize,
    kind: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for FieldOfItem {
    fn name(&self) -> &str {
        "field_of_item"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.kind.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let lists = args.args[0].to_array(args.number_rows)?;
        let lists = lists.as_list::<i32>();
        let (items, ends) = (lists.values().as_struct(), lists.value_offsets());
        let place = |row: usize| {
            let place = ends[row] as usize + self.before;
            let is_there = lists.is_valid(row) && place < ends[row + 1] as usize && items.is_valid(place);
            is_there.then_some(place as u32)
        };
        let places: UInt32Array = (0..lists.len()).map(place).collect();
        Ok(ColumnarValue::Array(take(items.column(self.field), &places, None)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::detect::emit::texts;
    use crate::detect::plan::planner::only_statement;
    use crate::detect::plan::query::take_apart;
    use crate::detect::program::{Leaves, Program, Rows};
    use crate::detect::reference::References;
    use crate::detect::session;
    use crate::detect::tests::{batch, changed, event};
    use crate::logs::cloudtrail::CLOUDTRAIL;

    /// What an expression is of calls with these resources, and whether it became one call.
    fn told(expr: &str, resources: &[Value]) -> (Vec<Option<String>>, bool) {
        let state = session::planner(&[&CLOUDTRAIL], &References::default());
        let mut leaves = Leaves::new(&CLOUDTRAIL);
        let statement = only_statement(&format!("SELECT {expr} AS it FROM cloudtrail WHERE true"));
        let (_, expr) = take_apart(&state, &leaves, statement).unwrap().items.remove(0);
        let is_one = expr.to_string().contains("field_of_item");
        let program = Program::new(&mut leaves, &[expr]).unwrap();
        let calls = resources.iter().map(|list| changed(event("A", "e"), json!({ "resources": list })));
        let batch = batch(&calls.collect::<Vec<_>>());
        let arrays = leaves.arrays(&batch);
        let found = program.run(&arrays, Rows::All(resources.len())).unwrap().remove(0);
        // of some rows it is the same
        let last = [resources.len() as u32 - 1, 0];
        let some = texts(&program.run(&arrays, Rows::These(&last)).unwrap().remove(0)).unwrap();
        let found = texts(&found).unwrap();
        assert_eq!(some, last.map(|row| found[row as usize].clone()));
        (found, is_one)
    }

    #[test]
    fn the_field_of_an_item_is_that_of_the_list_or_none() {
        let lists = [
            json!([{ "ARN": "a1", "type": "T" }, { "ARN": "a2" }]),
            json!([]),
            Value::Null,
            json!([{ "type": "T" }]),
            json!([null, { "ARN": "b2", "accountId": "111122223333" }]),
            json!([{ "ARN": "c1" }]),
        ];
        let texts = |texts: [&str; 6]| -> Vec<Option<String>> {
            texts.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
        };
        assert_eq!(told("resources[1].arn", &lists), (texts(["a1", "", "", "", "", "c1"]), true));
        assert_eq!(told("resources[2]['arn']", &lists), (texts(["a2", "", "", "", "b2", ""]), true));
        assert_eq!(told("upper(resources[1].type)", &lists), (texts(["T", "", "", "T", "", ""]), true));
        assert_eq!(told("resources[7].arn", &lists), (texts([""; 6]), true));
        // from the end DataFusion counts
        assert_eq!(told("resources[-1].arn", &lists), (texts(["a2", "", "", "", "b2", "c1"]), false));
    }
}
