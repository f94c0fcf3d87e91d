//! The `[reference.NAME]` sections, and `own_accounts` → the lists that rules ask.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use arrow::array::{Array, ArrayBuilder, ArrayRef, RecordBatch, StringBuilder, new_empty_array};
use arrow::compute::{can_cast_types, cast, concat};
use arrow::datatypes::{DataType, Field, Schema};
use ipnet::IpNet;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::aws::Account;
use crate::config::Reference;
use crate::detect::reference::database::Database;
use crate::detect::reference::keyed::{self, Keyed, Kind};
use crate::detect::reference::own_accounts::OWN_ACCOUNTS;
use crate::detect::reference::{List, References};

/// Reads every list.
///
/// # Errors
/// When a file cannot be read, has no such column, or holds what is no network where networks are said to be; the error
/// names file and line (of Parquet, row). When a section is called as the list of own accounts.
pub fn read(sections: &BTreeMap<String, Reference>, own: &[Account]) -> Result<References> {
    let lists = each(sections, own).map(|(name, list)| Ok((name, list?)));
    Ok(References::new(lists.collect::<Result<_>>()?))
}

/// The same while a run goes on: a list whose file cannot be read stays what it was, and so does one that holds the same.
pub fn read_again(
    sections: &BTreeMap<String, Reference>,
    own: &[Account],
    before: &References,
) -> (References, Vec<anyhow::Error>) {
    let (mut lists, mut wrong) = (BTreeMap::new(), Vec::new());
    for (name, list) in each(sections, own) {
        let known = before.list(&name);
        match list {
            Ok(list) if known.is_some_and(|known| **known == list) => {}
            Ok(list) => {
                lists.insert(name, Arc::new(list));
                continue;
            }
            Err(error) => wrong.push(error),
        }
        lists.extend(known.map(|known| (name, Arc::clone(known))));
    }
    (References::of(lists), wrong)
}

/// Every list by its name, or what is wrong with it. Where there are no own accounts, there is no list of them.
fn each(sections: &BTreeMap<String, Reference>, own: &[Account]) -> impl Iterator<Item = (String, Result<List>)> {
    let of_section = |(name, section): (&String, &Reference)| {
        (name.clone(), list(name, section).with_context(|| format!("in [reference.{name}]")))
    };
    let own = (!own.is_empty()).then(|| {
        let accounts =
            Keyed::of(Kind::Text, own.iter().map(Account::as_str)).expect("every text is one of a list of texts");
        (OWN_ACCOUNTS.to_owned(), anyhow::Ok(List::Keyed(accounts)))
    });
    sections.iter().map(of_section).chain(own)
}

fn list(name: &str, section: &Reference) -> Result<List> {
    if name == OWN_ACCOUNTS {
        bail!(
            "the list of this name is that of the key `{OWN_ACCOUNTS}`: name the accounts there, and call this one otherwise"
        );
    }
    let path = &section.path;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mmdb")) {
        let name = || path.display().to_string();
        if section.column.is_some() || section.kind != Kind::default() {
            bail!("{}: a database of addresses has neither `column` nor `kind`", name());
        }
        let database = Database::new(fs::read(path).with_context(name)?);
        return database.map(List::Database).map_err(|why| anyhow!("{}: {why}", name()));
    }
    let Read { rows, key, lines } = rows_of(path, section.column.as_deref())?;
    let place = |row: usize| format!("{}:{}", path.display(), lines[row]);
    let rows = Keyed::new(section.kind, rows, key).map_err(|(row, why)| anyhow!("{}: {why}", place(row)))?;
    if let Some((row, count)) = rows.contradictions() {
        let rows = if count == 1 { "1 row says".to_owned() } else { format!("{count} rows say") };
        tracing::warn!(
            "{}: {rows} something else than an earlier one of the same {}, which counts",
            place(row),
            section.column.as_deref().unwrap_or("key")
        );
    }
    Ok(List::Keyed(rows))
}

/// What is in a file.
struct Read {
    /// Texts; names are in lower case, as SQL has them.
    rows: RecordBatch,
    /// Position of the column that rows are looked up by.
    key: usize,
    /// Of each row.
    lines: Vec<usize>,
}

/// Columns of texts that grow row by row.
struct Columns {
    names: Vec<String>,
    values: Vec<StringBuilder>,
    key: usize,
    lines: Vec<usize>,
}

impl Columns {
    /// The key is the only column that may have the name of another.
    fn new<'a>(names: impl IntoIterator<Item = &'a str>, key: usize) -> Columns {
        let mut columns = Columns { names: Vec::new(), values: Vec::new(), key, lines: Vec::new() };
        names.into_iter().for_each(|name| columns.add(name));
        columns
    }

    /// One that is null in all rows until now.
    fn add(&mut self, name: &str) {
        let mut values = StringBuilder::new();
        values.append_nulls(self.lines.len());
        self.names.push(name.to_lowercase());
        self.values.push(values);
    }

    fn finish(mut self) -> Read {
        let arrays = self.values.iter_mut().map(|values| Arc::new(values.finish()) as ArrayRef);
        let columns: Vec<(String, ArrayRef)> = self.names.into_iter().zip(arrays).collect();
        let (rows, key) = unique(columns, self.key);
        Read { rows, key, lines: self.lines }
    }
}

/// A table of columns, of those with one name the key, else the first.
fn unique(columns: Vec<(String, ArrayRef)>, key: usize) -> (RecordBatch, usize) {
    let is_named = |place: usize, as_is: usize| columns[place].0 == columns[as_is].0;
    let is_first = |place: usize| (0..place).all(|before| !is_named(before, place));
    let stays = |place: &usize| *place == key || !is_named(*place, key) && is_first(*place);
    let stay: Vec<usize> = (0..columns.len()).filter(stays).collect();
    let field = |place: &usize| Field::new(&columns[*place].0, DataType::Utf8, true);
    let schema = Schema::new(stay.iter().map(field).collect::<Vec<_>>());
    let arrays = stay.iter().map(|place| columns[*place].1.clone()).collect();
    let rows = RecordBatch::try_new(Arc::new(schema), arrays).expect("columns of texts, as long as each other");
    (rows, stay.iter().position(|place| *place == key).expect("the key stays"))
}

fn rows_of(path: &Path, column: Option<&str>) -> Result<Read> {
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

fn lines(text: &str) -> Read {
    let mut columns = Columns::new([keyed::ONLY_COLUMN], 0);
    for (line, text) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let value = text.split('#').next().unwrap_or_default().trim();
        if !value.is_empty() {
            columns.values[0].append_value(value);
            columns.lines.push(line + 1);
        }
    }
    columns.finish()
}

fn csv(path: &Path, column: Option<&str>) -> Result<Read> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path)?;
    let headers = reader.headers()?.clone();
    let key = match column {
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
    let mut columns = Columns::new(&headers, key);
    for record in reader.records() {
        let record = record?;
        for (values, value) in columns.values.iter_mut().zip(&record) {
            values.append_option(Some(value).filter(|value| !value.is_empty()));
        }
        columns.lines.push(record.position().map_or(0, |position| position.line() as usize));
    }
    Ok(columns.finish())
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

/// Looked up by the field that is called so, or by the field of an object where the name is a path to one; the others as they are.
fn ndjson(path: &Path, column: &str) -> Result<Read> {
    let text = fs::read_to_string(path)?;
    let pointer = format!("/{}", column.replace('~', "~0").replace('/', "~1").replace('.', "/"));
    let (mut columns, mut is_there, mut names) = (Columns::new([column], 0), false, None);
    let mut places: HashMap<String, usize> = [(column.to_owned(), 0)].into();
    for (line, text) in
        text.trim_start_matches('\u{feff}').lines().enumerate().filter(|(_, text)| !text.trim().is_empty())
    {
        let value: Value = serde_json::from_str(text).with_context(|| format!("line {}", line + 1))?;
        let found = value.get(column).or_else(|| value.pointer(&pointer));
        is_there |= found.is_some();
        let fields = value.as_object();
        if found.is_none() {
            let keys = fields.map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(", "));
            names = names.or(Some(keys.unwrap_or_else(|| "no fields".to_owned())));
        }
        columns.values[0].append_option(found.and_then(as_text));
        for (name, value) in fields.into_iter().flatten().filter(|(name, _)| *name != column) {
            let place = *places.entry(name.clone()).or_insert_with(|| {
                columns.add(name);
                columns.names.len() - 1
            });
            columns.values[place].append_option(as_text(value));
        }
        columns.lines.push(line + 1);
        for values in columns.values.iter_mut().filter(|values| values.len() < columns.lines.len()) {
            values.append_null();
        }
    }
    match names {
        Some(names) if !is_there => bail!("no line has `{column}`; the first has {names}"),
        _ => Ok(columns.finish()),
    }
}

/// A text as it is, all else as JSON.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Columns whose values have no text, such as lists, are left out.
fn parquet(path: &Path, column: &str) -> Result<Read> {
    let mut batches = Vec::new();
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let schema = reader.schema().clone();
    let is_text =
        |field: &&Arc<Field>| can_cast_types(field.data_type(), &DataType::Utf8) && !field.data_type().is_nested();
    let fields: Vec<&Arc<Field>> = schema.fields().iter().filter(is_text).collect();
    let key = fields.iter().position(|field| field.name() == column);
    let key = key.ok_or_else(|| anyhow!("there is no column `{column}`"))?;
    for batch in reader.build()? {
        batches.push(batch?);
    }
    let column = |field: &&Arc<Field>| {
        let texts = batches.iter().map(|batch| cast(&batch[field.name().as_str()], &DataType::Utf8));
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let texts: Vec<&dyn Array> = texts.iter().map(AsRef::as_ref).collect();
        let array = if texts.is_empty() { new_empty_array(&DataType::Utf8) } else { concat(&texts)? };
        Ok((field.name().to_lowercase(), array))
    };
    let (rows, key) = unique(fields.iter().map(column).collect::<Result<_>>()?, key);
    let lines = (1..=rows.num_rows()).collect();
    Ok(Read { rows, key, lines })
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringArray};
    use parquet::arrow::ArrowWriter;

    use super::*;

    /// The values that a file's rows are looked up by, each with its line.
    fn values(path: &Path, column: Option<&str>) -> Result<Vec<(usize, String)>> {
        let Read { rows, key, lines } = rows_of(path, column)?;
        let keys = rows.column(key).as_string::<i32>().iter();
        Ok(lines.into_iter().zip(keys).filter_map(|(line, key)| Some((line, key?.to_owned()))).collect())
    }

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
    fn what_else_a_row_has_comes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let list = |name: &str, text: &[u8], column: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            let config = format!("[reference.a]\npath = {:?}\ncolumn = '{column}'\n", path.display().to_string());
            let references = read(&toml::from_str::<crate::config::Config>(&config).unwrap().reference, &[]).unwrap();
            references.list("a").unwrap().clone()
        };
        let check = |list: &List, key: &str, column: &str, expected: Option<&str>| {
            let List::Keyed(rows) = list else { unreachable!() };
            assert_eq!(rows.value(key, column), expected, "{key} {column}");
        };
        let csv = list("a.csv", b"Criticality,ARN,arn\nhigh,x,1\n,y,2\nlow,x,3\n", "ARN");
        check(&csv, "x", "criticality", Some("high"));
        check(&csv, "y", "criticality", None);
        check(&csv, "x", "arn", Some("x"));
        let json = "{\"id\": {\"arn\": \"x\"}}\n{\"id\": {\"arn\": \"y\"}, \"level\": 3, \"tags\": [\"a\"]}\n";
        let json = list("b.ndjson", json.as_bytes(), "id.arn");
        check(&json, "x", "level", None);
        check(&json, "y", "level", Some("3"));
        check(&json, "y", "tags", Some("[\"a\"]"));
        check(&json, "y", "id.arn", Some("y"));
        let arn: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), None]));
        let level: ArrayRef = Arc::new(arrow::array::Int64Array::from(vec![Some(3), Some(4)]));
        let rows = RecordBatch::try_from_iter([("level", level), ("arn", arn)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        check(&list("c.parquet", &bytes, "arn"), "x", "level", Some("3"));
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
        let error = format!("{:#}", read(&section("thread.ip"), &[]).unwrap_err());
        assert!(error.ends_with("bad.ndjson: no line has `thread.ip`; the first has threat, a.b/c"), "{error}");
        // a file that lost the field while a run goes on takes nothing from the list
        let known = read(&section("threat.ip"), &[]).unwrap();
        write("{\"ip\": \"192.0.2.8\"}\n");
        let (again, wrong) = read_again(&section("threat.ip"), &[], &known);
        assert!(again.is_same(&known) && wrong.len() == 1, "{wrong:?}");
        for nothing in ["", "{\"threat\": {\"ip\": null}}\n"] {
            write(nothing);
            assert_eq!(values("threat.ip"), []);
        }
        // what is no object has no field
        write("[1]\n\"x\"\n");
        assert!(rows_of(&path, Some("ip")).is_err());
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
    fn own_accounts_are_a_list_whose_name_no_other_has() {
        let config = |text: &str| toml::from_str::<crate::config::Config>(text).unwrap();
        let own = config("own_accounts = ['111122223333', '444455556666']\n");
        let first = read(&own.reference, &own.own_accounts).unwrap();
        let List::Keyed(rows) = first.named(OWN_ACCOUNTS).unwrap() else { unreachable!() };
        assert!(rows.row("444455556666").is_some() && rows.row("777788889999").is_none());
        let (again, wrong) = read_again(&own.reference, &own.own_accounts, &first);
        assert!(again.is_same(&first) && wrong.is_empty());
        let more = config("own_accounts = ['111122223333', '777788889999']\n");
        let (again, _) = read_again(&more.reference, &more.own_accounts, &first);
        assert!(!again.is_same(&first));
        let (gone, _) = read_again(&own.reference, &[], &first);
        assert!(gone.list(OWN_ACCOUNTS).is_none() && read(&own.reference, &[]).unwrap().list(OWN_ACCOUNTS).is_none());
        let other = config("[reference.own_accounts]\npath = 'mine.txt'\n");
        let error = format!("{:#}", read(&other.reference, &[]).unwrap_err());
        assert!(error.contains("the list of this name is that of the key `own_accounts`"), "{error}");
    }

    #[test]
    fn a_database_is_read_and_what_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let documentation = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/geo/documentation.mmdb");
        fs::write(dir.path().join("bad.mmdb"), "x").unwrap();
        let section = |path: &Path, more: &str| {
            let text = format!("[reference.geo]\npath = {:?}\n{more}", path.display().to_string());
            let config: crate::config::Config = toml::from_str(&text).unwrap();
            read(&config.reference, &[])
        };
        let first = section(&documentation, "").unwrap();
        let (again, wrong) = read_again(&BTreeMap::new(), &[], &first);
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
        let error = format!("{:#}", read(&config.reference, &[]).unwrap_err());
        assert!(
            error.starts_with("in [reference.bad]: ") && error.contains("bad.txt:2: `nowhere` is neither"),
            "{error}"
        );
    }
}
