//! What a query that cannot be answered is told: in its own words, with the place, and with what to write instead.

use futures::TryStreamExt;

use super::tests::{archive, run};
use super::{query, readable_in, session};

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
        (
            "SELECT eventid, (SELECT count(*) FROM cloudtrail d WHERE d.eventTime < c.eventTime) FROM cloudtrail c",
            "a subquery for one value compares with columns of the query around it by = alone: \
             SELECT a.x, count(b.x) FROM a LEFT JOIN b ON b.x < a.x GROUP BY a.x",
        ),
        (
            "WITH q AS (SELECT eventName AS k, count(*) AS n FROM cloudtrail GROUP BY 1) \
             SELECT k, (SELECT count(*) FROM q AS b WHERE b.n > a.n) FROM q AS a",
            "a subquery for one value compares with columns of the query around it by = alone: \
             SELECT a.x, count(b.x) FROM a LEFT JOIN b ON b.x < a.x GROUP BY a.x",
        ),
        (
            "SELECT a FROM (SELECT eventName AS a, eventSource AS a FROM cloudtrail)",
            "two columns of one query are called `a`: AS gives one of them another name",
        ),
        (
            "SELECT a FROM (SELECT eventName, eventName FROM cloudtrail) AS t (a, b)",
            "two columns of one query are called `eventname`: AS gives one of them another name",
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
async fn what_is_not_counted_or_known_is_refused_with_what_is_written_instead() {
    let dir = archive();
    for (sql, expected) in [
        (
            "SELECT 1 EXCEPT ALL SELECT 2",
            "there is no EXCEPT ALL here, which counts equal rows: EXCEPT has each row once",
        ),
        (
            "SELECT 1 UNION ALL (SELECT 1 INTERSECT ALL SELECT 2)",
            "there is no INTERSECT ALL here, which counts equal rows: INTERSECT has each row once",
        ),
        (
            "SELECT eventName AS e\nFROM cloudtrail WHERE e = 'x'",
            "line 2, column 23: there is no column `e`; what SELECT calls so WHERE does not know: SELECT * FROM (...) WHERE does, and so does QUALIFY",
        ),
        (
            "SELECT eventName FROM cloudtrail WHERE eventName = \"x\"",
            "line 1, column 52: there is no column `x`; text is written in single quotes: 'x'",
        ),
        (
            "SELECT `eventName` FROM cloudtrail",
            "line 1, column 8: a name stands in double quotes, or in none: \"eventName\"",
        ),
        (
            "SELECT * FROM cloudtrail MATCH_RECOGNIZE (PATTERN (A))",
            "line 1, column 26: there is no MATCH_RECOGNIZE here: lag(eventName) OVER (PARTITION BY userIdentity.arn ORDER BY eventTime) has \
             what came before",
        ),
        (
            "SELECT geometric_mean(DISTINCT x) FROM (VALUES 1, 4, 4) AS t (x)",
            "line 1, column 8: geometric_mean takes neither DISTINCT nor ORDER BY: a subquery with SELECT DISTINCT, or with an order, \
             does the same",
        ),
        ("SELECT TOP 5 eventName FROM cloudtrail", "line 1, column 1: there is no TOP here: LIMIT 10 behind the query"),
        (
            "SELECT * FROM (SELECT protocol, bytes FROM vpc_flow) PIVOT (sum(bytes) FOR protocol IN (6, 17))",
            "there is no PIVOT here: sum(bytes) FILTER (WHERE protocol = 6) AS tcp is the column of one value",
        ),
        ("SELECT * FROM TABLE(sequence(1, 3))", "there is no TABLE(...) here: FROM UNNEST(sequence(1, 3)) AS t (n)"),
        (
            "fields @timestamp | sort @timestamp desc",
            "these are words of CloudWatch Logs Insights: SELECT sourceIPAddress, count(*) AS calls FROM cloudtrail \
             WHERE eventName = 'ConsoleLogin' GROUP BY 1 ORDER BY calls DESC LIMIT 20 says the same in SQL",
        ),
        (
            "index=aws sourcetype=aws:cloudtrail eventName=ConsoleLogin | stats count by userName",
            "there are no pipes in SQL: SELECT sourceIPAddress, count(*) AS calls FROM cloudtrail \
             WHERE eventName = 'ConsoleLogin' GROUP BY 1 says what `eventName=ConsoleLogin | stats count by sourceIPAddress` says",
        ),
        (
            "AWSCloudTrail | summarize count() by EventName",
            "there are no pipes in SQL: SELECT sourceIPAddress, count(*) AS calls FROM cloudtrail \
             WHERE eventName = 'ConsoleLogin' GROUP BY 1 says what `eventName=ConsoleLogin | stats count by sourceIPAddress` says",
        ),
        (
            "SELECT json_extract_path_text(requestParameters, 'bucketName') FROM cloudtrail",
            "line 1, column 8: there is no function `json_extract_path_text` here: \
             json_extract_scalar(requestParameters, '$.bucketName')",
        ),
        (
            "SELECT strcontains(eventName, 'Get') FROM cloudtrail",
            "line 1, column 8: there is no function `strcontains` here: strpos(eventName, 'Get') > 0, or eventName LIKE '%Get%'",
        ),
        (
            "SELECT r FROM cloudtrail LATERAL VIEW explode(resources) t AS r",
            "line 1, column 1: there is no LATERAL VIEW here: CROSS JOIN UNNEST(resources) AS t (r)",
        ),
        (
            "SELECT 1 FROM cloudtrail WHERE eventName RLIKE '^Get'",
            "there is no RLIKE here: regexp_like(eventName, '^Get')",
        ),
        (
            "SELECT 1 FROM cloudtrail WHERE eventName LIKE ANY ('a%', 'b%')",
            "there is no LIKE ANY here: regexp_like(eventName, '^(Get|List)'), or several LIKE with OR between them",
        ),
        (
            "SELECT explode(resources) FROM cloudtrail",
            "line 1, column 8: there is no function `explode` here: FROM cloudtrail CROSS JOIN UNNEST(resources) AS t (r)",
        ),
        (
            "SELECT 1 FROM cloudtrail WHERE eventName = ?",
            "there are no parameters here: the values are written into the query, eventName = 'ConsoleLogin'",
        ),
        ("TABLE cloudtrail", "the rows of a table: SELECT * FROM cloudtrail"),
    ] {
        let error = run(dir.path(), sql).await.unwrap_err().to_string();
        assert_eq!(error, expected, "{sql}");
    }
}
