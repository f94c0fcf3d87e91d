//! Leases ⇄ items of a DynamoDB table, in the shape that the Kinesis Client Library gives them (awslabs/amazon-kinesis-client,
//! `DynamoDBLeaseSerializer`, with the keys of its multi-stream mode: `ACCOUNT:STREAM:EPOCH:SHARD`).
//!
//! Every write has a condition on who has the lease, so that of two who write one at the same time only one does. Three
//! attributes are ours: `weirOffset`, which also knows the byte within a record, `weirSince` for shards that are begun at
//! a time, and `weirLeaving`, which the owner that leaves counts up.
//!
//! One item for each worker is ours altogether, `weir:WORKER`. It names the last of the worker's commits that stands (`weirCommit`), in the
//! same transaction that notes what this one has in the leases; and the last that never will (`weirUndone`). Of a commit one of the
//! two comes to be written, and by that the other cannot any more, however late a call arrives.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use crate::aws::{Aws, Kind, Trouble};
use crate::position::{Offset, Within};
use crate::sink::outbox::call::Answer;
use crate::sink::signed::{self, Line, Service};
use crate::sink::wire;
use crate::source::claims::Note;
use crate::source::lease::{Lease, Mark};
use crate::source::shards::Shard;
use crate::time::Timestamp;
use crate::wait::timeout;

const DYNAMODB: Service = Service { name: "dynamodb", endpoint_variable: "AWS_ENDPOINT_URL_DYNAMODB", path: "/" };
/// A call is given up after this and made again by who wants it: DynamoDB answers within milliseconds.
const CALL_WAIT: Duration = Duration::from_secs(5);
/// Leases that one transaction notes a commit in: it takes 100 items, of which one is the worker's. Pieces of more shards are not handed
/// on between two commits.
pub(super) const SETTLED_MAX: usize = 99;

/// The table did not answer, or could not: asked again, it may.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unanswered(String);

/// The leases of one stream in a table.
pub(super) struct Table {
    line: Line,
    name: String,
    /// What the keys of this stream's leases begin with, up to the colon before the shard.
    stream: String,
}

/// What to make of a lease.
pub(super) enum Change<'a> {
    /// It is there, unless it is there already.
    Make(&'a Shard),
    /// Its owner lives, and has committed so much.
    Renew { done: Option<&'a Offset>, forget_leaving: bool },
    /// It is mine, though its owner, if there is one, has not left it. Who was to leave it to that one `still_leaves`, or is
    /// waited for no more.
    Take { still_leaves: bool },
    /// It is mine once its owner has left it.
    Ask,
    /// I am leaving it, and about to commit what I read.
    Stay,
    /// I have committed so much, as its owner or who is leaving it.
    Settle { done: Option<&'a Offset> },
    /// I have left it, with so much committed.
    Leave { done: Option<&'a Offset> },
    /// It is nobody's.
    Release { done: Option<&'a Offset> },
}

impl Table {
    /// `stream` is its ARN; it was made at `created_millis`.
    ///
    /// # Errors
    /// When there are no credentials, there is no Region, or `AWS_CA_BUNDLE` cannot be read.
    pub async fn open(aws: &Aws, name: &str, stream: &str, created_millis: i64) -> anyhow::Result<Table> {
        let http = wire::connector_trusting(&aws.trust()?);
        let line = match Line::open(aws, DYNAMODB, None, http).await {
            Ok(line) => line,
            Err(answer) => bail!("{}", said(answer).1),
        };
        let mut parts = stream.split(':').skip(4);
        let (account, stream) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let stream = stream.trim_start_matches("stream/");
        let epoch = created_millis / 1000;
        Ok(Table { line, name: name.to_owned(), stream: format!("{account}:{stream}:{epoch}") })
    }

    /// All leases of the stream.
    pub async fn scan(&self) -> anyhow::Result<Vec<Lease>> {
        let mut leases = Vec::new();
        let mut from = Value::Null;
        loop {
            let mut ask = json!({
                "TableName": self.name,
                "ConsistentRead": true,
                "FilterExpression": "begins_with(#k, :k)",
                "ExpressionAttributeNames": { "#k": "leaseKey" },
                "ExpressionAttributeValues": { ":k": text(&format!("{}:", self.stream)) },
            });
            if !from.is_null() {
                ask["ExclusiveStartKey"] = from;
            }
            let mut answer = self.call("Scan", &ask).await?.unwrap_or_default();
            let items = answer["Items"].as_array().context("the answer has no items")?;
            for item in items {
                // only items of this stream were asked for
                match self.lease(item) {
                    Some(lease) => leases.push(lease),
                    None => bail!("the lease {} of {} cannot be understood", item["leaseKey"]["S"], self.name),
                }
            }
            from = answer["LastEvaluatedKey"].take();
            if from.is_null() {
                return Ok(leases);
            }
        }
    }

    /// Makes a lease, with what is done of its shard; `false` when it was there.
    pub async fn make(&self, shard: &Shard, mark: &Mark) -> anyhow::Result<bool> {
        let none = Lease {
            shard: shard.id.clone(),
            owner: None,
            leaving: None,
            leaving_counter: 0,
            counter: 0,
            switches: 0,
            mark: mark.clone(),
            parents: Vec::new(),
        };
        Ok(self.change(&none, "", Change::Make(shard)).await?.is_some())
    }

    /// Writes one lease as `me`, if it still stands as it was seen; gives it as it stands then. `None` when it stands otherwise.
    pub async fn change(&self, lease: &Lease, me: &str, change: Change<'_>) -> anyhow::Result<Option<Lease>> {
        let mut ask = self.update(lease, me, &change);
        ask["ReturnValues"] = json!("ALL_NEW");
        let Some(answer) = self.call("UpdateItem", &ask).await? else { return Ok(None) };
        Ok(Some(self.lease(&answer["Attributes"]).context("the answer has no lease")?))
    }

    /// Has a commit stand with what it has done of these leases, at most [`SETTLED_MAX`], if they all still stand as they were seen;
    /// `false` when one stands otherwise, or the commit is undone.
    pub async fn settle(&self, note: &Note, me: &str, leases: &[(Lease, Option<Offset>)]) -> anyhow::Result<bool> {
        let mut worker = Update::default();
        worker.set("weirCommit", text(&note.commit));
        worker.is_not("weirUndone", text(&note.commit));
        let leases = leases.iter().map(|(lease, done)| self.update(lease, me, &Change::Settle { done: done.as_ref() }));
        let updates = leases.chain([worker.json(&self.name, &worker_key(note))]);
        let items: Vec<Value> = updates.map(|update| json!({ "Update": update })).collect();
        Ok(self.call("TransactWriteItems", &json!({ "TransactItems": items })).await?.is_some())
    }

    /// Has a commit never stand; `false` when it does.
    pub async fn undo(&self, note: &Note) -> anyhow::Result<bool> {
        let mut worker = Update::default();
        worker.set("weirUndone", text(&note.commit));
        worker.is_not("weirCommit", text(&note.commit));
        Ok(self.call("UpdateItem", &worker.json(&self.name, &worker_key(note))).await?.is_some())
    }

    /// Removes the lease of a shard that is done and no more.
    pub async fn delete(&self, shard: &str) -> anyhow::Result<()> {
        let ask = json!({
            "TableName": self.name,
            "Key": { "leaseKey": text(&self.key(shard)) },
            "ConditionExpression": "#c = :c",
            "ExpressionAttributeNames": { "#c": "checkpoint" },
            "ExpressionAttributeValues": { ":c": text(SHARD_END) },
        });
        self.call("DeleteItem", &ask).await.map(|_| ())
    }

    /// Asks for the table, and whether its items could be written and removed, of which none is.
    pub async fn probe(&self) -> [(&'static str, Result<(), Trouble>); 3] {
        let none = json!({
            "TableName": self.name,
            "Key": { "leaseKey": text("weir-doctor") },
            "ConditionExpression": "attribute_exists(#k)",
            "ExpressionAttributeNames": { "#k": "leaseKey" },
        });
        let mut update = none.clone();
        update["UpdateExpression"] = json!("REMOVE #c");
        update["ExpressionAttributeNames"]["#c"] = json!("weirCommit");
        let together = json!({ "TransactItems": [{ "Update": update }] });
        let scan = json!({ "TableName": self.name, "Limit": 1 });
        let tried = async |operation, ask| match self.call(operation, ask).await {
            Ok(_) => Ok(()),
            Err(error) => {
                Err(error.downcast::<Trouble>().unwrap_or_else(|error| Trouble::new(Kind::Other, format!("{error:#}"))))
            }
        };
        [
            ("dynamodb:Scan", tried("Scan", &scan).await),
            ("dynamodb:UpdateItem", tried("TransactWriteItems", &together).await),
            ("dynamodb:DeleteItem", tried("DeleteItem", &none).await),
        ]
    }

    fn key(&self, shard: &str) -> String {
        format!("{}:{shard}", self.stream)
    }

    /// `None` when a condition did not hold.
    ///
    /// # Errors
    /// [`Unanswered`], or why there will be no answer.
    async fn call(&self, operation: &'static str, ask: &Value) -> anyhow::Result<Option<Value>> {
        let target = match operation {
            "Scan" => "DynamoDB_20120810.Scan",
            "DeleteItem" => "DynamoDB_20120810.DeleteItem",
            "TransactWriteItems" => "DynamoDB_20120810.TransactWriteItems",
            _ => "DynamoDB_20120810.UpdateItem",
        };
        let headers = [("content-type", "application/x-amz-json-1.0"), ("x-amz-target", target)];
        let asking = || format!("dynamodb:{operation} of the leases in {}", self.name);
        let reply = timeout(CALL_WAIT, self.line.call(&headers, ask.to_string())).await;
        let unanswered = |why: String| Unanswered(format!("{}: {why}", asking()));
        let reply = reply.map_err(|elapsed| unanswered(elapsed.to_string()))?;
        let reply = reply.map_err(|error| unanswered(format!("{error:#}")))?;
        if reply.status == 200 {
            return serde_json::from_slice(&reply.body).map(Some).with_context(asking);
        }
        let refusal = signed::refusal(&reply);
        let is_passing = matches!(refusal, Answer::Unavailable { .. });
        match said(refusal) {
            (code, _) if code == "ConditionalCheckFailedException" => Ok(None),
            // one that another writes to is told of by the same code, and by another reason
            (code, why) if code == "TransactionCanceledException" && why.contains("ConditionalCheckFailed") => Ok(None),
            (code, message) if is_passing => Err(unanswered(format!("{code}: {message}")).into()),
            (code, message) => {
                let kind = if code.starts_with("AccessDenied") { Kind::Denied } else { Kind::Other };
                Err(Trouble::new(kind, format!("{}: {code}: {message}", asking())).into())
            }
        }
    }

    fn update(&self, lease: &Lease, me: &str, change: &Change<'_>) -> Value {
        let mut update = Update::default();
        let counter = |update: &mut Update| update.set("leaseCounter", number(lease.counter + 1));
        let as_seen = |update: &mut Update| {
            update.is("leaseCounter", number(lease.counter));
            match &lease.owner {
                Some(owner) => update.is("leaseOwner", text(owner)),
                None => update.absent("leaseOwner"),
            }
        };
        let own = |update: &mut Update| {
            update.is("leaseCounter", number(lease.counter));
            update.is("leaseOwner", text(me));
        };
        match change {
            Change::Make(shard) => {
                update.absent("leaseKey");
                update.set("streamName", text(&self.stream));
                update.set("shardId", text(&shard.id));
                update.set("leaseCounter", number(0));
                update.set("ownerSwitchesSinceCheckpoint", number(0));
                update.set("startingHashKey", text(&shard.range.first.to_string()));
                update.set("endingHashKey", text(&shard.range.last.to_string()));
                if !shard.parents.is_empty() {
                    update.set("parentShardId", json!({ "SS": shard.parents }));
                }
                update.mark(&lease.mark);
            }
            Change::Renew { done, forget_leaving } => {
                own(&mut update);
                counter(&mut update);
                update.done(*done);
                if *forget_leaving {
                    update.is("weirLeaving", number(lease.leaving_counter));
                    update.remove("checkpointOwner");
                }
            }
            Change::Take { still_leaves } => {
                as_seen(&mut update);
                counter(&mut update);
                update.set("leaseOwner", text(me));
                update.set("ownerSwitchesSinceCheckpoint", number(lease.switches + 1));
                if !still_leaves {
                    update.remove("checkpointOwner");
                }
            }
            Change::Ask => {
                as_seen(&mut update);
                update.absent("checkpointOwner");
                counter(&mut update);
                update.set("leaseOwner", text(me));
                update.set("ownerSwitchesSinceCheckpoint", number(lease.switches + 1));
                update.set("checkpointOwner", lease.owner.as_deref().map_or(Value::Null, text));
                update.set("weirLeaving", number(0));
            }
            Change::Stay => {
                update.is("checkpointOwner", text(me));
                update.set("weirLeaving", number(lease.leaving_counter + 1));
            }
            Change::Settle { done } => {
                if lease.leaving.as_deref() == Some(me) {
                    update.is("checkpointOwner", text(me));
                    update.is("weirLeaving", number(lease.leaving_counter));
                    update.set("weirLeaving", number(lease.leaving_counter + 1));
                } else {
                    own(&mut update);
                    counter(&mut update);
                }
                update.done(*done);
            }
            Change::Leave { done } => {
                update.is("checkpointOwner", text(me));
                update.done(*done);
                update.remove("checkpointOwner");
            }
            Change::Release { done } => {
                own(&mut update);
                counter(&mut update);
                update.done(*done);
                update.remove("leaseOwner");
            }
        }
        update.json(&self.name, &self.key(&lease.shard))
    }

    /// `None` for an item that is no lease of this stream.
    fn lease(&self, item: &Value) -> Option<Lease> {
        let words = |name: &str| item[name]["S"].as_str();
        let count = |name: &str| item[name]["N"].as_str().and_then(|number| number.parse().ok());
        let shard = words("leaseKey")?.strip_prefix(&self.stream)?.strip_prefix(':')?;
        let parents = item["parentShardId"]["SS"].as_array().map_or(&[][..], Vec::as_slice);
        Some(Lease {
            shard: shard.into(),
            owner: words("leaseOwner").map(Into::into),
            leaving: words("checkpointOwner").map(Into::into),
            leaving_counter: count("weirLeaving").unwrap_or(0),
            counter: count("leaseCounter")?,
            switches: count("ownerSwitchesSinceCheckpoint").unwrap_or(0),
            mark: mark(words("checkpoint")?, count("checkpointSubSequenceNumber"), words("weirOffset"), item)?,
            parents: parents.iter().filter_map(Value::as_str).map(Into::into).collect(),
        })
    }
}

const TRIM_HORIZON: &str = "TRIM_HORIZON";
const AT_TIMESTAMP: &str = "AT_TIMESTAMP";
const SHARD_END: &str = "SHARD_END";

/// Where the KCL has written the checkpoint, our offset has another sequence number and says nothing any more.
fn mark(checkpoint: &str, sub_sequence: Option<u64>, exact: Option<&str>, item: &Value) -> Option<Mark> {
    Some(match checkpoint {
        TRIM_HORIZON => Mark::TrimHorizon,
        SHARD_END => Mark::Done(Offset::End),
        AT_TIMESTAMP | "LATEST" => Mark::Since(Timestamp(item["weirSince"]["N"].as_str()?.parse().ok()?)),
        sequence => {
            let exact = exact.map(|exact| Offset::At(exact.into()));
            match exact.filter(|exact| exact.record().is_some_and(|(number, _)| number == sequence)) {
                Some(exact) => Mark::Done(exact),
                None => {
                    let within = sub_sequence.map(|sub_sequence| Within { sub_sequence, bytes: None });
                    Mark::Done(Offset::of_record(sequence, within)?)
                }
            }
        }
    })
}

/// No lease's: those begin with the number of an account.
fn worker_key(note: &Note) -> String {
    format!("weir:{}", note.worker)
}

fn text(text: &str) -> Value {
    json!({ "S": text })
}

fn number(number: u64) -> Value {
    json!({ "N": number.to_string() })
}

/// Code and text of a refusal.
fn said(answer: Answer) -> (String, String) {
    match answer {
        Answer::Invalid { code, message }
        | Answer::Denied { code, message }
        | Answer::Unavailable { code, message, .. } => (code, message),
        Answer::Taken { .. } => ("status 200".to_owned(), "of no use".to_owned()),
    }
}

/// The expressions of UpdateItem. Attributes are named by placeholders, since DynamoDB reserves words.
#[derive(Default)]
struct Update {
    sets: Vec<String>,
    removes: Vec<String>,
    conditions: Vec<String>,
    names: Map<String, Value>,
    values: Map<String, Value>,
}

impl Update {
    fn name(&mut self, attribute: &'static str) -> String {
        self.names.insert(format!("#{attribute}"), json!(attribute));
        format!("#{attribute}")
    }

    fn set(&mut self, attribute: &'static str, value: Value) {
        let name = self.name(attribute);
        self.values.insert(format!(":new_{attribute}"), value);
        self.sets.push(format!("{name} = :new_{attribute}"));
    }

    fn remove(&mut self, attribute: &'static str) {
        let name = self.name(attribute);
        self.removes.push(name);
    }

    fn is(&mut self, attribute: &'static str, value: Value) {
        let name = self.name(attribute);
        self.values.insert(format!(":old_{attribute}"), value);
        self.conditions.push(format!("{name} = :old_{attribute}"));
    }

    fn absent(&mut self, attribute: &'static str) {
        let name = self.name(attribute);
        self.conditions.push(format!("attribute_not_exists({name})"));
    }

    fn is_not(&mut self, attribute: &'static str, value: Value) {
        let name = self.name(attribute);
        self.values.insert(format!(":old_{attribute}"), value);
        self.conditions.push(format!("(attribute_not_exists({name}) OR {name} <> :old_{attribute})"));
    }

    fn done(&mut self, done: Option<&Offset>) {
        if let Some(done) = done {
            self.mark(&Mark::Done(done.clone()));
            self.set("ownerSwitchesSinceCheckpoint", number(0));
        }
    }

    fn mark(&mut self, mark: &Mark) {
        let (checkpoint, sub_sequence) = match mark {
            Mark::TrimHorizon => (TRIM_HORIZON.to_owned(), 0),
            Mark::Since(time) => {
                self.set("weirSince", json!({ "N": time.0.to_string() }));
                (AT_TIMESTAMP.to_owned(), 0)
            }
            Mark::Done(offset) => match offset.record() {
                None => (SHARD_END.to_owned(), 0),
                Some((sequence, within)) => {
                    let sub_sequence = within.map_or(0, |within| within.sub_sequence);
                    let sequence = sequence.to_owned();
                    if let Offset::At(exact) = offset {
                        self.set("weirOffset", text(exact));
                    }
                    (sequence, sub_sequence)
                }
            },
        };
        self.set("checkpoint", text(&checkpoint));
        self.set("checkpointSubSequenceNumber", number(sub_sequence));
    }

    fn json(self, table: &str, key: &str) -> Value {
        let clauses = [("SET", &self.sets), ("REMOVE", &self.removes)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        let expression: Vec<String> = clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect();
        json!({
            "TableName": table,
            "Key": { "leaseKey": text(key) },
            "UpdateExpression": expression.join(" "),
            "ConditionExpression": self.conditions.join(" AND "),
            "ExpressionAttributeNames": self.names,
            "ExpressionAttributeValues": self.values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::kpl::HashRange;

    async fn table() -> Table {
        let aws = Aws::of_server("http://127.0.0.1:9");
        Table::open(&aws, "leases", "arn:aws:kinesis:us-east-1:111122223333:stream/logs", 1_722_511_800_000)
            .await
            .unwrap()
    }

    fn lease() -> Lease {
        Lease {
            shard: "shardId-1".into(),
            owner: Some("a/1".into()),
            leaving: None,
            leaving_counter: 0,
            counter: 7,
            switches: 2,
            mark: Mark::TrimHorizon,
            parents: vec!["shardId-0".into()],
        }
    }

    #[tokio::test]
    async fn what_is_denied_is_told_so_that_the_policy_can_be_named() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let deny = async || {
            let body = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#;
            (axum::http::StatusCode::BAD_REQUEST, body)
        };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(deny)).await });
        let stream = "arn:aws:kinesis:us-east-1:111122223333:stream/logs";
        let table = Table::open(&Aws::of_server(&url), "leases", stream, 0).await.unwrap();
        for (action, answer) in table.probe().await {
            let trouble = answer.unwrap_err();
            assert_eq!(trouble.kind, Kind::Denied, "{action}: {trouble}");
        }
    }

    #[tokio::test]
    async fn an_item_of_the_kcl_is_a_lease() {
        let item = json!({
            "leaseKey": { "S": "111122223333:logs:1722511800:shardId-1" },
            "leaseOwner": { "S": "a/1" },
            "leaseCounter": { "N": "7" },
            "ownerSwitchesSinceCheckpoint": { "N": "2" },
            "checkpoint": { "S": "49590338271490256608559692538361571095921575989136588898" },
            "checkpointSubSequenceNumber": { "N": "3" },
            "parentShardId": { "SS": ["shardId-0"] },
        });
        let table = table().await;
        let offset = |text: &str| Mark::Done(Offset::At(text.into()));
        let sequence = "49590338271490256608559692538361571095921575989136588898";
        let found = table.lease(&item).unwrap();
        assert_eq!(found, Lease { mark: offset(&format!("{sequence}.3")), ..lease() });
        let with = |name: &str, value: Value| {
            let mut item = item.clone();
            item[name] = value;
            table.lease(&item).map(|lease| lease.mark)
        };
        assert_eq!(with("weirOffset", text(&format!("{sequence}.3.70"))), Some(offset(&format!("{sequence}.3.70"))));
        assert_eq!(with("weirOffset", text(sequence)), Some(offset(sequence)));
        // the KCL has read on since
        assert_eq!(with("weirOffset", text("4959")), Some(offset(&format!("{sequence}.3"))));
        assert_eq!(with("checkpoint", text("SHARD_END")), Some(Mark::Done(Offset::End)));
        assert_eq!(with("checkpoint", text("TRIM_HORIZON")), Some(Mark::TrimHorizon));
        assert_eq!(with("leaseKey", text("111122223333:logs:1722511801:shardId-1")), None, "an earlier stream");
    }

    #[tokio::test]
    async fn a_renewal_writes_only_what_is_still_as_it_was_seen() {
        let done = Offset::At("49.3.70".into());
        let ask = table().await.update(&lease(), "a/1", &Change::Renew { done: Some(&done), forget_leaving: false });
        assert_eq!(ask["Key"], json!({ "leaseKey": { "S": "111122223333:logs:1722511800:shardId-1" } }));
        assert_eq!(
            ask["UpdateExpression"],
            "SET #leaseCounter = :new_leaseCounter, #weirOffset = :new_weirOffset, #checkpoint = :new_checkpoint, \
             #checkpointSubSequenceNumber = :new_checkpointSubSequenceNumber, \
             #ownerSwitchesSinceCheckpoint = :new_ownerSwitchesSinceCheckpoint"
        );
        assert_eq!(ask["ConditionExpression"], "#leaseCounter = :old_leaseCounter AND #leaseOwner = :old_leaseOwner");
        assert_eq!(
            ask["ExpressionAttributeValues"],
            json!({
                ":old_leaseCounter": { "N": "7" }, ":old_leaseOwner": { "S": "a/1" }, ":new_leaseCounter": { "N": "8" },
                ":new_weirOffset": { "S": "49.3.70" }, ":new_checkpoint": { "S": "49" },
                ":new_checkpointSubSequenceNumber": { "N": "3" }, ":new_ownerSwitchesSinceCheckpoint": { "N": "0" },
            })
        );
    }

    #[tokio::test]
    async fn who_asks_names_the_owner_that_has_to_leave_and_who_takes_does_not() {
        let table = table().await;
        let ask = table.update(&lease(), "b/1", &Change::Ask);
        assert_eq!(
            ask["ConditionExpression"],
            "#leaseCounter = :old_leaseCounter AND #leaseOwner = :old_leaseOwner AND attribute_not_exists(#checkpointOwner)"
        );
        let values = &ask["ExpressionAttributeValues"];
        assert_eq!((&values[":new_leaseOwner"], &values[":new_checkpointOwner"]), (&text("b/1"), &text("a/1")));
        let take =
            |still_leaves| table.update(&Lease { owner: None, ..lease() }, "b/1", &Change::Take { still_leaves });
        assert!(!take(true)["UpdateExpression"].as_str().unwrap().contains("checkpointOwner"));
        let take = take(false);
        assert_eq!(
            take["ConditionExpression"],
            "#leaseCounter = :old_leaseCounter AND attribute_not_exists(#leaseOwner)"
        );
        assert!(take["UpdateExpression"].as_str().unwrap().ends_with(" REMOVE #checkpointOwner"));
    }

    #[tokio::test]
    async fn who_leaves_writes_by_its_leave_and_not_by_the_counter() {
        let leave = table().await.update(&lease(), "a/1", &Change::Leave { done: None });
        assert_eq!(leave["ConditionExpression"], "#checkpointOwner = :old_checkpointOwner");
        assert_eq!(leave["UpdateExpression"], "REMOVE #checkpointOwner");
    }

    #[tokio::test]
    async fn a_lease_is_made_of_a_shard_once() {
        let range = HashRange { first: 0, last: u128::MAX };
        let shard = Shard { id: "shardId-1".into(), parents: vec!["shardId-0".into()], range, closed: false };
        let made = Lease { mark: Mark::Since(Timestamp(5)), ..lease() };
        let ask = table().await.update(&made, "", &Change::Make(&shard));
        assert_eq!(ask["ConditionExpression"], "attribute_not_exists(#leaseKey)");
        let values = &ask["ExpressionAttributeValues"];
        assert_eq!(values[":new_parentShardId"], json!({ "SS": ["shardId-0"] }));
        assert_eq!(values[":new_endingHashKey"], text("340282366920938463463374607431768211455"));
        assert_eq!((&values[":new_checkpoint"], &values[":new_weirSince"]), (&text("AT_TIMESTAMP"), &number(5)));
    }
}
