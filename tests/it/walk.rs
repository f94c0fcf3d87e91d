//! One event from byte to finding, step by step as ARCHITECTURE.md's walk names them, with every value on the way.
//!
//! Somebody attaches `AdministratorAccess` to a new user. The recording has three records; we follow the first.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use weir::archive::{self, Archive};
use weir::aws::{self, Aws};
use weir::decode::cut::Cutter;
use weir::decode::index::Indexer;
use weir::decode::inflate::{self, Compression};
use weir::decode::{self, Body, Counts, Input, Json, Open, Options, PADDING};
use weir::detect::{Detector, library};
use weir::finding::{Finding, FindingId, Resource};
use weir::pipeline::commit::{Commit, State};
use weir::pipeline::duplicates::Seen;
use weir::position::{Checkpoint, Offset, Position};
use weir::rule::Severity;
use weir::sink::{self, Format, Look};
use weir::source::{self, Event, Piece, Source, file};
use weir::table::Origin;
use weir::time::{MICROS_PER_DAY, Timestamp};
use weir::triage::Triage;
use weir::triage::suppress::Suppressions;
use weir::{logs, table::Batch};

use crate::support::repository;

const RECORDING: &str = "tests/data/cloudtrail/stratus/aws.persistence.iam-create-admin-user.json.gz";
const RULE: &str = "cloudtrail/admin_policy_attached";
/// When AWS says the policy was attached, and when we happen to read of it.
const ATTACHED: &str = "2024-08-01T13:33:28Z";
const NOW: &str = "2024-08-01T13:40:00Z";

#[test]
fn one_event_from_byte_to_finding() {
    let now = Timestamp::parse(NOW).unwrap();

    // 2. the file is found, opened and read: one piece with all of it, then the word that it has ended
    let mut pieces = read(&repository(RECORDING));
    assert_eq!(pieces.len(), 2);
    let (end, piece) = (pieces.pop().unwrap(), pieces.pop().unwrap());
    assert_eq!((piece.read_bytes, end.read_bytes), (887, 0));
    assert_eq!((piece.ended, end.ended), (false, true));
    let (position, end_position) = (piece.position.unwrap(), end.position.unwrap());
    assert_eq!((&position.offset, &end_position.offset), (&Offset::At("3178".into()), &Offset::End));
    // the partition is the file and its version, so that a file that changes is read again
    assert!(position.partition.starts_with("file:/"), "{position:?}");
    assert!(position.partition.contains("aws.persistence.iam-create-admin-user.json.gz|887|"));
    assert!(end.records.is_empty());
    let records = piece.records.into_iter().next().unwrap();

    // 3. gzip has come off, and the first bytes have said that it is JSON
    let text = the_bytes_come_off();
    assert_eq!((records.table.name, records.offset, records.end()), ("cloudtrail", 0, 3178));
    let Body::Json(Json { text: json, open: Open::Nothing, ends: true }) = &records.body else {
        panic!("a JSON document")
    };
    assert_eq!(json.as_slice(), text);
    a_long_stream_is_cut_between_records(&text);

    // 4. records to columns
    the_index_says_where_values_stand(&text);
    let (mut rejects, mut counts) = (Vec::new(), Counts::default());
    let mut batches = logs::batches(vec![records], &Options::default(), &mut rejects, &mut counts);
    assert_eq!((batches.len(), rejects.len(), counts.of_table("cloudtrail")), (1, 0, (3, 3, 0)));
    let batch = batches.remove(0);
    the_columns_are_views_and_dictionaries(&batch, &text);
    golden("row.json", &row(&batch.rows, 0));

    // 5. a record delivered twice goes on once
    let mut seen = Seen::default();
    let (batch, doubled) = seen.take_new(batch);
    assert_eq!((batch.rows.num_rows(), doubled), (3, 0));
    let (again, doubled) = seen.take_new(batch.clone());
    assert_eq!((again.rows.num_rows(), doubled), (0, 3));

    // 6, 7. what is wrong with this row
    let (mut detector, id) = (detector(), finding_id());
    let batches = [batch];
    let found = detector.observe(&batches, now);
    assert_eq!(found.len(), 1);
    the_match_is_described(&found[0], id);
    let cost = &detector.costs()[RULE];
    assert_eq!((cost.rows, cost.hits, cost.failed), (1, 1, 0), "the gates leave one row to look at");
    assert_eq!(detector.observe(&batches, now)[0].id, id, "the same events make the same id");

    // 8. ranked
    let mut triage = Triage::new(Suppressions::default(), Vec::new());
    triage.watch(&batches);
    let mut told = triage.settle(found, now);
    assert_eq!(told.len(), 1);
    let finding = told.remove(0);
    the_priority_is_explained(&finding);

    // 9, 10. the rows wait, are committed, and move into place
    let folder = tempfile::tempdir().unwrap();
    the_rows_are_archived(folder.path(), &batches, &[position, end_position], &triage);

    // 11. shown
    let show = |format| {
        let mut out = Vec::new();
        sink::write(format, std::slice::from_ref(&finding), Look::default(), now, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    golden("finding.ndjson", &show(Format::Ndjson));
    golden("finding.txt", &show(Format::Table));
}

fn read(path: &Path) -> Vec<Piece> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let config =
        file::Config { from: vec![path.display().to_string()], exclude: Vec::new(), follow: false, readers: 1 };
    let (_, committed) = watch::channel(Arc::default());
    let stop = CancellationToken::new();
    let mut events = source::start(
        vec![Source::File(config)],
        &Aws::new(aws::Config::default()),
        &Options::default(),
        Arc::default(),
        committed,
        Arc::default(),
        stop,
    );
    let mut pieces = Vec::new();
    while let Some(event) = runtime.block_on(events.next()) {
        match event {
            Event::Piece(piece) => pieces.push(piece),
            Event::Unreadable { name, why } | Event::Ended { name, why } => panic!("{name}: {why}"),
            Event::AlreadyRead => panic!("nothing was read before"),
            Event::Reached { .. } => panic!("files do not go on"),
        }
    }
    pieces
}

/// The inflated text, taken off the file by the functions that `Reader::next` uses and by itself.
fn the_bytes_come_off() -> Vec<u8> {
    let stored = fs::read(repository(RECORDING)).unwrap();
    assert_eq!(stored[..2], [0x1f, 0x8b]);
    assert_eq!(Compression::of(&stored), Compression::Gzip);
    let inflated = inflate::whole(&stored, 1 << 20).unwrap();
    let (text, padding) = inflated.split_at(3178);
    assert_eq!(padding, [0; PADDING]);
    assert!(text.starts_with(br#"{"Records":[{"awsRegion":"ap-isob-central-3r","#) && text.ends_with(b"}]}"));

    let mut reader = decode::open(Input::Bytes(stored.into()), Arc::new(Origin::default()), &Options::default());
    let mut next = || reader.next(&mut Vec::new(), &mut Counts::default()).unwrap();
    assert_eq!(next().unwrap().bytes_len(), 3178);
    assert!(next().is_none());
    text.to_vec()
}

/// The second record stands at 971 to 2006: of the first 1,700 bytes only what is before it can be handed on.
fn a_long_stream_is_cut_between_records(text: &[u8]) {
    assert_eq!(&text[970..972], b",{");
    let mut piece = [&text[..1700], &[0; PADDING]].concat();
    let mut cutter = Cutter::default();
    assert_eq!(cutter.cut(&mut piece, &Options::default()), Some(971));
    assert_eq!(cutter.piece(), Open::Nothing);
    assert_eq!(cutter.piece(), Open::Records, "the next piece begins inside of `Records`");
}

fn the_index_says_where_values_stand(text: &[u8]) {
    let mut padded = [text, &[0; PADDING]].concat();
    let mut indexer = Indexer::default();
    let window = indexer.index(&mut padded, 0, text.len());
    assert_eq!((window.end, window.unclean, window.invalid), (3178, false, false));
    let begins: Vec<&[u8]> = indexer.places()[..8].iter().map(|&at| &text[at as usize..at as usize + 5]).collect();
    let expected: [&[u8]; 8] = [b"{\"Rec", b"\"Reco", b":[{\"a", b"[{\"aw", b"{\"aws", b"\"awsR", b":\"ap-", b"\"ap-i"];
    assert_eq!(begins, expected);
}

fn the_columns_are_views_and_dictionaries(batch: &Batch, text: &[u8]) {
    assert_eq!(batch.table.name, "cloudtrail");
    let column = |name: &str| batch.rows.column_by_name(name).unwrap();
    // rules ask their conditions once for each of these
    let names = column("eventname").as_dictionary::<Int32Type>();
    assert_eq!(names.keys().values()[..], [0, 1, 2]);
    let names: Vec<_> = names.values().as_string::<i32>().iter().flatten().collect();
    assert_eq!(names, ["AttachUserPolicy", "CreateAccessKey", "CreateUser"]);
    let sources = column("eventsource").as_dictionary::<Int32Type>();
    assert_eq!((sources.keys().values()[..].to_vec(), sources.values().len()), (vec![0, 0, 0], 1));
    // text stays where it was inflated to: the view of the id says at which byte
    let ids = column("eventid").as_string_view();
    assert_eq!(ids.value(0), "083dc4ad-e264-46bc-a407-d0dd31b58bdc");
    let buffer = (ids.views()[0] >> 64) as u32 as usize;
    assert_eq!(&ids.data_buffers()[buffer].as_slice()[..text.len()], text);
    let at = (ids.views()[0] >> 96) as usize;
    assert_eq!(&text[at - 11..at], br#""eventID":""#);
    let times = column("eventtime").as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(0), 1_722_519_208_000_000);
    // where the row belongs comes from the record, for this file's path says nothing
    for (partition, value) in [("account", "229654561268"), ("region", "ap-isob-central-3r")] {
        let column = column(partition).as_dictionary::<Int32Type>();
        assert_eq!(column.values().as_string::<i32>().value(column.keys().value(0) as usize), value);
    }
}

/// The detector with the one rule that the walk follows.
fn detector() -> Detector {
    let source = library::built_in().into_iter().find(|source| source.id == RULE).unwrap();
    let (rules, refused) = library::rules(&[source]);
    assert_eq!((rules[0].id.as_str(), rules[0].table.as_str(), refused.len()), (RULE, "cloudtrail", 0));
    assert_eq!(rules[0].severity, Severity::Medium);
    let (detector, refused) = Detector::new(logs::TABLES, rules);
    assert_eq!(refused, []);
    detector
}

/// Rule, account and actor, and the day: whoever reads these logs gets this id.
fn finding_id() -> FindingId {
    let key = ["229654561268", "arn:aws:iam::229654561268:user/christophe"].map(Some);
    let id = FindingId::new(RULE, &key, Timestamp::parse(ATTACHED).unwrap().0 / MICROS_PER_DAY);
    assert_eq!(id.to_string(), "953f039d0396b0b444fd010e5a58c6d2");
    id
}

fn the_match_is_described(found: &Finding, id: FindingId) {
    let attached = Timestamp::parse(ATTACHED).unwrap();
    assert_eq!((found.id, found.rule.as_str(), found.count), (id, RULE, 1));
    assert_eq!(found.title, "Administrator policy was attached to a user");
    assert_eq!(found.severity, Severity::High, "the query grades a user above the rule's medium");
    assert_eq!((found.account.as_str(), found.region.as_str()), ("229654561268", "ap-isob-central-3r"));
    assert_eq!(found.actor.as_deref(), Some("arn:aws:iam::229654561268:user/christophe"));
    assert_eq!(found.source_ip.as_deref(), Some("075.050.255.67"));
    assert_eq!(found.resources, [Resource("user/malicious-iam-user".into())]);
    assert_eq!((found.first_seen, found.last_seen), (attached, attached));
    assert_eq!(found.event_ids, [(attached, "083dc4ad-e264-46bc-a407-d0dd31b58bdc".to_owned())]);
    let evidence: Vec<_> = found.evidence.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        evidence,
        [
            ("eventtime", ATTACHED),
            ("eventname", "AttachUserPolicy"),
            ("attached_to", "malicious-iam-user"),
            ("policy", "arn:aws:iam::aws:policy/AdministratorAccess"),
            ("sourceipaddress", "075.050.255.67"),
            ("useragent", "stratus-red-team_6bf00313-712c-4fd2-9bdd-88f48a4b1282"),
        ]
    );
    assert_eq!((found.priority, found.terms.len()), (0, 0), "that is for triage to say");
}

/// high 5 + odds of 1 to 4 -2 + log2(1 hour + 4) 2.32 = 5.32 bits, of -5.2 to 23: 37 of 99.
fn the_priority_is_explained(finding: &Finding) {
    let terms: Vec<_> =
        finding.terms.iter().map(|term| (term.name, (term.bits * 100.0).round() / 100.0, term.why.as_str())).collect();
    assert_eq!(
        terms,
        [
            ("severity", 5.0, "the rule says high"),
            ("precision", -2.0, "medium confidence: odds 1 to 4 before feedback"),
            ("rarity", 2.32, "this rule fired on this actor in 1 of 1 hour observed"),
        ]
    );
    assert_eq!(finding.priority, 37);
}

fn the_rows_are_archived(folder: &Path, batches: &[Batch], positions: &[Position], triage: &Triage) {
    let mut archive = Archive::open(folder, &archive::Config::default()).unwrap();
    let state = State::open(&folder.join("_weir/state.redb")).unwrap();
    archive.add(batches.to_vec());
    let objects = archive.write(1).unwrap();
    assert_eq!((objects.len(), objects[0].rows, objects[0].table.as_str()), (1, 3, "cloudtrail"));
    let place =
        "cloudtrail/account=229654561268/region=ap-isob-central-3r/day=2024-08-01/20240801T133328-00000001.parquet";
    assert_eq!(objects[0].path, place);
    let waiting = || fs::read_dir(folder.join("_weir/pending")).unwrap().count();
    assert_eq!((waiting(), folder.join(place).exists()), (1, false));

    let mut checkpoint = Checkpoint::default();
    for position in positions {
        checkpoint.advance(position.clone());
    }
    assert!(checkpoint.is_done(&positions[0].partition));
    let commit = Commit { round: 1, checkpoint, objects, triage: triage.snapshot(), ..Commit::default() };
    state.commit(&commit).unwrap();
    assert_eq!(state.load().unwrap().as_ref(), Some(&commit));
    archive.publish(&commit.objects).unwrap();
    assert_eq!((waiting(), folder.join(place).exists()), (0, true));
}

/// A row as JSON, nulls left out.
fn row(rows: &RecordBatch, row: usize) -> String {
    let mut out = arrow::json::LineDelimitedWriter::new(Vec::new());
    out.write(&rows.slice(row, 1)).unwrap();
    out.finish().unwrap();
    let row: serde_json::Value = serde_json::from_slice(&out.into_inner()).unwrap();
    serde_json::to_string_pretty(&row).unwrap() + "\n"
}

/// Compares with a file of `tests/data/walk`, which `WEIR_TEST_WRITE=1` writes, to be reviewed as a diff.
fn golden(name: &str, text: &str) {
    let path = repository("tests/data/walk").join(name);
    if std::env::var_os("WEIR_TEST_WRITE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert!(text == expected, "{name} is\n{text}\nand was\n{expected}");
}

/// The backticked names of each step of ARCHITECTURE.md's walk.
fn steps() -> Vec<Vec<String>> {
    let page = fs::read_to_string(repository("ARCHITECTURE.md")).unwrap();
    let walk = page.split("## One event, from byte to finding").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut steps: Vec<String> = Vec::new();
    for line in walk.lines() {
        let numbered = line.split_once(". ").filter(|(number, _)| number.parse::<usize>().is_ok());
        match (numbered, steps.last_mut()) {
            (Some((number, text)), _) => {
                assert_eq!(number, (steps.len() + 1).to_string(), "the steps are numbered in order");
                steps.push(text.to_owned());
            }
            (None, Some(step)) => step.push_str(line),
            (None, None) => {}
        }
    }
    steps.iter().map(|step| step.split('`').skip(1).step_by(2).map(str::to_owned).collect()).collect()
}

#[test]
fn the_walk_names_files_and_functions_that_are_there() {
    let (mut wrong, mut functions) = (Vec::new(), 0);
    for (index, names) in steps().iter().enumerate() {
        let mut file = (PathBuf::new(), String::new());
        for name in names {
            if ["src/", "queries/", "tests/"].iter().any(|top| name.starts_with(top)) {
                file = (repository(name), fs::read_to_string(repository(name)).unwrap_or_default());
                if file.1.is_empty() {
                    wrong.push(format!("step {}: no file {name}", index + 1));
                }
            } else if file.0.extension().is_some_and(|extension| extension == "rs") && is_code(name) {
                functions += 1;
                if !declares(&file.1, name) {
                    wrong.push(format!("step {}: no {name} in {}", index + 1, file.0.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(functions >= 8, "only {functions} functions were found: is the page still read as it is written?");
}

/// A type, a function or a method, and not a folder of the archive.
fn is_code(name: &str) -> bool {
    name.split("::").all(|part| part.chars().all(|next| next.is_alphanumeric() || next == '_'))
}

fn declares(file: &str, name: &str) -> bool {
    let item = |name: &str| ["fn ", "struct ", "enum "].iter().any(|kind| has_word(file, &format!("{kind}{name}")));
    match name.split_once("::") {
        Some((owner, method)) => has_word(file, &format!("impl {owner}")) && has_word(file, &format!("fn {method}")),
        // a type that is used here may be declared elsewhere
        None => item(name) || has_word(file, name),
    }
}

fn has_word(file: &str, words: &str) -> bool {
    file.match_indices(words)
        .any(|(at, _)| !file[at + words.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

#[test]
fn the_spine_takes_the_steps_in_the_order_of_the_walk() {
    let of = |file: &str| fs::read_to_string(repository(file)).unwrap();
    let spine = of("src/pipeline/mod.rs") + &of("src/pipeline/read.rs");
    let body = |name: &str| spine.split(name).nth(1).unwrap().split("\n    }\n").next().unwrap();
    // a function of Lambda reads and detects too
    let judge = body("fn judge(").replacen("self.detect(", body("fn detect("), 1);
    let turn = body("fn turn(").replacen("self.read(", body("fn read("), 1).replacen("self.judge(", &judge, 1);
    // what `turn` calls for the steps from 3 on; before it the source has sent the pieces. The archive gathers rows that wait for the
    // rules too, and writes them at the commit
    let calls = ["take_apart(", "parse(", "drop_duplicates(", "archive.add(", "observe(", "settle(", "commit("];
    let places: Vec<Option<usize>> = calls.iter().map(|call| turn.find(call)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{calls:?} stand at {places:?}");
}
