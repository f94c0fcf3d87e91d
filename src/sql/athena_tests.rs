//! Queries as AWS's and Trino's documentation has them, with the answers that it says they have.

use super::session;
use super::tests::{archive, run};

/// Each query with all its rows, without the names of the columns: cells are apart by ` | `, rows by ` / `.
pub(super) async fn check_all(cases: &[(&str, &str)]) {
    let dir = archive();
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let answer = match run(dir.path(), sql).await {
            Ok(text) => {
                let rows = text.lines().skip(1).map(|row| row.trim_matches('|').trim().to_owned());
                rows.collect::<Vec<_>>().join(" / ")
            }
            Err(error) => error.to_string(),
        };
        if answer != *expected {
            wrong.push(format!("{sql}: {answer}, and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn numbers_with_a_point_are_decimals() {
    check_all(&[
        (
            "SELECT typeof(1.5), typeof(0.05), typeof(DECIMAL '1.50'), typeof(1e0)",
            "decimal(2,1) | decimal(2,2) | decimal(3,2) | double",
        ),
        ("SELECT 1 / 3.0, 2 / 3.0, -2 / 3.0, 100.00 * 2 / 3", "0.3 | 0.7 | -0.7 | 66.67"),
        ("SELECT 0.1 + 0.2, 7.5 % 2, 1.5 + 1e0, 1.5 = 1.50, -1.5", "0.3 | 1.5 | 2.5 | true | -1.5"),
        ("SELECT CAST(8 AS DECIMAL(10, 2)) / CAST(3 AS DECIMAL(10, 2))", "2.67"),
        ("SELECT typeof(CAST(1 AS DECIMAL(5, 2)) / CAST(1 AS DECIMAL(5, 3)))", "decimal(9,3)"),
        (
            "SELECT CAST(5.6 AS DECIMAL), CAST('2.345' AS DECIMAL(5, 2)), try_cast(1234.5 AS DECIMAL(3, 1))",
            "6 | 2.35 |",
        ),
        ("SELECT round(2.5), round(-2.5), round(2.345, 2), truncate(1.239, 2)", "3 | -3 | 2.350 | 1.230"),
        ("SELECT floor(2.7), ceil(2.1), truncate(2.7), abs(-1.5), sign(-1.5)", "2 | 3 | 2 | 1.5 | -1"),
        ("SELECT avg(x), sum(x), max(x) FROM (VALUES 1.0, 2.0, 2.0) AS t (x)", "1.7 | 5.0 | 2.0"),
        ("SELECT k, avg(x) FROM (VALUES ('a', 1.0), ('a', 2.5)) AS t (k, x) GROUP BY k", "a | 1.8"),
        ("SELECT count(*) * 100.0 / 3 FROM cloudtrail", "100.0"),
        ("SELECT approx_percentile(x, 0.5), power(2.0, 3), sqrt(2.25) FROM (VALUES 1, 2, 3) AS t (x)", "2 | 8.0 | 1.5"),
        ("SELECT try(1.5 / 0), CASE WHEN true THEN 1.0 / 3 ELSE 5 END, ARRAY[1.5, 2]", "| 0.3 | [1.5, 2.0]"),
    ])
    .await;
    // a text is no number of few digits
    check_all(&[("SELECT '0.54' > 0.5, 12.5 < '100'", "true | true")]).await;
    let error = run(archive().path(), "SELECT 1.5 / 0").await.unwrap_err().to_string();
    assert!(error.ends_with("DIVISION_BY_ZERO: Division by zero"), "{error}");
}

#[tokio::test]
async fn a_time_that_is_cast_may_lack_seconds() {
    check_all(&[
        (
            "SELECT '2024-08-01 10:00'::timestamp, CAST('2024-08-01 10' AS timestamp)",
            "2024-08-01T10:00:00 | 2024-08-01T10:00:00",
        ),
        (
            "SELECT eventid FROM cloudtrail \
             WHERE eventTime BETWEEN '2024-08-01 09:30'::timestamp AND CAST('2024-08-01 10:30' AS timestamp)",
            "a",
        ),
    ])
    .await;
    let error = run(archive().path(), "SELECT eventid FROM cloudtrail WHERE requestParameters ? 'bucketName'").await;
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "line 1, column 56: json_contains(requestParameters, 'bucketName') is whether a key is there");
}

#[tokio::test]
async fn an_event_time_of_another_name_is_one() {
    check_all(&[
        (
            "WITH x AS (SELECT eventTime AS et FROM cloudtrail) \
             SELECT substr(et, 1, 10) AS day, count(*) FROM x GROUP BY 1 ORDER BY 1",
            "2024-08-01 | 1 / 2024-08-02 | 1 / | 1",
        ),
        (
            "SELECT et FROM (SELECT c.eventtime AS et FROM cloudtrail c) AS t WHERE t.et LIKE '2024-08-02%'",
            "2024-08-02T10:00:00Z",
        ),
        ("SELECT count(*) FROM (SELECT eventtime AS Et FROM cloudtrail) WHERE ET > '2024-08-02 09:00'", "1"),
        (
            "SELECT CAST(first AS varchar), upper(first) FROM (SELECT min(eventtime) AS \"first\" FROM cloudtrail)",
            "2024-08-01T10:00:00Z | 2024-08-01T10:00:00Z",
        ),
        (
            "SELECT region, max(eventtime) AS last FROM cloudtrail GROUP BY 1 HAVING last > '2024-08' ORDER BY last",
            "us-east-1 | 2024-08-02T10:00:00Z",
        ),
        (
            "SELECT substr(\"First Seen\", 1, 7), t.\"ET\", et FROM \
             (SELECT eventtime AS \"First Seen\", eventtime AS \"ET\", eventid AS et FROM cloudtrail) AS t WHERE t.\"First Seen\" < '2024-08-02'",
            "2024-08 | 2024-08-01T10:00:00Z | a",
        ),
        (
            "SELECT \"EventTime\" FROM (SELECT substr(eventtime, 1, 7) AS \"EventTime\" FROM cloudtrail WHERE eventid = 'a')",
            "2024-08",
        ),
        // what another SELECT calls so is what it is
        (
            "SELECT substr(a.t, 1, 7), b.t FROM \
             (SELECT substr(eventtime, 1, 10) AS t FROM cloudtrail WHERE eventid = 'a') AS a, \
             (SELECT eventtime AS t FROM cloudtrail WHERE eventid = 'b') AS b",
            "2024-08 | 2024-08-02T10:00:00Z",
        ),
        (
            "SELECT from_unixtime(v.start), t.start FROM vpc_flow v, \
             (SELECT eventtime AS start FROM cloudtrail WHERE eventid = 'a') AS t",
            "2024-08-01T11:30:23Z | 2024-08-01T10:00:00Z",
        ),
        (
            "WITH f AS (SELECT start FROM vpc_flow), c AS (SELECT max(eventtime) AS start FROM cloudtrail) \
             SELECT concat('at ', f.start) FROM f, c",
            "at 1722511823",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_field_without_a_name_is_a_column_of_its_last_name() {
    const ROOT: &str = "arn:aws:iam::111122223333:root";
    check_all(&[
        ("SELECT arn FROM (SELECT userIdentity.arn FROM cloudtrail) WHERE arn IS NOT NULL", ROOT),
        (
            "WITH x AS (SELECT userIdentity.type, count(*) AS n FROM cloudtrail GROUP BY userIdentity.type) \
             SELECT x.type, n FROM x ORDER BY n",
            "Root | 1 / | 2",
        ),
        (
            "SELECT DISTINCT userIdentity.type, eventid FROM cloudtrail ORDER BY userIdentity.type, eventid",
            "Root | a / | b / | c",
        ),
        ("SELECT userIdentity.type FROM cloudtrail ORDER BY type LIMIT 1", "Root"),
        ("SELECT arn FROM (SELECT r.arn FROM cloudtrail CROSS JOIN UNNEST(resources) AS t (r))", "arn:aws:s3:::x"),
        ("SELECT arn FROM (SELECT r.arn FROM cloudtrail CROSS JOIN UNNEST(resources) AS r)", "arn:aws:s3:::x"),
        ("SELECT arn FROM (SELECT *, c.userIdentity.arn FROM cloudtrail c) WHERE eventid = 'a'", ROOT),
        (
            "SELECT type FROM (SELECT v.start, c.userIdentity.type FROM (cloudtrail c JOIN vpc_flow v ON c.account = v.account)) \
             ORDER BY 1 LIMIT 1",
            "Root",
        ),
        ("SELECT arn FROM (SELECT resources[1].arn FROM cloudtrail) WHERE arn IS NOT NULL", "arn:aws:s3:::x"),
        ("SELECT DISTINCT resources[1].arn FROM cloudtrail ORDER BY resources[1].arn LIMIT 1", "arn:aws:s3:::x"),
        // two have the name
        (
            "SELECT DISTINCT userIdentity.arn, resources[1].arn FROM cloudtrail ORDER BY userIdentity.arn, resources[1].arn",
            "arn:aws:iam::111122223333:root | / | arn:aws:s3:::x / |",
        ),
    ])
    .await;
}

#[tokio::test]
async fn rows_are_ordered_by_comparisons_of_calls() {
    check_all(&[
        ("SELECT eventid FROM cloudtrail ORDER BY CASE WHEN hour(eventtime) < 5 THEN 1 ELSE 0 END, eventid DESC", "c / b / a"),
        ("SELECT eventid FROM (SELECT * FROM cloudtrail ORDER BY split_part(eventid, '/', 1) DESC LIMIT 1)", "c"),
        (
            "SELECT eventid, row_number() OVER (PARTITION BY length(eventid) > 0 ORDER BY length(eventname || eventid) < 9, eventid DESC) \
             AS n FROM cloudtrail ORDER BY n",
            "b | 1 / c | 2 / a | 3",
        ),
        ("SELECT array_agg(eventid ORDER BY length(eventid) > 0, eventid DESC) FROM cloudtrail", "[c, b, a]"),
    ])
    .await;
}

#[tokio::test]
async fn fields_of_json_are_named_with_dots_too() {
    check_all(&[
        (
            "SELECT requestParameters.bucketName, c.requestparameters.bucketname FROM cloudtrail_logs c \
             WHERE requestParameters.bucketName IN ('x', 'y')",
            "x | x",
        ),
        (
            "SELECT bucketName, n FROM (SELECT requestParameters.bucketName, count(DISTINCT requestParameters.key) AS n \
             FROM cloudtrail GROUP BY requestParameters.bucketName) WHERE bucketName IS NOT NULL",
            "x | 0",
        ),
        ("SELECT sum(CAST(additionalEventData.bytesTransferredOut AS BIGINT)) FROM cloudtrail", ""),
        (
            "WITH t AS (SELECT * FROM cloudtrail_logs) SELECT t.requestParameters.bucketName FROM t \
             WHERE requestParameters.bucketName = 'x' ORDER BY requestParameters.bucketName",
            "x",
        ),
        ("SELECT requestParameters.bucketName FROM (SELECT requestParameters FROM cloudtrail WHERE eventid = 'b')", "x"),
        ("SELECT eventid FROM cloudtrail c ORDER BY c.requestParameters.bucketName, eventid DESC", "b / c / a"),
        ("SELECT eventid FROM cloudtrail ORDER BY upper(requestParameters.bucketName), eventid DESC", "b / c / a"),
        (
            "SELECT eventname FROM cloudtrail GROUP BY eventname ORDER BY max(requestParameters.bucketName) DESC",
            "PutObject / GetUser",
        ),
        (
            "SELECT DISTINCT requestParameters.bucketName FROM cloudtrail ORDER BY requestParameters.bucketName LIMIT 1",
            "x",
        ),
    ])
    .await;
    let text = run(archive().path(), "SELECT requestParameters['bucketName'] FROM cloudtrail LIMIT 1").await.unwrap();
    assert!(text.starts_with("| bucketname |"), "{text}");
}

#[tokio::test]
async fn an_item_is_asked_by_any_key() {
    check_all(&[
        ("SELECT map_agg(eventID, eventName)[max(eventID)] FROM cloudtrail", "GetUser"),
        ("SELECT transform(map_keys(m), k -> m[k]) FROM (SELECT map(ARRAY['a', 'b'], ARRAY[1, 2]) AS m)", "[1, 2]"),
        ("SELECT l[i], l[i + 1], l[-1] FROM (SELECT ARRAY[5, 6, 7] AS l, 1 AS i)", "5 | 6 | 7"),
        ("SELECT resources[cardinality(resources)].arn FROM cloudtrail WHERE eventID = 'b'", "arn:aws:s3:::x"),
    ])
    .await;
}

#[tokio::test]
async fn times_and_days_are_texts_where_texts_are_asked_for() {
    check_all(&[
        (
            "SELECT replace(replace(eventTime, 'T', ' '), 'Z', ''), split(eventTime, 'T')[1], lower(eventTime) FROM cloudtrail \
             WHERE eventid = 'a'",
            "2024-08-01 10:00:00 | 2024-08-01 | 2024-08-01t10:00:00z",
        ),
        (
            "SELECT eventName || eventTime, concat(eventTime, eventName), from_utf8(to_utf8(eventTime)) FROM cloudtrail \
             WHERE eventid = 'a'",
            "GetUser2024-08-01T10:00:00Z | 2024-08-01T10:00:00ZGetUser | 2024-08-01T10:00:00Z",
        ),
        (
            "SELECT listagg(eventTime, ',') WITHIN GROUP (ORDER BY eventTime DESC) FROM cloudtrail",
            "2024-08-02T10:00:00Z,2024-08-01T10:00:00Z",
        ),
        (
            "SELECT substr(min(eventTime), 1, 10), max((eventTime)) LIKE '2024%', date_parse(max(eventTime), '%Y-%m-%dT%H:%i:%sZ') \
             FROM cloudtrail HAVING min(eventTime) < '2025'",
            "2024-08-01 | true | 2024-08-02T10:00:00Z",
        ),
        (
            "SELECT split_part(lag(eventTime) OVER (ORDER BY eventid), 'T', 1) FROM cloudtrail ORDER BY 1 LIMIT 2",
            "2024-08-01 / 2024-08-02",
        ),
        ("SELECT eventid FROM cloudtrail WHERE eventTime >= '2024-08' AND eventTime < '2025' ORDER BY 1", "a / b"),
        ("SELECT eventid FROM cloudtrail WHERE eventTime BETWEEN '2024' AND '2024-08-02'", "a"),
        ("SELECT eventid FROM cloudtrail WHERE day LIKE '2024-08%' AND day NOT LIKE '%-02'", "a"),
        ("SELECT eventid FROM cloudtrail WHERE eventTime <> '' AND eventTime <> '-' ORDER BY 1", "a / b"),
        (
            "SELECT coalesce(eventTime, 'none'), CASE WHEN eventid = 'a' THEN eventTime ELSE 'other' END, nullif(eventTime, '') \
             FROM cloudtrail ORDER BY eventid",
            "2024-08-01T10:00:00Z | 2024-08-01T10:00:00Z | 2024-08-01T10:00:00Z / 2024-08-02T10:00:00Z | other | 2024-08-02T10:00:00Z / \
             none | other |",
        ),
        // and this is one already
        (
            "WITH t AS (SELECT date_format(eventTime, '%Y-%m') AS eventTime, eventid FROM cloudtrail) \
             SELECT eventTime || 'x', upper(t.eventTime), replace(eventTime, '-', '/'), substr(eventTime, 6), count(*) FROM t \
             WHERE eventTime = '2024-08' AND eventTime LIKE '%08' GROUP BY eventTime ORDER BY eventTime",
            "2024-08x | 2024-08 | 2024/08 | 08 | 2",
        ),
        ("SELECT substr(eventTime, 1, 10) FROM (SELECT max(eventTime) AS eventTime FROM cloudtrail)", "2024-08-02"),
    ])
    .await;
}

#[tokio::test]
async fn fields_are_found_above_joins_that_subqueries_become() {
    check_all(&[
        (
            "SELECT c.userIdentity.type, count(*) FROM cloudtrail c WHERE (SELECT count(*) FROM cloudtrail d WHERE d.day = c.day) > 0 GROUP BY 1 ORDER BY 1",
            "Root | 1 / | 1",
        ),
        (
            "SELECT t.account FROM (SELECT * FROM cloudtrail ORDER BY eventID LIMIT 9) t JOIN (SELECT * FROM cloudtrail LIMIT 9) u \
             ON t.userIdentity.arn = replace(u.eventName, 'Get', 'X') WHERE length(u.eventName) = (SELECT min(version) FROM vpc_flow)",
            "",
        ),
    ])
    .await;
}

#[tokio::test]
async fn an_aggregate_without_groups_has_a_row() {
    check_all(&[
        (
            "SELECT count(*) FROM cloudtrail c WHERE EXISTS (SELECT count(*) FROM vpc_flow v WHERE v.account = c.eventName)",
            "3",
        ),
        (
            "SELECT count(*) FROM cloudtrail c WHERE NOT EXISTS (SELECT max(start) AS s FROM vpc_flow v WHERE v.account = c.eventName)",
            "0",
        ),
        (
            "SELECT count(*) FROM cloudtrail c WHERE EXISTS (SELECT count(*) FROM vpc_flow v WHERE v.account = c.eventName HAVING count(*) > 0)",
            "0",
        ),
        (
            "SELECT count(*) FROM cloudtrail c WHERE EXISTS (SELECT (SELECT max(start) FROM vpc_flow) FROM vpc_flow v WHERE v.account = c.account)",
            "2",
        ),
    ])
    .await;
}

#[tokio::test]
async fn distinct_rows_are_ordered_by_places() {
    check_all(&[
        ("SELECT DISTINCT 2 AS two, eventID FROM cloudtrail ORDER BY 2 DESC", "2 | c / 2 | b / 2 | a"),
        ("SELECT DISTINCT lower(eventName) AS n FROM cloudtrail ORDER BY lower(eventName) DESC", "putobject / getuser"),
    ])
    .await;
}

#[tokio::test]
async fn rows_are_grouped_by_a_column_and_its_casts() {
    check_all(&[
        (
            "SELECT day, CAST(day AS VARCHAR) AS d, count(*) FROM cloudtrail GROUP BY 1, 2 ORDER BY 1",
            "2024-08-01 | 2024-08-01 | 1 / 2024-08-02 | 2024-08-02 | 1 / | | 1",
        ),
        (
            "SELECT date(eventTime), eventTime, count(DISTINCT eventID) FROM cloudtrail GROUP BY date(eventTime), eventTime \
             HAVING date(eventTime) > date '2024-08-01'",
            "2024-08-02 | 2024-08-02T10:00:00Z | 1",
        ),
        (
            "SELECT try_cast(account AS BIGINT), CAST(account AS VARCHAR), account, count(*) FROM cloudtrail WHERE eventID = 'a' GROUP BY 1, 2, 3",
            "111122223333 | 111122223333 | 111122223333 | 1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn rows_are_grouped_by_what_a_subquery_finds_for_them() {
    check_all(&[
        (
            "SELECT EXISTS (SELECT 1 FROM vpc_flow v WHERE v.account = c.account) AS seen, count(*) FROM cloudtrail c GROUP BY 1 ORDER BY 1",
            "false | 1 / true | 2",
        ),
        (
            "SELECT count_if((SELECT count(*) FROM cloudtrail d WHERE d.eventName = c.eventName) > 1), \
             max(CASE WHEN EXISTS (SELECT 1 FROM vpc_flow v WHERE v.account = c.account) THEN c.eventID END) FROM cloudtrail c",
            "2 | b",
        ),
        (
            "SELECT (SELECT max(v.start) FROM vpc_flow v WHERE v.account = c.account), c.userIdentity.type, count(*) FROM cloudtrail c GROUP BY 1, 2 ORDER BY 1, 2",
            "1722511823 | Root | 1 / 1722511823 | | 1 / | | 1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_column_that_tables_are_joined_by_is_of_both() {
    let full =
        "FROM (VALUES ('a', 1), ('b', 2)) AS a (k, x) FULL JOIN (VALUES ('b', 3), ('c', 4)) AS b (k, y) USING (k)";
    let right = "FROM (VALUES ('a', 1)) AS a (k, x) RIGHT JOIN (VALUES ('a', 3), ('c', 4)) AS b (k, y) USING (k)";
    let left = "FROM (VALUES ('a', 1), ('b', 2)) AS z (k, x) LEFT JOIN (VALUES ('a', 3)) AS b (k, y) USING (k)";
    let three = format!("{full} FULL JOIN (VALUES ('c', 5)) AS c (k, w) USING (k)");
    let cases = [
        (format!("SELECT k, x, y {full} ORDER BY k"), "a | 1 | / b | 2 | 3 / c | | 4"),
        (format!("SELECT * {full} ORDER BY k"), "a | 1 | / b | 2 | 3 / c | | 4"),
        (format!("SELECT a.k, b.k, upper(k) {full} WHERE k > 'a' ORDER BY 3"), "b | b | B / | c | C"),
        (format!("SELECT k, count(*) {full} GROUP BY k HAVING k < 'c' ORDER BY k"), "a | 1 / b | 1"),
        (format!("SELECT K, y {right} WHERE k <> 'b' ORDER BY k"), "a | 3 / c | 4"),
        (format!("SELECT * {right} ORDER BY k"), "a | 1 | 3 / c | | 4"),
        (format!("SELECT k, y {left} WHERE k IS NOT NULL ORDER BY k"), "a | 3 / b |"),
        (format!("SELECT count(k) FROM (SELECT * {left})"), "2"),
        (format!("SELECT k, x, y, w {three} ORDER BY k"), "a | 1 | | / b | 2 | 3 | / c | | 4 | 5"),
    ];
    check_all(&cases.iter().map(|(sql, expected)| (sql.as_str(), *expected)).collect::<Vec<_>>()).await;
    check_all(&[(
        "SELECT account, count(*) FROM cloudtrail JOIN vpc_flow_logs USING (account) WHERE account LIKE '1%' GROUP BY account",
        "111122223333 | 2",
    )])
    .await;
    for (sql, expected) in [
        (
            format!("SELECT * {three}"),
            "line 1, column 1: behind several FULL JOIN ... USING the columns are named one by one",
        ),
        (
            "SELECT * FROM cloudtrail NATURAL FULL JOIN vpc_flow".to_owned(),
            "line 1, column 1: there is no NATURAL outer join here",
        ),
    ] {
        let error = run(archive().path(), &sql).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{sql}: {error}");
    }
}

#[tokio::test]
async fn intervals_compare_by_their_length() {
    check_all(&[
        (
            "SELECT max(eventTime) - min(eventTime) >= INTERVAL '1' DAY, max(eventTime) - min(eventTime) > INTERVAL '1' DAY, \
             INTERVAL '2' DAY > max(eventTime) - min(eventTime), max(eventTime) - min(eventTime) BETWEEN INTERVAL '1' DAY AND INTERVAL '2' DAY \
             FROM cloudtrail",
            "true | false | true | true",
        ),
        ("SELECT eventID FROM cloudtrail WHERE eventTime - timestamp '2024-08-01 00:00:00' > INTERVAL '1' DAY", "b"),
        (
            "SELECT d.eventID FROM cloudtrail c JOIN cloudtrail d ON c.account = d.account AND d.eventTime - c.eventTime = INTERVAL '24' HOUR",
            "b",
        ),
        (
            "SELECT INTERVAL '24' HOUR = INTERVAL '1' DAY, INTERVAL '25' HOUR > INTERVAL '1' DAY, INTERVAL '40' DAY > INTERVAL '1' MONTH, \
             INTERVAL '90' MINUTE <= INTERVAL '1' HOUR",
            "true | true | true | false",
        ),
    ])
    .await;
}

#[tokio::test]
async fn rows_are_looked_for_among_each_key_once() {
    let sql = "SELECT eventID FROM cloudtrail WHERE eventName IN (SELECT eventName FROM cloudtrail WHERE readOnly) ORDER BY 1";
    let plan = run(archive().path(), &format!("EXPLAIN {sql}")).await.unwrap();
    assert!(plan.contains("groupBy=[[number_of(__correlated_sq_1.eventname)]]"), "{plan}");
    check_all(&[
        (sql, "a / c"),
        (
            "SELECT eventID FROM cloudtrail c WHERE NOT EXISTS (SELECT 1 FROM cloudtrail d WHERE lower(d.eventName) = lower(c.eventName) AND d.readOnly)",
            "b",
        ),
        (
            "SELECT eventID FROM cloudtrail c WHERE EXISTS (SELECT 1 FROM cloudtrail d WHERE d.account = c.account AND d.account = c.recipientAccountId)",
            "",
        ),
        ("SELECT count(*) FROM (SELECT x FROM (VALUES 1, NULL) AS t (x) INTERSECT SELECT x FROM (VALUES NULL, NULL, 2) AS t (x))", "1"),
        ("SELECT count(*) FROM (SELECT x FROM (VALUES 1, NULL) AS t (x) EXCEPT SELECT x FROM (VALUES NULL, NULL) AS t (x))", "1"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x NOT IN (SELECT y FROM (VALUES 1, 1, NULL) AS u (y))", ""),
    ])
    .await;
}

#[tokio::test]
async fn no_keys_are_one_group() {
    check_all(&[
        ("SELECT count(*) FROM cloudtrail GROUP BY ()", "3"),
        ("SELECT 'all' FROM cloudtrail GROUP BY ()", "all"),
    ])
    .await;
}

#[tokio::test]
async fn the_least_of_one_column_leaves_the_rows_of_others() {
    check_all(&[
        (
            "SELECT CAST(min(eventTime) AS DATE), max(length(eventName)), max(length(eventID)) FROM cloudtrail",
            "2024-08-01 | 9 | 1",
        ),
        (
            "SELECT CAST(max(eventTime) AS DATE), max(eventName), max(eventID) FROM cloudtrail",
            "2024-08-02 | PutObject | c",
        ),
    ])
    .await;
    // that two files are read one behind the other depends on the machine, so what makes it right is looked at
    let dir = archive();
    let session = session(dir.path()).unwrap();
    assert!(!session.state().config_options().optimizer.enable_aggregate_dynamic_filter_pushdown);
}

#[tokio::test]
async fn fields_are_asked_for_as_in_json() {
    check_all(&[
        (
            "SELECT json_extract_scalar(userIdentity, '$.arn'), json_extract_scalar(c.userIdentity, '$.sessionContext.attributes.mfaAuthenticated') \
             FROM cloudtrail c WHERE json_extract_scalar(userIdentity, '$.type') = 'Root'",
            "arn:aws:iam::111122223333:root |",
        ),
        (
            "SELECT title, severity, id AS FindingID, json_extract_scalar(service, '$.count') AS Count, \
             json_extract_scalar(resource, '$.instancedetails.instanceid') AS InstanceID, \
             json_extract_scalar(service, '$.action.dnsrequestaction.blocked') AS blocked \
             FROM gd_logs WHERE type = 'Trojan:EC2/DNSDataExfiltration' ORDER BY severity DESC",
            "",
        ),
        (
            "SELECT json_extract_scalar(service, '$.count') FROM (VALUES '{\"count\":2}') AS t (service)",
            "2",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_subquery_names_fields_of_tables_around_it() {
    check_all(&[
        (
            "SELECT c.eventID FROM cloudtrail c WHERE EXISTS (SELECT 1 FROM cloudtrail d WHERE d.userIdentity.arn = c.userIdentity.arn)",
            "a",
        ),
        (
            "SELECT c.eventID FROM cloudtrail c WHERE NOT EXISTS (SELECT 1 FROM cloudtrail d WHERE d.userIdentity.arn = c.userIdentity.arn) \
             ORDER BY 1",
            "b / c",
        ),
        (
            "SELECT count(*) FROM cloudtrail c WHERE EXISTS (SELECT 1 FROM cloudtrail d \
             WHERE d.userIdentity.sessionContext.sessionIssuer.arn = c.userIdentity.sessionContext.sessionIssuer.arn)",
            "0",
        ),
        (
            "SELECT c.eventID, (SELECT count(*) FROM cloudtrail d WHERE d.userIdentity.arn = c.userIdentity.arn) AS n FROM cloudtrail c \
             ORDER BY 1",
            "a | 1 / b | 0 / c | 0",
        ),
        (
            "SELECT c.eventID FROM cloudtrail c WHERE c.eventTime = \
             (SELECT max(eventTime) FROM cloudtrail d WHERE lower(d.userIdentity.type) = lower(c.userIdentity.type))",
            "a",
        ),
        (
            "SELECT eventID FROM cloudtrail WHERE EXISTS (SELECT 1 FROM vpc_flow v WHERE userIdentity.arn LIKE concat('%', v.account, '%'))",
            "a",
        ),
        (
            "SELECT eventID FROM cloudtrail WHERE eventName IN \
             (SELECT d.eventName FROM cloudtrail_logs d WHERE d.useridentity.arn = cloudtrail.userIdentity.arn)",
            "a",
        ),
    ])
    .await;
}

#[tokio::test]
async fn rows_are_found_among_rows() {
    check_all(&[
        (
            "SELECT eventID FROM cloudtrail WHERE (eventName, eventID) IN (SELECT eventName, eventID FROM cloudtrail WHERE readOnly)",
            "c",
        ),
        (
            "SELECT eventID FROM cloudtrail WHERE (eventName, eventID) NOT IN (SELECT eventName, eventID FROM cloudtrail WHERE readOnly) \
             ORDER BY 1",
            "a / b",
        ),
        ("SELECT (1, 2) IN (VALUES (1, 2)), (1, 2) IN (VALUES (2, 1)), (1, 2) NOT IN (VALUES (1, 3))", "true | false | true"),
        ("SELECT (1, 'a') IN (VALUES (1.0, 'a')), (1.50, 'a') IN (VALUES (15e-1, 'a')), (1, 'a') IN (VALUES (1.5, 'a'))", "true | true | false"),
        ("SELECT x FROM (VALUES (DATE '2024-01-01', 2)) AS t (x, y) WHERE (x, y) IN (SELECT TIMESTAMP '2024-01-01 00:00:00', 2.0)", "2024-01-01"),
        ("SELECT x FROM (VALUES ('a', 2)) AS t (x, y) WHERE (x, y) IN (SELECT k, count(*) FROM (VALUES 'a', 'a') AS u (k) GROUP BY 1)", "a"),
        (
            "SELECT x FROM (VALUES ('a', 2), ('b', 1)) AS t (x, y) \
             WHERE (x, y) IN (SELECT k, count(*) AS n FROM (VALUES 'a', 'a', 'b') AS u (k) GROUP BY k ORDER BY n DESC LIMIT 1)",
            "a",
        ),
        ("SELECT (1, 'a') NOT IN (VALUES (1.0, 'a')), (1, 'a') NOT IN (VALUES (1.5, 'a'))", "false | true"),
        // of a row that may be the same nothing is known
        ("SELECT (1, NULL) IN ((1, 2)), (1, NULL) NOT IN ((1, 2)), (1, NULL) NOT IN ((3, 2)), (1, 2) IN ((3, 4), (1, 2))", "| | true | true"),
        ("SELECT ROW(1, NULL) IN (ROW(1, 2)), ROW(1, NULL) = ROW(1, 2), ROW(1, 2) <> ROW(1, 3), ROW(1, 2) IN (SELECT ROW(1, 2.0))", "| | true | true"),
        (
            "SELECT eventID FROM cloudtrail WHERE ROW(eventID, userIdentity.arn) IN (SELECT ROW(eventID, userIdentity.arn) FROM cloudtrail)",
            "a",
        ),
        ("SELECT (1, NULL) = (1, 2), (1, NULL) <> (1, 2), (1, NULL) <> (3, 2), (1, 'a') = (1.0, 'a')", "| | true | true"),
        ("SELECT count(*) FROM cloudtrail WHERE (eventID, errorCode) NOT IN (('a', 'x'), ('b', 'x'))", "1"),
        ("SELECT (1, 2) NOT IN (VALUES (1, NULL)), (1, 2) NOT IN (VALUES (3, NULL)), (1, 2) NOT IN (VALUES (1, 2), (1, NULL))", "| true | false"),
        ("SELECT count(*) FROM cloudtrail WHERE (eventName, userIdentity.arn) NOT IN (SELECT eventName, 'x' FROM cloudtrail)", "1"),
        ("SELECT eventID FROM cloudtrail WHERE (eventName, userIdentity.arn) NOT IN (SELECT 'GetUser', 'x') ORDER BY 1", "a / b"),
        ("SELECT count(*) FROM cloudtrail WHERE (eventName, errorCode) NOT IN (SELECT eventName, errorCode FROM cloudtrail WHERE false)", "3"),
    ])
    .await;
}

#[tokio::test]
async fn a_column_asks_a_query() {
    check_all(&[
        ("SELECT eventID, eventName IN (SELECT 'GetUser') FROM cloudtrail ORDER BY 1", "a | true / b | false / c | true"),
        ("SELECT eventName NOT IN (SELECT 'GetUser'), errorCode IN (SELECT 'x'), eventID IN (SELECT NULL) FROM cloudtrail WHERE eventID = 'b'", "true | |"),
        ("SELECT count_if(eventName IN (SELECT eventName FROM cloudtrail WHERE readOnly)), sum(CASE WHEN eventID IN (VALUES 'a') THEN 1 ELSE 0 END) FROM cloudtrail", "2 | 1"),
        ("SELECT EXISTS (SELECT 1 FROM cloudtrail WHERE readOnly), NOT EXISTS (SELECT 1 FROM cloudtrail LIMIT 1)", "true | false"),
        (
            "SELECT c.eventID, EXISTS (SELECT 1 FROM cloudtrail d WHERE d.eventName = c.eventName AND d.readOnly) AS read \
             FROM cloudtrail c ORDER BY 1",
            "a | true / b | false / c | true",
        ),
        (
            "SELECT c.eventID, c.eventName NOT IN (SELECT d.eventName FROM cloudtrail d WHERE d.eventID = c.eventID AND d.readOnly) \
             FROM cloudtrail c ORDER BY 1",
            "a | true / b | true / c | false",
        ),
        // an aggregate gives a row of none
        ("SELECT EXISTS (SELECT count(*) FROM cloudtrail WHERE false), 0 IN (SELECT count(*) FROM cloudtrail WHERE false)", "true | true"),
        ("SELECT 1 IN (SELECT 1.0), '1' IN (SELECT 1), 2 IN (SELECT x FROM (VALUES 1, 3) AS t (x))", "true | true | false"),
        ("SELECT eventName IN (SELECT 'GetUser') AS g, count(*) FROM cloudtrail GROUP BY 1 ORDER BY 2", "false | 1 / true | 2"),
    ])
    .await;
}

#[tokio::test]
async fn what_is_not_known_to_be_outside_is_not_told() {
    check_all(&[
        ("SELECT x FROM (VALUES 1, 2, 3) AS t (x) WHERE x NOT IN (SELECT y FROM (VALUES 1, NULL) AS u (y)) OR x = 3", "3"),
        ("SELECT x FROM (VALUES 1, 2, NULL) AS t (x) WHERE x NOT IN (VALUES 1) OR x = 1 ORDER BY 1", "1 / 2"),
        ("SELECT x FROM (VALUES 2, NULL) AS t (x) WHERE NOT (x IN (VALUES 1) AND x > 0)", "2"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x IN (VALUES 1) OR x = 7", "1"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE (x IN (VALUES 1, NULL)) IS NULL", "2"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) GROUP BY x HAVING x NOT IN (VALUES 1, NULL) OR count(*) > 7", ""),
        (
            "SELECT x FROM (VALUES 1, 2, 3) AS t (x) WHERE x NOT IN (SELECT y FROM (VALUES (1, 1), (NULL, 3)) AS u (y, z) WHERE z = t.x) OR x = 7",
            "2",
        ),
        // it is all of the condition
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x < 9 AND NOT (x IN (VALUES 1, NULL))", ""),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x < 9 AND x NOT IN (VALUES 1)", "2"),
    ])
    .await;
}

#[tokio::test]
async fn a_value_is_compared_with_all_that_a_query_finds() {
    check_all(&[
        ("SELECT x FROM (VALUES 1, 2, 3) AS t (x) WHERE x > ALL (VALUES 1, 2)", "3"),
        ("SELECT x FROM (VALUES 1, 2, 3) AS t (x) WHERE x < ANY (SELECT y FROM (VALUES 2, 1) AS u (y))", "1"),
        ("SELECT x FROM (VALUES 1, 2, 3) AS t (x) WHERE x >= ALL (SELECT y FROM (VALUES 2, 1) AS u (y)) ORDER BY 1", "2 / 3"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x <= ALL (SELECT y FROM (VALUES 2, NULL) AS u (y))", ""),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x > ALL (SELECT 5 WHERE false) ORDER BY 1", "1 / 2"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x = ALL (VALUES 2, 2)", "2"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x <> ANY (VALUES 2, 2)", "1"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x = ANY (VALUES 2, 3)", "2"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x IN (VALUES 2, 3)", "2"),
        ("SELECT eventID FROM cloudtrail WHERE eventTime >= ALL (SELECT eventTime FROM cloudtrail WHERE eventTime IS NOT NULL)", "b"),
        (
            "SELECT x FROM (VALUES 1, 2, 3) AS t (x) WHERE x > ALL (SELECT y FROM (VALUES (1, 1), (0, 1), (2, 3)) AS u (y, z) WHERE z = t.x) \
             ORDER BY 1",
            "2 / 3",
        ),
        ("SELECT 2 > ANY (VALUES 3, NULL), 2 > ANY (VALUES 1, NULL), 2 > ALL (VALUES 3, NULL), 2 > ALL (VALUES 1, NULL)", "| true | false |"),
    ])
    .await;
}

#[tokio::test]
async fn a_subquery_asks_the_items_of_a_list() {
    check_all(&[
        ("SELECT eventID FROM cloudtrail c WHERE EXISTS (SELECT 1 FROM UNNEST(c.resources) AS t (r) WHERE r.arn LIKE 'arn:aws:s3%')", "b"),
        ("SELECT eventID FROM cloudtrail c WHERE NOT EXISTS (SELECT 1 FROM UNNEST(resources) AS t (r) WHERE t.r.arn = 'arn:aws:s3:::x') ORDER BY 1", "a / c"),
        ("SELECT eventID, (SELECT count(*) FROM UNNEST(resources) AS t (r) WHERE r.arn IS NOT NULL) FROM cloudtrail ORDER BY 1", "a | 0 / b | 1 / c | 0"),
        ("SELECT eventID FROM cloudtrail WHERE 'arn:aws:s3:::x' IN (SELECT r.arn FROM UNNEST(resources) AS t (r))", "b"),
        ("SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x NOT IN (SELECT y FROM UNNEST(ARRAY[2, 3]) AS u (y) WHERE y < 3)", "1"),
        ("SELECT x FROM (VALUES 1, 2, NULL) AS t (x) WHERE x NOT IN (SELECT y FROM (VALUES (1, 1), (5, 2)) AS u (y, z) WHERE u.z = t.x) ORDER BY 1", "2 / "),
        ("SELECT count(*) FROM cloudtrail WHERE 'x' NOT IN (SELECT errorCode FROM cloudtrail)", "0"),
        ("SELECT count(*) FROM cloudtrail WHERE NOT ('x' IN (SELECT errorCode FROM cloudtrail)) AND eventID = 'a'", "0"),
        ("SELECT count(*) FROM cloudtrail WHERE NULL NOT IN (SELECT eventName FROM cloudtrail)", "0"),
        ("SELECT count(*) FROM cloudtrail WHERE NULL NOT IN (SELECT eventName FROM cloudtrail WHERE false)", "3"),
        ("SELECT count(*) FROM cloudtrail WHERE 'x' NOT IN (SELECT eventName FROM cloudtrail)", "3"),
        (
            "SELECT eventID FROM cloudtrail c WHERE c.eventName NOT IN (SELECT d.eventName FROM cloudtrail d WHERE d.account = c.account AND d.eventID = 'a') ORDER BY 1",
            "b / c",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_subquery_behind_from_names_tables_before_it() {
    check_all(&[
        ("SELECT n, m FROM (VALUES 1, 2) AS t (n) CROSS JOIN LATERAL (SELECT t.n * 2 AS m) AS s ORDER BY 1", "1 | 2 / 2 | 4"),
        ("SELECT n, a, b FROM (VALUES 1) AS t (n), LATERAL (SELECT n + 1 AS a) AS u, LATERAL (SELECT a * 10 AS b) AS v", "1 | 2 | 20"),
        (
            "SELECT t.n, s.m FROM (VALUES 1, 2) AS t (n) LEFT JOIN LATERAL (SELECT t.n * 2 WHERE t.n > 1) AS s (m) ON true ORDER BY 1",
            "1 | / 2 | 4",
        ),
        ("SELECT n, m FROM (VALUES 1) AS t (n) CROSS JOIN LATERAL (VALUES t.n, t.n + 5) AS s (m) ORDER BY 2", "1 | 1 / 1 | 6"),
        ("SELECT n, k, m FROM (VALUES 1) AS t (n) CROSS JOIN LATERAL (VALUES ('a', t.n), ('b', 7)) AS s (k, m) ORDER BY 2", "1 | a | 1 / 1 | b | 7"),
        ("SELECT c.eventID, l.x FROM cloudtrail c CROSS JOIN LATERAL (SELECT c.userIdentity.type AS x) l ORDER BY 1", "a | Root / b | / c |"),
        ("SELECT r.arn FROM cloudtrail c CROSS JOIN LATERAL (SELECT * FROM UNNEST(c.resources) AS t (r))", "arn:aws:s3:::x"),
        (
            "SELECT c.eventID, v.n FROM cloudtrail c CROSS JOIN LATERAL (SELECT count(*) AS n FROM cloudtrail d \
             WHERE d.userIdentity.arn = c.userIdentity.arn) v ORDER BY 1",
            "a | 1 / b | 0 / c | 0",
        ),
    ])
    .await;
}

#[tokio::test]
async fn lists_are_unnested_in_every_spelling() {
    check_all(&[
        ("SELECT * FROM UNNEST(ARRAY[7, 8]) WITH ORDINALITY", "7 | 1 / 8 | 2"),
        ("SELECT a, b, n FROM UNNEST(ARRAY[2, 5], ARRAY[7, 8, 9]) WITH ORDINALITY AS t (a, b, n)", "2 | 7 | 1 / 5 | 8 | 2 / | 9 | 3"),
        ("SELECT * FROM UNNEST(MAP(ARRAY['x', 'y'], ARRAY[1, 2])) AS t (k, v)", "x | 1 / y | 2"),
        ("SELECT k, v, n FROM UNNEST(MAP(ARRAY['x', 'y'], ARRAY[1, 2])) WITH ORDINALITY AS t (k, v, n)", "x | 1 | 1 / y | 2 | 2"),
        ("SELECT * FROM UNNEST(ARRAY[ROW('Java', 1995), ROW('SQL', 1974)]) AS t (language, year)", "Java | 1995 / SQL | 1974"),
        (
            "SELECT student, score FROM (VALUES ('a', ARRAY[1, 2]), ('b', ARRAY[3])) AS t (student, scores) \
             CROSS JOIN UNNEST(scores) AS s (score) ORDER BY 2",
            "a | 1 / a | 2 / b | 3",
        ),
        (
            "SELECT n, a FROM (VALUES (ARRAY[2, 5]), (ARRAY[7])) AS x (numbers) CROSS JOIN UNNEST(numbers) WITH ORDINALITY AS t (n, a) \
             ORDER BY 1",
            "2 | 1 / 5 | 2 / 7 | 1",
        ),
        (
            "SELECT k, a, b FROM (VALUES ('k', ARRAY[1, 2], ARRAY['x'])) AS t (k, l, m) CROSS JOIN UNNEST(l, m) AS u (a, b) ORDER BY 2",
            "k | 1 | x / k | 2 |",
        ),
        ("SELECT eventID, arn FROM cloudtrail CROSS JOIN UNNEST(resources)", "b | arn:aws:s3:::x"),
        ("SELECT t.arn, t.n FROM cloudtrail CROSS JOIN UNNEST(resources) WITH ORDINALITY AS t (arn, owner, kind, n)", "arn:aws:s3:::x | 1"),
        ("SELECT resourceArn FROM cloudtrail CROSS JOIN UNNEST(resources) AS t (accountId, resourceType, resourceArn, prefix)", "arn:aws:s3:::x"),
    ])
    .await;
}

#[tokio::test]
async fn functions_answer_as_trino_documents_them() {
    check_all(&[
        // texts
        ("SELECT trim('!foo!', '!'), ltrim('xxa', 'x'), trim(LEADING 'x' FROM 'xax')", "foo | a | ax"),
        ("SELECT strpos('abcabc', 'c', 2), strpos('abcabc', 'c', -1), strpos('a', 'b', 1)", "6 | 6 | 0"),
        ("SELECT hamming_distance('abc', 'abd'), soundex('Robert'), luhn_check('79927398713')", "1 | R163 | true"),
        ("SELECT from_base('ff', 16), to_base(255, 16), bit_count(7, 64), try(from_base('x', 10))", "255 | ff | 3 |"),
        ("SELECT format_number(1234567), parse_data_size('2.3MB')", "1.23M | 2411724"),
        ("SELECT human_readable_seconds(3762), to_milliseconds(INTERVAL '8' DAY)", "1 hour, 2 minutes, 42 seconds | 691200000"),
        ("SELECT to_milliseconds(parse_duration('3.81 d')), U&'\\0041'", "329184000 | A"),
        (r"SELECT 'a%c' LIKE 'a#%c' ESCAPE '#', 'abc' LIKE 'a#%c' ESCAPE '#', 'a_c' LIKE 'a\_c' ESCAPE '\'", "true | false | true"),
        (r"SELECT 'a\c' LIKE 'a\c', 'a\c' LIKE 'a\\c', 'abc' LIKE 'a\_c'", "true | false | false"),
        (
            r"SELECT regexp_position('I have 23 apples, 5 pears', '\b\d+\b', 12), regexp_position('1 apple, 5 pears, 7', '\d+', 2, 2)",
            "19 | 19",
        ),
        ("SELECT to_hex(sha1(to_utf8('abc'))), to_hex(X'0a')", "A9993E364706816ABA3E25717850C26C9CD0D89D | 0A"),
        ("SELECT to_base64url(to_utf8('a?>')), from_utf8(from_base64url('YT8-'))", "YT8- | a?>"),
        ("SELECT repeat('ab', 2), repeat(1, 3)", "[ab, ab] | [1, 1, 1]"),
        // times
        ("SELECT extract(timezone_hour FROM timestamp '2022-10-20 05:10:15 +05:30'), timezone_minute(timestamp '2022-10-20 05:10:15 +05:30')", "5 | 30"),
        ("SELECT date '2024-08-01' + INTERVAL '1-2' YEAR TO MONTH, timestamp '2024-08-01 00:00:00' + INTERVAL '1 2:03:04' DAY TO SECOND", "2025-10-01 | 2024-08-02T02:03:04"),
        ("SELECT date_diff('month', date '2024-01-31', date '2024-02-29'), date_diff('month', date '2024-01-31', date '2024-02-28')", "1 | 0"),
        ("SELECT current_timestamp(3) IS NOT NULL, now() IS NOT NULL", "true | true"),
        ("SELECT sequence(5, 1), sequence(date '2024-08-02', date '2024-08-01')", "[5, 4, 3, 2, 1] | [2024-08-02, 2024-08-01]"),
        // JSON
        ("SELECT json_format(json_parse('{\"a\": 1}')), try(json_parse('{bad')), is_json_scalar('[1]')", "{\"a\":1} | | false"),
        ("SELECT CAST(JSON '[1,2]' AS ARRAY(BIGINT)), CAST(JSON '\"x\"' AS VARCHAR)", "[1, 2] | x"),
        (
            "SELECT CAST(json_extract('{\"a\":[1,2.5,true,\"7\"]}', '$.a') AS ARRAY(INTEGER)), CAST(JSON '[1.5]' AS ARRAY(BIGINT))",
            "[1, 3, 1, 7] | [2]",
        ),
        ("SELECT json_value('{\"a\":5}', 'lax $.a'), json_value('{\"a\":5}', 'lax $.a' RETURNING BIGINT) + 1", "5 | 6"),
        ("SELECT json_value('{\"a\":1}', 'lax $.b' DEFAULT 'z' ON EMPTY), json_value('{\"a\":[1]}', 'lax $.a.b' NULL ON EMPTY NULL ON ERROR)", "z |"),
        ("SELECT json_query('{\"a\":[{\"b\":1},{\"b\":2}]}', 'lax $.a[*].b' WITH ARRAY WRAPPER), json_query('{\"a\":[1]}', 'lax $.a')", "[1,2] | [1]"),
        ("SELECT json_query('{\"a\":\"x\"}', 'lax $.a'), json_query('{\"a\":\"x\"}', 'lax $.a' OMIT QUOTES)", "\"x\" | x"),
        ("SELECT json_exists('{\"a\":[1]}', 'lax $.a[*]'), json_exists('{\"a\":[1]}', 'strict $.b')", "true | false"),
        // lists and maps
        ("SELECT array_max(ARRAY[1, NULL, 2]), array_max(ARRAY[1, 2]), array_min(ARRAY[3, 2])", "| 2 | 2"),
        ("SELECT arrays_overlap(ARRAY[1, NULL], ARRAY[2]), arrays_overlap(ARRAY[1], ARRAY[2]), arrays_overlap(ARRAY[1, NULL], ARRAY[1])", "| false | true"),
        ("SELECT map_concat(map(ARRAY['a'], ARRAY[1]), map(ARRAY['b'], ARRAY[2]), map(ARRAY['a'], ARRAY[3]))", "{a: 3, b: 2}"),
        ("SELECT cardinality(zip(ARRAY[1], ARRAY[2], ARRAY[3, 4]))", "2"),
        // aggregates
        ("SELECT listagg(x) WITHIN GROUP (ORDER BY x), listagg(x, ',' ON OVERFLOW TRUNCATE '...' WITH COUNT) WITHIN GROUP (ORDER BY x) FROM (VALUES 'b', 'a') AS t (x)", "ab | a,b"),
        ("SELECT k, max_by(k, v) OVER (ORDER BY k), min_by(k, v) OVER () FROM (VALUES ('a', 2), ('b', 3), ('c', 1)) AS t (k, v) ORDER BY 1", "a | a | c / b | b | c / c | b | c"),
        ("SELECT count(*) FROM cloudtrail TABLESAMPLE BERNOULLI (100)", "3"),
        ("SELECT count(*) FROM cloudtrail AS c TABLESAMPLE SYSTEM (0) WHERE c.eventID IS NOT NULL", "0"),
        ("SELECT is_finite(1e0), is_infinite(infinity()), is_private_ip(IPADDRESS '10.0.0.1')", "true | true | true"),
        ("SELECT infinity() > 0.5, is_finite(1.5), 1e16 > 0.5, CAST(2 AS DOUBLE) BETWEEN 0.5 AND 2.5, 1e0 IN (0.5, 1.0)", "true | true | true | true | true"),
        ("SELECT coalesce(CAST(NULL AS DOUBLE), 0.25), CASE WHEN true THEN 1e0 / 3 ELSE 0.0 END, greatest(1e0, 0.5)", "0.25 | 0.3333333333333333 | 1.0"),
        ("SELECT width_bucket(5, ARRAY[0, 5, 10]), width_bucket(-1, ARRAY[0]), to_hex(CAST('a' AS VARBINARY))", "2 | 0 | 61"),
        ("SELECT coalesce(width_bucket(x, ARRAY[0, 5]), -1) FROM (VALUES 5, NULL) AS t (x) ORDER BY 1", "-1 / 2"),
        ("SELECT any_match(ARRAY['10.0.0.0/8', '192.0.2.0/24'], n -> contains(n, CAST('192.0.2.7' AS IPADDRESS)))", "true"),
        ("SELECT sum(x), typeof(x) FROM (VALUES CAST(1 AS DECIMAL(5, 2)), CAST(2 AS DECIMAL(5, 2))) AS t (x) GROUP BY typeof(x)", "3.00 | decimal(5,2)"),
        ("SELECT x FROM (VALUES -1, -2) AS t (x) ORDER BY 1", "-2 / -1"),
        ("SELECT CAST('12151FD2-7586-11e9-8f9e-2a86e4085a59' AS UUID)", "12151fd2-7586-11e9-8f9e-2a86e4085a59"),
    ])
    .await;
    let error = run(archive().path(), "SELECT json_parse('{bad')").await.unwrap_err().to_string();
    assert!(error.ends_with("`{bad` is no JSON; try(json_parse(...)) is null there"), "{error}");
}
