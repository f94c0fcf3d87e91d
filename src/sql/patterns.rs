//! Athena's functions over every place where a pattern holds: `regexp_extract_all(text, pattern[, group])` and
//! `regexp_split(text, pattern)`.

use std::sync::Arc;

use arrow::array::{AsArray, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, exec_datafusion_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use regex::Regex;

use super::maps::texts;

pub fn all() -> Vec<ScalarUDF> {
    [What::Extract, What::Split]
        .map(|what| {
            let signature = Signature::variadic_any(Volatility::Immutable);
            ScalarUDF::new_from_impl(EveryPlace { what, signature })
        })
        .into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    /// What holds, or a group of it.
    Extract,
    /// What stands between.
    Split,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct EveryPlace {
    what: What,
    signature: Signature,
}

impl ScalarUDFImpl for EveryPlace {
    fn name(&self) -> &str {
        match self.what {
            What::Extract => "regexp_extract_all",
            What::Split => "regexp_split",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> Result<DataType> {
        match (self.what, args.len()) {
            (_, 2) | (What::Extract, 3) => Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)))),
            (What::Extract, _) => {
                plan_err!("regexp_extract_all takes a text, a pattern and, it may be, the number of a group")
            }
            (What::Split, _) => plan_err!("regexp_split takes a text and a pattern"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let texts: StringArray = texts(&args.args[0].to_array(args.number_rows)?)?;
        let Some(pattern) = constant(&args.args[1]).transpose()? else {
            return plan_err!("the pattern of {} is a text constant", self.name());
        };
        let group = match args.args.get(2) {
            None => 0,
            Some(group) => {
                let group = group.cast_to(&DataType::Int64, None)?.to_array(1)?;
                usize::try_from(group.as_primitive::<Int64Type>().value(0))
                    .ok()
                    .filter(|&group| group < pattern.captures_len())
                    .ok_or_else(|| {
                        plan_datafusion_err!(
                            "the pattern {pattern} of {} has {} groups",
                            self.name(),
                            pattern.captures_len() - 1
                        )
                    })?
            }
        };
        let mut lists = ListBuilder::new(StringBuilder::new());
        for text in &texts {
            let Some(text) = text else {
                lists.append(false);
                continue;
            };
            match self.what {
                What::Extract => pattern.captures_iter(text).for_each(|found| {
                    lists.values().append_option(found.get(group).map(|found| found.as_str()));
                }),
                What::Split => pattern.split(text).for_each(|part| lists.values().append_value(part)),
            }
            lists.append(true);
        }
        Ok(ColumnarValue::Array(Arc::new(lists.finish())))
    }
}

fn constant(pattern: &ColumnarValue) -> Option<Result<Regex>> {
    let ColumnarValue::Scalar(pattern) = pattern else { return None };
    let pattern = pattern.try_as_str()??;
    Some(Regex::new(pattern).map_err(|error| exec_datafusion_err!("the pattern {pattern} cannot be read: {error}")))
}
