//! Rows of an answer → lines of CSV, in which a null is nothing and a text that is empty `""`, as Athena and COPY write them.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::Schema;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::is_text;
use crate::sink::csv::neutralized;

/// The names of the columns.
pub fn header(schema: &Schema) -> String {
    let mut line = String::new();
    for (place, field) in schema.fields().iter().enumerate() {
        add(place, Some(field.name()), &mut line);
    }
    line + "\n"
}

/// Nested values are texts, for CSV has none, and no text is a formula: attackers choose user agents and names.
///
/// # Errors
/// When a value has no text.
pub fn rows(batch: &RecordBatch) -> anyhow::Result<String> {
    let options = FormatOptions::default();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for column in batch.columns() {
        let may_be_formula = column.data_type().is_nested() || is_text(column.data_type());
        columns.push((ArrayFormatter::try_new(column, &options)?, column.logical_nulls(), may_be_formula));
    }
    let (mut lines, mut text) = (String::new(), String::new());
    for row in 0..batch.num_rows() {
        for (place, (shown, nulls, may_be_formula)) in columns.iter().enumerate() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                add(place, None, &mut lines);
                continue;
            }
            text.clear();
            shown.value(row).write(&mut text)?;
            if *may_be_formula {
                text = neutralized(&text);
            }
            add(place, Some(&text), &mut lines);
        }
        // readers pass over a line of nothing, which would be a row of one column that is null
        if columns.len() == 1 && (lines.is_empty() || lines.ends_with('\n')) {
            lines.push_str("\"\"");
        }
        lines.push('\n');
    }
    Ok(lines)
}

fn add(place: usize, text: Option<&str>, line: &mut String) {
    if place > 0 {
        line.push(',');
    }
    match text {
        Some(text) if text.is_empty() || text.contains([',', '"', '\n', '\r']) => {
            line.push('"');
            line.push_str(&text.replace('"', "\"\""));
            line.push('"');
        }
        Some(text) => line.push_str(text),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::{Int32Type, Int64Type};

    use super::*;

    fn check(columns: Vec<(&str, ArrayRef)>, expected: &str) {
        let batch =
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)));
        let batch = batch.unwrap();
        assert_eq!(header(&batch.schema()) + &rows(&batch).unwrap(), expected);
    }

    #[test]
    fn a_formula_is_neutralized_and_a_number_is_not() {
        let symbols: DictionaryArray<Int32Type> = [Some("@SUM(1)"), None, Some("boto3")].into_iter().collect();
        check(
            vec![
                ("agent", Arc::new(symbols)),
                ("name", Arc::new(StringViewArray::from(vec![Some("=1+1"), Some("a=b"), None]))),
                ("n", Arc::new(Int64Array::from(vec![-1, 2, 3]))),
            ],
            "agent,name,n\n'@SUM(1),'=1+1,-1\n,a=b,2\nboto3,,3\n",
        );
    }

    #[test]
    fn an_empty_text_is_no_null() {
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), Some(2)]), None]);
        check(
            vec![
                ("a,b", Arc::new(StringArray::from(vec![Some(""), None]))),
                ("c", Arc::new(StringArray::from(vec![Some("he said \"no\""), Some("two\nlines")]))),
                ("d", Arc::new(lists)),
            ],
            "\"a,b\",c,d\n\"\",\"he said \"\"no\"\"\",\"[1, 2]\"\n,\"two\nlines\",\n",
        );
    }

    #[test]
    fn no_row_is_an_empty_line() {
        check(
            vec![("a", Arc::new(StringArray::from(vec![None, Some(""), Some("x"), None])))],
            "a\n\"\"\n\"\"\nx\n\"\"\n",
        );
    }
}
