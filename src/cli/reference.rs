//! The `[reference.NAME]` sections → the lists that rules ask.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use ipnet::IpNet;
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
        None => match headers.get(0).filter(|name| is_value(name, headers.len())) {
            None => 0,
            Some(value) => bail!(
                "the first line of CSV has the names of columns, and this one has `{value}`, which is a value: put a line of names above it, or give \
                 the file another extension, such as .txt, where each line is a value"
            ),
        },
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

/// Whether what stands where a column's name should is no name but a value of a list: the first of it would be lost.
fn is_value(text: &str, columns: usize) -> bool {
    // none of these is what a field is called: `source.ip` is a name
    const DOMAINS: [&str; 12] = ["com", "net", "org", "io", "ru", "cn", "de", "uk", "eu", "fr", "nl", "xyz"];
    let is_hash = matches!(text.len(), 32 | 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_access_key = text.len() == 20 && ["AKIA", "ASIA"].iter().any(|kind| text.starts_with(kind));
    let is_domain = || {
        let top = text.rsplit_once('.').map(|(_, top)| top.to_ascii_lowercase());
        top.is_some_and(|top| DOMAINS.contains(&top.as_str()))
    };
    text.parse::<IpAddr>().is_ok()
        || text.parse::<IpNet>().is_ok()
        || text.starts_with("arn:")
        || is_hash
        || is_account
        || is_access_key
        || (columns == 1 && is_domain())
}

/// The values of a field that is called so, or of the field of an object where the name is a path to one.
fn ndjson(path: &Path, column: &str) -> Result<Vec<(usize, String)>> {
    let text = fs::read_to_string(path)?;
    let pointer = format!("/{}", column.replace('~', "~0").replace('/', "~1").replace('.', "/"));
    let (mut values, mut is_there, mut names) = (Vec::new(), false, None);
    for (line, text) in
        text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, text)| !text.trim().is_empty())
    {
        let value: Value = serde_json::from_str(text).with_context(|| format!("line {}", line + 1))?;
        let found = value.get(column).or_else(|| value.pointer(&pointer));
        is_there |= found.is_some();
        match found {
            None => {
                let keys = value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(", "));
                names = names.or(Some(keys.unwrap_or_else(|| "no fields".to_owned())));
            }
            Some(Value::Null) => {}
            Some(Value::String(value)) => values.push((line + 1, value.clone())),
            Some(other) => values.push((line + 1, other.to_string())),
        }
    }
    match names {
        Some(names) if !is_there => bail!("no line has `{column}`; the first has {names}"),
        _ => Ok(values),
    }
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
    fn a_field_of_json_that_no_line_has_is_no_empty_list() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.ndjson");
        let section = |column: &str| {
            let text = format!("[reference.bad]\npath = {:?}\ncolumn = '{column}'\n", path.display().to_string());
            toml::from_str::<crate::config::Config>(&text).unwrap().reference
        };
        let write = |text: &str| fs::write(&path, text).unwrap();
        write(
            "{\"threat\": {\"ip\": \"192.0.2.7\"}, \"a.b/c\": \"x\"}\n{\"threat\": {}}\n{\"threat\": {\"ip\": null}}\n",
        );
        let values = |column: &str| values(&path, Some(column)).unwrap();
        assert_eq!(values("threat.ip"), [(1, "192.0.2.7".to_owned())]);
        assert_eq!(values("a.b/c"), [(1, "x".to_owned())]);
        let error = format!("{:#}", read(&section("thread.ip")).unwrap_err());
        assert!(error.ends_with("bad.ndjson: no line has `thread.ip`; the first has threat, a.b/c"), "{error}");
        // a file that lost the field while a run goes on takes nothing from the list
        let known = read(&section("threat.ip")).unwrap();
        write("{\"ip\": \"192.0.2.8\"}\n");
        let (again, wrong) = read_again(&section("threat.ip"), &known);
        assert!(again.is_same(&known) && wrong.len() == 1, "{wrong:?}");
        for nothing in ["", "{\"threat\": {\"ip\": null}}\n"] {
            write(nothing);
            assert_eq!(values("threat.ip"), []);
        }
        // what is no object has no field
        write("[1]\n\"x\"\n");
        assert!(super::values(&path, Some("ip")).is_err());
    }

    #[test]
    fn a_value_where_csv_has_names_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bad.csv");
        let read = |text: &str, column: Option<&str>| {
            fs::write(&path, text).unwrap();
            values(&path, column).map_err(|error| format!("{error:#}"))
        };
        for first in [
            "192.0.2.7",
            "198.51.100.0/24",
            "2001:db8::1",
            "evil.example.com",
            "arn:aws:iam::111122223333:user/eve",
            "111122223333",
            "44d88612fea8a8f36de82e1278abb02f",
            "AKIAIOSFODNN7EXAMPLE",
            "192.0.2.7,a note",
        ] {
            let error = read(&format!("{first}\n192.0.2.8\n"), None).unwrap_err();
            assert!(error.contains("which is a value") && error.contains("such as .txt"), "{first}: {error}");
        }
        for first in ["ip", "source.ip", "domain.com,note", "threat_indicator_value", "sha256", "2024"] {
            let text = format!("{first}\n192.0.2.8{}\n", if first.contains(',') { "," } else { "" });
            assert_eq!(read(&text, None).unwrap(), [(2, "192.0.2.8".to_owned())], "{first}");
        }
        assert_eq!(read("192.0.2.7,ip\nx,192.0.2.8\n", Some("ip")).unwrap(), [(2, "192.0.2.8".to_owned())]);
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
