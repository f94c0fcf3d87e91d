//! Calls of functions that only Athena knows → other calls, or operators, that say the same.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, TypedString,
    UnaryOperator, Value, ValueWithSpan, visit_expressions_mut,
};
use regex::Regex;

use super::json_path::keys;
use super::template::{call_name, expression, positional, text, with_arguments};
use super::time_format::{Direction, chrono, chrono_of_joda, chrono_of_template, is_template};
use super::times::{
    AT_TIME_ZONE, as_text, as_texts_beside_one, complete, date_add, date_diff, is_date, is_time, time_format,
};
use super::{For, aggregates, is_address, rename};

/// Calls that are another call, or an operator, of their arguments: name, number of arguments, and what they are.
const SAME: &[(&str, usize, &str)] = &[
    ("any_match", 2, "array_any_match(arg1, arg2)"),
    ("array_average", 1, "array_avg(arg1)"),
    ("array_first", 1, "array_element(arg1, 1)"),
    ("array_last", 1, "array_element(arg1, -1)"),
    (
        "array_position",
        2,
        "CASE WHEN arg1 IS NOT NULL AND arg2 IS NOT NULL THEN CAST(coalesce(array_position(arg1, arg2), 0) AS BIGINT) END",
    ),
    ("array_remove", 2, "array_remove_all(arg1, arg2)"),
    ("arrays_overlap", 2, "array_has_any(arg1, arg2)"),
    ("at_timezone", 2, AT_TIME_ZONE),
    ("bitwise_and", 2, "(arg1 & arg2)"),
    ("bitwise_left_shift", 2, "(arg1 * CAST(power(2, arg2) AS BIGINT))"),
    ("bitwise_not", 1, "(-1 - arg1)"),
    ("bitwise_or", 2, "(arg1 | arg2)"),
    ("bitwise_right_shift", 2, "CAST(floor(arg1 / power(2.0, arg2)) AS BIGINT)"),
    ("bitwise_xor", 2, "((arg1 | arg2) - (arg1 & arg2))"),
    ("ceiling", 1, "ceil(arg1)"),
    ("codepoint", 1, "ascii(arg1)"),
    ("current_timezone", 0, "'UTC'"),
    ("date", 1, "CAST(arg1 AS DATE)"),
    ("day", 1, "date_part('day', arg1)"),
    ("day_of_month", 1, "date_part('day', arg1)"),
    ("day_of_week", 1, "date_part('isodow', arg1)"),
    ("day_of_year", 1, "date_part('doy', arg1)"),
    ("dow", 1, "date_part('isodow', arg1)"),
    ("doy", 1, "date_part('doy', arg1)"),
    ("e", 0, "exp(1.0)"),
    ("element_at", 2, "array_element(arg1, arg2)"),
    ("filter", 2, "array_filter(arg1, arg2)"),
    ("from_base64", 1, "decode(arg1, 'base64')"),
    ("from_hex", 1, "decode(arg1, 'hex')"),
    ("from_unixtime", 1, "from_unixtime(arg1, 'UTC')"),
    ("from_unixtime_nanos", 1, "arrow_cast(arg1, 'Timestamp(Nanosecond, Some(\"UTC\"))')"),
    ("from_utf8", 1, "CAST(arg1 AS VARCHAR)"),
    ("from_iso8601_date", 1, "CAST(arg1 AS DATE)"),
    ("from_iso8601_timestamp", 1, "arrow_cast(arg1, 'Timestamp(Microsecond, Some(\"UTC\"))')"),
    ("hour", 1, "date_part('hour', arg1)"),
    ("if", 2, "CASE WHEN arg1 THEN arg2 END"),
    ("if", 3, "CASE WHEN arg1 THEN arg2 ELSE arg3 END"),
    ("infinity", 0, "CAST('Infinity' AS DOUBLE)"),
    ("ip_subnet_range", 1, "make_array(ip_subnet_min(arg1), ip_subnet_max(arg1))"),
    ("is_nan", 1, "isnan(arg1)"),
    (
        "json_array_contains",
        2,
        "array_has(array_transform(json_get_array(arg1), v -> json_as_text(v)), CAST(arg2 AS VARCHAR))",
    ),
    ("json_array_get", 2, "json_get_json(arg1, arg2)"),
    ("json_array_length", 1, "CASE WHEN json_get_array(arg1) IS NOT NULL THEN json_length(arg1) END"),
    ("json_format", 1, "arg1"),
    ("json_parse", 1, "arg1"),
    ("last_day_of_month", 1, "CAST(date_trunc('month', arg1) + INTERVAL '1 month' - INTERVAL '1 day' AS DATE)"),
    ("levenshtein_distance", 2, "levenshtein(arg1, arg2)"),
    ("millisecond", 1, "(CAST(date_part('millisecond', arg1) AS BIGINT) % 1000)"),
    ("minute", 1, "date_part('minute', arg1)"),
    ("mod", 2, "(arg1 % arg2)"),
    ("month", 1, "date_part('month', arg1)"),
    ("nan", 0, "CAST('NaN' AS DOUBLE)"),
    ("none_match", 2, "(NOT array_any_match(arg1, arg2))"),
    ("quarter", 1, "date_part('quarter', arg1)"),
    ("rand", 0, "random()"),
    ("rand", 1, "CAST(floor(random() * arg1) AS BIGINT)"),
    ("rand", 2, "CAST(floor(arg1 + random() * (arg2 - arg1)) AS BIGINT)"),
    ("random", 1, "CAST(floor(random() * arg1) AS BIGINT)"),
    ("random", 2, "CAST(floor(arg1 + random() * (arg2 - arg1)) AS BIGINT)"),
    ("regexp_extract", 2, "array_element(regexp_match(arg1, concat('(', arg2, ')')), 1)"),
    ("regexp_extract", 3, "array_element(regexp_match(arg1, concat('(', arg2, ')')), arg3 + 1)"),
    ("regexp_position", 2, "CASE WHEN regexp_like(arg1, arg2) THEN regexp_instr(arg1, arg2) ELSE -1 END"),
    ("regexp_replace", 2, "regexp_replace(arg1, arg2, '', 'g')"),
    ("replace", 2, "replace(arg1, arg2, '')"),
    ("second", 1, "date_part('second', arg1)"),
    ("sequence", 2, "generate_series(arg1, arg2)"),
    ("sequence", 3, "generate_series(arg1, arg2, arg3)"),
    ("sign", 1, "signum(arg1)"),
    ("slice", 3, "array_slice(arg1, arg2, arg2 + arg3 - 1)"),
    ("split", 2, "string_to_array(arg1, arg2)"),
    (
        "split",
        3,
        "CASE WHEN cardinality(string_to_array(arg1, arg2)) > arg3 THEN array_append( \
         array_slice(string_to_array(arg1, arg2), 1, arg3 - 1), \
         array_to_string(array_slice(string_to_array(arg1, arg2), arg3, length(arg1) + 1), arg2)) \
         ELSE string_to_array(arg1, arg2) END",
    ),
    ("to_iso8601", 1, "to_char(arg1, '%Y-%m-%dT%H:%M:%S%.3fZ')"),
    ("to_utf8", 1, "arrow_cast(arg1, 'Binary')"),
    ("to_base64", 1, "encode(arg1, 'base64pad')"),
    ("transform", 2, "array_transform(arg1, arg2)"),
    ("trim_array", 2, "array_slice(arg1, 1, CAST(array_length(arg1) AS BIGINT) - arg2)"),
    ("truncate", 1, "trunc(arg1)"),
    ("truncate", 2, "trunc(arg1, arg2)"),
    ("typeof", 1, "arrow_typeof(arg1)"),
    ("url_extract_fragment", 1, "array_element(regexp_match(arg1, '#(.*)$'), 1)"),
    (
        "url_extract_host",
        1,
        "array_element(regexp_match(arg1, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?([^/:?#]*)'), 1)",
    ),
    (
        "url_extract_port",
        1,
        "CAST(array_element(regexp_match(arg1, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?[^/:?#]*:([0-9]+)'), 1) AS BIGINT)",
    ),
    ("url_extract_parameter", 2, "url_decode(array_element(regexp_match(arg1, concat('[?&]', arg2, '=([^&#]*)')), 1))"),
    ("url_extract_path", 1, "array_element(regexp_match(arg1, '^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*([^?#]*)'), 1)"),
    ("url_extract_protocol", 1, "array_element(regexp_match(arg1, '^([A-Za-z][A-Za-z0-9+.-]*):'), 1)"),
    ("url_extract_query", 1, "array_element(regexp_match(arg1, '[?]([^#]*)'), 1)"),
    ("from_base64url", 1, "decode(translate(arg1, '-_', '+/'), 'base64')"),
    ("is_finite", 1, "(NOT isnan(arg1) AND abs(arg1) < CAST('Infinity' AS DOUBLE))"),
    ("is_infinite", 1, "(abs(arg1) = CAST('Infinity' AS DOUBLE))"),
    ("is_private_ip", 1, "ip_is_private(arg1)"),
    (
        "regexp_position",
        3,
        "CASE WHEN regexp_instr(arg1, arg2, arg3) > 0 THEN regexp_instr(arg1, arg2, arg3) ELSE -1 END",
    ),
    (
        "regexp_position",
        4,
        "CASE WHEN regexp_instr(arg1, arg2, arg3, arg4) > 0 THEN regexp_instr(arg1, arg2, arg3, arg4) ELSE -1 END",
    ),
    ("strpos", 3, "strpos_of(arg1, arg2, arg3)"),
    (
        "timezone_hour",
        1,
        "((arrow_cast(arrow_cast(to_local_time(arg1), 'Timestamp(Second, None)'), 'Int64') - arrow_cast(arrow_cast(arg1, 'Timestamp(Second, Some(\"+00:00\"))'), 'Int64')) / 3600)",
    ),
    (
        "timezone_minute",
        1,
        "((arrow_cast(arrow_cast(to_local_time(arg1), 'Timestamp(Second, None)'), 'Int64') - arrow_cast(arrow_cast(arg1, 'Timestamp(Second, Some(\"+00:00\"))'), 'Int64')) % 3600 / 60)",
    ),
    ("to_base64url", 1, "translate(encode(arg1, 'base64pad'), '+/', '-_')"),
    ("week", 1, "date_part('week', arg1)"),
    ("week_of_year", 1, "date_part('week', arg1)"),
    (
        "width_bucket",
        4,
        "CAST(CASE WHEN arg1 < arg2 THEN 0 WHEN arg1 >= arg3 THEN arg4 + 1 \
         ELSE floor((CAST(arg1 AS DOUBLE) - arg2) * arg4 / (CAST(arg3 AS DOUBLE) - arg2)) + 1 END AS BIGINT)",
    ),
    (
        "width_bucket",
        2,
        "CASE WHEN arg1 IS NOT NULL THEN CAST(cardinality(array_filter(arg2, bound -> bound <= arg1)) AS BIGINT) END",
    ),
    ("with_timezone", 2, "(arg1 AT TIME ZONE arg2)"),
    ("year", 1, "date_part('year', arg1)"),
    ("year_of_week", 1, "date_part('isoyear', arg1)"),
    ("yow", 1, "date_part('isoyear', arg1)"),
    ("zip", 2, "arrays_zip(arg1, arg2)"),
    ("day_name", 1, "to_char(arg1, '%A')"),
    ("json_extract_items", 1, "json_get_array(arg1)"),
    ("json_extract_text", 1, "json_as_text(arg1)"),
    ("json_extract_whole", 1, "json_whole(arg1)"),
    ("json_extract_array", 1, "array_transform(json_get_array(arg1), v -> json_as_text(v))"),
    ("json_extract_wholes", 1, "array_transform(json_get_array(arg1), v -> json_whole(v))"),
];

/// Names of Athena that are not only put in other words, and how many arguments they take.
const OTHERS: [(&str, &[usize]); 31] = [
    ("all_match", &[2]),
    ("approx_percentile", &[2]),
    ("any_value", &[1]),
    ("approx_distinct", &[1, 2]),
    ("arbitrary", &[1]),
    ("array_sort", &[1, 2]),
    ("cardinality", &[1]),
    ("contains", &[2]),
    ("count_if", &[1]),
    ("date_add", &[3]),
    ("date_diff", &[3]),
    ("date_format", &[2]),
    ("date_parse", &[2]),
    ("every", &[1]),
    ("format_datetime", &[2]),
    ("json_exists", &[2]),
    ("json_extract", &[2]),
    ("json_extract_scalar", &[2]),
    ("json_query", &[2]),
    ("json_size", &[2]),
    ("json_value", &[2]),
    ("listagg", &[2]),
    ("max_by", &[2, 3]),
    ("min_by", &[2, 3]),
    ("parse_datetime", &[2]),
    ("set_agg", &[1]),
    ("substring", &[2, 3]),
    ("to_hex", &[1]),
    ("try", &[1]),
    ("variance", &[1]),
    ("with_timezone", &[2]),
];

/// Names of functions that Athena has and DataFusion has not, or otherwise.
pub fn names() -> Vec<&'static str> {
    let same = SAME.iter().chain(aggregates::COMPOSED).map(|(name, ..)| *name);
    same.chain(OTHERS.iter().map(|(name, _)| *name)).collect()
}

/// How many arguments such a function takes; empty for any other name.
pub fn counts(name: &str) -> Vec<usize> {
    let same = SAME.iter().chain(aggregates::COMPOSED).filter(|(same, ..)| *same == name).map(|(_, count, _)| *count);
    let other = OTHERS.iter().filter(|(other, _)| *other == name).flat_map(|(_, counts)| *counts).copied();
    same.chain(other).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Functions whose first argument is text, which CloudTrail's `eventTime` is in AWS's table for Athena.
const TEXT_FUNCTIONS: [&str; 12] = [
    "lower",
    "regexp_like",
    "regexp_extract",
    "replace",
    "reverse",
    "split",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "to_utf8",
    "upper",
];

/// A call of [`SAME`] in DataFusion's words.
pub fn same(name: &str, args: &[&Expr]) -> Option<Expr> {
    let same = SAME.iter().find(|(same, count, _)| *same == name && *count == args.len());
    same.map(|(_, _, template)| with_arguments(template, args))
}

pub fn function(call: &mut Function, who: For) -> anyhow::Result<Option<Expr>> {
    let Some(name) = call_name(call) else { return Ok(None) };
    if let (true, Some(other)) = (who == For::Query, aggregates::in_window(&name, call)) {
        return Ok(Some(other));
    }
    if let Some(other) = aggregates::composed(&name, call, who)? {
        return Ok(Some(other));
    }
    if aggregates::translate(&name, call, who) {
        return Ok(if who == For::Query { aggregates::joined(call) } else { None });
    }
    if TEXT_FUNCTIONS.contains(&name.as_str())
        && let Some(first) = first_argument(call)
    {
        as_text(first);
    }
    if let (FunctionArguments::None, "localtime" | "localtimestamp") = (&call.args, name.as_str()) {
        let kind = if name == "localtime" { "TIME" } else { "TIMESTAMP" };
        return Ok(Some(expression(&format!("CAST(now() AS {kind})"))));
    }
    let Some(args) = positional(call) else { return Ok(None) };
    Ok(match (name.as_str(), args.as_slice()) {
        // what is found and gives nothing is one of several, or of another type, which is wrong
        ("json_default", [value, on_empty, on_error, asked @ ..]) if who == For::Query => Some(with_arguments(
            "CASE arg4 WHEN 'empty' THEN arg2 WHEN 'error' THEN arg3 WHEN 'found' THEN coalesce(arg1, arg3) ELSE arg1 END",
            &[value, on_empty, on_error, &of_path("outcome", asked)],
        )),
        ("json_default", [value, on_empty, on_error, ..]) => {
            Some(with_arguments("coalesce(arg1, arg2, arg3)", &[value, on_empty, on_error]))
        }
        ("json_value", [_, _, ..]) if who == For::Query => {
            Some(with_arguments("json_scalar(arg1)", &[&of_path("item", &args)]))
        }
        ("json_query", [_, _, ..]) if who == For::Query => Some(of_path("item", &args)),
        ("json_query_array", [_, _, ..]) if who == For::Query => Some(of_path("array", &args)),
        ("json_query_several", [_, _, ..]) if who == For::Query => Some(of_path("several", &args)),
        ("json_query_text", [_, _, ..]) if who == For::Query => {
            Some(with_arguments("json_as_text(arg1)", &[&of_path("item", &args)]))
        }
        ("json_exists", [_, path, ..]) if who == For::Query && text(path).is_some_and(is_path) => {
            Some(of_path("exists", &args))
        }
        ("json_extract_scalar" | "json_value", [json, path]) => {
            let keys = keys(path)?;
            // Athena's answer is null for an object and a list, which text is for `->>`
            let template = match who {
                For::Query => format!("json_scalar(json_get_json(arg1{keys}))"),
                // in words of which the engine knows where in JSON they look
                For::Rule => format!(
                    "CASE WHEN left(json_get_json(arg1{keys}), 1) IN ('{{', '[') THEN NULL ELSE json_as_text(arg1{keys}) END"
                ),
            };
            Some(with_arguments(&template, &[json]))
        }
        ("json_extract" | "json_query", [json, path]) => {
            Some(with_arguments(&format!("json_get_json(arg1{})", keys(path)?), &[json]))
        }
        ("json_extract_text", [json, path]) => {
            Some(with_arguments(&format!("json_as_text(arg1{})", keys(path)?), &[json]))
        }
        ("json_extract_whole", [json, path]) => {
            Some(with_arguments(&format!("json_whole(json_get_json(arg1{}))", keys(path)?), &[json]))
        }
        ("json_extract_array", [json, path]) => {
            let template = "array_transform(json_get_array(arg1KEYS), v -> json_as_text(v))";
            Some(with_arguments(&template.replace("KEYS", &keys(path)?), &[json]))
        }
        ("json_extract_wholes", [json, path]) => {
            let template = "array_transform(json_get_array(arg1KEYS), v -> json_whole(v))";
            Some(with_arguments(&template.replace("KEYS", &keys(path)?), &[json]))
        }
        ("json_extract_items", [json, path]) => {
            Some(with_arguments(&format!("json_get_array(arg1{})", keys(path)?), &[json]))
        }
        ("json_size", [json, path]) => Some(with_arguments(&format!("json_length(arg1{})", keys(path)?), &[json])),
        // of ours, too, whose arguments are names and not a path
        ("json_exists", [json, path]) if text(path).is_some_and(is_path) => {
            Some(with_arguments(&format!("json_exists(arg1{})", keys(path)?), &[json]))
        }
        ("all_match", [list, Expr::Lambda(lambda)]) => {
            let mut other = lambda.clone();
            let body = Box::new(Expr::Nested(lambda.body.clone()));
            other.body = Box::new(Expr::UnaryOp { op: UnaryOperator::Not, expr: body });
            Some(with_arguments("(NOT array_any_match(arg1, arg2))", &[list, &Expr::Lambda(other)]))
        }
        // a network that is no constant
        ("contains", [network, Expr::Function(address)])
            if who == For::Query && text(network).is_none() && call_name(address).as_deref() == Some("ip_address") =>
        {
            Some(with_arguments("is_subnet_of(arg1, arg2)", &[network, &args[1]]))
        }
        // CloudTrail Lake has maps where JSON text is here
        // what they do depends on the type of what they are asked of
        ("element_at" | "contains" | "cardinality" | "typeof" | "to_iso8601", _) if who == For::Query => None,
        // null where one of them is, which PostgreSQL passes over
        ("greatest" | "least", [_, _, ..]) if who == For::Query => {
            let names: Vec<String> = (1..=args.len()).map(|place| format!("arg{place}")).collect();
            let all_are_there = names.iter().map(|arg| format!("{arg} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
            let template = format!("CASE WHEN {all_are_there} THEN {name}({}) END", names.join(", "));
            Some(with_arguments(&template, &args.iter().collect::<Vec<_>>()))
        }
        // null, where PostgreSQL has an empty text
        ("split_part", [whole, between, place]) if who == For::Query => {
            let template = "CASE WHEN greatest(cardinality(string_to_array(arg1, arg2)), 1) >= arg3 THEN split_part(arg1, arg2, arg3) END";
            Some(with_arguments(template, &[whole, between, place]))
        }
        // of an empty text one part, where PostgreSQL has none
        ("split", [whole, between]) if who == For::Query => {
            let template = "CASE WHEN arg1 = '' THEN make_array('') ELSE string_to_array(arg1, arg2) END";
            Some(with_arguments(template, &[whole, between]))
        }
        // of symbols DataFusion 55 has symbols, too, for their lengths
        ("length", [text]) if who == For::Query => Some(with_arguments("CAST(length(arg1) AS BIGINT)", &[text])),
        ("to_unixtime", [time]) if who == For::Query => {
            let micros = "arrow_cast(arrow_cast(arg1, 'Timestamp(Microsecond, None)'), 'Int64')";
            Some(with_arguments(&format!("(CAST({micros} AS DOUBLE) / 1000000)"), &[time]))
        }
        ("from_iso8601_timestamp", [time]) if text(time).is_some_and(|time| complete(time).is_some()) => {
            let whole = text(time).and_then(complete).unwrap_or_default();
            let whole = Expr::Value(Value::SingleQuotedString(whole).with_empty_span());
            Some(with_arguments("arrow_cast(arg1, 'Timestamp(Microsecond, Some(\"UTC\"))')", &[&whole]))
        }
        ("element_at", [map, key]) if text(key).is_some() => {
            Some(with_arguments("json_as_text(arg1, arg2)", &[map, key]))
        }
        ("contains", [network, Expr::Cast { expr, data_type, .. }]) if is_address(data_type) => {
            Some(with_arguments("cidr_match(arg1, arg2)", &[expr, network]))
        }
        ("contains", [list, _]) if is_list(list) => {
            Some(with_arguments("array_has(arg1, arg2)", &[&args[0], &args[1]]))
        }
        ("array_sort", [list, order @ Expr::Lambda(_)]) => {
            Some(with_arguments("array_sort_by(arg1, arg2)", &[list, order]))
        }
        // DataFusion has nulls first
        ("array_sort", [list]) if who == For::Query => {
            Some(with_arguments("array_sort(arg1, 'ASC', 'NULLS LAST')", &[list]))
        }
        ("try", [tried]) => Some(trying(tried)),
        ("json_parse", [json]) if who == For::Query => Some(with_arguments("json_checked(arg1)", &[json])),
        // how many digits a second has
        ("now" | "current_timestamp" | "current_time", [Expr::Value(_)]) if who == For::Query => {
            Some(expression(match name.as_str() {
                "current_time" => "current_time",
                _ => "now()",
            }))
        }
        // null where one of the items is, or may be what both have
        ("array_max" | "array_min", [list]) if who == For::Query => Some(with_arguments(
            &format!("CASE WHEN NOT coalesce(array_any_match(arg1, v -> v IS NULL), false) THEN {name}(arg1) END"),
            &[list],
        )),
        ("arrays_overlap", [one, other]) if who == For::Query => Some(with_arguments(
            "CASE WHEN array_has_any(arg1, arg2) THEN true WHEN array_any_match(arg1, v -> v IS NULL) AND cardinality(arg2) > 0 \
             OR array_any_match(arg2, v -> v IS NULL) AND cardinality(arg1) > 0 THEN NULL ELSE array_has_any(arg1, arg2) END",
            &[one, other],
        )),
        ("repeat", [value, count]) if who == For::Query => {
            Some(with_arguments("array_repeat(arg1, arg2)", &[value, count]))
        }
        ("zip", [_, _, _, ..]) => {
            let names: Vec<String> = (1..=args.len()).map(|place| format!("arg{place}")).collect();
            let template = format!("arrays_zip({})", names.join(", "));
            Some(with_arguments(&template, &args.iter().collect::<Vec<_>>()))
        }
        ("sequence", [from, to]) if who == For::Query && !is_date(from) => {
            Some(with_arguments("generate_series(arg1, arg2, CASE WHEN arg1 <= arg2 THEN 1 ELSE -1 END)", &[from, to]))
        }
        ("date_parse" | "parse_datetime", [time, _]) if is_time(time) => Some(time.clone()),
        ("date_parse", [time, format]) => {
            let format = time_format(&name, format, |format| chrono(format, Direction::Read))?;
            let template = match who {
                // a time without a zone
                For::Query => "arrow_cast(moment_of(arg1, arg2), 'Timestamp(Microsecond, None)')",
                For::Rule => "moment_of(arg1, arg2)",
            };
            Some(with_arguments(template, &[time, &format]))
        }
        ("parse_datetime", [time, format]) => {
            let format = time_format(&name, format, |format| chrono_of_joda(format, Direction::Read))?;
            Some(with_arguments("moment_of(arg1, arg2)", &[time, &format]))
        }
        ("substr" | "substring", [text, from, rest @ ..]) => from_the_end(text, from, rest.first(), who),
        ("to_hex", [Expr::Value(ValueWithSpan { value: Value::HexStringLiteral(_), .. })]) => {
            Some(with_arguments("upper(encode(arg1, 'hex'))", &[&args[0]]))
        }
        ("to_hex", [Expr::Function(hash)]) => match call_name(hash).as_deref() {
            Some("md5") => Some(with_arguments("upper(arg1)", &[&args[0]])),
            Some("sha224" | "sha256" | "sha384" | "sha512" | "decode") => {
                Some(with_arguments("upper(encode(arg1, 'hex'))", &[&args[0]]))
            }
            Some("sha1") => Some(with_arguments("upper(encode(arg1, 'hex'))", &[&args[0]])),
            Some("arrow_cast") if args[0].to_string().ends_with("'Binary')") => {
                Some(with_arguments("upper(encode(arg1, 'hex'))", &[&args[0]]))
            }
            _ => None,
        },
        ("sequence", [from, to]) if is_date(from) => Some(with_arguments(
            "generate_series(arg1, arg2, CASE WHEN arg1 <= arg2 THEN INTERVAL '1 day' ELSE INTERVAL '-1 day' END)",
            &[from, to],
        )),
        // null where one of them is, which PostgreSQL passes over
        ("concat", [_, _, ..]) => {
            let mut parts = args.clone();
            if who == For::Query {
                parts.iter_mut().for_each(as_text);
            }
            let names: Vec<String> = (1..=parts.len()).map(|place| format!("arg{place}")).collect();
            Some(with_arguments(&format!("({})", names.join(" || ")), &parts.iter().collect::<Vec<_>>()))
        }
        ("coalesce" | "nullif", [_, _, ..]) if who == For::Query && args.iter().any(is_time) => {
            let mut parts = args.clone();
            as_texts_beside_one(&mut parts.iter_mut().collect::<Vec<_>>());
            let names: Vec<String> = (1..=parts.len()).map(|place| format!("arg{place}")).collect();
            Some(with_arguments(&format!("{name}({})", names.join(", ")), &parts.iter().collect::<Vec<_>>()))
        }
        // in every place, and not in the first
        ("regexp_replace", [text, pattern, with]) => {
            Some(with_arguments("regexp_replace(arg1, arg2, arg3, 'g')", &[text, pattern, &groups_apart(with)]))
        }
        ("from_unixtime", [seconds]) if who == For::Query || has_fraction(seconds) => {
            let moment = "arrow_cast(CAST(arg1 * 1000 AS BIGINT), 'Timestamp(Millisecond, Some(\"UTC\"))')";
            Some(with_arguments(moment, &[seconds]))
        }
        ("date_format", [time, format]) => {
            let format = time_format(&name, format, |format| chrono(format, Direction::Write))?;
            Some(with_arguments("to_char(arg1, arg2)", &[time, &format]))
        }
        ("format_datetime", [time, format]) => {
            let format = time_format(&name, format, |format| chrono_of_joda(format, Direction::Write))?;
            Some(with_arguments("to_char(arg1, arg2)", &[time, &format]))
        }
        // PostgreSQL's too, and DataFusion has chrono's, in which such letters stand for themselves
        ("to_char", [time, format]) if text(format).is_some_and(is_template) => {
            let format = time_format(&name, format, |format| chrono_of_template(format, Direction::Write))?;
            Some(with_arguments("to_char(arg1, arg2)", &[time, &format]))
        }
        ("to_date", [time, format]) if text(format).is_some_and(is_template) => {
            let format = time_format(&name, format, |format| chrono_of_template(format, Direction::Read))?;
            Some(with_arguments("CAST(moment_of(arg1, arg2) AS DATE)", &[time, &format]))
        }
        ("to_timestamp", [time, format]) if text(format).is_some_and(is_template) => {
            let format = time_format(&name, format, |format| chrono_of_template(format, Direction::Read))?;
            Some(with_arguments("arrow_cast(moment_of(arg1, arg2), 'Timestamp(Microsecond, None)')", &[time, &format]))
        }
        ("date_add", [unit, count, time]) => Some(date_add(unit, count, time)?),
        ("date_diff", [unit, from, to]) => Some(date_diff(unit, from, to)?),
        _ => same(&name, &args.iter().collect::<Vec<_>>()),
    })
}

/// What SQL's path of JSON leads to, with what is passed to it.
fn of_path(what: &str, args: &[Expr]) -> Expr {
    let names: Vec<String> = (1..=args.len()).map(|place| format!("arg{place}")).collect();
    with_arguments(&format!("json_path_{what}({})", names.join(", ")), &args.iter().collect::<Vec<_>>())
}

/// Functions that have another, `try_` before the name, which is null in the place of an error.
const TRIED: [&str; 8] = [
    "from_base",
    "hamming_distance",
    "json_checked",
    "luhn_check",
    "moment_of",
    "parse_data_size",
    "parse_duration",
    "is_json_scalar",
];

/// The expression with null where one of its casts fails, a time cannot be read, or something is divided by zero. Nothing else in it fails.
fn trying(expr: &Expr) -> Expr {
    let mut tried = expr.clone();
    let _ = visit_expressions_mut(&mut tried, |expr| {
        match expr {
            Expr::Cast { kind, .. } => *kind = CastKind::TryCast,
            Expr::Function(call) => match call_name(call).as_deref() {
                Some(name) if TRIED.contains(&name) => rename(call, &format!("try_{name}")),
                Some("arrow_cast") => rename(call, "arrow_try_cast"),
                _ => {}
            },
            Expr::BinaryOp { op: BinaryOperator::Divide | BinaryOperator::Modulo, right, .. } => {
                **right = with_arguments("nullif(arg1, 0)", &[right]);
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    }); // the closure never breaks
    tried
}

/// The text of what replaces a pattern, with groups written so that no letter behind one is of its name: `$1x` as `${1}x`.
fn groups_apart(with: &Expr) -> Expr {
    static GROUP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$(\d)").expect("a pattern written here"));
    match text(with) {
        Some(text) => {
            let apart = GROUP.replace_all(text, "$${$1}").into_owned();
            Expr::Value(Value::SingleQuotedString(apart).with_empty_span())
        }
        None => with.clone(),
    }
}

/// Whether an expression is certainly no whole number.
fn has_fraction(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => {
            matches!(&value.value, Value::Number(digits, _) if digits.to_string().contains(['.', 'e', 'E']))
        }
        Expr::Nested(inner) => has_fraction(inner),
        Expr::Cast { data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
            matches!(data_type, DataType::Double(_) | DataType::DoublePrecision | DataType::Real | DataType::Decimal(_))
        }
        Expr::BinaryOp { left, right, .. } => has_fraction(left) || has_fraction(right),
        _ => false,
    }
}

/// `substr(name, -3)`, which counts from the end and in PostgreSQL from before the beginning. In queries it is empty from 0, from before the
/// beginning, and where its length is below 0, as that of `substr(name, 1, strpos(name, '/') - 1)` may be.
pub fn from_the_end(text: &Expr, from: &Expr, length: Option<&Expr>, who: For) -> Option<Expr> {
    let place = from.to_string().replace(' ', "").parse::<i32>().ok();
    let back = place.filter(|place| *place < 0).map(i32::unsigned_abs);
    if who == For::Rule {
        let last = with_arguments(&format!("right(arg1, {})", back?), &[text]);
        return Some(match length {
            Some(length) => with_arguments("left(arg1, arg2)", &[&last, length]),
            None => last,
        });
    }
    let is_computed = length.is_some_and(|length| length.to_string().parse::<u32>().is_err());
    let length = length.map(|length| match is_computed {
        true => with_arguments("CASE WHEN arg1 < 0 THEN 0 ELSE arg1 END", &[length]),
        false => length.clone(),
    });
    let (first, cut) = match &length {
        Some(_) => ("substr(arg1, arg2, arg3)", "left(LAST, arg3)"),
        None => ("substr(arg1, arg2)", "LAST"),
    };
    let last = |back: &str| cut.replace("LAST", &format!("right(arg1, {back})"));
    let template = match (place, back) {
        (Some(0), _) => "left(arg1, 0)".to_owned(),
        (_, Some(back)) => {
            format!("CASE WHEN length(arg1) < {back} THEN left(arg1, 0) ELSE {} END", last(&back.to_string()))
        }
        (Some(_), None) if !is_computed => return None,
        (Some(_), None) => first.to_owned(),
        (None, None) if is_from_one_on(from) && !is_computed => return None,
        (None, None) if is_from_one_on(from) => first.to_owned(),
        (None, None) => format!(
            "CASE WHEN arg2 > 0 THEN {first} WHEN arg2 = 0 OR -arg2 > length(arg1) THEN left(arg1, 0) ELSE {} END",
            last("-arg2")
        ),
    };
    Some(with_arguments(&template, &[text, from].into_iter().chain(&length).collect::<Vec<_>>()))
}

/// Whether it is certainly a place from 1 on, as `strpos(arn, '/') + 1`.
fn is_from_one_on(place: &Expr) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Plus, right } = place else { return false };
    let is_count = match left.as_ref() {
        Expr::Function(call) => call_name(call).is_some_and(|name| ["strpos", "length"].contains(&name.as_str())),
        Expr::Position { .. } => true,
        // `length` in DataFusion's words
        Expr::Cast { expr, .. } => expr.to_string().starts_with("length("),
        _ => false,
    };
    is_count && right.to_string().parse::<u32>().is_ok_and(|more| more > 0)
}

fn first_argument(call: &mut Function) -> Option<&mut Expr> {
    match &mut call.args {
        FunctionArguments::List(list) => match list.args.first_mut()? {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a text is a path and not a name.
fn is_path(text: &str) -> bool {
    ["$.", "$[", "lax $", "strict $"].iter().any(|start| text.starts_with(start))
}

/// Calls that give a list.
const LISTS: [&str; 19] = [
    "array_agg",
    "array_concat",
    "array_distinct",
    "array_except",
    "array_filter",
    "array_intersect",
    "array_remove",
    "array_remove_all",
    "array_slice",
    "array_sort",
    "array_sort_by",
    "array_transform",
    "array_union",
    "flatten",
    "json_get_array",
    "json_texts",
    "string_to_array",
    "texts",
    "zip_with",
];

/// Whether an expression in DataFusion's words is certainly a list.
fn is_list(expr: &Expr) -> bool {
    match expr {
        Expr::Array(_) => true,
        Expr::Nested(inner) => is_list(inner),
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Array(_)),
        Expr::Function(call) => call_name(call).is_some_and(|name| LISTS.contains(&name.as_str())),
        _ => false,
    }
}
