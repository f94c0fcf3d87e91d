//! The `glue_job_run` table: one row per state of a Glue job run, as GetJobRuns, EventBridge or Step Functions tell it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch};
use arrow::compute::is_not_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::Int32Type;
use serde_json::Value;

use crate::table::{Batch, Column, Kind, Names, Table};

/// Column names are those of the Glue API's JobRun, folded to lower case.
pub static GLUE_JOB_RUN: Table = Table {
    name: "glue_job_run",
    about: "runs of AWS Glue jobs, one row for each state that was reported",
    time: "lastmodifiedon",
    id: None,
    // whoever asks GetJobRuns again is told of the same runs again; of one that is running no more is new than how long it has been
    same: &["id", "lastmodifiedon", "jobname", "jobrunstate", "reportedby"],
    names: Names { actor: "jobname", session: "", source_ip: "", resource: "jobname" },
    own: "",
    lookups: &["id"],
    columns: COLUMNS,
};

/// Columns that the API has a fixed list of words for.
const OF_WORDS: [&str; 4] = ["jobmode", "jobrunstate", "workertype", "executionclass"];

/// Runs that do not say when their state was reported have the next best time: of their end, else of their start. Those that are
/// whole, and in no envelope, are of an answer of GetJobRuns.
pub fn settled(batch: Batch) -> Batch {
    let rows = &batch.rows;
    let (place, _) = rows.schema_ref().column_with_name(GLUE_JOB_RUN.time).expect("the table has its time column");
    let mut time = rows.column(place).clone();
    for name in ["completedon", "startedon"] {
        let other = rows.column_by_name(name).expect("a column of the table");
        let known = is_not_null(&time).expect("every column can be asked");
        time = zip(&known, &time, other).expect("both are times");
    }
    let mut columns = rows.columns().to_vec();
    columns[place] = time;
    for name in OF_WORDS {
        let (place, _) = rows.schema_ref().column_with_name(name).expect("a column of the table");
        columns[place] = words(&columns[place]);
    }
    let (place, _) = rows.schema_ref().column_with_name("reportedby").expect("a column of the table");
    // the API gives these with every run, and who takes some fields out of it seldom wants them
    let whole = rows.column_by_name("predecessorruns").expect("a column of the table");
    columns[place] = reported_by(&columns[place], whole);
    let rows = RecordBatch::try_new(rows.schema(), columns).expect("the columns keep their kinds");
    Batch { rows, ..batch }
}

/// Words that PowerShell's ConvertTo-Json writes as objects: `{"Value":"SUCCEEDED"}`.
fn words(column: &ArrayRef) -> ArrayRef {
    let symbols = column.as_dictionary::<Int32Type>();
    let values = symbols.values().as_string::<i32>();
    if !values.iter().flatten().any(|value| value.starts_with('{')) {
        return column.clone();
    }
    let words: Vec<Option<String>> = values.iter().map(|value| value.map(word)).collect();
    let of_row = |row: usize| symbols.key(row).and_then(|key| words[key].as_deref());
    Arc::new((0..symbols.len()).map(of_row).collect::<DictionaryArray<Int32Type>>())
}

fn word(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) if object.len() == 1 => {
            object.get("Value").and_then(Value::as_str).unwrap_or(text).to_owned()
        }
        _ => text.to_owned(),
    }
}

fn reported_by(column: &ArrayRef, whole: &ArrayRef) -> ArrayRef {
    let symbols = column.as_dictionary::<Int32Type>();
    let values = symbols.values().as_string::<i32>();
    let of_row = |row: usize| match symbols.key(row) {
        Some(key) => Some(values.value(key)),
        None => whole.is_valid(row).then_some("get_job_runs"),
    };
    Arc::new((0..symbols.len()).map(of_row).collect::<DictionaryArray<Int32Type>>())
}

const COLUMNS: &[Column] = &[
    Column::new("id", "Id|jobRunId", Kind::Text, "run id, `jr_` and 64 hex digits; retries add `_attempt_N`"),
    Column::new("attempt", "Attempt", Kind::Int, "number of the attempt, from 0"),
    Column::new("previousrunid", "PreviousRunId", Kind::Text, "run that this one retries"),
    Column::new("triggername", "TriggerName", Kind::Symbol, "trigger that started the run"),
    Column::new("jobname", "JobName", Kind::Symbol, "job"),
    Column::new("jobmode", "JobMode", Kind::Symbol, "SCRIPT, VISUAL or NOTEBOOK"),
    Column::new("startedon", "StartedOn", Kind::Time, "when the run was started"),
    Column::new("lastmodifiedon", "LastModifiedOn", Kind::Time, "when this state was reported"),
    Column::new("completedon", "CompletedOn", Kind::Time, "when the run ended"),
    Column::new(
        "jobrunstate",
        "JobRunState|state",
        Kind::Symbol,
        "STARTING, RUNNING, STOPPING, STOPPED, SUCCEEDED, FAILED, TIMEOUT, ERROR, WAITING or EXPIRED",
    ),
    Column::new("arguments", "Arguments", Kind::Json, "arguments of the run, whole"),
    Column::new("errormessage", "ErrorMessage", Kind::Text, "error of a failed run"),
    Column::new("predecessorruns", "PredecessorRuns", Kind::Json, "runs this one waited for"),
    Column::new("allocatedcapacity", "AllocatedCapacity", Kind::Int, "DPUs; deprecated by AWS"),
    Column::new("executiontime", "ExecutionTime", Kind::Int, "seconds that consumed resources"),
    Column::new("timeout", "Timeout", Kind::Int, "time limit in minutes"),
    Column::new("maxcapacity", "MaxCapacity", Kind::Float, "DPUs"),
    Column::new("workertype", "WorkerType", Kind::Symbol, "worker type, such as G.1X"),
    Column::new("numberofworkers", "NumberOfWorkers", Kind::Int, "workers"),
    Column::new(
        "securityconfiguration",
        "SecurityConfiguration",
        Kind::Symbol,
        "security configuration; null when none encrypts the run",
    ),
    Column::new("loggroupname", "LogGroupName", Kind::Symbol, "CloudWatch log group"),
    Column::new("notificationproperty", "NotificationProperty", Kind::Json, "delay before a run counts as late"),
    Column::new("glueversion", "GlueVersion", Kind::Symbol, "Glue version"),
    Column::new("dpuseconds", "DPUSeconds", Kind::Float, "DPU-seconds, for FLEX and auto-scaled runs"),
    Column::new("executionclass", "ExecutionClass", Kind::Symbol, "STANDARD or FLEX"),
    Column::new("maintenancewindow", "MaintenanceWindow", Kind::Symbol, "maintenance window of a streaming job"),
    Column::new("profilename", "ProfileName", Kind::Symbol, "usage profile"),
    Column::new("statedetail", "StateDetail", Kind::Text, "further facts about the state"),
    Column::new("jobrunqueuingenabled", "JobRunQueuingEnabled", Kind::Bool, "true when the run may wait in a queue"),
    Column::new("executionrolesessionpolicy", "ExecutionRoleSessionPolicy", Kind::Json, "session policy of the run"),
    Column::new("severity", "severity", Kind::Symbol, "INFO or ERROR, from EventBridge"),
    Column::new("message", "message", Kind::Text, "sentence from EventBridge"),
    Column::new("notificationcondition", "notificationCondition", Kind::Json, "why EventBridge reported a running job"),
    Column::new("reportedby", "", Kind::Symbol, "get_job_runs, eventbridge or step_functions"),
    Column::new("unmapped", "", Kind::Json, "fields without a column, as one JSON object"),
];

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::compute::cast;
    use arrow::datatypes::DataType;

    use crate::decode::{self, Counts, Input, Options};
    use crate::logs;

    fn time(run: &str) -> String {
        column(run, "lastmodifiedon")
    }

    /// The first row's value, as text.
    fn column(run: &str, name: &str) -> String {
        let (mut rejects, mut counts, options) = (Vec::new(), Counts::default(), Options::default());
        let mut reader = decode::open(Input::Bytes(run.to_owned().into()), Default::default(), &options);
        let records = reader.next(&mut rejects, &mut counts).unwrap().unwrap();
        let batches = logs::batches(vec![records], &options, &mut rejects, &mut counts);
        let values = cast(batches[0].rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        let values = values.as_string::<i32>();
        if values.is_valid(0) { values.value(0).to_owned() } else { "null".to_owned() }
    }

    #[test]
    fn what_powershell_writes_as_objects_are_words() {
        let run = r#"[{"Id":"jr_1","JobName":"j","JobRunState":{"Value":"FAILED"},"WorkerType":{ "Value": "G.1X" },"ExecutionClass":{"Other":"x"}}]"#;
        assert_eq!(column(run, "jobrunstate"), "FAILED");
        assert_eq!(column(run, "workertype"), "G.1X");
        assert_eq!(column(run, "executionclass"), r#"{"Other":"x"}"#);
        assert_eq!(column(run, "jobmode"), "null");
    }

    #[test]
    fn whole_runs_without_their_answer_are_of_it_too() {
        let run = |more: &str| format!(r#"{{"Id":"jr_1","JobName":"j","JobRunState":"FAILED"{more}}}"#);
        let whole = run(r#","PredecessorRuns":[]"#);
        assert_eq!(column(&format!("[{whole}]"), "reportedby"), "get_job_runs");
        // a part of the fields does not say what is null in the others
        assert_eq!(column(&run(""), "reportedby"), "null");
        let step = serde_json::json!({"type": "TaskSucceeded", "details": {"output": whole}}).to_string();
        assert_eq!(column(&step, "reportedby"), "step_functions");
    }

    #[test]
    fn a_run_has_the_best_time_that_is_known() {
        let run = |times: &str| {
            time(&format!(r#"{{"JobRuns":[{{"Id":"jr_1","JobName":"j","JobRunState":"FAILED"{times}}}]}}"#))
        };
        let (started, completed, modified) = (
            r#","StartedOn":1714564801.5"#,
            r#","CompletedOn":"2024-05-01T14:00:02+02:00""#,
            r#","LastModifiedOn":1714564803000"#,
        );
        assert_eq!(run(started), "2024-05-01T12:00:01.500Z");
        assert_eq!(run(&format!("{started}{completed}")), "2024-05-01T12:00:02Z");
        assert_eq!(run(completed), "2024-05-01T12:00:02Z");
        assert_eq!(run(&format!("{started}{completed}{modified}")), "2024-05-01T12:00:03Z");
    }
}
