//! `CAST(json AS ARRAY(ROW(id VARCHAR)))` and the like: the text of such a type → its columns, and JSON text → values of it.

use std::sync::Arc;

use anyhow::bail;
use arrow::array::{Array, ArrayRef, MapBuilder, MapFieldNames, StringArray, StringBuilder, new_null_array};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::json::ReaderBuilder;
use serde_json::{Map, Value};

/// A type of Athena that JSON is cast to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    /// Any JSON, as its text.
    Json,
    Int,
    Float,
    Bool,
    Time,
    Date,
    List(Box<Shape>),
    Map(Box<Shape>),
    Row(Vec<(String, Shape)>),
}

impl Shape {
    /// # Errors
    /// When the text is no type that JSON can be cast to, which it names.
    pub fn parse(text: &str) -> anyhow::Result<Shape> {
        let text = text.trim();
        let end = text.find(['(', '<']).unwrap_or(text.len());
        let (name, inner) = text.split_at(end);
        let inner = inner.strip_prefix(['(', '<']).and_then(|inner| inner.strip_suffix([')', '>']));
        let name = name.trim().to_ascii_lowercase();
        Ok(match (name.as_str(), inner) {
            ("varchar" | "char" | "string", _) | ("ipaddress" | "uuid", None) => Shape::Text,
            ("json", None) => Shape::Json,
            ("bigint" | "integer" | "int" | "smallint" | "tinyint", None) => Shape::Int,
            ("double" | "real" | "float", None) | ("decimal", _) => Shape::Float,
            ("boolean", None) => Shape::Bool,
            ("timestamp", _) => Shape::Time,
            ("date", None) => Shape::Date,
            ("array", Some(item)) => Shape::List(Box::new(Shape::parse(item)?)),
            ("map", Some(inner)) => match parts(inner).as_slice() {
                [key, value] if Shape::parse(key)? == Shape::Text => Shape::Map(Box::new(Shape::parse(value)?)),
                _ => bail!("the keys of JSON are texts: MAP(VARCHAR, JSON), not `{text}`"),
            },
            ("row" | "struct", Some(inner)) => {
                Shape::Row(parts(inner).into_iter().map(field).collect::<Result<_, _>>()?)
            }
            _ => bail!(
                "JSON cannot be cast to `{text}`; it can to VARCHAR, BIGINT, DOUBLE, BOOLEAN, ARRAY(JSON), MAP(VARCHAR, JSON) or ROW(name VARCHAR)"
            ),
        })
    }

    pub fn data_type(&self) -> DataType {
        match self {
            Shape::Text | Shape::Json => DataType::Utf8,
            Shape::Int => DataType::Int64,
            Shape::Float => DataType::Float64,
            Shape::Bool => DataType::Boolean,
            Shape::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Shape::Date => DataType::Date32,
            Shape::List(item) => DataType::List(Arc::new(Field::new_list_field(item.data_type(), true))),
            Shape::Map(value) => map_type(DataType::Utf8, value.data_type()),
            Shape::Row(fields) => {
                DataType::Struct(fields.iter().map(|(name, shape)| Field::new(name, shape.data_type(), true)).collect())
            }
        }
    }

    /// Values of texts with JSON in them; null where a text has none, or other JSON than the type asks for.
    ///
    /// # Errors
    /// When a time cannot be read.
    pub fn read(&self, texts: &StringArray) -> anyhow::Result<ArrayRef> {
        if texts.is_empty() {
            return Ok(new_null_array(&self.data_type(), 0));
        }
        if let Shape::Map(value) = self
            && matches!(**value, Shape::Text | Shape::Json)
        {
            return value.read_maps(texts);
        }
        let value = |text: Option<&str>| {
            let json = text.and_then(|text| serde_json::from_str(text).ok());
            json.map_or(Value::Null, |json| self.fit(json))
        };
        let values: Vec<Value> = texts.iter().map(value).collect();
        let field = Arc::new(Field::new("value", self.data_type(), true));
        let mut decoder = ReaderBuilder::new_with_field(field).with_batch_size(values.len()).build_decoder()?;
        decoder.serialize(&values)?;
        match decoder.flush()? {
            Some(rows) => Ok(rows.column(0).clone()),
            None => bail!("no row was made of {} texts", values.len()),
        }
    }

    /// Maps of texts, as what the decoder makes of them, without a copy of each for it.
    fn read_maps(&self, texts: &StringArray) -> anyhow::Result<ArrayRef> {
        let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
        let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        for text in texts {
            let object: Option<Map<String, Value>> = text.and_then(|text| serde_json::from_str(text).ok());
            let is_object = object.is_some();
            for (key, json) in object.into_iter().flatten() {
                maps.keys().append_value(key);
                match self.fit(json) {
                    Value::String(text) => maps.values().append_value(text),
                    _ => maps.values().append_null(),
                }
            }
            maps.append(is_object)?;
        }
        Ok(Arc::new(maps.finish()))
    }

    /// The JSON as this type has it. Names of fields are found in any case, as Athena finds them.
    fn fit(&self, json: Value) -> Value {
        match (self, json) {
            (_, Value::Null) => Value::Null,
            (Shape::Json, json) => Value::String(json.to_string()),
            (Shape::Text | Shape::Time | Shape::Date, Value::String(text)) => Value::String(text),
            (Shape::Text, json) => Value::String(json.to_string()),
            (Shape::Int, Value::Number(number)) if number.is_i64() => Value::Number(number),
            (Shape::Int, Value::Number(number)) => {
                number.as_f64().map_or(Value::Null, |real| Value::from(real.round() as i64))
            }
            (Shape::Int, Value::String(text)) => text.trim().parse::<i64>().map_or(Value::Null, Value::from),
            (Shape::Float, Value::Number(number)) => Value::Number(number),
            (Shape::Float, Value::String(text)) => text.trim().parse::<f64>().map_or(Value::Null, Value::from),
            (Shape::Bool, Value::Bool(truth)) => Value::Bool(truth),
            (Shape::Bool, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => Value::Null,
            },
            (Shape::List(item), Value::Array(items)) => items.into_iter().map(|json| item.fit(json)).collect(),
            (Shape::Map(value), Value::Object(object)) => {
                Value::Object(object.into_iter().map(|(key, json)| (key, value.fit(json))).collect())
            }
            (Shape::Row(fields), Value::Object(object)) => {
                let mut row = Map::new();
                for (key, json) in object {
                    if let Some((name, shape)) = fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&key)) {
                        row.insert(name.clone(), shape.fit(json));
                    }
                }
                Value::Object(row)
            }
            (Shape::Row(fields), Value::Array(items)) => {
                let row = fields.iter().zip(items).map(|((name, shape), json)| (name.clone(), shape.fit(json)));
                Value::Object(row.collect())
            }
            _ => Value::Null,
        }
    }
}

pub fn map_type(key: DataType, value: DataType) -> DataType {
    let fields = vec![Field::new("key", key, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
}

/// The names of the fields of the rows of a list: `ARRAY(ROW(a VARCHAR, b BIGINT))`.
pub fn row_fields(text: &str) -> Option<Vec<String>> {
    match Shape::parse(text).ok()? {
        Shape::List(item) => match *item {
            Shape::Row(fields) => Some(fields.into_iter().map(|(name, _)| name).collect()),
            _ => None,
        },
        _ => None,
    }
}

/// `name VARCHAR`, or `name: VARCHAR` as Hive has it; a name without quotes is in lower case.
fn field(text: &str) -> anyhow::Result<(String, Shape)> {
    let text = text.trim();
    if let Some((name, kind)) = text.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        return Ok((name.to_owned(), Shape::parse(kind.trim_start_matches(':'))?));
    }
    let Some((name, kind)) = text.split_once([' ', ':', '\t', '\n']) else {
        bail!("each field of a ROW has a name and a type: ROW(name VARCHAR), not `{text}`")
    };
    Ok((name.to_ascii_lowercase(), Shape::parse(kind)?))
}

/// What stands between the commas that are in no brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0_i32, 0, Vec::new());
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use arrow::util::display::array_value_to_string;

    use super::*;

    fn read(kind: &str, text: &str) -> String {
        let values = Shape::parse(kind).unwrap().read(&StringArray::from(vec![Some(text)])).unwrap();
        if values.is_null(0) { "null".to_owned() } else { array_value_to_string(&values, 0).unwrap() }
    }

    #[test]
    fn json_is_what_its_type_says() {
        for (kind, text, expected) in [
            (
                "ARRAY(ROW(instanceId VARCHAR, n BIGINT))",
                r#"[{"instanceId":"i-1","n":"7","x":1},{}]"#,
                "[{instanceid: i-1, n: 7}, {instanceid: , n: }]",
            ),
            ("MAP(VARCHAR, JSON)", r#"{"b":{"c":[1]},"a":"x"}"#, r#"{b: {"c":[1]}, a: "x"}"#),
            ("MAP(VARCHAR, VARCHAR)", r#"{"b":{"c":[1]},"a":"x","n":null,"b":2}"#, "{b: 2, a: x, n: }"),
            ("MAP(VARCHAR, VARCHAR)", "[1]", "null"),
            ("MAP(VARCHAR, VARCHAR)", "null", "null"),
            ("map<varchar(9), array<integer>>", r#"{"a":[1,2.6,"x"]}"#, "{a: [1, 3, ]}"),
            ("ROW(\"aB\" DOUBLE, c BOOLEAN)", r#"["1.5","TRUE"]"#, "{aB: 1.5, c: true}"),
            ("ARRAY(VARCHAR)", r#"{"a":1}"#, "null"),
            ("ARRAY(VARCHAR)", "no json", "null"),
            ("ARRAY(VARCHAR)", r#"["x",1,{"a":1}]"#, r#"[x, 1, {"a":1}]"#),
        ] {
            assert_eq!(read(kind, text), expected, "{kind}");
        }
    }

    #[test]
    fn a_type_that_json_cannot_have_is_named() {
        for (kind, expected) in [
            ("MAP(BIGINT, JSON)", "the keys of JSON are texts"),
            ("ARRAY(BLOB)", "cannot be cast to `BLOB`"),
            ("ROW(VARCHAR)", "has a name and a type"),
        ] {
            let error = Shape::parse(kind).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(row_fields("ARRAY(ROW(a VARCHAR, \"B\" JSON))"), Some(vec!["a".to_owned(), "B".to_owned()]));
    }
}
