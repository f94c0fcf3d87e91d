//! What is in a bucket, listed by day.

use super::super::backfill;
use super::*;
use crate::source::layout::{Range, Wanted};
use crate::source::plan;

fn backfill(prefix: &str, since: Option<&str>, until: Option<&str>) -> Source {
    let wanted = Wanted { range: Range::parse(since, until).unwrap(), ..Wanted::default() };
    let address = plan::Address::parse(&format!("s3://logs/{prefix}")).unwrap();
    Source::Backfill(backfill::Config { address, wanted, settings: Settings::default(), progress: Arc::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_lists_only_the_days_it_wants_and_folds_them() {
    let fake = Fake::start().await;
    for day in ["2024/07/30", "2024/07/31", "2024/08/01", "2024/08/02", "2024/08/03"] {
        fake.put("logs", &trail(day, "a"), record(day));
    }
    fake.put("logs", "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2024/08/01/x.json.gz", "digest");
    let (seen, done) =
        Run::start(&fake, backfill("", Some("2024-07-31"), Some("2024-08-01")), Checkpoint::default()).all().await;
    let days: Vec<String> =
        seen.texts.values().map(|text| text[text.find("2024").unwrap()..][..10].to_owned()).collect();
    // the files of 2024-08-02 at 11:30 are too late to hold anything of 08-01; its folder is looked into all the same
    assert_eq!(days, ["2024/07/31", "2024/08/01"]);
    let listed: Vec<String> = fake.asked("LIST").into_iter().filter(|line| line.contains("/2024/")).collect();
    let mut expected = ["07/30", "07/31", "08/01", "08/02"].map(|day| format!("LIST logs/{ACCOUNT}/2024/{day}/"));
    expected.sort();
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(sorted, expected);
    // days of which something was left out are not done
    let folded = format!("s3://logs/{ACCOUNT}/|days from 2024-07-31");
    assert_eq!(done.0, BTreeMap::from([(folded.into(), Offset::at(19_937))]));

    // again, with an object that came late, and a day more: what is folded is not even listed
    fake.put("logs", &trail("2024/08/02", "b"), record("2024/08/02 late"));
    fake.world().log.clear();
    let (seen, done) = Run::start(&fake, backfill("", Some("2024-07-31"), Some("2024-08-02")), done).all().await;
    assert_eq!(seen.texts.len(), 2);
    assert_eq!(
        fake.asked("LIST logs/").iter().filter(|line| line.ends_with("07/31/") || line.ends_with("08/01/")).count(),
        0
    );
    assert_eq!(done.0.values().next(), Some(&Offset::at(19_938)));
    assert_eq!(done.0.len(), 1, "{done:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_restored_into_the_folder_of_a_day_that_was_empty_is_read() {
    let fake = Fake::start().await;
    fake.put("logs", &trail("2024/08/01", "a"), record("first"));
    // files of that day may stand in the folder of the next, which is looked into and has nothing but what makes it a folder
    fake.put("logs", &format!("{ACCOUNT}/2024/08/02/"), "");
    let source = |day| backfill("", Some(day), Some(day));
    let (_, done) = Run::start(&fake, source("2024-08-01"), Checkpoint::default()).all().await;
    assert!(fake.asked("LIST").contains(&format!("LIST logs/{ACCOUNT}/2024/08/02/")));
    let key = trail("2024/08/02", "restored");
    fake.put("logs", &key, record("restored"));
    let (seen, _) = Run::start(&fake, source("2024-08-02"), done).all().await;
    assert_eq!(seen.texts.into_keys().collect::<Vec<_>>(), [format!("s3://logs/{key}")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_may_be_of_one_object() {
    let fake = Fake::start().await;
    for name in ["plain/", "plain/a.json", "plain/a.json.bak", "top.json"] {
        fake.put("logs", name, record(name));
    }
    for name in ["plain/a.json", "top.json"] {
        let (seen, _) = Run::start(&fake, backfill(name, None, None), Checkpoint::default()).all().await;
        assert!(seen.texts.contains_key(&format!("s3://logs/{name}")), "{:?}", seen.texts.keys());
    }
    let (seen, _) = Run::start(&fake, backfill("plain/", None, None), Checkpoint::default()).all().await;
    assert_eq!(seen.texts.len(), 2, "the marker of the folder is none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_that_was_stopped_goes_on_behind_what_is_committed() {
    let fake = Fake::start().await;
    let names: Vec<String> = (0..20).map(|number| format!("plain/{number:02}.json")).collect();
    for name in &names {
        fake.put("logs", name, record(name));
    }
    let mut first = Run::start(&fake, backfill("plain/", None, None), Checkpoint::default());
    let mut seen = Seen::default();
    while seen.texts.len() < 3 {
        first.take(&mut seen, Duration::from_millis(1)).await;
    }
    let (done, reached) = (first.reached.clone(), seen.texts.len());
    drop(first);
    let (seen, done) = Run::start(&fake, backfill("plain/", None, None), done).all().await;
    assert!(
        seen.already >= reached - 1 && seen.already + seen.texts.len() == 20,
        "{} {}",
        seen.already,
        seen.texts.len()
    );
    assert_eq!(done.0.len(), 20);
    assert!(done.0.values().all(|offset| *offset == Offset::End));

    // one that was replaced is another
    fake.put("logs", "plain/07.json", record("new"));
    let (seen, _) = Run::start(&fake, backfill("plain/", None, None), done).all().await;
    assert_eq!((seen.already, seen.texts.len()), (19, 1));
    assert!(seen.texts["s3://logs/plain/07.json"].contains("new"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_cannot_be_read_costs_nothing_but_itself() {
    let fake = Fake::start().await;
    for name in ["a", "b"] {
        fake.put("logs", &trail("2024/08/01", name), record(name));
    }
    fake.fault(&format!("logs/{}", trail("2024/08/01", "a")), [Fault::Refuse(403, "InvalidObjectState", "archived")]);
    let source = || backfill(&format!("{ACCOUNT}/"), None, None);
    let (seen, done) = Run::start(&fake, source(), Checkpoint::default()).all().await;
    let name = format!("s3://logs/{}", trail("2024/08/01", "a"));
    let why = "it is archived (Glacier, Deep Archive or an archive tier): restore it, then read it again";
    assert_eq!(seen.unreadable, [format!("{name}: {why}")]);
    assert_eq!(seen.texts.len(), 1);
    // the day is not folded, and what is missing is read the next time
    assert!(done.0.keys().all(|partition| !partition.contains("|days from ")), "{done:?}");
    let (seen, done) = Run::start(&fake, source(), done).all().await;
    assert_eq!((seen.already, seen.texts.len()), (1, 1));
    assert_eq!(done.0.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_that_ends_before_its_end_is_told_of_once() {
    let fake = Fake::start().await;
    // the head of a gzip file, and no more
    fake.put("logs", &trail("2024/08/01", "a"), b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec());
    let source = || backfill(&format!("{ACCOUNT}/"), None, None);
    let (seen, done) = Run::start(&fake, source(), Checkpoint::default()).all().await;
    let name = format!("s3://logs/{}", trail("2024/08/01", "a"));
    assert_eq!(seen.unreadable, [format!("{name}: the compressed data is cut off at its end")]);
    assert_eq!(seen.rejects.len(), 1);
    let (seen, _) = Run::start(&fake, source(), done).all().await;
    assert_eq!((seen.unreadable.len(), seen.rejects.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_may_not_be_listed_is_said_with_the_permission() {
    let fake = Fake::start().await;
    fake.fault("LIST logs/AWSLogs/", [Fault::Refuse(403, "AccessDenied", "Access Denied")]);
    let (seen, _) = Run::start(&fake, backfill("AWSLogs/", None, None), Checkpoint::default()).all().await;
    assert_eq!(
        seen.ended,
        [
            "s3://logs/AWSLogs/: listing s3://logs/AWSLogs/: access denied: allow s3:ListBucket to the role Weir runs as, and look at the policy of the resource"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_answer_or_object_ends_no_listing() {
    let fake = Fake::start().await;
    for name in ["a", "b"] {
        fake.put("logs", &format!("plain/{name}"), record(name));
    }
    fake.world().objects.get_mut("logs/plain/b").unwrap().1.clear();
    // as a proxy says it, and a page that lists less than it has
    let odd = [Fault::Refuse(403, "", ""), Fault::Cut(0)];
    fake.fault("LIST logs/plain/", odd);
    let (seen, _) = Run::start(&fake, backfill("plain/", None, None), Checkpoint::default()).all().await;
    assert_eq!(seen.texts.keys().collect::<Vec<_>>(), ["s3://logs/plain/a"]);
    let why = "s3://logs/plain/b: it is listed without an ETag, by which it would be known again";
    assert_eq!((seen.unreadable, seen.ended), (vec![why.to_owned()], vec![]));
}
