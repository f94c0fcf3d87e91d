//! What tells the authors of rules whether these say what they mean.

pub mod cases;
pub mod explain;
pub mod doubts;
mod mutants;
pub mod mutate;
