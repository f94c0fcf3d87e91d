//! Numbers written with a point → decimals, which they are in Athena, and the division of decimals, whose answer has as many digits
//! behind the point as the side that has more of them: `1 / 3.0` is 0.3.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL128_MAX_SCALE, DataType, Decimal128Type, DecimalType, i256};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{self, ExactNumberInfo, TypedString, Value};

use super::template::with_arguments;

/// `DECIMAL '1.50'` for 1.50; `None` for integers, for numbers with a power of ten, which are doubles, and for what has too many digits.
pub fn literal(value: &ast::ValueWithSpan) -> Option<ast::Expr> {
    let Value::Number(digits, false) = &value.value else { return None };
    let digits = digits.to_string().replace('_', "");
    let kind = kind_of(&digits).filter(|_| digits.contains('.'))?;
    let value = Value::SingleQuotedString(digits).with_span(value.span);
    Some(ast::Expr::TypedString(TypedString { data_type: kind, value, uses_odbc_syntax: false }))
}

/// `VALUES 1.5, 1e-20`: beside a double the decimals of other rows are doubles. DataFusion 55 makes decimals of 15 digits of both.
pub fn beside_doubles(values: &mut ast::Values) {
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let has_double = values.rows.iter().filter_map(|row| row.content.get(column)).any(is_double);
        let cells = values.rows.iter_mut().filter_map(|row| row.content.get_mut(column));
        for cell in cells.filter(|cell| has_double && is_decimal(cell)) {
            *cell = with_arguments("CAST(arg1 AS DOUBLE)", &[&*cell]);
        }
    }
}

fn is_double(cell: &ast::Expr) -> bool {
    number(cell).is_some_and(|digits| digits.contains(['e', 'E']))
}

fn is_decimal(cell: &ast::Expr) -> bool {
    number(cell).is_some_and(|digits| digits.contains('.') && !digits.contains(['e', 'E']))
}

/// The digits of a number that is spelled out.
fn number(cell: &ast::Expr) -> Option<String> {
    match cell {
        ast::Expr::Value(ast::ValueWithSpan { value: Value::Number(digits, _), .. }) => Some(digits.to_string()),
        ast::Expr::UnaryOp { expr, .. } => number(expr),
        _ => None,
    }
}

/// `DECIMAL(3, 2)` of the text 1.50, with as many digits as it has.
pub fn kind_of(text: &str) -> Option<ast::DataType> {
    let unsigned = text.trim().trim_start_matches(['+', '-']);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut digits = whole.bytes().chain(fraction.bytes()).peekable();
    if digits.peek().is_none() || !digits.all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let precision = (whole.trim_start_matches('0').len() + fraction.len()).max(1);
    let size = ExactNumberInfo::PrecisionAndScale(precision as u64, fraction.len() as i64);
    (precision <= usize::from(DECIMAL128_MAX_PRECISION)).then_some(ast::DataType::Decimal(size))
}

/// The type of an integer, or of a decimal, as a decimal.
fn as_decimal(kind: &DataType) -> Option<(u8, i8)> {
    Some(match kind {
        DataType::Decimal128(precision, scale) => (*precision, *scale),
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        _ => return None,
    })
}

/// The type of a product of two numbers, of which one at least is a decimal and none a double. DataFusion gives it a digit more.
pub fn product(left: &DataType, right: &DataType) -> Option<DataType> {
    let ((precision, scale), (by, by_scale)) = decimals_of(left, right)?;
    let scale = scale.checked_add(by_scale).filter(|scale| *scale <= DECIMAL128_MAX_SCALE)?;
    Some(DataType::Decimal128((precision + by).min(DECIMAL128_MAX_PRECISION), scale))
}

/// Both as decimals, where one at least is one.
fn decimals_of(left: &DataType, right: &DataType) -> Option<((u8, i8), (u8, i8))> {
    let is_decimal = |kind: &DataType| matches!(kind, DataType::Decimal128(..));
    Some((as_decimal(left)?, as_decimal(right)?)).filter(|_| is_decimal(left) || is_decimal(right))
}

/// The function that a division of two numbers is, of which one at least is a decimal and none a double.
pub fn division(left: &DataType, right: &DataType) -> Option<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    decimals_of(left, right).map(|_| ScalarUDF::new_from_impl(Division { signature }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Division {
    signature: Signature,
}

impl ScalarUDFImpl for Division {
    fn name(&self) -> &str {
        "decimal_division"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        let [Some((precision, scale)), Some((_, by_scale))] = [as_decimal(&args[0]), as_decimal(&args[1])] else {
            return plan_err!("a division of decimals is of two numbers");
        };
        let digits = i16::from(precision) + i16::from(by_scale) + i16::from((by_scale - scale).max(0));
        let digits = digits.min(i16::from(DECIMAL128_MAX_PRECISION)) as u8;
        Ok(DataType::Decimal128(digits, scale.max(by_scale)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = [0, 1].map(|side| wide(&args.args[side].to_array(args.number_rows)?));
        let ((left, scale), (right, by_scale)) = (left?, right?);
        let DataType::Decimal128(precision, result) = args.return_type() else {
            return exec_err!("a division of decimals is a decimal");
        };
        let power = i256::from_i128(10).checked_pow((result + by_scale - scale) as u32);
        let overflow =
            || exec_datafusion_err!("NUMERIC_VALUE_OUT_OF_RANGE: a quotient has more than {precision} digits");
        let power = power.ok_or_else(overflow)?;
        let (left, right) = (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
        let divided = |pair: (Option<i128>, Option<i128>)| {
            let (Some(left), Some(right)) = pair else { return Ok(None) };
            if right == 0 {
                return exec_err!("DIVISION_BY_ZERO: Division by zero");
            }
            let quotient = i256::from_i128(left).checked_mul(power).and_then(|left| rounded(left, right)?.to_i128());
            let quotient = quotient.ok_or_else(overflow)?;
            Decimal128Type::validate_decimal_precision(quotient, *precision, *result).map_err(|_| overflow())?;
            Ok(Some(quotient))
        };
        let quotients = left.iter().zip(right.iter()).map(divided).collect::<Result<Decimal128Array>>()?;
        Ok(ColumnarValue::Array(Arc::new(quotients.with_precision_and_scale(*precision, *result)?)))
    }
}

/// The numbers as decimals, and how many digits they have behind the point.
fn wide(numbers: &ArrayRef) -> Result<(ArrayRef, i8)> {
    let Some((precision, scale)) = as_decimal(numbers.data_type()) else {
        return exec_err!("{} is no decimal", numbers.data_type());
    };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    Ok((cast_with_options(numbers, &DataType::Decimal128(precision, scale), &options)?, scale))
}

/// The nearest integer to a quotient; of two the one farther from zero.
fn rounded(left: i256, right: i128) -> Option<i256> {
    let right = i256::from_i128(right);
    let (quotient, rest) = (left.checked_div(right)?, left.checked_rem(right)?);
    let is_half = rest.wrapping_abs().checked_mul(i256::from_i128(2))? >= right.wrapping_abs();
    let is_negative = left.is_negative() != right.is_negative();
    let step = if is_negative { i256::MINUS_ONE } else { i256::ONE };
    if is_half { quotient.checked_add(step) } else { Some(quotient) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_with_a_point_has_the_digits_that_are_written() {
        for (text, expected) in [
            ("1.50", Some("DECIMAL(3,2)")),
            ("0.05", Some("DECIMAL(2,2)")),
            (".5", Some("DECIMAL(1,1)")),
            ("5.", Some("DECIMAL(1,0)")),
            ("00.0", Some("DECIMAL(1,1)")),
            ("-12.5", Some("DECIMAL(3,1)")),
            ("99", Some("DECIMAL(2,0)")),
            ("1.5e3", None),
            (".", None),
            ("123456789012345678901234567890123456789.5", None),
        ] {
            assert_eq!(kind_of(text).map(|kind| kind.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_quotient_is_rounded_away_from_zero_at_a_half() {
        for (left, right, expected) in [(10, 4, 3), (-10, 4, -3), (10, -4, -3), (9, 4, 2), (-9, -4, 2), (1, 3, 0)] {
            assert_eq!(rounded(i256::from_i128(left), right).unwrap().to_i128(), Some(expected), "{left} / {right}");
        }
    }
}
