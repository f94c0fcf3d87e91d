//! Gzipped CloudTrail to Arrow on one core, beside what it cannot do without and what others do.
//!
//! `cargo bench --bench decode [-- cloudtrail|vpc_flow --events N --files N --rounds N --seed N]`. All contestants run in each round, one
//! after the other, on one thread; the numbers are medians of CPU time, because machines drift and ratios do not.

mod corpus;
mod vpc_flow;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimestampMicrosecondType};
use bytes::Bytes;
use rustix::time::{ClockId, clock_gettime};
use weir::decode::{self, Counts, Input, Options};
use weir::logs;
use weir::table::{Batch, Origin, Table};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// One contestant: its seconds in every round, and what it found, which must be the same each time.
struct Lane<'a> {
    name: &'static str,
    run: Box<dyn FnMut() -> u64 + 'a>,
    seconds: Vec<f64>,
    expected: u64,
}

impl<'a> Lane<'a> {
    fn new(name: &'static str, expected: u64, run: impl FnMut() -> u64 + 'a) -> Lane<'a> {
        Lane { name, run: Box::new(run), seconds: Vec::new(), expected }
    }

    fn round(&mut self) {
        let start = cpu_seconds();
        let found = (self.run)();
        self.seconds.push(cpu_seconds() - start);
        assert_eq!(found, self.expected, "{} found something else", self.name);
    }

    fn median(&self) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    }
}

/// Rows and a checksum over columns of three kinds, so that a contestant cannot win by leaving work out.
fn digest(batches: &[Batch]) -> u64 {
    let mut sum = 0u64;
    for batch in batches {
        let rows = &batch.rows;
        sum += rows.num_rows() as u64;
        let ids = rows.column_by_name("eventid").expect("a column of cloudtrail").as_string_view();
        let times = rows.column_by_name("eventtime").expect("a column of cloudtrail");
        let times = times.as_primitive::<TimestampMicrosecondType>();
        let parameters = rows.column_by_name("requestparameters").expect("a column of cloudtrail").as_string_view();
        // a sample of rows: the sum itself shall cost nothing
        for row in (0..rows.num_rows()).step_by(97) {
            let id = ids.value(row).bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
            sum = sum.wrapping_add(id).wrapping_add(times.value(row) as u64);
            if !parameters.is_null(row) {
                sum = sum.wrapping_add(parameters.value(row).len() as u64);
            }
        }
    }
    sum
}

fn ours(objects: &[Bytes], options: &Options) -> (Vec<Batch>, Counts) {
    let origin = Arc::new(Origin::default());
    let (mut rejects, mut counts, mut batches) = (Vec::new(), Counts::default(), Vec::new());
    for object in objects {
        let mut reader = decode::open(Input::Bytes(object.clone()), origin.clone(), options);
        let mut records = Vec::new();
        while let Some(piece) = reader.next(&mut rejects, &mut counts).expect("memory can be read") {
            records.push(piece);
        }
        batches.extend(logs::batches(records, options, &mut rejects, &mut counts));
    }
    assert!(rejects.is_empty(), "the corpus is sound: {:?}", rejects.first());
    (batches, counts)
}

/// The table's schema without the columns arrow-json cannot fill: free-form JSON, and what we derive. Names are
/// AWS's, since it matches keys exactly; text is what it writes fastest.
fn arrow_json_schema(table: &Table) -> Arc<Schema> {
    fn plain(columns: &[weir::table::Column]) -> Vec<Field> {
        use weir::table::Kind;
        let keep = columns.iter().filter(|column| !column.path.is_empty() && !matches!(column.kind, Kind::Json));
        keep.map(|column| {
            let kind = match column.kind {
                Kind::Struct(columns) => DataType::Struct(plain(columns).into()),
                Kind::List(columns) => {
                    DataType::List(Arc::new(Field::new("item", DataType::Struct(plain(columns).into()), true)))
                }
                // its decoder has no dictionaries; what it does write is left as cheap as it gets
                Kind::Symbol => DataType::Utf8View,
                Kind::Bool if column.name == "sessioncredentialfromconsole" => DataType::Utf8View,
                other => other.data_type(),
            };
            Field::new(column.path, kind, true)
        })
        .collect()
    }
    Arc::new(Schema::new(plain(table.columns)))
}

fn gunzip(decompressor: &mut libdeflater::Decompressor, gzip: &[u8], out: &mut Vec<u8>) {
    let size = u32::from_le_bytes(*gzip.last_chunk::<4>().expect("a gzip file has a trailer")) as usize;
    out.resize(size, 0);
    decompressor.gzip_decompress(gzip, out).expect("the corpus is sound");
}

fn main() {
    let options = arguments();
    let asked = |section: &str| std::env::args().any(|word| word == section);
    if !asked("cloudtrail") {
        vpc_flow::run(&options);
    }
    if !asked("vpc_flow") {
        cloudtrail(&options);
    }
}

fn cloudtrail(options: &BTreeMap<&'static str, u64>) {
    let (files, events, rounds, seed) =
        (options["files"], options["events"], options["rounds"].max(7), options["seed"]);
    let texts: Vec<Vec<u8>> = (0..files).map(|file| corpus::cloudtrail_file(seed + file, events as usize)).collect();
    let raw: usize = texts.iter().map(Vec::len).sum();
    let gzips: Vec<Bytes> = texts.iter().map(|text| corpus::gzip(text).into()).collect();
    let packed: usize = gzips.iter().map(Bytes::len).sum();
    let plain: Vec<Bytes> = texts.iter().map(|text| Bytes::copy_from_slice(text)).collect();
    let lines: Vec<Bytes> = texts
        .iter()
        .map(|text| {
            let file: serde_json::Value = serde_json::from_slice(text).expect("the corpus is JSON");
            let lines: String =
                file["Records"].as_array().expect("an array").iter().map(|event| event.to_string() + "\n").collect();
            corpus::gzip(lines.as_bytes()).into()
        })
        .collect();
    let total = files * events;
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    println!(
        "machine: {}\ncorpus: {files} CloudTrail files, {total} events of {} bytes, {:.1} MB, gzip {:.1}:1, seed {seed}\n{rounds} rounds, medians of CPU time on one thread\n",
        model.unwrap_or("unknown"),
        raw / total as usize,
        raw as f64 / 1e6,
        raw as f64 / packed as f64
    );

    let settings = Options::default();
    let (first, counts) = ours(&gzips, &settings);
    assert_eq!(counts.0["cloudtrail"].rows, total, "every event is a row");
    drop(first);
    let each = |objects: &[Bytes]| {
        let digests = objects.iter().map(|object| digest(&ours(std::slice::from_ref(object), &settings).0));
        digests.fold(0, u64::wrapping_add)
    };
    let expected = each(&plain);
    assert_eq!(each(&gzips), expected, "compression changes nothing");
    let schema = arrow_json_schema(&logs::cloudtrail::CLOUDTRAIL);
    let longest = texts.iter().map(Vec::len).max().unwrap_or_default();

    let mut decompressor = libdeflater::Decompressor::new();
    let mut scratch = Vec::with_capacity(longest);
    let mut inflater = libdeflater::Decompressor::new();
    let mut line_buffer = Vec::with_capacity(longest);
    let mut buffers = simd_json::Buffers::new(longest);
    let mut tape = Some(simd_json::Tape::null().reset());
    let mut working = Vec::with_capacity(longest);
    let mut copy = Vec::with_capacity(longest);
    let mut lanes = vec![
        // every contestant forgets a file before the next, as the pipeline does
        Lane::new("gz to Arrow, all columns", expected, || each(&gzips)),
        Lane::new("libdeflate gunzip alone", raw as u64, || {
            gzips.iter().fold(0, |sum, gzip| {
                gunzip(&mut decompressor, gzip, &mut scratch);
                sum + scratch.len() as u64
            })
        }),
        Lane::new("plain JSON to Arrow, all columns", expected, || each(&plain)),
        // parsing is in place, so each round needs a fresh copy; the lane after this is what the copy costs
        Lane::new("simd-json tape fill, with a copy", total, || {
            texts.iter().fold(0, |sum, text| {
                working.clear();
                working.extend_from_slice(text);
                let mut filled = tape.take().expect("put back below").reset();
                simd_json::fill_tape(&mut working, &mut buffers, &mut filled).expect("the corpus is JSON");
                let events = count_events(&filled);
                tape = Some(filled.reset());
                sum + events
            })
        }),
        Lane::new("that copy alone", raw as u64, || {
            texts.iter().fold(0, |sum, text| {
                copy.clear();
                copy.extend_from_slice(text);
                sum + std::hint::black_box(&copy).len() as u64
            })
        }),
        Lane::new("gz NDJSON by arrow-json, no free-form columns", total, || {
            lines.iter().fold(0, |sum, gzip| {
                gunzip(&mut inflater, gzip, &mut line_buffer);
                let reader = arrow::json::ReaderBuilder::new(schema.clone()).with_batch_size(32 << 10);
                let batches: Vec<RecordBatch> = reader
                    .build(&line_buffer[..])
                    .expect("the schema fits")
                    .collect::<Result<_, _>>()
                    .expect("the corpus fits the schema");
                sum + batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>()
            })
        }),
    ];
    for lane in &mut lanes {
        lane.round();
        lane.seconds.clear();
    }
    for _ in 0..rounds {
        lanes.iter_mut().for_each(Lane::round);
    }
    println!("{:<48} {:>10} {:>10}", "", "events/s", "MB/s raw");
    for lane in &lanes {
        let seconds = lane.median();
        println!("{:<48} {:>10.0} {:>10.0}", lane.name, total as f64 / seconds, raw as f64 / 1e6 / seconds);
    }
    let median = |lane: usize| lanes[lane].median();
    println!("\ngz to Arrow     {:.2}x gunzip alone (goal 0.50)", median(1) / median(0));
    println!(
        "plain to Arrow  {:.2}x tape fill without its copy (goal 1.4)",
        (median(3) - median(4)) / (median(2) - median(4))
    );
    println!("gz to Arrow     {:.2}x arrow-json (goal 3.2)", median(5) / median(0));
}

/// Objects in `Records`.
fn count_events(tape: &simd_json::Tape<'_>) -> u64 {
    use simd_json::Node;
    match tape.0[..] {
        [Node::Object { .. }, Node::String("Records"), Node::Array { len, .. }, ..] => len as u64,
        _ => 0,
    }
}

fn arguments() -> BTreeMap<&'static str, u64> {
    let mut options = BTreeMap::from([("files", 40), ("events", 800), ("rounds", 9), ("seed", 1)]);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let Some((_, value)) = options.iter_mut().find(|(name, _)| word.strip_prefix("--") == Some(name)) else {
            continue;
        };
        *value = words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{word} needs a number"));
    }
    options
}
