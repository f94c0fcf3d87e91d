//! The integration tests: one binary, so that everything is linked once.

mod authors;
mod backtest;
mod cli;
mod config;
mod cost;
mod demo;
mod deploy;
mod disk;
mod docs;
mod doctor;
mod emf;
mod feedback;
mod fuzz;
mod guardduty;
mod health;
mod holes;
mod hub;
mod incidents;
mod kinesis;
// the unit tests of the source use the rest of it
#[allow(dead_code)]
#[path = "../../src/source/kinesis/fake.rs"]
mod kinesis_fake;
mod lambda;
mod leases;
mod memory;
mod moto;
mod out_fake;
mod own_accounts;
mod permissions;
mod pipeline;
mod pipes;
mod primed;
mod read_back;
mod recorder;
mod reload;
mod restored;
mod rules;
mod runtime_fake;
mod s3;
// the unit tests of the S3 sources use the rest of it
#[allow(dead_code)]
mod s3_fake;
mod score;
mod secrets;
mod security_hub;
mod sigma;
mod state;
mod stop;
mod support;
// the unit tests of the source use the rest of it
#[allow(dead_code)]
#[path = "../../src/source/kinesis/fake_table.rs"]
mod table_fake;
mod tidy;
mod torture;
mod travel;
mod walk;
mod ways_out;
