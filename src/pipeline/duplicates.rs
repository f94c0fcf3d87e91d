//! Batches → the same batches without the rows whose id was seen before, in this run or in one that was committed.

pub mod kept;

use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use self::kept::{Kept, Parts};
use crate::memory::Memory;
use crate::table::Batch;
use crate::table::fetch::fetch_text;

/// The ids of the latest rows, as 64-bit fingerprints in two generations: when the newer one is full the older is
/// forgotten, so between one and two times [`Seen::GENERATION_MAX`] ids are remembered in at most 38 MB, or fewer in less where
/// memory is short.
///
/// Two different ids share a fingerprint with a chance of 2e-13 for each new row.
pub struct Seen {
    newer: Ids,
    older: Ids,
    generation_max: usize,
    /// What commits have of them; none where there are no commits.
    kept: Option<Kept>,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen::within(Memory::default())
    }
}

type Ids = hashbrown::HashSet<u64, BuildHasherDefault<Same>>;

/// A fingerprint is a hash already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are hashed")
    }
    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

impl Seen {
    /// Ids a generation holds: seven eighths of a table of 2^21.
    pub const GENERATION_MAX: usize = 1_835_008;

    /// The largest table of a power of two that fits into the memory's share, seven eighths full: one more id would double it.
    pub fn within(memory: Memory) -> Seen {
        const SLOTS: usize = Seen::GENERATION_MAX / 7 * 8;
        let slots = 1 << memory.of(SLOTS).ilog2();
        Seen { newer: Ids::default(), older: Ids::default(), generation_max: slots / 8 * 7, kept: None }
    }

    /// Goes on with what was committed, and has commits keep what comes.
    pub fn restore(&mut self, saved: &Parts) {
        let (kept, newer, older) = Kept::restore(saved, self.generation_max);
        (self.newer, self.older, self.kept) = (newer.into_iter().collect(), older.into_iter().collect(), Some(kept));
    }

    /// What a commit has to write: what changed since the one before.
    pub fn changes(&mut self) -> Parts {
        self.kept.as_mut().map(Kept::changes).unwrap_or_default()
    }

    /// Ids remembered, in both generations, and how many may be.
    pub fn len(&self) -> (usize, usize) {
        (self.newer.len() + self.older.len(), 2 * self.generation_max)
    }

    /// A shorter text is a placeholder such as `...`, not an id: AWS's are UUIDs.
    pub const ID_BYTES_MIN: usize = 8;

    /// Takes out the rows whose id was seen before, and says how many they were. Rows without an id all stay. Where a
    /// table's ids are told of again, the id counts together with what differs then ([`crate::table::Table::same`]); elsewhere
    /// one that is no UUID, which people put where one was, counts together with the name and time of its event.
    ///
    /// An id counts within one account: CloudTrail gives the copies of one action that several accounts receive
    /// different ids, but nothing promises that.
    pub fn take_new(&mut self, batch: Batch) -> (Batch, u64) {
        let fingerprints = fingerprints(&batch);
        self.take_new_of(batch, &fingerprints)
    }

    /// The same, of a batch whose [`fingerprints`] were made before.
    pub fn take_new_of(&mut self, batch: Batch, fingerprints: &[Option<u64>]) -> (Batch, u64) {
        let is_doubled =
            |(row, print): (usize, &Option<u64>)| print.is_some_and(|print| !self.is_new(print)).then_some(row);
        let doubled: Vec<usize> = fingerprints.iter().enumerate().filter_map(is_doubled).collect();
        if doubled.is_empty() {
            return (batch, 0);
        }
        let mut keep = vec![true; batch.rows.num_rows()];
        doubled.iter().for_each(|&row| keep[row] = false);
        let rows =
            filter_record_batch(&batch.rows, &BooleanArray::from(keep)).expect("the mask has one value for each row");
        (Batch { table: batch.table, rows }, doubled.len() as u64)
    }

    fn is_new(&mut self, fingerprint: u64) -> bool {
        if self.older.contains(&fingerprint) || !self.newer.insert(fingerprint) {
            return false;
        }
        if let Some(kept) = &mut self.kept {
            kept.add(fingerprint);
        }
        if self.newer.len() >= self.generation_max {
            self.older = std::mem::take(&mut self.newer);
            if let Some(kept) = &mut self.kept {
                kept.turn();
            }
        }
        true
    }
}

/// What each row of a batch is known by, as [`Seen::take_new`] says; none of rows that all stay. Of a table without ids it is empty.
pub fn fingerprints(batch: &Batch) -> Vec<Option<u64>> {
    /// Rows ahead of which the id is fetched: each lies elsewhere in what was read.
    const AHEAD: usize = 16;
    let column = |name: &str| batch.rows.column_by_name(name).expect("a column of the table");
    let [id, others @ ..] = batch.table.same else { return Vec::new() };
    let ids = column(id).as_string_view();
    let account = batch.rows.column(0).as_dictionary::<arrow::datatypes::Int32Type>();
    let seeds: Vec<u64> = account.values().as_string::<i32>().iter().map(|name| fingerprint(0, name)).collect();
    let options = FormatOptions::default();
    let shown = |name: &&str| ArrayFormatter::try_new(column(name), &options).expect("a plain column can be shown");
    let others_shown: Vec<_> = others.iter().map(shown).collect();
    let beside = if others.is_empty() { &["eventname", batch.table.time][..] } else { &[] };
    let beside: Vec<_> = beside.iter().filter(|name| batch.rows.column_by_name(name).is_some()).map(shown).collect();
    let time = others.iter().find(|name| **name == batch.table.time).map(|name| column(name));
    let of_row = |row: usize| {
        if row + AHEAD < ids.len() && ids.is_valid(row + AHEAD) {
            fetch_text(ids, row + AHEAD);
        }
        let is_named = ids.is_valid(row) && ids.value(row).len() >= Seen::ID_BYTES_MIN;
        let is_one = is_named && time.is_none_or(|time| time.is_valid(row));
        is_one.then(|| {
            let seed = account.key(row).map_or(0, |code| seeds[code]);
            let other = |seed, shown: &ArrayFormatter<'_>| fingerprint(seed, Some(&shown.value(row).to_string()));
            let beside = if is_uuid(ids.value(row)) { &[][..] } else { &beside[..] };
            let seed = others_shown.iter().chain(beside).fold(seed, other);
            fingerprint(seed, Some(ids.value(row)))
        })
    };
    (0..ids.len()).map(of_row).collect()
}

fn is_uuid(text: &str) -> bool {
    const DASHES: [bool; 36] = {
        let mut dashes = [false; 36];
        (dashes[8], dashes[13], dashes[18], dashes[23]) = (true, true, true, true);
        dashes
    };
    let Ok(bytes) = <&[u8; 36]>::try_from(text.as_bytes()) else { return false };
    let is_hex = |byte: u8| byte.is_ascii_digit() | matches!(byte | 0x20, b'a'..=b'f');
    // without a branch they are compared many at a time
    DASHES.iter().zip(bytes).fold(true, |all, (&dash, &byte)| all & if dash { byte == b'-' } else { is_hex(byte) })
}

/// A 64-bit hash with a fixed seed, by folded multiplication (as foldhash and wyhash do).
fn fingerprint(seed: u64, text: Option<&str>) -> u64 {
    const A: u64 = 0x2d35_8dcc_aa6c_78a5;
    const B: u64 = 0x8bb8_4b93_962e_acc9;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let bytes = text.unwrap_or_default().as_bytes();
    let mut hash = fold(seed ^ A, bytes.len() as u64 ^ B);
    let (chunks, rest) = bytes.as_chunks::<16>();
    let last = match bytes.last_chunk::<16>() {
        // the last sixteen bytes without those that stand in a chunk before
        Some(last) => u128::from_le_bytes(*last) >> (8 * (16 - rest.len()) % 128),
        None => {
            let mut words = [0; 16];
            words[..rest.len()].copy_from_slice(rest);
            u128::from_le_bytes(words)
        }
    };
    let last = (!rest.is_empty()).then_some(last);
    for words in chunks.iter().map(|chunk| u128::from_le_bytes(*chunk)).chain(last) {
        let (low, high) = (words as u64, (words >> 64) as u64);
        hash = fold(hash ^ low ^ A, high ^ B) ^ fold(low ^ B, hash ^ high);
    }
    fold(hash ^ A, B)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, RecordBatch, StringViewArray, new_null_array};

    use super::*;
    use crate::logs::cloudtrail::CLOUDTRAIL;

    fn batch(rows: &[(&str, Option<&str>)]) -> Batch {
        let schema = CLOUDTRAIL.schema();
        let columns: Vec<ArrayRef> = schema
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                "account" => Arc::new(
                    rows.iter().map(|row| Some(row.0)).collect::<DictionaryArray<arrow::datatypes::Int32Type>>(),
                ) as ArrayRef,
                "eventid" => Arc::new(rows.iter().map(|row| row.1).collect::<StringViewArray>()),
                _ => new_null_array(field.data_type(), rows.len()),
            })
            .collect();
        Batch { table: &CLOUDTRAIL, rows: RecordBatch::try_new(schema, columns).unwrap() }
    }

    #[test]
    fn a_row_is_kept_once_for_each_account_and_always_without_an_id() {
        let mut seen = Seen::default();
        let (kept, doubled) = seen.take_new(batch(&[
            ("1", Some("id-0000a")),
            ("1", Some("id-0000b")),
            ("1", Some("id-0000a")),
            ("2", Some("id-0000a")),
            ("1", Some("...")),
            ("1", Some("...")),
            ("1", None),
            ("1", None),
        ]));
        assert_eq!((kept.rows.num_rows(), doubled), (7, 1));
        let (kept, doubled) = seen.take_new(batch(&[("2", Some("id-0000a")), ("1", Some("id-0000c"))]));
        assert_eq!((kept.rows.num_rows(), doubled), (1, 1));
    }

    #[test]
    fn an_id_that_is_no_uuid_counts_with_the_name_and_time_of_its_event() {
        let event = |id: &str, name: &str, second: u32| {
            format!(
                r#"{{"eventSource":"s","eventName":"{name}","eventTime":"2024-08-01T12:00:{second:02}Z","eventID":"{id}"}}"#
            )
        };
        let (written, id) = ("123aaac1-123d-456a-1k29a4dd2kea", "0a1b2c3d-123d-456a-8a29-a4dd2ea0a1b2");
        let told = [event(written, "A", 1), event(written, "B", 1), event(written, "A", 2), event(written, "A", 1)];
        assert_eq!(kept_and_doubled(&told), (3, 1));
        // a UUID is one event, whatever a copy lacks
        let csv_lacks_it = event(id, "A", 1).replace("\"eventTime\":\"2024-08-01T12:00:01Z\",", "");
        assert_eq!(kept_and_doubled(&[event(id, "A", 1), csv_lacks_it]), (1, 1));
        assert!(is_uuid(id) && is_uuid(&id.to_uppercase()) && !is_uuid(written) && !is_uuid("é-"));
        for (hex, other) in
            [('d', "g"), ('d', "-"), ('d', "G"), ('0', "/"), ('0', ":"), ('0', "@"), ('0', "`"), ('-', "0")]
        {
            assert!(!is_uuid(&id.replacen(hex, other, 1)), "{other} for {hex}");
        }
    }

    #[test]
    fn a_finding_told_again_is_new_when_its_time_is() {
        let finding = |time: &str| {
            format!(
                r#"{{"schemaVersion":"2.0","accountId":"1","id":"id-0000a","type":"t","resource":{{}},"updatedAt":"{time}"}}"#
            )
        };
        let (early, late) = ("2024-08-01T12:00:00.001Z", "2024-08-01T12:00:00.002Z");
        assert_eq!(kept_and_doubled(&[early, late, early, late, early].map(finding)), (2, 3));
        assert_eq!(kept_and_doubled(&["", ""].map(finding)), (2, 0), "of two without a time nobody knows");
    }

    #[test]
    fn a_run_that_is_asked_for_again_is_one_row_for_each_state() {
        let run = |rest: &str| {
            format!(r#"{{"JobRuns":[{{"Id":"jr_0000a","JobName":"j","StartedOn":1722506400.5,{rest}}}]}}"#)
        };
        let running = |seconds: u32| run(&format!(r#""JobRunState":"RUNNING","ExecutionTime":{seconds}"#));
        let failed = run(r#""JobRunState":"FAILED","ExecutionTime":60,"CompletedOn":1722506460.5"#);
        let in_words = failed.replace("1722506460.5", "\"2024-08-01T12:01:00.500+02:00\"");
        let told = [running(30), running(30), running(60), failed.clone(), failed, in_words];
        assert_eq!(kept_and_doubled(&told), (2, 4));
    }

    fn kept_and_doubled(lines: &[String]) -> (usize, u64) {
        let lines = lines.join("\n");
        let options = crate::decode::Options::default();
        let (mut rejects, mut counts) = (Vec::new(), crate::decode::Counts::default());
        let mut reader = crate::decode::open(crate::decode::Input::Bytes(lines.into()), Default::default(), &options);
        let records = reader.next(&mut rejects, &mut counts).unwrap().unwrap();
        let batch = crate::logs::batches(vec![records], &options, &mut rejects, &mut counts).remove(0);
        let (kept, doubled) = Seen::default().take_new(batch);
        (kept.rows.num_rows(), doubled)
    }

    /// As it is said: words of sixteen bytes, the last one filled up with zeros.
    fn plainly(seed: u64, text: &str) -> u64 {
        const A: u64 = 0x2d35_8dcc_aa6c_78a5;
        const B: u64 = 0x8bb8_4b93_962e_acc9;
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            product as u64 ^ (product >> 64) as u64
        };
        let hash = fold(seed ^ A, text.len() as u64 ^ B);
        let hash = text.as_bytes().chunks(16).fold(hash, |hash, chunk| {
            let mut words = [0; 16];
            words[..chunk.len()].copy_from_slice(chunk);
            let words = u128::from_le_bytes(words);
            fold(hash ^ words as u64 ^ A, (words >> 64) as u64 ^ B)
                ^ fold(words as u64 ^ B, hash ^ (words >> 64) as u64)
        });
        fold(hash ^ A, B)
    }

    proptest::proptest! {
        #[test]
        fn the_fingerprint_is_that_of_words_filled_up_with_zeros(text in "[ -~é]{0,60}", seed: u64) {
            proptest::prop_assert_eq!(fingerprint(seed, Some(&text)), plainly(seed, &text));
        }
    }

    #[test]
    fn where_memory_is_short_fewer_ids_are_remembered() {
        let memory = Memory::of_limit("256MiB".parse().unwrap()).unwrap();
        let mut seen = Seen::within(memory);
        // a ninth of 2^21 is 233,016, and 2^17 the largest power of two in it
        assert_eq!(seen.generation_max, 114_688);
        assert!((0..114_689).all(|n| seen.is_new(fingerprint(n, None))));
        assert_eq!(seen.len(), (114_689, 229_376));
        assert!((0..114_687).all(|n| seen.is_new(fingerprint(200_000 + n, None))));
        assert!(seen.is_new(fingerprint(0, None)), "the first id has been forgotten");
    }

    #[test]
    fn what_was_committed_is_known_after_a_stop_and_nothing_else_is() {
        let rows = |ids: std::ops::Range<u32>| {
            let ids: Vec<String> = ids.map(|id| format!("id-{id:06}")).collect();
            batch(&ids.iter().map(|id| ("1", Some(id.as_str()))).collect::<Vec<_>>())
        };
        let (mut seen, mut whole) = (Seen::default(), Parts::default());
        seen.restore(&whole);
        for ids in [0..3, 3..10_000] {
            seen.take_new(rows(ids));
            kept::take(&mut whole, seen.changes());
        }
        seen.take_new(rows(10_000..10_010));
        let mut seen = Seen::default();
        seen.restore(&whole);
        let (kept, doubled) = seen.take_new(rows(0..10_020));
        assert_eq!((kept.rows.num_rows(), doubled), (20, 10_000));
        assert_eq!(seen.len().0, 10_020);
    }

    #[test]
    fn the_older_generation_is_forgotten() {
        let mut seen = Seen::default();
        let total = 2 * Seen::GENERATION_MAX as u64 + 1;
        assert!((0..total).all(|n| seen.is_new(fingerprint(n, None))));
        assert!(seen.is_new(fingerprint(0, None)), "the first id has been forgotten");
        assert!(!seen.is_new(fingerprint(total - 1, None)), "the latest has not");
    }
}
