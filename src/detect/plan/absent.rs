//! A call that reads a value of JSON by its path → the same call, asked only of texts that have the path's keys in them.
//!
//! Most events have few of the parameters that rules ask for, and to look for the letters of a key is cheaper than to read JSON to its end.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringViewArray, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExpressionPlacement, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use memchr::memmem::Finder;

/// Functions of datafusion-functions-json that are null where the path leads nowhere.
const NULL_WHERE_ABSENT: [&str; 7] = [
    "json_as_text",
    "json_get_array",
    "json_get_bool",
    "json_get_float",
    "json_get_int",
    "json_get_json",
    "json_get_str",
];

/// Replaces a call whose path has keys that are spelled out. Anything else comes back as it is, one that was replaced too.
pub fn where_present(expr: Expr) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr else { return Transformed::no(expr) };
    let key = |arg: &Expr| match arg {
        Expr::Literal(key, _) => key.try_as_str().flatten().and_then(quoted),
        _ => None,
    };
    let keys: Vec<Finder<'static>> = args.iter().skip(1).filter_map(key).collect();
    let is_one = (func.inner().as_ref() as &dyn Any).is::<WherePresent>();
    if is_one || keys.is_empty() || !NULL_WHERE_ABSENT.contains(&func.name()) {
        return Transformed::no(expr);
    }
    let present = WherePresent { inner: func.clone(), keys, escape: Finder::new(r"\u") };
    let call = ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(present)), args.clone());
    Transformed::yes(Expr::ScalarFunction(call))
}

/// What stands in the JSON where a key does. A key of ASCII can be written otherwise by `\u` alone, unless it has a quote, a slash or a
/// backslash; other keys are left alone.
fn quoted(key: &str) -> Option<Finder<'static>> {
    let is_plain = |byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'/' | b'\\');
    let plain = !key.is_empty() && key.bytes().all(is_plain);
    plain.then(|| Finder::new(&format!("\"{key}\"")).into_owned())
}

#[derive(Debug)]
struct WherePresent {
    inner: Arc<ScalarUDF>,
    keys: Vec<Finder<'static>>,
    escape: Finder<'static>,
}

/// The keys are among the arguments of a call, which are compared too.
impl PartialEq for WherePresent {
    fn eq(&self, other: &WherePresent) -> bool {
        self.inner == other.inner
    }
}

impl Eq for WherePresent {}

impl Hash for WherePresent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl WherePresent {
    fn may_have(&self, json: &str) -> bool {
        let json = json.as_bytes();
        self.keys.iter().all(|key| key.find(json).is_some()) || self.escape.find(json).is_some()
    }
}

impl ScalarUDFImpl for WherePresent {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.placement(args)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(ColumnarValue::Array(json)) = args.args.first() else { return self.inner.invoke_with_args(args) };
        let Some(texts): Option<&StringViewArray> = json.as_string_view_opt() else {
            return self.inner.invoke_with_args(args);
        };
        let may = |row: &u32| texts.is_valid(*row as usize) && self.may_have(texts.value(*row as usize));
        let rows: Vec<u32> = (0..texts.len() as u32).filter(may).collect();
        if rows.len() == texts.len() {
            return self.inner.invoke_with_args(args);
        }
        if rows.is_empty() {
            return Ok(ColumnarValue::Array(new_null_array(args.return_field.data_type(), texts.len())));
        }
        let mut places = vec![None; texts.len()];
        rows.iter().enumerate().for_each(|(place, row)| places[*row as usize] = Some(place as u32));
        let some = take(json, &UInt32Array::from(rows), None)?;
        let count = some.len();
        args.number_rows = count;
        args.args[0] = ColumnarValue::Array(some);
        let found = self.inner.invoke_with_args(args)?.into_array(count)?;
        Ok(ColumnarValue::Array(take(&found, &UInt32Array::from(places), None)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::ArrayRef;
    use datafusion::common::ScalarValue;
    use datafusion::common::config::ConfigOptions;
    use datafusion::logical_expr::{col, lit};
    use proptest::prelude::*;

    use super::*;

    fn call(name: &str, path: &[ScalarValue]) -> Expr {
        let mut session = datafusion::execution::SessionStateBuilder::new().build();
        datafusion_functions_json::register_all(&mut session).unwrap();
        let args = std::iter::once(col("j")).chain(path.iter().map(|step| lit(step.clone()))).collect();
        Expr::ScalarFunction(ScalarFunction::new_udf(session.scalar_functions()[name].clone(), args))
    }

    fn answer(call: &Expr, texts: &StringViewArray) -> ArrayRef {
        let Expr::ScalarFunction(call) = call else { panic!("a call goes in") };
        let mut args: Vec<ColumnarValue> = vec![ColumnarValue::Array(Arc::new(texts.clone()))];
        for arg in &call.args[1..] {
            let Expr::Literal(step, _) = arg else { panic!("paths are spelled out") };
            args.push(ColumnarValue::Scalar(step.clone()));
        }
        let kinds: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
        let field = |kind: &DataType| Arc::new(arrow::datatypes::Field::new("a", kind.clone(), true));
        let args = ScalarFunctionArgs {
            arg_fields: kinds.iter().map(field).collect(),
            number_rows: texts.len(),
            args,
            return_field: field(&call.func.return_type(&kinds).unwrap()),
            config_options: Arc::new(ConfigOptions::default()),
        };
        call.func.invoke_with_args(args).unwrap().into_array(texts.len()).unwrap()
    }

    /// JSON, whole and broken, in which keys stand where they count, where they do not, and in other spellings.
    fn some_text() -> impl Strategy<Value = Option<String>> {
        let value = prop::sample::select(vec![
            "1",
            "\"k\"",
            "null",
            "true",
            "[1, \"k\"]",
            "{\"k\": {\"in\": 2.5}}",
            "\"\\\"k\\\":\"",
        ]);
        let key = prop::sample::select(vec!["k", "in", "other", "\\u006b", "K", "k2", "\\u0069n"]);
        let object = prop::collection::vec((key, value), 0..4).prop_map(|pairs| {
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        });
        let cut = (object, any::<prop::sample::Index>(), any::<bool>())
            .prop_map(|(text, at, whole)| if whole { text } else { text[..at.index(text.len())].to_owned() });
        prop::option::weighted(0.9, cut)
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_the_function_finds(texts in prop::collection::vec(some_text(), 0..12)) {
            let texts: StringViewArray = texts.into_iter().collect();
            let (key, inner) = (ScalarValue::from("k"), ScalarValue::from("in"));
            for name in NULL_WHERE_ABSENT {
                for path in [vec![key.clone()], vec![key.clone(), inner.clone()], vec![key.clone(), ScalarValue::Int64(Some(1))]] {
                    let call = call(name, &path);
                    let other = where_present(call.clone()).data;
                    let replaced = format!("{other:?}").contains("WherePresent");
                    prop_assert!(replaced);
                    prop_assert_eq!(&where_present(other.clone()).data, &other);
                    prop_assert_eq!(&answer(&other, &texts), &answer(&call, &texts), "{} {:?} {:?}", name, path, texts);
                }
            }
        }
    }

    #[test]
    fn what_is_null_or_false_for_another_reason_is_left_alone() {
        let key = |key: &str| vec![ScalarValue::from(key)];
        for call in [
            call("json_contains", &key("k")),
            call("json_get_str", &key("a/b")),
            call("json_get_str", &key("é")),
            call("json_get_str", &[ScalarValue::Int64(Some(0))]),
        ] {
            assert_eq!(where_present(call.clone()).data, call);
        }
    }
}
