//! `weir score edges`: lines of `src,dst,tick` → a score for each.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use super::{InOut, say_bad, unread};
use crate::cli::output::{self, Failure, OrFail};
use crate::decode::line::read_line;
use crate::score::edges::{Columns, Scorer, is_header, parse_line};

/// # Errors
/// When the scores cannot be written.
pub fn run(flags: &InOut) -> Result<ExitCode, Failure> {
    let name = flags.input.display();
    let mut reader = match flags.read() {
        Ok(reader) => reader,
        Err(error) => return Ok(unread(&error)),
    };
    let mut out = flags.write()?;
    let writing = || format!("writing {}", flags.output.display());
    let (mut scorer, mut columns, mut line) = (Scorer::new(), Columns::default(), Vec::new());
    let (mut edges, mut bad, mut early) = (0u64, 0u64, 0u64);
    let mut last = 0;
    let mut code = ExitCode::SUCCESS;
    for number in 1u64.. {
        if !reader.buffer().contains(&b'\n') {
            out.flush().with_context(writing).or_output()?;
        }
        match read_line(&mut reader, &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                code = unread(&anyhow!(error).context(format!("could not read {name} after line {}", number - 1)));
                break;
            }
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if number == 1 {
            columns = Columns::of(&line);
            if is_header(&line) {
                continue;
            }
        }
        edges += 1;
        let score = match parse_line(&line, columns) {
            Ok(edge) => {
                early += u64::from(edge.tick < last);
                last = edge.tick;
                scorer.score(edge.src, edge.dst, edge.tick)
            }
            Err(why) => {
                say_bad(bad, format_args!("weir: {name}:{number}: {why}"));
                bad += 1;
                0.0
            }
        };
        writeln!(out, "{score}").with_context(writing).or_output()?;
    }
    out.flush().with_context(writing).or_output()?;
    if bad > 0 {
        output::say(format_args!("weir: {bad} of {edges} edges could not be read and score 0"));
    }
    if early > 0 {
        output::say(format_args!(
            "weir: {name}: {early} of {edges} edges have an earlier tick than the one before: they are scored as of the latest"
        ));
    }
    if bad > 0 && bad == edges {
        code = ExitCode::from(3);
    }
    Ok(code)
}
