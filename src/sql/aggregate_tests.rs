//! Aggregates and the types of decimals, as Trino answers them.

use super::athena_tests::check_all;
use super::tests::{archive, run};

#[tokio::test]
async fn sums_and_products_of_decimals_have_the_digits_of_athena() {
    check_all(&[
        ("SELECT typeof(sum(x)), typeof(avg(x)), sum(x) FROM (VALUES CAST(1 AS DECIMAL(5, 2))) AS t (x)", "decimal(38,2) | decimal(5,2) | 1.00"),
        ("SELECT k, typeof(sum(x)), sum(x) FROM (VALUES ('a', 1.5), ('a', 2.5)) AS t (k, x) GROUP BY k", "a | decimal(38,1) | 4.0"),
        ("SELECT x, sum(x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (VALUES 1.5, 2.5, 3.5) AS t (x) ORDER BY 1", "1.5 | 1.5 / 2.5 | 4.0 / 3.5 | 6.0"),
        ("SELECT sum(DISTINCT x), avg(DISTINCT x) FROM (VALUES 1.5, 1.5, 2.5) AS t (x)", "4.0 | 2.0"),
        ("SELECT typeof(CAST(1 AS DECIMAL(5, 2)) * CAST(1 AS DECIMAL(5, 2))), 1.5 * 1.5", "decimal(10,4) | 2.25"),
        ("SELECT typeof(CAST(1 AS DECIMAL(30, 10)) * CAST(2 AS DECIMAL(30, 10)))", "decimal(38,20)"),
        ("SELECT typeof(CAST(2 AS BIGINT) * 1.5), typeof(2e0 * 1.5), typeof(CAST(1 AS DECIMAL(5, 2)) + CAST(1 AS DECIMAL(4, 3)))", "decimal(21,1) | double | decimal(7,3)"),
    ])
    .await;
    for (sql, expected) in [
        ("SELECT sum(x) FROM (VALUES 9223372036854775807, 1) AS t (x)", "bigint addition overflow"),
        (
            "SELECT sum(DISTINCT x), sum(DISTINCT y) FROM (VALUES (9223372036854775807, 1), (1, 2)) AS t (x, y)",
            "bigint addition overflow",
        ),
        (
            "SELECT sum(x) FROM (VALUES DECIMAL '99999999999999999999999999999999999999', 1) AS t (x)",
            "Decimal overflow",
        ),
        // 36 digits behind the point leave two before it
        (
            "SELECT k, sum(x * x) FROM (SELECT 'a' AS k, CAST(9 AS DECIMAL(19, 18)) AS x FROM UNNEST(sequence(1, 9)) AS t (n)) GROUP BY k",
            "Decimal overflow",
        ),
    ] {
        let error = run(archive().path(), sql).await.unwrap_err().to_string();
        assert!(error.contains("NUMERIC_VALUE_OUT_OF_RANGE") && error.contains(expected), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_union_has_the_type_that_all_fit() {
    check_all(&[
        (
            "SELECT typeof(x), x FROM (SELECT 1e0 / 3 AS x UNION ALL SELECT 0.5) ORDER BY 2",
            "double | 0.3333333333333333 / double | 0.5",
        ),
        ("SELECT floor(x) FROM (SELECT 1 AS x UNION ALL SELECT 2.5) ORDER BY 1", "1 / 2"),
        (
            "SELECT typeof(x), x, y FROM (VALUES (1.5, 2.50), (-1e2, 1.25)) AS t (x, y) ORDER BY 3",
            "double | -100.0 | 1.25 / double | 1.5 | 2.50",
        ),
        ("SELECT x FROM (SELECT 2.25 AS x UNION SELECT 1e2 UNION SELECT 1) AS t ORDER BY x", "1.0 / 2.25 / 100.0"),
    ])
    .await;
}

#[tokio::test]
async fn texts_are_joined_in_several_orders() {
    check_all(&[
        (
            "SELECT listagg(eventID, '/') WITHIN GROUP (ORDER BY eventID DESC), listagg(eventName, ',') WITHIN GROUP (ORDER BY eventTime), \
             string_agg(DISTINCT eventName, ',' ORDER BY eventName) FROM cloudtrail",
            "c/b/a | GetUser,PutObject,GetUser | GetUser,PutObject",
        ),
        (
            "SELECT eventName, listagg(requestParameters, ',') WITHIN GROUP (ORDER BY eventID) FROM cloudtrail GROUP BY 1 ORDER BY 1",
            "GetUser | / PutObject | {\"bucketName\":\"x\"}",
        ),
    ])
    .await;
}

#[tokio::test]
async fn values_lie_out_to_a_side_and_so_far() {
    check_all(&[
        ("SELECT round(skewness(x), 4), round(kurtosis(x), 4) FROM (VALUES 1, 2, 3, NULL, 5) AS t (x)", "0.4347 | 0.3429"),
        (
            "SELECT skewness(x), kurtosis(x) FILTER (WHERE x > 1), round(skewness(x + 0.5), 4) FROM (VALUES 1, 2) AS t (x)",
            "| |",
        ),
    ])
    .await;
}

#[tokio::test]
async fn several_values_are_counted_as_one() {
    check_all(&[
        (
            "SELECT count(DISTINCT x, y), count(DISTINCT x, y) FILTER (WHERE x > 1), count(DISTINCT (x, y)) \
             FROM (VALUES (1, 'a'), (1, 'a'), (2, 'a'), (3, NULL)) AS t (x, y)",
            "2 | 1 | 3",
        ),
        ("SELECT count(DISTINCT eventName, region) FROM cloudtrail", "3"),
    ])
    .await;
}

#[tokio::test]
async fn groups_of_rollup_are_computed() {
    check_all(&[(
        "SELECT length(eventName) + 1 AS x, upper(eventName), count(*) AS n FROM cloudtrail \
         GROUP BY ROLLUP (length(eventName) + 1, upper(eventName)) HAVING count(*) = 2 ORDER BY 1, 2",
        "8 | GETUSER | 2 / 8 | | 2",
    )])
    .await;
}

#[tokio::test]
async fn the_length_of_a_symbol_is_a_number() {
    check_all(&[(
        "SELECT max(abs(length(eventName))), min(-length(eventName)), typeof(max(length(eventName))) FROM cloudtrail",
        "9 | -9 | bigint",
    )])
    .await;
}

#[tokio::test]
async fn maps_are_put_together() {
    check_all(&[
        ("SELECT map_concat(map(ARRAY['a'], ARRAY[1]), map(ARRAY['a', 'b'], ARRAY[NULL, 2]))", "{a: , b: 2}"),
        ("SELECT map_concat(map(ARRAY['a'], ARRAY[1]), map(ARRAY['b'], ARRAY[2]), map(ARRAY['a'], ARRAY[3]))", "{a: 3, b: 2}"),
        ("SELECT map_concat(map(ARRAY['a'], ARRAY[1]), NULL), cardinality(map_concat(requestParameters, '{\"z\":1}')) FROM cloudtrail WHERE eventID = 'b'", "| 2"),
        ("SELECT map_union(m) FROM (VALUES map(ARRAY['a'], ARRAY[1]), map(ARRAY['b'], ARRAY[2]), NULL) AS t (m)", "{a: 1, b: 2}"),
        ("SELECT k, map_union(m) FROM (VALUES (1, map(ARRAY['a'], ARRAY[1])), (1, map(ARRAY['c', 'b'], ARRAY[3, 2])), (2, NULL)) AS t (k, m) GROUP BY k ORDER BY 1", "1 | {a: 1, b: 2, c: 3} / 2 |"),
        ("SELECT map_union(requestParameters) FROM cloudtrail", "{bucketName: x}"),
    ])
    .await;
}

#[tokio::test]
async fn aggregates_are_made_of_others() {
    check_all(&[
        ("SELECT approx_most_frequent(2, x, 10) FROM (VALUES 'a', 'a', 'b', 'b', 'b', 'c') AS t (x)", "{b: 3, a: 2}"),
        ("SELECT approx_most_frequent(1, x, 10) FILTER (WHERE x <> 'b') FROM (VALUES 'a', 'a', 'b', 'b', 'b', 'c') AS t (x)", "{a: 2}"),
        ("SELECT entropy(x), entropy(x) FILTER (WHERE x > 1) FROM (VALUES 1, 1, 2) AS t (x)", "1.5 | 0.0"),
        ("SELECT round(geometric_mean(x), 6), geometric_mean(x) FILTER (WHERE x > 5) FROM (VALUES 1, 4) AS t (x)", "2.0 |"),
        ("SELECT x, round(geometric_mean(x) OVER (ORDER BY x), 6) FROM (VALUES 1, 4) AS t (x) ORDER BY 1", "1 | 1.0 / 4 | 2.0"),
        ("SELECT reduce_agg(x, 0, (a, b) -> a + b, (a, b) -> a + b) FROM (VALUES 1, 2, NULL, 3) AS t (x)", "6"),
        ("SELECT array_sort(set_union(x)) FROM (VALUES ARRAY[1, 2], ARRAY[2, 3], NULL) AS t (x)", "[1, 2, 3]"),
        ("SELECT max(x, 2) FILTER (WHERE x < 3), min(x, 2), max_by(x, -x, 2) FROM (VALUES 1, 2, 3) AS t (x)", "[2, 1] | [1, 2] | [1, 2]"),
        ("SELECT approx_percentile(x, ARRAY[0.0, 1.0]) FILTER (WHERE x < 3) FROM (VALUES 1, 2, 3) AS t (x)", "[1, 2]"),
    ])
    .await;
}

#[tokio::test]
async fn numbers_within_rollup_are_places() {
    check_all(&[
        (
            "SELECT region, eventname, count(*) FROM cloudtrail GROUP BY ROLLUP (1, 2) ORDER BY 3 DESC, 1, 2",
            "| | 3 / us-east-1 | | 2 / unknown | GetUser | 1 / unknown | | 1 / us-east-1 | GetUser | 1 / us-east-1 | PutObject | 1",
        ),
        (
            "SELECT userIdentity.type, region AS r, count(*) FROM cloudtrail GROUP BY GROUPING SETS ((1), (2), ()) ORDER BY 3 DESC, 1, 2",
            "| | 3 / | us-east-1 | 2 / | | 2 / Root | | 1 / | unknown | 1",
        ),
        (
            "SELECT upper(eventname), count(*) FROM cloudtrail GROUP BY CUBE (1) ORDER BY 2 DESC",
            "| 3 / GETUSER | 2 / PUTOBJECT | 1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn what_is_of_a_column_is_another_than_what_is_of_a_cast_of_it() {
    check_all(&[
        (
            "SELECT approx_percentile(x, 0.5), approx_percentile(CAST(x AS DOUBLE), 0.5) FROM (VALUES 1, 2, 3) AS t (x)",
            "2 | 2.0",
        ),
        (
            "SELECT array_agg(x ORDER BY x), array_agg(CAST(x AS VARCHAR) || '' ORDER BY x) FROM (VALUES 1, 2) AS t (x)",
            "[1, 2] | [1, 2]",
        ),
        ("SELECT transform(ARRAY[1], v -> v), transform(ARRAY[1], v -> CAST(v AS DOUBLE))", "[1] | [1.0]"),
        ("SELECT stddev(x), stddev(CAST(x AS DOUBLE)) FROM (VALUES 1, 3) AS t (x)", "1.4142135623730951 | 1.4142135623730951"),
        (
            "SELECT sum(x) OVER (ORDER BY x), sum(CAST(x AS DOUBLE)) OVER (ORDER BY x) FROM (VALUES 1, 2) AS t (x) ORDER BY 1",
            "1 | 1.0 / 3 | 3.0",
        ),
        (
            "SELECT k, max(x), max(CAST(x AS VARCHAR)) FROM (VALUES (1, 9), (1, 10)) AS t (k, x) \
             GROUP BY k HAVING max(x) > 5 AND max(CAST(x AS VARCHAR)) > '5' ORDER BY max(CAST(x AS VARCHAR))",
            "1 | 10 | 9",
        ),
    ])
    .await;
}

#[tokio::test]
async fn fields_of_rows_have_places_within_lambdas() {
    check_all(&[
        (
            "SELECT array_sort(map_entries(histogram(x)), (a, b) -> IF(a[2] < b[2], 1, -1)) FROM (VALUES 'a', 'b', 'b') AS t (x)",
            "[{key: b, value: 2}, {key: a, value: 1}]",
        ),
        ("SELECT transform(zip(ARRAY[1, 2], ARRAY['a', 'b']), z -> z[2]), transform(ARRAY[ARRAY[1, 2]], e -> e[2])", "[a, b] | [2]"),
        ("SELECT transform(resources, r -> r[1]) FROM cloudtrail WHERE eventid = 'b'", "[arn:aws:s3:::x]"),
    ])
    .await;
    let error = run(archive().path(), "SELECT transform(resources, r -> r[9]) FROM cloudtrail").await.unwrap_err();
    assert_eq!(error.to_string(), "element_at takes a list, a map or JSON text, not a struct");
}

#[tokio::test]
async fn groups_are_ordered_by_aggregates_that_have_the_name_of_a_column() {
    check_all(&[
        (
            "SELECT sum(x) AS x, k FROM (VALUES ('a', 1), ('b', 2), ('a', 3)) AS t (k, x) GROUP BY k ORDER BY SUM(x) DESC",
            "4 | a / 2 | b",
        ),
        (
            "SELECT sum(x) AS x, k FROM (VALUES ('a', 1), ('b', 3), ('a', 3)) AS t (k, x) GROUP BY k ORDER BY sum(x) / count(*), k",
            "4 | a / 3 | b",
        ),
        (
            "SELECT max(eventTime) AS eventTime, eventName FROM cloudtrail GROUP BY 2 ORDER BY max(eventTime) DESC",
            "2024-08-02T10:00:00Z | PutObject / 2024-08-01T10:00:00Z | GetUser",
        ),
        (
            "SELECT array_agg(x ORDER BY x) AS x, k FROM (VALUES ('a', 5), ('b', 2), ('b', 1)) AS t (k, x) GROUP BY k ORDER BY count(x) DESC",
            "[1, 2] | b / [5] | a",
        ),
        ("SELECT sum(x) AS y, sum(y) AS x FROM (VALUES (1, 5)) AS t (x, y) ORDER BY min(x), max(y)", "1 | 5"),
        // a name that stands alone, or in what is no aggregate, is that of SELECT
        ("SELECT -sum(x) AS x FROM (VALUES ('a', 1), ('b', 3)) AS t (k, x) GROUP BY k ORDER BY abs(x) DESC", "-3 / -1"),
        ("SELECT k AS x, x AS k FROM (VALUES ('a', 2), ('b', 1)) AS t (k, x) ORDER BY k", "b | 1 / a | 2"),
        ("SELECT -x AS x FROM (VALUES 1, 2) AS t (x) ORDER BY x", "-2 / -1"),
    ])
    .await;
}

#[tokio::test]
async fn rows_are_grouped_by_what_select_calls_as_a_folder_of_the_archive() {
    check_all(&[
        (
            "SELECT date_trunc('month', eventTime) AS day, count(*) FROM cloudtrail GROUP BY day ORDER BY day",
            "2024-08-01T00:00:00Z | 2 / | 1",
        ),
        (
            "SELECT substr(eventName, 1, 3) AS region, CAST(eventTime AS date) AS Day, count(*) FROM cloudtrail \
             WHERE eventid <> 'c' GROUP BY region, day ORDER BY region",
            "Get | 2024-08-01 | 1 / Put | 2024-08-02 | 1",
        ),
        (
            "SELECT upper(eventName) AS account, count(*) FROM cloudtrail GROUP BY ROLLUP (account) ORDER BY 2 DESC",
            "| 3 / GETUSER | 2 / PUTOBJECT | 1",
        ),
        // what is made of the column itself, an aggregate, and what a subquery gives
        ("SELECT year(day) AS day, count(*) FROM cloudtrail GROUP BY day ORDER BY day", "2024 | 1 / 2024 | 1 / | 1"),
        ("SELECT date_format(c.day, '%Y') AS day, c.day AS d FROM cloudtrail c GROUP BY day ORDER BY 2", "2024 | 2024-08-01 / 2024 | 2024-08-02 / |"),
        (
            "SELECT upper(eventname) AS \"Day\", day, count(*) FROM cloudtrail GROUP BY 1, day ORDER BY 2",
            "GETUSER | 2024-08-01 | 1 / PUTOBJECT | 2024-08-02 | 1 / GETUSER | | 1",
        ),
        ("SELECT eventname AS region, region AS r FROM cloudtrail GROUP BY region, eventname ORDER BY 1, 2", "GetUser | unknown / GetUser | us-east-1 / PutObject | us-east-1"),
        ("SELECT requestParameters.region AS region, count(*) FROM cloudtrail GROUP BY region", "| 3"),
        ("SELECT max(eventid) AS region FROM cloudtrail GROUP BY region ORDER BY 1", "b / c"),
        ("SELECT every(eventid > 'a') AS region, set_agg(eventid) IS NULL AS Account FROM cloudtrail GROUP BY region, account LIMIT 0", ""),
        ("SELECT median(length(eventname)) AS region FROM cloudtrail GROUP BY region ORDER BY 1", "7.0 / 8.0"),
        ("SELECT 10 * x AS day FROM (VALUES (1, 1), (1, 1)) AS t (day, x) GROUP BY day, x", "10"),
    ])
    .await;
}
