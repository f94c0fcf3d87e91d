//! `weir.toml`: what to process and how. Flags override it, and without it everything has a default.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Deserialize;

use crate::archive;
use crate::aws;
use crate::detect::quarantine;
use crate::detect::reference::keyed;
use crate::memory::Size;
use crate::sigma;
use crate::sink::{self, event_bridge, security_hub, sns, webhook};
use crate::source::{kinesis, s3};
use crate::triage::prioritize::Asset;
use crate::triage::{canary, suppress};

/// The whole file. `deploy/example.toml` shows every key with its default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Paths, globs, `-`, `s3://BUCKET/PREFIX`, `sqs://QUEUE`, `kinesis://STREAM` or the ARN of a queue or stream.
    pub from: Vec<String>,
    /// Table that all records are forced into.
    pub table: Option<String>,
    /// Fields of VPC flow records that come without a header line.
    pub vpc_flow_format: Option<String>,
    /// Folder of rules, query files and Sigma's, that add to the built-in ones or replace them by id; `only:DIR` for
    /// these alone, `none` for no rules at all.
    pub rules: Option<String>,
    /// `s3://BUCKET/PREFIX` where the state is kept; without it, a file beside the archive.
    pub state: Option<String>,
    /// The accounts that belong together: what one of them gives to another is not given to a stranger. Rules ask for them with
    /// `without_own(text, account)`, and as the list `own_accounts`.
    pub own_accounts: Vec<aws::Account>,
    pub limits: Limits,
    pub source: Source,
    pub archive: archive::Config,
    pub metrics: Metrics,
    pub sigma: sigma::Config,
    /// Lists that rules ask with `in_reference(value, 'NAME')`, or join as `reference.NAME`, by name.
    pub reference: BTreeMap<String, Reference>,
    pub aws: aws::Config,
    pub sink: Sinks,
    pub quarantine: quarantine::Config,
    pub suppress: Vec<suppress::Entry>,
    pub canary: Vec<canary::Entry>,
    pub assets: Vec<Asset>,
}

/// The `[limits]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// An object is cut off after this many inflated bytes.
    pub inflated_bytes: NonZeroU64,
    /// An object is cut off when it inflates to more than this many times its size.
    pub inflated_ratio: NonZeroU64,
    /// Seconds after which what was read is committed; of input that ends, such as that of a backfill, a commit may take at most a twentieth of
    /// the time.
    pub commit_seconds: u64,
    /// Seconds between two looks of `--follow` at the files of rules, lists and the configuration; 0 for none.
    pub reload_seconds: u64,
    /// How much memory the process may take; without it, as much as its control group allows.
    pub memory: Option<Size>,
}

impl Default for Limits {
    fn default() -> Limits {
        let some = |limit| NonZeroU64::new(limit).expect("a limit written here is not 0");
        Limits {
            inflated_bytes: some(64 << 30),
            inflated_ratio: some(1000),
            commit_seconds: 30,
            reload_seconds: 2,
            memory: None,
        }
    }
}

/// The `[source.*]` sections: how what `from` names is read, one for each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Source {
    pub kinesis: kinesis::Settings,
    pub s3: s3::Settings,
}

/// A `[reference.NAME]` section: a file of values, read when the program starts and, following, when it changes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// `.csv`, `.ndjson` or `.jsonl`, `.parquet`; `.mmdb` is a database of addresses in MaxMind's format; any other has one value on a
    /// line, `#` begins a comment.
    pub path: PathBuf,
    /// Which column has the values, by which rows are looked up; of CSV the first when there is none. JSON and Parquet need one, and of
    /// JSON `a.b` is the field `b` of the object `a`. Of rows with the same value the first counts.
    pub column: Option<String>,
    #[serde(default)]
    pub kind: keyed::Kind,
}

/// The `[metrics]` section.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Address to serve `/metrics`, `/healthz` and `/readyz` on, such as `127.0.0.1:9090`.
    pub listen: Option<String>,
    /// Print a line of CloudWatch's embedded metric format every minute to standard output, when following.
    pub emf: bool,
}

/// The `[sink]` sections: where findings go besides the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sinks {
    pub security_hub: Option<security_hub::Config>,
    pub event_bridge: Option<event_bridge::Config>,
    pub sns: Option<sns::Config>,
    pub webhook: Option<webhook::Config>,
    pub s3: Option<sink::s3::Config>,
}

impl Sinks {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        let Sinks { security_hub, event_bridge, sns, webhook, s3 } = self;
        security_hub.is_none() && event_bridge.is_none() && sns.is_none() && webhook.is_none() && s3.is_none()
    }
}

impl Config {
    /// # Errors
    /// When the file cannot be read, or a key in it is unknown or has a wrong value; the error names file, line and column.
    pub fn read(path: &Path) -> anyhow::Result<Config> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let wrong = |error| anyhow!("{}", wrong(&text, &error));
        toml::from_str(&text).map_err(wrong).with_context(|| format!("in {}", path.display()))
    }
}

/// What is wrong with the text of a file, and where, in one line. What stands there is not shown: it may be a secret that was put where
/// its name should be.
fn wrong(text: &str, error: &toml::de::Error) -> String {
    let what = error.message().lines().collect::<Vec<_>>().join(", ");
    let what = match what.split_once("string \"").zip(what.rsplit_once("\", expected ")) {
        Some(((before, _), (_, expected))) => format!("{before}string, expected {expected}"),
        None => what,
    };
    let Some((before, from)) = error.span().and_then(|span| text.split_at_checked(span.start)) else { return what };
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = [&before[start..], from.lines().next().unwrap_or_default()].concat();
    let at = name(&line).filter(|name| !what.contains(name)).map_or(String::new(), |name| format!(" (`{name}`)"));
    let (line, column) = (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
    format!("line {line}, column {column}{at}: {what}")
}

/// What a line begins: a section, or a key.
fn name(line: &str) -> Option<&str> {
    let name = line.split(['=', '#']).next()?.trim();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    (!bare.is_empty() && bare.bytes().all(is_part) && (name.starts_with('[') || line.contains('='))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_says_the_defaults() {
        let example: Config = toml::from_str(include_str!("../deploy/example.toml")).unwrap();
        let default = Config::default();
        assert_eq!(format!("{:?}", example.limits), format!("{:?}", default.limits));
        assert_eq!(format!("{:?}", example.archive), format!("{:?}", default.archive));
        assert_eq!(example.aws, default.aws);
        assert_eq!(example.quarantine, default.quarantine);
        let mut source = example.source;
        let leases = source.kinesis.leases.take().unwrap();
        let table = format!("table = '{}'", leases.table);
        assert_eq!(leases, toml::from_str::<kinesis::Leases>(&table).unwrap());
        assert_eq!(source, default.source);
        assert_eq!((example.suppress.len(), example.canary.len(), example.assets.len()), (1, 1, 1));
        let hub = example.sink.security_hub.unwrap();
        let home = security_hub::Config::of_hub(&format!("{}/{}", hub.account, hub.region)).unwrap();
        assert_eq!((hub.drain_seconds, hub.regions.len(), hub.roles.len()), (home.drain_seconds, 1, 1));
        assert_eq!(example.sink.event_bridge.unwrap(), event_bridge::Config::default());
        let topic = example.sink.sns.unwrap();
        assert_eq!(topic, sns::Config::of_topic(&topic.topic));
        let hook = example.sink.webhook.unwrap();
        assert_eq!(hook, webhook::Config::of_variable(hook.url_env.as_deref().unwrap()));
        let bucket = example.sink.s3.unwrap();
        assert_eq!(bucket, sink::s3::Config::of_bucket(&bucket.bucket));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.toml");
        for (text, says) in [
            ("from = []\n[archive]\ndri = 'canary'\n", "line 3, column 1: unknown field `dri`, expected "),
            (
                "[sink.webhook]\nurl = 'https://hooks.example.com/canary'\n",
                "line 2, column 1: unknown field `url`, expected one of `url_env`, `url_secret`, ",
            ),
            (
                "# ä\n[sink.webhook]\nurl_secret = \"https://a/\\\"canary\"\n",
                "line 3, column 14 (`url_secret`): invalid type: string, expected struct Config",
            ),
            (
                "[limits]\ncommit_seconds = 'canary'",
                "line 2, column 18 (`commit_seconds`): invalid type: string, expected u64",
            ),
            ("state = canary", "line 1, column 9 (`state`): "),
            ("[[suppress]]\nrule = 'canary'\n", "line 1, column 1 (`[[suppress]]`): missing field `reason`"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", Config::read(&path).unwrap_err());
            let told = error.strip_prefix(&format!("in {}: ", path.display())).unwrap();
            assert!(told.starts_with(says) && !told.contains("canary") && !told.contains('\n'), "{told}");
        }
    }

    #[test]
    fn an_own_account_is_12_digits_and_one_that_is_not_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Config::read(&path).map_err(|error| format!("{error:#}"))
        };
        let config = read("own_accounts = [\"111122223333\", '044455556666']\n").unwrap();
        let accounts: Vec<_> = config.own_accounts.iter().map(aws::Account::as_str).collect();
        assert_eq!(accounts, ["111122223333", "044455556666"]);
        for (text, says) in [
            (
                "own_accounts = [\"111122223333\", \"me\"]\n",
                "line 1, column 33 (`own_accounts`): `me` is no account of AWS: 12 digits in quotes",
            ),
            (
                "own_accounts = [\n  '111122223333',\n  '44445555666', # eleven\n]\n",
                "line 3, column 3: `44445555666` is no account of AWS: 12 digits in quotes",
            ),
            (
                "own_accounts = [111122223333]\n",
                "line 1, column 17 (`own_accounts`): invalid type: integer `111122223333`, expected 12 digits in quotes",
            ),
            ("own_acounts = ['111122223333']\n", "line 1, column 1: unknown field `own_acounts`, expected "),
            (
                "[limits]\nown_accounts = ['111122223333']\n",
                "line 2, column 1: unknown field `own_accounts`, expected ",
            ),
        ] {
            let error = read(text).unwrap_err();
            let told = error.strip_prefix(&format!("in {}: ", path.display())).unwrap();
            assert!(told.starts_with(says), "{told}");
        }
    }

    #[test]
    fn a_limit_that_leaves_nothing_of_an_object_is_refused() {
        let read = |line: &str| toml::from_str::<Config>(&format!("[limits]\n{line}\n"));
        for name in ["inflated_bytes", "inflated_ratio"] {
            let why = read(&format!("{name} = 0")).unwrap_err().to_string();
            assert!(why.contains("line 2, column") && why.contains("nonzero"), "{why}");
            assert!(read(&format!("{name} = 1")).is_ok());
        }
    }
}
