//! `weir score series`: a CSV file, a folder of them or standard input → scores, a line for a line.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;
use walkdir::WalkDir;

use super::{say_bad, text_of};
use crate::cli::output::{self, Failure, OrFail};
use crate::decode::line::read_line;
use crate::score::series::{Columns, Scorer, WARM_UP};
use crate::source::file;
use crate::time::Timestamp;

/// Where one in so many rows has a time that came before, the file is said to hold more than one metric: a clock that is
/// put back for an hour repeats fewer.
const REPEATED_SHARE: u64 = 10;

#[derive(Args)]
pub struct Series {
    /// File, plain or gzip, folder of .csv and .csv.gz files with folders in it, or `-` for standard input
    #[arg(default_value = "-")]
    input: PathBuf,
    /// File of the scores, or their folder when the input is one; `-` for standard output
    #[arg(short, long, value_name = "PATH", default_value = "-")]
    output: PathBuf,
    /// Column of the values, where it is neither `value` nor the only one beside the time
    #[arg(long, value_name = "COLUMN")]
    value: Option<String>,
}

/// What was read, and what of it could not be.
#[derive(Default)]
struct Counts {
    rows: u64,
    bad_rows: u64,
    unread_files: u64,
}

pub fn run(flags: &Series) -> Result<ExitCode, Failure> {
    let mut counts = Counts::default();
    let standard = Path::new("-");
    if file::same(&flags.input, &flags.output) {
        return Err(Failure::Usage(anyhow!("{} is read: the scores need another place", flags.input.display())));
    }
    if flags.input != standard && flags.input.is_dir() {
        if flags.output == standard || flags.output.is_file() {
            let input = flags.input.display();
            return Err(Failure::Usage(anyhow!("{input} is a folder: --output must name a folder for the scores")));
        }
        folder(flags, &mut counts)?;
    } else {
        one(&flags.input, &flags.output, flags.value.as_deref(), &mut counts)?;
    }
    if counts.bad_rows > 0 {
        output::say(format_args!("weir: {} of {} rows could not be read and score 0", counts.bad_rows, counts.rows));
    }
    Ok(if counts.unread_files > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// Every `.csv` and `.csv.gz` file below a folder, in the order of their names; scores get the same names below the other, without
/// `.gz`.
fn folder(flags: &Series, counts: &mut Counts) -> Result<(), Failure> {
    let (input, output) = (&flags.input, &flags.output);
    let files = csv_files(input, output, counts);
    if files.is_empty() {
        output::say(format_args!("weir: no .csv file below {}", input.display()));
    }
    for path in files {
        let mut to = output.join(path.strip_prefix(input).expect("a folder's entries begin with its path"));
        if is_named(&path, "gz") {
            let plain = path.with_extension("");
            if plain.exists() {
                let why = anyhow!(
                    "could not read {}: its scores have the name of those of {}",
                    path.display(),
                    plain.display()
                );
                unread(counts, &why);
                continue;
            }
            to.set_extension("");
        }
        let parent = to.parent().expect("a file below a folder has a parent");
        fs::create_dir_all(parent).with_context(|| format!("writing {}", parent.display())).or_output()?;
        one(&path, &to, flags.value.as_deref(), counts)?;
    }
    Ok(())
}

/// All of them before the first is scored: the folder of the scores may lie in that of the metrics, and is left out.
fn csv_files(input: &Path, output: &Path, counts: &mut Counts) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in
        WalkDir::new(input).sort_by_file_name().into_iter().filter_entry(|entry| !file::same(entry.path(), output))
    {
        match entry {
            Ok(entry) if entry.file_type().is_dir() => {}
            Ok(entry) => files.push(entry.into_path()),
            Err(error) => unread(counts, &anyhow!(error)),
        }
    }
    files.retain(|path| is_named(path, "csv") || is_named(path, "gz") && is_named(&path.with_extension(""), "csv"));
    files
}

fn is_named(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|own| own.eq_ignore_ascii_case(extension))
}

fn unread(counts: &mut Counts, error: &anyhow::Error) {
    output::say(format_args!("weir: {error:#}"));
    counts.unread_files += 1;
}

fn one(input: &Path, output: &Path, value: Option<&str>, counts: &mut Counts) -> Result<(), Failure> {
    let name = input.display().to_string();
    let standard = Path::new("-");
    let reader = if input == standard { text_of(io::stdin()) } else { File::open(input).and_then(text_of) };
    let mut reader = match reader.with_context(|| format!("could not read {name}")) {
        Ok(reader) => BufReader::with_capacity(1 << 16, reader),
        Err(error) => {
            unread(counts, &error);
            return Ok(());
        }
    };
    let columns = match header(&mut reader, &name, value) {
        Ok(columns) => columns,
        Err(error) => {
            unread(counts, &error);
            return Ok(());
        }
    };
    let out: Box<dyn Write> = if output == standard {
        output::open_data("-").or_output()?
    } else {
        Box::new(File::create(output).with_context(|| format!("writing {}", output.display())).or_output()?)
    };
    let mut out = BufWriter::with_capacity(1 << 16, out);
    rows(&mut reader, &name, columns, &mut out, counts)
        .with_context(|| format!("writing {}", output.display()))
        .or_output()
}

/// # Errors
/// When the first line cannot be read or does not say where the values are.
fn header(reader: &mut impl BufRead, name: &str, value: Option<&str>) -> anyhow::Result<Columns> {
    let mut line = Vec::new();
    read_line(reader, &mut line).with_context(|| format!("could not read {name}"))?;
    let text = String::from_utf8_lossy(&line);
    let wanted = value.unwrap_or("value");
    let columns = Columns::of(text.trim_end(), value).ok_or_else(|| {
        anyhow!("could not read {name}: line 1 is no header with `{wanted}` (--value names another column)")
    })?;
    // values alone are meant so
    if !columns.has_times() && text.trim_end().contains([',', ';', '\t', '|']) {
        output::say(format_args!(
            "weir: {name}: no column has a name of times, such as `timestamp`: rows are numbered, as if one came each second"
        ));
    }
    Ok(columns)
}

/// Scores the lines after the header. What was scored is passed on whenever the next line is not there yet.
///
/// # Errors
/// When the scores cannot be written.
fn rows<R: io::Read>(
    reader: &mut BufReader<R>,
    name: &str,
    columns: Columns,
    out: &mut impl Write,
    counts: &mut Counts,
) -> io::Result<()> {
    let mut scorer = Scorer::new();
    let (mut line, mut rows, mut bad_rows) = (Vec::new(), 0, 0);
    let (mut latest, mut repeated) = (Timestamp(i64::MIN), 0);
    writeln!(out, "timestamp,anomaly_score")?;
    for number in 2u64.. {
        if !reader.buffer().contains(&b'\n') {
            out.flush()?;
        }
        match read_line(reader, &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                unread(counts, &anyhow!(error).context(format!("could not read {name} after line {}", number - 1)));
                break;
            }
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() {
            continue;
        }
        rows += 1;
        let row = columns.read(text, rows);
        let score = match row.point {
            Ok((time, value)) => {
                repeated += u64::from(time <= latest);
                latest = latest.max(time);
                scorer.score(time, value)
            }
            Err(why) => {
                say_bad(bad_rows, format_args!("weir: {name}:{number}: {why}"));
                bad_rows += 1;
                0.0
            }
        };
        let mark = if row.timestamp.contains(',') { "\"" } else { "" };
        writeln!(out, "{mark}{}{mark},{score}", row.timestamp)?;
    }
    counts.rows += rows;
    counts.bad_rows += bad_rows;
    if bad_rows > 0 && bad_rows == rows {
        unread(counts, &anyhow!("{name}: no row could be read"));
    }
    if repeated * REPEATED_SHARE >= rows && repeated > 0 {
        output::say(format_args!(
            "weir: {name}: {repeated} of {rows} rows are no later than one before them: they are scored as one metric; where there are several, give each a file, and rows in the order of their times"
        ));
    }
    if scorer.is_warming_up() {
        output::say(format_args!(
            "weir: {name}: all scores are 0, since a metric is learnt for {WARM_UP} rows before it is scored"
        ));
    }
    out.flush()
}
