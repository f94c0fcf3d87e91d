//! `item_parts(list, place)`: the list of the fields at a place of the rows in a list, and of a map its keys or its values, which `UNNEST` has
//! as columns beside each other.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::{cast, is_null, nullif};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::maps::plain;
use super::typed::{in_short, key_and_value, parts};

pub fn item_parts() -> ScalarUDF {
    ScalarUDF::new_from_impl(ItemParts { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ItemParts {
    signature: Signature,
}

impl ScalarUDFImpl for ItemParts {
    fn name(&self) -> &str {
        "item_parts"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("item_parts is asked for its field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let place = args.scalar_arguments[1].and_then(|place| place.to_string().parse::<usize>().ok());
        let kind = plain(args.arg_fields[0].data_type());
        let part = match (&kind, place) {
            (DataType::Map(..), Some(1)) => key_and_value(&kind)?.0.clone(),
            (DataType::Map(..), Some(2)) => key_and_value(&kind)?.1.clone(),
            (DataType::Utf8, Some(1 | 2)) => DataType::Utf8,
            (DataType::List(item), Some(place @ 1..)) => match item.data_type() {
                DataType::Struct(fields) if place <= fields.len() => fields[place - 1].data_type().clone(),
                DataType::Struct(fields) => {
                    return plan_err!("the rows that UNNEST makes have {} columns, not {place}", fields.len());
                }
                _ => return plan_err!("UNNEST makes one column of a list, {}", in_short(&kind)),
            },
            (DataType::Null, _) => DataType::Null,
            _ => return plan_err!("UNNEST takes lists, maps and JSON text, not {}", in_short(&kind)),
        };
        let list = DataType::List(Arc::new(Field::new_list_field(part, true)));
        Ok(Arc::new(Field::new(self.name(), list, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = args.args[0].to_array(args.number_rows)?;
        let ColumnarValue::Scalar(place) = &args.args[1] else {
            return exec_err!("the place of a field is a constant");
        };
        let place: usize = place.to_string().parse().unwrap_or(1);
        Ok(ColumnarValue::Array(match array.data_type() {
            DataType::List(_) => fields(array.as_list(), place - 1, args.return_type())?,
            DataType::Null => cast(&array, args.return_type())?,
            _ => parts(&array, place == 1, args.return_type())?,
        }))
    }
}

/// The fields at a place of the rows of lists; null where a row is.
fn fields(list: &ListArray, place: usize, kind: &DataType) -> Result<ArrayRef> {
    let DataType::List(item) = kind else { return exec_err!("{kind} is no list") };
    let rows = list.values();
    let fields = nullif(rows.as_struct().column(place), &is_null(rows)?)?;
    let fields = cast(&fields, item.data_type())?;
    Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), fields, list.nulls().cloned())?))
}
