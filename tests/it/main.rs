//! The integration tests: one binary, so that everything is linked once.

mod cli;
mod demo;
mod disk;
mod docs;
mod hub;
mod kinesis;
mod moto;
mod pipeline;
mod pipes;
mod rules;
mod s3;
// the unit tests of the S3 sources use the rest of it
#[allow(dead_code)]
mod s3_fake;
mod score;
mod security_hub;
mod sigma;
mod stop;
mod support;
mod tidy;
mod walk;
