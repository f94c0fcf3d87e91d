use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use regex::Regex;

use super::*;

#[test]
fn a_prefix_holds_what_is_below_it() {
    let holds = |one: &str, other: &str| Address::parse(one).unwrap().holds(&Address::parse(other).unwrap());
    for (one, other) in
        [("s3://logs", "s3://logs/a"), ("s3://logs/a", "s3://logs/a/"), ("s3://logs/a/", "s3://logs/a/b/c.gz")]
    {
        assert!(holds(one, other), "{one} {other}");
    }
    for (one, other) in
        [("s3://logs/a", "s3://logs/ab"), ("s3://logs/a/b", "s3://logs/a"), ("s3://logs", "s3://others/a")]
    {
        assert!(!holds(one, other), "{one} {other}");
    }
}
use crate::source::layout::{Range, Verdict};
use crate::time::{MICROS_PER_HOUR, Timestamp};

/// A bucket in memory.
type Bucket = BTreeSet<String>;

fn list(bucket: &Bucket, prefix: &str) -> Listing {
    let mut folders = BTreeSet::new();
    let mut objects = 0;
    for key in bucket.iter().filter(|key| key.starts_with(prefix)) {
        match key[prefix.len()..].find('/') {
            Some(slash) => {
                folders.insert(key[..prefix.len() + slash + 1].to_owned());
            }
            None => objects += u64::from(key.len() > prefix.len() || !prefix.ends_with('/')),
        }
    }
    Listing { folders: folders.into_iter().collect(), objects }
}

/// The steps, in the order they were asked for, and the plan. `pick` chooses which of the steps that are out is
/// answered next.
fn plan(bucket: &Bucket, prefix: &str, wanted: &Wanted, mut pick: impl FnMut(usize) -> usize) -> (Vec<String>, Plan) {
    let mut planner = Planner::new(prefix, wanted.clone());
    let (mut out, mut asked) = (Vec::new(), Vec::new());
    loop {
        let steps = planner.steps();
        asked.extend(steps.iter().map(|step| step.prefix.clone()));
        out.extend(steps);
        if out.is_empty() {
            break;
        }
        let step = out.remove(pick(out.len()));
        planner.answer(&step, &list(bucket, &step.prefix));
    }
    assert!(planner.is_done());
    (asked, planner.finish())
}

fn keys(bucket: &Bucket, plan: &Plan, wanted: &Wanted) -> Vec<String> {
    let mut found = Vec::new();
    for leaf in plan.leaves() {
        let within = bucket.iter().filter(|key| key.starts_with(&leaf.prefix));
        found.extend(within.filter(|key| wanted.judge(key) == Verdict::Read).cloned());
    }
    found
}

fn wanted(since: Option<&str>, until: Option<&str>) -> Wanted {
    Wanted { range: Range::parse(since, until).unwrap(), ..Wanted::default() }
}

const HIVE: &str = "flow/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-west-1/";

/// One CloudTrail file and one flow log for each of 60 days, in two accounts and two Regions, in every layout.
fn bucket() -> Bucket {
    let mut bucket = Bucket::new();
    let first = Timestamp::parse("2024-07-01").unwrap().day();
    for (account, region) in [("111122223333", "eu-west-1"), ("444455556666", "us-east-1")] {
        for day in first..first + 60 {
            let date = day_text(day);
            let (path, stamp) = (date.replace('-', "/"), date.replace('-', ""));
            let trail = |kind: &str| {
                format!(
                    "{account}/{kind}/{region}/{path}/{account}_{kind}_{region}_{stamp}T1130Z_Qdrj7uY2xUAeyCTg.json.gz"
                )
            };
            bucket.insert(format!("AWSLogs/{}", trail("CloudTrail")));
            bucket.insert(format!("AWSLogs/{}", trail("CloudTrail-Digest")));
            bucket.insert(format!("org/AWSLogs/o-abc123/{}", trail("CloudTrail-Insight")));
            let flow = format!("{account}_vpcflowlogs_{region}_fl-1_{stamp}T1130Z_ab12.log");
            bucket.insert(format!("flow/AWSLogs/{account}/vpcflowlogs/{region}/{path}/11/{flow}.gz"));
            let hive = HIVE.replace("111122223333", account).replace("eu-west-1", region);
            let [year, month, day] = [0, 1, 2].map(|part| date.split('-').nth(part).unwrap());
            bucket.insert(format!("{hive}year={year}/month={month}/day={day}/hour=11/{flow}.parquet"));
        }
        bucket.insert(format!("AWSLogs/{account}/CloudTrail/"));
        bucket.insert(format!("AWSLogs/{account}/Config/ConfigWritabilityCheckFile"));
    }
    bucket.extend((0..50).map(|n| format!("athena-results/{n}.csv")));
    bucket.insert("readme.txt".into());
    bucket
}

fn prefixes(plan: &Plan) -> Vec<String> {
    plan.leaves().map(|leaf| leaf.prefix).collect()
}

fn notes(plan: &Plan) -> Vec<String> {
    plan.notes.iter().map(Note::to_string).collect()
}

#[test]
fn an_hour_of_one_account_takes_three_listings() {
    let wanted = Wanted {
        accounts: vec!["111122223333".into()],
        ..wanted(Some("2024-08-01T11:00:00Z"), Some("2024-08-01T12:00:00Z"))
    };
    let bucket = bucket();
    let (asked, plan) = plan(&bucket, "AWSLogs/", &wanted, |_| 0);
    assert_eq!(asked, ["AWSLogs/", "AWSLogs/111122223333/", "AWSLogs/111122223333/CloudTrail/"]);
    assert_eq!(prefixes(&plan), ["AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/"]);
    assert_eq!(keys(&bucket, &plan, &wanted).len(), 1);
    assert_eq!(
        notes(&plan),
        [
            "AWSLogs/111122223333/CloudTrail-Digest/: digests of CloudTrail's files, not logs",
            "AWSLogs/111122223333/Config/: neither CloudTrail's, VPC flow logs nor GuardDuty's findings",
        ]
    );
}

#[test]
fn a_longer_stretch_lists_months_and_years_to_find_the_days_there_are() {
    let wanted = wanted(Some("2024-07-30"), Some("2024-08-03"));
    let bucket = bucket();
    let (asked, plan) = plan(&bucket, "AWSLogs/111122223333/CloudTrail/", &wanted, |_| 0);
    let region = "AWSLogs/111122223333/CloudTrail/eu-west-1/";
    assert_eq!(
        asked,
        ["AWSLogs/111122223333/CloudTrail/".to_owned(), format!("{region}2024/07/"), format!("{region}2024/08/")]
    );
    // from a quarter of an hour before to six hours behind
    let days = ["07/29", "07/30", "07/31", "08/01", "08/02", "08/03", "08/04"];
    assert_eq!(prefixes(&plan), days.map(|day| format!("{region}2024/{day}/")));
    // but the objects of those days that cannot have events of the range are left out
    assert_eq!(keys(&bucket, &plan, &wanted).len(), 5);
}

#[test]
fn days_come_in_order_of_time_whatever_they_are_of() {
    let (_, plan) = plan(&bucket(), "AWSLogs/", &wanted(Some("2024-08-28"), None), |_| 0);
    assert_eq!(
        prefixes(&plan),
        [
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/27/",
            "AWSLogs/444455556666/CloudTrail/us-east-1/2024/08/27/",
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/28/",
            "AWSLogs/444455556666/CloudTrail/us-east-1/2024/08/28/",
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/29/",
            "AWSLogs/444455556666/CloudTrail/us-east-1/2024/08/29/",
        ]
    );
    assert_eq!(plan.leaves().len(), 6);
    assert_eq!(plan.leaves().map(|leaf| leaf.day).last(), Some(Some(19_964)));
}

#[test]
fn trees_are_found_below_what_is_named() {
    let bucket = bucket();
    let all = wanted(None, None);
    let (asked, whole) = plan(&bucket, "", &all, |_| 0);
    // two accounts for 60 days in four layouts
    assert_eq!(whole.leaves().len(), 480);
    assert_eq!(keys(&bucket, &whole, &all).len(), 480);
    assert!(!asked.iter().any(|prefix| prefix.contains("Digest")), "{asked:?}");
    assert!(asked.len() < 80, "{}", asked.len());
    assert!(
        notes(&whole)
            .contains(&"athena-results/ and 1 more: has objects outside of AWSLogs/, which are left out".into()),
        "{:?}",
        notes(&whole)
    );
    let (_, org) = plan(&bucket, "org", &all, |_| 0);
    assert_eq!(org.leaves().len(), 120);
}

#[test]
fn hive_names_are_followed() {
    let wanted = wanted(Some("2024-08-01"), Some("2024-08-01"));
    let bucket = bucket();
    let (asked, plan) = plan(&bucket, HIVE, &wanted, |_| 0);
    assert_eq!(asked, Vec::<String>::new());
    let days = ["month=07/day=31", "month=08/day=01", "month=08/day=02"];
    assert_eq!(prefixes(&plan), days.map(|day| format!("{HIVE}year=2024/{day}/")));
    assert_eq!(keys(&bucket, &plan, &wanted).len(), 1);
}

#[test]
fn a_plan_starts_where_the_prefix_leads() {
    let bucket = bucket();
    let account = "AWSLogs/111122223333";
    let region = "AWSLogs/111122223333/CloudTrail/eu-west-1";
    let file = bucket.iter().find(|key| key.starts_with(&format!("{region}/2024/08/01/"))).unwrap();
    let check = |prefix: &str, asked: &[&str], leaves: usize| {
        for prefix in [prefix.to_owned(), format!("{prefix}/")] {
            let (steps, plan) = plan(&bucket, &prefix, &wanted(None, None), |_| 0);
            assert_eq!(steps.iter().map(|step| &step[account.len()..]).collect::<Vec<_>>(), asked, "{prefix}");
            assert_eq!(plan.leaves().len(), leaves, "{prefix}");
        }
    };
    check(
        region,
        &[
            "/CloudTrail/eu-west-1/",
            "/CloudTrail/eu-west-1/2024/",
            "/CloudTrail/eu-west-1/2024/07/",
            "/CloudTrail/eu-west-1/2024/08/",
        ],
        60,
    );
    check(&format!("{region}/2024/08"), &["/CloudTrail/eu-west-1/2024/08/"], 29);
    check(&format!("{region}/2024/08/01"), &[], 1);
    let (steps, one) = plan(&bucket, file, &wanted(None, None), |_| 0);
    assert_eq!((steps.len(), prefixes(&one)), (0, vec![file.clone()]));
    assert_eq!(keys(&bucket, &one, &wanted(None, None)), std::slice::from_ref(file));
    let hour = "flow/AWSLogs/111122223333/vpcflowlogs/eu-west-1/2024/08/01/11/";
    assert_eq!(prefixes(&plan(&bucket, hour, &wanted(None, None), |_| 0).1), [hour]);
}

#[test]
fn what_lies_outside_of_what_is_wanted_is_said_to() {
    let day = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/";
    let (steps, plan) = plan(&bucket(), day, &wanted(Some("2024-08-03"), None), |_| 0);
    assert_eq!((steps.len(), plan.leaves().len()), (0, 0));
    let why = "what is named lies outside of the accounts, Regions or times that are wanted";
    assert_eq!(notes(&plan), [format!("{day}: {why}")]);
}

#[test]
fn a_plain_folder_is_read_whole_and_a_bucket_never() {
    let mut bucket: Bucket =
        ["logs/a.json.gz", "logs/2024/b.log", "logs2/c.json", "logs-old/d.json", "x.json"].map(str::to_owned).into();
    let all = wanted(None, None);
    let check = |bucket: &Bucket, prefix: &str, leaves: &[&str], note: &[&str]| {
        let (_, plan) = plan(bucket, prefix, &all, |_| 0);
        assert_eq!(prefixes(&plan), leaves, "{prefix}");
        assert_eq!(notes(&plan), note, "{prefix}");
        assert!(plan.leaves().all(|leaf| leaf.day.is_none()));
    };
    let plain = "logs/: no AWSLogs/ was found in it: it is read whole, as a plain folder of logs";
    check(&bucket, "logs/", &["logs/"], &[plain]);
    check(&bucket, "logs", &["logs/"], &[plain]);
    check(&bucket, "", &[], &["the bucket: no AWSLogs/ was found in it, and it is not read whole: name a folder"]);
    check(&bucket, "logs/a.json.gz", &["logs/a.json.gz"], &[]);
    check(&bucket, "x", &["x"], &[]);
    check(&bucket, "log", &[], &["log: there is no such folder, but there are some that begin so: name one of them"]);
    check(&bucket, "nothing", &[], &["nothing: there is nothing of this name"]);
    bucket.insert("AWSLogs/111122223333/Config/x.json.gz".into());
    bucket.insert("empty/".into());
    let config = "AWSLogs/111122223333/Config/";
    let plain = format!("{config}: no AWSLogs/ was found in it: it is read whole, as a plain folder of logs");
    check(&bucket, config, &[config], &[&plain]);
    check(&bucket, "empty", &[], &["empty: the folder is empty"]);
    let digests = "AWSLogs/111122223333/CloudTrail-Digest/";
    check(&bucket, digests, &[], &[&format!("{digests}: digests of CloudTrail's files, not logs")]);
}

#[test]
fn the_search_for_a_tree_is_bounded() {
    let mut bucket: Bucket = (0..30).map(|n| format!("{n:02}/x/y/z/a.json")).collect();
    bucket.insert("00/x/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/a.json.gz".into());
    bucket.insert("25/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/a.json.gz".into());
    bucket.insert("01/x/y/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/a.json.gz".into());
    let (_, plan) = plan(&bucket, "", &wanted(None, None), |_| 0);
    assert_eq!(prefixes(&plan), ["00/x/AWSLogs/111122223333/CloudTrail/eu-west-1/2024/08/01/"]);
    assert_eq!(notes(&plan), [format!("the bucket: {MANY}")]);
}

#[test]
fn addresses() {
    let parsed = |url| Address::parse(url).map(|address| (address.bucket, address.prefix));
    let is = |bucket: &str, prefix: &str| Ok((bucket.to_owned(), prefix.to_owned()));
    assert_eq!(parsed("s3://my.bucket-1/a/b c/"), is("my.bucket-1", "a/b c/"));
    assert_eq!(parsed("s3://bucket"), is("bucket", ""));
    assert_eq!(parsed("s3://bucket//a"), is("bucket", "/a"));
    assert_eq!(parsed("https://bucket/a"), Err("`https://bucket/a` does not begin with s3://".into()));
    assert_eq!(parsed("s3://b@evil.example/a"), Err("`b@evil.example` is no name of a bucket".into()));
    assert_eq!(parsed("s3:///a"), Err("`` is no name of a bucket".into()));
}

/// Any key, most of them nearly as AWS makes them.
fn key() -> impl Strategy<Value = String> {
    let pick = |choices: &'static [&'static str]| prop::sample::select(choices);
    let tree = pick(&["AWSLogs", "p/AWSLogs", "p/q/AWSLogs", "p/q/r/AWSLogs", "AWSLog", "p"]);
    let account =
        pick(&["111122223333", "444455556666", "o-abc1/111122223333", "aws-account-id=111122223333", "11112222333"]);
    let service = pick(&[
        "CloudTrail",
        "CloudTrail-Insight",
        "CloudTrail-Digest",
        "vpcflowlogs",
        "aws-service=vpcflowlogs",
        "Config",
    ]);
    let region = pick(&["us-east-1", "eu-west-1", "aws-region=us-east-1", "REGION"]);
    let year = pick(&["2023", "2024", "year=2024", "24"]);
    let month = pick(&["01", "07", "08", "12", "month=08", "13"]);
    let day = pick(&["01", "02", "30", "31", "day=01", "day=31", "1"]);
    let file = (pick(&["", "11/", "hour=11/"]), 0..24u32, 0..3u32).prop_map(|(hour, at, n)| {
        if n == 0 { format!("{hour}x.log") } else { format!("{hour}a_CloudTrail_b_20240801T{at:02}05Z_{n}.json.gz") }
    });
    (tree, account, service, region, year, month, day, file, 0..30usize).prop_map(
        |(tree, account, service, region, year, month, day, file, cut)| {
            let whole = format!("{tree}/{account}/{service}/{region}/{year}/{month}/{day}/{file}");
            // some end early
            let parts: Vec<&str> = whole.split('/').collect();
            parts[..cut.clamp(1, parts.len())].join("/")
        },
    )
}

static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^((?:[^/]+/){0,2})AWSLogs/(?:o-[a-z0-9]+/)*(\d{12})/(CloudTrail|CloudTrail-Insight|vpcflowlogs)/([a-z0-9]+-[a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/(?:.*/)?([^/]+)$").unwrap()
});
static HIVE_NAMES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^((?:[^/]+/){0,2})AWSLogs/(?:o-[a-z0-9]+/)*aws-account-id=(\d{12})/aws-service=(vpcflowlogs)/aws-region=([a-z0-9]+-[a-z0-9-]+)/year=(\d{4})/month=(\d\d)/day=(\d\d)/(?:.*/)?([^/]+)$").unwrap()
});

/// What the documents of AWS say, and nothing of the planner's.
fn is_wanted(key: &str, prefix: &str, wanted: &Wanted) -> bool {
    let Some(rest) = key.strip_prefix(prefix) else { return false };
    // named in full, the tree may stand deeper
    let key = if prefix.contains("AWSLogs/") { &key[key.find("AWSLogs/").unwrap()..] } else { rest };
    let Some(found) = PLAIN.captures(key).or_else(|| HIVE_NAMES.captures(key)) else { return false };
    let midnight = Timestamp::parse(&format!("{}-{}-{}", &found[5], &found[6], &found[7]));
    let Some(Timestamp(midnight)) = midnight else { return false };
    let hour = found[8].split('_').find_map(|word| Timestamp::parse(&format!("{}00Z", word.strip_suffix('Z')?)));
    let (since, until) = (wanted.range.since.map(|time| time.0), wanted.range.until.map(|time| time.0));
    let after = |time: i64, least: Option<i64>| least.is_none_or(|least| time > least);
    let before = |time: i64, most: Option<i64>| most.is_none_or(|most| time < most);
    // the folder's day and the file's time, a quarter of an hour before and six hours behind
    let since = since.map(|time| time - MICROS_PER_HOUR / 4);
    let until = until.map(|time| time + 6 * MICROS_PER_HOUR);
    (wanted.accounts.is_empty() || wanted.accounts.iter().any(|account| *account == found[2]))
        && (wanted.regions.is_empty() || wanted.regions.iter().any(|region| *region == found[4]))
        && after(midnight + 24 * MICROS_PER_HOUR, since)
        && before(midnight, until)
        && hour.is_none_or(|Timestamp(hour)| after(hour + 1, since) && before(hour, until))
}

const PREFIXES: &[&str] = &[
    "",
    "p/",
    "p/q",
    "AWSLogs",
    "p/q/r/AWSLogs/",
    "AWSLogs/111122223333/",
    "AWSLogs/111122223333/CloudTrail",
    "AWSLogs/111122223333/CloudTrail/us-east-1/2024/",
    "AWSLogs/111122223333/CloudTrail/us-east-1/2024/08/",
    "AWSLogs/111122223333/CloudTrail/us-east-1/2024/08/01/",
    "AWSLogs/o-abc1/",
];

fn question() -> impl Strategy<Value = Wanted> {
    let time = || {
        prop::option::of(prop::sample::select(&["2024-07-30", "2024-08-01", "2024-08-01T12:00:00Z", "2024-12-31"][..]))
    };
    let some = |names: &'static [&'static str]| {
        prop::sample::select(names).prop_map(|name| if name.is_empty() { vec![] } else { vec![name.to_owned()] })
    };
    (time(), time(), some(&["", "", "111122223333"]), some(&["", "", "us-east-1"]))
        .prop_filter_map("a range", |(since, until, accounts, regions)| {
            Some(Wanted { range: Range::parse(since, until).ok()?, accounts, regions })
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_keys_found_are_those_of_a_full_listing(
        keys_in in prop::collection::btree_set(key(), 1..400),
        prefix in prop::sample::select(PREFIXES),
        wanted in question(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 64),
    ) {
        let folder = if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") };
        let mut turn = picks.iter().cycle();
        let (asked, planned) = plan(&keys_in, prefix, &wanted, |count| turn.next().unwrap().index(count));
        // where no tree was found, the folder is plain, and that is said
        prop_assume!(planned.leaves().all(|leaf| leaf.day.is_some()));
        let mut found = keys(&keys_in, &planned, &wanted);
        found.sort();
        let expected: Vec<String> = keys_in.iter().filter(|key| is_wanted(key, &folder, &wanted)).cloned().collect();
        prop_assert_eq!(found, expected);
        // no step is asked twice, and the order of answers changes nothing
        let steps: BTreeSet<&String> = asked.iter().collect();
        prop_assert_eq!(steps.len(), asked.len());
        let (_, again) = plan(&keys_in, prefix, &wanted, |_| 0);
        prop_assert_eq!(prefixes(&planned), prefixes(&again));
        prop_assert_eq!(planned.notes, again.notes);
        let days: Vec<_> = planned.days.iter().map(|(day, _)| day).collect();
        prop_assert!(days.is_sorted());
    }
}
