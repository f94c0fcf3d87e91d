//! A stream that is to be read → which of the permissions for it are there. What is asked takes no record away from anyone;
//! the read of one shard counts among the five a second that all its readers share.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::types::ShardIteratorType;

use super::stream::{self, Stream};
use super::table::Table;
use super::{Config, Leases};
use crate::aws::tried::{NOT_WITHOUT_DOING_IT, Outcome, Tried};
use crate::aws::{Aws, Kind, Trouble};

/// Asks everything that a reader asks first.
pub async fn stream(config: &Config, aws: &Aws) -> Vec<Tried> {
    let Config { stream, settings } = config;
    let (describe, list) = ("kinesis:DescribeStreamSummary", "kinesis:ListShards");
    let client = match aws.assuming(settings.assume_role.as_ref()).kinesis(stream.region()).await {
        Ok(client) => client,
        Err(trouble) => return vec![Tried::new(stream, describe, Outcome::Fails(trouble))],
    };
    let ask = client.describe_stream_summary().set_stream_name(stream.name()).set_stream_arn(stream.arn());
    let described = ask.send().await.map_err(|error| Trouble::of(describe, &error)).map(|answer| {
        let summary = answer.stream_description_summary;
        summary.map(|summary| (summary.stream_arn, summary.stream_status.to_string())).unwrap_or_default()
    });
    let mut tried = vec![Tried::of(stream, describe, &described, |(_, status)| format!("the stream is {status}"))];
    let Ok((arn, _)) = described else { return tried };
    if let Some(shared) = &settings.leases {
        tried.extend(leases(shared, aws, &arn).await);
    }
    let listed = stream::list(&client, stream).await.map_err(|error| match error.downcast::<Trouble>() {
        Ok(trouble) => trouble,
        Err(error) => Trouble::new(Kind::Other, format!("{error:#}")),
    });
    tried.push(Tried::of(stream, list, &listed, |shards| match shards.len() {
        1 => "one shard".to_owned(),
        count => format!("{count} shards"),
    }));
    match &settings.fan_out {
        Some(consumer) => tried.extend(fan_out(&client, stream, &arn, consumer).await),
        None => {
            let open = listed.ok().and_then(|shards| shards.into_iter().find(|shard| !shard.closed));
            if let Some(shard) = open {
                tried.extend(poll(&client, stream, &shard.id).await);
            }
        }
    }
    tried
}

/// Asks for the table of the leases, and for writes in it that a condition keeps from being made.
async fn leases(shared: &Leases, aws: &Aws, arn: &str) -> Vec<Tried> {
    let on = format!("table {}", shared.table);
    let table = match Table::open(aws, &shared.table, arn, 0).await {
        Ok(table) => table,
        Err(error) => {
            let trouble = Trouble::new(Kind::Other, format!("{error:#}"));
            return vec![Tried::new(on, "dynamodb:Scan", Outcome::Fails(trouble))];
        }
    };
    let seen = |_: &()| "the table takes it".to_owned();
    table.probe().await.map(|(action, answer)| Tried::of(&on, action, &answer, seen)).into()
}

/// Reads behind the last record of a shard, where there is nothing.
async fn poll(client: &Client, stream: &Stream, shard: &str) -> Vec<Tried> {
    let (find, read) = ("kinesis:GetShardIterator", "kinesis:GetRecords");
    let ask = client.get_shard_iterator().set_stream_name(stream.name()).set_stream_arn(stream.arn());
    let found = ask.shard_id(shard).shard_iterator_type(ShardIteratorType::Latest).send().await;
    let found = found.map_err(|error| Trouble::of(find, &error)).map(|answer| answer.shard_iterator);
    let mut tried = vec![Tried::of(stream, find, &found, |_| format!("the end of {shard} was found"))];
    if let Ok(iterator) = found {
        let ask = client.get_records().set_shard_iterator(iterator).set_stream_arn(stream.arn()).limit(1);
        let answer = match ask.send().await {
            Err(error) if Trouble::of(read, &error).kind == Kind::Throttled => Outcome::Doubtful(
                "other readers use up the five reads a second of a shard: raise source.kinesis.poll_ms, or set fan_out"
                    .to_owned(),
            ),
            Err(error) => Outcome::Fails(Trouble::of(read, &error)),
            Ok(_) => Outcome::Works(format!("the end of {shard} was read")),
        };
        tried.push(Tried::new(stream, read, answer));
    }
    tried
}

async fn fan_out(client: &Client, stream: &Stream, arn: &str, consumer: &str) -> Vec<Tried> {
    let describe = "kinesis:DescribeStreamConsumer";
    let answer = client.describe_stream_consumer().stream_arn(arn).consumer_name(consumer).send().await;
    let described = match answer {
        Ok(_) => Outcome::Works(format!("the consumer {consumer} is registered")),
        Err(error) if error.code() == Some("ResourceNotFoundException") => {
            Outcome::Works(format!("there is no consumer {consumer} yet: `weir run` registers it"))
        }
        Err(error) => Outcome::Fails(Trouble::of(describe, &error)),
    };
    let untried = || Outcome::Untried(NOT_WITHOUT_DOING_IT);
    vec![
        Tried::new(stream, describe, described),
        Tried::new(stream, "kinesis:RegisterStreamConsumer", untried()),
        Tried::new(stream, "kinesis:SubscribeToShard", untried()),
    ]
}
