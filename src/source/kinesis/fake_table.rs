//! A table of DynamoDB on the loopback for tests: the calls that leases are kept with, each of which is made whole or not at all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

type Item = Map<String, Value>;

/// The items by their keys. A clone is the same table.
#[derive(Clone, Default)]
pub struct FakeTable(Arc<Mutex<BTreeMap<String, Item>>>);

/// What becomes of the calls of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Open,
    /// They fail, and change nothing.
    Shut,
    /// They are made, and the answers are lost.
    Mute,
    /// Those that have a commit stand fail, and no other.
    Unsettled,
}

/// Where one worker calls the table.
pub struct Door {
    pub url: String,
    way: Arc<Mutex<Way>>,
}

impl Door {
    pub fn is(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }
}

/// Items of an answer.
const PAGE: usize = 3;

impl FakeTable {
    pub async fn door(&self) -> Door {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let way = Arc::new(Mutex::new(Way::Open));
        let router = axum::Router::new().fallback(answer).with_state((self.clone(), way.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Door { url, way }
    }

    /// The leases there are, by the ids of their shards.
    pub fn leases(&self) -> BTreeMap<String, Item> {
        let items = self.0.lock().unwrap();
        let lease = |item: &Item| Some((item.get("shardId")?["S"].as_str()?.to_owned(), item.clone()));
        items.values().filter_map(lease).collect()
    }

    /// Another worker takes the lease of this place, if there is one, and is not heard of again.
    pub fn lose(&self, place: usize) {
        let mut items = self.0.lock().unwrap();
        let Some(item) = items.values_mut().filter(|item| item.contains_key("shardId")).nth(place) else { return };
        for count in ["leaseCounter", "ownerSwitchesSinceCheckpoint"] {
            let before: u64 = item[count]["N"].as_str().unwrap().parse().unwrap();
            item.insert(count.to_owned(), json!({ "N": (before + 1).to_string() }));
        }
        item.insert("leaseOwner".to_owned(), json!({ "S": "another/1" }));
    }

    fn call(&self, operation: &str, ask: &Value) -> Result<Value, &'static str> {
        let mut items = self.0.lock().unwrap();
        let all_hold = |asks: &[&Value]| asks.iter().all(|ask| holds(items.get(key(ask)).unwrap_or(&Item::new()), ask));
        match operation {
            "Scan" => Ok(scanned(&items, ask)),
            "DeleteItem" | "UpdateItem" if !all_hold(&[ask]) => Err("ConditionalCheckFailedException"),
            "DeleteItem" => {
                items.remove(key(ask));
                Ok(json!({}))
            }
            "UpdateItem" => Ok(json!({ "Attributes": updated(&mut items, ask) })),
            "TransactWriteItems" => {
                let updates = ask["TransactItems"].as_array().unwrap().iter().map(|item| &item["Update"]);
                let updates: Vec<&Value> = updates.collect();
                assert!(updates.len() <= 100 && updates.iter().all(|update| update.get("ReturnValues").is_none()));
                if !all_hold(&updates) {
                    return Err("TransactionCanceledException");
                }
                updates.into_iter().for_each(|update| drop(updated(&mut items, update)));
                Ok(json!({}))
            }
            other => panic!("{other} is not called"),
        }
    }
}

fn key(ask: &Value) -> &str {
    ask["Key"]["leaseKey"]["S"].as_str().unwrap()
}

/// The item as it is then.
fn updated(items: &mut BTreeMap<String, Item>, ask: &Value) -> Item {
    let item = items.entry(key(ask).to_owned()).or_default();
    item.insert("leaseKey".into(), ask["Key"]["leaseKey"].clone());
    change(item, ask);
    item.clone()
}

pub async fn answer(
    State((table, way)): State<(FakeTable, Arc<Mutex<Way>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let way = *way.lock().unwrap();
    let operation = headers["x-amz-target"].to_str().unwrap().strip_prefix("DynamoDB_20120810.").unwrap();
    let ask: Value = serde_json::from_slice(&body).unwrap();
    let is_shut = way == Way::Shut || (way == Way::Unsettled && operation == "TransactWriteItems");
    let answer = (!is_shut).then(|| table.call(operation, &ask));
    let refused = |status, code: &str| {
        let told = json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"),
                           "message": "of the fake: [ConditionalCheckFailed]" });
        (status, told.to_string()).into_response()
    };
    match answer.filter(|_| way != Way::Mute) {
        Some(Ok(answer)) => answer.to_string().into_response(),
        Some(Err(code)) => refused(StatusCode::BAD_REQUEST, code),
        None => refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
    }
}

fn scanned(items: &BTreeMap<String, Item>, ask: &Value) -> Value {
    let beginning = ask["ExpressionAttributeValues"][":k"]["S"].as_str().unwrap();
    let after = ask["ExclusiveStartKey"]["leaseKey"]["S"].as_str().unwrap_or_default();
    let mut left = items.iter().filter(|(key, _)| key.starts_with(beginning) && key.as_str() > after);
    let page: Vec<(&String, &Item)> = left.by_ref().take(PAGE).collect();
    let mut answer = json!({ "Items": page.iter().map(|(_, item)| *item).collect::<Vec<_>>() });
    if let (Some(_), Some((last, _))) = (left.next(), page.last()) {
        answer["LastEvaluatedKey"] = json!({ "leaseKey": { "S": last } });
    }
    answer
}

fn name<'a>(ask: &'a Value, placeholder: &str) -> &'a str {
    ask["ExpressionAttributeNames"][placeholder].as_str().unwrap()
}

fn holds(item: &Item, ask: &Value) -> bool {
    let is_so = |condition: &str| match condition.strip_prefix("attribute_not_exists(") {
        Some(absent) => !item.contains_key(name(ask, absent.trim_end_matches(')'))),
        None => {
            let [placeholder, sign, value] = condition.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{condition}")
            };
            let is_same = item.get(name(ask, placeholder)) == Some(&ask["ExpressionAttributeValues"][value]);
            is_same == (sign == "=")
        }
    };
    ask["ConditionExpression"].as_str().unwrap().split(" AND ").all(|any| {
        let inside = any.strip_prefix('(').and_then(|inside| inside.strip_suffix(')'));
        inside.unwrap_or(any).split(" OR ").any(is_so)
    })
}

fn change(item: &mut Item, ask: &Value) {
    let expression = ask["UpdateExpression"].as_str().unwrap();
    let (sets, removes) = expression.split_once("REMOVE ").unwrap_or((expression, ""));
    let sets = sets.trim().strip_prefix("SET ").unwrap_or_default();
    for set in sets.split(", ").filter(|set| !set.is_empty()) {
        let (placeholder, value) = set.split_once(" = ").unwrap();
        item.insert(name(ask, placeholder).to_owned(), ask["ExpressionAttributeValues"][value].clone());
    }
    for placeholder in removes.split(", ").filter(|remove| !remove.is_empty()) {
        item.remove(name(ask, placeholder));
    }
}
