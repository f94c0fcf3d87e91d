//! `weir rules`: which rules there are, whether they compile, and whether their cases hold.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::string::FromUtf8Error;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use walkdir::WalkDir;

use super::output::{Failure, OrFail};
use super::{configured, coverage, explain, output, reference, skeleton, took};
use crate::config::Config;
use crate::detect::Detector;
use crate::detect::authors::cases::{self, Report};
use crate::detect::authors::doubts;
use crate::detect::authors::mutate::{self, Mutation};
use crate::detect::library::{self, Source};
use crate::detect::reference::References;
use crate::logs;
use crate::pipeline::summary::plural;
use crate::rule::{self, RuleError};
use crate::sigma;
use crate::triage::canary::Canaries;
use crate::triage::incident::tactic::Tactic;
use crate::triage::suppress::Suppressions;

#[derive(Subcommand)]
pub enum Rules {
    /// List the rules: id, severity and title
    #[command(after_help = "Examples:\n  weir rules list\n  weir rules list --rules only:my-rules")]
    List {
        /// Print the list as queries/RULES.md has it
        #[arg(long)]
        markdown: bool,
        #[command(flatten)]
        more: More,
    },
    /// Which techniques of MITRE ATT&CK's cloud matrix the rules name, and which none does, as a page
    #[command(after_help = "Example:\n  weir rules coverage --rules my-rules > coverage.md")]
    Coverage {
        #[command(flatten)]
        more: More,
    },
    /// Print a rule as it is written
    #[command(
        after_help = "Examples:\n  weir rules show cloudtrail/root_console_login\n  weir rules show cloudtrail/key_made --rules my-rules"
    )]
    Show {
        /// Id of the rule: cloudtrail/root_console_login
        id: String,
        #[command(flatten)]
        more: More,
    },
    /// Say, condition by condition, why a rule did or did not fire on an event
    ///
    /// Of a rule over windows, also what its aggregates come to in each window of the events.
    #[command(
        after_help = "Examples:\n  weir rules explain cloudtrail/root_console_login event.json\n  weir rules explain vpc_flow/my_rule flows.log --rules my-rules\n  jq .event case.json | weir rules explain cloudtrail/root_console_login - --format json\n\nExit codes: 0 explained, whether or not it fires; 2 no such rule; 3 what was given is no event"
    )]
    Explain(explain::Explain),
    /// Compile rules, and name file, line and column of what is wrong
    #[command(
        after_help = "Examples:\n  weir rules check my-rules/\n  weir rules check my-rules/ --gates\n\nExit codes: 0 all are usable; 2 one is not"
    )]
    Check {
        /// Folder of query files and Sigma rules, or one of them; the built-in rules when there is none
        dir: Option<PathBuf>,
        /// Also print for each rule the columns by whose values rows are left out before it looks at them; a rule that is open looks
        /// at every row
        #[arg(long)]
        gates: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Run the cases of rules, and print what does not hold
    #[command(
        after_help = "Examples:\n  weir rules test my-rules/\n  weir rules test my-rules/ --mutate\n\nExit codes: 0 all hold; 2 a case does not, or a change that no case notices survives"
    )]
    Test {
        /// Folder of query files and Sigma rules, or one of them; the built-in rules when there is none
        dir: Option<PathBuf>,
        /// Also change each rule in small ways, and print the changes that no case of it notices
        #[arg(long)]
        mutate: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Show what each rule took in a run, the most expensive first: seconds, rows it looked at, matches, bytes it remembers
    #[command(
        after_help = "Examples:\n  weir run --from logs/ --archive none --findings findings.txt --summary s.json\n  weir rules cost s.json\n  weir rules cost s.json --top 5\n\nWith --rules DIR given to the run, rules of the folder are among them"
    )]
    Cost(took::Cost),
    /// Write a rule to begin with, and cases that hold; what is there is never overwritten
    #[command(
        after_help = "Example:\n  weir rules new cloudtrail/key_made --dir my-rules\n  weir rules test my-rules --mutate"
    )]
    New(skeleton::New),
    /// Print Sigma rules as query files: header and SQL
    #[command(
        after_help = "Examples:\n  weir rules convert sigma/aws_root_account_usage.yml\n  weir rules convert sigma/ --to my-rules\n\nExit codes: 0 all are converted; 2 one is not: it cannot be used, or a file that is there says something else"
    )]
    Convert {
        /// Sigma rules, or folders of them; correlations and filters are about rules of all of them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Write DIR/TABLE/NAME.sql for each rule instead of printing it, and say which; what is there and says something else stays
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
    },
}

/// Rules beside those inside the program.
#[derive(Args)]
pub struct More {
    /// Folder of rules that add to the built-in ones or replace them by id; only:DIR for these alone
    #[arg(long, value_name = "DIR|only:DIR")]
    rules: Option<String>,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Args)]
pub struct Settings {
    /// Configuration file, for the placeholders of Sigma rules, the lists that rules ask, own accounts, and canaries that no rule is of
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Settings {
    fn read(&self) -> Result<Config> {
        Ok(self.config.as_deref().map(Config::read).transpose()?.unwrap_or_default())
    }

    fn sigma(&self) -> Result<sigma::Config> {
        Ok(self.read()?.sigma)
    }

    pub fn references(&self) -> Result<References> {
        let config = self.read()?;
        reference::read(&config.reference, &config.own_accounts)
    }
}

pub fn run(command: &Rules) -> Result<ExitCode, Failure> {
    let mut out = Out { out: std::io::stdout().lock(), failed: false };
    match told(command, &mut out) {
        Err(error) if out.failed || is_unwritable(&error) => Err(Failure::Output(error)),
        done => done.or_usage(),
    }
}

/// Standard output, and whether something could not be written to it: of all that fails here, the rest is wrong rules or flags.
struct Out<W> {
    out: W,
    failed: bool,
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        // a call that a signal broke off is made again
        self.failed |= written.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted);
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.failed |= flushed.is_err();
        flushed
    }
}

/// Whether a file could not be written for want of room, or because nothing can be written there.
fn is_unwritable(error: &anyhow::Error) -> bool {
    let kinds = [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::QuotaExceeded];
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| kinds.contains(&error.kind()))
}

fn told(command: &Rules, out: &mut impl Write) -> Result<ExitCode> {
    match command {
        Rules::List { markdown: true, more } => markdown(out, &merged(more)?),
        Rules::List { markdown: false, more } => list(out, &merged(more)?, &more.settings.references()?),
        Rules::Coverage { more } => {
            coverage::markdown(&library::rules(&merged(more)?).0, out)?;
            Ok(ExitCode::SUCCESS)
        }
        Rules::Show { id, more } => show(out, id, &merged(more)?),
        Rules::Explain(flags) => explain::run(out, flags),
        Rules::Cost(flags) => took::run(out, flags),
        Rules::New(flags) => skeleton::run(out, flags),
        Rules::Check { dir, gates: shows_gates, settings } => {
            let found = some(sources(dir.as_deref(), settings)?, dir.as_deref())?;
            idle(&found.sources, &settings.read()?)?;
            if *shows_gates {
                gates(out, &found.sources, &settings.references()?)?;
            }
            doubt(out, &found.doubts)?;
            tell(out, found.added_to(cases::check(logs::TABLES, &settings.references()?, &found.sources)))
        }
        Rules::Test { dir, mutate: changes, settings } => {
            let found = some(sources(dir.as_deref(), settings)?, dir.as_deref())?;
            let references = settings.references()?;
            doubt(out, &found.doubts)?;
            let tested = tell(out, found.added_to(cases::test(logs::TABLES, &references, &found.sources)))?;
            if !changes {
                return Ok(tested);
            }
            let changed = tell_mutation(out, &mutate::mutate(logs::TABLES, &references, &found.sources))?;
            Ok(if tested == ExitCode::SUCCESS { changed } else { tested })
        }
        Rules::Convert { paths, to, settings } => convert(out, paths, to.as_deref(), &settings.sigma()?),
    }
}

/// The rules below a folder.
#[derive(Default)]
pub struct Found {
    pub sources: Vec<Source>,
    /// Sigma rules that cannot be used, and files that are no text.
    pub refused: Vec<RuleError>,
    /// What is probably a mistake in rules that are used.
    pub doubts: Vec<RuleError>,
}

impl Found {
    fn added_to(&self, mut report: Report) -> Report {
        report.rules += self.refused.len();
        report.refused.splice(0..0, self.refused.iter().cloned());
        report
    }
}

/// Who has a folder checked in which nothing is has named the wrong one, or its files wrongly.
fn some(found: Found, dir: Option<&Path>) -> Result<Found> {
    match dir {
        Some(dir) if found.sources.is_empty() && found.refused.is_empty() => {
            bail!("nothing to check in {}", dir.display())
        }
        _ => Ok(found),
    }
}

/// What is found in a folder of rules, and below it, links followed. Hidden is what has a name that begins with a dot: locks and copies of
/// editors, and the folders that Kubernetes has the links in a mounted ConfigMap lead to.
pub fn below(dir: &Path) -> impl Iterator<Item = walkdir::Result<walkdir::DirEntry>> + use<> {
    let is_shown = |entry: &walkdir::DirEntry| entry.depth() == 0 || !is_hidden(entry.path());
    let found = WalkDir::new(dir).follow_links(true).sort_by_file_name().into_iter().filter_entry(is_shown);
    found.filter(|entry| entry.as_ref().err().is_none_or(matters))
}

/// Whether a rule may be missing because of it. A link back to a folder above has nothing that is not found, and one that leads nowhere may be
/// an editor's lock.
fn matters(error: &walkdir::Error) -> bool {
    let is_no_rule = |path: &Path| path.is_symlink() && (is_hidden(path) || !is_of_rules(path));
    error.loop_ancestor().is_none() && !(error.depth() > 0 && error.path().is_some_and(is_no_rule))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// What a file of rules ends in, in lower case.
fn extension(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    ["sql", "yml", "yaml"].contains(&&*extension).then_some(extension)
}

/// Whether a file is a rule by its name, or has cases of one.
pub fn is_of_rules(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    [".sql", ".yml", ".yaml", ".cases.jsonl"].iter().any(|end| name.ends_with(end))
}

/// Query files and Sigma rules below a folder. The id of a query file is its folder's name and its own, that of a
/// Sigma rule its table's name and its own.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn read(dir: &Path, config: &sigma::Config) -> Result<Found> {
    read_all(&[dir], config)
}

/// The same of several folders or files, which belong together.
fn read_all(dirs: &[&Path], config: &sigma::Config) -> Result<Found> {
    let (mut sources, mut sigma, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    let entries = dirs.iter().flat_map(|dir| below(dir).map(|entry| entry.map_err(|error| unreadable(dir, error))));
    let mut known = BTreeSet::new();
    for entry in entries {
        let path = entry?.into_path();
        if !known.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            continue;
        }
        let Some(extension) = extension(&path).filter(|_| !path.is_dir()) else { continue };
        let name = path.display().to_string();
        let text = match String::from_utf8(fs::read(&path).with_context(|| format!("reading {name}"))?) {
            Ok(text) => unmarked(text),
            Err(error) => {
                refused.push(not_utf8(name, &error));
                continue;
            }
        };
        if extension == "sql" {
            let id = id(&path)?;
            match sources.iter().find(|source: &&Source| source.id == id) {
                Some(same) => refused.push(doubled(name, (1, 1), same)),
                None => sources.push(Source { id, file: name, text, cases: cases_of(&path)?, sigma: None }),
            }
        } else {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            sigma.push(sigma::File { name, stem, text });
        }
    }
    if sources.is_empty() && sigma.is_empty() && refused.is_empty() {
        tracing::warn!(path = %shown(dirs), "no rule is there: their files end in .sql, .yml or .yaml");
    }
    let mut doubts: Vec<RuleError> = sources.iter().flat_map(doubtful_tags).collect();
    doubts.extend(sources.iter().flat_map(doubts::doubts));
    doubts.extend(sigma::doubts(&sigma));
    let (converted, unconverted) = sigma::convert(&sigma, config);
    refused.extend(unconverted);
    for rule in converted {
        if let Some(same) = sources.iter().find(|source| source.id == rule.id) {
            refused.push(doubled(rule.file, rule.place, same));
            continue;
        }
        let path = PathBuf::from(&rule.file);
        // of several rules in one file, the cases beside it are those of the first
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let cases = if rule.id.ends_with(&format!("/{stem}")) { cases_of(&path)? } else { None };
        sources.push(Source::sigma(rule, cases));
    }
    Ok(Found { sources, refused, doubts })
}

/// The tags of a query file that are nearly ones of ATT&CK. One that cannot be read is refused when it is compiled.
fn doubtful_tags(source: &Source) -> Vec<RuleError> {
    let Ok(rule) = rule::parse(&source.id, &source.file, &source.text) else { return Vec::new() };
    let doubt = |tag: &String| {
        let message = format!("`{tag}` is no tactic of ATT&CK: did you mean `{}`?", Tactic::meant(tag)?);
        let at = |(index, line): (usize, &str)| Some((index + 1, line[..line.find(tag.as_str())?].chars().count() + 1));
        let (line, column) = source.text.lines().enumerate().find_map(at).unwrap_or((1, 1));
        Some(RuleError { file: source.file.clone(), line, column, message })
    };
    rule.tags.iter().filter_map(doubt).collect()
}

fn doubled(file: String, (line, column): (usize, usize), same: &Source) -> RuleError {
    RuleError { file, line, column, message: format!("{} gives the rule {} already", same.file, same.id) }
}

/// What is wrong with a folder of rules, or one below it. The error of `walkdir` says it twice.
fn unreadable(dir: &Path, error: walkdir::Error) -> anyhow::Error {
    let place = error.path().unwrap_or(dir).display().to_string();
    let why = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    anyhow!("reading rules in {place}: {why}")
}

fn not_utf8(file: String, error: &FromUtf8Error) -> RuleError {
    let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = before.split(|byte| *byte == b'\n').count();
    let column = before.rsplit(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len) + 1;
    RuleError { file, line, column, message: "this is not UTF-8".to_owned() }
}

/// A text without the mark that editors on Windows put before it.
fn unmarked(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

/// The cases beside a rule, when there are any.
fn cases_of(rule: &Path) -> Result<Option<Cow<'static, str>>> {
    let path = rule.with_extension("cases.jsonl");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(unmarked(text).into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// By the names it is found under: where these are links, those that they lead to say nothing of the rule.
fn id(path: &Path) -> Result<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let table = match folder.file_name() {
        Some(name) => Some(name.to_owned()),
        // `.` and `..` are called as what they are
        None => {
            let whole = folder.canonicalize().with_context(|| format!("finding {}", folder.display()))?;
            whole.file_name().map(ToOwned::to_owned)
        }
    };
    table
        .zip(path.file_stem())
        .map(|(table, name)| format!("{}/{}", table.to_string_lossy(), name.to_string_lossy()))
        .ok_or_else(|| anyhow!("{} is in no folder", path.display()))
}

fn sources(dir: Option<&Path>, settings: &Settings) -> Result<Found> {
    let config = settings.sigma()?;
    dir.map_or_else(|| Ok(Found { sources: library::built_in(), ..Found::default() }), |dir| read(dir, &config))
}

/// What `rules` of a configuration names where no built-in rule is to run: `only:DIR`.
pub const ONLY: &str = "only:";

/// The folder that `rules` of a configuration names: `DIR`, or `only:DIR`. There is none for `none`.
pub fn folder(rules: &str) -> Option<&Path> {
    (rules != "none").then(|| Path::new(rules.strip_prefix(ONLY).unwrap_or(rules)))
}

/// The rules that `weir run` would have; what cannot be used is said and left out.
pub fn merged(more: &More) -> Result<Vec<Source>> {
    let found = configured::found(more.rules.as_deref(), &more.settings.read()?)?;
    output::say_left_out(&found.refused);
    found.doubts.iter().for_each(|error| output::say(format_args!("weir: {}", doubtful(error))));
    Ok(found.sources)
}

fn shown(paths: &[&Path]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn convert(out: &mut impl Write, paths: &[PathBuf], to: Option<&Path>, config: &sigma::Config) -> Result<ExitCode> {
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let Found { sources, refused, doubts } = read_all(&paths, config)?;
    let rules: Vec<&Source> = sources.iter().filter(|source| source.sigma.is_some()).collect();
    let (mut written, mut edited) = (0, Vec::new());
    for (place, rule) in rules.iter().enumerate() {
        let Some(dir) = to else {
            let between = if place > 0 { "\n" } else { "" };
            write!(out, "{between}{}", rule.text)?;
            continue;
        };
        let file = dir.join(format!("{}.sql", rule.id));
        let folder = file.parent().unwrap_or(dir);
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let cases = rule.cases.as_ref().map(|cases| (file.with_extension("cases.jsonl"), &**cases));
        for (file, text) in [(file, &*rule.text)].into_iter().chain(cases) {
            match write_anew(&file, text)? {
                Anew::Written => {
                    written += 1;
                    writeln!(out, "{} from {}", file.display(), rule.file)?;
                }
                Anew::Same => {}
                Anew::Edited => edited.push(file),
            }
        }
    }
    for file in &edited {
        output::say(format_args!("weir: not converted: {} is there already, and says something else", file.display()));
    }
    refused.iter().for_each(|error| output::say(format_args!("weir: not converted: {error}")));
    doubts.iter().for_each(|error| output::say(format_args!("weir: {}", doubtful(error))));
    if rules.is_empty() && refused.is_empty() {
        return Err(anyhow!("{} has no Sigma rule in it: their names end in .yml or .yaml", shown(&paths)));
    }
    let (all, many) = (rules.len(), plural(rules.len()));
    if to.is_some() {
        let (files, kept, left) = (plural(written), edited.len(), refused.len());
        writeln!(
            out,
            "{all} rule{many} converted, {left} refused: {written} file{files} written, {kept} kept that say something else"
        )?;
    } else if !refused.is_empty() {
        output::say(format_args!("weir: {all} rule{many} converted, {} refused", refused.len()));
    }
    Ok(if refused.is_empty() && edited.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// What became of a file that was to be written.
enum Anew {
    Written,
    /// There is one that says the same.
    Same,
    /// There is one that says something else, which somebody may have edited.
    Edited,
}

/// Writes a file where there is none.
fn write_anew(path: &Path, text: &str) -> Result<Anew> {
    match fs::read(path) {
        Ok(there) if there == text.as_bytes() => return Ok(Anew::Same),
        Ok(_) => return Ok(Anew::Edited),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    }
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    Ok(Anew::Written)
}

fn list(out: &mut impl Write, sources: &[Source], references: &References) -> Result<ExitCode> {
    let (rules, _) = library::rules(sources);
    for rule in rules {
        let waits = rule.needs.as_ref().filter(|_| references.lack_for(&rule));
        let waits = waits.map_or_else(String::new, |name| format!(" (waits for [reference.{name}])"));
        writeln!(out, "{:<60} {:<13} {}{waits}", rule.id, rule.severity, rule.title)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn markdown(out: &mut impl Write, sources: &[Source]) -> Result<ExitCode> {
    let (rules, _) = library::rules(sources);
    writeln!(out, "# Rules\n\nGenerated by `weir rules list --markdown`: {} rules.", rules.len())?;
    let mut table = "";
    for rule in &rules {
        if rule.table != table {
            table = &rule.table;
            writeln!(out, "\n## {table}\n| rule | severity | title | ATT&CK |\n|---|---|---|---|")?;
        }
        let name = rule.id.split('/').next_back().unwrap_or(&rule.id);
        let attack: Vec<_> = rule.tags.iter().filter_map(|tag| tag.strip_prefix("attack.t")).collect();
        let attack: Vec<_> = attack.iter().map(|technique| format!("T{technique}")).collect();
        writeln!(out, "| `{name}` | {} | {} | {} |", rule.severity, rule.title.replace('|', "\\|"), attack.join(" "))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(out: &mut impl Write, id: &str, sources: &[Source]) -> Result<ExitCode> {
    let rule = sources.iter().find(|source| source.id == id).ok_or_else(|| explain::unknown(id, sources))?;
    write!(out, "{}", rule.written())?;
    Ok(ExitCode::SUCCESS)
}

fn gates(out: &mut impl Write, sources: &[Source], references: &References) -> Result<()> {
    let (detector, _) = Detector::with_references(logs::TABLES, references, library::rules(sources).0);
    for (rule, columns) in detector.gates() {
        let columns: Vec<&str> = columns.into_iter().collect();
        let gate = if columns.is_empty() { "open".to_owned() } else { columns.join(", ") };
        writeln!(out, "{:<60} {gate}", rule.id)?;
    }
    Ok(())
}

/// Says which canaries and suppressions of the configuration no rule is of: none of those given, and no built-in one.
///
/// # Errors
/// When one of them cannot be read.
fn idle(sources: &[Source], config: &Config) -> Result<()> {
    let built_in = library::built_in();
    let ids: Vec<&str> = sources.iter().chain(&built_in).map(|source| source.id.as_str()).collect();
    for (name, rule) in Canaries::new(config.canary.clone())?.without_rule(&ids) {
        output::say(format_args!("weir: [[canary]] {name}: no rule is `{rule}`: it will be missed"));
    }
    for rule in Suppressions::new(config.suppress.clone())?.without_rule(&ids) {
        output::say(format_args!("weir: [[suppress]]: no rule is `{rule}`: it hides nothing"));
    }
    Ok(())
}

/// What is probably misspelt, and stops no rule.
fn doubt(out: &mut impl Write, doubts: &[RuleError]) -> Result<()> {
    doubts.iter().try_for_each(|error| writeln!(out, "{}", doubtful(error)))?;
    Ok(())
}

/// A line that says of what is probably misspelt that it is no error.
pub fn doubtful(error: &RuleError) -> String {
    let RuleError { file, line, column, message } = error;
    format!("{file}:{line}:{column}: warning: {message}")
}

fn tell(out: &mut impl Write, report: Report) -> Result<ExitCode> {
    for error in &report.refused {
        writeln!(out, "{error}")?;
    }
    for (rule, name) in &report.waiting {
        writeln!(out, "{rule} waits for [reference.{name}], which the configuration does not have")?;
    }
    for failure in &report.failures {
        writeln!(out, "{}:{}: {} {}", failure.file, failure.line, failure.rule, failure.why)?;
        writeln!(out, "  {}", failure.difference.trim_end().replace('\n', "\n  "))?;
    }
    let cases =
        if report.cases > 0 { format!(", {} case{}", report.cases, plural(report.cases)) } else { String::new() };
    let (refused, failed) = (report.refused.len(), report.failures.len());
    let (rules, many) = (plural(report.rules), plural(failed));
    writeln!(out, "{} rule{rules}{cases}: {refused} refused, {failed} failure{many}", report.rules)?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn tell_mutation(out: &mut impl Write, mutation: &Mutation) -> Result<ExitCode> {
    for survivor in &mutation.survivors {
        // a line of the query that a Sigma rule becomes is none of its file
        let line = if survivor.file.ends_with(".sql") { format!(":{}", survivor.line) } else { String::new() };
        writeln!(out, "{}{line}: {} survives: {}", survivor.file, survivor.rule, survivor.change)?;
    }
    for idle in &mutation.idle {
        writeln!(out, "{}:{}: {} accepts {}: remove the comment", idle.file, idle.line, idle.rule, idle.change)?;
    }
    for rule in &mutation.left_out {
        writeln!(out, "{rule} was not changed: it has no cases that hold as it is")?;
    }
    let accepted = if mutation.accepted > 0 { format!(", {} accepted", mutation.accepted) } else { String::new() };
    let (killed, survived) = (mutation.killed(), mutation.survivors.len());
    let many = plural(mutation.mutants);
    writeln!(out, "{} mutant{many}, {killed} killed{accepted}, {survived} survived", mutation.mutants)?;
    Ok(if mutation.is_good() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn rules_behind_links_are_read_and_locks_of_editors_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let [own, shared] = ["own", "shared"].map(|name| dir.path().join(name));
        fs::create_dir_all(&own).unwrap();
        fs::create_dir_all(&shared).unwrap();
        fs::write(shared.join("x.sql"), "-- title = \"T\"\nSELECT eventTime FROM cloudtrail WHERE eventName = 'x'\n")
            .unwrap();
        symlink(&shared, own.join("cloudtrail")).unwrap();
        symlink("somebody@host.1234:1", own.join(".#y.sql")).unwrap();
        symlink("gone", own.join("README.md")).unwrap();
        symlink(&own, own.join("itself")).unwrap();
        let found = read(&own, &sigma::Config::default()).unwrap();
        let ids: Vec<&str> = found.sources.iter().map(|source| source.id.as_str()).collect();
        assert_eq!((ids, found.refused.len()), (vec!["cloudtrail/x"], 0));
    }

    #[test]
    fn a_tag_that_is_misspelt_is_doubted() {
        let dir = tempfile::tempdir().unwrap();
        let header = "-- title = \"T\"\n-- severity = \"low\"\n-- tags = [\"attack.persistance\", \"attack.t1098\"]\n-- remedy = \"R\"\n";
        let text = format!("{header}SELECT eventTime FROM cloudtrail WHERE eventName = 'x'\n");
        fs::write(dir.path().join("x.sql"), text).unwrap();
        let doubts = read(dir.path(), &sigma::Config::default()).unwrap().doubts;
        let told: Vec<_> = doubts.iter().map(|doubt| (doubt.line, doubt.column, doubt.message.as_str())).collect();
        let meant = "`attack.persistance` is no tactic of ATT&CK: did you mean `attack.persistence`?";
        assert_eq!(told, [(3, 13, meant)]);
    }
}
