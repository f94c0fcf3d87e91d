//! Queries as analysts write them, with the answers that Athena has for them.

use datafusion::error::DataFusionError;

use super::athena_tests::check_all;
use super::readable;
use super::tests::{archive, run};

/// What is said where the query is planned, or where its rows are computed.
async fn error(sql: &str) -> String {
    let error = run(archive().path(), sql).await.unwrap_err();
    match error.downcast::<DataFusionError>() {
        Ok(error) => readable(error).to_string(),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_number_that_does_not_fit_a_type_is_no_value_of_it_in_a_condition_either() {
    check_all(&[
        ("SELECT count(*) FROM (VALUES 300, 60, 7) AS t (x) WHERE try_cast(x AS tinyint) > 50", "1"),
        ("SELECT x, try_cast(x AS tinyint) <> 7 FROM (VALUES 300, 60) AS t (x) ORDER BY x", "60 | true / 300 |"),
        (
            "SELECT x FROM (SELECT x, try_cast(x AS smallint) AS s FROM (VALUES 70000, 60) AS t (x)) WHERE s BETWEEN 1 AND 80000",
            "60",
        ),
        (
            "SELECT x, CAST(x AS decimal(10, 1)) = 1.5 FROM (VALUES 1.54, 1.50) AS t (x) ORDER BY x",
            "1.50 | true / 1.54 | true",
        ),
        ("SELECT count(*) FROM vpc_flow WHERE CAST(start AS integer) > 1000 GROUP BY CAST(start AS integer)", "1"),
    ])
    .await;
    let sql = "SELECT x FROM (VALUES 300, 60) AS t (x) WHERE CAST(x AS tinyint) IN (60, 61)";
    assert_eq!(error(sql).await, "300 is no tinyint: try_cast(x AS TINYINT) is null there");
}

#[tokio::test]
async fn a_column_of_another_table_is_told_as_one() {
    for (sql, expected) in [
        ("SELECT bytes FROM cloudtrail", "line 1, column 8: there is no column `bytes` here: it is one of vpc_flow"),
        (
            "SELECT v.eventname FROM vpc_flow v",
            "line 1, column 10: there is no column `v.eventname` here: it is one of cloudtrail",
        ),
        (
            "WITH x AS (SELECT srcaddr FROM vpc_flow) SELECT dstaddr FROM x",
            "line 1, column 49: there is no column `dstaddr` here: it is one of vpc_flow",
        ),
        (
            "SELECT type FROM cloudtrail",
            "line 1, column 8: there is no column `type`; did you mean `useridentity.type`?",
        ),
        (
            "SELECT event_name FROM cloudtrail",
            "line 1, column 8: there is no column `event_name`; did you mean `eventname`?",
        ),
    ] {
        assert_eq!(error(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn json_is_rounded_where_it_is_cast_to_an_integer() {
    check_all(&[
        (
            "SELECT CAST(json_extract('{\"y\":1.7}', '$.y') AS BIGINT), try_cast(json_extract('{\"y\":true}', '$.y') AS INTEGER), \
             CAST(json_parse('-1.5') AS SMALLINT), try_cast(json_extract('{\"y\":\"x\"}', '$.y') AS BIGINT)",
            "2 | 1 | -2 |",
        ),
        ("SELECT CAST(json_extract('{\"y\":\"17\",\"z\":null}', '$.y') AS BIGINT) + 1", "18"),
    ])
    .await;
}

#[tokio::test]
async fn a_number_is_no_day() {
    let expected = "a number stands where a day is needed: date(from_unixtime(start)) is the day of so many seconds";
    for sql in
        ["SELECT date(start) FROM vpc_flow", "SELECT srcaddr FROM vpc_flow WHERE CAST(start AS date) = current_date"]
    {
        assert_eq!(error(sql).await, expected, "{sql}");
    }
    check_all(&[("SELECT date(from_unixtime(start)) FROM vpc_flow", "2024-08-01")]).await;
    let expected = "a day is no number: date_format(day, '%Y%m%d') is the text of its digits, day_of_month(day) its place in the month";
    for sql in [
        "SELECT srcaddr FROM vpc_flow WHERE CAST(day AS integer) = 20240801",
        "SELECT try_cast(date(from_unixtime(start)) AS bigint) FROM vpc_flow",
    ] {
        assert_eq!(error(sql).await, expected, "{sql}");
    }
    check_all(&[("SELECT date_format(day, '%Y%m%d'), day_of_month(day) FROM vpc_flow", "20240801 | 1")]).await;
}

#[tokio::test]
async fn rows_are_grouped_by_what_is_null_in_no_case() {
    check_all(&[
        (
            "SELECT DISTINCT CASE WHEN start > 5 AND dstaddr IS NOT NULL THEN dstaddr ELSE 'none' END FROM vpc_flow",
            "none",
        ),
        (
            "SELECT CASE WHEN start > 5 AND dstaddr IS NOT NULL THEN dstaddr ELSE 'none' END AS k, count(*) FROM vpc_flow GROUP BY 1",
            "none | 1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_there_is_instead_is_told_behind_comments_too() {
    let kept =
        "only queries are allowed here, and `weir sql '...' --format parquet > answer.parquet` keeps the answer of one";
    for (sql, expected) in [
        ("-- of today\nCREATE TABLE t AS SELECT 1", kept),
        ("/* all */ -- of today\n UNLOAD (SELECT 1) TO 's3://b/p' WITH (format = 'PARQUET')", kept),
        (
            "CREATE OR REPLACE VIEW v AS SELECT 1",
            "there are no views here: WITH v AS (SELECT ...) SELECT ... FROM v names a query for another",
        ),
        (
            "EXPLAIN (TYPE LOGICAL) SELECT 1",
            "EXPLAIN has no options here: EXPLAIN SELECT ... shows the plan, and EXPLAIN ANALYZE SELECT ... what each step of it took",
        ),
        (
            "SELECT action, count(*) FROM vpc_flow GROUP BY ROLLUP (action, 1)",
            "`action` stands twice within ROLLUP, CUBE or GROUPING SETS: once is enough",
        ),
    ] {
        assert_eq!(error(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn sets_of_groups_are_of_what_is_computed_as_athena_does() {
    check_all(&[
        ("SELECT floor(start / 1000000) AS k, count(*) FROM vpc_flow GROUP BY ROLLUP (1) ORDER BY 1", "1722 | 1 / | 1"),
        (
            "SELECT CAST(from_unixtime(start) AS varchar) AS k, count(*) FROM vpc_flow GROUP BY CUBE (1) ORDER BY 1",
            "2024-08-01 11:30:23.000 UTC | 1 / | 1",
        ),
        (
            "SELECT eventTime - timestamp '2024-08-01 00:00 UTC' > interval '1' day AS k, count(*) FROM cloudtrail \
             GROUP BY GROUPING SETS ((1), ()) ORDER BY 1, 2",
            "false | 1 / true | 1 / | 1 / | 3",
        ),
        (
            "SELECT NOT (eventname LIKE 'Get%') AS k, count(*) FROM cloudtrail GROUP BY ROLLUP (1) ORDER BY 1",
            "false | 2 / true | 1 / | 3",
        ),
        (
            "SELECT NOT (eventname NOT IN ('GetUser', 'x')) AS k, eventid, count(*) FROM cloudtrail GROUP BY CUBE (1, 2) \
             HAVING eventid IS NULL ORDER BY 1",
            "false | | 1 / true | | 2 / | | 3",
        ),
        (
            "SELECT try_cast(start AS tinyint) > 50 AS k, count(*) FROM vpc_flow GROUP BY ROLLUP (try_cast(start AS tinyint) > 50)",
            "| 1 / | 1",
        ),
        (
            "SELECT floor(start / 1000000) AS k, GROUPING(floor(start / 1000000)), count(*) FROM vpc_flow \
             GROUP BY ROLLUP (floor(start / 1000000)) ORDER BY 1",
            "1722 | 0 | 1 / | 1 | 1",
        ),
        (
            "SELECT NOT (eventname LIKE 'Get%') AS k, GROUPING(NOT (eventname LIKE 'Get%')), count(*) FROM cloudtrail \
             GROUP BY CUBE (NOT (eventname LIKE 'Get%')) ORDER BY 1",
            "false | 0 | 2 / true | 0 | 1 / | 1 | 3",
        ),
    ])
    .await;
    let sql = "SELECT start + 9223372036854775807, count(*) FROM vpc_flow GROUP BY ROLLUP (1)";
    assert_eq!(
        error(sql).await,
        "NUMERIC_VALUE_OUT_OF_RANGE: bigint addition overflow: 1722511823 + 9223372036854775807"
    );
}

#[tokio::test]
async fn rows_of_one_field_are_unnested_to_that_field() {
    let from =
        "FROM (VALUES '[{\"a\":1},{\"a\":2}]') AS v (j) CROSS JOIN UNNEST(CAST(json_parse(j) AS ARRAY(ROW(a BIGINT))))";
    check_all(&[
        (format!("SELECT sum(x) {from} AS t (x)").as_str(), "3"),
        (format!("SELECT t.x, n {from} WITH ORDINALITY AS t (x, n)").as_str(), "1 | 1 / 2 | 2"),
        (format!("SELECT sum(t.a) {from} AS t").as_str(), "3"),
        ("SELECT x FROM UNNEST(CAST(json_parse('[{\"a\":1}]') AS ARRAY(ROW(a BIGINT)))) AS t (x)", "1"),
    ])
    .await;
}

#[tokio::test]
async fn a_day_that_is_a_number_is_that_day() {
    check_all(&[
        ("SELECT count(*) FROM cloudtrail WHERE day = 20240801", "1"),
        ("SELECT count(*) FROM cloudtrail c WHERE c.day BETWEEN 20240801 AND 20240802", "2"),
        ("SELECT count(*) FROM cloudtrail WHERE year = 2024 AND month = 8 AND day = 1", "1"),
        (
            "SELECT n FROM (SELECT extract(day FROM eventtime) AS day, count(*) AS n FROM cloudtrail GROUP BY 1) AS t WHERE day = 1",
            "1",
        ),
    ])
    .await;
    assert_eq!(
        error("SELECT count(*) FROM cloudtrail WHERE day = 1").await,
        "'1' cannot be cast to a day such as 2024-08-01"
    );
}

#[tokio::test]
async fn a_mistake_is_told_with_what_to_write() {
    let unknown = "; what SELECT calls so WHERE does not know: SELECT * FROM (...) WHERE does, and so does QUALIFY";
    for (sql, expected) in [
        (
            "SELECT eventname, count(*) n FROM cloudtrail WHERE n > 5 GROUP BY 1",
            format!("line 1, column 52: there is no column `n`{unknown}"),
        ),
        (
            "SELECT upper(eventname) loud, eventid FROM cloudtrail WHERE loud = 'X'",
            format!("line 1, column 61: there is no column `loud`{unknown}"),
        ),
        (
            "SELECT 1 FROM cloudtrail WHERE userIdentity = 'root'",
            "row = varchar cannot be compared: the fields of a row are named with dots, as in userIdentity.arn = 'x'".to_owned(),
        ),
        (
            "SELECT 1 FROM cloudtrail WHERE resources = 'arn'",
            "array(row) = varchar cannot be compared: of what is in a list, any_match(resources, r -> r.arn = 'x') is asked".to_owned(),
        ),
        (
            "SELECT 1 FROM cloudtrail WHERE resources.arn = 'x'",
            "that column is a list: resources[1].arn is a field of its first item, any_match(resources, r -> r.arn LIKE '%x') asks all, \
             and CROSS JOIN UNNEST(resources) AS t (r) makes rows of them"
                .to_owned(),
        ),
        (
            "SELECT substring(eventname) FROM cloudtrail",
            "substring takes 2 or 3 arguments: substring(eventName, 1, 3)".to_owned(),
        ),
        (
            "SELECT 1 FROM cloudtrail WHERE row_number() OVER (ORDER BY eventtime) = 1",
            "WHERE knows nothing of windows: QUALIFY row_number() OVER (PARTITION BY sourceIPAddress ORDER BY eventTime DESC) = 1 behind \
             it does"
                .to_owned(),
        ),
        (
            "SELECT start / 0 FROM vpc_flow",
            "something is divided by zero: bytes / nullif(packets, 0) is null there".to_owned(),
        ),
        (
            "SELECT srcaddr FROM vpc_flow WHERE start / (start - start) > 1",
            "something is divided by zero: bytes / nullif(packets, 0) is null there".to_owned(),
        ),
        (
            "SELECT srcaddr FROM vpc_flow WHERE CAST(start AS smallint) > 1",
            "1722511823 is no smallint: try_cast(x AS SMALLINT) is null there".to_owned(),
        ),
        (
            "SELECT srcaddr FROM vpc_flow WHERE CAST(start AS decimal(3, 1)) > 1",
            "1722511823.0 has no room in a decimal of 3 digits: try_cast is null there".to_owned(),
        ),
        (
            "SELECT count(*) FROM cloudtrail WHERE timestamp = '2024/08/01'",
            "line 1, column 39: there is no column `timestamp`; the day of a row is `day`: WHERE day = '2024-08-01'".to_owned(),
        ),
        (
            "SELECT lag(eventname) FROM cloudtrail",
            "line 1, column 8: there is no function `lag` here: it stands with a window behind it, OVER (PARTITION BY sourceIPAddress \
             ORDER BY eventTime)"
                .to_owned(),
        ),
    ] {
        assert_eq!(error(sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn rows_are_ordered_by_calls_of_calls() {
    check_all(&[
        ("SELECT eventid FROM cloudtrail ORDER BY abs(cardinality(resources)), eventid", "b / a / c"),
        (
            "SELECT eventid, rank() OVER (PARTITION BY readonly ORDER BY -cardinality(resources)) FROM cloudtrail ORDER BY 1",
            "a | 2 / b | 1 / c | 1",
        ),
        (
            "SELECT eventid, rank() OVER (PARTITION BY readonly ORDER BY sqrt(cardinality(resources)) DESC) FROM cloudtrail ORDER BY 1",
            "a | 2 / b | 1 / c | 1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_time_without_its_zone_is_what_clocks_show_there() {
    check_all(&[
        (
            "SELECT CAST(timestamp '2024-08-01 02:00 UTC' AT TIME ZONE 'Asia/Tokyo' AS timestamp), \
             try_cast(timestamp '2024-08-01 02:00 Asia/Tokyo' AS timestamp(3)), CAST(timestamp '2024-08-01 02:00 UTC' AS timestamp)",
            "2024-08-01T11:00:00 | 2024-08-01T02:00:00 | 2024-08-01T02:00:00",
        ),
        (
            "SELECT eventid FROM cloudtrail \
             WHERE CAST(eventTime AT TIME ZONE 'America/New_York' AS timestamp) = timestamp '2024-08-01 06:00'",
            "a",
        ),
        ("SELECT eventid FROM cloudtrail WHERE CAST(eventTime AS timestamp) = timestamp '2024-08-01 10:00'", "a"),
    ])
    .await;
}

#[tokio::test]
async fn a_time_without_a_zone_is_of_utc_beside_one_of_another_zone() {
    check_all(&[
        (
            "SELECT timestamp '2024-08-01 10:00 UTC' AT TIME ZONE 'America/New_York' = timestamp '2024-08-01 10:00', \
             date_diff('hour', timestamp '2024-08-01 10:00', timestamp '2024-08-01 10:00 America/New_York'), \
             to_milliseconds(timestamp '2024-08-01 10:00 America/New_York' - timestamp '2024-08-01 10:00'), \
             timestamp '2024-08-01 10:00 America/New_York' - INTERVAL '1' HOUR < timestamp '2024-08-01 13:30'",
            "true | 4 | 14400000 | true",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE eventTime AT TIME ZONE 'America/New_York' \
             BETWEEN timestamp '2024-08-01 09:59' AND timestamp '2024-08-01 10:01'",
            "a",
        ),
        (
            "SELECT eventid FROM (SELECT eventid, eventTime AT TIME ZONE 'Asia/Tokyo' AS t FROM cloudtrail) \
             WHERE t IN (timestamp '2024-08-01 10:00', timestamp '2024-08-02 19:00')",
            "a",
        ),
        (
            "SELECT eventid FROM (SELECT eventid, eventTime AT TIME ZONE 'Asia/Tokyo' AS t FROM cloudtrail) \
             WHERE t IN (SELECT CAST(min(eventTime) AS timestamp) FROM cloudtrail)",
            "a",
        ),
        (
            "SELECT eventid FROM cloudtrail WHERE CAST(eventTime AS timestamp) \
             IN (SELECT max(eventTime) AT TIME ZONE 'Asia/Tokyo' FROM cloudtrail)",
            "b",
        ),
        // in Pago Pago the day begins at 11:00 of UTC
        ("SELECT eventid FROM cloudtrail WHERE eventTime AT TIME ZONE 'Pacific/Pago_Pago' > date '2024-08-02'", "b"),
        ("SELECT eventid FROM cloudtrail WHERE eventTime AT TIME ZONE 'UTC' > timestamp '2024-08-02 09:59'", "b"),
    ])
    .await;
}

#[tokio::test]
async fn a_time_may_be_as_far_as_no_event_is() {
    check_all(&[
        ("SELECT eventid FROM cloudtrail WHERE eventTime BETWEEN '2024-08-02' AND '9999-12-31'", "b"),
        ("SELECT count(*) FROM cloudtrail WHERE eventTime < '9999-12-31T23:59:59Z' AND eventTime > '0001-01-01'", "2"),
        ("SELECT count(*) FROM cloudtrail WHERE eventTime < timestamp '9999-12-31 00:00:00'", "2"),
        (
            "SELECT coalesce(max(eventTime), timestamp '9999-12-31 00:00:00'), timestamp '0001-01-01 00:00' FROM cloudtrail WHERE eventid = 'c'",
            "9999-12-31T00:00:00Z | 0001-01-01T00:00:00",
        ),
        (
            "SELECT eventid FROM cloudtrail \
             WHERE eventTime BETWEEN timestamp '2024-08-02 00:00:00' AND timestamp '9999-12-31 00:00:00'",
            "b",
        ),
        ("SELECT eventid FROM cloudtrail WHERE eventTime BETWEEN date '2024-08-02' AND date '9999-12-31'", "b"),
        ("SELECT eventid FROM cloudtrail WHERE CAST(eventTime AS timestamp) < date '2024-08-02'", "a"),
        (
            "SELECT CAST('9999-12-31' AS timestamp), greatest(timestamp '2024-08-01 10:00', timestamp '9999-12-31 00:00:00'), \
             timestamp '2024-08-01 10:00' IN (date '9999-12-31', timestamp '2024-08-01 10:00'), \
             date_diff('day', timestamp '2024-08-01 10:00', timestamp '9999-12-31 00:00:00')",
            "9999-12-31T00:00:00 | 9999-12-31T00:00:00 | true | 2912959",
        ),
        (
            "SELECT count(*) FROM generate_series(timestamp '2024-08-01', timestamp '2024-08-02', INTERVAL '12 hours') AS t (x)",
            "3",
        ),
        // a number is one of seconds
        ("SELECT CAST(1722506400 AS timestamp)", "2024-08-01T10:00:00"),
    ])
    .await;
}

#[tokio::test]
async fn columns_that_nobody_named_may_be_equal_within_a_query() {
    check_all(&[
        (
            "WITH a AS (SELECT 'x' AS k, 1 AS n, 2 AS m UNION ALL SELECT 'y', 0, 0) SELECT k, n + m FROM a ORDER BY 1",
            "x | 3 / y | 0",
        ),
        (
            "SELECT count(*) FROM (SELECT eventname AS a, eventsource AS b FROM cloudtrail \
             UNION ALL SELECT eventname, eventname FROM cloudtrail)",
            "6",
        ),
        ("WITH t (a, b) AS (SELECT NULL, NULL UNION ALL SELECT 1, 1) SELECT a, b FROM t WHERE a IS NOT NULL", "1 | 1"),
        ("SELECT * FROM (SELECT count(*), count(*) FROM cloudtrail)", "3 | 3"),
        ("SELECT count(*) FROM cloudtrail WHERE EXISTS (SELECT 1, 1)", "3"),
    ])
    .await;
}

#[tokio::test]
async fn all_columns_but_some_are_asked_for_in_the_words_of_two_engines() {
    check_all(&[
        ("SELECT * EXCEPT (b) FROM (VALUES (1, 2, 3)) AS t (a, b, c)", "1 | 3"),
        ("SELECT t.* EXCEPT (a, b) FROM (VALUES (1, 2, 3)) AS t (a, b, c) EXCEPT SELECT 4", "3"),
        ("SELECT * EXCLUDE (b) FROM (VALUES (1, 2, 3)) AS t (a, b, c)", "1 | 3"),
        ("SELECT * EXCLUDE (eventName, eventSource) FROM (SELECT eventId, eventName, eventSource FROM cloudtrail) ORDER BY 1", "a / b / c"),
        ("SELECT * EXCEPT (eventName, eventSource) FROM (SELECT eventId, eventName, eventSource FROM cloudtrail) ORDER BY 1", "a / b / c"),
        ("SELECT c.* EXCLUDE EventSource FROM (SELECT eventId, eventSource FROM cloudtrail) AS c ORDER BY 1", "a / b / c"),
    ])
    .await;
}

#[tokio::test]
async fn a_part_of_a_text_is_counted_from_its_end_below_zero() {
    check_all(&[
        (
            "SELECT n, substr('hello', n), substring('hello' FROM n FOR 2), substring('hello', n, 1) FROM (VALUES 0, -2, 3, 9, -9, NULL) AS t (n) \
             ORDER BY n",
            "-9 | | | / -2 | lo | lo | l / 0 | | | / 3 | llo | ll | l / 9 | | | / | | |",
        ),
        ("SELECT substr('a/b', strpos('a/b', '/') + 1), '<' || substr('ab', strpos('ab', '/')) || '>', '<' || substr('ab', 0) || '>'", "b | <> | <>"),
        ("SELECT substr(eventid, length(eventid)) FROM cloudtrail WHERE eventid = 'a'", "a"),
        (
            "SELECT n, substr('ab', 1, strpos('a/b', '/') - n), substr('ab', -1, n - 2), substr('ab', strpos('ab', 'a') + 1, n) \
             FROM (VALUES 1, 3, NULL) AS t (n) ORDER BY n",
            "1 | a | | b / 3 | | b | b / | | |",
        ),
        ("SELECT '<' || substr('ab', -3) || substr('ab', -3, 1) || '>', substr('ab', -2), substr('ab', -2, 1)", "<> | ab | a"),
    ])
    .await;
}
