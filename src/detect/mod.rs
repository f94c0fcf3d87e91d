//! Batches × rules → findings. Opens no file and reads no clock but the one that prices its rules.

pub mod functions;
pub mod reference;
pub mod athena;
pub mod session;
pub mod plan;
mod program;
mod tuples;
mod asleep;
mod compile;
pub mod library;
mod alike;
mod verdicts;
mod route;
mod joined;
mod scan;
mod emit;
mod window;
mod horizon;
pub mod quarantine;
mod rows;
mod check;
pub mod engine;
pub mod renew;
pub mod authors;

pub use emit::Apart;
pub use engine::{Detector, Parts, RuleCost};
pub use joined::together_max;
pub use window::log::Digest;
pub use window::score::tail::normal_bits;

#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod sigma_tests;
#[cfg(test)]
mod correlation_tests;
