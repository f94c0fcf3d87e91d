//! Values inside an export of GuardDuty's findings and the answer of GetFindings, with serde_json as the oracle.

use weir::decode::{Input, Options};

use super::{document, pieces, read, says};

// each line of the input is the value of a text or a number column, in either spelling of the keys
pub fn run(data: &[u8]) {
    let pieces = pieces(data);
    for (name, column) in [
        ("title", "title"),
        ("Title", "title"),
        ("associatedAttackSequenceArn", "associatedattacksequencearn"),
        ("confidence", "confidence"),
    ] {
        let (text, values) = document(&pieces, "Findings", |number| {
            let before = format!(r#"{{"schemaVersion":"2.0","id":"id-{number}","type":"t","resource":{{}},"{name}":"#);
            (before, r#","updatedAt":"2024-08-01T12:00:00Z"}"#.to_owned())
        });
        let read = read(Input::Bytes(text.into()), &Options::default());
        let ids = read.column("guardduty_finding", "id");
        let texts = read.column("guardduty_finding", column);
        if values.iter().any(Option::is_none) {
            // one document is one object here: what is damaged in it may cost all of it
            continue;
        }
        assert_eq!((ids.len(), read.rejects.len()), (values.len(), 0));
        for (number, value) in values.iter().flatten().enumerate() {
            assert_eq!(ids[number].as_deref(), Some(format!("id-{number}").as_str()));
            let text = texts[number].as_deref();
            match column {
                // what is no number is kept in `unmapped`; one in a text is taken for what it says
                "confidence" => {
                    let number = text.and_then(|text| text.parse::<f64>().ok());
                    match value.as_i64() {
                        Some(whole) => assert_eq!(number, Some(whole as f64), "{text:?} for {value}"),
                        None => {
                            assert!(number.is_none() || value.is_number() || value.is_string(), "{text:?} for {value}")
                        }
                    }
                }
                _ => assert!(says(text, value), "{text:?} for {value}"),
            }
        }
    }
}
