//! Batches × rules → findings. Opens no file and reads no clock but the one that prices its rules.

pub mod functions;
mod json_walk;
mod texts;
mod spans;
mod travel;
mod tuples;
mod moment;
mod utc;
pub mod database;
pub mod keyed;
pub mod reference;
pub mod from_reference;
mod in_order;
mod correlates;
mod regularity;
pub mod percentile;
mod sliding;
mod lowered;
pub mod athena;
pub mod session;
pub mod regex;
pub mod absent;
mod item;
mod program;
mod place;
mod needles;
mod instead;
pub mod mistakes;
pub mod lookup;
mod framed;
mod query;
mod planner;
mod asleep;
mod compile;
pub mod library;
pub mod doubts;
mod words;
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
pub mod explain;
pub mod cases;
pub mod renew;
mod mutants;
pub mod mutate;

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
