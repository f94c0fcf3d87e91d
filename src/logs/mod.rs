//! Records → batches: the log tables, and the parsers that fill them.
//!
//! JSON tables are filled from their column list by `json`, which makes JSON of CSV and Parquet that a query gave. A text table's module has two functions:
//! `recognize(head: &[u8], options: &Options) -> Option<Shape>`, and
//! `batches(records: Vec<Records>, rejects: &mut Vec<Reject>, counts: &mut Counts) -> Vec<Batch>` for bodies that are
//! lines or Parquet.

pub mod build;
pub mod symbols;
pub mod cloudtrail;
pub mod glue_job_run;
pub mod glue_log;
pub mod guardduty_finding;
pub mod json;
pub mod text;
pub mod vpc_flow;

use crate::decode::{Body, Counts, Options, Recognize, Records, Shape};
use crate::memory::Memory;
use crate::table::{Batch, Reject, Table};
use glue_log::{GLUE_LOG, Place};
use vpc_flow::VPC_FLOW;

/// Every table filled from logs, in the order `weir tables` shows them.
pub static TABLES: &[&Table] = &[
    &cloudtrail::CLOUDTRAIL,
    &vpc_flow::VPC_FLOW,
    &glue_job_run::GLUE_JOB_RUN,
    &glue_log::GLUE_LOG,
    &guardduty_finding::GUARDDUTY_FINDING,
];

/// Reads records into batches of their tables, in the schema of [`Table::schema`]. A batch may hold rows of many
/// small objects; it is cut at about 32 thousand rows or 16 MiB of input, at the end of one of the `records`.
/// Every record becomes a row, a reject, or is set aside, and `counts` says which.
pub fn batches(records: Vec<Records>, options: &Options, rejects: &mut Vec<Reject>, counts: &mut Counts) -> Vec<Batch> {
    let mut lines = Vec::new();
    let mut json = json::Parser::new(options, rejects, counts);
    for mut records in records {
        match records.body {
            Body::Json(body) => json.read(body, &records.origin, records.offset, records.context.as_ref()),
            Body::Lines(body) if body.separator.is_some() => {
                json.read_csv(&body, &records.origin, records.offset);
            }
            Body::Parquet(rows) if json::rows::has_events(&rows, options) => {
                json.read_rows(&rows, &records.origin, records.offset);
            }
            // what a run printed is of its log, whatever it is
            Body::Lines(ref mut body)
                if records.table.name == GLUE_LOG.name
                    && options.table.is_none()
                    && records.context.is_none()
                    && Place::of(&records.origin.name, None).run.is_none() =>
            {
                json.read_among(body, &records.origin, records.offset);
                lines.push(records);
            }
            Body::Lines(_) | Body::Parquet(_) => lines.push(records),
        }
    }
    let (done, found) = json.finish();
    let mut done: Vec<Batch> = done.into_iter().map(settled).collect();
    lines.extend(found);
    let (flows, logs): (Vec<_>, Vec<_>) = lines.into_iter().partition(|records| records.table.name == VPC_FLOW.name);
    done.extend(vpc_flow::batches(flows, rejects, counts));
    done.extend(glue_log::batches(logs, rejects, counts));
    done
}

/// Rows from JSON as the table's own parser would have made them.
fn settled(batch: Batch) -> Batch {
    match batch.table.name {
        "cloudtrail" => cloudtrail::settled(batch),
        "glue_job_run" => glue_job_run::settled(batch),
        "glue_log" => glue_log::settled(batch),
        "guardduty_finding" => guardduty_finding::settled(batch),
        "vpc_flow" => vpc_flow::settled(batch),
        _ => batch,
    }
}

/// How [`crate::decode`] knows the records of these tables.
pub const RECOGNIZE: Recognize = Recognize {
    text: text_shape,
    resume: json::resume,
    log_events: json::are_of_a_job,
    begins_entry: json::begins_entry,
    json: &cloudtrail::CLOUDTRAIL,
    parquet: &VPC_FLOW,
};

impl Default for Options {
    /// Everything recognized from content; objects inflate to at most 64 GiB and 1,000 times their size.
    fn default() -> Options {
        Options {
            table: None,
            vpc_flow_format: None,
            inflated_bytes_max: 64 << 30,
            inflated_ratio_max: 1000,
            memory: Memory::default(),
            recognize: RECOGNIZE,
        }
    }
}

fn text_shape(head: &[u8], options: &Options) -> Option<Shape> {
    match options.table {
        Some(table) if table.name == glue_log::GLUE_LOG.name => {
            let csv = json::query::recognize(head, options).filter(|shape| shape.table.name == table.name);
            csv.or_else(|| glue_log::recognize(head, options))
        }
        Some(table) if table.name == VPC_FLOW.name => {
            let csv = json::query::recognize(head, options).filter(|shape| shape.table.name == table.name);
            csv.or_else(|| vpc_flow::recognize(head, options))
        }
        Some(table) if table.name == cloudtrail::CLOUDTRAIL.name => {
            json::query::recognize(head, options).filter(|shape| shape.table.name == table.name)
        }
        Some(_) => None,
        None => json::query::recognize(head, options)
            .or_else(|| vpc_flow::recognize(head, options))
            .or_else(|| glue_log::recognize(head, options)),
    }
}
