//! A regular expression that a query spells out → the same match with the expression compiled once, when it is first asked.

use std::any::Any;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, Weak};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use hashbrown::HashTable;
use regex::Regex;

use crate::detect::alike::{Alike, hash};

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
            [text, pattern, Expr::Literal(flags, _)] => match flags.try_as_str().flatten() {
                // as DataFusion has them
                Some(flags) if !flags.is_empty() => {
                    compiled(text, pattern, &format!("(?{flags})"), false).unwrap_or(expr)
                }
                _ => expr,
            },
            _ => expr,
        },
        _ => expr,
    }
}

/// Whether [`compile_once`] has something to look at.
pub fn is_match(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => matches!(
            op,
            Operator::RegexMatch | Operator::RegexIMatch | Operator::RegexNotMatch | Operator::RegexNotIMatch
        ),
        Expr::ScalarFunction(call) => call.func.name() == "regexp_like" && call.args.len() > 1,
        _ => false,
    }
}

/// The constant pattern of a match that takes more memory than a compiled one may have: each row that it is asked of would fail, and each
/// time take as long as compiling does. [`compile_once`] has left such a match as it was.
pub fn too_big(expr: &Expr) -> Option<&str> {
    let (pattern, flags) = match expr {
        Expr::BinaryExpr(BinaryExpr { op: Operator::RegexIMatch | Operator::RegexNotIMatch, right, .. }) => {
            (right.as_ref(), "(?i)")
        }
        Expr::BinaryExpr(BinaryExpr { right, .. }) if is_match(expr) => (right.as_ref(), ""),
        Expr::ScalarFunction(call) if is_match(expr) => (call.args.get(1)?, ""),
        _ => return None,
    };
    let Expr::Literal(pattern, _) = pattern else { return None };
    let pattern = pattern.try_as_str().flatten()?;
    let is_small = pattern.len() <= SMALL_LEN && !pattern.contains('{');
    let is_too_big = || matches!(Regex::new(&format!("{flags}{pattern}")), Err(regex::Error::CompiledTooBig(_)));
    (!is_small && is_too_big()).then_some(pattern)
}

fn compiled(text: &Expr, pattern: &Expr, flags: &str, negated: bool) -> Option<Expr> {
    let Expr::Literal(pattern, _) = pattern else { return None };
    let pattern = shared(format!("{flags}{}", pattern.try_as_str().flatten()?))?;
    let function = Matches { pattern, negated, signature: Signature::any(1, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::new_from_impl(function));
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![text.clone()])))
}

/// What a function that [`compile_once`] made matches; `None` of other functions, and of one that is true where nothing matches.
pub fn pattern_of(function: &ScalarUDF) -> Option<&str> {
    let matches = (function.inner().as_ref() as &dyn Any).downcast_ref::<Matches>()?;
    (!matches.negated).then_some(&matches.pattern.text)
}

/// An expression that can be compiled, and is once a row is asked: of most rules none ever is, and compiled ones take a
/// third of the memory of all rules.
#[derive(Debug)]
struct Pattern {
    text: String,
    compiled: OnceLock<Result<Regex, regex::Error>>,
}

/// An expression up to so long that repeats nothing a number of times stays far below the size at which compiling fails.
const SMALL_LEN: usize = 256;

impl Pattern {
    /// `None` where it cannot be compiled.
    fn new(text: String) -> Option<Pattern> {
        let pattern = Pattern { text, compiled: OnceLock::new() };
        if pattern.text.len() <= SMALL_LEN && !pattern.text.contains('{') {
            regex_syntax::parse(&pattern.text).ok()?;
        } else {
            pattern.regex().ok()?;
        }
        Some(pattern)
    }

    fn regex(&self) -> Result<&Regex> {
        let compiled = self.compiled.get_or_init(|| Regex::new(&self.text));
        compiled.as_ref().map_err(|error| exec_datafusion_err!("{} cannot be compiled: {error}", self.text))
    }
}

/// Many rules ask for the same expression, and to compile one takes as long as to plan a small rule.
fn shared(text: String) -> Option<Arc<Pattern>> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Weak<Pattern>>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pattern) = known().get(&text).and_then(Weak::upgrade) {
        return Some(pattern);
    }
    let pattern = Arc::new(Pattern::new(text.clone())?);
    let mut known = known();
    // what nobody asks for any more: now and then, since rules may be read anew for as long as the process runs
    if known.len() == known.capacity() {
        known.retain(|_, pattern| pattern.strong_count() > 0);
    }
    known.insert(text, Arc::downgrade(&pattern));
    Some(pattern)
}

/// True where the text matches; null where it is null.
#[derive(Debug)]
struct Matches {
    pattern: Arc<Pattern>,
    negated: bool,
    signature: Signature,
}

impl PartialEq for Matches {
    fn eq(&self, other: &Matches) -> bool {
        (&self.pattern.text, self.negated) == (&other.pattern.text, other.negated)
    }
}

impl Eq for Matches {}

impl Hash for Matches {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.pattern.text, self.negated).hash(state);
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
        if let Some(symbols) = texts.as_any_dictionary_opt()
            && symbols.values().len() <= symbols.len()
        {
            let truth = take(&self.matches(symbols.values())?, symbols.keys(), None)?;
            return Ok(ColumnarValue::Array(truth));
        }
        Ok(ColumnarValue::Array(Arc::new(self.matches(&texts)?)))
    }
}

impl Matches {
    fn matches(&self, texts: &ArrayRef) -> Result<BooleanArray> {
        let texts = cast(texts, &DataType::Utf8View)?;
        let texts: &StringViewArray = texts.as_string_view();
        let regex = self.pattern.regex()?;
        // columns of logs repeat: most texts are ones that were just asked of
        let (mut known, mut repeats) = (HashTable::<(&str, bool)>::new(), texts.len() >= REPEAT_ROWS_MIN);
        let matches = |row| {
            if texts.is_null(row) {
                return false;
            }
            let text = texts.value(row);
            let ask = || regex.is_match(text) != self.negated;
            if !repeats {
                return ask();
            }
            let hash = hash(text);
            if let Some((_, truth)) = known.find(hash, |(known, _)| *known == text) {
                return *truth;
            }
            let truth = ask();
            known.insert_unique(hash, (text, truth), |(known, _)| self::hash(known));
            repeats = !Alike::differ(known.len(), row + 1);
            truth
        };
        let truth = BooleanBuffer::collect_bool(texts.len(), matches);
        Ok(BooleanArray::new(truth, texts.nulls().cloned()))
    }
}

/// Of fewer texts each is asked of.
const REPEAT_ROWS_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, StringArray};
    use arrow::datatypes::{Field, Int32Type};
    use datafusion::common::config::ConfigOptions;
    use datafusion::prelude::{col, lit};

    use super::*;

    fn told(texts: ArrayRef, negated: bool) -> Vec<Option<bool>> {
        let function = Matches {
            pattern: shared("^a|b$".to_owned()).unwrap(),
            negated,
            signature: Signature::any(1, Volatility::Immutable),
        };
        let args = ScalarFunctionArgs {
            arg_fields: vec![Arc::new(Field::new("t", texts.data_type().clone(), true))],
            number_rows: texts.len(),
            args: vec![ColumnarValue::Array(texts)],
            return_field: Arc::new(Field::new("m", DataType::Boolean, true)),
            config_options: Arc::new(ConfigOptions::default()),
        };
        let ColumnarValue::Array(truth) = function.invoke_with_args(args).unwrap() else { panic!("an array goes in") };
        truth.as_boolean().iter().collect()
    }

    #[test]
    fn flags_are_compiled_with_the_expression() {
        let compiled = |flags: &str| {
            let args = vec![col("t"), lit("^A"), lit(flags)];
            let call = ScalarFunction::new_udf(datafusion::functions::regex::regexp_like(), args);
            match compile_once(Expr::ScalarFunction(call)) {
                Expr::ScalarFunction(call) => (call.func.inner().as_ref() as &dyn Any)
                    .downcast_ref::<Matches>()
                    .map(|matches| matches.pattern.text.clone()),
                other => panic!("{other}"),
            }
        };
        let found = ["i", "im", "", "g", "?"].map(compiled);
        // what DataFusion refuses, or does otherwise, is left to it
        assert_eq!(found, [Some("(?i)^A".to_owned()), Some("(?im)^A".to_owned()), None, None, None]);
    }

    #[test]
    fn the_same_expression_is_compiled_once() {
        let [one, other, third] =
            ["^shared$", "^shared$", "^shared$|x"].map(|pattern| shared(pattern.to_owned()).unwrap());
        assert!(Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &third));
        assert!(shared("(".to_owned()).is_none());
        assert!([&one, &third].iter().all(|pattern| pattern.compiled.get().is_none()), "nobody has asked yet");
        assert!(one.regex().unwrap().is_match("shared"));
    }

    #[test]
    fn what_is_too_large_to_compile_is_known_before_it_is_asked() {
        for pattern in [r"(\w{99}){99}".to_owned(), format!("{}x{{1}}", r"\w".repeat(2000))] {
            assert!(Regex::new(&pattern).is_err() && shared(pattern.clone()).is_none(), "{pattern}");
        }
        // the largest that is not tried
        let classes = format!("(?i){}", r"\W".repeat((SMALL_LEN - 4) / 2));
        assert!(Regex::new(&classes).is_ok());
    }

    #[test]
    fn each_row_is_told_what_its_text_is_whether_or_not_texts_repeat() {
        let texts = [Some("ax"), Some("x"), None, Some("xb"), Some("x"), Some("ax"), Some(""), None, Some("é")];
        let many: Vec<Option<String>> =
            (0..200).map(|n| (n % 7 > 0).then(|| format!("{n}b")[..n % 3].to_owned())).collect();
        for texts in [texts.map(|text| text.map(str::to_owned)).to_vec(), many] {
            for negated in [false, true] {
                let is_match = |text: &String| (text.starts_with('a') || text.ends_with('b')) != negated;
                let expected: Vec<Option<bool>> = texts.iter().map(|text| text.as_ref().map(is_match)).collect();
                let texts = texts.iter().map(Option::as_deref);
                let symbols: DictionaryArray<Int32Type> = texts.clone().collect();
                let columns: [ArrayRef; 3] = [
                    Arc::new(texts.clone().collect::<StringArray>()),
                    Arc::new(texts.collect::<StringViewArray>()),
                    Arc::new(symbols),
                ];
                for column in columns {
                    assert_eq!(told(column, negated), expected);
                }
            }
        }
    }
}
