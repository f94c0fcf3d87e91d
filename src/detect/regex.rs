//! A regular expression that a query spells out → the same match with the expression compiled once, when the rule is.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use regex::Regex;

/// Replaces a match against a constant. DataFusion compiles the expression again for each batch, which takes longer than
/// matching a thousand short texts. Anything else, and an expression that does not compile, comes back as it is.
pub fn compile_once(expr: Expr) -> Expr {
    match &expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (flags, negated) = match op {
                Operator::RegexMatch => ("", false),
                Operator::RegexIMatch => ("(?i)", false),
                Operator::RegexNotMatch => ("", true),
                Operator::RegexNotIMatch => ("(?i)", true),
                _ => return expr,
            };
            compiled(left, right, flags, negated).unwrap_or(expr)
        }
        Expr::ScalarFunction(call) if call.func.name() == "regexp_like" => match call.args.as_slice() {
            [text, pattern] => compiled(text, pattern, "", false).unwrap_or(expr),
            _ => expr,
        },
        _ => expr,
    }
}

fn compiled(text: &Expr, pattern: &Expr, flags: &str, negated: bool) -> Option<Expr> {
    let Expr::Literal(pattern, _) = pattern else { return None };
    let regex = Regex::new(&format!("{flags}{}", pattern.try_as_str().flatten()?)).ok()?;
    let function = Matches { regex, negated, signature: Signature::any(1, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::new_from_impl(function));
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![text.clone()])))
}

/// True where the text matches; null where it is null.
#[derive(Debug)]
struct Matches {
    regex: Regex,
    negated: bool,
    signature: Signature,
}

impl PartialEq for Matches {
    fn eq(&self, other: &Matches) -> bool {
        (self.regex.as_str(), self.negated) == (other.regex.as_str(), other.negated)
    }
}

impl Eq for Matches {}

impl Hash for Matches {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.regex.as_str(), self.negated).hash(state);
    }
}

impl ScalarUDFImpl for Matches {
    fn name(&self) -> &str {
        "regexp_like"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts] = <[ArrayRef; 1]>::try_from(ColumnarValue::values_to_arrays(&args.args)?).expect("one argument");
        let texts = cast(&texts, &DataType::Utf8View)?;
        let texts: &StringViewArray = texts.as_string_view();
        let matches = |row| texts.is_valid(row) && self.regex.is_match(texts.value(row)) != self.negated;
        let truth = BooleanBuffer::collect_bool(texts.len(), matches);
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::new(truth, texts.nulls().cloned()))))
    }
}
