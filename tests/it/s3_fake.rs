//! A server in this process that answers as S3 and SQS do, as far as the sources ask, with the faults that a test orders.
//! The unit tests of the S3 sources use it too.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

/// What goes wrong with one answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection breaks after so many bytes of the body; what is put is written, and the answer is lost.
    Cut(usize),
    /// Nothing more comes after so many bytes; the answer of SQS comes after so many milliseconds.
    Stall(usize),
    /// An answer with this status, code and message.
    Refuse(u16, &'static str, &'static str),
    /// The bucket is in this Region.
    Elsewhere(&'static str),
}

#[derive(Default)]
pub struct World {
    /// Content and ETag, by `BUCKET/KEY`.
    pub objects: BTreeMap<String, (Bytes, String)>,
    /// Accounts that buckets belong to, where it matters. Who expects another is denied, and not told why.
    pub owners: BTreeMap<String, &'static str>,
    /// For the next requests for an object (`BUCKET/KEY`), a listing (`LIST BUCKET/PREFIX`), the writing of any object of a
    /// bucket (`PUT BUCKET`) or an operation of SQS.
    pub faults: HashMap<String, VecDeque<Fault>>,
    /// The requests: `GET bucket/key RANGE`, `PUT bucket/key`, `LIST bucket/prefix`, `DeleteMessageBatch 1`, ...
    pub log: Vec<String>,
    /// Messages that can be received.
    pub messages: VecDeque<(String, String)>,
    /// When they were sent, in milliseconds since 1970, of those that say so.
    pub sent: BTreeMap<String, i64>,
    /// Handles of those that were, and how long they were hidden last.
    pub hidden: BTreeMap<String, i64>,
    pub deleted: Vec<String>,
    received: u64,
    /// By this clock what is hidden is there again once its time is over. A handle is then good for nothing any more: what it names is not
    /// hidden, and that it is deleted is said, as AWS does, and not done. Without a clock what is hidden stays so.
    pub clock: Option<fn() -> Duration>,
    /// Every handle that a message has had is good for it, for as long as it is hidden, as moto has it.
    pub takes_any_handle: bool,
    bodies: BTreeMap<String, String>,
    until: BTreeMap<String, Duration>,
}

impl World {
    /// Until when what is hidden now for so many seconds is hidden.
    fn hide(&mut self, handle: &str, seconds: i64) {
        self.hidden.insert(handle.to_owned(), seconds);
        if let Some(clock) = self.clock {
            self.until.insert(handle.to_owned(), clock() + Duration::from_secs(seconds as u64));
        }
    }

    /// What is hidden no longer is there again.
    pub fn show(&mut self) {
        let Some(clock) = self.clock else { return };
        let now = clock();
        for (handle, _) in self.until.extract_if(.., |_, until| *until <= now) {
            self.hidden.remove(&handle);
            let id = handle.split('#').next().unwrap();
            self.messages.push_back((id.to_owned(), self.bodies[id].clone()));
        }
    }

    pub fn is_in_flight(&self, handle: &str) -> bool {
        self.clock.is_none() || self.until.contains_key(handle)
    }

    /// The handle that is good for a message, by this one.
    fn current(&self, handle: String) -> String {
        let id = |handle: &str| handle.split('#').next().unwrap().to_owned();
        let other = || self.until.keys().find(|other| id(other) == id(&handle)).cloned();
        other().filter(|_| self.takes_any_handle && !self.is_in_flight(&handle)).unwrap_or(handle)
    }
}

#[derive(Clone)]
pub struct Fake {
    world: Arc<Mutex<World>>,
    pub url: String,
}

impl Fake {
    pub async fn start() -> Fake {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Fake::at(format!("http://{}", listener.local_addr().unwrap()));
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    /// For who serves it.
    pub fn at(url: String) -> Fake {
        Fake { world: Arc::default(), url }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn put(&self, bucket: &str, key: &str, content: impl Into<Bytes>) {
        let content = content.into();
        let etag = etag(&content);
        self.world().objects.insert(format!("{bucket}/{key}"), (content, etag));
    }

    pub fn fault(&self, object: &str, faults: impl IntoIterator<Item = Fault>) {
        self.world().faults.insert(object.to_owned(), faults.into_iter().collect());
    }

    pub fn send(&self, id: &str, body: impl Into<String>) {
        self.world().messages.push_back((id.to_owned(), body.into()));
    }

    /// The requests whose log begins so.
    pub fn asked(&self, start: &str) -> Vec<String> {
        self.world().log.iter().filter(|line| line.starts_with(start)).cloned().collect()
    }
}

pub async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let headers = request.headers().clone();
    if let Some(target) = headers.get("x-amz-target") {
        let operation = target.to_str().unwrap().trim_start_matches("AmazonSQS.").to_owned();
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        return sqs(&fake, &operation, &serde_json::from_slice(&body).unwrap()).await;
    }
    let bucket = path.split('/').next().unwrap_or_default();
    let expected = headers.get("x-amz-expected-bucket-owner").map(|owner| owner.to_str().unwrap());
    let owner = fake.world().owners.get(bucket).copied();
    if expected.is_some_and(|expected| owner.is_some_and(|owner| owner != expected)) {
        return refuse(403, "AccessDenied", "Access Denied");
    }
    if request.method() == Method::PUT {
        let body = axum::body::to_bytes(request.into_body(), 64 << 20).await.unwrap();
        return put(&fake, &path, &headers, body);
    }
    if request.method() == Method::DELETE {
        let mut world = fake.world();
        world.log.push(format!("DELETE {path}"));
        world.objects.remove(&path);
        return StatusCode::NO_CONTENT.into_response();
    }
    if query.contains("list-type=2") {
        list(&fake, path.trim_end_matches('/'), &query)
    } else {
        get(&fake, &path, &headers)
    }
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

fn put(fake: &Fake, path: &str, headers: &HeaderMap, content: Bytes) -> Response {
    let path = percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned();
    let (bucket, _) = path.split_once('/').unwrap();
    let mut world = fake.world();
    world.log.push(format!("PUT {path}"));
    let fault = world.faults.get_mut(&format!("PUT {bucket}")).and_then(VecDeque::pop_front);
    if let Some(Fault::Refuse(status, code, message)) = fault {
        return refuse(status, code, message);
    }
    let stands = world.objects.get(&path).map(|(_, etag)| format!("\"{etag}\""));
    let is_other = headers.get("if-match").is_some_and(|wanted| Some(wanted.to_str().unwrap()) != stands.as_deref());
    if is_other || headers.contains_key("if-none-match") && stands.is_some() {
        return refuse(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    }
    let etag = etag(&content);
    world.objects.insert(path, (content, etag.clone()));
    match fault {
        Some(Fault::Cut(_)) => refuse(500, "InternalError", "it is written, and the answer is lost"),
        _ => ([("etag", format!("\"{etag}\""))], "").into_response(),
    }
}

fn etag(content: &[u8]) -> String {
    blake3::hash(content).to_hex()[..32].to_owned()
}

fn get(fake: &Fake, path: &str, headers: &HeaderMap) -> Response {
    let path = percent_encoding::percent_decode_str(path).decode_utf8().unwrap().into_owned();
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let mut world = fake.world();
    let range = header("range").unwrap_or_default();
    world.log.push(format!("GET {path} {range}").trim_end().to_owned());
    let fault = world.faults.get_mut(&path).and_then(VecDeque::pop_front);
    if let Some(Fault::Elsewhere(region)) = fault
        && !header("authorization").unwrap().contains(&format!("/{region}/s3/"))
    {
        let mut answer = refuse(301, "PermanentRedirect", "use another endpoint");
        answer.headers_mut().insert("x-amz-bucket-region", region.parse().unwrap());
        return answer;
    }
    if let Some(Fault::Refuse(status, code, message)) = fault {
        return refuse(status, code, message);
    }
    let Some((content, etag)) = world.objects.get(&path) else {
        return refuse(404, "NoSuchKey", "The specified key does not exist.");
    };
    let etag = format!("\"{etag}\"");
    if header("if-match").is_some_and(|wanted| wanted != etag) {
        return refuse(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    }
    let start: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap_or(0);
    let rest = content.slice(start..);
    let length = rest.len();
    let first = |count: usize| Ok::<_, std::io::Error>(rest.slice(..count.min(length)));
    let body = match fault {
        Some(Fault::Cut(count)) => {
            // what came before an error is sent first when there is a moment between them
            let error = stream::once(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::other("cut"))
            });
            Body::from_stream(stream::iter([first(count)]).chain(error))
        }
        Some(Fault::Stall(count)) => Body::from_stream(stream::iter([first(count)]).chain(stream::pending())),
        Some(Fault::Refuse(..) | Fault::Elsewhere(_)) | None => Body::from(rest.clone()),
    };
    let status = if start > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    (status, [("etag", etag), ("content-length", length.to_string())], body).into_response()
}

fn list(fake: &Fake, bucket: &str, query: &str) -> Response {
    let value = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.map(|value| percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
    };
    let prefix = value("prefix").unwrap_or_default();
    let mut world = fake.world();
    world.log.push(format!("LIST {bucket}/{prefix}"));
    let fault = world.faults.get_mut(&format!("LIST {bucket}/{prefix}")).and_then(VecDeque::pop_front);
    if let Some(Fault::Refuse(status, code, message)) = fault {
        return refuse(status, code, message);
    }
    let (mut keys, mut folders, mut count) = (String::new(), Vec::new(), 0);
    for (name, (content, etag)) in &world.objects {
        let Some(key) = name.strip_prefix(&format!("{bucket}/")).filter(|key| key.starts_with(&prefix)) else {
            continue;
        };
        match key[prefix.len()..].split_once('/').filter(|_| value("delimiter").is_some()) {
            Some((folder, _)) => folders.push(format!("{prefix}{folder}/")),
            None => {
                let size = content.len();
                let etag = if etag.is_empty() { String::new() } else { format!("<ETag>\"{etag}\"</ETag>") };
                keys += &format!("<Contents><Key>{key}</Key>{etag}<Size>{size}</Size></Contents>");
                count += 1;
            }
        }
    }
    folders.dedup();
    count += folders.len();
    let folders: String =
        folders.iter().map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>")).collect();
    // the order of S3
    let head = format!("<?xml version=\"1.0\"?><ListBucketResult><KeyCount>{count}</KeyCount>");
    if let Some(Fault::Cut(bytes)) = fault {
        return (StatusCode::OK, head + keys.get(..bytes).unwrap_or(&keys)).into_response();
    }
    let body = format!("{head}{keys}{folders}</ListBucketResult>");
    (StatusCode::OK, body).into_response()
}

async fn sqs(fake: &Fake, operation: &str, input: &Value) -> Response {
    let entries = input["Entries"].as_array().cloned().unwrap_or_default();
    let handle = |entry: &Value| entry["ReceiptHandle"].as_str().unwrap().to_owned();
    let all = || entries.iter().map(|entry| json!({ "Id": entry["Id"] })).collect::<Vec<_>>();
    let mut pause = 0;
    let output = {
        let mut world = fake.world();
        world.log.push(format!("{operation} {}", entries.len()));
        let fault = world.faults.get_mut(operation).and_then(VecDeque::pop_front);
        if let Some(Fault::Refuse(status, code, message)) = fault {
            let body = json!({ "__type": code, "message": message }).to_string();
            return (StatusCode::from_u16(status).unwrap(), body).into_response();
        }
        if let Some(Fault::Stall(millis)) = fault {
            pause = millis as u64;
        }
        world.show();
        match operation {
            "GetQueueUrl" => json!({ "QueueUrl": format!("{}/1/{}", fake.url, input["QueueName"].as_str().unwrap()) }),
            "GetQueueAttributes" => json!({ "Attributes": { "RedrivePolicy": "{}" } }),
            "ReceiveMessage" => {
                // a FIFO queue of one group
                let is_fifo = input["QueueUrl"].as_str().unwrap().ends_with(".fifo");
                let count = if is_fifo && !world.hidden.is_empty() { 0 } else { world.messages.len().min(10) };
                let taken: Vec<_> = world.messages.drain(..count).collect();
                let messages = taken.into_iter().map(|(id, body)| {
                    world.received += 1;
                    let handle = format!("{id}#{}", world.received);
                    world.hide(&handle, input["VisibilityTimeout"].as_i64().unwrap());
                    world.bodies.insert(id.clone(), body.clone());
                    let mut attributes = json!({ "ApproximateReceiveCount": "1" });
                    if let Some(sent) = world.sent.get(&id) {
                        attributes["SentTimestamp"] = json!(sent.to_string());
                    }
                    json!({ "MessageId": id, "ReceiptHandle": handle, "Body": body, "Attributes": attributes })
                });
                let messages: Vec<_> = messages.collect();
                json!({ "Messages": messages })
            }
            "DeleteMessageBatch" => {
                let handles: Vec<_> = entries.iter().map(|entry| world.current(handle(entry))).collect();
                for handle in handles.into_iter().filter(|handle| world.is_in_flight(handle)).collect::<Vec<_>>() {
                    world.hidden.remove(&handle);
                    world.until.remove(&handle);
                    world.deleted.push(handle);
                }
                json!({ "Successful": all(), "Failed": [] })
            }
            "ChangeMessageVisibilityBatch" => {
                let (mut hidden, mut failed) = (Vec::new(), Vec::new());
                for entry in &entries {
                    let handle = world.current(handle(entry));
                    if world.is_in_flight(&handle) {
                        world.hide(&handle, entry["VisibilityTimeout"].as_i64().unwrap());
                        hidden.push(json!({ "Id": entry["Id"] }));
                    } else {
                        let code = "MessageNotInflight";
                        failed.push(json!({ "Id": entry["Id"], "SenderFault": true, "Code": code }));
                    }
                }
                json!({ "Successful": hidden, "Failed": failed })
            }
            other => panic!("SQS was asked for {other}"),
        }
    };
    if pause > 0 {
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    if operation == "ReceiveMessage" && output["Messages"].as_array().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ([("content-type", "application/x-amz-json-1.0")], output.to_string()).into_response()
}
