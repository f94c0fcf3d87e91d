//! What a stream is called, and what Kinesis says of it: its shards, and who is registered to read it.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::types::{ChildShard, ConsumerStatus, HashKeyRange, StreamDescriptionSummary, StreamStatus};

use crate::aws::{Kind, Trouble};
use crate::decode::kpl::HashRange;
use crate::source::shards::Shard;
use crate::wait::sleep;

/// Between two looks at a stream or consumer that is being made.
const PAUSE: Duration = Duration::from_secs(1);

/// A stream, as a person names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stream {
    /// In the account and Region of the credentials.
    Name(String),
    /// `arn:aws:kinesis:REGION:ACCOUNT:stream/NAME`, which can be another account's.
    Arn(String),
}

impl Stream {
    /// Reads `kinesis://NAME` or an ARN; `None` when the text is neither.
    pub fn parse(text: &str) -> Option<Stream> {
        let is_name = |name: &str| {
            (1..=128).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
        };
        if let Some(name) = text.strip_prefix("kinesis://") {
            return is_name(name).then(|| Stream::Name(name.to_owned()));
        }
        let [arn, _, service, _, _, resource] = text.splitn(6, ':').collect::<Vec<_>>()[..] else { return None };
        let name = resource.strip_prefix("stream/")?;
        (arn == "arn" && service == "kinesis" && is_name(name)).then(|| Stream::Arn(text.to_owned()))
    }

    /// Whether both name one stream; a name and an ARN with it do so where nobody can tell.
    pub fn is_same(&self, other: &Stream) -> bool {
        match (self, other) {
            (Stream::Name(one), Stream::Name(other)) | (Stream::Arn(one), Stream::Arn(other)) => one == other,
            (Stream::Name(name), Stream::Arn(arn)) | (Stream::Arn(arn), Stream::Name(name)) => {
                arn.rsplit('/').next() == Some(name)
            }
        }
    }

    /// The Region that an ARN names.
    pub fn region(&self) -> Option<&str> {
        match self {
            Stream::Name(_) => None,
            Stream::Arn(arn) => arn.split(':').nth(3).filter(|region| !region.is_empty()),
        }
    }

    pub(super) fn name(&self) -> Option<String> {
        match self {
            Stream::Name(name) => Some(name.clone()),
            Stream::Arn(_) => None,
        }
    }

    pub(super) fn arn(&self) -> Option<String> {
        match self {
            Stream::Name(_) => None,
            Stream::Arn(arn) => Some(arn.clone()),
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stream::Name(name) => write!(f, "kinesis://{name}"),
            Stream::Arn(arn) => f.write_str(arn),
        }
    }
}

/// What a stream says of itself.
pub(super) struct Told {
    pub arn: String,
    /// Names the stream in positions: `ACCOUNT:REGION:NAME@MILLISECONDS`, with the time of its creation, since a stream that is
    /// deleted and made again has other shards of the same names, whose sequence numbers may begin anew.
    pub partition: String,
    pub created_millis: i64,
}

/// Waits while the stream is being created.
pub(super) async fn describe(client: &Client, stream: &Stream) -> anyhow::Result<Told> {
    loop {
        let summary = summary(client, stream).await?;
        match summary.stream_status {
            StreamStatus::Creating => sleep(PAUSE).await,
            StreamStatus::Deleting => bail!("it is being deleted"),
            // UPDATING is read on, and so is what may come
            _ => {
                let created = created(&summary)?;
                let partition = partition(&summary.stream_arn, &summary.stream_name, created);
                return Ok(Told { partition, arn: summary.stream_arn, created_millis: created });
            }
        }
    }
}

/// When the stream was made that has the name now, whatever is being done to it.
pub(super) async fn created_millis(client: &Client, stream: &Stream) -> anyhow::Result<i64> {
    created(&summary(client, stream).await?)
}

async fn summary(client: &Client, stream: &Stream) -> anyhow::Result<StreamDescriptionSummary> {
    let ask = client.describe_stream_summary().set_stream_name(stream.name()).set_stream_arn(stream.arn());
    let answer = ask.send().await.map_err(|error| Trouble::of("kinesis:DescribeStreamSummary", &error))?;
    answer.stream_description_summary.context("the answer is empty")
}

fn created(summary: &StreamDescriptionSummary) -> anyhow::Result<i64> {
    summary.stream_creation_timestamp.to_millis().context("it was created at no time")
}

/// Streams of one name that a stack set makes in many accounts and Regions may all be of the same second.
fn partition(arn: &str, name: &str, created_millis: i64) -> String {
    let mut parts = arn.split(':').skip(3);
    let (region, account) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    format!("{account}:{region}:{name}@{created_millis}")
}

/// All shards: those that are open, and those that are closed and still have records.
pub(super) async fn list(client: &Client, stream: &Stream) -> anyhow::Result<Vec<Shard>> {
    // a token lives five minutes: one that has expired begins the listing again
    for _ in 0..3 {
        if let Some(shards) = list_once(client, stream).await? {
            return Ok(shards);
        }
    }
    bail!("the listing expires before it is complete")
}

async fn list_once(client: &Client, stream: &Stream) -> anyhow::Result<Option<Vec<Shard>>> {
    let mut shards = Vec::new();
    let mut token = None;
    loop {
        let first = token.is_none();
        // with a token the stream may not be named
        let (name, arn) = if first { (stream.name(), stream.arn()) } else { (None, None) };
        let ask = client.list_shards().set_stream_name(name).set_stream_arn(arn).set_next_token(token);
        let answer = match ask.send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("ExpiredNextTokenException") => return Ok(None),
            Err(error) => return Err(Trouble::of("kinesis:ListShards", &error).into()),
        };
        for shard in answer.shards.unwrap_or_default() {
            let parents = shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id);
            shards.push(Shard {
                parents: parents.map(Into::into).collect(),
                range: range(&shard.shard_id, shard.hash_key_range)?,
                closed: shard.sequence_number_range.is_some_and(|range| range.ending_sequence_number.is_some()),
                id: shard.shard_id.into(),
            });
        }
        token = answer.next_token;
        if token.is_none() {
            return Ok(Some(shards));
        }
    }
}

/// The children that the last answer of a shard names.
pub(super) fn children(named: Option<Vec<ChildShard>>) -> Vec<Shard> {
    let child = |child: ChildShard| {
        Some(Shard {
            range: range(&child.shard_id, child.hash_key_range).ok()?,
            parents: child.parent_shards.into_iter().map(Into::into).collect(),
            closed: false,
            id: child.shard_id.into(),
        })
    };
    // one that makes no sense is found by the next listing, or is an error there
    named.unwrap_or_default().into_iter().filter_map(child).collect()
}

fn range(shard: &str, range: Option<HashKeyRange>) -> anyhow::Result<HashRange> {
    range
        .and_then(|range| HashRange::parse(&range.starting_hash_key, &range.ending_hash_key))
        .with_context(|| format!("{shard} has no range of hash keys"))
}

/// The stream that was read has been deleted, and another has its name by now.
#[derive(Debug, thiserror::Error)]
#[error("it was deleted and made again")]
pub(super) struct Remade;

/// The stream has been deleted.
pub(super) fn is_gone(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Trouble>().is_some_and(|trouble| trouble.kind == Kind::Missing)
}

/// ARN of the stream's consumer of this name, registered when there is none.
pub(super) async fn consumer(client: &Client, stream_arn: &str, name: &str) -> anyhow::Result<String> {
    loop {
        let answer = client.describe_stream_consumer().stream_arn(stream_arn).consumer_name(name).send().await;
        match answer.map_err(|error| Trouble::of("kinesis:DescribeStreamConsumer", &error)) {
            Ok(answer) => {
                let found = answer.consumer_description.context("the description of the consumer is empty")?;
                if found.consumer_status == ConsumerStatus::Active {
                    return Ok(found.consumer_arn);
                }
            }
            Err(trouble) if trouble.kind == Kind::Missing => register(client, stream_arn, name).await?,
            Err(trouble) => return Err(trouble).with_context(|| format!("describing the consumer {name}")),
        }
        sleep(PAUSE).await;
    }
}

async fn register(client: &Client, stream_arn: &str, name: &str) -> anyhow::Result<()> {
    match client.register_stream_consumer().stream_arn(stream_arn).consumer_name(name).send().await {
        Ok(_) => tracing::info!(stream = stream_arn, consumer = name, "registered a consumer"),
        // another worker was first
        Err(error) if error.code() == Some("ResourceInUseException") => {}
        Err(error) => {
            let trouble = Trouble::of("kinesis:RegisterStreamConsumer", &error);
            return Err(trouble).with_context(|| format!("registering the consumer {name}"));
        }
    }
    Ok(())
}
