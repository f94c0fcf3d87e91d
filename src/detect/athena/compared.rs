//! The sides of a comparison → the same of the type that the other side has, or what is wrong with them.

use anyhow::anyhow;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Spanned, Value};

use super::template::{call_name, with_arguments};
use super::{at, last_name};
use crate::catalog;
use crate::table::Kind;

/// Texts that say `true` and `false` although CloudTrail means a boolean.
const TRUTHS_AS_TEXT: [&str; 2] = ["mfaauthenticated", "assumedroot"];

/// Writes a constant as the type of the column it is compared with: AWS's tables for Athena have text where a column is a
/// boolean here, and an account's leading zeros are lost in a number.
pub fn compare(column: &Expr, value: &mut Expr) {
    let Expr::Value(constant) = value else { return };
    let name = last_name(column);
    let is = |name: &str| {
        catalog::tables().any(|table| table.columns.iter().any(|c| c.name == name && matches!(c.kind, Kind::Bool)))
    };
    constant.value = match &constant.value {
        Value::SingleQuotedString(text) if name.as_deref().is_some_and(is) => {
            match text.to_ascii_lowercase().as_str() {
                "true" => Value::Boolean(true),
                "false" => Value::Boolean(false),
                _ => return,
            }
        }
        Value::Boolean(truth) if name.is_some_and(|name| TRUTHS_AS_TEXT.contains(&name.as_str())) => {
            Value::SingleQuotedString(truth.to_string())
        }
        Value::Number(digits, _) if is_padded(&digits.to_string()) => Value::SingleQuotedString(digits.to_string()),
        _ => return,
    };
}

fn is_padded(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
}

pub fn is_comparison(operator: &BinaryOperator) -> bool {
    matches!(
        operator,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

/// Refuses a day without its quotes, `2024-08-01`, which is the number 2015.
pub fn quoted_days(sides: [&Expr; 2]) -> anyhow::Result<()> {
    let digits = |expr: &Expr, count: usize| match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => Some(digits.to_string()).filter(|digits| digits.len() == count),
            _ => None,
        },
        _ => None,
    };
    let difference = |expr: &Expr| match expr {
        Expr::BinaryOp { left, op: BinaryOperator::Minus, right } => Some(((**left).clone(), (**right).clone())),
        _ => None,
    };
    for side in sides {
        let day = difference(side).and_then(|(rest, day)| {
            let (year, month) = difference(&rest)?;
            Some([digits(&year, 4)?, digits(&month, 2)?, digits(&day, 2)?])
        });
        if let Some([year, month, day]) = day {
            let number: i64 =
                [&month, &day].iter().fold(year.parse()?, |number, part| number - part.parse::<i64>().unwrap_or(0));
            let day = format!("{year}-{month}-{day}");
            let message = anyhow!("{day} without quotes is the number {number}: a day is written '{day}'");
            return Err(at(side.span(), message));
        }
    }
    Ok(())
}

/// Addresses are texts, and compare as numbers do.
pub fn in_order<const N: usize>(sides: [&mut Box<Expr>; N]) {
    let is_address = |expr: &Expr| match expr {
        Expr::Function(call) => call_name(call).as_deref() == Some("ip_address"),
        _ => false,
    };
    if sides.iter().any(|side| is_address(side)) {
        sides.into_iter().for_each(|side| **side = with_arguments("ip_order(arg1)", &[side]));
    }
}
