//! SQL's constructors and paths of JSON, as Trino answers them.

use super::athena_tests::check_all;
use super::tests::{archive, run};

#[tokio::test]
async fn json_is_made_of_values() {
    check_all(&[
        ("SELECT json_object('a' : 1, 'b' VALUE 'x', KEY 'c' VALUE true)", r#"{"a":1,"b":"x","c":true}"#),
        ("SELECT json_object('a' : NULL), json_object('a' : NULL ABSENT ON NULL), json_object()", r#"{"a":null} | {} | {}"#),
        ("SELECT json_array(1, 'x', NULL), json_array(1, NULL NULL ON NULL), json_array()", r#"[1,"x"] | [1,null] | []"#),
        ("SELECT json_array('[1, 2]' FORMAT JSON, '[1]'), json_object('k' : '{}' FORMAT JSON WITHOUT UNIQUE KEYS)", r#"[[1,2],"[1]"] | {"k":{}}"#),
        ("SELECT json_object('x' : json_array(1, 2.5), 'y' : json_query('{\"a\":[3]}', 'lax $.a') RETURNING VARCHAR)", r#"{"x":[1,2.5],"y":[3]}"#),
        ("SELECT json_object('say \"hi\"' : 'a\\b')", r#"{"say \"hi\"":"a\\b"}"#),
        (
            "SELECT json_object('who' : userIdentity.arn, 'what' : eventName, 'at' : requestParameters FORMAT JSON ABSENT ON NULL) \
             FROM cloudtrail ORDER BY eventID LIMIT 2",
            r#"{"who":"arn:aws:iam::111122223333:root","what":"GetUser"} / {"what":"PutObject","at":{"bucketName":"x"}}"#,
        ),
    ])
    .await;
    let error = run(archive().path(), "SELECT json_array('x' FORMAT JSON)").await.unwrap_err().to_string();
    assert!(error.ends_with("`x` is no JSON, as FORMAT JSON says"), "{error}");
    let error = run(archive().path(), "SELECT json_object('a', 1)").await.unwrap_err().to_string();
    assert!(error.contains("a key and a value, 'name' : eventName"), "{error}");
}

#[tokio::test]
async fn paths_have_filters_and_what_is_passed_to_them() {
    let json = r#"'{"a":[{"p":"tcp","n":22},{"p":"udp","n":53}],"b":[7]}'"#;
    let cases = [
        ("json_query(DOC, 'lax $.a[*] ? (@.n > 30).p')", r#""udp""#),
        ("json_query(DOC, 'lax $.a[*].n' WITH CONDITIONAL ARRAY WRAPPER)", "[22,53]"),
        ("json_query(DOC, 'lax $.b' WITH CONDITIONAL WRAPPER), json_query(DOC, 'lax $.b' WITH WRAPPER)", "[7] | [[7]]"),
        (
            "json_query(DOC, 'lax $.c' EMPTY ARRAY ON EMPTY), json_query(DOC, 'lax $.c' EMPTY OBJECT ON EMPTY)",
            "[] | {}",
        ),
        ("json_value(DOC, 'lax $.c' DEFAULT 'none' ON EMPTY DEFAULT 'wrong' ON ERROR)", "none"),
        (
            "json_value(DOC, 'lax $.b' NULL ON EMPTY DEFAULT 'wrong' ON ERROR), json_value(DOC, 'lax $.a' DEFAULT 'none' ON EMPTY)",
            "wrong |",
        ),
        ("json_value(DOC, 'strict $.c' DEFAULT 'none' ON EMPTY DEFAULT 'wrong' ON ERROR)", "wrong"),
        ("json_value(DOC, 'lax $.a[0].p' RETURNING BIGINT DEFAULT 1 ON EMPTY DEFAULT 2 ON ERROR)", "2"),
        (
            "json_value('{\"a\":null}', 'lax $.a' DEFAULT 'none' ON EMPTY DEFAULT 'wrong' ON ERROR), json_value(NULL, 'lax $.a' DEFAULT 'none' ON EMPTY)",
            "|",
        ),
        ("json_value('no JSON', 'lax $.a' DEFAULT 'none' ON EMPTY DEFAULT 'wrong' ON ERROR)", "wrong"),
        (
            "json_query(DOC, 'lax $.a[*]' EMPTY ARRAY ON EMPTY), json_query(DOC, 'lax $.a[*]' EMPTY OBJECT ON ERROR)",
            "| {}",
        ),
        ("json_value(DOC, 'lax $.a.size()' RETURNING BIGINT) + 1, json_value(DOC, 'lax $.a[last].p')", "3 | udp"),
        ("json_exists(DOC, 'lax $.a[*] ? (@.p == \"tcp\" && @.n <= 22)')", "true"),
        ("json_exists(DOC, 'lax $.a[*] ? (@.n > $low)' PASSING 60 AS \"low\")", "false"),
        ("json_exists(DOC, 'lax $.a[*] ? (@.n > $low && @.p == $p)' PASSING 30 AS \"low\", 'udp' AS p)", "true"),
        ("json_value(DOC FORMAT JSON, 'lax $.b[0] + $more[0]' PASSING '[5]' FORMAT JSON AS \"more\")", "12"),
    ];
    for (sql, expected) in cases {
        check_all(&[(&format!("SELECT {}", sql.replace("DOC", json)), expected)]).await;
    }
    let error = run(archive().path(), "SELECT json_value(requestParameters, 'lax $.a ? (@ >)') FROM cloudtrail").await;
    assert!(error.unwrap_err().to_string().contains("goes wrong at `)`: a path has names"));
}

#[tokio::test]
async fn a_subquery_names_json_of_a_table_around_it_with_dots() {
    check_all(&[
        (
            "SELECT eventid FROM cloudtrail a \
             WHERE EXISTS (SELECT 1 FROM (VALUES 'x') AS b (n) WHERE b.n = a.requestParameters.bucketName)",
            "b",
        ),
        (
            "SELECT eventid FROM cloudtrail a WHERE NOT EXISTS \
             (SELECT 1 FROM cloudtrail b WHERE b.requestParameters.bucketName = a.requestParameters.bucketName) ORDER BY 1",
            "a / c",
        ),
        (
            "SELECT (SELECT count(*) FROM cloudtrail b WHERE b.requestParameters.bucketName = a.requestParameters.BUCKETNAME) \
             FROM cloudtrail a WHERE eventid = 'b'",
            "1",
        ),
    ])
    .await;
}

#[tokio::test]
async fn a_list_that_is_computed_is_computed_once_where_it_is_unnested() {
    for (list, is_filtered) in
        [("map_keys(CAST(json_parse(requestparameters) AS map(varchar, json)))", false), ("resources", true)]
    {
        let dir = archive();
        let plan =
            run(dir.path(), &format!("EXPLAIN SELECT k FROM cloudtrail CROSS JOIN UNNEST({list}) AS t (k)")).await;
        assert_eq!(plan.unwrap().contains("cardinality("), is_filtered, "{list}");
    }
    check_all(&[
        (
            "SELECT eventid, k FROM cloudtrail \
             CROSS JOIN UNNEST(map_keys(CAST(json_parse(requestparameters) AS map(varchar, json)))) AS t (k) ORDER BY 1, 2",
            "b | bucketName",
        ),
        (
            "SELECT x, k, n FROM (VALUES (1, '7,8'), (2, NULL)) AS v (x, l) \
             CROSS JOIN UNNEST(split(l, ',')) WITH ORDINALITY AS t (k, n) ORDER BY 1, 3",
            "1 | 7 | 1 / 1 | 8 | 2",
        ),
        ("SELECT x, k FROM (VALUES (1, ARRAY[7]), (2, ARRAY[]), (3, NULL)) AS v (x, l) CROSS JOIN UNNEST(l) AS t (k)", "1 | 7"),
    ])
    .await;
}
