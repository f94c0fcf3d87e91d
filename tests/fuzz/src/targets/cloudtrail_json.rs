//! Values inside CloudTrail records, with serde_json as the oracle: a document that it reads gives the same records and
//! values, and in one that it does not read, the records before the damage are all there.

use weir::decode::{Input, Options};

use super::{document, holds, pieces, read, says};

// each line of the input is the value of `userAgent`, `requestParameters` and a field without a column
pub fn run(data: &[u8]) {
    let pieces = pieces(data);
    for (name, column) in
        [("userAgent", "useragent"), ("requestParameters", "requestparameters"), ("other", "unmapped")]
    {
        let (text, values) = document(&pieces, "Records", |number| {
            let before = format!(
                r#"{{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventID":"id-{number}","{name}":"#
            );
            (before, r#","eventName":"CreateUser"}"#.to_owned())
        });
        let read = read(Input::Bytes(text.into()), &Options::default());
        let ids = read.column("cloudtrail", "eventid");
        let texts = read.column("cloudtrail", column);
        let whole = values.iter().take_while(|value| value.is_some()).count();
        for (number, value) in values.iter().flatten().take(whole).enumerate() {
            assert_eq!(ids.get(number).cloned().flatten(), Some(format!("id-{number}")), "record {number} of {whole}");
            let text = texts[number].as_deref();
            match name {
                "userAgent" => assert!(says(text, value), "{text:?} for {value}"),
                "requestParameters" => assert!(holds(text, value), "{text:?} for {value}"),
                _ if value.is_null() => assert_eq!(text, None),
                _ => {
                    let object: serde_json::Value = serde_json::from_str(text.unwrap()).unwrap();
                    assert_eq!(object["other"], *value);
                }
            }
        }
        if whole == values.len() {
            assert_eq!((ids.len(), read.rejects.len()), (whole, 0));
        }
    }
}
