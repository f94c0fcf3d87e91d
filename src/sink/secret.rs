//! The name of a secret in AWS Secrets Manager → its text, by GetSecretValue (JSON protocol 1.1).
//!
//! The text is in memory alone, and in no message of ours. It is asked for again once it is an hour old, and when who uses it is
//! refused: a secret that is rotated takes no restart.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::outbox::call::{Answer, said};
use super::security_hub::hub::{is_account, is_region};
use super::signed::{Line, Service, refusal};
use super::wire::{CALL_WAIT, Reply};
use crate::aws::{self, Aws, Role};
use crate::wait::timeout;

const SERVICE: Service =
    Service { name: "secretsmanager", endpoint_variable: "AWS_ENDPOINT_URL_SECRETS_MANAGER", path: "/" };
const HEADERS: [(&str, &str); 2] =
    [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "secretsmanager.GetSecretValue")];
/// A text is used for so long. A call an hour is less than a cent a month, at $0.05 for 10,000.
const FRESH: Duration = Duration::from_secs(3600);
/// Longest name of a secret.
const NAME_BYTES_MAX: usize = 512;
/// Our code for a secret whose text is not what is asked for.
pub const UNUSABLE: &str = "UnusableSecret";

/// Which secret is meant, in a section of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name or ARN of the secret.
    pub id: String,
    /// Of a secret that is a JSON object the key whose value is meant.
    pub key: Option<String>,
    /// Region of the secret, where its ARN does not say it and it is not that of `[aws]`.
    pub region: Option<String>,
    /// Taken on in place of that of `[aws]`.
    pub assume_role: Option<Role>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Arc<str>);

impl Text {
    pub fn new(text: &str) -> Text {
        Text(text.into())
    }

    /// For who uses it, and shows it to nobody.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A secret, the caller of its service, made with the first call, and its text as it was last.
#[derive(Debug)]
pub struct Secret {
    config: Config,
    region: Option<String>,
    aws: Aws,
    http: SharedHttpConnector,
    line: OnceCell<Line>,
    held: Mutex<Option<Held>>,
}

#[derive(Debug)]
struct Held {
    text: Text,
    asked: Instant,
}

impl Secret {
    /// # Errors
    /// When the id is no name and no ARN of a secret, or in another Region than the one that is set. The error does not say the id: who
    /// takes it for the place of the secret itself would read that in a log.
    pub fn new(config: &Config, mut aws: aws::Config, http: SharedHttpConnector) -> anyhow::Result<Secret> {
        // a role is taken on there too
        aws.region = wanted_region(config)?.or(aws.region);
        Secret::of(config, &Aws::new(aws), http)
    }

    /// # Errors
    /// Those of [`Secret::new`].
    pub fn of(config: &Config, aws: &Aws, http: SharedHttpConnector) -> anyhow::Result<Secret> {
        let (region, aws) = (wanted_region(config)?, aws.assuming(config.assume_role.as_ref()));
        Ok(Secret { config: config.clone(), region, aws, http, line: OnceCell::new(), held: Mutex::new(None) })
    }

    /// Its name or ARN, as the configuration has it.
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// The text as it was within an hour. One that is older is still good where there is no other. `check` says why a text is of no use:
    /// such a one is not kept.
    ///
    /// # Errors
    /// Why there is none: [`Answer::Denied`] for what a person has to put right, [`Answer::Unavailable`] for what may pass.
    pub async fn text(&self, now: Instant, check: impl Fn(&Text) -> Result<(), Answer>) -> Result<Text, Answer> {
        let checked = async || self.fetch().await.and_then(|text| check(&text).map(|()| text));
        let mut held = self.held.lock().await;
        match held.as_mut() {
            Some(held) if now.saturating_duration_since(held.asked) < FRESH => Ok(held.text.clone()),
            Some(old) => {
                // what cannot be asked for now is asked for in an hour, or when the old text is refused
                old.asked = now;
                match checked().await {
                    Ok(text) => old.text = text,
                    Err(answer) => {
                        let why = answer.why().unwrap_or_default();
                        tracing::warn!(
                            secret = self.id(),
                            why,
                            "a secret cannot be read again; the one before is used"
                        );
                    }
                }
                Ok(old.text.clone())
            }
            None => {
                let text = checked().await?;
                Ok(held.insert(Held { text, asked: now }).text.clone())
            }
        }
    }

    /// For who was refused with this text: the text that the secret has by now, where that is another, or why that is of no use.
    pub async fn renewed(
        &self,
        refused: &Text,
        now: Instant,
        check: impl Fn(&Text) -> Result<(), Answer>,
    ) -> Option<Result<Text, Answer>> {
        let mut held = self.held.lock().await;
        let text = self.fetch().await.ok().filter(|text| text != refused)?;
        if let Err(answer) = check(&text) {
            return Some(Err(answer));
        }
        Some(Ok(held.insert(Held { text, asked: now }).text.clone()))
    }

    /// Asks for the text.
    ///
    /// # Errors
    /// Those of [`Secret::text`].
    pub async fn fetch(&self) -> Result<Text, Answer> {
        self.ask().await.map_err(|answer| about(self.id(), answer))
    }

    async fn ask(&self) -> Result<Text, Answer> {
        let open = || Line::open(&self.aws, SERVICE, self.region.as_deref(), self.http.clone());
        let line = self.line.get_or_try_init(open).await?;
        let ask = json!({ "SecretId": self.config.id }).to_string();
        match timeout(CALL_WAIT, line.call(&HEADERS, ask)).await {
            Ok(Ok(reply)) if reply.status == 200 => read(&reply, self.config.key.as_deref()),
            Ok(Ok(reply)) => Err(refusal(&reply)),
            Ok(Err(error)) => Err(Answer::of_error("unreachable", &format!("{error:#}"))),
            Err(_) => Err(Answer::of_error("timeout", &format!("no answer within {} s", CALL_WAIT.as_secs()))),
        }
    }
}

/// The Region that the secret is in, where it is not left to `[aws]`.
fn wanted_region(config: &Config) -> anyhow::Result<Option<String>> {
    let of_arn = region(&config.id).context("`id` names no secret of Secrets Manager")?;
    match (&config.region, of_arn) {
        (Some(set), Some(of_arn)) if set != of_arn => bail!("the secret is not in {set}, as its ARN says"),
        (Some(set), _) if !is_region(set) => bail!("`{set}` is no Region"),
        (set, of_arn) => Ok(set.clone().or(of_arn.map(str::to_owned))),
    }
}

/// The Region that a secret names in its ARN; an error where it is neither a name nor an ARN.
fn region(id: &str) -> anyhow::Result<Option<&str>> {
    let is_name = |name: &str| {
        (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=.@-".contains(&byte))
    };
    let parts: Vec<&str> = id.splitn(7, ':').collect();
    match parts.as_slice() {
        [name] if is_name(name) => Ok(None),
        ["arn", partition, "secretsmanager", region, account, "secret", name]
            if partition.starts_with("aws") && is_region(region) && is_account(account) && is_name(name) =>
        {
            Ok(Some(region))
        }
        _ => bail!("a name, or arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME"),
    }
}

/// What an answer tells of a secret, with which one it is. Nothing of it is the fault of a finding.
fn about(id: &str, answer: Answer) -> Answer {
    let of = |message: String| said(&format!("the secret {id} of Secrets Manager"), &message);
    match answer {
        Answer::Invalid { code, message } | Answer::Denied { code, message } => {
            Answer::Denied { code, message: of(message) }
        }
        // the KMS key is switched off, or not for us
        Answer::Unavailable { code, message, .. } if code.starts_with("DecryptionFailure") => {
            Answer::Denied { code, message: of(message) }
        }
        Answer::Unavailable { code, message, pause } => Answer::Unavailable { code, message: of(message), pause },
        Answer::Taken { .. } => unreachable!("an answer without findings takes none"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Told {
    secret_string: Option<String>,
    secret_binary: Option<IgnoredAny>,
}

/// The text of an answer, or the value of a key in it. What is wrong is said without what was read.
fn read(reply: &Reply, key: Option<&str>) -> Result<Text, Answer> {
    let unusable = |why: &str| Err(Answer::Denied { code: UNUSABLE.to_owned(), message: why.to_owned() });
    let text = match serde_json::from_slice::<Told>(&reply.body) {
        Ok(Told { secret_string: Some(text), .. }) => text,
        Ok(Told { secret_binary: Some(_), .. }) => {
            return unusable("it is binary, and has to be a text (SecretString)");
        }
        Ok(_) | Err(_) => return Err(Answer::of_error("unreadable", "an answer with status 200 has no SecretString")),
    };
    let object = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
    match (key, object) {
        // one that was made of a file ends with its newline
        (None, None) => Ok(Text::new(text.trim())),
        (None, Some(_)) => unusable("it is a JSON object: `key` has to say which of its values is meant"),
        (Some(key), Some(object)) => match object.get(key) {
            Some(Value::String(value)) => Ok(Text::new(value.trim())),
            Some(_) => unusable(&format!("the value of its key `{key}` is no text")),
            None => unusable(&format!("it has no key `{key}`")),
        },
        (Some(key), None) => unusable(&format!("it is no JSON object, and so has no key `{key}`")),
    }
}

#[cfg(test)]
mod tests;
