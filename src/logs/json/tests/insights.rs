//! What queries of CloudWatch Logs Insights answered, as `aws logs get-query-results` prints it and as CSV.

use super::*;

/// An answer in both forms. Of an empty text JSON has no field.
fn answers<const WIDTH: usize>(names: [&str; WIDTH], rows: &[[&str; WIDTH]]) -> [String; 2] {
    let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |row: &[&str; WIDTH]| row.map(cell).join(",") + "\n";
    let csv = std::iter::once(&names).chain(rows).map(line).collect();
    let fields = |row: &[&str; WIDTH]| {
        let told = names.iter().zip(row).filter(|(_, value)| !value.is_empty());
        told.map(|(name, value)| serde_json::json!({"field": name, "value": value})).collect()
    };
    let rows: Vec<Vec<serde_json::Value>> = rows.iter().map(fields).collect();
    [csv, serde_json::json!({"results": rows, "statistics": {}, "status": "Complete"}).to_string()]
}

#[test]
fn a_name_of_very_many_parts_is_an_object_of_a_few() {
    let name = format!("userIdentity{}", ".a".repeat(50_000));
    for text in answers(
        ["eventName", "eventSource", "eventID", "eventTime", &name],
        &[["CreateUser", "iam.amazonaws.com", "id-1", "2024-08-01T11:30:23Z", "1"]],
    ) {
        let read = read_text(&text);
        assert_eq!((ids(&read), reasons(&read)), (vec!["id-1".to_owned()], vec![]));
        let unmapped = column(&read, "cloudtrail", "unmapped")[0].clone().unwrap();
        let flat = format!("\"a{}\":\"1\"", ".a".repeat(50_000 - 8));
        assert!(unmapped.contains(&flat), "{}", &unmapped[..100]);
    }
}
