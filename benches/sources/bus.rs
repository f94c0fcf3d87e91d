//! An event bus: which findings it accepted, and of the marked events when.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};

use crate::load::RULE;
use crate::server::lock;

#[derive(Default)]
pub struct Bus(Mutex<Accepted>);

#[derive(Default)]
pub struct Accepted {
    /// Findings of all rules, each as often as it came.
    pub all: u64,
    /// Of marked events, by the number of the mark: how often they came, and when they did first.
    pub marks: HashMap<u64, (u64, Instant)>,
}

impl Bus {
    /// PutEvents.
    pub fn answer(&self, operation: &str, ask: &Value) -> Value {
        assert_eq!(operation, "PutEvents");
        let entries = ask["Entries"].as_array().expect("it has entries");
        let mut accepted = lock(&self.0);
        for entry in entries {
            let detail = entry["Detail"].as_str().expect("it has a detail");
            let finding: Value = serde_json::from_str(detail).expect("the detail is JSON");
            accepted.all += 1;
            if finding["rule"] == RULE {
                let mark = finding["evidence"]["mark"].as_str().and_then(|mark| mark.parse().ok());
                let mark = mark.unwrap_or_else(|| panic!("no mark in {detail}"));
                accepted.marks.entry(mark).or_insert_with(|| (0, Instant::now())).0 += 1;
            }
        }
        let entries: Vec<Value> = entries.iter().map(|_| json!({ "EventId": "e" })).collect();
        json!({ "FailedEntryCount": 0, "Entries": entries })
    }

    /// Looks at what it has.
    pub fn with<T>(&self, look: impl FnOnce(&Accepted) -> T) -> T {
        look(&lock(&self.0))
    }
}
