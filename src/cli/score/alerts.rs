//! `weir score alerts`: CSV of alerts in time order → the incident and priority of each.

use std::io::BufRead;
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use super::lines::Counted;
use super::{InOut, say_bad, unread};
use crate::cli::output::{self, Failure, OrFail};
use crate::decode::line::first_line;
use crate::score::alerts::{Columns, Scorer};

/// # Errors
/// When the answers cannot be written.
pub fn run(flags: &InOut) -> Result<ExitCode, Failure> {
    let name = flags.input.display();
    let mut reader = match flags.read() {
        Ok(reader) => reader,
        Err(error) => return Ok(unread(&error)),
    };
    let separator = match reader.fill_buf() {
        Ok(head) => separator(first_line(head)),
        Err(error) => return Ok(unread(&anyhow!(error).context(format!("could not read {name}")))),
    };
    // the reader counts neither what it passes over between two records nor the second half of a line end of two
    let (reader, places) = Counted::new(reader);
    let mut lines = csv::ReaderBuilder::new().flexible(true).delimiter(separator).from_reader(reader);
    let header = match lines.byte_headers() {
        Ok(header) => header.iter().map(text).collect::<Vec<_>>(),
        Err(error) => return Ok(unread(&anyhow!(error).context(format!("could not read {name}")))),
    };
    let columns = match Columns::find(header.iter().map(String::as_str)) {
        Ok(columns) => columns,
        Err(why) => return Ok(unread(&anyhow!("could not read {name}: line 1: {why}"))),
    };
    let mut out = csv::Writer::from_writer(flags.write()?);
    let writing = || format!("writing {}", flags.output.display());
    out.write_record(["id", "incident", "priority"]).with_context(writing).or_output()?;
    let mut scorer = Scorer::new();
    let (mut alerts, mut bad, mut early) = (0u64, 0u64, 0u64);
    let mut latest = f64::NEG_INFINITY;
    let (mut code, mut record) = (ExitCode::SUCCESS, csv::ByteRecord::new());
    loop {
        // somebody may be waiting for the answer to the last one
        if flags.is_live() {
            out.flush().with_context(writing).or_output()?;
        }
        match lines.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                code = unread(&anyhow!(error).context(format!("could not read {name} to its end")));
                break;
            }
        }
        alerts += 1;
        let line = record.position().map_or(0, |position| places.at(position.byte()));
        let fields: Vec<String> = record.iter().map(text).collect();
        let field = |at: usize| fields.get(at).map(String::as_str);
        let (id, incident, priority) = match columns.alert(field) {
            Ok((id, alert)) => {
                early += u64::from(alert.time < latest);
                latest = latest.max(alert.time);
                let (incident, priority) = scorer.alert(&alert);
                (id, incident.0, priority)
            }
            Err(why) => {
                say_bad(bad, format_args!("weir: {name}:{line}: {why}"));
                bad += 1;
                (columns.id(field), 0, 0.0)
            }
        };
        let answer = [id, &incident.to_string(), &priority.to_string()];
        out.write_record(answer).with_context(writing).or_output()?;
    }
    out.flush().with_context(writing).or_output()?;
    if bad > 0 {
        output::say(format_args!("weir: {bad} of {alerts} alerts could not be read: they are in no incident"));
    }
    if bad > 0 && bad == alerts {
        code = ExitCode::from(3);
    }
    if early > 0 {
        output::say(format_args!(
            "weir: {name}: {early} of {alerts} alerts have an earlier time than one before them: they are taken as of the latest"
        ));
    }
    Ok(code)
}

/// What stands between the names of a header: a comma, or else one of the others.
fn separator(header: &[u8]) -> u8 {
    [b',', b';', b'\t', b'|'].into_iter().find(|mark| header.contains(mark)).unwrap_or(b',')
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
