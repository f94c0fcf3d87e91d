//! Calls to SQS: messages in tens, deleted and hidden in tens.

use std::fmt;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageSystemAttributeName, QueueAttributeName,
};
use futures::{StreamExt, stream};
use serde_json::Value;
use tokio::time::Instant;

use crate::aws::{Aws, Kind, Trouble, without_login};
use crate::time::Timestamp;
use crate::wait::{Elapsed, now, timeout};

/// SQS takes and gives so many messages in one call.
const BATCH: usize = 10;
/// Calls that are made at the same time when many messages are deleted or hidden.
const CALLS_AT_ONCE: usize = 8;
/// Messages about which SQS has said nothing by then are deleted or hidden later: AWS's client would wait for minutes, in which who asks
/// neither hides others nor hears that it is to stop.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// The longest that SQS waits for a message.
pub(super) const POLL: Duration = Duration::from_secs(20);

/// `sqs://NAME`, or `sqs://` and the queue's URL with or without its `https://`; or the queue's ARN, which stands for its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Name(String),
    Url(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Name(name) => write!(f, "sqs://{name}"),
            Address::Url(url) => write!(f, "sqs://{}", without_login(url)),
        }
    }
}

impl Address {
    /// # Errors
    /// Says what about the address is wrong.
    pub fn parse(text: &str) -> Result<Address, String> {
        let of_arn = url_of_arn(text);
        let queue = of_arn.as_deref().or_else(|| text.strip_prefix("sqs://"));
        let queue =
            queue.ok_or_else(|| format!("`{text}` is no queue: sqs://NAME, or arn:aws:sqs:REGION:ACCOUNT:NAME"))?;
        let is_name = |name: &str| {
            let name = name.strip_suffix(".fifo").unwrap_or(name);
            (1..=80).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let last = queue.rsplit('/').next().unwrap_or(queue);
        if !is_name(last) {
            return Err(format!("`{last}` is no name of a queue"));
        }
        Ok(match queue {
            name if name == last => Address::Name(name.to_owned()),
            url if url.contains("://") => Address::Url(url.to_owned()),
            url => Address::Url(format!("https://{url}")),
        })
    }

    /// Whether both name one queue; a name and a URL that ends with it do so where nobody can tell.
    pub fn is_same(&self, other: &Address) -> bool {
        let place = |url: &str| {
            let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            (self::region(url).unwrap_or(host).to_owned(), path.to_owned())
        };
        match (self, other) {
            (Address::Name(one), Address::Name(other)) => one == other,
            (Address::Url(one), Address::Url(other)) => place(one) == place(other),
            (Address::Name(name), Address::Url(url)) | (Address::Url(url), Address::Name(name)) => {
                url.rsplit('/').next() == Some(name)
            }
        }
    }

    /// The Region in the URL of one of AWS's own.
    pub fn region(&self) -> Option<&str> {
        match self {
            Address::Url(url) => region(url),
            Address::Name(_) => None,
        }
    }
}

fn region(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split('/').next()?;
    let mut names = host.split('.');
    match (names.next()?, names.next()?, names.next()?) {
        ("sqs" | "sqs-fips", region, "amazonaws" | "api") => Some(region),
        (region, "queue", "amazonaws") => Some(region),
        _ => None,
    }
}

/// The URL of the queue that an ARN names.
fn url_of_arn(arn: &str) -> Option<String> {
    let ["arn", partition, "sqs", region, account, name] = arn.split(':').collect::<Vec<_>>()[..] else { return None };
    let suffix = if partition == "aws-cn" { ".cn" } else { "" };
    Some(format!("https://sqs.{region}.amazonaws.com{suffix}/{account}/{name}"))
}

/// One message, received.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub id: String,
    /// What it is deleted and hidden by; another each time it is received.
    pub handle: String,
    pub body: String,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// When the queue got it, where it says so.
    pub sent: Option<Timestamp>,
}

/// What a queue says of itself.
pub(super) struct Attributes {
    /// Messages that were received too often go to another queue.
    pub redrives: bool,
    /// Messages there to be received, about.
    pub waiting: u64,
    /// Whom its policy lets send messages to it, such as `s3.amazonaws.com`; whoever it belongs to may do so without.
    pub senders: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// Finds the queue, and warns when nothing takes the messages that cannot be read away from it.
    pub async fn open(aws: &Aws, address: &Address) -> Result<Queue, Trouble> {
        let queue = Queue::find(aws, address).await?;
        match queue.attributes().await {
            Ok(Attributes { redrives: false, .. }) => {
                tracing::warn!(
                    "{address} has no redrive policy: notices that cannot be read come back until they expire"
                );
            }
            Ok(Attributes { redrives: true, .. }) => {}
            // not needed to read
            Err(trouble) => tracing::debug!("{address}: {trouble}"),
        }
        Ok(queue)
    }

    /// Finds the queue.
    pub async fn find(aws: &Aws, address: &Address) -> Result<Queue, Trouble> {
        let client = aws.sqs(address.region()).await?;
        let url = match address {
            Address::Url(url) => url.clone(),
            Address::Name(name) => {
                let found = client.get_queue_url().queue_name(name).send().await;
                let found = found.map_err(|error| Trouble::of("sqs:GetQueueUrl", &error))?;
                found.queue_url.unwrap_or_default()
            }
        };
        Ok(Queue { client, url })
    }

    /// Whether it gives messages in order: none of a group while one before it is hidden.
    pub fn is_fifo(&self) -> bool {
        self.url.ends_with(".fifo")
    }

    /// What the queue says of itself.
    pub async fn attributes(&self) -> Result<Attributes, Trouble> {
        let (redrive, waiting) = (QueueAttributeName::RedrivePolicy, QueueAttributeName::ApproximateNumberOfMessages);
        let policy = QueueAttributeName::Policy;
        let asked = self.client.get_queue_attributes().queue_url(&self.url).attribute_names(policy.clone());
        let answer = asked.attribute_names(redrive.clone()).attribute_names(waiting.clone()).send().await;
        let answer = answer.map_err(|error| Trouble::of("sqs:GetQueueAttributes", &error))?;
        let found = answer.attributes.unwrap_or_default();
        Ok(Attributes {
            redrives: found.contains_key(&redrive),
            waiting: found.get(&waiting).and_then(|count| count.parse().ok()).unwrap_or(0),
            senders: found.get(&policy).map(|policy| senders(policy)).unwrap_or_default(),
        })
    }

    /// Has SQS delete a message that there is none of: it is the permission that is judged.
    pub async fn delete_nothing(&self) -> Result<(), Trouble> {
        let entry =
            DeleteMessageBatchRequestEntry::builder().id("0").receipt_handle(NO_HANDLE).build().expect(COMPLETE);
        let answer = self.client.delete_message_batch().queue_url(&self.url).entries(entry).send().await;
        refused(answer.map_err(|error| Trouble::of("sqs:DeleteMessage", &error)))
    }

    /// As [`Queue::delete_nothing`], for hiding.
    pub async fn hide_nothing(&self) -> Result<(), Trouble> {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id("0").receipt_handle(NO_HANDLE);
        let entry = entry.visibility_timeout(0).build().expect(COMPLETE);
        let answer = self.client.change_message_visibility_batch().queue_url(&self.url).entries(entry).send().await;
        refused(answer.map_err(|error| Trouble::of("sqs:ChangeMessageVisibility", &error)))
    }

    /// Up to ten messages, which are then hidden for `hidden`; waits up to `wait` (20 s at most) for the first.
    pub async fn receive(&self, wait: Duration, hidden: Duration) -> Result<Vec<Message>, Trouble> {
        let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(BATCH as i32);
        let call = call.wait_time_seconds(wait.as_secs() as i32).visibility_timeout(hidden.as_secs() as i32);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let call = call.message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let answer = call.send().await.map_err(|error| Trouble::of("sqs:ReceiveMessage", &error))?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let number = |name| message.attributes().and_then(|found| found.get(&name)?.parse::<i64>().ok());
            let receives = number(MessageSystemAttributeName::ApproximateReceiveCount);
            let sent_millis = number(MessageSystemAttributeName::SentTimestamp);
            Message {
                receives: receives.and_then(|count| count.try_into().ok()).unwrap_or(1),
                sent: sent_millis.map(|millis| Timestamp(millis.saturating_mul(1000))),
                id: message.message_id.unwrap_or_default(),
                handle: message.receipt_handle.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
            }
        };
        Ok(answer.messages.unwrap_or_default().into_iter().map(message).collect())
    }

    /// Deletes messages; says of each what came of it. One that another has received since may be there still, and is then said to
    /// be deleted.
    pub async fn delete(&self, handles: &[String]) -> Vec<Told> {
        let until = now() + ANSWER_WAIT;
        let call = async |batch: &[String]| {
            let entries = numbered(batch).map(|(id, handle)| {
                DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().expect(COMPLETE)
            });
            let call = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries.collect()));
            let answer = async { call.send().await.map_err(|error| Trouble::of("sqs:DeleteMessage", &error)) };
            match in_time(until, answer).await {
                Ok(answer) => told(batch.len(), &answer.failed),
                Err(trouble) => {
                    tracing::warn!("deleting notices: {trouble}");
                    vec![Told::Nothing; batch.len()]
                }
            }
        };
        stream::iter(handles.chunks(BATCH)).map(call).buffered(CALLS_AT_ONCE).concat().await
    }

    /// Hides messages for so long from now; those of 0 seconds are there for everybody at once. Says of each what came of it: one that
    /// is not hidden comes back when its time is over.
    pub async fn hide(&self, messages: &[(String, Duration)]) -> Vec<Told> {
        let until = now() + ANSWER_WAIT;
        let call = async |batch: &[(String, Duration)]| {
            let entries = numbered(batch).map(|(id, (handle, hidden))| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id).receipt_handle(handle);
                entry.visibility_timeout(hidden.as_secs() as i32).build().expect(COMPLETE)
            });
            let call = self.client.change_message_visibility_batch().queue_url(&self.url);
            let call = call.set_entries(Some(entries.collect()));
            let answer =
                async { call.send().await.map_err(|error| Trouble::of("sqs:ChangeMessageVisibility", &error)) };
            match in_time(until, answer).await {
                Ok(answer) => told(batch.len(), &answer.failed),
                Err(trouble) => {
                    tracing::warn!("hiding notices: {trouble}");
                    vec![Told::Nothing; batch.len()]
                }
            }
        };
        stream::iter(messages.chunks(BATCH)).map(call).buffered(CALLS_AT_ONCE).concat().await
    }
}

/// Whom a queue's policy lets send messages, in some order. One that is no JSON lets nobody.
fn senders(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let allows = |statement: &&Value| {
        statement["Effect"] == "Allow" && each(&statement["Action"]).iter().filter_map(Value::as_str).any(is_sending)
    };
    let principals = each(&policy["Statement"]).iter().filter(allows).flat_map(|statement| {
        match &statement["Principal"] {
            // by kind: Service, AWS
            Value::Object(kinds) => kinds.values().flat_map(each).collect::<Vec<_>>(),
            principal => each(principal).iter().collect(),
        }
    });
    let mut senders: Vec<String> = principals.filter_map(Value::as_str).map(str::to_owned).collect();
    senders.sort_unstable();
    senders.dedup();
    senders
}

/// What stands in a policy alone, or in a list.
fn each(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(all) => all,
        one => std::slice::from_ref(one),
    }
}

/// Whether an action of a policy, in which a star may stand, is the one that sends a message.
fn is_sending(action: &str) -> bool {
    let (send, action) = ("sqs:sendmessage", action.to_ascii_lowercase());
    action.strip_suffix('*').map_or(action == send, |begin| send.starts_with(begin))
}

/// What SQS says of one message of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    /// The message is not ours any more, or not there.
    Refused,
    /// The service failed, or there was no answer.
    Nothing,
}

async fn in_time<T>(until: Instant, answer: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let late = |Elapsed| Err(Trouble::new(Kind::Unreachable, "SQS does not answer"));
    timeout(until.saturating_duration_since(now()), answer).await.unwrap_or_else(late)
}

/// What is said of the messages of a call that was answered.
fn told(count: usize, failed: &[BatchResultErrorEntry]) -> Vec<Told> {
    let mut all = vec![Told::Done; count];
    for failed in failed {
        if let Some(told) = failed.id.parse().ok().and_then(|place: usize| all.get_mut(place)) {
            *told = if failed.sender_fault { Told::Refused } else { Told::Nothing };
        }
    }
    all
}

const COMPLETE: &str = "id and handle are set";

const NO_HANDLE: &str = "weir-doctor";

/// An answer to what names no message: that it does not is no trouble.
fn refused<T>(answer: Result<T, Trouble>) -> Result<(), Trouble> {
    match answer {
        Err(trouble) if trouble.code.as_deref().is_none_or(|code| !code.contains("ReceiptHandleIsInvalid")) => {
            Err(trouble)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Each entry of a batch needs a name that is the only one in it.
fn numbered<T>(batch: &[T]) -> impl Iterator<Item = (String, &T)> {
    batch.iter().enumerate().map(|(number, entry)| (number.to_string(), entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_by_its_name_or_its_url() {
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/trail";
        for (text, expected, region) in [
            ("sqs://trail", Address::Name("trail".into()), None),
            ("sqs://trail.fifo", Address::Name("trail.fifo".into()), None),
            (
                "sqs://https://sqs.eu-west-1.amazonaws.com/111122223333/trail",
                Address::Url(url.into()),
                Some("eu-west-1"),
            ),
            ("sqs://sqs.eu-west-1.amazonaws.com/111122223333/trail", Address::Url(url.into()), Some("eu-west-1")),
            ("arn:aws:sqs:eu-west-1:111122223333:trail", Address::Url(url.into()), Some("eu-west-1")),
            (
                "arn:aws-cn:sqs:cn-north-1:111122223333:trail",
                Address::Url("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/trail".into()),
                Some("cn-north-1"),
            ),
            (
                "sqs://http://127.0.0.1:5001/123456789012/q",
                Address::Url("http://127.0.0.1:5001/123456789012/q".into()),
                None,
            ),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((&address, address.region()), (&expected, region), "{text}");
        }
        let is_same = |one: &str, other: &str| Address::parse(one).unwrap().is_same(&Address::parse(other).unwrap());
        let path = "111122223333/trail";
        assert!(is_same("sqs://trail", &format!("sqs://sqs.eu-west-1.amazonaws.com/{path}")));
        assert!(is_same(
            &format!("sqs://eu-west-1.queue.amazonaws.com/{path}"),
            &format!("sqs://https://sqs.eu-west-1.amazonaws.com/{path}")
        ));
        assert!(!is_same(
            &format!("sqs://sqs.eu-west-2.amazonaws.com/{path}"),
            &format!("sqs://sqs.eu-west-1.amazonaws.com/{path}")
        ));
        assert_eq!(Address::parse("sqs://").unwrap_err(), "`` is no name of a queue");
        assert_eq!(Address::parse("sqs://a b").unwrap_err(), "`a b` is no name of a queue");
        let error = Address::parse("arn:aws:sqs:eu-west-1:trail").unwrap_err();
        assert!(error.ends_with("is no queue: sqs://NAME, or arn:aws:sqs:REGION:ACCOUNT:NAME"), "{error}");
    }

    #[test]
    fn a_policy_says_who_may_send() {
        let s3 = r#"{"Effect":"Allow","Principal":{"Service":["s3.amazonaws.com"]},"Action":"SQS:SendMessage"}"#;
        let all = r#"{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sqs:ReceiveMessage","sqs:Send*"]}"#;
        let deny = r#"{"Effect":"Deny","Principal":"*","Action":"sqs:*"}"#;
        let read = r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sqs:ReceiveMessage"}"#;
        let of = |statements: &str| senders(&format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#));
        assert_eq!(of(&format!("[{deny},{s3},{all},{s3}]")), ["*", "s3.amazonaws.com"]);
        assert_eq!(of(s3), ["s3.amazonaws.com"]);
        assert_eq!(of(&format!("[{deny},{read}]")), [""; 0]);
        assert_eq!(senders(""), [""; 0]);
    }
}
