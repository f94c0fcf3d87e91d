//! Metrics → lines in CloudWatch's embedded metric format on standard output, which becomes metrics of the namespace `Weir`
//! where CloudWatch Logs takes it in.
//!
//! The format: Amazon CloudWatch User Guide, "Specification: Embedded metric format".

use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use prometheus::core::Collector;
use serde_json::{Map, Value, json};

use super::output;
use crate::metrics::METRICS;
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// CloudWatch keeps one value a minute.
const EVERY: Duration = Duration::from_secs(60);

/// Counters, as they stood when the last line was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    records: f64,
    rejects: f64,
    bytes: f64,
    findings: f64,
}

impl Counts {
    fn now() -> Counts {
        Counts {
            records: sum(&METRICS.records),
            rejects: sum(&METRICS.rejects),
            bytes: METRICS.bytes.with_label_values(&["read"]).get() as f64,
            findings: sum(&METRICS.findings),
        }
    }
}

/// Over all labels.
fn sum(counter: &impl Collector) -> f64 {
    let families = counter.collect();
    families.iter().flat_map(|family| family.get_metric()).map(|metric| metric.get_counter().get_value()).sum()
}

fn most(gauge: &impl Collector) -> Option<f64> {
    let families = gauge.collect();
    families.iter().flat_map(|family| family.get_metric()).map(|metric| metric.get_gauge().get_value()).reduce(f64::max)
}

/// Findings that wait for services; `None` where there are none of these.
fn waiting(queues: &impl Collector) -> Option<f64> {
    let families = queues.collect();
    let queues = families.iter().flat_map(|family| family.get_metric());
    // all that are open stand beside those that wait
    let of_services = queues.filter(|queue| queue.get_label().iter().all(|label| label.value() != "open"));
    of_services.map(|queue| queue.get_gauge().get_value()).reduce(|one, other| one + other)
}

/// Waits for a run, and prints a line every minute meanwhile and a last one when it is over.
pub async fn beside<T>(printer: Option<Printer>, running: impl Future<Output = T>) -> T {
    let Some(mut printer) = printer else { return running.await };
    let mut running = pin!(running);
    loop {
        tokio::select! {
            done = &mut running => {
                printer.print();
                return done;
            }
            () = tokio::time::sleep(EVERY) => printer.print(),
        }
    }
}

/// What stands at a moment, where it is known.
#[derive(Clone, Copy, Debug, Default)]
struct Levels {
    /// Seconds since the newest event,
    age: Option<f64>,
    /// and how far the reading of Kinesis is behind.
    behind: Option<f64>,
    /// Findings that services have not taken yet.
    waiting: Option<f64>,
}

impl Levels {
    fn at(now: Timestamp) -> Levels {
        let newest = METRICS.newest_event_seconds.get();
        Levels {
            age: (newest > 0).then(|| (now.0 / MICROS_PER_SECOND - newest).max(0) as f64),
            behind: most(&METRICS.kinesis_behind_seconds),
            waiting: waiting(&METRICS.queue_findings),
        }
    }
}

/// Knows what was printed.
pub struct Printer {
    told: Counts,
}

impl Printer {
    /// Begins to count.
    pub fn new() -> Printer {
        Printer { told: Counts::now() }
    }

    /// What came since the last line. When nobody reads it, there is nobody to tell.
    fn print(&mut self) {
        let (counts, now) = (Counts::now(), Timestamp::now());
        let line = line(self.told, counts, Levels::at(now), now);
        self.told = counts;
        let written = output::unless_closed(writeln!(std::io::stdout(), "{line}").map_err(Into::into));
        if let Err(error) = written {
            tracing::warn!(%error, "metrics are not written to standard output");
        }
    }
}

/// One line.
fn line(before: Counts, after: Counts, levels: Levels, now: Timestamp) -> Value {
    let values = [
        ("Records", "Count", Some(after.records - before.records)),
        ("Rejects", "Count", Some(after.rejects - before.rejects)),
        ("Bytes", "Bytes", Some(after.bytes - before.bytes)),
        ("Findings", "Count", Some(after.findings - before.findings)),
        ("NewestEventAge", "Seconds", levels.age),
        ("KinesisBehind", "Seconds", levels.behind),
        ("FindingsWaiting", "Count", levels.waiting),
    ];
    let known = || values.iter().filter_map(|(name, unit, value)| Some((*name, *unit, (*value)?)));
    let metrics: Vec<Value> = known().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
    let mut line = Map::new();
    let directive = json!([{ "Namespace": "Weir", "Dimensions": [[]], "Metrics": metrics }]);
    line.insert("_aws".into(), json!({ "Timestamp": now.0 / 1000, "CloudWatchMetrics": directive }));
    line.extend(known().map(|(name, _, value)| (name.to_owned(), json!(value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_for_services_is_no_count_of_what_is_open() {
        let options = prometheus::Opts::new("queue_findings", "of the test");
        let queues = prometheus::IntGaugeVec::new(options, &["queue"]).unwrap();
        queues.with_label_values(&["open"]).set(7);
        assert_eq!(waiting(&queues), None);
        queues.with_label_values(&["security_hub"]).set(2);
        queues.with_label_values(&["webhook"]).set(3);
        assert_eq!(waiting(&queues), Some(5.0));
    }

    #[test]
    fn a_line_has_what_came_since_the_last() {
        let before = Counts { records: 10.0, rejects: 1.0, bytes: 100.0, findings: 2.0 };
        let after = Counts { records: 15.0, rejects: 1.0, bytes: 350.0, findings: 3.0 };
        let levels = Levels { age: Some(12.0), behind: None, waiting: Some(3.0) };
        let line = line(before, after, levels, Timestamp(1_700_000_000_123_456));
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_123_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Weir",
                    "Dimensions": [[]],
                    "Metrics": [
                        { "Name": "Records", "Unit": "Count" },
                        { "Name": "Rejects", "Unit": "Count" },
                        { "Name": "Bytes", "Unit": "Bytes" },
                        { "Name": "Findings", "Unit": "Count" },
                        { "Name": "NewestEventAge", "Unit": "Seconds" },
                        { "Name": "FindingsWaiting", "Unit": "Count" },
                    ],
                }],
            },
            "Records": 5.0, "Rejects": 0.0, "Bytes": 250.0, "Findings": 1.0, "NewestEventAge": 12.0,
            "FindingsWaiting": 3.0,
        });
        assert_eq!(line, expected);
    }
}
