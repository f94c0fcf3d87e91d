//! Scores of streams that are no AWS log: each detector alone, lines in and lines out.

pub mod tail;
mod hash;
mod table;
pub mod edges;
pub mod alerts;
