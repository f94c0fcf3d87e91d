//! The integration tests: one binary, so that everything is linked once.

mod cli;
mod docs;
mod pipeline;
mod rules;
mod support;
mod tidy;
