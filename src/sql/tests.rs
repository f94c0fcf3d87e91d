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

/// What a query of a session prints.
pub(super) async fn answer(session: &SessionContext, sql: &str) -> String {
    let rows: Vec<_> = query(session, sql).await.unwrap().try_collect().await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string()
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
    let error = session(&dir.path().join("none")).err().unwrap().to_string();
    assert!(error.starts_with("there is no archive ") && error.ends_with("/none` makes one"), "{error}");
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
