//! Weir: AWS logs in, ranked findings and a Parquet archive out. Modules stand in reading order, and each uses
//! only those above it.

pub mod time;
pub mod wait;
pub mod caught;
pub mod metrics;
pub mod memory;
pub mod health;
pub mod position;
pub mod mark;
pub mod table;
pub mod rule;
pub mod finding;
pub mod aws;
pub mod decode;
pub mod logs;
pub mod catalog;
pub mod archive;
pub mod sigma;
pub mod detect;
pub mod triage;
pub mod score;
pub mod sink;
pub mod source;
pub mod pipeline;
pub mod sql;
pub mod config;
pub mod cli;
