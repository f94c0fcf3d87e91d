//! The `glue_log` table: one row per log entry of a Glue job's driver, executors or output, stack traces kept whole.

use crate::table::{Column, Kind, Names, Table};

pub static GLUE_LOG: Table = Table {
    name: "glue_log",
    about: "log entries of AWS Glue jobs: driver, executors, output and progress",
    time: "timestamp",
    id: None,
    names: Names { actor: "jobrunid", source_ip: "", resource: "jobrunid" },
    own: "",
    lookups: &["jobrunid"],
    columns: COLUMNS,
};

const COLUMNS: &[Column] = &[
    Column::new("timestamp", "timestamp", Kind::Time, "time in the entry, else of the CloudWatch log event; UTC"),
    Column::new("level", "level", Kind::Symbol, "TRACE, DEBUG, INFO, WARN, ERROR or FATAL"),
    Column::new("logger", "logger", Kind::Symbol, "class that wrote the entry"),
    Column::new("thread", "thread", Kind::Symbol, "thread that wrote the entry"),
    Column::new("message", "message", Kind::Text, "text of the entry, continuation lines included"),
    Column::new("exception", "exception", Kind::Symbol, "class of the first exception in the entry, Java or Python"),
    Column::new(
        "source",
        "",
        Kind::Symbol,
        "driver, executor, output, progress or insights, from the log group and stream; null when nothing tells",
    ),
    Column::new("executor", "", Kind::Symbol, "executor id of an executor's entry"),
    Column::new("jobrunid", "", Kind::Text, "run id, from the log stream, path or entry"),
    Column::new("loggroup", "logGroup", Kind::Symbol, "CloudWatch log group"),
    Column::new("logstream", "logStream", Kind::Symbol, "CloudWatch log stream"),
    Column::new("unmapped", "", Kind::Json, "fields of a JSON entry without a column, as one JSON object"),
];
