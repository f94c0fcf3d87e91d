//! A function of Athena that there is not, or of another engine → what is written here.

/// Of functions of windows.
const OVER: &str = "it stands with a window behind it, OVER (PARTITION BY sourceIPAddress ORDER BY eventTime)";

/// In the order of their names.
const INSTEAD: &[(&str, &str)] = &[
    ("age", "max(eventTime) - min(eventTime), or date_diff('hour', from, to)"),
    ("approx_count_distinct", "approx_distinct(x)"),
    ("approx_set", "approx_distinct(x) counts the distinct values"),
    ("arg_max", "max_by(eventName, eventTime)"),
    ("arg_min", "min_by(eventName, eventTime)"),
    ("array_histogram", "SELECT histogram(x) FROM UNNEST(list) AS t (x)"),
    ("array_size", "cardinality(list)"),
    ("bin", "date_bin('5 minutes', eventTime)"),
    ("charindex", "strpos(text, 'a')"),
    ("checksum", "to_hex(md5(to_utf8(listagg(eventID, ',') WITHIN GROUP (ORDER BY eventID))))"),
    ("collect_list", "array_agg(x)"),
    ("collect_set", "set_agg(x)"),
    ("combinations", "FROM UNNEST(list) AS t (x) JOIN UNNEST(list) AS u (y) ON x < y has the pairs"),
    ("contains_sequence", "array_has_all(list, ARRAY['a', 'b']) is asked of items in any order"),
    ("convert_timezone", "at_timezone(eventTime, 'Europe/Berlin')"),
    ("count_distinct", "count(DISTINCT x)"),
    ("crc32", "to_hex(md5(to_utf8(text))) tells texts apart as well"),
    ("cume_dist", OVER),
    ("date_part_year", "year(eventTime)"),
    ("dateadd", "date_add('day', 1, eventTime)"),
    ("datediff", "date_diff('day', from, to)"),
    ("datefloor", "date_trunc('hour', eventTime)"),
    ("dense_rank", OVER),
    ("earliest", "min_by(eventName, eventTime)"),
    ("epoch", "to_unixtime(eventTime)"),
    ("explode", "FROM cloudtrail CROSS JOIN UNNEST(resources) AS t (r)"),
    ("first", "min_by(eventName, eventTime)"),
    ("frommillis", "from_unixtime(milliseconds / 1000)"),
    ("get_json_object", "json_extract_scalar(requestParameters, '$.bucketName')"),
    ("getdate", "now()"),
    ("group_concat", "listagg(x, ',') WITHIN GROUP (ORDER BY x)"),
    ("hmac_md5", "hashes have no key: to_hex(sha256(to_utf8(text)))"),
    ("hmac_sha1", "hashes have no key: to_hex(sha256(to_utf8(text)))"),
    ("hmac_sha256", "hashes have no key: to_hex(sha256(to_utf8(text)))"),
    ("hmac_sha512", "hashes have no key: to_hex(sha512(to_utf8(text)))"),
    ("host", "addresses are texts: srcaddr"),
    ("ilike", "lower(eventName) LIKE 'get%'"),
    ("inet_aton", "addresses compare as CAST(srcaddr AS IPADDRESS)"),
    ("ipaddress", "CAST(srcaddr AS IPADDRESS)"),
    ("isempty", "coalesce(errorCode, '') = ''"),
    ("isipinsubnet", "cidr_match(srcaddr, '10.0.0.0/8')"),
    ("isipv4insubnet", "cidr_match(srcaddr, '10.0.0.0/8')"),
    ("isipv6insubnet", "cidr_match(srcaddr, '2001:db8::/32')"),
    ("isnull", "coalesce(errorCode, 'none'), or errorCode IS NULL"),
    ("ispresent", "errorCode IS NOT NULL"),
    (
        "json_array_elements",
        "CROSS JOIN UNNEST(CAST(json_extract(requestParameters, '$.items') AS ARRAY(JSON))) AS t (item)",
    ),
    (
        "json_array_elements_text",
        "CROSS JOIN UNNEST(CAST(json_extract(requestParameters, '$.items') AS ARRAY(VARCHAR))) AS t (item)",
    ),
    ("json_build_object", "json_object('name' : eventName)"),
    ("json_each", "CROSS JOIN UNNEST(CAST(json_parse(requestParameters) AS MAP(VARCHAR, JSON))) AS t (key, value)"),
    (
        "json_each_text",
        "CROSS JOIN UNNEST(CAST(json_parse(requestParameters) AS MAP(VARCHAR, JSON))) AS t (key, value)",
    ),
    ("json_extract_path", "json_extract(requestParameters, '$.instancesSet.items')"),
    ("json_extract_path_text", "json_extract_scalar(requestParameters, '$.bucketName')"),
    ("json_extract_string", "json_extract_scalar(requestParameters, '$.bucketName')"),
    ("json_tuple", "json_extract_scalar(requestParameters, '$.bucketName')"),
    (
        "jsonb_array_elements",
        "CROSS JOIN UNNEST(CAST(json_extract(requestParameters, '$.items') AS ARRAY(JSON))) AS t (item)",
    ),
    (
        "jsonb_array_elements_text",
        "CROSS JOIN UNNEST(CAST(json_extract(requestParameters, '$.items') AS ARRAY(VARCHAR))) AS t (item)",
    ),
    ("jsonb_build_object", "json_object('name' : eventName)"),
    ("jsonb_each", "CROSS JOIN UNNEST(CAST(json_parse(requestParameters) AS MAP(VARCHAR, JSON))) AS t (key, value)"),
    (
        "jsonb_each_text",
        "CROSS JOIN UNNEST(CAST(json_parse(requestParameters) AS MAP(VARCHAR, JSON))) AS t (key, value)",
    ),
    ("jsonb_extract_path_text", "json_extract_scalar(requestParameters, '$.bucketName')"),
    ("jsonb_path_exists", "json_exists(requestParameters, 'lax $.bucketName')"),
    ("jsonb_path_query", "json_query(requestParameters, 'lax $.items[*].id' WITH ARRAY WRAPPER)"),
    ("jsonb_path_query_array", "json_query(requestParameters, 'lax $.items[*].id' WITH ARRAY WRAPPER)"),
    ("jsonb_pretty", "json_format(json_parse(requestParameters))"),
    ("lag", OVER),
    ("last", "max_by(eventName, eventTime)"),
    ("latest", "max_by(eventName, eventTime)"),
    ("lead", OVER),
    ("len", "length(text)"),
    ("make_interval", "INTERVAL '1' HOUR"),
    ("mode", "approx_most_frequent(1, x, 10)"),
    ("multimap_from_entries", "multimap_agg(k, v) behind FROM UNNEST(entries) AS t (k, v)"),
    ("murmur3", "to_hex(md5(to_utf8(text))) tells texts apart as well"),
    ("normalize", "lower(text) compares letters in any case"),
    ("ntile", OVER),
    ("numeric_histogram", "SELECT floor(bytes / 1000) AS thousands, count(*) FROM vpc_flow GROUP BY 1"),
    ("parse_json", "json_parse(text)"),
    ("parse_url", "url_extract_host(url), url_extract_path(url)"),
    ("pct", "approx_percentile(bytes, 0.95)"),
    ("percent_rank", OVER),
    ("percentile", "approx_percentile(bytes, 0.95)"),
    ("percentile_approx", "approx_percentile(bytes, 0.95)"),
    ("pg_size_pretty", "format('%.1f MB', sum(bytes) / 1e6)"),
    ("rank", OVER),
    ("regexp_matches", "regexp_like(eventName, '^Get')"),
    ("regexp_substr", "regexp_extract(userAgent, '[a-z]+')"),
    ("rlike", "regexp_like(eventName, '^Get')"),
    ("row_number", OVER),
    ("row_to_json", "json_format(CAST(userIdentity AS JSON))"),
    ("safe_cast", "try_cast(x AS BIGINT)"),
    ("shuffle", "array_agg(x ORDER BY random()) behind FROM UNNEST(list) AS t (x)"),
    ("size", "cardinality(list)"),
    ("split_to_multimap", "split_to_map(text, '&', '=') keeps the first value of each key"),
    ("str_to_map", "split_to_map(text, '&', '=')"),
    ("strcontains", "strpos(eventName, 'Get') > 0, or eventName LIKE '%Get%'"),
    ("strftime", "date_format(eventTime, '%Y-%m-%d')"),
    ("string_split", "split(text, ',')"),
    ("strlen", "length(text)"),
    ("tdigest_agg", "approx_percentile(bytes, 0.95)"),
    ("time_bucket", "date_bin(INTERVAL '5 minutes', eventTime)"),
    ("timestampdiff", "date_diff('minute', from, to)"),
    ("timezone", "eventTime AT TIME ZONE 'Europe/Berlin'"),
    ("tomillis", "to_unixtime(eventTime) * 1000"),
    ("unix_timestamp", "to_unixtime(eventTime)"),
    ("word_stem", "starts_with(text, 'run')"),
    ("xxhash64", "to_hex(md5(to_utf8(text))) tells texts apart as well"),
];

pub fn of(function: &str) -> Option<&'static str> {
    let place = INSTEAD.binary_search_by_key(&function, |(name, _)| name).ok()?;
    Some(INSTEAD[place].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found() {
        assert!(INSTEAD.iter().all(|(name, instead)| of(name) == Some(instead)));
        assert_eq!(of("count"), None);
    }
}
