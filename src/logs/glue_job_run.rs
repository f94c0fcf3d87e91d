//! The `glue_job_run` table: one row per state of a Glue job run, as GetJobRuns, EventBridge or Step Functions tell it.

use crate::table::{Column, Kind, Names, Table};

/// Column names are those of the Glue API's JobRun, folded to lower case.
pub static GLUE_JOB_RUN: Table = Table {
    name: "glue_job_run",
    about: "runs of AWS Glue jobs, one row for each state that was reported",
    time: "lastmodifiedon",
    id: None,
    names: Names { actor: "jobname", source_ip: "", resource: "jobname" },
    own: "",
    lookups: &["id"],
    columns: COLUMNS,
};

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
