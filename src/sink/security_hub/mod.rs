//! Findings → AWS Security Finding Format (ASFF), checked against the contract, and the calls of BatchImportFindings; what
//! analysts say of them in the hub → verdicts.
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
pub mod config;
pub mod get_findings;
pub mod client;

#[cfg(test)]
mod golden;

pub use call::LIMITS;
pub use client::Hubs;
pub use config::Config;
pub use hub::Hub;
