//! Findings → AWS Security Finding Format (ASFF), checked against the contract and queued for BatchImportFindings. Nothing
//! here but `client` opens a socket and nothing reads a clock for what it decides: the caller brings the time and the answers.
//!
//! The contract is that of Security Hub CSPM: the service model securityhub 2018-10-26, the API reference of
//! `AwsSecurityFinding`, and the partner guide's guidelines for BatchImportFindings.

pub mod hub;
pub mod taxonomy;
mod text;
pub mod resource;
pub mod asff;
mod schema;
pub mod validate;
pub mod call;
pub mod requests;
pub mod rate;
pub mod queue;
pub mod outbox;
pub mod config;
pub mod post;
pub mod client;
pub mod sender;

#[cfg(test)]
mod golden;

pub use config::Config;
pub use hub::Hub;
