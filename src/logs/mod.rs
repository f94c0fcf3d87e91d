//! Records → batches: the log tables, and the parsers that fill them.
//!
//! JSON tables are filled from their column list by `json`. A text table's module has two functions:
//! `recognize(head: &[u8], options: &Options) -> Option<Shape>`, and
//! `batches(records: Vec<Records>, rejects: &mut Vec<Reject>, counts: &mut Counts) -> Vec<Batch>` for bodies that are
//! lines or Parquet.

pub mod build;
pub mod cloudtrail;
pub mod glue_job_run;
pub mod glue_log;
pub mod vpc_flow;

use crate::table::Table;

/// Every table filled from logs, in the order `weir tables` shows them.
pub static TABLES: &[&Table] =
    &[&cloudtrail::CLOUDTRAIL, &vpc_flow::VPC_FLOW, &glue_job_run::GLUE_JOB_RUN, &glue_log::GLUE_LOG];
