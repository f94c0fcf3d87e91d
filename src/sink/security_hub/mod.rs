//! Findings → AWS Security Finding Format (ASFF), checked against the contract, and the calls of BatchImportFindings; what
//! analysts say of them in the hub → verdicts.
//!
//! The contract is that of Security Hub CSPM: the service model securityhub 2018-10-26, the API reference of
//! `AwsSecurityFinding`, and the partner guide's guidelines for BatchImportFindings.
//!
//! Where each of its limits is kept, before anything is sent:
//!
//! | limit | kept by |
//! |---|---|
//! | 100 findings and 6 MB a call | `call.rs`, `LIMITS`, which `outbox::queue` asks (`Queue::choose`) |
//! | 240 KB a finding | `asff.rs`, `Asff::fit`; `outbox`, `Outbox::put` |
//! | ten calls a second, thirty at once, for each account and Region | `LIMITS.pace`, `outbox::rate`: each hub has a queue of its own |
//! | one finding of an id in a call, the newest | `outbox::queue`, `Queue::put`: one waits for each id |
//! | fields that are needed, lengths, counts, words, times, Types | made to fit by `asff.rs`, `resource.rs`, `taxonomy.rs`, `text.rs`; checked by `validate.rs` against `schema.rs` |
//! | `ProductArn` and `AwsAccountId` of the caller's account and Region | `hub.rs`, `config.rs` (`Routes::hub`); `validate.rs` |
//! | nothing that is the analysts' (`Note`, `Workflow`, ...), nor at the top what they may change | no field of `asff.rs`; `validate::not_ours` |
//! | an `UpdatedAt` that is newer with each import | `post.rs`, `Post::stage` |
//! | 20 values and 100 findings in GetFindings, three calls a second | `get_findings.rs`; `client.rs`, `ASK_PAUSE` |

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
