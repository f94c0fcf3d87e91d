//! Numbers with a fraction → texts as Java writes them, in which Athena is written: `1.0`, `1.0E10`.

use std::sync::{Arc, LazyLock};

use arrow::array::{AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The text of a `double`.
pub fn text(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = number.abs();
    if number.is_nan() || size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, power)) if digits.contains('.') => format!("{digits}E{power}"),
        Some((digits, power)) => format!("{digits}.0E{power}"),
        None => text,
    }
}

/// `CAST(number AS VARCHAR)` of a `double`.
pub fn as_text(number: Expr) -> Expr {
    static DOUBLE_TEXT: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        let signature = Signature::any(1, Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(DoubleText { signature }))
    });
    DOUBLE_TEXT.call(vec![number])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DoubleText {
    signature: Signature,
}

impl ScalarUDFImpl for DoubleText {
    fn name(&self) -> &str {
        "double_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Float64)?;
        let texts: StringArray = numbers.as_primitive::<Float64Type>().iter().map(|number| number.map(text)).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}
