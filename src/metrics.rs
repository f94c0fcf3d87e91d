//! Every Prometheus metric there is, in one place: names end in a unit, labels are bounded.

use std::sync::LazyLock;

use prometheus::{
    CounterVec, Encoder, GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

/// Counts since the process started; one set for the whole process.
pub struct Metrics {
    registry: Registry,
    /// Records read, by table. `records = rows + rejects + duplicates + set aside`.
    pub records: IntCounterVec,
    /// Rows kept, by table.
    pub rows: IntCounterVec,
    /// Records that could not be read, by the table they were taken for (`unknown` when nothing tells).
    pub rejects: IntCounterVec,
    /// Records dropped because their id had been seen, by table.
    pub duplicates: IntCounterVec,
    /// Records of no table that were recognized and left out: digest files, control messages.
    pub set_aside: IntCounterVec,
    /// Bytes read, `stage="read"` as stored and `stage="inflated"` as parsed.
    pub bytes: IntCounterVec,
    /// Bytes of the archive's objects, by table.
    pub archived_bytes: IntCounterVec,
    /// New findings, by severity.
    pub findings: IntCounterVec,
    /// Matches hidden by the configuration's suppressions, by their rule pattern.
    pub suppressed: IntCounterVec,
    /// Sessions of roles that left triage's memory for want of room.
    pub sessions_shed: IntCounterVec,
    /// Seconds of work, by stage.
    pub stage_seconds: CounterVec,
    /// Seconds of work and matches, by rule.
    pub rule_seconds: CounterVec,
    pub rule_hits: IntCounterVec,
    /// Rows that a rule could not judge, or gave a severity that is none.
    pub rule_errors: IntCounterVec,
    /// Matches put aside because the rule has too many findings.
    pub rule_aside: IntCounterVec,
    /// Rows of which the engine says of a rule what its conditions do not, of `checked_rows`.
    pub rule_misrouted_rows: IntCounterVec,
    pub checked_rows: IntCounterVec,
    /// Rows that came after their window had left, and groups of windows that left early for want of room.
    pub rule_late_rows: IntCounterVec,
    pub rule_shed_groups: IntCounterVec,
    /// Shares of the scores of a rule that are below 1e-2, 1e-3 and 1e-4.
    pub rule_score_share: GaugeVec,
    /// Rules in force, and files or sections that are refused now, whose rules and lists are what they were before.
    pub rules: IntGauge,
    pub rules_refused: IntGauge,
    /// Changes of files that were `taken` up by a run that goes on, and mistakes in them that were `refused`.
    pub reloads: IntCounterVec,
    /// What is in each queue, buffer and state, in bytes, and how much may be: `source` and `round`, `objects` of S3, the `archive`'s
    /// buffer, `windows`, what was `seen`, what was `learnt`, `ids` against duplicates, and the outbox of each service.
    pub queue_bytes: IntGaugeVec,
    pub queue_bytes_max: IntGaugeVec,
    /// What the process takes, and how much it may, 0 without a limit; and how often reading waited because it took too much.
    pub memory_bytes: IntGauge,
    pub memory_max_bytes: IntGauge,
    pub memory_waits: IntCounterVec,
    /// Files, objects and sources that could not be read or not to their end; and of these the sources, of which nothing is read any more.
    pub inputs_unreadable: IntCounterVec,
    pub sources_ended: IntCounterVec,
    /// Notices of new objects: `received`, then `deleted` once their objects are committed, `returned` to the queue for
    /// another try, or `poison`, left to the queue's redrive policy.
    pub notices: IntCounterVec,
    /// Answers of queues when asked for notices: `notices`, `empty` or `failed`, as where the queue is gone or denied meanwhile.
    pub notices_answers: IntCounterVec,
    /// Notices that are worked on or wait for a commit.
    pub notices_held: IntGauge,
    /// Findings that wait in each outbox, and those that are `open`; and how many may.
    pub queue_findings: IntGaugeVec,
    pub queue_findings_max: IntGaugeVec,
    /// Findings that went out, by sink, with what was said: `accepted`, `again` (to be sent again) or `refused` (for ever).
    pub sent: IntCounterVec,
    /// By sink and outcome.
    pub looks: IntCounterVec,
    /// By sink and verdict.
    pub heard: IntCounterVec,
    /// Answers of Kinesis when asked for records: `records`, `empty`, `throttled`, `expired` or `failed`.
    pub kinesis_answers: IntCounterVec,
    /// Answers of Kinesis whose records are being handed on.
    pub kinesis_answers_held: IntGauge,
    /// Records of Kinesis, an aggregated one counted as one.
    pub kinesis_records: IntCounterVec,
    /// User records passed over because their producer sends them again to the shard that they belong to.
    pub kinesis_resent: IntCounterVec,
    /// Shards of which records had left the stream before they were read.
    pub kinesis_trimmed: IntCounterVec,
    /// Shards that are being read, by stream.
    pub kinesis_shards: IntGaugeVec,
    /// How far the shard is behind that is most, by stream: `MillisBehindLatest` in seconds.
    pub kinesis_behind_seconds: GaugeVec,
    /// Time from a record's arrival at Kinesis to its reading, by stream: of the first of the last answer.
    pub kinesis_age_seconds: GaugeVec,
    /// Leases of shards that this worker has, by stream.
    pub kinesis_leases: IntGaugeVec,
    /// What became of leases: `taken`, `asked` for, `left` to who asked, `lost` to who waited for no one, or `dropped` with
    /// what had been read of it.
    pub kinesis_lease_changes: IntCounterVec,
    /// Rounds made permanent.
    pub commits: IntCounterVec,
    /// Event time of the newest match of each canary, in epoch seconds.
    pub canary_event_seconds: IntGaugeVec,
    /// Event time of the newest row, in epoch seconds; times in the future are left out.
    pub newest_event_seconds: IntGauge,
}

/// The process's metrics.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

impl Metrics {
    fn new() -> Metrics {
        let registry = Registry::new();
        let ints = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels))
        };
        let floats = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, CounterVec::new(Opts::new(name, help), labels))
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntGaugeVec::new(Opts::new(name, help), labels))
        };
        let seconds =
            |name: &str, help: &str, labels: &[&str]| register(&registry, GaugeVec::new(Opts::new(name, help), labels));
        Metrics {
            records: ints("weir_records_total", "records read", &["table"]),
            rows: ints("weir_rows_total", "rows kept", &["table"]),
            rejects: ints("weir_rejects_total", "records that could not be read", &["table"]),
            duplicates: ints("weir_duplicates_total", "records whose id had been seen", &["table"]),
            set_aside: ints("weir_set_aside_total", "digest files and control messages left out", &["table"]),
            bytes: ints("weir_bytes_total", "bytes of input", &["stage"]),
            archived_bytes: ints("weir_archived_bytes_total", "bytes written to the archive", &["table"]),
            findings: ints("weir_findings_total", "new findings", &["severity"]),
            suppressed: ints("weir_suppressed_total", "matches hidden by a suppression", &["rule"]),
            sessions_shed: ints(
                "weir_sessions_shed_total",
                "sessions of roles that were forgotten for want of room: their role alone tells who began them",
                &[],
            ),
            stage_seconds: floats("weir_stage_seconds_total", "seconds of work", &["stage"]),
            rule_seconds: floats("weir_rule_seconds_total", "seconds of work", &["rule"]),
            rule_hits: ints("weir_rule_hits_total", "rows that matched", &["rule"]),
            rule_errors: ints("weir_rule_errors_total", "rows a rule could not judge", &["rule"]),
            rule_aside: ints("weir_rule_aside_total", "matches put aside of a rule that floods", &["rule"]),
            rule_misrouted_rows: ints(
                "weir_rule_misrouted_rows_total",
                "checked rows that a rule selects and its conditions do not, or the other way round",
                &["rule"],
            ),
            checked_rows: ints("weir_checked_rows_total", "rows whose rules were asked once more, directly", &[]),
            rule_late_rows: ints("weir_rule_late_rows_total", "rows that came after their window had left", &["rule"]),
            rule_shed_groups: ints(
                "weir_rule_shed_groups_total",
                "groups of windows that left for want of room",
                &["rule"],
            ),
            rule_score_share: seconds(
                "weir_rule_score_share",
                "share of a rule's scores below a chance, which is about that chance on ordinary traffic",
                &["rule", "below"],
            ),
            rules: register(&registry, IntGauge::new("weir_rules", "rules in force")),
            rules_refused: register(
                &registry,
                IntGauge::new("weir_rules_refused", "edits of rules, lists and configuration that are refused now"),
            ),
            reloads: ints("weir_reloads_total", "changes of rules, lists and configuration", &["outcome"]),
            queue_bytes: gauges("weir_queue_bytes", "bytes waiting", &["queue"]),
            queue_bytes_max: gauges("weir_queue_max_bytes", "bytes that may wait", &["queue"]),
            memory_bytes: register(&registry, IntGauge::new("weir_memory_bytes", "resident memory")),
            memory_max_bytes: register(
                &registry,
                IntGauge::new("weir_memory_max_bytes", "resident memory that is allowed, 0 without a limit"),
            ),
            memory_waits: ints("weir_memory_waits_total", "times that reading waited for memory", &[]),
            inputs_unreadable: ints("weir_inputs_unreadable_total", "inputs that could not be read to their end", &[]),
            sources_ended: ints("weir_sources_ended_total", "sources that nothing is read from any more", &[]),
            notices: ints("weir_notices_total", "notices of new objects", &["outcome"]),
            notices_answers: ints("weir_notices_answers_total", "answers when asked for notices", &["answer"]),
            notices_held: register(
                &registry,
                IntGauge::new("weir_notices_held", "notices worked on or waiting for a commit"),
            ),
            queue_findings: gauges("weir_queue_findings", "findings waiting", &["queue"]),
            queue_findings_max: gauges("weir_queue_max_findings", "findings that may wait", &["queue"]),
            sent: ints("weir_sent_total", "findings that went out", &["sink", "outcome"]),
            looks: ints("weir_read_back_looks_total", "looks at what people say of findings", &["sink", "outcome"]),
            heard: ints("weir_read_back_verdicts_total", "verdicts that were read back", &["sink", "verdict"]),
            kinesis_answers: ints("weir_kinesis_answers_total", "answers when asked for records", &["answer"]),
            kinesis_answers_held: register(
                &registry,
                IntGauge::new("weir_kinesis_answers_held", "answers whose records are being handed on"),
            ),
            kinesis_records: ints("weir_kinesis_records_total", "records of Kinesis", &[]),
            kinesis_resent: ints("weir_kinesis_resent_total", "records left to another shard, sent there again", &[]),
            kinesis_trimmed: ints("weir_kinesis_trimmed_total", "shards that records may be lost of", &[]),
            kinesis_shards: gauges("weir_kinesis_shards", "shards being read", &["stream"]),
            kinesis_behind_seconds: seconds("weir_kinesis_behind_seconds", "how far reading is behind", &["stream"]),
            kinesis_age_seconds: seconds("weir_kinesis_age_seconds", "from arrival to reading", &["stream"]),
            kinesis_leases: gauges("weir_kinesis_leases", "leases of shards", &["stream"]),
            kinesis_lease_changes: ints("weir_kinesis_lease_changes_total", "what became of leases", &["change"]),
            commits: ints("weir_commits_total", "rounds made permanent", &[]),
            canary_event_seconds: gauges(
                "weir_canary_event_seconds",
                "event time of the newest match of a canary, epoch seconds",
                &["canary"],
            ),
            newest_event_seconds: register(
                &registry,
                IntGauge::new("weir_newest_event_seconds", "event time of the newest row, epoch seconds"),
            ),
            registry,
        }
    }

    /// Everything in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut out)
            .expect("writing to memory cannot fail and our names are valid");
        String::from_utf8(out).expect("the text format is UTF-8")
    }
}

/// Is counted in a gauge for as long as it lives.
pub struct Held {
    gauge: IntGauge,
    amount: i64,
}

impl Held {
    pub fn new(gauge: IntGauge, amount: i64) -> Held {
        gauge.add(amount);
        Held { gauge, amount }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.sub(self.amount);
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<C>) -> C {
    let metric = metric.expect("metric names and labels are valid");
    registry.register(Box::new(metric.clone())).expect("metric names are declared once");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_shown_under_its_name_and_label() {
        let metrics = Metrics::new();
        metrics.rows.with_label_values(&["cloudtrail"]).inc_by(3);
        assert!(metrics.text().contains("weir_rows_total{table=\"cloudtrail\"} 3"), "{}", metrics.text());
    }
}
