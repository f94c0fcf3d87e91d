//! Records → batches: the log tables, and the parsers that fill them.

pub mod cloudtrail;
pub mod glue_job_run;
pub mod glue_log;
pub mod vpc_flow;

use crate::table::Table;

/// Every table filled from logs, in the order `weir tables` shows them.
pub static TABLES: &[&Table] =
    &[&cloudtrail::CLOUDTRAIL, &vpc_flow::VPC_FLOW, &glue_job_run::GLUE_JOB_RUN, &glue_log::GLUE_LOG];
