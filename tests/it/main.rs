//! The integration tests: one binary, so that everything is linked once.

mod cli;
mod demo;
mod disk;
mod docs;
mod hub;
mod kinesis;
mod pipeline;
mod pipes;
mod rules;
mod security_hub;
mod sigma;
mod stop;
mod support;
mod tidy;
mod walk;
