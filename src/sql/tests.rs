use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt;

use super::*;
use crate::archive::{Archive, Config, fixture};
use crate::logs::cloudtrail::CLOUDTRAIL;
use crate::logs::vpc_flow::VPC_FLOW;

/// Two days, two accounts, one of them hostile.
pub(super) fn archive() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(dir.path(), &Config::default()).unwrap();
    let lines = [
        r#"{"account":"111122223333","region":"us-east-1","eventtime":"2024-08-01T10:00:00Z","eventname":"GetUser","eventid":"a","useridentity":{"type":"Root","arn":"arn:aws:iam::111122223333:root"}}"#,
        r#"{"account":"111122223333","region":"us-east-1","eventtime":"2024-08-02T10:00:00Z","eventname":"PutObject","eventid":"b","requestparameters":"{\"bucketName\":\"x\"}","resources":[{"arn":"arn:aws:s3:::x"}]}"#,
        r#"{"account":"../é","region":null,"eventname":"GetUser","eventid":"c","readonly":true}"#,
    ];
    archive.add(vec![fixture::batch(&CLOUDTRAIL, &lines)]);
    archive.add(vec![fixture::batch(&VPC_FLOW, &[r#"{"account":"111122223333","start":1722511823}"#])]);
    let objects = archive.write(1).unwrap();
    archive.publish(&objects).unwrap();
    dir
}

pub(super) async fn run(dir: &Path, sql: &str) -> anyhow::Result<String> {
    let session = session(dir)?;
    let rows: Vec<_> = query(&session, sql).await?.try_collect().await?;
    let text = pretty_format_batches(&rows)?.to_string();
    let lines = text.lines().filter(|line| line.starts_with('|'));
    Ok(lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n"))
}

pub(super) async fn check(sql: &str, expected: &str) {
    assert_eq!(run(archive().path(), sql).await.unwrap(), expected, "{sql}");
}

#[tokio::test]
async fn columns_of_files_and_folders_are_queried_alike() {
    check(
        "SELECT account, region, day, eventName FROM cloudtrail ORDER BY eventid",
        "| account | region | day | eventname |\n\
         | 111122223333 | us-east-1 | 2024-08-01 | GetUser |\n\
         | 111122223333 | us-east-1 | 2024-08-02 | PutObject |\n\
         | ../é | unknown | | GetUser |",
    )
    .await;
    check("SELECT eventid FROM cloudtrail WHERE day = '2024-08-02'", "| eventid |\n| b |").await;
    check("SELECT eventid FROM cloudtrail WHERE day IS NULL AND readonly", "| eventid |\n| c |").await;
    check(
        "SELECT eventid FROM cloudtrail WHERE account = '../é' OR eventid = 'a' ORDER BY 1",
        "| eventid |\n| a |\n| c |",
    )
    .await;
    check("SELECT count(*) AS n FROM cloudtrail WHERE region = 'us-east-1' LIMIT 1", "| n |\n| 2 |").await;
    check("SELECT start, account FROM vpc_flow", "| start | account |\n| 1722511823 | 111122223333 |").await;
}

#[tokio::test]
async fn a_limit_counts_rows_that_match() {
    check("SELECT eventid FROM cloudtrail WHERE eventname = 'PutObject' LIMIT 1", "| eventid |\n| b |").await;
}

#[tokio::test]
async fn nested_fields_are_shown_by_their_last_name_where_it_is_unique() {
    check(
        "SELECT userIdentity.arn FROM cloudtrail WHERE userIdentity.type = 'Root'",
        "| arn |\n| arn:aws:iam::111122223333:root |",
    )
    .await;
    check("SELECT resources[1].arn FROM cloudtrail WHERE eventid = 'b'", "| arn |\n| arn:aws:s3:::x |").await;
    check("SELECT ARRAY[5, 7][2]", "| ARRAY[5, 7][2] |\n| 7 |").await;
    let both = run(archive().path(), "SELECT userIdentity.arn, resources[1].arn FROM cloudtrail").await.unwrap();
    assert!(both.starts_with("| useridentity.arn | resources[1].arn |"), "{both}");
    assert_eq!(last_name("concat(a[x], b[y]) || c[z]"), "concat(a[x], b[y]) || c[z]");
}

#[tokio::test]
async fn json_text_is_read_with_arrows_and_functions() {
    check(
        "SELECT json_get_str(requestParameters, 'bucketName') AS f FROM cloudtrail \
         WHERE requestParameters ->> 'bucketName' = 'x'",
        "| f |\n| x |",
    )
    .await;
}

#[tokio::test]
async fn a_table_without_rows_is_empty_and_an_unknown_one_is_an_error_that_names_the_others() {
    check("SELECT count(*) AS n FROM reject", "| n |\n| 0 |").await;
    let error = run(archive().path(), "SELECT * FROM \"default\".alb_logs").await.unwrap_err().to_string();
    assert!(
        error.starts_with("line 1, column 25: there is no table `alb_logs`; the tables are cloudtrail, "),
        "{error}"
    );
    let error = run(archive().path(), "SELECT * FROM cloudtrial").await.unwrap_err().to_string();
    assert_eq!(
        error,
        "line 1, column 15: there is no table `cloudtrial`; the tables are cloudtrail, vpc_flow, glue_job_run, glue_log, guardduty_finding, reject"
    );
    let error = run(archive().path(), "SELECT eventnam FROM cloudtrail").await.unwrap_err().to_string();
    assert_eq!(error, "line 1, column 8: there is no column `eventnam`; did you mean `eventname`?");
}

#[tokio::test]
async fn an_error_is_written_for_who_typed_the_query() {
    let dir = archive();
    let mut wrong = Vec::new();
    for (sql, expected) in [
        (
            "SELECT \"eventNames\" FROM cloudtrail",
            "line 1, column 8: there is no column `eventNames`; did you mean `eventname`?",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE userIdentity.arnn IS NULL",
            "line 1, column 51: there is no field `arnn` in that column: did you mean `useridentity.arn`?",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE day = '2024-08'",
            "line 1, column 44: '2024-08' cannot be cast to a day such as 2024-08-01",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE eventTime > '2024-08-01 1'",
            "Error parsing timestamp from '2024-08-01 1': error parsing time",
        ),
        (
            "SELECT json_get_str(userIdentity, 'arn') FROM cloudtrail",
            "Unexpected argument type to 'json_get_str' at position 1, expected a string, got a struct: its fields are named \
             with dots, as in userIdentity.arn",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE eventName = \"ConsoleLogin\"",
            "line 1, column 50: there is no column `ConsoleLogin`; text is written in single quotes: 'ConsoleLogin'",
        ),
        (
            "SELECT api.operation FROM db.amazon_security_lake_table_us_east_1_cloud_trail_mgmt_2_0",
            "line 1, column 30: tables of Security Lake have OCSF's columns, and the archive AWS's own: FROM cloudtrail, where api.operation is \
             eventName, actor.user.uid userIdentity.arn, and src_endpoint.ip sourceIPAddress",
        ),
        (
            "SELECT eventJson FROM cloudtrail",
            "line 1, column 8: the archive has an event's fields as columns, and not its text: those without a column are in `unmapped`",
        ),
        (
            "WITH v AS (SELECT account FROM vpc_flow) SELECT 1 FROM cloudtrail WHERE EXISTS (SELECT 1 FROM v WHERE v.account = userIdentity.accountId)",
            "a subquery names a field of a table around it with the name of that table: c.userIdentity.arn, where FROM cloudtrail AS c stands around it",
        ),
        (
            "SELECT eventName + 1 FROM cloudtrail",
            "varchar + bigint cannot be computed: CAST(x AS BIGINT) makes a number of a text, and || puts texts together",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE readOnly AND 1",
            "boolean AND bigint: what stands beside AND and OR is a condition, as in readOnly = true",
        ),
        (
            "SELECT regexp_replace(eventName, '(x)', m -> upper(m[1])) FROM cloudtrail",
            "a lambda, x -> ..., stands only in functions of lists and maps: transform(list, x -> upper(x))",
        ),
        ("SELECT eventName COLLATE c FROM cloudtrail", "there is no COLLATE here"),
        (
            "SELECT shuffle(ARRAY[1])",
            "line 1, column 8: there is no function `shuffle` here: array_agg(x ORDER BY random()) behind FROM UNNEST(list) AS t (x)",
        ),
        (
            "SHOW PARTITIONS cloudtrail_logs",
            "the partitions are columns: SELECT DISTINCT account, region, day FROM cloudtrail",
        ),
        (
            "SELECT eventid, (SELECT d.eventname FROM cloudtrail d WHERE d.eventid = c.eventid) FROM cloudtrail c",
            "a subquery that names columns of the query around it is asked for one value: arbitrary(x), max(x) or count(*), and \
             max_by(x, eventTime) in the place of ORDER BY eventTime DESC LIMIT 1",
        ),
        ("USE default", "there is one database here, the archive: SHOW TABLES"),
        (
            "SELECT date_diff('second', start, \"end\") FROM vpc_flow",
            "a number stands where a time is needed: from_unixtime(start) is the time of so many seconds",
        ),
        (
            "SELECT start AT TIME ZONE 'UTC' FROM vpc_flow",
            "a number stands where a time is needed: from_unixtime(start) is the time of so many seconds",
        ),
        (
            "SELECT hour(start) FROM vpc_flow",
            "date_part takes a time, and no bigint: from_unixtime(start) is the time of so many seconds",
        ),
        (
            "SELECT account FROM vpc_flow WHERE start > now() - INTERVAL '1' HOUR",
            "bigint > timestamp with time zone cannot be compared: a time is written '2024-08-01 12:00:00', and from_unixtime(start) is \
             the time of so many seconds",
        ),
        (
            "SELECT account FROM vpc_flow WHERE start > '2024-08-01'",
            "line 1, column 44: '2024-08-01' cannot be cast to bigint: from_unixtime(start) is the time of so many seconds",
        ),
        (
            "SELECT account FROM vpc_flow WHERE CAST(srcaddr AS inet) = '10.0.0.1'",
            "addresses are texts here: cidr_match(srcaddr, '10.0.0.0/8', '192.168.0.0/16')",
        ),
        (
            "SELECT account FROM vpc_flow WHERE srcaddr << '10.0.0.0/8'",
            "line 1, column 44: networks are asked by function: cidr_match(srcaddr, '10.0.0.0/8')",
        ),
        (
            "SELECT id FROM cloudtrail, JSON_TABLE(requestParameters, 'lax $.items[*]' COLUMNS (id varchar PATH 'lax $.id')) AS t",
            "there is no JSON_TABLE here: CROSS JOIN UNNEST(CAST(json_extract(requestParameters, '$.items') AS ARRAY(JSON))) AS t (item)",
        ),
        (
            "SHOW COLUMNS FROM cloudtrail LIKE 'event%'",
            "SHOW COLUMNS has all columns of a table: SELECT column_name FROM information_schema.columns WHERE table_name = 'cloudtrail' \
             AND column_name LIKE 'event%'",
        ),
        (
            "SELECT x FROM cloudtrail, json_each(requestParameters) x",
            "there is no table function `json_each` here: CROSS JOIN UNNEST(CAST(json_parse(requestParameters) AS MAP(VARCHAR, \
             JSON))) AS t (key, value)",
        ),
        ("SET TIME ZONE 'UTC'", "only queries are allowed here: SELECT, WITH, EXPLAIN, SHOW or DESCRIBE"),
        (
            "UNLOAD (SELECT 1) TO 's3://bucket/' WITH (format = 'PARQUET')",
            "only queries are allowed here, and `weir sql '...' --format parquet > answer.parquet` keeps the answer of one",
        ),
        (
            "SELECT x.p.bucketName FROM (SELECT requestParameters AS p FROM cloudtrail) x",
            "that column has no fields; of JSON text, as `weir tables NAME` says which column is, requestParameters ->> 'bucketName' \
             is one",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE resources LIKE '%x%'",
            "LIKE is asked of texts: CAST(dstport AS VARCHAR) LIKE '44%', and of what is in a list any_match(resources, r -> r.arn LIKE \
             '%x%')",
        ),
        (
            "SELECT CAST(resources AS VARCHAR) FROM cloudtrail",
            "lists and rows have no text but that of their JSON: json_format(CAST(resources AS JSON))",
        ),
        ("SELECT reduce(eventName, 0, (s, x) -> s + x, s -> s) FROM cloudtrail", "reduce takes a list, not varchar"),
        (
            "SELECT map_filter(userIdentity, (k, v) -> v = 'x') FROM cloudtrail",
            "map_filter takes a map or JSON text, not a struct",
        ),
        (
            "SELECT element_at(userIdentity, 'arn') FROM cloudtrail",
            "element_at takes a list, a map or JSON text, not a struct",
        ),
        (
            "SELECT eventNme.x FROM cloudtrail",
            "line 1, column 17: there is no column `eventnme.x`; did you mean `eventname`?",
        ),
        (
            "SELECT 1\nFROM cloudtrail c\nWHERE c.eventNmae = 'x'",
            "line 3, column 9: there is no column `c.eventnmae`; did you mean `c.eventname`?",
        ),
        (
            "SELECT c.source_ip FROM cloudtrail c",
            "line 1, column 10: there is no column `c.source_ip`; did you mean `c.sourceipaddress`?",
        ),
        (
            "SELECT sourceip FROM cloudtrail",
            "line 1, column 8: there is no column `sourceip`; did you mean `sourceipaddress`?",
        ),
        ("SELECT arn FROM cloudtrail", "line 1, column 8: there is no column `arn`; did you mean `useridentity.arn`?"),
        ("SELECT split('a', ',', 2, 3)", "line 1, column 8: split takes 2 or 3 arguments"),
        ("SELECT date_diff('day', now())", "line 1, column 8: date_diff takes 3 arguments"),
        (
            "SELECT json_extract_scaler(a, b) FROM (SELECT 1 AS a, 2 AS b)",
            "line 1, column 8: there is no function `json_extract_scaler`; did you mean `json_extract_scalar`?",
        ),
        ("SELECT first_seen(eventName, INTERVAL '30 days') FROM cloudtrail", "first_seen goes with tumble in GROUP BY"),
        (
            "SELECT userName FROM cloudtrail",
            "line 1, column 8: there is no column `username`; did you mean `useridentity.username`?",
        ),
        (
            "SELECT * FROM findings",
            "line 1, column 15: findings are no table: a run writes them to --findings, and `weir incidents` tells those of an archive",
        ),
        ("SELECT lowr('A')", "line 1, column 8: there is no function `lowr`; did you mean `lower`?"),
        ("SELECT frobnicate('A')", "line 1, column 8: there is no function `frobnicate`"),
        (
            "SELECT userIdentity.* FROM cloudtrail",
            "line 1, column 8: `useridentity.*` has no table before the star: its fields are named one by one, useridentity.type, useridentity.principalid",
        ),
        (
            "SELECT userIdentity.arn, count(*) FROM cloudtrail",
            "line 1, column 8: a field of `useridentity` stands neither in GROUP BY nor in an aggregate: GROUP BY that field too, or \
             select it as arbitrary(useridentity.type)",
        ),
        (
            "SELECT eventName, awsRegion, count(*) FROM cloudtrail GROUP BY eventName",
            "line 1, column 19: `awsregion` stands neither in GROUP BY nor in an aggregate: GROUP BY awsregion too, or select arbitrary(awsregion)",
        ),
        (
            "SELECT account FROM cloudtrail a JOIN vpc_flow b ON a.account = b.account",
            "line 1, column 8: more than one table has a column `account`: write the table before it, as in t.account",
        ),
        (
            "SELECT count(*) FROM cloudtrail WHERE eventTime > 2024-08-01",
            "line 1, column 51: 2024-08-01 without quotes is the number 2015: a day is written '2024-08-01'",
        ),
        (
            "SELECT count(*) FROM cloudtrail WHERE day BETWEEN 2024-08-01 AND 2024-08-02",
            "line 1, column 51: 2024-08-01 without quotes is the number 2015: a day is written '2024-08-01'",
        ),
        (
            "SELECT count(*) FROM cloudtrail WHERE eventTime BETWEEN 1 AND 2",
            "timestamp with time zone and bigint cannot be compared: a time is written '2024-08-01 12:00:00', and from_unixtime(start) is \
             the time of so many seconds",
        ),
        (
            "SELECT eventTime - 7 FROM cloudtrail",
            "timestamp with time zone - bigint cannot be computed: an interval is taken off a time, eventTime - INTERVAL '7' DAY",
        ),
        (
            "SELECT sum(eventName) FROM cloudtrail",
            "line 1, column 8: sum does not take (varchar): CAST(x AS VARCHAR) makes a text, CAST(x AS BIGINT) or CAST(x AS DOUBLE) a number",
        ),
        (
            "SELECT INTERVAL 'ten minutes'",
            "line 1, column 17: `ten minutes` is no interval: INTERVAL '10 minutes', or INTERVAL '10' MINUTE",
        ),
        ("SELECT eventName FROM cloudtrail\nWHERE", "line 2, column 6: Expected: an expression, found: EOF"),
        (
            "SELECT 1,\n  date_format(from_unixtime(start), '%Q') FROM vpc_flow",
            "line 2, column 3: `%Q` in the format '%Q' is not known; minutes are %i, and %m is the month",
        ),
        ("SHOW DATABASES", "there is one database here, the archive: SHOW TABLES"),
        (
            "SELECT CAST(requestParameters AS MAP(BIGINT, JSON)) FROM cloudtrail",
            "the keys of JSON are texts: MAP(VARCHAR, JSON), not `MAP(BIGINT, JSON)`",
        ),
    ] {
        let error = run(dir.path(), sql).await.unwrap_err().to_string();
        if error != expected {
            wrong.push(format!("{sql}: {error}, and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let beginning = |sql: &'static str| {
        let dir = dir.path();
        async move { run(dir, sql).await.unwrap_err().to_string().chars().take(30).collect::<String>() }
    };
    assert_eq!(beginning("SELECT substr(day, 1, 7) FROM cloudtrail").await, "line 1, column 8: substr does ");
    let unnest =
        "SELECT r.arn FROM cloudtrail a LEFT JOIN cloudtrail b ON a.day = b.day CROSS JOIN UNNEST(b.resources) AS t(r)";
    assert_eq!(beginning(unnest).await, "what stands behind FROM can na");
}

#[tokio::test]
async fn an_error_of_a_row_is_told_in_one_line() {
    let dir = archive();
    let session = session(dir.path()).unwrap();
    let sql = "SELECT regexp_like(eventname, 'a(b') FROM cloudtrail";
    let error = match query(&session, sql).await {
        Ok(rows) => readable_in(sql, &rows.try_collect::<Vec<_>>().await.unwrap_err()),
        Err(error) => error,
    };
    assert_eq!(
        error.to_string(),
        "line 1, column 31: the pattern 'a(b' cannot be read: unclosed group, at its character 2"
    );
}

#[tokio::test]
async fn tables_are_shown_and_not_what_describes_them() {
    let all = "| table_name |\n| cloudtrail |\n| glue_job_run |\n| glue_log |\n| guardduty_finding |\n| reject |\n| vpc_flow |";
    check("SHOW TABLES", all).await;
    check("SHOW TABLES LIKE 'glue%'", "| table_name |\n| glue_job_run |\n| glue_log |").await;
    check("SHOW TABLES '*flow'", "| table_name |\n| vpc_flow |").await;
    for described in
        ["DESCRIBE cloudtrail_logs", "SHOW COLUMNS FROM cloudtrail", "SHOW COLUMNS IN default.cloudtrail_logs"]
    {
        let columns = run(archive().path(), described).await.unwrap();
        let first = "| column_name | data_type |\n| account | varchar |\n| region | varchar |\n| day | date |\n";
        assert!(columns.starts_with(first), "{columns}");
        assert!(columns.contains("\n| eventtime | timestamp with time zone |\n"), "{columns}");
        assert!(columns.contains("\n| resources | array(row("), "{columns}");
    }
}

#[tokio::test]
async fn only_queries_run() {
    let dir = archive();
    let file = dir.path().join("out.csv");
    for sql in [
        format!("COPY cloudtrail TO '{}'", file.display()),
        format!("EXPLAIN ANALYZE COPY cloudtrail TO '{}'", file.display()),
        "CREATE TABLE t AS SELECT 1".into(),
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{}'", file.display()),
        "INSERT INTO cloudtrail SELECT * FROM cloudtrail".into(),
        "DROP TABLE cloudtrail".into(),
        "SET datafusion.execution.batch_size = 1".into(),
    ] {
        assert!(run(dir.path(), &sql).await.is_err(), "{sql}");
    }
    assert!(!file.exists());
    assert!(run(dir.path(), "SELECT 1; SELECT 2").await.unwrap_err().to_string().contains("one query at a time"));
    for (sql, expected) in [
        ("CREATE TABLE t AS SELECT 1", "keeps the answer of one"),
        ("SHOW CREATE TABLE cloudtrail", "DESCRIBE cloudtrail"),
        ("PREPARE q FROM SELECT ?", "the values are written into the query"),
        ("EXECUTE q USING 'x'", "the values are written into the query"),
        ("MSCK REPAIR TABLE cloudtrail", "only queries are allowed here"),
    ] {
        let error = run(dir.path(), sql).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{sql}: {error}");
    }
    for sql in ["DESCRIBE cloudtrail", "SHOW TABLES", "EXPLAIN SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a"] {
        run(dir.path(), sql).await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_without_an_archive_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = session(dir.path()).err().unwrap().to_string();
    assert!(error.contains(" is not an archive"), "{error}");
    let error = session(Path::new("s3://bucket/weir")).err().unwrap().to_string();
    assert!(error.contains("`aws s3 sync s3://bucket/weir archive`"), "{error}");
}

#[tokio::test]
async fn folders_that_cannot_match_are_not_opened() {
    let dir = archive();
    let explained = run(dir.path(), "EXPLAIN SELECT eventid FROM cloudtrail WHERE day = '2024-08-02'").await.unwrap();
    assert!(explained.contains("day=2024-08-02"), "{explained}");
    assert!(!explained.contains("day=2024-08-01"), "{explained}");
}

/// The rows of both files of the day but one, with what is wrong with that one.
async fn read_around(dir: &Path, sql: &str) -> (usize, Vec<(PathBuf, String)>) {
    let session = session(dir).unwrap();
    let rows: Vec<_> = query(&session, sql).await.unwrap().try_collect().await.unwrap();
    let damaged = damaged(&session);
    assert_eq!(refuse_damaged(&session).is_err(), !damaged.is_empty());
    (rows.iter().map(RecordBatch::num_rows).sum(), damaged)
}

#[tokio::test]
async fn a_query_goes_on_behind_a_damaged_file_and_names_it() {
    let dir = archive();
    let folder =
        dir.path().canonicalize().unwrap().join("cloudtrail/account=111122223333/region=us-east-1/day=2024-08-01");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let whole = std::fs::read(&file).unwrap();
    let mut pages = whole.clone();
    pages[4..2000].fill(0);
    for (what, bytes) in [("cut", &whole[..whole.len() - 20]), ("pages", &pages), ("empty", &[])] {
        std::fs::write(&file, bytes).unwrap();
        for sql in [
            "SELECT * FROM cloudtrail",
            "SELECT * FROM cloudtrail WHERE eventname <> 'x' ORDER BY eventid DESC LIMIT 9",
        ] {
            let (rows, damaged) = read_around(dir.path(), sql).await;
            let names: Vec<&PathBuf> = damaged.iter().map(|(path, _)| path).collect();
            assert_eq!((rows, names), (2, vec![&file]), "{what}: {damaged:?}");
        }
    }
    std::fs::write(&file, whole).unwrap();
    assert_eq!(read_around(dir.path(), "SELECT * FROM cloudtrail").await, (3, Vec::new()));
}

#[tokio::test]
async fn a_file_that_is_gone_when_it_is_read_is_named() {
    let dir = archive();
    let folder = dir.path().canonicalize().unwrap().join("cloudtrail");
    let day = folder.join("account=111122223333/region=us-east-1/day=2024-08-01");
    let file = std::fs::read_dir(&day).unwrap().next().unwrap().unwrap().path();
    for sql in ["SELECT * FROM cloudtrail", "SELECT count(*) FROM cloudtrail"] {
        let bytes = std::fs::read(&file).unwrap();
        let session = session(dir.path()).unwrap();
        std::fs::remove_dir_all(&day).unwrap();
        query(&session, sql).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        let [(path, why)] = &damaged(&session)[..] else { panic!("{sql}: {:?}", damaged(&session)) };
        assert_eq!((path, why.contains("No such file")), (&file, true), "{why}");
        std::fs::create_dir(&day).unwrap();
        std::fs::write(&file, bytes).unwrap();
    }
    // a folder or a file that stands elsewhere is read there, and named where it is not
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(&day, elsewhere.path().join("day")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("day"), &day).unwrap();
    assert_eq!(read_around(dir.path(), "SELECT * FROM cloudtrail").await, (3, Vec::new()));
    drop(elsewhere);
    let error = run(dir.path(), "SELECT * FROM cloudtrail").await.unwrap_err();
    assert!(format!("{error:#}").contains("day=2024-08-01"), "{error:#}");
}

#[tokio::test]
async fn a_query_that_fails_of_a_row_damages_no_file() {
    let dir = archive();
    let session = session(dir.path()).unwrap();
    let rows = query(&session, "SELECT eventid FROM cloudtrail WHERE CAST(eventname AS BIGINT) > 1").await.unwrap();
    let error = rows.try_collect::<Vec<_>>().await.map_err(readable).unwrap_err().to_string();
    assert!(error.contains("GetUser"), "{error}");
    assert_eq!(damaged(&session), Vec::new());
}

#[tokio::test]
async fn files_of_an_older_weir_lack_columns_and_fields() {
    use arrow::array::{ArrayRef, StringArray, StructArray};
    use parquet::arrow::ArrowWriter;
    let dir = archive();
    let folder = dir.path().join("cloudtrail/account=111122223333/region=us-east-1/day=2024-08-01");
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let identity =
        StructArray::from(vec![(Arc::new(Field::new("type", arrow::datatypes::DataType::Utf8, true)), text("Root"))]);
    let rows =
        RecordBatch::try_from_iter([("eventid", text("old")), ("useridentity", Arc::new(identity) as _)]).unwrap();
    let file = std::fs::File::create(folder.join("0.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let sql = "SELECT eventid, eventname, userIdentity.arn, userIdentity.type FROM cloudtrail WHERE eventid = 'old'";
    assert_eq!(run(dir.path(), sql).await.unwrap(), "| eventid | eventname | arn | type |\n| old | | | Root |");
    let sql = "SELECT eventid FROM cloudtrail WHERE userIdentity.type = 'Root' AND userIdentity.arn IS NULL";
    assert_eq!(run(dir.path(), sql).await.unwrap(), "| eventid |\n| old |");
}

#[tokio::test]
async fn the_text_of_every_rule_over_windows_is_a_query() {
    use crate::detect::library;
    use crate::rule::Fires;
    let dir = archive();
    let (rules, _) = library::rules(&library::built_in());
    let none = References::default();
    let references = rules.iter().fold(none, |all, rule| all.for_cases_of(rule));
    let session = session_with(dir.path(), &references, Arc::default()).unwrap();
    let (mut asked, mut failed) = (0, Vec::new());
    for rule in rules.iter().filter(|rule| rule.fires == Fires::PerWindow) {
        asked += 1;
        let answer = match query(&session, &rule.text).await {
            Ok(rows) => rows.try_collect::<Vec<_>>().await.map_err(readable),
            Err(error) => Err(error),
        };
        failed.extend(answer.err().map(|error| format!("{}: {error}", rule.id)));
    }
    assert_eq!(failed, Vec::<String>::new());
    assert!(asked > 60, "{asked}");
}

#[tokio::test]
async fn hop_counts_a_row_in_each_window_and_session_joins_rows() {
    check(
        "SELECT hop(eventTime, INTERVAL '1 day', INTERVAL '2 days') AS at, count(*) AS n FROM cloudtrail \
         WHERE eventTime IS NOT NULL GROUP BY hop(eventTime, INTERVAL '1 day', INTERVAL '2 days') ORDER BY at",
        "| at | n |\n| 2024-07-31T00:00:00Z | 1 |\n| 2024-08-01T00:00:00Z | 2 |\n| 2024-08-02T00:00:00Z | 1 |",
    )
    .await;
    for (gap, expected) in [
        ("24 hours", "| n | at |\n| 2 | 2024-08-01T10:00:00Z |"),
        ("23 hours", "| n | at |\n| 1 | 2024-08-01T10:00:00Z |\n| 1 | 2024-08-02T10:00:00Z |"),
    ] {
        let sql = format!(
            "SELECT count(*) AS n, session(eventTime, INTERVAL '{gap}') AS at FROM cloudtrail \
             WHERE eventTime IS NOT NULL GROUP BY session(eventTime, INTERVAL '{gap}') ORDER BY at"
        );
        check(&sql, expected).await;
    }
    let alone = "SELECT hop(eventTime, INTERVAL '1 day', INTERVAL '2 days') FROM cloudtrail";
    let error = run(archive().path(), alone).await.unwrap_err();
    assert!(error.to_string().contains("which only GROUP BY can"));
}

#[tokio::test]
async fn lists_are_tables_and_joins_with_them_say_what_rules_say() {
    use crate::detect::reference::lookup::tests::{QUERIES, calls, references, streamed};
    let dir = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(dir.path(), &Config::default()).unwrap();
    archive.add(vec![calls()]);
    let objects = archive.write(1).unwrap();
    archive.publish(&objects).unwrap();
    let session = session_with(dir.path(), &references(), Arc::default()).unwrap();
    let run = async |sql: &str| -> Vec<String> {
        let rows: Vec<_> = query(&session, sql).await.unwrap().try_collect().await.unwrap();
        let cell = |rows: &RecordBatch, column: usize, row: usize| {
            arrow::util::display::array_value_to_string(rows.column(column), row).unwrap()
        };
        let row = |rows: &RecordBatch, row: usize| {
            (0..rows.num_columns()).map(|column| cell(rows, column, row)).collect::<Vec<_>>().join(" ")
        };
        rows.iter().flat_map(|rows| (0..rows.num_rows()).map(move |at| row(rows, at))).collect()
    };
    for (value, rest, _) in QUERIES {
        let answer = run(&format!("SELECT eventID, {value} AS value {rest} ORDER BY eventID")).await;
        assert_eq!(answer, streamed(value, rest), "{value} {rest}");
    }
    assert_eq!(
        run("SELECT count(*), count(criticality) FROM reference.assets").await,
        ["3 2"],
        "of one key the first row"
    );
    let error =
        query(&session, "SELECT 1 FROM cloudtrail JOIN reference.nets n ON cidr_match(sourceIPAddress, n.name)").await;
    let error = error.err().unwrap().to_string();
    assert!(error.contains("reference.nets is not looked up by networks in `name`"), "{error}");
    assert_eq!(run("SHOW TABLES LIKE '%s'").await, ["reference.assets", "reference.nets", "reference.teams"]);
    let error = query(&session, "SELECT 1 FROM reference.nowhere").await.err().unwrap().to_string();
    assert!(error.contains("there is no list `nowhere`"), "{error}");
}

#[tokio::test]
async fn a_list_is_asked_by_its_name() {
    use crate::detect::reference::List;
    use crate::detect::reference::keyed::{Keyed, Kind};
    let dir = archive();
    let root = List::Keyed(Keyed::of(Kind::Text, ["arn:aws:iam::111122223333:root"]).unwrap());
    let session =
        session_with(dir.path(), &References::new([("known".to_owned(), root)].into()), Arc::default()).unwrap();
    let sql = "SELECT eventid FROM cloudtrail WHERE in_reference(userIdentity.arn, 'known')";
    let rows: Vec<_> = query(&session, sql).await.unwrap().try_collect().await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
    let error = run(dir.path(), sql).await.unwrap_err().to_string();
    assert_eq!(error, "the configuration has no [reference.known]; there are: none");
}

#[tokio::test]
async fn the_words_of_athena_say_the_same() {
    let dir = archive();
    let mut wrong = Vec::new();
    for (sql, expected) in [
        ("SELECT json_extract_scalar(requestParameters, '$.bucketName') AS f FROM cloudtrail WHERE eventid = 'b'", "x"),
        ("SELECT json_extract_scalar('{\"a\": [{\"b c\": 1.50}]}', '$.a[0][\"b c\"]') AS f", "1.50"),
        ("SELECT json_extract_scalar('{\"a\": [1]}', '$.a') IS NULL AS f", "true"),
        ("SELECT json_extract_scalar('{\"a\": \"{x\"}', '$.a') AS f", "{x"),
        ("SELECT json_extract('{\"a\":[1,2]}', '$.a') AS f", "[1,2]"),
        ("SELECT CAST(json_extract('{\"a\":\"7\"}', '$.a') AS INTEGER) + 1 AS f", "8"),
        ("SELECT CAST(json_extract('{\"a\":[\"x\",1]}', '$.a') AS ARRAY<VARCHAR>) AS f", "[x, 1]"),
        ("SELECT json_array_length(json_extract('{\"a\":[1,2]}', '$.a')) AS f", "2"),
        ("SELECT element_at(requestParameters, 'bucketName') AS f FROM cloudtrail WHERE eventid = 'b'", "x"),
        ("SELECT element_at(resources, 1).arn AS f FROM cloudtrail WHERE eventid = 'b'", "arn:aws:s3:::x"),
        ("SELECT element_at(split('a/b', '/'), -1) AS f", "b"),
        (
            "SELECT date_trunc('day', from_iso8601_timestamp(eventTime)) AS f FROM cloudtrail WHERE eventid = 'a'",
            "2024-08-01T00:00:00Z",
        ),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE from_iso8601_timestamp(eventTime) > timestamp '2024-08-02 00:00:00'",
            "1",
        ),
        ("SELECT count(*) AS f FROM cloudtrail WHERE eventTime LIKE '2024-08-01%'", "1"),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE eventTime BETWEEN '2024-08-01:10:00:00' AND '2024-08-02 09:59'",
            "1",
        ),
        ("SELECT substr(eventTime, 1, 10) AS f FROM cloudtrail WHERE eventid = 'a'", "2024-08-01"),
        ("SELECT date_format(eventTime, '%d %M %H:%i') AS f FROM cloudtrail WHERE eventid = 'a'", "01 August 10:00"),
        ("SELECT date_parse('01.08.2024 09:30', '%d.%m.%Y %H:%i') AS f", "2024-08-01T09:30:00"),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE eventTime > date_parse('2024-08-01 10', '%Y-%m-%d %H') AND typeof(date_parse('1', '%e')) = 'timestamp'",
            "1",
        ),
        (
            "SELECT date_parse('2024-08-01', '%Y-%m-%d') AT TIME ZONE 'America/New_York' AS f",
            "2024-07-31T20:00:00-04:00",
        ),
        (
            "SELECT coalesce(try(date_parse('soon', '%Y-%m-%d')), date_parse('2024-08', '%Y-%m')) AS f",
            "2024-08-01T00:00:00",
        ),
        ("SELECT try(from_iso8601_timestamp('soon')) IS NULL AND try(1 / 0) IS NULL AS f", "true"),
        ("SELECT date_add('day', -1, date '2024-08-01') AS f", "2024-07-31"),
        ("SELECT date_diff('hour', timestamp '2024-08-01 00:00:00', timestamp '2024-08-02 01:59:59') AS f", "25"),
        ("SELECT day_of_week(date '2024-08-04') AS f", "7"),
        ("SELECT regexp_extract('arn:aws:iam::1:user/x', '[^/]+$') AS f", "x"),
        ("SELECT regexp_extract('arn:aws:iam', '(\\w+):(\\w+)', 2) AS f", "aws"),
        ("SELECT if(1 > 2, 'a', 'b') AS f", "b"),
        ("SELECT contains('10.0.0.0/8', CAST('10.1.2.3' AS IPADDRESS)) AS f", "true"),
        ("SELECT count_if(eventname = 'GetUser') AS f FROM cloudtrail", "2"),
        ("SELECT max_by(eventid, eventTime) AS f FROM cloudtrail", "b"),
        ("SELECT min_by(eventid, eventTime) AS f FROM cloudtrail", "a"),
        ("SELECT approx_distinct(eventname, 0.01) AS f FROM cloudtrail", "2"),
        ("SELECT count(*) AS f FROM cloudtrail WHERE readOnly = 'true'", "1"),
        ("SELECT count(*) AS f FROM (SELECT '012345678901' AS account) WHERE account = 012345678901", "1"),
        ("SELECT any_match(resources, r -> r.arn LIKE '%s3%') AS f FROM cloudtrail WHERE eventid = 'b'", "true"),
        ("SELECT try(CAST('x' AS INTEGER)) IS NULL AS f", "true"),
        ("SELECT count(*) AS f FROM cloudtrail_logs WHERE cloudtrail_logs.eventid = 'a'", "1"),
        ("SELECT count(l.start) AS f FROM \"awsdatacatalog\".\"default\".\"vpc_flow_logs\" l", "1"),
        ("SELECT eventid AS f FROM default.cloudtrail WHERE cloudtrail.eventname = 'PutObject'", "b"),
        ("WITH cloudtrail_logs AS (SELECT 7 AS f) SELECT f FROM cloudtrail_logs", "7"),
        ("SELECT listagg(eventid, '/') WITHIN GROUP (ORDER BY eventid DESC) AS f FROM cloudtrail", "c/b/a"),
        (
            "SELECT listagg(DISTINCT eventName, '/') WITHIN GROUP (ORDER BY eventName) AS f FROM cloudtrail",
            "GetUser/PutObject",
        ),
        (
            "SELECT string_agg(DISTINCT eventName, '/' ORDER BY eventName DESC) AS f FROM cloudtrail",
            "PutObject/GetUser",
        ),
        ("SELECT at_timezone(timestamp '2024-08-01 00:00:00 UTC', 'Asia/Tokyo') AS f", "2024-08-01T09:00:00+09:00"),
        (
            "SELECT at_timezone(eventTime, 'Asia/Tokyo') AS f FROM cloudtrail WHERE eventid = 'a'",
            "2024-08-01T19:00:00+09:00",
        ),
        ("SELECT eventid AS f FROM cloudtrail ORDER BY eventid FETCH FIRST 1 ROW ONLY", "a"),
        ("SELECT eventid AS f FROM cloudtrail ORDER BY eventid OFFSET 1 ROW FETCH NEXT ROW ONLY", "b"),
        ("SELECT coalesce(try(CAST('x' AS INTEGER) + 1), 7) AS f", "7"),
        (
            "SELECT format_datetime(eventTime, 'yyyy-MM-dd''T''HH') AS f FROM cloudtrail WHERE eventid = 'a'",
            "2024-08-01T10",
        ),
        ("SELECT parse_datetime('01/08/2024 09:30', 'dd/MM/yyyy HH:mm') AS f", "2024-08-01T09:30:00Z"),
        ("SELECT requestParameters['bucketName'] AS f FROM cloudtrail WHERE eventid = 'b'", "x"),
        ("SELECT json_value('{\"a\":{\"b\":1}}', 'lax $.a.b') AS f", "1"),
        ("SELECT json_query('{\"a\":{\"b\":1}}', 'lax $.a') AS f", "{\"b\":1}"),
        ("SELECT json_size('{\"a\":[1,2]}', '$.a') AS f", "2"),
        ("SELECT json_exists('{\"a\":{\"b\":1}}', 'lax $.a.b') AS f", "true"),
        ("SELECT json_exists('{\"a\":{\"b\":1}}', 'a', 'c') AS f", "false"),
        ("SELECT json_array_contains('[\"x\", 2]', 2) AS f", "true"),
        ("SELECT json_array_get('[\"x\", 2]', 1) AS f", "2"),
        ("SELECT CAST(json_extract('{\"a\":[\"x\",1]}', '$.a') AS ARRAY(VARCHAR)) AS f", "[x, 1]"),
        ("SELECT cardinality(CAST(json_extract('{\"a\":[{\"b\":1},2]}', '$.a') AS ARRAY(JSON))) AS f", "2"),
        ("SELECT contains(split('a,b', ','), 'b') AS f", "true"),
        ("SELECT all_match(split('a,b', ','), v -> v = 'a' OR v = 'b') AS f", "true"),
        ("SELECT all_match(split('a,b', ','), v -> v = 'a') AS f", "false"),
        ("SELECT none_match(split('a,b', ','), v -> v = 'c') AS f", "true"),
        ("SELECT transform(ARRAY[1, 2], v -> ARRAY[v, v + 1]) AS f", "[[1, 2], [2, 3]]"),
        ("SELECT transform(ARRAY[1], v -> map(ARRAY['k'], ARRAY[v])) AS f", "[{k: 1}]"),
        ("SELECT reduce(ARRAY[1, 2], ARRAY[0], (s, v) -> s || ARRAY[v], s -> s) AS f", "[0, 1, 2]"),
        ("SELECT slice(split('a,b,c', ','), 2, 2) AS f", "[b, c]"),
        ("SELECT regexp_replace('a1b2', '[0-9]') AS f", "ab"),
        // how AWS's examples for flow logs ask for days
        ("SELECT day_of_week(date) AS f FROM vpc_flow_logs WHERE date = DATE('2024-08-01')", "4"),
        ("SELECT count(*) AS f FROM vpc_flow_logs WHERE date > current_date - interval '7' day", "0"),
        ("SELECT count(*) AS f FROM vpc_flow_logs AS l WHERE l.date BETWEEN '2024/07/31' AND '2024/08/01'", "1"),
        ("SELECT count(*) AS f FROM vpc_flow WHERE day IN ('2024/07/31', '2024/08/01')", "1"),
        ("SELECT count(*) AS f FROM vpc_flow_logs WHERE day >= date_format(date '2024-08-01', '%Y/%m/%d')", "1"),
        (
            "SELECT count(*) AS f FROM vpc_flow_logs WHERE date BETWEEN '2024/' || '07/31' AND concat('2024/08', '/01')",
            "1",
        ),
        (
            "SELECT count(*) AS f FROM vpc_flow_logs WHERE day IN (format_datetime(date '2024-08-01', 'yyyy/MM/dd'))",
            "1",
        ),
        ("SELECT count(*) AS f FROM vpc_flow_logs WHERE day LIKE '2024/08/%'", "1"),
        ("SELECT CAST(date_parse(day, '%Y/%m/%d') AS VARCHAR) AS f FROM vpc_flow_logs", "2024-08-01 00:00:00.000"),
        // and this is a text that the statement calls so
        (
            "SELECT count(*) AS f FROM (SELECT date_format(eventtime, '%Y/%m/%d') AS day FROM cloudtrail \
             WHERE day >= '2024/08/02') WHERE day = '2024/08/02' AND date_parse(day, '%Y/%m/%d') = date '2024-08-02'",
            "1",
        ),
        ("SELECT count(*) AS f FROM cloudtrail_logs WHERE timestamp >= '2024/08/02' AND eventid < 'c'", "1"),
        ("SELECT count(*) AS f FROM default.cloudtrail_logs_my_bucket WHERE eventname = 'GetUser'", "2"),
        (
            "SELECT CAST(from_unixtime(start) AT TIME ZONE 'America/New_York' AS VARCHAR) AS f FROM vpc_flow",
            "2024-08-01 07:30:23.000 America/New_York",
        ),
        ("SELECT date_format(from_unixtime(start), '%d/%m/%Y %H:%i') AS f FROM vpc_flow_logs", "01/08/2024 11:30"),
        ("SELECT from_unixtime(start) > timestamp '2024-08-01 11:30:22' AS f FROM vpc_flow", "true"),
        ("SELECT date_diff('minute', from_unixtime(start), timestamp '2024-08-01 12:00:00') AS f FROM vpc_flow", "29"),
        ("SELECT to_iso8601(from_unixtime(0)) AS f", "1970-01-01T00:00:00.000Z"),
        ("SELECT count(*) AS f FROM cloudtrail WHERE eventTime > to_iso8601(timestamp '2024-08-01 10:00:01')", "1"),
        ("SELECT last_day_of_month(date '2024-02-03') AS f", "2024-02-29"),
        ("SELECT from_utf8(from_base64('YWJj')) AS f", "abc"),
        ("SELECT length(from_utf8(to_utf8('é'))) AS f", "1"),
        ("SELECT sign(-5) AS f", "-1"),
        ("SELECT url_decode('a%20b%2Fc+d') AS f", "a b/c d"),
        ("SELECT url_encode(eventname) AS f FROM cloudtrail WHERE eventid = 'b'", "PutObject"),
        ("SELECT format('%s %,d %.1f', account, start, 1.26) AS f FROM vpc_flow", "111122223333 1,722,511,823 1.3"),
        ("SELECT url_decode(NULL) IS NULL AS f", "true"),
        // maps
        ("SELECT histogram(eventname) AS f FROM cloudtrail", "{GetUser: 2, PutObject: 1}"),
        ("SELECT element_at(histogram(eventname), 'GetUser') AS f FROM cloudtrail", "2"),
        ("SELECT element_at(histogram(eventname), 'ListUsers') IS NULL AS f FROM cloudtrail", "true"),
        ("SELECT histogram(eventname)['GetUser'] AS f FROM cloudtrail", "2"),
        ("SELECT map_agg(eventid, eventname)['b'] AS f FROM cloudtrail", "PutObject"),
        ("SELECT approx_percentile(length(eventname), 0.5) AS f FROM cloudtrail", "7"),
        (
            "SELECT concat_ws(' ', approx_percentile(x, 0.5), approx_percentile(x + 0.25, 0.5), typeof(approx_percentile(x, 0.5))) AS f \
             FROM (VALUES 2, 2, 4, 5) AS t (x)",
            "3 3.25 bigint",
        ),
        (
            "SELECT array_agg(n) AS f FROM (SELECT approx_percentile(x, 0.5) OVER (ORDER BY x ROWS 1 PRECEDING) AS n FROM (VALUES 1, 2) AS t (x))",
            "[1, 2]",
        ),
        ("SELECT array_sort(set_agg(eventname)) AS f FROM cloudtrail", "[GetUser, PutObject]"),
        ("SELECT map_concat(MAP(ARRAY['a'], ARRAY[1]), MAP(ARRAY['a', 'b'], ARRAY[2, 3])) AS f", "{a: 2, b: 3}"),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE eventTime >= '2024-08-01 10' AND eventTime < '2024-08-01T11'",
            "1",
        ),
        // how AWS's Security Analytics Bootstrap asks
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE date_partition >= '2024/08/01' AND date_partition <= '2024/08/02' \
             AND account_partition = '111122223333' AND region_partition IN ('us-east-1')",
            "2",
        ),
        ("SELECT count(sourceaddress) AS f FROM vpcflow WHERE date_partition = '2024/08/01'", "0"),
        ("SELECT count(v.event_date) AS f FROM vpcflow v WHERE instanceid IS NULL AND flowdirection IS NULL", "1"),
        // and how others do
        ("SELECT start_time AS f FROM vpc_flow_logs WHERE dt >= '2024-08-01' AND end_time IS NULL", "1722511823"),
        ("SELECT eventid AS f FROM cloudtrail_111122223333 WHERE dt = '2024/08/02'", "b"),
        (
            "SELECT eventid AS f FROM cloudtrail_logs WHERE timestamp >= date_format(date '2024-08-02', '%Y-%m-%d') AND dt LIKE '2024-08-%' \
             AND date_parse(dt, '%Y-%m-%d') = date '2024-08-02'",
            "b",
        ),
        (
            "SELECT eventid AS f FROM (SELECT eventid, substr(eventtime, 1, 10) AS timestamp FROM cloudtrail_logs) \
             WHERE timestamp = '2024-08-02'",
            "b",
        ),
        ("SELECT eventid AS f FROM cloudtrail_logs WHERE account_id = '111122223333' AND dt = '2024-08-02'", "b"),
        // flow logs have one of their own
        (
            "SELECT count(*) AS f FROM vpc_flow v JOIN cloudtrail c ON v.account = c.account WHERE account_id IS NULL",
            "2",
        ),
        ("SELECT eventid AS f FROM cloudtrail_logs WHERE date BETWEEN '2024/08/02' AND '2024/08/03'", "b"),
        (
            "SELECT date AS f FROM (SELECT date_format(eventtime, '%Y') AS date FROM cloudtrail_logs WHERE eventid = 'a' GROUP BY date)",
            "2024",
        ),
        ("SELECT eventid AS f FROM cloudtrail_logs WHERE p_account = '111122223333' AND p_date >= '2024/08/02'", "b"),
        ("SELECT count(account_id) AS f FROM vpc_flow_logs WHERE \"pkt-dst-aws-service\" IS NULL", "0"),
        (
            "SELECT dt AS f FROM (SELECT date_format(eventTime, '%Y') AS dt FROM cloudtrail_events WHERE eventid = 'a' GROUP BY dt)",
            "2024",
        ),
        (
            "SELECT count(dt) AS f FROM UNNEST(sequence(date '2024-08-01', date '2024-08-03')) AS d (dt) \
             LEFT JOIN cloudtrail ON day = dt WHERE eventid IS NULL",
            "1",
        ),
        ("SELECT array_sort(ARRAY[2, NULL, 1]) AS f", "[1, 2, ]"),
        ("SELECT array_sort(element_at(multimap_agg(eventname, eventid), 'GetUser')) AS f FROM cloudtrail", "[a, c]"),
        ("SELECT split_to_map('a=1&b=2', '&', '=') AS f", "{a: 1, b: 2}"),
        ("SELECT map_keys(requestParameters) AS f FROM cloudtrail WHERE eventid = 'b'", "[bucketName]"),
        ("SELECT map_values(requestParameters) AS f FROM cloudtrail WHERE eventid = 'b'", "[x]"),
        ("SELECT cardinality(requestParameters) AS f FROM cloudtrail WHERE eventid = 'b'", "1"),
        ("SELECT cardinality(ARRAY[ARRAY[1, 2], ARRAY[3]]) - 3 AS f", "-1"),
        ("SELECT MAP(ARRAY['a', 'b'], ARRAY[1, 2])['b'] AS f", "2"),
        ("SELECT element_at(MAP(ARRAY[1, 2], ARRAY['x', 'y']), 2) AS f", "y"),
        ("SELECT k || '=' || v AS f FROM cloudtrail CROSS JOIN UNNEST(requestParameters) AS t (k, v)", "bucketName=x"),
        (
            "SELECT k || v AS f FROM (SELECT histogram(eventname) AS h FROM cloudtrail) CROSS JOIN UNNEST(h) AS t (k, v) WHERE v > 1",
            "GetUser2",
        ),
        ("SELECT max_by(eventid, eventTime, 2) AS f FROM cloudtrail", "[b, a]"),
        ("SELECT min_by(eventid, eventTime, 1) AS f FROM cloudtrail", "[a]"),
        ("SELECT approx_percentile(start, ARRAY[0.5, 0.9]) AS f FROM vpc_flow", "[1722511823, 1722511823]"),
        // JSON as types
        ("SELECT CAST(json_extract('{\"a\":{\"b\":[1]}}', '$.a') AS MAP(VARCHAR, JSON)) AS f", "{b: [1]}"),
        ("SELECT CAST(json_parse('[{\"Id\":\"x\",\"n\":2}]') AS ARRAY(ROW(id VARCHAR, n BIGINT)))[1].id AS f", "x"),
        (
            "SELECT i || n AS f FROM (SELECT '[{\"id\":\"x\",\"n\":2}]' AS j) AS s \
             CROSS JOIN UNNEST(CAST(json_parse(j) AS ARRAY(ROW(id VARCHAR, n BIGINT)))) AS t (i, n)",
            "x2",
        ),
        ("SELECT CAST(ROW(1, 'a') AS ROW(x BIGINT, y VARCHAR)).y AS f", "a"),
        (
            "SELECT json_format(CAST(array_agg(eventid ORDER BY eventid) AS JSON)) AS f FROM cloudtrail",
            "[\"a\",\"b\",\"c\"]",
        ),
        ("SELECT json_extract_scalar(JSON '{\"a\":1}', '$.a') AS f", "1"),
        ("SELECT regexp_extract_all('1a 2b', '(\\d)([a-z])', 2) AS f", "[a, b]"),
        ("SELECT regexp_split('1a2b', '[a-z]') AS f", "[1, 2, ]"),
        // addresses
        ("SELECT contains('10.0.0.0/8', try_cast('10.1.2.3' AS ipaddress)) AS f", "true"),
        ("SELECT contains('10.0.0.0/8', '11.1.2.3') AS f", "false"),
        ("SELECT contains('10.0.0.0/8', '0/8') IS NULL AS f", "true"),
        (
            "SELECT count(*) AS f FROM (VALUES '10.1.2.3', '11.1.2.3', 'AWS Internal', NULL) AS t (a) WHERE NOT contains('10.0.0.0/8', try_cast(a AS ipaddress))",
            "1",
        ),
        ("SELECT contains('ConsoleLogin', 'Login') AS f", "true"),
        ("SELECT contains(l, 'b') AS f FROM (SELECT array_agg(eventid) AS l FROM cloudtrail)", "true"),
        ("SELECT contains(ARRAY['a', NULL], 'b') IS NULL AS f", "true"),
        ("SELECT IPADDRESS '9.0.0.1' < CAST('10.0.0.0' AS IPADDRESS) AS f", "true"),
        ("SELECT CAST('9.9.9.9' AS IPADDRESS) BETWEEN IPADDRESS '10.0.0.0' AND IPADDRESS '99.0.0.0' AS f", "false"),
        ("SELECT ip_prefix(CAST('10.1.2.3' AS IPADDRESS), 16) AS f", "10.1.0.0/16"),
        ("SELECT is_subnet_of(IPPREFIX '10.0.0.0/8', IPADDRESS '10.1.2.3') AS f", "true"),
        ("SELECT ip_subnet_max('10.0.0.0/8') AS f", "10.255.255.255"),
        // columns of partitions, and names of columns
        ("SELECT count(*) AS f FROM cloudtrail_logs WHERE year = '2024' AND month = '08' AND day = '01'", "1"),
        ("SELECT count(*) AS f FROM cloudtrail WHERE year = 2024 AND month = 8 AND day IN (1, '2')", "2"),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE year = '2024' AND month BETWEEN 7 AND 9 AND day = '2024-08-02'",
            "1",
        ),
        (
            "SELECT year || month || day || hour AS f FROM cloudtrail c WHERE c.hour = '10' AND c.day = '02'",
            "2024080210",
        ),
        ("SELECT hour AS f FROM vpc_flow_logs WHERE \"aws-account-id\" = '111122223333' AND year = '2024'", "11"),
        (
            "SELECT count(*) AS f FROM (SELECT day_of_week(eventTime) AS day, year(eventTime) AS year FROM cloudtrail GROUP BY 1, 2)",
            "3",
        ),
        (
            "SELECT timestamp AS f FROM cloudtrail_logs WHERE timestamp >= date_format(date '2024-08-02', '%Y/%m/%d')",
            "2024/08/02",
        ),
        ("SELECT count(*) AS f FROM cloudtrail_logs WHERE timestamp = '2024-08-02'", "1"),
        ("SELECT count(*) AS f FROM cloudtrail_logs WHERE date_parse(timestamp, '%Y/%m/%d') > date '2024-08-01'", "1"),
        ("SELECT starttime AS f FROM vpc_flow_logs WHERE numbytes IS NULL", "1722511823"),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE \"$path\" LIKE '/%.parquet' AND \"$path\" LIKE '%/region=us-east-1/%'",
            "2",
        ),
        (
            "SELECT \"userIdentity\".\"arn\" AS f FROM cloudtrail WHERE \"eventName\" = 'GetUser' AND eventid = 'a'",
            "arn:aws:iam::111122223333:root",
        ),
        ("SELECT \"eventID\" AS f FROM (SELECT 7 AS \"eventID\")", "7"),
        // CloudTrail Lake
        ("SELECT eventID AS f FROM 0233062b-51c6-4d18-8dec-a8c90da840d9 WHERE eventTime > '2024-08-02 00:00:00'", "b"),
        ("SELECT count(*) AS f FROM $EDS_ID a JOIN <event-data-store-id> b ON a.eventID = b.eventID", "3"),
        ("SELECT eventData.userIdentity.type AS f FROM $EDS_ID AS e WHERE e.eventData.eventID = 'a'", "Root"),
        // what types decide
        (
            "SELECT array_join(ARRAY[CAST(1.5 AS BIGINT), CAST(-1.5 AS INTEGER), TRY_CAST(2.5e0 AS INT), CAST(0.4 AS BIGINT)], ' ') AS f",
            "2 -2 3 0",
        ),
        ("SELECT CAST(CAST(2.5 AS DECIMAL(3, 1)) AS BIGINT) AS f", "3"),
        (
            "SELECT sum(CAST(start / 10.0 AS BIGINT)) AS f FROM vpc_flow GROUP BY CAST(start / 10.0 AS BIGINT)",
            "172251182",
        ),
        ("SELECT CAST(timestamp '2024-08-01 12:00:00' AS VARCHAR) AS f", "2024-08-01 12:00:00.000"),
        ("SELECT CAST(timestamp '2024-08-01 12:00:00.123 UTC' AS VARCHAR) AS f", "2024-08-01 12:00:00.123 UTC"),
        ("SELECT CAST(CAST('2024-08-01T12:00:00Z' AS TIMESTAMP) AS VARCHAR(30)) AS f", "2024-08-01 12:00:00.000"),
        ("SELECT CAST(from_iso8601_timestamp('2024-08-01T12:00:00Z') AS VARCHAR) AS f", "2024-08-01 12:00:00.000 UTC"),
        // a text in AWS's table
        ("SELECT CAST(eventTime AS VARCHAR) AS f FROM cloudtrail WHERE eventid = 'a'", "2024-08-01T10:00:00Z"),
        ("SELECT timestamp '2024-08-01 12:00:00' AT TIME ZONE 'America/New_York' AS f", "2024-08-01T08:00:00-04:00"),
        ("SELECT timestamp '2024-08-01 12:00:00 Europe/Paris' AT TIME ZONE 'UTC' AS f", "2024-08-01T10:00:00Z"),
        ("SELECT timestamp '2024-08-01 12:00:00 +02:00' = timestamp '2024-08-01 10:00:00 UTC' AS f", "true"),
        ("SELECT with_timezone(timestamp '2024-08-01 12:00:00', 'America/New_York') AS f", "2024-08-01T12:00:00-04:00"),
        ("SELECT date_trunc('month', day) AS f FROM cloudtrail WHERE eventid = 'b'", "2024-08-01"),
        ("SELECT date_trunc('month', eventTime) AS f FROM cloudtrail WHERE eventid = 'b'", "2024-08-01T00:00:00Z"),
        (
            "SELECT CAST(localtimestamp AS VARCHAR) NOT LIKE '% UTC' AND CAST(current_timestamp AS VARCHAR) LIKE '% UTC' AS f",
            "true",
        ),
        // what DataFusion answers otherwise, or not
        ("SELECT concat('a', NULL, 'b') IS NULL AS f", "true"),
        ("SELECT concat('a', eventid, '-', 5) AS f FROM cloudtrail WHERE eventid = 'b'", "ab-5"),
        ("SELECT concat(ARRAY[1], ARRAY[2, 3]) AS f", "[1, 2, 3]"),
        ("SELECT regexp_replace('1a 2b 14m', '(\\d+)([ab]) ', '3c$2x ') AS f", "3cax 3cbx 14m"),
        ("SELECT split('a,b,c', ',', 2) AS f", "[a, b,c]"),
        ("SELECT split('a,b,c', ',', 3) AS f", "[a, b, c]"),
        ("SELECT max(start, 2) AS f FROM vpc_flow", "[1722511823]"),
        ("SELECT min(eventid, 2) AS f FROM cloudtrail", "[a, b]"),
        ("SELECT json_array_length('{\"a\": 1}') IS NULL AS f", "true"),
        ("SELECT year_of_week(date '2024-12-30') + yow(date '2024-12-30') AS f", "4050"),
        ("SELECT extract(dow FROM date '2024-08-04') + extract(day_of_week FROM date '2024-08-04') AS f", "14"),
        (
            "SELECT extract(year_of_week FROM date '2024-12-30') + extract(hour FROM timestamp '2024-08-01 10:00:00') AS f",
            "2035",
        ),
        ("SELECT truncate(1.239, 2) AS f", "1.230"),
        (
            "SELECT array_agg(date_add('month', n, date '2024-01-31') ORDER BY n) AS f FROM (VALUES 1, -2) AS t (n)",
            "[2023-11-30, 2024-02-29]",
        ),
        ("SELECT date_add('quarter', n, date '2024-01-31') AS f FROM (VALUES 1) AS t (n)", "2024-04-30"),
        ("SELECT bitwise_or_agg(x) + bitwise_and_agg(x) AS f FROM (VALUES 1, 3) AS t (x)", "4"),
        ("SELECT truncate(e(), 3) AS f WHERE is_nan(nan()) AND infinity() > 1 AND rand() < 1", "2.718"),
        ("SELECT from_unixtime(1e9) AS f", "2001-09-09T01:46:40Z"),
        (
            "SELECT concat_ws(' ', typeof(1), typeof(1.5), typeof('a'), typeof(day), typeof(eventname), typeof(resources[1].arn)) AS f \
             FROM cloudtrail WHERE eventid = 'b'",
            "bigint decimal(2,1) varchar date varchar varchar",
        ),
        (
            "SELECT typeof(eventTime) || typeof(now()) AS f FROM cloudtrail LIMIT 1",
            "timestamp with time zonetimestamp with time zone",
        ),
        ("SELECT typeof(histogram(eventname)) AS f FROM cloudtrail", "map(varchar, bigint)"),
        (
            "SELECT typeof(CAST(ROW(1, ARRAY['a']) AS ROW(x BIGINT, y ARRAY(VARCHAR)))) AS f",
            "row(x bigint, y array(varchar))",
        ),
        ("SELECT sum(x) AS f FROM (VALUES 1, 2 + (3), 4) AS t (x)", "10"),
        ("SELECT array_agg(x ORDER BY x) AS f FROM (VALUES 'b', 'a') AS t (x)", "[a, b]"),
        ("SELECT sum(x) AS f FROM (VALUES (1), (2)) AS t (x)", "3"),
        ("SELECT from_unixtime(1722511823.5) AS f", "2024-08-01T11:30:23.500Z"),
        (
            "SELECT x || CAST(n AS VARCHAR) AS f FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t (x, n) WHERE t.n = 2",
            "b2",
        ),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE eventname = ANY (SELECT eventname FROM cloudtrail WHERE readOnly)",
            "2",
        ),
        (
            "SELECT count(*) AS f FROM cloudtrail WHERE eventname <> ALL (SELECT eventname FROM cloudtrail WHERE readOnly)",
            "1",
        ),
        ("SELECT substr('ConsoleLogin', -5) || substr('ConsoleLogin', -5, 2) AS f", "LoginLo"),
        ("SELECT date_diff('month', date '2024-01-31', date '2024-03-01') AS f", "1"),
        ("SELECT date_diff('year', date '2024-04-01', date '2020-05-01') AS f", "-3"),
        ("SELECT count(*) AS f FROM UNNEST(sequence(date '2024-08-01', date '2024-08-03')) AS t (d)", "3"),
        ("SELECT width_bucket(5.3, 0.2, 10.6, 5) AS f", "3"),
        ("SELECT bitwise_xor(6, 3) + bitwise_not(0) + bitwise_left_shift(1, 3) + bitwise_right_shift(-9, 1) AS f", "7"),
        ("SELECT to_hex(md5(to_utf8('a'))) AS f", "0CC175B9C0F1B6A831C399E269772661"),
        ("SELECT to_hex(to_utf8('é')) || to_hex(from_base64('YQ==')) AS f", "C3A961"),
        ("SELECT to_base64(to_utf8('a')) || from_utf8(from_base64('Yg==')) AS f", "YQ==b"),
        ("SELECT array_remove(ARRAY[1, 2, 1], 1) AS f", "[2]"),
        ("SELECT map_from_entries(ARRAY[('b', 1), ('a', 2)]) AS f", "{b: 1, a: 2}"),
        (
            "SELECT map_from_entries(map_entries(MAP(ARRAY['a'], ARRAY[eventid]))) AS f FROM cloudtrail WHERE eventid = 'b'",
            "{a: b}",
        ),
        (
            "SELECT coalesce(map_from_entries(CAST(NULL AS ARRAY(ROW(k VARCHAR, v BIGINT)))), MAP(ARRAY['n'], ARRAY[0])) AS f",
            "{n: 0}",
        ),
        // the formats of PostgreSQL and Teradata
        (
            "SELECT to_char(timestamp '2024-08-01 15:04:05.678', 'YYYY-MM-DD HH24:MI:SS.MS') AS f",
            "2024-08-01 15:04:05.678",
        ),
        ("SELECT to_char(date '2024-08-01', 'Dy, dd Mon yy') AS f", "Thu, 01 Aug 24"),
        ("SELECT to_char(eventTime, '%H') AS f FROM cloudtrail WHERE eventid = 'a'", "10"),
        ("SELECT to_date('01/08/2024', 'dd/mm/yyyy') AS f", "2024-08-01"),
        ("SELECT to_timestamp('2024-08-01T15:04', 'yyyy-mm-dd\"T\"hh24:mi') AS f", "2024-08-01T15:04:00"),
        // where DataFusion answers otherwise in silence
        ("SELECT split_part('a//b', '/', 2) || split_part('a/b', '/', 2) || split_part('', '/', 1) AS f", "b"),
        ("SELECT split_part('a/b', '/', 3) IS NULL AND split_part(NULL, '/', 1) IS NULL AS f", "true"),
        ("SELECT reverse(ARRAY[1, 2]) AS f", "[2, 1]"),
        (
            "SELECT array_join(reverse(array_agg(eventid ORDER BY eventid)), '') || reverse('é1') AS f FROM cloudtrail",
            "cba1é",
        ),
        ("SELECT array_position(ARRAY[5, 7], 7) * 10 + array_position(ARRAY[5, 7], 6) AS f", "20"),
        ("SELECT concat_ws(',', ARRAY['a', NULL, 'b']) || concat_ws('-', 'a', NULL, 'b') AS f", "a,ba-b"),
        ("SELECT to_unixtime(timestamp '2024-08-01 10:00:00.5') AS f", "1722506400.5"),
        ("SELECT from_unixtime(floor(start / 300) * 300) AS f FROM vpc_flow", "2024-08-01T11:30:00Z"),
        ("SELECT to_iso8601(timestamp '2024-08-01 10:00:00') AS f", "2024-08-01T10:00:00.000"),
        ("SELECT to_iso8601(timestamp '2024-08-01 10:00:00.5 America/New_York') AS f", "2024-08-01T10:00:00.500-04:00"),
        ("SELECT to_iso8601(date '2024-08-01') AS f", "2024-08-01"),
        ("SELECT from_iso8601_timestamp('2024-08-01T10:30+02:00') AS f", "2024-08-01T08:30:00Z"),
        ("SELECT from_iso8601_timestamp('2024-08-01T10') AS f", "2024-08-01T10:00:00Z"),
        ("SELECT timestamp '2024-08-01 10:30' AS f", "2024-08-01T10:30:00"),
        ("SELECT timestamp '2024-08-01 10:30 America/New_York' = timestamp '2024-08-01 14:30 UTC' AS f", "true"),
        ("SELECT parse_datetime('2024-08-01T10:00:00Z', 'yyyy-MM-dd''T''HH:mm:ssZ') AS f", "2024-08-01T10:00:00Z"),
        ("SELECT date '2024-08-01' + 3 * interval '2' day AS f", "2024-08-07"),
        (
            "SELECT timestamp '2024-08-01 00:00:00' + interval '1' hour * n AS f FROM (VALUES 5) AS t (n)",
            "2024-08-01T05:00:00",
        ),
        (
            "SELECT CAST(1e10 AS VARCHAR) || ' ' || CAST(0.5 AS VARCHAR) || ' ' || CAST(avg(start) AS VARCHAR) AS f FROM vpc_flow",
            "1.0E10 0.5 1.722511823E9",
        ),
        ("SELECT CAST('ConsoleLogin' AS VARCHAR(7)) AS f", "Console"),
        ("SELECT CAST(eventTime AS VARCHAR(10)) AS f FROM cloudtrail WHERE eventid = 'a'", "2024-08-01"),
        (
            "SELECT greatest(1, 3, 2) * 10 + least(2, 1) AS f WHERE greatest(1, NULL) IS NULL AND least(NULL, 1) IS NULL",
            "31",
        ),
        (
            "SELECT floor(start / 300) * 300 + ceil(7) + ceiling(7) AS f FROM vpc_flow WHERE floor(1.5) = 1",
            "1722511814",
        ),
        ("SELECT millisecond(timestamp '2024-08-01 10:00:01.123') AS f", "123"),
        ("SELECT random(1) + rand(7, 8) AS f", "7"),
        (
            "SELECT current_timezone() || CAST(from_unixtime_nanos(1722511823000000000) AS VARCHAR) AS f",
            "UTC2024-08-01 11:30:23.000 UTC",
        ),
        ("SELECT array_first(trim_array(ARRAY[1, 2, 3], 1)) + array_last(trim_array(ARRAY[1, 2, 3], 1)) AS f", "3"),
        ("SELECT ip_subnet_range('10.1.0.0/16') AS f", "[10.1.0.0, 10.1.255.255]"),
        (
            "SELECT url_extract_port('https://a@b.c:8080/d') || url_extract_fragment('https://a/#top') AS f WHERE url_extract_port('https://a/') IS NULL",
            "8080top",
        ),
        (
            "SELECT url_extract_host('https://a@b.c:8/d?x=1') || url_extract_parameter('https://b/?y=0&x=a%20b', 'x') AS f",
            "b.ca b",
        ),
    ] {
        let answer = run(dir.path(), sql).await.unwrap_or_else(|error| error.to_string());
        if answer != format!("| f |\n| {expected} |") {
            wrong.push(format!("{sql}: {answer}, and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn values_are_rows_with_and_without_parentheses() {
    for (sql, expected) in [
        ("VALUES 1, 2", "| column1 |\n| 1 |\n| 2 |"),
        ("VALUES date '2024-08-01', NULL ORDER BY 1", "| column1 |\n| 2024-08-01 |\n| |"),
        ("VALUES 'a' UNION ALL VALUES 'a' LIMIT 5", "| column1 |\n| a |\n| a |"),
        ("SELECT count(values) AS values FROM (VALUES (1, 'a')) AS t (values, x)", "| values |\n| 1 |"),
    ] {
        check(sql, expected).await;
    }
}

#[tokio::test]
async fn integers_end_at_their_range() {
    let dir = archive();
    for (sum, expected) in [
        ("9223372036854775807 + 1", "bigint addition overflow: 9223372036854775807 + 1"),
        ("start * 9223372036854775807", "bigint multiplication overflow: 1722511823 * 9223372036854775807"),
        ("-9223372036854775807 - start", "bigint subtraction overflow: -9223372036854775807 - 1722511823"),
        ("CAST(2147483647 AS INTEGER) + CAST(1 AS INTEGER)", "integer addition overflow: 2147483647 + 1"),
    ] {
        let error = run(dir.path(), &format!("SELECT {sum} FROM vpc_flow")).await.unwrap_err();
        let error =
            error.downcast_ref::<DataFusionError>().map_or_else(|| error.to_string(), DataFusionError::strip_backtrace);
        assert!(error.ends_with(&format!("NUMERIC_VALUE_OUT_OF_RANGE: {expected}")), "{error}");
    }
    check("SELECT start + 1 - 2 * 3 AS f FROM vpc_flow WHERE start - 1 = 1722511822", "| f |\n| 1722511818 |").await;
    // one behind the range, with and without groups, and in a window
    let numbers = "FROM (VALUES (9223372036854775807, 'a'), (1, 'a'), (-1, 'b')) AS t (x, k)";
    for sum in [
        format!("sum(x) {numbers} WHERE k = 'a'"),
        format!("k, sum(x) {numbers} GROUP BY k"),
        format!("sum(x) OVER (ORDER BY x DESC ROWS 1 PRECEDING) {numbers}"),
    ] {
        let error = run(dir.path(), &format!("SELECT {sum}")).await.unwrap_err().to_string();
        let expected = "NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow: 9223372036854775808";
        assert!(error.contains(expected), "{sum}: {error}");
    }
    check(&format!("SELECT sum(x) AS f {numbers}"), "| f |\n| 9223372036854775807 |").await;
    check(
        "SELECT k, sum(x) AS f, sum(DISTINCT x) AS d, sum(x) FILTER (WHERE x > 1) AS n \
         FROM (VALUES (2, 'a'), (2, 'a'), (NULL, 'b')) AS t (x, k) GROUP BY k ORDER BY k",
        "| k | f | d | n |\n| a | 4 | 2 | 4 |\n| b | | | |",
    )
    .await;
    check(
        "SELECT x, sum(x) OVER (ORDER BY x ROWS 1 PRECEDING) AS f FROM (VALUES 1, 2, 3) AS t (x) ORDER BY x",
        "| x | f |\n| 1 | 1 |\n| 2 | 3 |\n| 3 | 5 |",
    )
    .await;
    check("SELECT sum(1.5) AS f, sum(start) AS n FROM vpc_flow", "| f | n |\n| 1.5 | 1722511823 |").await;
    check(
        "SELECT start + 1 AS f, count(*) AS n FROM vpc_flow GROUP BY start + 1 ORDER BY start + 1",
        "| f | n |\n| 1722511824 | 1 |",
    )
    .await;
}

#[tokio::test]
async fn a_list_is_unnested_behind_from() {
    let fields = "SELECT eventid, r.arn FROM cloudtrail";
    for (sql, expected) in [
        (format!("{fields} CROSS JOIN UNNEST(resources) AS t (r)"), "| eventid | arn |\n| b | arn:aws:s3:::x |"),
        (format!("{fields}, UNNEST(resources) AS r"), "| eventid | arn |\n| b | arn:aws:s3:::x |"),
        (
            format!("{fields} LEFT JOIN UNNEST(resources) AS t (r) ON true ORDER BY eventid"),
            "| eventid | arn |\n| a | |\n| b | arn:aws:s3:::x |\n| c | |",
        ),
        (
            "SELECT c.eventid, u.entry.arn FROM cloudtrail AS c CROSS JOIN UNNEST(c.resources) u (entry) \
             WHERE u.entry.arn LIKE 'arn:%' ORDER BY u.entry.arn"
                .to_owned(),
            "| eventid | arn |\n| b | arn:aws:s3:::x |",
        ),
        (
            "SELECT eventid, which, kind FROM cloudtrail CROSS JOIN UNNEST(resources) AS t (which, owner, kind)".to_owned(),
            "| eventid | which | kind |\n| b | arn:aws:s3:::x | |",
        ),
        (
            "SELECT t.x, n FROM (SELECT split('a,b', ',') AS l) AS s CROSS JOIN UNNEST(l) WITH ORDINALITY AS t (x, n) ORDER BY t.n"
                .to_owned(),
            "| x | n |\n| a | 1 |\n| b | 2 |",
        ),
        (
            "SELECT a, b FROM (SELECT [1, 2] AS l, ['x'] AS m) AS s CROSS JOIN UNNEST(l) AS t (a) CROSS JOIN UNNEST(m) AS u (b) ORDER BY a"
                .to_owned(),
            "| a | b |\n| 1 | x |\n| 2 | x |",
        ),
        (
            "SELECT a.eventid, r.arn FROM cloudtrail a JOIN cloudtrail b ON a.day = b.day CROSS JOIN UNNEST(b.resources) AS t (r)"
                .to_owned(),
            "| eventid | arn |\n| b | arn:aws:s3:::x |",
        ),
        (
            "SELECT c.eventid, f.start, r.arn FROM cloudtrail c LEFT JOIN vpc_flow f ON c.account = f.account AND c.eventid = 'a' \
             LEFT JOIN UNNEST(resources) AS t (r) ON true ORDER BY c.eventid"
                .to_owned(),
            "| eventid | start | arn |\n| a | 1722511823 | |\n| b | | arn:aws:s3:::x |\n| c | | |",
        ),
    ] {
        check(&sql, expected).await;
    }
}

#[tokio::test]
async fn items_of_groups_are_ordered_and_grouped_by_themselves() {
    let items = "FROM (SELECT account, array_agg(eventid ORDER BY eventid DESC) AS ids FROM cloudtrail GROUP BY account) AS g \
                 CROSS JOIN UNNEST(ids) AS t (id)";
    check(
        &format!("SELECT account, id {items} WHERE account <> 'x' ORDER BY account, id"),
        "| account | id |\n| ../é | c |\n| 111122223333 | a |\n| 111122223333 | b |",
    )
    .await;
    check(&format!("SELECT count(*) AS n FROM (SELECT account, id {items} GROUP BY account, id) AS u"), "| n |\n| 3 |")
        .await;
}

#[tokio::test]
async fn what_is_computed_of_fields_joins_rows() {
    let roots = "SELECT * FROM cloudtrail WHERE eventname = 'GetUser'";
    for (join, expected) in [
        ("JOIN b ON lower(a.userIdentity.type) = lower(b.userIdentity.type)", 1),
        ("LEFT JOIN b ON lower(a.userIdentity.type) = lower(b.userIdentity.type) AND a.eventid = b.eventid", 3),
        ("JOIN b ON json_extract_scalar(a.requestParameters, '$.bucketName') = coalesce(b.userIdentity.arn, 'x')", 1),
        ("WHERE lower(a.userIdentity.arn) IN (SELECT lower(b.userIdentity.arn) FROM b)", 1),
    ] {
        let sql = format!("WITH a AS (SELECT * FROM cloudtrail), b AS ({roots}) SELECT count(*) AS n FROM a {join}");
        check(&sql, &format!("| n |\n| {expected} |")).await;
    }
}

#[tokio::test]
async fn aggregates_share_what_is_true() {
    let sql = "SELECT sum(CASE WHEN (errorCode = 'x') IS NOT TRUE THEN 1 ELSE 0 END) AS a, \
               max(CASE WHEN (errorCode = 'x') IS NOT TRUE THEN eventname END) AS b, count(*) FILTER (WHERE readOnly IS TRUE) AS c, \
               sum(CASE WHEN readOnly IS TRUE THEN 1 END) AS d, count(*) FILTER (WHERE readOnly IS FALSE) AS e, \
               count(*) FILTER (WHERE readOnly IS NOT FALSE) AS f, count(*) FILTER (WHERE readOnly IS UNKNOWN) AS g FROM cloudtrail";
    check(sql, "| a | b | c | d | e | f | g |\n| 3 | PutObject | 1 | 1 | 0 | 3 | 2 |").await;
}

#[tokio::test]
async fn aggregates_of_one_column_cast_to_several_types_differ() {
    check(
        "SELECT count(DISTINCT CAST(eventTime AS DATE)) AS days, count(DISTINCT eventTime) AS times, max(eventid) AS a, \
         max(try_cast(eventid AS BIGINT)) AS b FROM cloudtrail HAVING count(DISTINCT CAST(eventTime AS DATE)) = 2",
        "| days | times | a | b |\n| 2 | 2 | c | |",
    )
    .await;
    check(
        "SELECT max(CAST(readOnly AS INT)), max(CAST(readOnly AS BIGINT)) FROM cloudtrail",
        "| max(CAST(readOnly AS INT)) | max(CAST(readOnly AS BIGINT)) |\n| 1 | 1 |",
    )
    .await;
}

#[tokio::test]
async fn a_text_that_all_rows_have_is_matched() {
    for condition in ["coalesce(errorCode, 'None') ~ '[A-Z]'", "regexp_like(coalesce(errorCode, 'None'), '^[MN]')"] {
        check(&format!("SELECT count(*) AS n FROM cloudtrail WHERE {condition}"), "| n |\n| 3 |").await;
    }
    let shown = "SELECT eventname ~* '^get.s' FROM cloudtrail WHERE coalesce(errorCode, 'None') !~ '[A-M]' ORDER BY eventid LIMIT 1";
    check(shown, "| eventname ~* '^get.s' |\n| true |").await;
}

#[tokio::test]
async fn a_column_is_shown_by_the_words_that_were_typed() {
    check("SELECT year(eventTime) FROM cloudtrail WHERE eventid = 'a'", "| year(eventTime) |\n| 2024 |").await;
    check(
        "SELECT upper(l.eventname) || 'x', 7, CAST(l.eventid AS VARCHAR), count(*) OVER () FROM cloudtrail l WHERE eventid = 'b'",
        "| upper(l.eventname) || 'x' | 7 | CAST(l.eventid AS VARCHAR) | count(*) OVER () |\n| PUTOBJECTx | 7 | b | 1 |",
    )
    .await;
    check(
        "SELECT DISTINCT upper(eventname), day(eventTime) AS d FROM cloudtrail WHERE eventid < 'c' ORDER BY day(eventTime), upper(eventname)",
        "| upper(eventname) | d |\n| GETUSER | 1 |\n| PUTOBJECT | 2 |",
    )
    .await;
}

#[tokio::test]
async fn columns_of_an_answer_may_have_one_name() {
    for (sql, expected) in [
        ("SELECT 1 AS a, 2 AS A, 3 AS a", "| a | a | a |\n| 1 | 2 | 3 |"),
        ("SELECT 1, 1", "| 1 | 1 |\n| 1 | 1 |"),
        (
            "SELECT a.eventid, b.eventid FROM cloudtrail a JOIN cloudtrail b ON a.eventid = b.eventid WHERE a.eventid = 'a'",
            "| eventid | eventid |\n| a | a |",
        ),
        (
            "SELECT eventid, cloudtrail.eventID FROM cloudtrail ORDER BY eventid LIMIT 1",
            "| eventid | eventid |\n| a | a |",
        ),
        (
            "SELECT upper(eventname), upper(eventname), count(*), count(*) FROM cloudtrail GROUP BY 1, 2 ORDER BY 1 DESC LIMIT 1",
            "| upper(eventname) | upper(eventname) | count(*) | count(*) |\n| PUTOBJECT | PUTOBJECT | 1 | 1 |",
        ),
        ("SELECT 1 AS a, 2 AS a UNION ALL SELECT 3, 3 ORDER BY 1", "| a | a |\n| 1 | 2 |\n| 3 | 3 |"),
        ("WITH t AS (SELECT 1 AS a, 2 AS b) SELECT *, a, t.b FROM t", "| a | b | a | b |\n| 1 | 2 | 1 | 2 |"),
        ("SELECT *, upper(a) AS a FROM (SELECT 'x' AS a)", "| a | a |\n| x | X |"),
        ("SELECT *, -a AS n FROM (VALUES 1, 2) AS t (a) ORDER BY n", "| a | n |\n| 2 | -2 |\n| 1 | -1 |"),
        (
            "SELECT *, row_number() OVER (ORDER BY a) AS n FROM (VALUES 2, 1) AS t (a) QUALIFY n = 1",
            "| a | n |\n| 1 | 1 |",
        ),
        ("SELECT DISTINCT a, a FROM (VALUES 2, 1) AS t (a) ORDER BY a", "| a | a |\n| 1 | 1 |\n| 2 | 2 |"),
    ] {
        check(sql, expected).await;
    }
}

#[tokio::test]
async fn nulls_come_last_in_either_order() {
    check("SELECT readOnly FROM cloudtrail ORDER BY readOnly DESC", "| readonly |\n| true |\n| |\n| |").await;
    check("SELECT readOnly FROM cloudtrail ORDER BY readOnly", "| readonly |\n| true |\n| |\n| |").await;
}

#[tokio::test]
async fn a_file_that_ends_behind_midnight_of_a_zone_has_hours_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut archive = Archive::open(dir.path(), &Config::default()).unwrap();
    let line = |time: &str, id: &str| {
        format!(
            r#"{{"account":"111122223333","region":"us-east-1","eventtime":"2024-08-01T{time}Z","eventid":"{id}"}}"#
        )
    };
    let lines = [line("10:00:00", "day"), line("20:30:00", "evening"), line("23:30:00", "night")];
    archive.add(vec![fixture::batch(&CLOUDTRAIL, &lines.each_ref().map(String::as_str))]);
    let objects = archive.write(1).unwrap();
    archive.publish(&objects).unwrap();
    for (condition, expected) in [
        ("CAST(eventTime AT TIME ZONE 'Europe/Berlin' AS time) > time '18:00'", "| eventid |\n| evening |"),
        (
            "CAST(eventTime AT TIME ZONE 'Europe/Berlin' AS time) NOT BETWEEN time '08:00' AND time '18:00'",
            "| eventid |\n| evening |\n| night |",
        ),
        ("(eventTime AT TIME ZONE 'Asia/Tokyo')::time < time '07:00'", "| eventid |\n| evening |"),
        ("CAST(eventTime AS time) > time '18:00'", "| eventid |\n| evening |\n| night |"),
    ] {
        let sql = format!("SELECT eventid FROM cloudtrail WHERE {condition} ORDER BY 1");
        assert_eq!(run(dir.path(), &sql).await.unwrap(), expected, "{sql}");
    }
}
