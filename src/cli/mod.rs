//! Arguments → one subcommand → an exit code.

mod rules;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Log and event stream processor for AWS security.
#[derive(Parser)]
#[command(name = "weir", version)]
struct Weir {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List, show, check and test detection rules
    #[command(subcommand)]
    Rules(rules::Rules),
}

/// Runs the program on this process's arguments.
pub fn main() -> ExitCode {
    let done = match Weir::parse().command {
        Command::Rules(rules) => rules::run(&rules),
    };
    done.unwrap_or_else(|error| {
        eprintln!("weir: {error:#}");
        ExitCode::from(2)
    })
}
