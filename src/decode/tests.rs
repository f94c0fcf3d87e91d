//! Any bytes, and any way to cut them: the same rows, and never a panic.

use std::io::{self, Cursor, Read, Write};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;

use super::cut::Cutter;
use super::inflate::{self, Compression, Filled, Limits, Stream};
use super::{Body, Counts, Gathered, Input, Json, Options, PADDING, Records, Text, open, utf16};
use crate::logs;
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::table::{Batch, Origin, Reject};

/// Gives as many bytes at a time as the sizes say, in turn: a pipe, a socket, or a file on a slow disk.
struct Trickle {
    bytes: Bytes,
    sizes: Vec<usize>,
    reads: usize,
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.reads % self.sizes.len()];
        self.reads += 1;
        if size == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = size.min(buffer.len()).min(self.bytes.len());
        buffer[..count].copy_from_slice(&self.bytes.split_to(count));
        Ok(count)
    }
}

fn trickle(bytes: &[u8], sizes: &[usize]) -> Box<dyn Read + Send> {
    Box::new(Trickle { bytes: Bytes::copy_from_slice(bytes), sizes: sizes.to_vec(), reads: 0 })
}

/// Sizes of reads; never only interruptions.
fn sizes(most: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..most, 0..5).prop_map(move |mut sizes| {
        sizes.push(most);
        sizes
    })
}

#[derive(Default)]
pub(super) struct Outcome {
    pub(super) batches: Vec<Batch>,
    pub(super) rejects: Vec<Reject>,
    pub(super) counts: Counts,
    pieces: usize,
}

impl Outcome {
    /// Rows of all batches as one, or nothing where there are none.
    fn rows(&self) -> Option<RecordBatch> {
        let first = self.batches.first()?;
        assert!(self.batches.iter().all(|batch| batch.table.name == first.table.name));
        let rows = self.batches.iter().map(|batch| &batch.rows);
        Some(concat_batches(&first.table.schema(), rows).unwrap())
    }

    fn ids(&self) -> Vec<String> {
        let texts = |batch: &Batch| {
            let column = batch.rows.column_by_name("eventid").unwrap().as_string_view().clone();
            column.iter().map(|id| id.unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        self.batches.iter().filter(|batch| batch.table.name == "cloudtrail").flat_map(texts).collect()
    }

    fn take(&mut self, records: Records, options: &Options) {
        self.pieces += 1;
        self.batches.extend(logs::batches(vec![records], options, &mut self.rejects, &mut self.counts));
    }

    fn assert_counted(&self) {
        let (mut rows, mut rejects) = (0, 0);
        for (table, tally) in &self.counts.0 {
            assert_eq!(tally.records, tally.rows + tally.rejects + tally.set_aside, "{table}");
            (rows, rejects) = (rows + tally.rows, rejects + tally.rejects);
        }
        assert_eq!(rows, self.batches.iter().map(|batch| batch.rows.num_rows() as u64).sum::<u64>());
        assert_eq!(rejects, self.rejects.len() as u64);
    }
}

pub(super) fn read(input: Input, options: &Options) -> Outcome {
    let mut outcome = Outcome::default();
    let mut reader = open(input, Arc::default(), options);
    while let Some(records) = reader.next(&mut outcome.rejects, &mut outcome.counts).unwrap() {
        outcome.take(records, options);
    }
    outcome.assert_counted();
    outcome
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A record with a filling of any size.
fn event(number: usize, filling: &str) -> String {
    let filling = serde_json::to_string(filling).unwrap();
    format!(
        r#"{{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"CreateUser","userAgent":{filling},"eventID":"id-{number}"}}"#
    )
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z {}\\[\\]\",:\\\\\n\té😀]{0,80}",
        (0usize..3000).prop_map(|length| "x".repeat(length)),
        Just(String::new())
    ]
}

/// The pieces of a text that comes `step` bytes at a time, cut as the reader cuts it.
fn cut_up(text: &[u8], step: usize) -> Vec<Json> {
    let (mut cutter, mut buffer, mut pieces) = (Cutter::default(), Vec::new(), Vec::new());
    for more in text.chunks(step) {
        buffer.extend_from_slice(more);
        let mut padded = [&buffer[..], &[0; PADDING]].concat();
        if let Some(cut) = cutter.cut(&mut padded, &Options::default()) {
            assert_eq!(padded[..buffer.len()], buffer, "looking for a place changes nothing");
            assert!(0 < cut && cut <= buffer.len());
            pieces.push(Json { open: cutter.piece(), text: Text::new(buffer.drain(..cut).collect()), ends: false });
        }
    }
    if !buffer.is_empty() {
        pieces.push(Json { open: cutter.piece(), text: Text::new(buffer), ends: false });
    }
    pieces.iter_mut().next_back().into_iter().for_each(|last| last.ends = true);
    pieces
}

fn read_pieces(pieces: Vec<Json>) -> Outcome {
    let (mut outcome, mut offset) = (Outcome::default(), 0);
    for piece in pieces {
        let records =
            Records { table: &CLOUDTRAIL, origin: Arc::default(), offset, body: Body::Json(piece), context: None };
        offset = records.end();
        outcome.take(records, &Options::default());
    }
    outcome.assert_counted();
    outcome
}

const WIDE: Limits = Limits { bytes: 1 << 24, ratio: 1 << 40 };

fn inflated(source: Box<dyn Read + Send>, compression: Compression, count: usize) -> (Vec<u8>, Option<String>) {
    let mut stream = match Stream::new(source, compression, WIDE) {
        Ok(stream) => stream,
        Err(error) => panic!("memory can be read: {error}"),
    };
    let mut out = Vec::new();
    loop {
        match stream.fill(&mut out, count).unwrap() {
            Filled::More | Filled::Paused => {}
            Filled::End => return (out, None),
            Filled::Broken(why) => return (out, Some(why)),
        }
    }
}

proptest! {
    /// What is gathered is what the reader gives, and all that begins as an object is gathered but what may be UTF-16.
    #[test]
    fn a_small_json_object_that_is_gathered_is_what_is_read_otherwise(
        text in "[{](([\"\\\\\\[\\]{},: \n\r\ta0é€-]|[ -~]|\0){0,200})"
    ) {
        let (bytes, origin, options) = (text.into_bytes(), Arc::default(), Options::default());
        if !Gathered::fits(&bytes, &options) {
            prop_assert!(bytes.len() < 2 || bytes[1] == 0);
            return Ok(());
        }
        let mut gathered = Gathered::default();
        gathered.add(&bytes, "name".into());
        let records = gathered.take(&options).unwrap();
        prop_assert_eq!(&*records.origin, &Origin { name: "name".into(), ..Origin::default() });
        let mut reader = open(Input::Bytes(bytes.into()), origin, &options);
        let (mut rejects, mut counts) = (Vec::new(), Counts::default());
        let usual = reader.next(&mut rejects, &mut counts).unwrap().unwrap();
        prop_assert!(reader.next(&mut rejects, &mut counts).unwrap().is_none());
        prop_assert!(rejects.is_empty() && counts == Counts::default());
        prop_assert_eq!((records.table.name, records.offset), (usual.table.name, usual.offset));
        let (Body::Json(own), Body::Json(usual)) = (records.body, usual.body) else { panic!("both are JSON") };
        prop_assert_eq!((own.text.as_slice(), own.open), (&[usual.text.as_slice(), b"\n"].concat()[..], usual.open));
        let padded = own.text.into_padded();
        prop_assert_eq!(&padded[padded.len() - PADDING..], &[0; PADDING][..]);
    }

    #[test]
    fn any_bytes_inflate_to_the_same_however_they_come(
        mut bytes in prop::collection::vec(any::<u8>(), 0..400),
        magic in 0..4usize,
        sizes in sizes(50),
        count in 1..300usize,
    ) {
        let magics: [&[u8]; 4] = [b"", b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18\x02\0\0\0"];
        bytes.splice(0..0, magics[magic].iter().copied());
        let compression = Compression::of(&bytes);
        let whole = inflated(Box::new(Cursor::new(bytes.clone())), compression, 1 << 16);
        prop_assert_eq!(&inflated(trickle(&bytes, &sizes), compression, count), &whole);
        if let Some(padded) = inflate::whole(&bytes, 1 << 20) {
            prop_assert_eq!(&padded[..padded.len() - PADDING], &whole.0[..]);
        }
    }

    #[test]
    fn members_and_frames_come_back_and_damage_keeps_a_beginning(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        zstd: bool,
        sizes in sizes(50),
        damage in 0usize..1000,
        byte: u8,
    ) {
        let compress = |part: &Vec<u8>| if zstd { zstd::encode_all(&part[..], 1).unwrap() } else { gzip(part) };
        let mut bytes: Vec<u8> = parts.iter().flat_map(compress).collect();
        let text = parts.concat();
        // what begins as UTF-16 comes out as UTF-8, see `utf16`
        prop_assume!(utf16::order(&text).is_none());
        let compression = Compression::of(&bytes);
        prop_assert_eq!(inflated(trickle(&bytes, &sizes), compression, 100), (text.clone(), None));
        let cut = damage % bytes.len();
        let (kept, _) = inflated(trickle(&bytes[..cut], &sizes), compression, 100);
        prop_assert!(text.starts_with(&kept));
        bytes[cut] = byte;
        let (_, why) = inflated(trickle(&bytes, &sizes), compression, 100);
        prop_assert!(why.is_none_or(|why| why.starts_with("the compressed data is")));
    }

    #[test]
    fn a_text_cut_anywhere_gives_the_rows_of_the_whole(
        fillings in prop::collection::vec(texts(), 1..12),
        step in 1..900usize,
        wrapper in 0..5usize,
    ) {
        let events: Vec<String> = fillings.iter().enumerate().map(|(number, filling)| event(number, filling)).collect();
        let text = match wrapper {
            0 => format!(r#"{{"Records":[{}]}}"#, events.join(",")),
            1 => format!("[{}]", events.join(" ,\n")),
            2 => events.join("\n"),
            3 => events.concat(),
            _ => format!(r#"{{"a":{{"b":[]}},"Records":[{}],"c":[1]}} {}"#, events.join(","), event(99, "")),
        };
        let whole = read(Input::Bytes(text.clone().into()), &Options::default());
        prop_assert_eq!((whole.rejects.len(), whole.ids().len()), (0, events.len() + usize::from(wrapper == 4)));
        let pieces = read_pieces(cut_up(text.as_bytes(), step));
        prop_assert_eq!(pieces.rejects.iter().map(|reject| &reject.reason).collect::<Vec<_>>(), Vec::<&String>::new());
        prop_assert_eq!(pieces.rows(), whole.rows());
    }

    #[test]
    fn a_damaged_text_cut_anywhere_loses_two_records_at_most(
        fillings in prop::collection::vec("[a-z {},]{0,60}", 10),
        step in 1..900usize,
        at in 0usize..10_000,
        byte: u8,
    ) {
        let events: Vec<String> = fillings.iter().enumerate().map(|(number, filling)| event(number, filling)).collect();
        let mut text = format!(r#"{{"Records":[{}]}}"#, events.join(",")).into_bytes();
        let at = 12 + at % (text.len() - 14);
        text[at] = byte;
        let kept = read_pieces(cut_up(&text, step)).ids();
        let lost: Vec<usize> = (0..10).filter(|number| !kept.contains(&format!("id-{number}"))).collect();
        prop_assert!(lost.len() <= 2, "{:?} at {}: {:?}", byte as char, at, lost);
    }

    #[test]
    fn any_bytes_are_cut_into_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..500), step in 1..200usize) {
        for text in [bytes.clone(), [b"{\"Records\":[", &bytes[..]].concat()] {
            let pieces = cut_up(&text, step);
            prop_assert_eq!(pieces.iter().flat_map(|piece| piece.text.as_slice()).copied().collect::<Vec<_>>(), text);
            read_pieces(pieces);
        }
    }

    #[test]
    fn any_bytes_are_accounted_for_however_they_are_read(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        table in 0..6usize,
        sizes in sizes(20),
        compressed: bool,
    ) {
        let bytes = if compressed { gzip(&bytes) } else { bytes };
        let options = Options { table: logs::TABLES.get(table).copied(), ..Options::default() };
        let whole = read(Input::Bytes(bytes.clone().into()), &options);
        prop_assert_eq!(read(Input::Stream(trickle(&bytes, &sizes)), &options).counts, whole.counts);
    }

    #[test]
    fn a_damaged_parquet_file_is_rows_and_a_reject(
        rows in 1..200i64,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        table in 0..6usize,
    ) {
        let address: ArrayRef = Arc::new((0..rows).map(|row| Some(format!("10.0.0.{}", row % 9))).collect::<StringArray>());
        let start: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let batch = RecordBatch::try_from_iter([("srcaddr", address), ("start", start)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        for (place, byte) in damage {
            let at = place.index(bytes.len() - 4) + 4;
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let options = Options { table: logs::TABLES.get(table).copied(), ..Options::default() };
        let outcome = read(Input::Bytes(bytes.into()), &options);
        prop_assert!(outcome.rows().is_none_or(|found| found.num_rows() as i64 <= rows));
    }
}

proptest! {
    // a few, since only what is longer than 4 MiB comes in several pieces
    #![proptest_config(ProptestConfig { cases: 2, ..ProptestConfig::default() })]

    #[test]
    fn a_long_object_gives_the_same_rows_however_it_comes(seed in 0usize..1000, sizes in sizes(100_000), lines in 0..3usize) {
        let filling = |number: usize| "x".repeat((number * 7919 + seed * 31) % 9000);
        let text = match lines {
            0 => {
                let events: Vec<String> = (0..1500).map(|number| event(number, &filling(number))).collect();
                format!(r#"{{"Records":[{}]}}"#, events.join(",\n"))
            }
            1 => (0..1500).map(|number| {
                let trace = format!("\tat {}\n", filling(number));
                format!("24/05/01 12:00:01 ERROR A: {number}\n{}", if number % 3 == 0 { &trace } else { "" }.repeat(3))
            }).collect(),
            _ => {
                let line = |number: usize| format!("2 111122223333 eni-{number} 10.0.0.1 - 1 2 6 1 {number} 1 2 ACCEPT OK\n");
                (0..90_000).map(|number| line(number + seed)).collect()
            }
        };
        let options = Options::default();
        // in pieces of another size than those of a stream: each of them whole
        let whole = read(Input::Bytes(gzip(text.as_bytes()).into()), &options);
        let stream = read(Input::Stream(trickle(text.as_bytes(), &sizes)), &options);
        prop_assert_eq!((whole.rejects.len(), stream.rejects.len()), (0, 0));
        prop_assert!(stream.pieces > whole.pieces, "{} pieces", stream.pieces);
        prop_assert_eq!(stream.rows(), whole.rows());
        let frame = zstd::encode_all(text.as_bytes(), 1).unwrap();
        prop_assert_eq!(read(Input::Stream(trickle(&frame, &sizes)), &options).rows(), whole.rows());
    }
}

#[test]
fn a_parquet_file_forced_into_a_table_has_a_row_of_it_for_each_of_its_own() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let rows = RecordBatch::try_from_iter([("start", column)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    for table in logs::TABLES {
        let options = Options { table: Some(table), ..Options::default() };
        let outcome = read(Input::Bytes(bytes.clone().into()), &options);
        assert_eq!(outcome.counts.of_table(table.name), (2, 2, 0), "{}: {:?}", table.name, outcome.rejects);
    }
}

#[test]
fn what_is_compressed_otherwise_says_what_to_do() {
    let reason =
        |bytes: &[u8]| read(Input::Bytes(bytes.to_vec().into()), &Options::default()).rejects[0].reason.clone();
    assert!(reason(b"PK\x03\x04\x14\0\0\0\x08\0").starts_with("a zip archive: unpack it"));
    assert!(reason(b"BZh91AY&SY\x01\x02").starts_with("compressed with bzip2: "));
    assert!(reason(b"\xfd7zXZ\0\0\x04\xe6\xd6").starts_with("compressed with xz: "));
    assert!(reason(&gzip(b"PAR1\x15\x04\x15\x10")).starts_with("Parquet that is compressed as a whole"));
    // what is stored in it as it is, is no JSON
    assert!(reason(b"\x04\x22\x4d\x18\x64\x40\xa7\x06\0\0\x80{\"eventName\":1}").starts_with("compressed with lz4: "));
    assert!(reason(b"\xff\x06\0\0sNaPpY\x01\x08").starts_with("compressed with snappy: "));
    assert!(reason(b"x\x9c\xab\x56").starts_with("compressed with zlib: "));
    assert!(reason(b"ORC\x11\0\0\x0a").starts_with("ORC, which is not read: "));
    assert!(
        reason(b"Obj\x01\x04\x16avro.schema\xda\x02{\"type\":\"record\"}").starts_with("Avro, which is not read: ")
    );
    let tar = [&[b'a'; 100][..], &[0; 157], b"ustar\0", &[0; 249], &gzip(b"{}")].concat();
    assert!(reason(&tar).starts_with("a tar archive: unpack it"));
    let of_json = [&b"a.json"[..], &[0; 251], b"ustar\0", &[0; 249], b"{\"eventVersion\":\"1.08\"}\n"].concat();
    assert!(reason(&of_json).starts_with("a tar archive: unpack it"));
    assert!(reason(&gzip(&of_json)).starts_with("a tar archive: unpack it"));
    assert_eq!(reason(b"BZ is the name of an office"), "neither JSON nor a text log that a table knows");
}

#[test]
fn a_long_text_of_lines_that_were_cut_takes_no_time() {
    // longer than what is read whole; each line has the next begin inside a string
    let line = format!("{}\n", &event(1, &"x".repeat(600))[..600]);
    let lines = (5 << 20) / line.len();
    let text = format!("{}{}\n", line.repeat(lines), event(2, "x"));
    let begun = std::time::Instant::now();
    let outcome = read(Input::Stream(trickle(text.as_bytes(), &[1 << 20])), &Options::default());
    assert_eq!(
        (outcome.ids(), outcome.counts.0.values().map(|tally| tally.rejects).sum::<u64>()),
        (vec!["id-2".to_owned()], lines as u64)
    );
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn lines_that_begin_no_row_are_cut_at_their_ends() {
    let run = format!("jr_{}", "0a".repeat(32));
    let line = format!("2024-05-01T12:00:05.123000+00:00 {run} {}\n", "x".repeat(100_000));
    // more than a piece of 16 MiB, behind which the next began in the middle of a line
    let lines = (34 << 20) / line.len();
    let outcome = read(Input::Stream(trickle(line.repeat(lines).as_bytes(), &[1 << 20])), &Options::default());
    assert_eq!(outcome.counts.of_table("glue_log"), (lines as u64, lines as u64, 0));
}

#[test]
fn lines_of_a_log_behind_an_entry_in_json_are_read_in_every_piece() {
    let json = r#"{"level":"WARN","message":"m","logger":"L","timestamp":"2024-08-01T12:00:00Z"}"#;
    let line = format!("24/08/01 12:00:01 ERROR A: {}\n", "x".repeat(100_000));
    for (lines, entries) in [((34 << 20) / line.len(), 1), (30, 4)] {
        let text = format!("{json}\n{}", line.repeat(lines)).repeat(entries);
        let outcome = read(Input::Stream(trickle(text.as_bytes(), &[1 << 20])), &Options::default());
        let count = ((lines + 1) * entries) as u64;
        assert_eq!(outcome.counts.of_table("glue_log"), (count, count, 0), "{lines} lines");
        assert!(outcome.rejects.is_empty(), "{}", outcome.rejects[0].reason);
    }
}

#[test]
fn logs_of_no_table_say_what_they_are() {
    let reason = |text: &str| {
        let outcome = read(Input::Bytes(text.to_owned().into()), &Options::default());
        (outcome.rejects[0].reason.clone(), outcome.counts.of_table(""))
    };
    let owner = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";
    let line = format!(
        "{owner} bucket [06/Feb/2019:00:00:38 +0000] 192.0.2.3 {owner} 3E57 REST.GET.VERSIONING - \"GET / HTTP/1.1\"\n"
    );
    assert_eq!(reason(&line), ("an access log of S3, which no table has".to_owned(), (1, 0, 1)));
    assert!(
        reason("h2 2018-07-02T22:23:00.186641Z app/my-lb/50dc 10.0.1.252:48160")
            .0
            .starts_with("an access log of a load balancer")
    );
    for of_balancer in [
        "tls 2.0 2020-04-01T08:51:42 net/my-lb/c6e7 g3d4 72.21.218.154:51341 172.100.100.185:443",
        "2015-05-13T23:39:43.945958Z my-lb 192.168.131.39:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29",
    ] {
        assert!(reason(of_balancer).0.starts_with("an access log of a load balancer"), "{of_balancer}");
    }
    let query = "1.0 2017-12-13T08:16:02.130Z Z123412341234 example.com A NOERROR UDP FRA6 192.168.1.1 -";
    assert!(reason(query).0.starts_with("a query log of Route 53"));
    assert!(
        reason("\nAn error occurred (AccessDenied) when calling LookupEvents").0.starts_with("an error of the AWS CLI")
    );
    assert!(reason("#Version: 1.0\n#Fields: date time\n").0.starts_with("an access log of CloudFront"));
    for printed in ["2024-05-01T12:00:01.000Z rows: 5\n", "2024-05-01T12:00:01.000000+00:00 a-stream rows: 5\n"] {
        assert!(reason(printed).0.contains("--table glue_log"), "{printed}");
    }
    assert!(reason("GetJobRunsResponse(JobRuns=[JobRun(Id=jr_1)])\n").0.contains("SDK for Java"));
    let thrice = read(Input::Bytes(gzip(&gzip(&gzip(b"{}"))).into()), &Options::default());
    assert_eq!(thrice.rejects[0].reason, "compressed three times over: decompress it once");
    assert!(reason("<134>1 2024-08-01T10:00:00Z host app - - - x\n").0.contains("syslog"));
    assert!(reason("<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>").0.starts_with("XML or HTML"));
    assert!(
        reason("eyJldmVudFZlcnNpb24iOiIxLjA4In0=\teyJldmVudFZlcnNpb24iOiIxLjA4In0=\n").0.starts_with("base64: decode")
    );
    assert_eq!(reason("eyJ is how JSON begins in base64\n").0, "neither JSON nor a text log that a table knows");
    assert_eq!(reason("http is a protocol\n").0, "neither JSON nor a text log that a table knows");
}

#[test]
fn the_test_object_of_an_export_of_logs_is_set_aside() {
    let outcome = read(Input::Bytes("Permission Check Successful\n".into()), &Options::default());
    let tally = outcome.counts.0[""];
    assert_eq!((tally.records, tally.set_aside, outcome.rejects.len()), (1, 1, 0));
}

#[test]
fn what_the_aws_cli_prints_is_read_whole_whatever_it_begins_with() {
    let filling = "x".repeat(100_000);
    let lines: String = (0..50).map(|number| format!("EVENTS\t{}\tid\n", event(number, &filling))).collect();
    for begin in ["", "\u{feff}", "\n", "\u{feff}\r\n"] {
        let outcome = read(Input::Bytes(format!("{begin}{lines}").into()), &Options::default());
        assert_eq!((outcome.ids().len(), outcome.rejects.len()), (50, 0), "{begin:?}");
    }
}

#[test]
fn what_stands_before_a_record_in_its_line_is_not_cut_from_it() {
    let filling = "x".repeat(10_000);
    let line = |number| format!("<134>Aug  1 11:30:23 host trail[7]: {}\n", event(number, &filling));
    let outcome = read(Input::Bytes((0..500).map(line).collect::<String>().into()), &Options::default());
    assert_eq!((outcome.ids().len(), outcome.rejects.len()), (500, 0));
}

#[test]
fn utf_16_is_read_as_what_it_says() {
    let text = event(1, "ä");
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let marked = format!("\u{feff}{text}");
    for bytes in [
        utf16(&marked, u16::to_le_bytes),
        utf16(&marked, u16::to_be_bytes),
        utf16(&text, u16::to_le_bytes),
        utf16(&text, u16::to_be_bytes),
    ] {
        for input in [Input::Bytes(bytes.clone().into()), Input::Bytes(gzip(&bytes).into())] {
            let outcome = read(input, &Options::default());
            assert_eq!(outcome.rejects.len(), 0, "{:?}", outcome.rejects);
            assert_eq!((outcome.ids().len(), outcome.counts.of_table("cloudtrail")), (1, (1, 1, 0)));
        }
    }
    // UTF-8 with zeros behind a record is none
    let padded = format!("{text}{}", "\0".repeat(64));
    assert_eq!(read(Input::Bytes(padded.into()), &Options::default()).rejects.len(), 0);
}
