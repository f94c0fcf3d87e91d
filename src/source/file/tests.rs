use std::io::Write;
use std::os::fd::AsRawFd;

use super::*;
use crate::decode::Body;
use crate::position::Checkpoint;

fn names(spec: &str, exclude: &[PathBuf]) -> (Vec<String>, Vec<String>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    expand(spec, exclude, &mut |result| match result {
        Ok(file) => files.push(Path::new(&file.name).file_name().unwrap().to_string_lossy().into_owned()),
        Err((_, why)) => errors.push(why),
    });
    (files, errors)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_a_reader_panics_over_is_told_of() {
    let none = tokio::sync::watch::channel(Arc::default()).1;
    let stop = tokio_util::sync::CancellationToken::new();
    let (feed, mut events) = crate::source::queue(decode::Options::default(), Arc::default(), none, stop);
    let reading = thread::spawn(move || {
        let first = guarded("a.json", &feed, || panic!("as the test wants it"));
        (first.is_ok(), guarded("b.json", &feed, || feed.blocking_send(Event::AlreadyRead)).is_ok())
    });
    let Some(Event::Unreadable { name, why }) = events.next().await else { panic!("nothing is told") };
    assert_eq!((&*name, &*why), ("a.json", PANICKED));
    assert!(matches!(events.next().await, Some(Event::AlreadyRead)));
    assert!(events.next().await.is_none());
    assert_eq!(reading.join().unwrap(), (true, true));
}

#[test]
fn a_folder_gives_its_files_but_neither_hidden_ones_nor_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["b.gz", "a.json", ".hidden", "sub/c.log", "out/_weir/state", "out/x.parquet", "kept/y.parquet"] {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let all = dir.path().to_string_lossy().into_owned();
    assert_eq!(names(&all, &[]).0, ["a.json", "b.gz", "y.parquet", "c.log"]);
    assert_eq!(names(&all, &[dir.path().join("kept"), dir.path().join("b.gz")]).0, ["a.json", "c.log"]);
    assert_eq!(names(&format!("{all}/b.gz"), &[dir.path().join("b.gz")]).0, ["b.gz"]);
    assert_eq!(names(&format!("{all}/*.json"), &[]).0, ["a.json"]);
    assert_eq!(names(&format!("{all}/*.none"), &[]).1, ["no file matches"]);
    assert_eq!(names(&format!("{all}/nothing"), &[]).1, [NOTHING_THERE]);
}

#[test]
fn a_file_that_is_gone_for_a_day_is_forgotten_unless_its_folder_may_be_missing() {
    const LINE: &str = "24/08/01 12:00:00 INFO A: a\n";
    let dir = tempfile::tempdir().unwrap();
    let name = |name: &str| dir.path().join(name).canonicalize().unwrap().display().to_string();
    for file in ["a/1", "a/2", "b/1", "c/1", "d/1"] {
        fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
        fs::write(dir.path().join(file), LINE).unwrap();
    }
    let files = ["a/1", "a/2", "b/1", "c/1", "d/1"].map(|file| describe(Path::new(&name(file))).unwrap());
    let [one, two, alone, with_its_folder, of_earlier] = files.each_ref().map(|file| file.version.path.clone());
    let mut looks = Looks { follow: true, read_before: BTreeSet::from([of_earlier.clone()]), ..Looks::default() };
    let mut look = |there: &[&File], now: Instant, elsewhere: &str| {
        there.iter().for_each(|file| _ = looks.wants(file, false));
        looks.end();
        looks.gone(now, |name| name == elsewhere)
    };
    let [a1, a2, b, c, d] = &files;
    let start = Instant::now();
    look(&[a1, a2, b, c, d], start, "");
    assert_eq!(look(&[a1, a2, b, c, d], start, ""), [""; 0]);
    for file in ["a/2", "b/1", "d/1"] {
        fs::remove_file(dir.path().join(file)).unwrap();
    }
    fs::remove_dir_all(dir.path().join("c")).unwrap();
    assert_eq!(look(&[a1], start, ""), [""; 0]);
    assert_eq!(look(&[a1], start + GONE - POLL, ""), [""; 0], "not so long");
    assert_eq!(look(&[], start + GONE, ""), [""; 0], "nothing at all is there");
    assert_eq!(look(&[a1], start + GONE, &two), [with_its_folder], "of b and d, which are empty, nothing is known");
    fs::write(dir.path().join("d/2"), LINE).unwrap();
    let other = describe(Path::new(&name("d/2"))).unwrap();
    assert_eq!(look(&[a1, &other], start + GONE, ""), [two, of_earlier]);
    fs::remove_dir(dir.path().join("b")).unwrap();
    assert_eq!(look(&[a1, &other], start + GONE, ""), [alone]);
    assert_eq!(look(&[a1, &other], start + 2 * GONE, ""), [""; 0]);
    assert!(looks.taken.contains_key(&one) && looks.absent.is_empty() && looks.read_before.is_empty());
}

#[test]
fn what_was_read_under_a_name_can_be_forgotten() {
    let names = ["file:/l/a|12|34", "file:/l/a|b|13|35|9:-:00ff:1:2", "kinesis:x"];
    let checkpoint = Checkpoint(names.into_iter().map(|name| (name.into(), Offset::End)).collect());
    assert_eq!(tail::paths(&checkpoint), BTreeSet::from(["/l/a".to_owned(), "/l/a|b".to_owned()]));
    let mut tails = Tails::of(&checkpoint);
    let numbers = |number: &str| BTreeSet::from([number.to_owned()]);
    assert!(tails.is_elsewhere("/l/a|b", &numbers("1:2")) && !tails.is_elsewhere("/l/a|b", &numbers("1:3")));
    assert!(!tails.is_elsewhere("/l/a", &numbers("1:2")), "it is no text of lines");
    tails.forget("/l/a|b");
    assert!(!tails.is_elsewhere("/l/a|b", &numbers("1:2")));
}

#[test]
fn of_a_log_that_is_rotated_what_is_gone_for_a_day_is_forgotten() {
    // read under the name `a`, one after the other: the first is removed by now, the second is `a.1`; `b` is not mounted
    let [first, second, third] = ["1", "2", "3"].map(|file| format!("file:/l/a|12|{file}|9:-:00ff:1:{file}"));
    let names = [&*first, &*second, &*third, "file:/m/b|12|34|9:-:00ff:2:1"];
    let checkpoint = Checkpoint(names.into_iter().map(|name| (name.into(), Offset::End)).collect());
    let mut tails = Tails::of(&checkpoint);
    let there = |numbers: &[&str]| numbers.iter().map(|number| (*number).to_owned()).collect::<BTreeSet<_>>();
    let (start, both) = (Instant::now(), there(&["1:2", "1:3"]));
    let mut forgotten = |now: Instant, there: &BTreeSet<String>| {
        let partitions = tails.forget_outlived(now, GONE, there);
        partitions.iter().map(|partition| partition.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(forgotten(start, &both), [""; 0]);
    assert_eq!(forgotten(start + GONE - POLL, &both), [""; 0], "not so long");
    assert_eq!(forgotten(start + GONE - POLL, &there(&["1:1", "1:3"])), [""; 0], "it is there again");
    assert_eq!(forgotten(start + GONE, &both), [""; 0]);
    assert_eq!(forgotten(start + 2 * GONE, &both), [&*first]);
    assert_eq!(forgotten(start + 4 * GONE, &there(&[])), [""; 0], "nothing at all is there");
    assert_eq!(forgotten(start + 4 * GONE, &both), [""; 0]);
}

#[tokio::test]
async fn what_was_delivered_first_is_read_first_whoever_it_is_of() {
    let dir = tempfile::tempdir().unwrap();
    for file in [
        "1/CloudTrail/us-east-1/2024/08/02/b",
        "1/CloudTrail/us-east-1/2024/08/01/c",
        "2/CloudTrail/eu-west-1/2024/08/01/a",
        "z",
    ] {
        let path = dir.path().join(if file == "z" { file.into() } else { format!("AWSLogs/11112222333{file}") });
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let none = tokio::sync::watch::channel(Arc::default()).1;
    let stop = tokio_util::sync::CancellationToken::new();
    let (feed, _events) = crate::source::queue(decode::Options::default(), Arc::default(), none, stop);
    let from = vec![dir.path().to_string_lossy().into_owned()];
    let files = Files::default();
    list(&Config { from, exclude: Vec::new(), follow: false, readers: 1 }, &files, &feed);
    let ends = std::iter::from_fn(|| files.queue.take()).map(|file| file.name[file.name.len() - 1..].to_owned());
    assert_eq!(ends.collect::<String>(), "zcab");
}

#[test]
fn what_is_no_file_is_told_of_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    fs::write(dir.path().join("a"), "x").unwrap();
    let all = dir.path().to_string_lossy().into_owned();
    assert_eq!(names(&all, &[]), (vec!["a".to_owned()], vec![NO_FILE.to_owned()]));
}

#[test]
fn a_pipe_is_read_as_it_comes_and_is_no_partition() {
    let (from, mut to) = io::pipe().unwrap();
    to.write_all(b"x").unwrap();
    drop(to);
    let file = describe(Path::new(&format!("/proc/self/fd/{}", from.as_raw_fd()))).unwrap();
    assert!(!file.is_regular());
    let files = Files::default();
    let mut opened = open(&file, &files, &decode::Options::default(), &CancellationToken::new()).unwrap().unwrap();
    assert!(opened.handle.is_none(), "it cannot be sought");
    let (mut rejects, mut counts) = (Vec::new(), Counts::default());
    assert!(opened.reader.next(&mut rejects, &mut counts).unwrap().is_none());
    assert_eq!(rejects[0].bytes, b"x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_is_told_of_once_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, "24/08/01 12:00:00 INFO A: a\n").unwrap();
    let file = describe(&path).unwrap();
    // root may open every file, and nobody one below a file
    let shut = File { path: path.join("b"), ..file.clone() };
    let none = tokio::sync::watch::channel(Arc::default()).1;
    let (feed, mut events) =
        crate::source::queue(decode::Options::default(), Arc::default(), none, CancellationToken::new());
    let reading = thread::spawn(move || {
        let files = Files { follow: true, ..Files::default() };
        let tries = [&shut, &shut, &file].map(|file| {
            assert!(read_file(file, &files, &feed).is_ok());
            files.queue.missed().len()
        });
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(files.not_opened(&file, &denied), "it could be opened, and cannot any more");
        assert!(!files.not_opened(&file, &denied));
        let once = Files::default();
        assert!(read_file(&shut, &once, &feed).is_ok());
        (tries, once.queue.missed().len())
    });
    let mut found = Found::default();
    while let Some(event) = events.next().await {
        found.add(event);
    }
    assert_eq!(reading.join().unwrap(), ([1, 1, 0], 0));
    assert_eq!(found.all(), "24/08/01 12:00:00 INFO A: a\n");
    assert_eq!(found.unreadable.len(), 2, "{:?}", found.unreadable);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_through_a_pipe_is_handed_on_while_it_is_open_and_when_the_run_is_to_stop() {
    let (from, mut to) = io::pipe().unwrap();
    let flow =
        |n: u32| format!("2 111122223333 eni-1 10.0.0.1 10.0.0.2 {n} 22 6 1 44 1674898496 1674898507 ACCEPT OK\n");
    let name = format!("/proc/self/fd/{}", from.as_raw_fd());
    let none = tokio::sync::watch::channel(Arc::default()).1;
    let stop = CancellationToken::new();
    let (feed, mut events) = crate::source::queue(decode::Options::default(), Arc::default(), none, stop.clone());
    assert!(Config { from: vec![name.clone()], exclude: Vec::new(), follow: false, readers: 1 }.has_pipe());
    let file = describe(Path::new(&name)).unwrap();
    let reading = thread::spawn(move || {
        let files = Files::default();
        read_file(&file, &files, &feed).is_ok()
    });
    let text = |event: Option<Event>| {
        let Some(Event::Piece(Piece { records, .. })) = event else { panic!("no piece") };
        let Body::Lines(lines) = &records[0].body else { panic!("no lines") };
        String::from_utf8(lines.text.as_slice().to_vec()).unwrap()
    };
    to.write_all(flow(1).as_bytes()).unwrap();
    assert_eq!(text(events.next().await), flow(1));
    to.write_all(format!("{}{}", flow(2), &flow(3)[..20]).as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(300));
    stop.cancel();
    // what is no whole line is not there
    assert_eq!(text(events.next().await), flow(2));
    assert!(events.next().await.is_none());
    assert!(reading.join().unwrap());
}

#[test]
fn for_the_rest_of_a_record_it_waits_a_minute() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let mut looks = Looks { follow: true, ..Looks::default() };
    let mut wants = |text: Option<&str>| {
        text.into_iter().for_each(|text| fs::write(&path, text).unwrap());
        let wanted = looks.wants(&describe(&path).unwrap(), false);
        looks.end();
        wanted
    };
    assert_eq!((wants(Some("{\"a\":")), wants(None)), (None, None));
    assert_eq!((wants(Some("{\"a\":1}")), wants(None)), (None, Some(Extent::All)));
    assert_eq!(wants(Some("{\"a\": ")), None);
    let waited = (0..100).take_while(|_| wants(None).is_none()).count();
    assert_eq!(waited, 60);
    // of lines those that are whole are taken before
    assert_eq!(wants(Some("{\"a\":1}\n{\"a\":")), Some(Extent::Lines));
    assert_eq!((0..100).take_while(|_| wants(None).is_none()).count(), 60);
    assert_eq!(wants(None), None);
    assert_eq!((wants(Some("{\"a\":1}\n{\"a\":2}\n")), wants(None)), (Some(Extent::Lines), Some(Extent::All)));
}

/// What a run reads.
#[derive(Debug, Default)]
struct Found {
    /// The header and the text of each piece.
    texts: Vec<(String, String)>,
    rejects: usize,
    unreadable: Vec<String>,
    ended: usize,
    already: usize,
    done: Checkpoint,
}

impl Found {
    fn all(&self) -> String {
        self.texts.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn add(&mut self, event: Event) {
        match event {
            Event::Piece(piece) => {
                for records in piece.records {
                    let (header, text) = match records.body {
                        Body::Lines(lines) => (lines.format.unwrap_or_default(), lines.text),
                        Body::Json(json) => (Arc::default(), json.text),
                        Body::Parquet(_) => panic!("there is none"),
                    };
                    let text = String::from_utf8_lossy(text.as_slice()).into_owned();
                    self.texts.push((header.to_string(), text));
                }
                self.rejects += piece.rejects.len();
                self.ended += usize::from(piece.ended);
                piece.position.into_iter().for_each(|position| self.done.advance(position));
                piece.forget.iter().for_each(|name| self.done.forget(name));
            }
            Event::AlreadyRead => self.already += 1,
            Event::Unreadable { why, .. } | Event::Ended { why, .. } => self.unreadable.push(why),
            Event::Reached { .. } => {}
        }
    }
}

/// Reads what is new, of it only some pieces.
async fn read_some(path: &Path, done: &Checkpoint, pieces: usize) -> Found {
    let none = tokio::sync::watch::channel(Arc::default()).1;
    let stop = tokio_util::sync::CancellationToken::new();
    let resume = Arc::new(done.clone());
    let (feed, mut events) = crate::source::queue(decode::Options::default(), resume, none, stop);
    let from = vec![path.display().to_string()];
    read(Config { from, exclude: Vec::new(), follow: false, readers: 1 }, feed);
    let mut found = Found { done: done.clone(), ..Found::default() };
    for _ in 0..pieces {
        let Some(event) = events.next().await else { break };
        found.add(event);
    }
    found
}

async fn read_new(path: &Path, done: &Checkpoint) -> Found {
    read_some(path, done, usize::MAX).await
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

const FIELDS: &str = "account-id interface-id srcaddr dstaddr";
const OTHER_FIELDS: &str = "version vpc-id srcaddr";

#[tokio::test(flavor = "multi_thread")]
async fn of_a_text_that_grows_what_is_appended_is_read_as_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let fields = &format!("{FIELDS}\n");
    let others = &format!("{fields}1 eni-1 10.0.0.1 10.0.0.2\n{OTHER_FIELDS}\n");
    let csv = "eventVersion,eventID,eventName,eventSource,awsRegion,eventTime";
    for (header, first, second, third) in [
        (FIELDS, &format!("{fields}1 eni-1 10.0.0.1 10.0.0.2\n")[..], "2 eni-2 10.0.0.1 10.0.0.2\n", "3 eni-3 - -"),
        (FIELDS, fields, "2 eni-2 10.0.0.1 10.0.0.2\n", "\n"),
        (OTHER_FIELDS, &format!("{others}2 vpc-1 10.0.0.1\n"), "2 vpc-2 10.0.0.1\n", "2 vpc-3 10.0.0.1\n"),
        (OTHER_FIELDS, others, "2 vpc-2 10.0.0.1\n", "2 vpc-3 10.0.0.1\n"),
        ("", "24/08/01 12:00:00 INFO A: a\n", "\tat b.C\n24/08/01 12:00:01 INFO A: b\n", "more\n"),
        ("", "{\"eventVersion\":\"1\"}\n", "{\"eventVersion\":\"2\"}\n{\"eventVersion\":\"3\"}", "\n{}\n"),
        (csv, &format!("{csv}\n1,a,b,c,d,e\n"), "1,f,\"g\nh\",i,j,k\n", "1,l,m,n,o,p\n"),
    ] {
        fs::write(&path, first).unwrap();
        let mut found = read_new(&path, &Checkpoint::default()).await;
        assert_eq!(found.rejects, 0, "{first}");
        for appended in [second, third] {
            append(&path, appended);
            found = read_new(&path, &found.done).await;
            assert_eq!(found.texts, [(header.to_owned(), appended.to_owned())], "{first}");
            assert_eq!((found.ended, found.done.0.len()), (1, 1), "{:?}", found.done);
        }
        let again = read_new(&path, &found.done).await;
        assert_eq!((again.texts.len(), again.already, again.done), (0, 1, found.done));
        fs::remove_file(&path).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_text_that_was_cut_off_is_told_of_and_read_again_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    for (first, second, read, rejects) in [
        ("1 eni-1 10.0.0.1 10.0.0.2\n2 eni-2 10.0.0.1 10.", "0.0.2\n", "2 eni-2 10.0.0.1 10.0.0.2\n", 1),
        ("1 eni-1 10.0.0.1 10.0.", "0.2\n2 eni-2 - -", "1 eni-1 10.0.0.1 10.0.0.2\n2 eni-2 - -", 1),
        // it was whole
        ("1 eni-1 10.0.0.1 10.0.0.2", "\n2 eni-2 - -\n", "\n2 eni-2 - -\n", 0),
        ("1 eni-1 10.0.0.1 10.0.0.2", "\r\n2 eni-2 - -\r\n", "\r\n2 eni-2 - -\r\n", 0),
    ] {
        fs::write(&path, format!("{FIELDS}\n{first}")).unwrap();
        let found = read_new(&path, &Checkpoint::default()).await;
        assert_eq!(found.all(), first);
        append(&path, second);
        let found = read_new(&path, &found.done).await;
        assert_eq!((&found.all()[..], found.rejects), (read, rejects));
        assert_eq!(read_new(&path, &found.done).await.already, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_json_that_is_begun_is_read_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, "{\"eventVersion\":\"1\"}\n{\"eventVer").unwrap();
    let found = read_new(&path, &Checkpoint::default()).await;
    assert_eq!(read_new(&path, &found.done).await.already, 1);
    append(&path, "sion\":\"2\"}\n");
    assert_eq!(read_new(&path, &found.done).await.all(), "{\"eventVersion\":\"2\"}\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_truncated_or_replaced_or_no_text_of_lines_is_read_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let rows = |number: usize| "1 eni-1 10.0.0.1 10.0.0.2\n".repeat(number);
    let zipped = |text: &str| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let records = |number: usize| format!("{{\"Records\":[{}]}}", vec!["{}"; number].join(","));
    for (first, second) in [
        (format!("{FIELDS}\n{}", rows(9)).into_bytes(), format!("{FIELDS}\n{}", rows(3)).into_bytes()),
        (format!("{FIELDS}\n{}", rows(9)).into_bytes(), format!("{OTHER_FIELDS}\n{}", rows(12)).into_bytes()),
        (zipped(&format!("{FIELDS}\n{}", rows(1))), zipped(&format!("{FIELDS}\n{}", rows(2)))),
        (records(1).into_bytes(), records(2).into_bytes()),
        (records(1).into_bytes(), [records(1), records(1)].join("\n").into_bytes()),
        (b"{\n\"a\":1\n}\n".to_vec(), b"{\n\"a\":1\n}\n{\n\"a\":2\n}\n".to_vec()),
        (b"what is this\n".to_vec(), b"what is this\n24/08/01 12:00:00 INFO A: a\n".to_vec()),
    ] {
        fs::write(&path, &first).unwrap();
        let found = read_new(&path, &Checkpoint::default()).await;
        fs::write(&path, &second).unwrap();
        let again = read_new(&path, &found.done).await;
        let alone = read_new(&path, &Checkpoint::default()).await;
        assert!(!alone.texts.is_empty());
        assert_eq!(again.texts, alone.texts, "{}", String::from_utf8_lossy(&first));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_before_its_end_is_told_of_and_read_up_to_there() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = (0..2000).map(|number| format!("24/08/01 12:00:00 INFO A: {number}\n")).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(lines.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let cut_off = "the compressed data is cut off at its end";
    let unknown = "compressed with bzip2: decompress it, or use gzip or zstd";
    for (bytes, why, has_lines) in [
        (&gzip[..], None, true),
        (&gzip[..gzip.len() / 2], Some(cut_off), true),
        (b"BZh91AY&SY", Some(unknown), false),
        // a file beside the logs
        (b"how to read these", None, false),
    ] {
        fs::write(dir.path().join("a"), bytes).unwrap();
        let found = read_new(dir.path(), &Checkpoint::default()).await;
        assert_eq!(found.unreadable, Vec::from_iter(why));
        assert_eq!((found.all().starts_with("24/08/01 12:00:00 INFO A: 0\n"), found.ended), (has_lines, 1));
        assert_eq!(found.rejects, usize::from(bytes.len() != gzip.len()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_renamed_is_gone_on_with() {
    let dir = tempfile::tempdir().unwrap();
    let [path, away] = ["a.log", "a.log.1"].map(|name| dir.path().join(name));
    let line = |number: u32| format!("24/08/01 12:00:00 INFO A: {number}\n");
    fs::write(&path, line(1)).unwrap();
    let found = read_new(dir.path(), &Checkpoint::default()).await;
    append(&path, &line(2));
    fs::rename(&path, &away).unwrap();
    fs::write(&path, line(3)).unwrap();
    let found = read_new(dir.path(), &found.done).await;
    assert_eq!(found.all(), [line(3), line(2)].concat());
    // also when nothing is appended, and when it is copied back
    fs::rename(&path, dir.path().join("b")).unwrap();
    let found = read_new(dir.path(), &found.done).await;
    assert_eq!((found.all(), found.already, found.done.0.len()), (String::new(), 2, 2));
    fs::copy(&away, dir.path().join("c")).unwrap();
    fs::rename(dir.path().join("c"), &away).unwrap();
    append(&away, &line(4));
    let found = read_new(dir.path(), &found.done).await;
    assert_eq!((found.all(), found.done.0.len()), (line(4), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_in_the_middle_of_a_text_doubles_no_line_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let lines = |from: u32, to: u32| -> String {
        (from..to).map(|number| format!("{number} eni-1 10.0.0.1 {}\n", "x".repeat(80))).collect()
    };
    let whole = lines(0, 60_000);
    fs::write(&path, format!("{FIELDS}\n{}", &whole)).unwrap();
    let begun = read_some(&path, &Checkpoint::default(), 2).await;
    assert_eq!((begun.texts.len(), begun.ended, begun.done.0.len()), (2, 0, 1));
    let unchanged = read_new(&path, &begun.done).await;
    assert_eq!(begun.all() + &unchanged.all(), whole);
    append(&path, &lines(60_000, 60_001));
    let rest = read_new(&path, &begun.done).await;
    assert!(begun.all() + &rest.all() == lines(0, 60_001));
    assert!(rest.texts.iter().all(|(header, _)| header == FIELDS));
}

#[tokio::test(flavor = "multi_thread")]
async fn following_reads_whole_lines_while_they_are_written_and_each_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let none = tokio::sync::watch::channel(Arc::default()).1;
    let stop = tokio_util::sync::CancellationToken::new();
    let (feed, mut events) = crate::source::queue(decode::Options::default(), Arc::default(), none, stop.clone());
    let from = vec![dir.path().display().to_string()];
    read(Config { from, exclude: Vec::new(), follow: true, readers: 2 }, feed);
    let writing = path.clone();
    let writer = thread::spawn(move || {
        fs::write(&writing, format!("{FIELDS}\n")).unwrap();
        for number in 0..24 {
            // never the same at two looks, and never whole
            append(&writing, &format!("{number} eni-1 "));
            thread::sleep(POLL / 4);
            append(&writing, "10.0.0.1 10.0.0.2\n");
        }
    });
    let mut found = Found::default();
    let mut while_written = 0;
    let last = "23 eni-1 10.0.0.1 10.0.0.2\n";
    while !found.all().ends_with(last) {
        found.add(tokio::time::timeout(Duration::from_secs(30), events.next()).await.unwrap().unwrap());
        while_written += usize::from(!writer.is_finished());
    }
    stop.cancel();
    assert!(while_written >= 2, "{while_written}");
    let expected: String = (0..24).map(|number| format!("{number} eni-1 10.0.0.1 10.0.0.2\n")).collect();
    assert_eq!(found.all(), expected);
    assert!(found.texts.iter().all(|(header, text)| header == FIELDS && text.ends_with('\n')));
    assert_eq!(found.done.0.len(), 1);
}

#[test]
fn a_file_that_changed_is_another_partition() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, "x").unwrap();
    let before = describe(&path).unwrap().version.partition();
    fs::write(&path, "xy").unwrap();
    assert_ne!(before, describe(&path).unwrap().version.partition());
}
