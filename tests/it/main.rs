//! The integration tests: one binary, so that everything is linked once.

mod cli;
mod demo;
mod disk;
mod docs;
mod kinesis;
mod pipeline;
mod pipes;
mod rules;
mod stop;
mod support;
mod tidy;
mod walk;
