use super::*;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn a_day_ends_with_its_midnight() {
    let range = |since, until| Range::parse(since, until);
    let expected = |since: Option<&str>, until: Option<&str>| Range { since: since.map(time), until: until.map(time) };
    assert_eq!(range(Some("2024-08-01"), Some("2024-08-01")), Ok(expected(Some("2024-08-01"), Some("2024-08-02"))));
    assert_eq!(
        range(Some("2024-08-01T11:30:00+02:00"), Some("2024-08-01T10:00:00Z")),
        Ok(expected(Some("2024-08-01T09:30:00Z"), Some("2024-08-01T10:00:00Z")))
    );
    assert_eq!(range(None, None), Ok(Range::default()));
    assert_eq!(
        range(Some("2024-08-02"), Some("2024-08-01")),
        Err("nothing lies between 2024-08-02 and 2024-08-01".to_owned())
    );
    assert_eq!(range(Some("August"), None), Err("`August` is neither a day like 2024-08-01 nor RFC 3339".to_owned()));
}

#[test]
fn a_file_may_be_older_than_the_range_by_minutes_and_younger_by_hours() {
    let range = Range::parse(Some("2024-08-01"), Some("2024-08-01")).unwrap();
    for (file, expected) in [
        ("2024-07-31T23:44:59Z", false),
        ("2024-07-31T23:45:00Z", true),
        ("2024-08-01T12:00:00Z", true),
        ("2024-08-02T05:59:59Z", true),
        ("2024-08-02T06:00:00Z", false),
    ] {
        assert_eq!(range.may_hold(time(file)), expected, "{file}");
    }
    assert!(Range::default().may_hold(time("1970-01-01")));
}

#[test]
fn the_time_is_read_off_the_name_of_a_file() {
    let check = |key: &str, expected: Option<&str>| assert_eq!(key_time(key), expected.map(time), "{key}");
    check("a/111122223333_CloudTrail_us-east-1_20240801T1130Z_Qdrj7uY2xUAeyCTg.json.gz", Some("2024-08-01T11:30:00Z"));
    check(
        "111122223333_vpcflowlogs_us-east-1_fl-0123_20240801T0005Z_ab12cd34.log.parquet",
        Some("2024-08-01T00:05:00Z"),
    );
    check(
        "111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20240801T113015Z.json.gz",
        Some("2024-08-01T11:30:15Z"),
    );
    check("20240801T1130Z", Some("2024-08-01T11:30:00Z"));
    check("20240801T1130Z/file.json", None);
    check("x_20241301T1130Z_y", None);
    check("x_20240801T2530Z_y", None);
    check("x_20240801t1130Z_y", None);
    check("x_2024080ÄT1130_y", None);
    check("", None);
}

#[test]
fn a_file_is_of_the_time_in_its_name_or_of_the_day_it_stands_under() {
    let check = |path: &str, expected: Option<&str>| assert_eq!(delivered(path), expected.map(time), "{path}");
    let of_account = |rest: &str| format!("/srv/logs/AWSLogs/o-a1b2c3/111122223333/CloudTrail/us-east-1/{rest}");
    check(
        &of_account("2024/08/01/111122223333_CloudTrail_us-east-1_20240801T1130Z_Q.json.gz"),
        Some("2024-08-01T11:30:00Z"),
    );
    check(&of_account("2024/08/01/0001.json.gz"), Some("2024-08-01"));
    check(&of_account("2024/08/01/07/0001.json.gz"), Some("2024-08-01"));
    check(&of_account("2024/13/01/0001.json.gz"), None);
    check(&of_account("2024/0001.json.gz"), None);
    let hive =
        "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=08/day=02";
    check(&format!("{hive}/hour=05/x.parquet"), Some("2024-08-02"));
    check("logs/2024/08/01/x.json", None);
    check("x.json", None);
}

#[test]
fn what_is_no_log_is_known_by_its_key() {
    let check = |key: &str, expected: bool| assert_eq!(set_aside(key).is_some(), expected, "{key}");
    check("AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/08/01/x.json.gz", true);
    check("copied/111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20240801T113015Z.json.gz", true);
    check("p/AWSLogs/111122223333/Config/ConfigWritabilityCheckFile", true);
    check("AWSLogs/111122223333/CloudTrail/", true);
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/08/01/x.json.gz", false);
    check("AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2024/08/01/x.json.gz", false);
    check("my-CloudTrail-Digest-notes/x.json", false);
}

#[test]
fn an_object_is_judged_by_what_its_key_says() {
    let wanted = Wanted {
        range: Range::parse(Some("2024-08-01"), Some("2024-08-01")).unwrap(),
        accounts: vec!["111122223333".into()],
        regions: vec!["us-east-1".into()],
    };
    let check = |key: &str, expected: Verdict| assert_eq!(wanted.judge(key), expected, "{key}");
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/08/01/x_20240801T1130Z_y.json.gz", Verdict::Read);
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/08/02/x_20240802T0700Z_y.json.gz", Verdict::Unwanted);
    check("AWSLogs/444455556666/CloudTrail/us-east-1/2024/08/01/x_20240801T1130Z_y.json.gz", Verdict::Unwanted);
    check("plain/111122223333_CloudTrail_eu-west-1_20240801T1130Z_y.json.gz", Verdict::Unwanted);
    check("plain/no-words-to-go-by.json.gz", Verdict::Read);
    check("plain/", Verdict::SetAside("the marker of a folder"));
}

fn walk(path: &str, wanted: &Wanted) -> Result<Place, Child> {
    path.split('/').try_fold(Place::Outside, |place, name| match place.child(name, wanted) {
        Child::Into(place) => Ok(place),
        other => Err(other),
    })
}

#[test]
fn folders_are_known_by_their_names() {
    let check =
        |path: &str, expected: Result<Place, Child>| assert_eq!(walk(path, &Wanted::default()), expected, "{path}");
    let day = Ok(Place::Day(19_936));
    check("AWSLogs/111122223333/CloudTrail/us-gov-west-1/2024/08/01", day);
    check("AWSLogs/o-abc123/111122223333/CloudTrail-Insight/us-east-1/2024/08/01", day);
    check("AWSLogs/111122223333/vpcflowlogs/us-east-1/2024/08/01/23", day);
    check("AWSLogs/111122223333/GuardDuty/us-east-1/2024/08/01", day);
    check(
        "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=08/day=01/hour=23",
        day,
    );
    check("AWSLogs/111122223333/vpcflowlogs/eusc-de-east-1", Ok(Place::Region(Names::Plain)));
    check("AWSLogs/111122223333/vpcflowlogs/us-east-1/2024/02", Ok(Place::Month(Names::Plain, 2024, 2)));
    let strange = |strange| Err(Child::Strange(strange));
    check("AWSLogs/111122223333/CloudTrail-Digest", strange(Strange::Digest));
    check("AWSLogs/111122223333/Config", strange(Strange::Service));
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/13", strange(Strange::Unknown));
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2023/02/29", strange(Strange::Unknown));
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/8", strange(Strange::Unknown));
    check("AWSLogs/111122223333/CloudTrail/us-east-1/year=2024", strange(Strange::Unknown));
    check("AWSLogs/11112222333", strange(Strange::Unknown));
    check("AWSLogs/aws-account-id=111122223333/vpcflowlogs", strange(Strange::Service));
    check("AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/us-east-1", strange(Strange::Unknown));
    check("logs", strange(Strange::Unknown));
}

#[test]
fn folders_that_are_not_wanted_are_not_entered() {
    let wanted = Wanted {
        range: Range::parse(Some("2024-08-01"), Some("2024-08-31")).unwrap(),
        accounts: vec!["111122223333".into()],
        regions: vec!["us-east-1".into()],
    };
    let check = |path: &str, expected: bool| assert_eq!(walk(path, &wanted).is_ok(), expected, "{path}");
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/08/31", true);
    // a file that was named for a quarter of an hour before, or delivered in the hours behind
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/07/31", true);
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/09/01", true);
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/07/30", false);
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/09/02", false);
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2024/06", false);
    check("AWSLogs/111122223333/CloudTrail/us-east-1/2025", false);
    check("AWSLogs/111122223333/CloudTrail/us-east-2", false);
    check("AWSLogs/444455556666", false);
    check("AWSLogs/aws-account-id=444455556666", false);
}

#[test]
fn a_short_range_names_its_folders() {
    let check = |place: Place, since: &str, until: &str, expected: Option<&[&str]>| {
        let range = Range::parse(Some(since), Some(until)).unwrap();
        let children = place.children_by_range(&Wanted { range, ..Wanted::default() });
        let expected = expected.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        assert_eq!(children, expected, "{place:?} {since} {until}");
    };
    let (hour, next) = ("2024-08-01T11:00:00Z", "2024-08-01T12:00:00Z");
    check(Place::Region(Names::Plain), hour, next, Some(&["2024"]));
    check(Place::Year(Names::Hive, 2024), hour, next, Some(&["month=08"]));
    check(Place::Month(Names::Hive, 2024, 8), hour, next, Some(&["day=01"]));
    check(Place::Month(Names::Plain, 2024, 8), hour, "2024-08-01T19:00:00Z", Some(&["01", "02"]));
    // a whole day has the end of the one before and the beginning of the next
    check(Place::Month(Names::Plain, 2024, 8), "2024-08-02", "2024-08-02", None);
    check(Place::Month(Names::Plain, 2024, 7), "2024-08-01", "2024-08-01", Some(&["31"]));
    check(Place::Region(Names::Plain), "2023-08-01", "2024-08-01", Some(&["2023", "2024"]));
    check(Place::Region(Names::Plain), "2022-08-01", "2024-08-01", None);
    check(Place::Region(Names::Plain), "0000-01-01", "0000-01-02", Some(&["0000"]));
    check(Place::Account(Names::Plain), hour, next, None);
    let open = Range::parse(Some(hour), None).unwrap();
    assert_eq!(
        Place::Month(Names::Plain, 2024, 8).children_by_range(&Wanted { range: open, ..Wanted::default() }),
        None
    );
}
