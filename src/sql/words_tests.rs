//! Words of Athena and of CloudTrail Lake, each with the one value that it gives there.

use super::tests::{archive, run};

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
        ("SELECT cardinality(split('', ',')) AS f", "1"),
        ("SELECT split(CAST(NULL AS varchar), ',') IS NULL AS f", "true"),
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
