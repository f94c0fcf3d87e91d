//! VPC flow text to Arrow on one core, beside arrow-csv filling the same columns.
//!
//! `cargo bench --bench decode -- vpc_flow [--files N --events N --rounds N --seed N]`. arrow-csv is helped where that
//! makes it faster: symbols are plain string views for it, NODATA lines are left out so that it need not look for
//! nulls, and what may be `-` is text.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use bytes::Bytes;
use weir::decode::Options;
use weir::logs::vpc_flow::VPC_FLOW;
use weir::table::Kind;

use super::{Lane, corpus, ours};

/// Runs the section.
pub fn run(options: &BTreeMap<&'static str, u64>) {
    let (files, flows, rounds, seed) =
        (options["files"], options["events"] * 8, options["rounds"].max(7), options["seed"]);
    type Generate = fn(u64, usize) -> Vec<u8>;
    let kinds: [(&str, Generate); 2] =
        [("default format", corpus::vpc_flow_file), ("versions 2 to 8, 40 fields", corpus::vpc_flow_wide_file)];
    for (name, generate) in kinds {
        let texts: Vec<Bytes> = (0..files).map(|file| full(&generate(seed + file, flows as usize)).into()).collect();
        section(name, &texts, rounds);
    }
}

/// Without the lines of intervals without traffic.
fn full(text: &[u8]) -> Vec<u8> {
    let nodata = memchr::memmem::Finder::new("NODATA");
    text.split_inclusive(|byte| *byte == b'\n').filter(|line| nodata.find(line).is_none()).flatten().copied().collect()
}

fn section(name: &str, texts: &[Bytes], rounds: u64) {
    let bytes: usize = texts.iter().map(Bytes::len).sum();
    let schema = csv_schema(&texts[0]);
    let settings = Options::default();
    let (batches, counts) = ours(texts, &settings);
    let rows = counts.0["vpc_flow"].rows;
    let one = |text: &Bytes| {
        let batches = ours(std::slice::from_ref(text), &settings).0;
        digest(batches.iter().map(|batch| &batch.rows))
    };
    let lines = texts.iter().map(|text| memchr::memchr_iter(b'\n', text).count() as u64 - 1).sum::<u64>();
    assert_eq!(rows, lines, "every line behind a header is a row");
    let expected = digest(batches.iter().map(|batch| &batch.rows));
    compare(&batches[0].rows, &csv(&texts[0], &schema)[0]);
    drop(batches);
    let mut lanes = [
        // both forget a file's batches before the next, as the pipeline does
        Lane::new("VPC flow text to Arrow", expected, || texts.iter().map(one).fold(0, u64::wrapping_add)),
        Lane::new("arrow-csv", expected, || {
            texts.iter().map(|text| digest(csv(text, &schema).iter())).fold(0, u64::wrapping_add)
        }),
    ];
    for lane in &mut lanes {
        lane.round();
        lane.seconds.clear();
    }
    for _ in 0..rounds {
        lanes.iter_mut().for_each(Lane::round);
    }
    println!(
        "VPC flow logs, {name}: {rows} flows of {} bytes, {:.1} MB; {rounds} rounds, medians of CPU time on one thread",
        bytes as u64 / rows,
        bytes as f64 / 1e6
    );
    println!("{:<48} {:>10} {:>10}", "", "flows/s", "MB/s");
    for lane in &lanes {
        let seconds = lane.median();
        println!("{:<48} {:>10.0} {:>10.0}", lane.name, rows as f64 / seconds, bytes as f64 / 1e6 / seconds);
    }
    println!("{:.2}x arrow-csv (goal 2.5)\n", lanes[1].median() / lanes[0].median());
}

/// The columns of the header line.
fn csv_schema(text: &[u8]) -> Arc<Schema> {
    let header = text.split(|byte| *byte == b'\n').next().expect("a header line");
    let names = std::str::from_utf8(header).expect("ASCII").split(' ');
    let field = |name: &str| {
        let column = VPC_FLOW.columns.iter().find(|column| column.path == name);
        let number = column.is_some_and(|column| matches!(column.kind, Kind::Int)) && name != "traffic-path";
        Field::new(name.replace('-', "_"), if number { DataType::Int64 } else { DataType::Utf8View }, true)
    };
    Arc::new(Schema::new(names.map(field).collect::<Vec<_>>()))
}

fn csv(text: &[u8], schema: &Arc<Schema>) -> Vec<RecordBatch> {
    let reader = arrow::csv::ReaderBuilder::new(schema.clone())
        .with_header(true)
        .with_delimiter(b' ')
        .with_batch_size(32 << 10)
        .build_buffered(text)
        .expect("the schema fits");
    reader.collect::<Result<_, _>>().expect("the corpus fits the schema")
}

/// Rows and a checksum over numbers and texts of some of them: the sum itself shall cost nothing.
fn digest<'a>(batches: impl Iterator<Item = &'a RecordBatch>) -> u64 {
    let mut sum = 0u64;
    for rows in batches {
        sum += rows.num_rows() as u64;
        let start = rows.column_by_name("start").expect("a field of both").as_primitive::<Int64Type>();
        sum = start.values().iter().fold(sum, |sum, start| sum.wrapping_add(*start as u64));
        let bytes = rows.column_by_name("bytes").expect("a field of both").as_primitive::<Int64Type>();
        sum = bytes.values().iter().fold(sum, |sum, bytes| sum.wrapping_add(*bytes as u64));
    }
    sum
}

/// Both have the same values in every column that both have.
fn compare(ours: &RecordBatch, theirs: &RecordBatch) {
    let rows = ours.num_rows().min(theirs.num_rows());
    for (place, field) in theirs.schema().fields().iter().enumerate() {
        if field.name() == "region" {
            continue;
        }
        let text = |column: &dyn Array| cast(&column.slice(0, rows), &DataType::Utf8).expect("all is text");
        let (ours, theirs) =
            (text(ours.column_by_name(field.name()).expect("a column of the table")), text(theirs.column(place)));
        let (ours, theirs) = (ours.as_string::<i32>(), theirs.as_string::<i32>());
        for row in 0..rows {
            let own = if ours.is_null(row) { "-" } else { ours.value(row) };
            assert_eq!(own, theirs.value(row), "{} of row {row}", field.name());
        }
    }
}
