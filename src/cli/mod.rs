//! Arguments → one subcommand → an exit code.
//!
//! `weir --help` and the README say what each exit code means.

mod alive;
mod archived;
mod backfill;
mod backtest;
mod configured;
mod coverage;
mod demo;
mod doctor;
mod emf;
mod explain;
mod feedback;
mod holes;
mod incidents;
mod lambda;
mod output;
mod primed;
mod progress;
mod rebuilt;
mod replayed;
mod reference;
mod rules;
mod run;
mod schema;
mod score;
mod skeleton;
mod sql;
mod suppress;
mod tables;
mod took;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use output::{Failure, OrFail};

/// AWS logs in, ranked findings and a Parquet archive out.
#[derive(Parser)]
#[command(
    name = "weir",
    version,
    after_help = "Examples:\n  weir demo\n  weir run --from logs/ --archive archive\n  weir sql \"SELECT eventName, count(*) FROM cloudtrail GROUP BY 1\" --archive archive\n\nExit codes:
  0         done
  1         a finding or incident at or above --fail-on; a suppression that would hide a
            confirmed finding; a run that is not well
  2         wrong flags, configuration or query; rules that cannot be used, or fail; a check of
            `weir doctor` that failed
  3         an input, or a file of the archive, could not be read, or not all of it; a finding
            that a service did not accept
  4         something could not be written
  130, 143  Ctrl-C or SIGTERM ended a run before its input did"
)]
struct Weir {
    /// Form of the messages on standard error
    #[arg(long, global = true, help_heading = "Logging", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// What is logged: error, warn, info, debug, trace, or a filter such as weir=debug; of AWS's clients and the SQL engine never more than info
    #[arg(
        long,
        global = true,
        help_heading = "Logging",
        value_name = "FILTER",
        default_value = "warn",
        env = "WEIR_LOG"
    )]
    log: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Run the worker over the sample logs inside this program
    #[command(after_help = "Example:\n  weir demo --dir /tmp/weir-demo")]
    Demo(demo::Demo),
    /// Read logs, judge them by the rules, and keep them in a Parquet archive
    #[command(
        after_help = "Examples:\n  weir run --from logs/ --archive archive\n  weir run --from 'logs/**/*.gz' --archive none --format sarif --findings weir.sarif --fail-on high\n  zcat flow.log.gz | weir run --from - --table vpc_flow\n  weir run -c weir.toml --follow --findings findings.ndjson --metrics 127.0.0.1:9090\n  weir run --from sqs://trail-notices --follow --findings findings.ndjson"
    )]
    Run(Box<run::Run>),
    /// Read what is already in a bucket: the days, accounts and Regions that are wanted
    ///
    /// The folders of CloudTrail, VPC flow logs and GuardDuty's exports are listed by day, never the bucket as a whole.
    /// Given again, the command goes on where it was stopped, and reads only what is new.
    #[command(
        after_help = "Examples:\n  weir backfill s3://my-trail --since 2024-08-01 --until 2024-08-31 --archive archive\n  weir backfill s3://my-trail/AWSLogs/o-abc123/ --account 111122223333 --region eu-west-1 --fail-on high\n  weir backfill s3://my-flows/AWSLogs/111122223333/vpcflowlogs/ --since 2024-08-01 --format sarif --findings weir.sarif\n\nNeeds s3:ListBucket on the bucket and s3:GetObject on its objects (and kms:Decrypt on their key)"
    )]
    Backfill(Box<backfill::Backfill>),
    /// Try rules over the archive before they ship: what they would have found, on which days, of whom
    ///
    /// Of a rule that is built in and reads otherwise here, also what it gains and loses. Nothing is written.
    #[command(
        after_help = "Examples:\n  weir backtest cloudtrail/root_console_login --archive archive\n  weir backtest my-rules/ --since 2024-08-01 --until 2024-08-31\n  weir backtest my-rules/cloudtrail/attack_tool_used.sql --format ndjson"
    )]
    Backtest(backtest::Backtest),
    /// Join findings into incidents, and tell each as one story
    ///
    /// What happened, why now, how unusual, the timeline, what is touched, what would make it benign, what to do next, and
    /// the events. Nothing is written, and a run that writes to the archive is not disturbed.
    #[command(
        after_help = "Examples:\n  weir incidents --archive weir-archive\n  weir incidents findings.ndjson --story all\n  weir incidents findings.ndjson --format markdown --limit 1 > ticket.md\n  weir run --from logs/ --format ndjson | weir incidents - --fail-on critical"
    )]
    Incidents(incidents::Incidents),
    /// Say what was found out about findings, so that rules are ranked by how often they are right
    ///
    /// A verdict counts for the rule's findings in the same account, half after 90 days. It moves their priority by the
    /// `precision` term, and hides nothing. A run that follows takes it up at once.
    #[command(
        after_help = "Examples:\n  weir feedback 5d1f0a2b --dismissed --by alice --note 'the new deploy role'\n  weir feedback 5d1f0a2b 77c0e1 --confirmed\n  weir feedback --archive archive"
    )]
    Feedback(feedback::Feedback),
    /// Show what the [[suppress]] entries of a configuration would hide of an archive's findings
    ///
    /// Each entry is tried alone, in force or not yet, and findings that were confirmed are named first. Nothing is written.
    #[command(
        after_help = "Example:\n  weir suppress -c weir.toml --archive archive\n\nExit codes: 1 when an entry would hide a finding that was confirmed, 2 when one names a rule that is not there, else 0"
    )]
    Suppress(suppress::Suppress),
    /// Check the configuration, the archive, credentials and permissions, and say what to mend
    ///
    /// Nothing is changed and no notice or record is taken from anyone. Each check is one line: ok, warning, failed, or untried
    /// for what cannot be tried without doing it.
    #[command(
        after_help = "Examples:\n  weir doctor -c weir.toml\n  weir doctor --from sqs://trail-notices s3://my-trail --security-hub 111122223333/eu-west-1\n  weir doctor -c weir.toml --format json\n\nExit codes: 0 when nothing failed, warnings or not, else 2"
    )]
    Doctor(doctor::Doctor),
    /// Ask a run that serves metrics whether it is well
    #[command(
        after_help = "Example, the health check of a container:\n  weir alive 127.0.0.1:9090\n\nExit codes: 0 when it is well, else 1"
    )]
    Alive(alive::Alive),
    /// Run as a function of AWS Lambda; so does a call without arguments where AWS_LAMBDA_RUNTIME_API is set
    ///
    /// Event source mappings for Kinesis and for SQS, S3, EventBridge and subscription filters of CloudWatch Logs call it. Rules
    /// that judge row by row run; findings are sent and rows are in the bucket before a call is answered, and items of which
    /// either failed are named in the answer.
    #[command(
        after_help = "Example, the environment of the function:\n  WEIR_SECURITY_HUB=111122223333/eu-west-1 WEIR_ARCHIVE=s3://my-archive/weir weir lambda\n\ndeploy/cloudformation/lambda.yaml is a stack of it"
    )]
    Lambda(lambda::Lambda),
    /// Ask an archive one question in SQL
    #[command(
        after_help = "Example:\n  weir sql \"SELECT eventTime, userIdentity.arn, json_get_str(requestParameters, 'bucketName') FROM cloudtrail WHERE eventName = 'PutBucketPolicy'\" --archive archive"
    )]
    Sql(sql::Sql),
    /// Write, list, show, explain, check, test and convert detection rules, and show what each costs
    #[command(
        subcommand,
        after_help = "Examples:\n  weir rules list\n  weir rules show cloudtrail/root_console_login\n  weir rules explain cloudtrail/root_console_login event.json\n  weir rules test my-rules/\n  weir rules convert sigma/ --to my-rules"
    )]
    Rules(rules::Rules),
    /// Score streams of plain numbers by how odd they are
    #[command(
        subcommand,
        after_help = "Examples:\n  weir score series cpu.csv\n  weir score series metrics/ --output scores/"
    )]
    Score(score::Score),
    /// Show every table, and its columns with types
    #[command(after_help = "Example:\n  weir tables cloudtrail")]
    Tables(tables::Tables),
    /// Print what the configuration file may hold
    #[command(subcommand, after_help = "Example:\n  weir config schema > weir.schema.json")]
    Config(schema::Config),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  weir completions bash > /etc/bash_completion.d/weir")]
    Completions { shell: clap_complete::Shell },
    /// Print the man page
    #[command(after_help = "Example:\n  weir man | man -l -")]
    Man,
}

/// Runs the program on this process's arguments.
pub fn main() -> ExitCode {
    let weir = match lambda::is_called() {
        true => Weir::parse_from(["weir", "lambda"]),
        false => Weir::try_parse().unwrap_or_else(|error| with_tip(error).exit()),
    };
    let done = log(&weir).and_then(|()| match weir.command {
        Command::Demo(flags) => demo::run(&flags),
        Command::Run(flags) => run::run(&flags),
        Command::Backfill(flags) => backfill::run(&flags),
        Command::Backtest(flags) => backtest::run(&flags),
        Command::Alive(flags) => alive::run(&flags),
        Command::Incidents(flags) => incidents::run(&flags),
        Command::Feedback(flags) => feedback::run(&flags),
        Command::Suppress(flags) => suppress::run(&flags),
        Command::Doctor(flags) => doctor::run(&flags),
        Command::Lambda(flags) => lambda::run(&flags),
        Command::Sql(flags) => sql::run(&flags),
        Command::Rules(command) => rules::run(&command),
        Command::Score(command) => score::run(&command),
        Command::Tables(flags) => tables::run(&flags),
        Command::Config(command) => schema::run(&command),
        Command::Completions { shell } => completions(shell),
        Command::Man => man(),
    });
    let (error, code) = match done {
        Ok(code) => return code,
        Err(Failure::Usage(error)) => (error, 2),
        Err(Failure::Output(error)) => (error, 4),
    };
    if output::is_closed_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    output::say(format_args!("weir: {}", output::in_words(&error)));
    ExitCode::from(code)
}

/// Most programs take what to read as arguments: who calls `weir run` so is told how it is named.
fn with_tip(mut error: clap::Error) -> clap::Error {
    let is_run = std::env::args_os().any(|argument| argument == "run");
    if let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && is_run
        && !argument.starts_with('-')
    {
        let tip = StyledStr::from(format!("what to read is named with '--from {argument}'"));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// Clients of AWS and of HTTP log below the level `info` what they are answered, and a refused signature is answered with what
/// should have been signed: it has the session token in it. What the instance metadata does not answer is not told at all.
fn is_told(about: &tracing::Metadata<'_>) -> bool {
    let is_client = ["aws_", "hyper", "h2"].iter().any(|begin| about.target().starts_with(begin));
    // at a start, and whenever rules are read again, these write 70 MB of what they make of the rules
    let is_engine = ["sqlparser", "datafusion"].iter().any(|begin| about.target().starts_with(begin));
    // outside of EC2 there is no such service, and what then has no Region is told by its own error
    let is_metadata = about.target().starts_with("aws_config::imds");
    !is_metadata && (!(is_client || is_engine) || *about.level() <= tracing::Level::INFO)
}

fn log(weir: &Weir) -> Result<(), Failure> {
    // a single word is taken for the name of a module, of which then everything is logged, and nothing else
    let is_word = weir.log.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !weir.log.is_empty();
    if is_word && weir.log.parse::<tracing::level_filters::LevelFilter>().is_err() && !weir.log.starts_with("weir") {
        let why = "is no level: error, warn, info, debug, trace or off";
        return Err(Failure::Usage(anyhow::anyhow!("`{}` of --log or WEIR_LOG {why}", weir.log)));
    }
    let filter = tracing_subscriber::EnvFilter::try_new(&weir.log);
    // its causes say the same once more
    let filter = filter.map_err(|error| anyhow::anyhow!("`{}` of --log or WEIR_LOG: {error}", weir.log)).or_usage()?;
    // what cannot be logged would be told on the standard error that nobody reads, and that panics
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::stderr).log_internal_errors(false);
    let subscriber = subscriber.with_env_filter(filter);
    let set = match weir.log_format {
        LogFormat::Text => subscriber.with_ansi(false).finish().with(filter_fn(is_told)).try_init(),
        LogFormat::Json => subscriber.json().finish().with(filter_fn(is_told)).try_init(),
    };
    set.map_err(|error| Failure::Usage(anyhow::anyhow!(error)))
}

fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Weir::command(), "weir", &mut script);
    print(&script)
}

fn man() -> Result<ExitCode, Failure> {
    // built as a whole, a command below knows what it is called with: `weir rules new`, and not `new`
    let mut weir = Weir::command().disable_help_subcommand(true);
    weir.build();
    let mut pages = Vec::new();
    write_man(&weir, &mut pages).or_output()?;
    print(&pages)
}

/// The page of a command, and those of the commands below it.
fn write_man(command: &clap::Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone()).render(out)?;
    command.get_subcommands().try_for_each(|below| write_man(below, out))
}

fn print(bytes: &[u8]) -> Result<ExitCode, Failure> {
    let mut out = output::open("-").or_output()?;
    out.write_all(bytes).and_then(|()| out.flush()).or_output()?;
    Ok(ExitCode::SUCCESS)
}
