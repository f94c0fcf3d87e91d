use std::fs::File;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringViewArray, StructArray};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};

use super::read::{Reading, files};
use super::*;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::memory::Size;
use crate::table::{Column, Kind, Names};

fn opened() -> (tempfile::TempDir, Archive) {
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::open(dir.path(), &Config::default()).unwrap();
    (dir, archive)
}

fn read(path: &Path) -> RecordBatch {
    let file = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let schema = file.schema().clone();
    concat_batches(&schema, &file.build().unwrap().map(Result::unwrap).collect::<Vec<_>>()).unwrap()
}

fn texts(rows: &RecordBatch, column: &str) -> Vec<String> {
    let column = cast(rows.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap_or("null").to_owned()).collect()
}

#[test]
fn the_last_round_is_told_by_the_names_of_files() {
    let (dir, mut archive) = opened();
    assert_eq!(archive.last_round().unwrap(), None);
    archive.add(vec![events(&[("10:00", "a")])]);
    let objects = archive.write(9).unwrap();
    assert_eq!(archive.last_round().unwrap(), None, "no commit has it yet");
    archive.publish(&objects).unwrap();
    commit(&mut archive, 12, vec![events(&[("09:00", "b")])]);
    assert_eq!(archive.last_round().unwrap(), Some(12));
    let place = dir.path().join(&objects[0].path);
    let merged = place.with_file_name("20240801T100000-0123456789012345.parquet");
    std::fs::rename(&place, merged).unwrap();
    assert_eq!(archive.last_round().unwrap(), Some(12));
}

/// Every path and the ids in it.
fn contents(dir: &Path) -> Vec<(String, Vec<String>)> {
    let found = files(dir, &CLOUDTRAIL).unwrap();
    let shown = |path: &Path| path.strip_prefix(dir).unwrap().display().to_string();
    found.iter().map(|file| (shown(&file.path), texts(&read(&file.path), "eventid"))).collect()
}

fn ids(dir: &Path) -> Vec<String> {
    contents(dir).into_iter().flat_map(|(_, ids)| ids).collect()
}

/// A CloudTrail row on 2024-08-01 at an hour and minute.
fn event(time: &str, id: &str) -> String {
    format!(r#"{{"account":"1","region":"r","eventtime":"2024-08-01T{time}:00Z","eventid":"{id}"}}"#)
}

fn events(rows: &[(&str, &str)]) -> Batch {
    let lines: Vec<String> = rows.iter().map(|(time, id)| event(time, id)).collect();
    fixture::batch(&CLOUDTRAIL, &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn commit(archive: &mut Archive, round: u64, batches: Vec<Batch>) -> Vec<Object> {
    archive.add(batches);
    let objects = archive.write(round).unwrap();
    archive.publish(&objects).unwrap();
    objects
}

#[test]
fn every_kind_comes_back_as_it_was_written() {
    static INNER: &[Column] = &[Column::new("symbol", "", Kind::Symbol, ""), Column::new("text", "", Kind::Text, "")];
    static OUTER: &[Column] =
        &[Column::new("inner", "", Kind::Struct(INNER), ""), Column::new("json", "", Kind::Json, "")];
    static KINDS: Table = Table {
        name: "kinds",
        about: "",
        time: "time",
        id: None,
        same: &[],
        names: Names { actor: "", session: "", source_ip: "", resource: "" },
        own: "",
        lookups: &["outer.inner.text", "symbol"],
        columns: &[
            Column::new("time", "", Kind::Time, ""),
            Column::new("symbol", "", Kind::Symbol, ""),
            Column::new("text", "", Kind::Text, ""),
            Column::new("int", "", Kind::Int, ""),
            Column::new("float", "", Kind::Float, ""),
            Column::new("bool", "", Kind::Bool, ""),
            Column::new("outer", "", Kind::Struct(OUTER), ""),
            Column::new("list", "", Kind::List(INNER), ""),
            Column::new("nothing", "", Kind::Struct(OUTER), ""),
        ],
    };
    let first = fixture::batch(
        &KINDS,
        &[
            r#"{"time":"2024-08-01T00:00:01Z","symbol":"s","text":"a text that is too long to lie in its view","int":-9223372036854775808,"float":0.5,"bool":true,"outer":{"inner":{"symbol":"x","text":"t"},"json":"{\"a\":[1,\"é\"]}"},"list":[{"symbol":"p"},{"text":"q"}]}"#,
            r#"{"time":"2024-08-01T00:00:03Z","outer":{"json":""},"list":[]}"#,
            r#"{"time":"2024-08-01T00:00:05.123456Z","symbol":"","text":"","outer":{"inner":{}},"list":[{}]}"#,
        ],
    );
    let second = fixture::batch(
        &KINDS,
        &[r#"{"time":"2024-08-01T00:00:02Z","symbol":"z"}"#, r#"{"time":"2024-08-01T00:00:04Z","symbol":"s"}"#],
    );
    let dir = tempfile::tempdir().unwrap();
    let expected: Vec<RecordBatch> = [(&first, 0), (&second, 0), (&first, 1), (&second, 1), (&first, 2)]
        .iter()
        .map(|(batch, row)| batch.rows.slice(*row, 1).project(&[2, 3, 4, 5, 6, 7, 8, 9, 10]).unwrap())
        .collect();
    // groups of two rows: places are split among groups
    let config = Config { row_group_rows: 2, ..Config::default() };
    let sorted = write::Sorted::new(&KINDS, vec![first, second]);
    let path = dir.path().join("kinds.parquet");
    sorted.write(sorted.partitions.values().next().unwrap(), &path, &config).unwrap();
    let found = read(&path);
    assert_eq!(found.schema().fields(), encode::file_schema(&KINDS).fields());
    for (row, expected) in expected.iter().enumerate() {
        for (column, expected) in expected.columns().iter().enumerate() {
            let plain = |array: &dyn Array| arrow::util::display::array_value_to_string(array, 0).unwrap();
            let found = found.column(column).slice(row, 1);
            assert_eq!(found.is_null(0), expected.is_null(0), "row {row}, column {column}");
            assert_eq!(plain(&found), plain(expected), "row {row}, column {column}");
        }
    }
}

#[test]
fn rows_lie_in_their_partition_sorted_by_time() {
    let (dir, mut archive) = opened();
    let other = fixture::batch(
        &CLOUDTRAIL,
        &[
            r#"{"account":"2","region":"r","eventtime":"2024-08-02T00:00:00Z","eventid":"d"}"#,
            r#"{"account":"","region":null,"eventid":"e"}"#,
            r#"{"account":"unknown","region":"unknown","eventtime":"1969-12-31T23:59:59Z","eventid":"f"}"#,
            r#"{"eventtime":"1999-12-31T00:00:00Z","eventid":"g"}"#,
        ],
    );
    let objects =
        commit(&mut archive, 7, vec![events(&[("09:00", "b"), ("08:00", "a")]), other, events(&[("08:30", "c")])]);
    let expected = [
        ("cloudtrail/account=1/region=r/day=2024-08-01/20240801T080000-00000007.parquet", vec!["a", "c", "b"]),
        ("cloudtrail/account=2/region=r/day=2024-08-02/20240802T000000-00000007.parquet", vec!["d"]),
        ("cloudtrail/account=unknown/region=unknown/day=unknown/19691231T235959-00000007.parquet", vec!["e", "f", "g"]),
    ];
    let expected: Vec<(String, Vec<String>)> = expected
        .into_iter()
        .map(|(path, ids)| (path.to_owned(), ids.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(contents(dir.path()), expected);
    assert_eq!(objects.iter().map(|object| object.rows).sum::<u64>(), 7);
    assert_eq!(objects[0].bytes, fs::metadata(dir.path().join(&objects[0].path)).unwrap().len());
    assert!(archive.write(8).unwrap().is_empty(), "the buffer was written");
}

#[test]
fn long_and_hostile_values_have_folders_of_their_own() {
    let (dir, mut archive) = opened();
    let long = "é/".repeat(400);
    let accounts = [long.clone(), format!("{long}x"), "..".into(), "a/b".into(), "/".into()];
    let lines: Vec<String> = accounts
        .iter()
        .enumerate()
        .map(|(id, account)| format!(r#"{{"account":"{account}","region":"{account}","eventid":"{id}"}}"#))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    commit(&mut archive, 1, vec![fixture::batch(&CLOUDTRAIL, &lines)]);
    let mut found = ids(dir.path());
    found.sort();
    assert_eq!(found, ["0", "1", "2", "3", "4"]);
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_crash_before_the_commit_leaves_nothing_and_one_after_it_everything() {
    let (dir, mut archive) = opened();
    archive.add(vec![events(&[("08:00", "a")])]);
    let lost = archive.write(1).unwrap();
    drop(archive);
    let mut archive = Archive::open(dir.path(), &Config::default()).unwrap();
    archive.publish(&[]).unwrap();
    archive.sweep().unwrap();
    assert!(ids(dir.path()).is_empty());
    assert!(archive.publish(&lost).is_err(), "a file that is nowhere is not passed over");

    archive.add(vec![events(&[("08:00", "a")])]);
    archive.add(vec![fixture::batch(&CLOUDTRAIL, &[r#"{"account":"2","eventid":"b"}"#])]);
    let committed = archive.write(1).unwrap();
    archive.publish(&committed[..1]).unwrap();
    drop(archive);
    let archive = Archive::open(dir.path(), &Config::default()).unwrap();
    archive.publish(&committed).unwrap();
    archive.publish(&committed).unwrap();
    archive.sweep().unwrap();
    assert_eq!(ids(dir.path()), ["a", "b"]);
}

#[test]
fn columns_to_look_up_have_bloom_filters_and_json_has_no_statistics() {
    let (dir, mut archive) = opened();
    let line = r#"{"account":"1","region":"r","eventtime":"2024-08-01T08:00:00Z","eventid":"a","sourceipaddress":"192.0.2.1","useridentity":{"arn":"x"},"requestparameters":"{}"}"#;
    let objects = commit(&mut archive, 1, vec![fixture::batch(&CLOUDTRAIL, &[line])]);
    let file = File::open(dir.path().join(&objects[0].path)).unwrap();
    let properties = ReaderProperties::builder().set_read_bloom_filter(true).build();
    let options = ReadOptionsBuilder::new().with_reader_properties(properties).with_page_index().build();
    let reader = SerializedFileReader::new_with_options(file, options).unwrap();
    let group = reader.get_row_group(0).unwrap();
    let columns = group.metadata().columns();
    let place = |path: &str| columns.iter().position(|column| column.column_path().string() == path).unwrap();
    for path in CLOUDTRAIL.lookups {
        assert!(group.get_column_bloom_filter(place(path)).is_some(), "{path}");
    }
    let addresses = group.get_column_bloom_filter(place("sourceipaddress")).unwrap();
    assert!(addresses.check("192.0.2.1"));
    assert!(!addresses.check("192.0.2.2"));
    assert!(group.get_column_bloom_filter(place("eventname")).is_none());
    assert!(columns[place("eventtime")].statistics().is_some());
    assert!(columns[place("requestparameters")].statistics().is_none());
    assert!(reader.metadata().offset_index().is_some());
}

#[test]
fn small_files_become_one_with_the_same_rows_in_order() {
    let (dir, mut archive) = opened();
    let ids_of = |round: u64| [format!("{round}-late"), format!("{round}-early")];
    for round in 1..=compact::FILES_MIN as u64 {
        let [late, early] = ids_of(round);
        let late_time = format!("20:{:02}", 59 - round);
        let objects =
            commit(&mut archive, round, vec![events(&[(&late_time, &late), (&format!("08:{round:02}"), &early)])]);
        assert_eq!(archive.compact(&objects).unwrap(), 0, "files of the last commit stay");
    }
    let objects = commit(&mut archive, 9, vec![events(&[("08:00", "latest")])]);
    assert_eq!(archive.compact(&objects).unwrap(), 7);
    let found = contents(dir.path());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].1, ["latest"]);
    let early = (1..=8).map(|round| ids_of(round)[1].clone());
    let late = (1..=8).rev().map(|round| ids_of(round)[0].clone());
    assert_eq!(found[1].1, early.chain(late).collect::<Vec<_>>());
    assert_eq!(archive.compact(&objects).unwrap(), 0);
    archive.publish(&objects).unwrap();
    archive.sweep().unwrap();
    assert_eq!(contents(dir.path()), found);
    assert_eq!(fs::read_dir(dir.path().join("_weir/pending")).unwrap().count(), 0);
}

#[test]
fn merging_keeps_every_row_of_files_that_overlap() {
    let (dir, mut archive) = opened();
    // each file has every minute of the day, so that rows of all files follow each other; the last one is never merged
    let minute = |n: usize| format!("{:02}:{:02}", n / 60, n % 60);
    let (files, rows) = (compact::FILES_MIN, 1440);
    let mut objects = Vec::new();
    for file in 0..=files {
        let made: Vec<_> = (0..rows).map(|n| (minute(n), format!("{:05}", n * files + file))).collect();
        let made: Vec<(&str, &str)> = made.iter().map(|(time, id)| (time.as_str(), id.as_str())).collect();
        let made = if file < files { &made[..] } else { &made[..1] };
        objects = commit(&mut archive, file as u64 + 1, vec![events(made)]);
    }
    assert_eq!(archive.compact(&objects).unwrap(), files - 1);
    let found = contents(dir.path());
    let merged = found.iter().find(|(_, ids)| ids.len() > 1).unwrap();
    assert_eq!(merged.1, (0..files * rows).map(|n| format!("{n:05}")).collect::<Vec<_>>());
}

#[test]
fn where_memory_is_short_files_of_a_full_buffer_are_as_much_larger_than_small_ones() {
    let usual = Config::default();
    let times = |config: &Config| config.buffer_bytes as f64 / (config.file_bytes / compact::SMALL_SHARE) as f64;
    for mib in [256, 384, 512, 768, 1024] {
        let config = usual.within(Memory::of_limit(Size(mib << 20)).unwrap());
        assert!((times(&config) - times(&usual)).abs() < 0.1, "{mib} MiB: {config:?}");
        assert!(config.buffer_bytes >= usual.buffer_bytes / 4 && config.buffer_bytes <= usual.buffer_bytes);
    }
}

#[test]
fn a_buffer_that_columns_share_counts_once() {
    let text = Buffer::from_vec(vec![b'x'; 1000]);
    let column = || -> ArrayRef {
        // one text, of the first 20 bytes of the buffer
        let views = ScalarBuffer::from(vec![20_u128 | 0x7878_7878 << 32]);
        Arc::new(StringViewArray::new(views, vec![text.clone()], None))
    };
    let inner = Arc::new(Field::new("inner", DataType::Utf8View, true));
    let nested: ArrayRef = Arc::new(StructArray::from(vec![(inner, column())]));
    let rows = RecordBatch::try_from_iter([("a", column()), ("b", column()), ("c", nested)]).unwrap();
    let batch = Batch { table: &CLOUDTRAIL, rows };
    assert_eq!(batch.bytes_len(), 1000 + 3 * 16);
    let (_dir, mut archive) = opened();
    archive.config.buffer_bytes = 2 * batch.bytes_len();
    archive.add(vec![batch.clone()]);
    assert!(!archive.is_full());
    archive.add(vec![batch]);
    assert!(archive.is_full());
}

#[test]
fn compaction_waits_for_readers() {
    let (dir, mut archive) = opened();
    let mut objects = Vec::new();
    for round in 1..=9 {
        objects = commit(&mut archive, round, vec![events(&[("08:00", &round.to_string())])]);
    }
    let reading = Reading::start(dir.path()).unwrap();
    assert_eq!(archive.compact(&objects).unwrap(), 0);
    drop(reading);
    assert_eq!(archive.compact(&objects).unwrap(), 7);
    assert_eq!(ids(dir.path()).len(), 9);
}

#[test]
fn an_exchange_broken_off_at_any_step_loses_and_doubles_nothing() {
    let (dir, mut archive) = opened();
    for round in 1..=3 {
        commit(&mut archive, round, vec![events(&[("08:00", &round.to_string())])]);
    }
    let folder = dir.path().join("cloudtrail/account=1/region=r/day=2024-08-01");
    let hidden = dir.path().join("_weir/hidden");
    let small: Vec<PathBuf> = files(dir.path(), &CLOUDTRAIL).unwrap().into_iter().map(|file| file.path).collect();
    let merged = folder.join("20240801T080000-merged.parquet");
    let relative = |path: &Path| format!("{}\n", path.strip_prefix(dir.path()).unwrap().display());

    // before the switch: the merged file is there, and hidden
    let sorted = write::Sorted::new(&CLOUDTRAIL, vec![events(&[("08:00", "1"), ("08:00", "2"), ("08:00", "3")])]);
    let places = sorted.partitions.values().next().unwrap();
    sorted.write(places, &merged, &Config::default()).unwrap();
    fs::write(&hidden, relative(&merged)).unwrap();
    assert_eq!(ids(dir.path()), ["1", "2", "3"]);
    archive.sweep().unwrap();
    assert_eq!(ids(dir.path()), ["1", "2", "3"]);
    assert!(!merged.exists() && !hidden.exists());

    // behind it: the small ones are hidden, and one of them is gone
    sorted.write(places, &merged, &Config::default()).unwrap();
    fs::write(&hidden, small.iter().map(|path| relative(path)).collect::<String>()).unwrap();
    fs::remove_file(&small[1]).unwrap();
    assert_eq!(ids(dir.path()), ["1", "2", "3"]);
    let reading = Reading::start(dir.path()).unwrap();
    archive.sweep().unwrap();
    assert!(hidden.exists(), "a reader may still want what is hidden");
    assert_eq!(archive.compact(&[]).unwrap(), 0);
    drop(reading);
    archive.sweep().unwrap();
    assert_eq!(contents(dir.path()).len(), 1);
    assert_eq!(ids(dir.path()), ["1", "2", "3"]);
}

#[test]
fn files_of_another_schema_are_left_alone() {
    let (dir, mut archive) = opened();
    for round in 1..=8 {
        commit(&mut archive, round, vec![events(&[("08:00", "new")])]);
    }
    let folder = dir.path().join("cloudtrail/account=1/region=r/day=2024-08-01");
    let old = RecordBatch::try_from_iter([("eventid", Arc::new(StringArray::from(vec!["old"])) as ArrayRef)]).unwrap();
    let file = File::create(folder.join("0.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, old.schema(), None).unwrap();
    writer.write(&old).unwrap();
    writer.close().unwrap();
    let objects = commit(&mut archive, 9, vec![events(&[("08:00", "latest")])]);
    assert_eq!(archive.compact(&objects).unwrap(), 7);
    let found = contents(dir.path());
    assert_eq!(found.iter().map(|(_, ids)| ids.len()).collect::<Vec<_>>(), [1, 1, 8]);
    assert_eq!(found[0].1, ["old"]);
}

#[test]
fn a_damaged_file_stays_as_it_is_and_the_others_are_merged() {
    let (dir, mut archive) = opened();
    for round in 1..=10 {
        commit(&mut archive, round, vec![events(&[("08:00", &round.to_string())])]);
    }
    let damaged: Vec<PathBuf> =
        files(dir.path(), &CLOUDTRAIL).unwrap().into_iter().map(|file| file.path).take(2).collect();
    let [without_end, mut overwritten] = [0, 1].map(|place| fs::read(&damaged[place]).unwrap());
    fs::write(&damaged[0], &without_end[..100]).unwrap();
    let (rest, magic) = overwritten.split_last_chunk::<8>().unwrap();
    let footer = u32::from_le_bytes(magic[..4].try_into().unwrap()) as usize;
    let rows = 4..rest.len() - footer;
    overwritten[rows].fill(0xff);
    fs::write(&damaged[1], &overwritten).unwrap();

    let objects = commit(&mut archive, 11, vec![events(&[("08:00", "latest")])]);
    assert_eq!(archive.compact(&objects).unwrap(), 7);
    assert_eq!(archive.compact(&objects).unwrap(), 0);
    assert_eq!(fs::read(&damaged[1]).unwrap(), overwritten);
    assert_eq!(fs::read_dir(dir.path().join("_weir/pending")).unwrap().count(), 0);
    damaged.iter().for_each(|path| fs::remove_file(path).unwrap());
    let mut found = ids(dir.path());
    found.sort();
    assert_eq!(found, ["10", "3", "4", "5", "6", "7", "8", "9", "latest"]);
}

#[test]
fn a_folder_that_cannot_be_an_archive_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "x").unwrap();
    let error = format!("{:#}", Archive::open(&path, &Config::default()).err().unwrap());
    assert!(error.contains(&path.display().to_string()), "{error}");
}

#[test]
fn times_are_sorted_in_a_large_file_too() {
    let (dir, mut archive) = opened();
    let minute = |n: usize| format!("{:02}:{:02}", n / 60, n % 60);
    let rows: Vec<(String, String)> = (0..20_000).map(|n| (minute(n * 7919 % 1440), n.to_string())).collect();
    let rows: Vec<(&str, &str)> = rows.iter().map(|(time, id)| (time.as_str(), id.as_str())).collect();
    let batches = rows.chunks(3000).map(events).collect();
    let objects = commit(&mut archive, 1, batches);
    let found = read(&dir.path().join(&objects[0].path));
    let times = found.column_by_name("eventtime").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.len(), 20_000);
    assert!(times.values().is_sorted());
    let mut ids = texts(&found, "eventid");
    ids.sort_by_key(|id| id.parse::<usize>().unwrap());
    assert_eq!(ids, (0..20_000).map(|n| n.to_string()).collect::<Vec<_>>());
}
