//! A condition on what JSON says → a weaker one on its text: where the letters do not stand, nothing need be read.
//!
//! `requestParameters ->> 'roleArn' LIKE '%:role/Admin'` holds only where `Admin` is in the text, or something that is written with `\u`.
//! To look for letters takes a part of the time of reading JSON, and most rows do not have them.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::Column;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::utils::disjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, binary_expr, lit};
use regex_syntax::hir::literal::{ExtractKind, Extractor};

use super::place::is_json;
use super::regex::{compile_once, pattern_of};
use crate::table::Table;

/// Fewer letters than this stand everywhere,
const LETTERS_MIN: usize = 3;
/// and to look for more texts than this at once takes longer.
const TEXTS_MAX: usize = 64;
/// Functions that give a text which stands in their first argument, but for escapes.
const TEXT_OF: [&str; 2] = ["json_as_text", "json_get_str"];

/// Texts, of which at least one stands in one of the columns where a condition holds.
type Needles = BTreeMap<String, BTreeSet<String>>;

/// What holds of the text of columns of JSON wherever a flattened condition over `table` holds. `None` where nothing is known.
pub fn needed(condition: &Expr, table: &Table) -> Option<Expr> {
    let needles = needles(condition, table)?;
    if needles.values().map(BTreeSet::len).sum::<usize>() > TEXTS_MAX {
        return None;
    }
    let in_column = |(column, texts): (String, BTreeSet<String>)| {
        let texts = texts.iter().map(|text| regex::escape(text)).chain([r"\\u".to_owned()]);
        let pattern = texts.collect::<Vec<_>>().join("|");
        let column = Expr::Column(Column::new_unqualified(column));
        compile_once(binary_expr(column, Operator::RegexMatch, lit(pattern)))
    };
    disjunction(needles.into_iter().map(in_column))
}

fn needles(condition: &Expr, table: &Table) -> Option<Needles> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            // the one that is found in fewer texts
            [left, right].into_iter().filter_map(|side| needles(side, table)).max_by_key(shortest)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let mut all = needles(left, table)?;
            for (column, texts) in needles(right, table)? {
                all.entry(column).or_default().extend(texts);
            }
            Some(all)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (json, text) = if let Some(text) = text_of(right) { (left, text) } else { (right, text_of(left)?) };
            stand(json, table, [letters(text)])
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let texts: Vec<&str> = list.iter().map(text_of).collect::<Option<_>>()?;
            stand(expr, table, texts.into_iter().map(letters))
        }
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive: false }) => {
            // a backslash makes what follows it itself
            let pattern = text_of(pattern).filter(|pattern| !pattern.contains('\\'))?;
            let longest = pattern.split(['%', '_']).filter_map(letters).max_by_key(String::len);
            stand(expr, table, [longest])
        }
        Expr::ScalarFunction(call) if call.func.name() == "json_contains" => {
            let column = column_of(call.args.first()?, table)?;
            let keys = call.args[1..].iter().map(text_of).collect::<Option<Vec<_>>>()?;
            let plain = |key: &&str| letters(key).is_some_and(|letters| letters == *key);
            let key = keys.into_iter().filter(plain).max_by_key(|key| key.len())?;
            Some(Needles::from([(column, BTreeSet::from([format!("\"{key}\"")]))]))
        }
        Expr::ScalarFunction(call) => {
            let [json] = call.args.as_slice() else { return None };
            stand(json, table, of_pattern(pattern_of(&call.func)?)?.into_iter().map(Some))
        }
        _ => None,
    }
}

fn shortest(needles: &Needles) -> usize {
    needles.values().flatten().map(String::len).min().unwrap_or(0)
}

/// That one of these texts stands in what the expression is taken from; each must be known.
fn stand(json: &Expr, table: &Table, texts: impl IntoIterator<Item = Option<String>>) -> Option<Needles> {
    let texts: BTreeSet<String> = texts.into_iter().collect::<Option<_>>()?;
    let column = source_of(json, table)?;
    (!texts.is_empty()).then(|| Needles::from([(column, texts)]))
}

/// The column of JSON that the text stands in which an expression gives.
fn source_of(expr: &Expr, table: &Table) -> Option<String> {
    match expr {
        Expr::ScalarFunction(call) if TEXT_OF.contains(&call.func.name()) => column_of(call.args.first()?, table),
        _ => None,
    }
}

fn column_of(expr: &Expr, table: &Table) -> Option<String> {
    match expr {
        Expr::Column(column) if is_json(table, &column.name) => Some(column.name.clone()),
        _ => None,
    }
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(text, _) => text.try_as_str().flatten(),
        _ => None,
    }
}

/// The longest part of a text that JSON has as it is, unless it is written with `\u`. What may be a number is none, for numbers are written in
/// several ways.
fn letters(text: &str) -> Option<String> {
    let is_plain = |letter: char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\' | '/');
    let parts = text.split(|letter| !is_plain(letter));
    let longest = parts.max_by_key(|part| part.len())?;
    let is_word = longest.contains(|letter: char| letter.is_ascii_alphabetic()) && longest.parse::<f64>().is_err();
    (longest.len() >= LETTERS_MIN && is_word).then(|| longest.to_owned())
}

/// Of what a regular expression matches: parts of what it begins with, or ends with.
fn of_pattern(pattern: &str) -> Option<BTreeSet<String>> {
    let pattern = regex_syntax::parse(pattern).ok()?;
    let ends = |kind: ExtractKind| {
        let ends = Extractor::new().kind(kind).extract(&pattern);
        let parts = ends.literals()?.iter().map(|end| letters(std::str::from_utf8(end.as_bytes()).ok()?));
        parts.collect::<Option<BTreeSet<String>>>().filter(|parts| !parts.is_empty())
    };
    let either = [ExtractKind::Prefix, ExtractKind::Suffix].into_iter().filter_map(ends);
    either.max_by_key(|parts| parts.iter().map(String::len).min())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef, AsArray, StringViewArray};
    use proptest::prelude::*;

    use super::*;
    use crate::detect::plan::planner::only_statement;
    use crate::detect::plan::query::take_apart;
    use crate::detect::program::{Leaves, Program};
    use crate::detect::reference::References;
    use crate::detect::session;
    use crate::logs::cloudtrail::CLOUDTRAIL;

    fn planned(condition: &str) -> Expr {
        let state = session::planner(&[&CLOUDTRAIL], &References::default());
        let statement = only_statement(&format!("SELECT eventName FROM cloudtrail WHERE {condition}"));
        take_apart(&state, &Leaves::new(&CLOUDTRAIL), statement).unwrap().condition
    }

    /// The patterns that are looked for, by their columns.
    fn patterns(condition: &str) -> Vec<(String, String)> {
        fn of(expr: &Expr, into: &mut Vec<(String, String)>) {
            match expr {
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                    of(left, into);
                    of(right, into);
                }
                Expr::ScalarFunction(call) => {
                    let Expr::Column(column) = &call.args[0] else { panic!("{expr}") };
                    into.push((column.name.clone(), pattern_of(&call.func).unwrap().to_owned()));
                }
                other => panic!("{other}"),
            }
        }
        let mut all = Vec::new();
        needed(&planned(condition), &CLOUDTRAIL).iter().for_each(|expr| of(expr, &mut all));
        all
    }

    #[test]
    fn what_is_needed_is_the_longest_text_that_json_has_as_it_is() {
        for (condition, pattern) in [
            ("requestParameters ->> 'a' = 'x/name'", r"name|\\u"),
            ("'name' = requestParameters ->> 'a'", r"name|\\u"),
            ("requestParameters ->> 'a' IN ('one', 'three', 'seven', 'eleven')", r"eleven|one|seven|three|\\u"),
            ("requestParameters ->> 'a' LIKE '%acs.amazonaws.com/groups/A%'", r"acs\.amazonaws\.com|\\u"),
            ("regexp_like(requestParameters ->> 'a', ':role/(Admin|Power)$')", r"Admin|Power|\\u"),
            ("requestParameters ->> 'a' ~ '^(index|home).*'", r"home|index|\\u"),
            ("json_contains(requestParameters, 'x-amz-acl')", r#""x\-amz\-acl"|\\u"#),
            ("requestParameters ->> 'a' = 'name' AND requestParameters ->> 'b' = 'longer'", r"longer|\\u"),
        ] {
            assert_eq!(patterns(condition), [("requestparameters".to_owned(), pattern.to_owned())], "{condition}");
        }
        let both = patterns("requestParameters ->> 'a' = 'name' OR responseElements ->> 'b' = 'longer'");
        let columns: Vec<&str> = both.iter().map(|(column, _)| column.as_str()).collect();
        assert_eq!(columns, ["requestparameters", "responseelements"]);
    }

    #[test]
    fn where_other_text_may_do_nothing_is_needed() {
        for condition in [
            "requestParameters ->> 'a' <> 'name'",
            "NOT (requestParameters ->> 'a' = 'name')",
            "requestParameters ->> 'a' = 'name' OR readOnly",
            "requestParameters ->> 'a' = 'name' OR requestParameters ->> 'b' = 'x'",
            "requestParameters ->> 'a' = '1e400'",
            "requestParameters ->> 'a' = '123456'",
            "requestParameters ->> 'a' = '\"/\\'",
            r"requestParameters ->> 'a' LIKE 'na\_me'",
            "requestParameters ->> 'a' ILIKE '%name%'",
            "regexp_like(requestParameters ->> 'a', 'a.*b')",
            "NOT regexp_like(requestParameters ->> 'a', 'name')",
            "lower(requestParameters ->> 'a') = 'name'",
            "replace(requestParameters ->> 'a', '-', '') = 'name'",
            "coalesce(requestParameters ->> 'a', 'name') = 'name'",
            "userAgent = 'name'",
        ] {
            assert_eq!(patterns(condition), [], "{condition}");
        }
    }

    /// JSON whose values are written plainly and otherwise.
    fn some_text() -> impl Strategy<Value = Option<String>> {
        let value = prop::sample::select(vec![
            r#""name""#,
            r#""n\u0061me""#,
            r#""x\/name""#,
            r#""x/name""#,
            r#""NAME""#,
            "null",
            "7",
            "true",
            r#"["name"]"#,
            r#"{"a": "name"}"#,
            r#""role/Admin""#,
            r#""role\/\u0041dmin""#,
            r#""""#,
        ]);
        let key = prop::sample::select(vec!["a", "b", r"\u0061", "name", "x-name", r"x\u002dname"]);
        let object = prop::collection::vec((key, value), 0..4).prop_map(|pairs| {
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        });
        prop::option::weighted(0.9, object)
    }

    proptest! {
        #[test]
        fn what_is_needed_holds_wherever_the_condition_does(texts in prop::collection::vec(some_text(), 1..12)) {
            let texts: StringViewArray = texts.into_iter().collect();
            for condition in [
                "requestParameters ->> 'a' = 'name'",
                "requestParameters ->> 'a' = 'x/name'",
                "requestParameters ->> 'a' IN ('name', 'true', 'role/Admin', 'other')",
                "requestParameters ->> 'a' LIKE '%name%'",
                "regexp_like(requestParameters ->> 'a', '(?i)name$')",
                "regexp_like(requestParameters ->> 'a', 'role/(Admin|Power)')",
                "json_contains(requestParameters, 'x-name')",
                "json_contains(requestParameters, 'name') OR requestParameters ->> 'b' = 'name'",
            ] {
                let condition = planned(condition);
                let needed = needed(&condition, &CLOUDTRAIL).unwrap();
                let mut leaves = Leaves::new(&CLOUDTRAIL);
                let mut truth = |expr: Expr| {
                    let program = Program::new(&mut leaves, &[expr]).unwrap();
                    program.run_on(vec![Arc::new(texts.clone())], texts.len()).unwrap().remove(0)
                };
                let (condition, needed) = (truth(condition), truth(needed));
                for row in 0..texts.len() {
                    let is_true = |all: &ArrayRef| all.as_boolean().iter().nth(row).flatten() == Some(true);
                    prop_assert!(!is_true(&condition) || is_true(&needed), "{:?}", texts.value(row));
                }
            }
        }
    }
}
