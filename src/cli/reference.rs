//! The `[reference.NAME]` sections → the lists that rules ask.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::config::Reference;
use crate::detect::database::Database;
use crate::detect::reference::{Kind, List, References};

/// Reads every list.
///
/// # Errors
/// When a file cannot be read, has no such column, or holds what is no network where networks are said to be; the error
/// names file and line (of Parquet, row).
pub fn read(sections: &BTreeMap<String, Reference>) -> Result<References> {
    let lists = sections.iter().map(|(name, section)| Ok((name.clone(), list(section).with_context(|| of(name))?)));
    Ok(References::new(lists.collect::<Result<_>>()?))
}

/// The same while a run goes on: a list whose file cannot be read stays what it was, and so does one that holds the same.
pub fn read_again(sections: &BTreeMap<String, Reference>, before: &References) -> (References, Vec<anyhow::Error>) {
    let (mut lists, mut wrong) = (BTreeMap::new(), Vec::new());
    for (name, section) in sections {
        let known = before.list(name);
        match list(section).with_context(|| of(name)) {
            Ok(list) if known.is_some_and(|known| **known == list) => {}
            Ok(list) => {
                lists.insert(name.clone(), Arc::new(list));
                continue;
            }
            Err(error) => wrong.push(error),
        }
        lists.extend(known.map(|known| (name.clone(), Arc::clone(known))));
    }
    (References::of(lists), wrong)
}

fn of(name: &str) -> String {
    format!("in [reference.{name}]")
}

fn list(section: &Reference) -> Result<List> {
    let path = &section.path;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mmdb")) {
        let name = || path.display().to_string();
        if section.column.is_some() || section.kind != Kind::default() {
            bail!("{}: a database of addresses has neither `column` nor `kind`", name());
        }
        let database = Database::new(fs::read(path).with_context(name)?);
        return database.map(List::Database).map_err(|why| anyhow!("{}: {why}", name()));
    }
    let values = values(path, section.column.as_deref())?;
    List::new(section.kind, values.iter().map(|(_, value)| value.as_str()))
        .map_err(|(place, why)| anyhow!("{}:{}: {why}", path.display(), values[place].0))
}

/// The values in a file, each with its line.
fn values(path: &Path, column: Option<&str>) -> Result<Vec<(usize, String)>> {
    let kind = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let name = || path.display().to_string();
    match kind.as_deref() {
        Some("csv") => csv(path, column).with_context(name),
        Some("ndjson" | "jsonl") => ndjson(path, needed(column, &name)?).with_context(name),
        Some("parquet") => parquet(path, needed(column, &name)?).with_context(name),
        _ => match column {
            Some(_) => bail!("{}: only .csv, .ndjson, .jsonl and .parquet have columns", name()),
            None => Ok(lines(&fs::read_to_string(path).with_context(name)?)),
        },
    }
}

fn needed<'a>(column: Option<&'a str>, name: &dyn Fn() -> String) -> Result<&'a str> {
    column.ok_or_else(|| anyhow!("{}: say which `column` has the values", name()))
}

fn lines(text: &str) -> Vec<(usize, String)> {
    let value = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    let numbered = text.trim_start_matches('\u{feff}').lines().map(value).enumerate();
    numbered.map(|(line, value)| (line + 1, value)).filter(|(_, value)| !value.is_empty()).collect()
}

fn csv(path: &Path, column: Option<&str>) -> Result<Vec<(usize, String)>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path)?;
    let headers = reader.headers()?.clone();
    let place = match column {
        None => 0,
        Some(column) => headers.iter().position(|header| header == column).ok_or_else(|| {
            anyhow!("there is no column `{column}`; there are {}", headers.iter().collect::<Vec<_>>().join(", "))
        })?,
    };
    let mut values = Vec::new();
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, |position| position.line() as usize);
        values.extend(record.get(place).filter(|value| !value.is_empty()).map(|value| (line, value.to_owned())));
    }
    Ok(values)
}

fn ndjson(path: &Path, column: &str) -> Result<Vec<(usize, String)>> {
    let text = fs::read_to_string(path)?;
    let mut values = Vec::new();
    for (line, text) in
        text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, text)| !text.trim().is_empty())
    {
        let value: Value = serde_json::from_str(text).with_context(|| format!("line {}", line + 1))?;
        match &value[column] {
            Value::Null => {}
            Value::String(value) => values.push((line + 1, value.clone())),
            other => values.push((line + 1, other.to_string())),
        }
    }
    Ok(values)
}

fn parquet(path: &Path, column: &str) -> Result<Vec<(usize, String)>> {
    let mut values = Vec::new();
    let mut row = 0;
    for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()? {
        let batch = batch?;
        let found = batch.column_by_name(column).ok_or_else(|| anyhow!("there is no column `{column}`"))?;
        let texts = cast(found, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        values.extend(
            (0..texts.len()).filter(|at| texts.is_valid(*at)).map(|at| (row + at + 1, texts.value(at).to_owned())),
        );
        row += batch.num_rows();
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{RecordBatch, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn every_format_gives_its_values_with_their_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let plain = file("a.txt", "# ours\n192.0.2.7\n\n 192.0.2.8 # two\r\n");
        let comma = file("b.csv", "note,indicator\n\"a, b\",192.0.2.7\nc,\nd,192.0.2.8\n");
        let json = file("c.ndjson", "{\"ip\": \"192.0.2.7\"}\n\n{\"x\": 1}\n{\"ip\": 9}\n");
        let rows: Arc<dyn Array> = Arc::new(StringArray::from(vec![Some("192.0.2.7"), None, Some("192.0.2.8")]));
        let rows = RecordBatch::try_from_iter([("ip", rows)]).unwrap();
        let columns = dir.path().join("d.parquet");
        let mut writer = ArrowWriter::try_new(File::create(&columns).unwrap(), rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let read = |path: &Path, column: Option<&str>| values(path, column).unwrap();
        let two = |first: usize, second: usize| vec![(first, "192.0.2.7".to_owned()), (second, "192.0.2.8".to_owned())];
        assert_eq!(read(&plain, None), two(2, 4));
        assert_eq!(read(&comma, Some("indicator")), two(2, 4));
        assert_eq!(read(&comma, None)[1], (3, "c".to_owned()));
        assert_eq!(read(&json, Some("ip")), [(1, "192.0.2.7".to_owned()), (4, "9".to_owned())]);
        assert_eq!(read(&columns, Some("ip")), two(1, 3));
        for (path, column, expected) in [
            (&plain, Some("ip"), "have columns"),
            (&comma, Some("ip"), "no column `ip`; there are note, indicator"),
            (&json, None, "say which `column`"),
            (&columns, Some("x"), "no column `x`"),
        ] {
            let error = format!("{:#}", values(path, column).unwrap_err());
            assert!(error.contains(expected) && error.contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_database_is_read_and_what_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let documentation = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geo/documentation.mmdb");
        fs::write(dir.path().join("bad.mmdb"), "x").unwrap();
        let section = |path: &Path, more: &str| {
            let text = format!("[reference.geo]\npath = {:?}\n{more}", path.display().to_string());
            let config: crate::config::Config = toml::from_str(&text).unwrap();
            read(&config.reference)
        };
        let first = section(&documentation, "").unwrap();
        let (again, wrong) = read_again(&BTreeMap::new(), &first);
        assert!(again.list("geo").is_none() && wrong.is_empty());
        assert!(matches!(first.named("geo").unwrap(), List::Database(_)));
        let error = |path: &Path, more: &str| format!("{:#}", section(path, more).unwrap_err());
        assert!(error(&dir.path().join("bad.mmdb"), "").contains("bad.mmdb: no database in MaxMind's format"));
        assert!(error(&documentation, "kind = 'network'").contains("neither `column` nor `kind`"));
    }

    #[test]
    fn what_is_no_network_is_named_with_file_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.txt");
        fs::write(&path, "192.0.2.0/24\nnowhere\n").unwrap();
        let text = format!("[reference.bad]\npath = {:?}\nkind = 'network'\n", path.display().to_string());
        let config: crate::config::Config = toml::from_str(&text).unwrap();
        let error = format!("{:#}", read(&config.reference).unwrap_err());
        assert!(
            error.starts_with("in [reference.bad]: ") && error.contains("bad.txt:2: `nowhere` is neither"),
            "{error}"
        );
    }
}
