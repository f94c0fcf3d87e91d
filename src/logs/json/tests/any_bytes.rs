//! Whatever the bytes are, and wherever they are cut: what holds of the rows.

use proptest::prelude::*;

use super::*;

/// Any JSON value, not too deep.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        "\\PC*|[a-z\"\\\\\n{}\\[\\],:]{0,20}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::vec(("[a-z\"\\\\]{0,6}", inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A record with any values in some columns.
fn record() -> impl Strategy<Value = serde_json::Value> {
    let names = ["userAgent", "errorMessage", "requestParameters", "responseElements", "eventType", "other"];
    prop::collection::vec(value(), names.len()).prop_map(move |values| {
        let mut record = serde_json::Map::new();
        record.insert("eventName".to_owned(), "N".into());
        record.insert("eventSource".to_owned(), "S".into());
        for (name, value) in names.into_iter().zip(values) {
            record.insert(name.to_owned(), value);
        }
        serde_json::Value::Object(record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn pauses_change_nothing(count in 1usize..12, places in prop::collection::vec(0usize..6000, 0..8), shape in 0usize..4, zipped: bool) {
        let events: Vec<String> = (0..count).map(event).collect();
        let text = match shape {
            0 => events.join("\n") + "\n",
            1 => format!("{{\"Records\":[{}]}}", events.join(",")),
            2 => format!("[\n  {}\n]\n", events.join(",\n  ")),
            _ => "2 111122223333 eni-1 10.0.0.1 10.0.0.2 1 22 6 1 44 1674898496 1674898507 ACCEPT OK\n".repeat(count),
        };
        let mut bytes = text.clone().into_bytes();
        if zipped {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            bytes = encoder.finish().unwrap();
        }
        let mut places: Vec<usize> = places.into_iter().map(|place| place % bytes.len()).chain([0, bytes.len()]).collect();
        places.sort_unstable();
        places.dedup();
        let parts = places.windows(2).map(|ends| bytes[ends[0]..ends[1]].to_vec()).collect();
        let (rows, read) = halting(parts);
        prop_assert_eq!(reasons(&read), [""; 0]);
        prop_assert_eq!(rows.last(), Some(&count));
        if shape < 3 {
            prop_assert_eq!(ids(&read), ids(&read_text(&text)));
        }
    }

    #[test]
    fn any_record_has_the_values_that_serde_json_reads(records in prop::collection::vec(record(), 1..8), pretty: bool) {
        let text: String = records
            .iter()
            .map(|record| if pretty { serde_json::to_string_pretty(record) } else { serde_json::to_string(record) }.unwrap() + "\n")
            .collect();
        let read = read_text(text);
        prop_assert_eq!(reasons(&read), vec![""; 0]);
        for name in ["useragent", "errormessage", "eventtype"] {
            for (text, record) in column(&read, "cloudtrail", name).into_iter().zip(&records) {
                let key = match name { "useragent" => "userAgent", "errormessage" => "errorMessage", _ => "eventType" };
                match &record[key] {
                    serde_json::Value::Null => prop_assert_eq!(text, None),
                    serde_json::Value::String(expected) => prop_assert_eq!(text.as_ref(), Some(expected)),
                    other => prop_assert_eq!(&json(&text), other),
                }
            }
        }
        for (text, record) in column(&read, "cloudtrail", "requestparameters").iter().zip(&records) {
            let expected = &record["requestParameters"];
            let inner = expected.as_str().and_then(|text| serde_json::from_str(text).ok());
            match inner {
                Some(inner @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => prop_assert_eq!(json(text), inner),
                _ => prop_assert_eq!(&json(text), expected),
            }
        }
        for (text, record) in column(&read, "cloudtrail", "unmapped").iter().zip(&records) {
            prop_assert_eq!(&json(text)["other"], &record["other"]);
        }
    }

    #[test]
    fn any_bytes_are_counted_and_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_text(&bytes);
        read_text([b"{\"Records\":[", &bytes[..]].concat());
    }

    #[test]
    fn any_json_like_bytes_do_not_panic(text in "[{}\\[\\]\",:\\\\ntrue0-9 \n]{0,200}") {
        read_text(&text);
        read_text(format!("{}{text}{}", event(1), event(2)));
    }

    #[test]
    fn a_corrupt_byte_costs_its_record_only(at in 0usize..10_000, byte: u8, lines: bool) {
        let events: Vec<String> = (0..20).map(event).collect();
        let mut text = if lines { events.join("\n") } else { format!(r#"{{"Records":[{}]}}"#, events.join(",")) }.into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let read = read_text(&text);
        let kept = ids(&read);
        let lost = (0..20).filter(|n| !kept.contains(&format!("id-{n}"))).count();
        // a bracket or comma between two records belongs to both
        prop_assert!(lost <= 2, "{} lost by {:?} at {}: {:?}", lost, byte as char, at, reasons(&read));
        let known = (0..20).filter(|n| kept.contains(&format!("id-{n}"))).count();
        prop_assert!(kept.len() <= known + 1, "{:?}", kept);
    }

    #[test]
    fn a_corrupt_first_byte_costs_little(byte: u8, more in prop::collection::vec(any::<u8>(), 0..9)) {
        let events: Vec<String> = (0..20).map(event).collect();
        let mut text = format!(r#"{{"Records":[{}]}}"#, events.join(",")).into_bytes();
        text[0] = byte;
        prop_assert!(ids(&read_text(&text)).len() >= 19, "{byte}");
        text.splice(..1, more.iter().copied());
        prop_assert!(ids(&read_text(&text)).len() >= 18, "{more:?}");
    }

    #[test]
    fn pieces_do_not_change_the_rows(seed in 0usize..1000, window in 1usize..4) {
        // records of many sizes, so that windows end everywhere in them
        let events: Vec<String> = (0..300)
            .map(|n| event(n).replace("CreateUser", &"x".repeat((n * 7919 * window + seed * 31) % 5000)))
            .collect();
        let read = read_text(format!(r#"{{"Records":[{}]}}"#, events.join(",")));
        prop_assert_eq!(reasons(&read), vec![""; 0]);
        prop_assert_eq!(ids(&read), (0..300).map(|n| format!("id-{n}")).collect::<Vec<_>>());
    }
}
