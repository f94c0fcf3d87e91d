//! PutEvents, Publish, GetSecretValue and an incoming webhook on a port of this machine: it checks signatures and limits, keeps what
//! arrives, and fails as it is told to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::routing::{post, put};
use serde_json::{Value, json};

use crate::hub::{Reply, account, assume_role, refuse, signed};
use crate::support::serve;

pub const BUS: &str = "findings";
pub const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:findings";
/// What a webhook's address must not be told of.
pub const CANARY: &str = "canary0canary0canary0canary";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    EventBridge,
    Sns,
    Webhook,
    S3,
}

pub const WAYS: [Way; 3] = [Way::EventBridge, Way::Sns, Way::Webhook];

/// What becomes of a call instead of taking its findings.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// The webhook asks for a pause of a second.
    Throttle,
    Down,
    /// Takes the findings, and breaks the connection before it answers.
    Lost,
    Denied,
    /// A proxy answers in place of S3, with a page; others take the findings.
    Page,
}

#[derive(Default)]
pub struct Seen {
    /// Everything that was taken, in order: the findings of EventBridge and SNS, the messages of the webhook.
    pub taken: BTreeMap<Way, Vec<Value>>,
    /// When each call came, taken or not.
    pub calls: BTreeMap<Way, Vec<Instant>>,
    /// Accounts of the credentials that calls were made with.
    pub accounts: BTreeSet<String>,
    /// What the caller got wrong.
    pub wrong: Vec<String>,
    /// What the next calls come to, one each.
    pub troubles: BTreeMap<Way, VecDeque<Trouble>>,
    /// Titles of findings that are refused for ever, and of events that fail with an internal error at first.
    pub poison: BTreeSet<String>,
    pub flaky: BTreeSet<String>,
    /// Titles of events that always fail with an internal error.
    pub broken: BTreeSet<String>,
    failed_once: BTreeSet<String>,
    /// What GetSecretValue answers, with each id that was asked for; without one there is no such secret.
    pub secret: Option<Value>,
    pub secrets_asked: Vec<String>,
    /// Addresses of webhooks that are no more, by their last part.
    pub hooks_gone: BTreeSet<String>,
    /// Objects by key, and how often the writing of one that was there was tried.
    pub objects: BTreeMap<String, String>,
    pub written_again: usize,
}

impl Seen {
    /// How often each finding arrived, and in which forms.
    pub fn arrived(&self, way: Way) -> BTreeMap<String, Vec<Value>> {
        let mut arrived: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for one in self.taken.get(&way).into_iter().flatten() {
            arrived.entry(id(way, one)).or_default().push(one.clone());
        }
        arrived
    }

    fn refuses(&self, text: &str) -> bool {
        self.poison.iter().any(|title| text.contains(title.as_str()))
    }
}

/// The finding's id. A message of the webhook has it in its last line.
fn id(way: Way, one: &Value) -> String {
    match way {
        Way::EventBridge | Way::Sns => one["id"].as_str().unwrap().to_owned(),
        Way::S3 => panic!("objects have keys"),
        Way::Webhook => {
            let context = one["blocks"].as_array().unwrap().last().unwrap();
            let text = context["elements"][0]["text"].as_str().unwrap_or_default();
            text.split(" · ").nth(1).unwrap_or_default().to_owned()
        }
    }
}

#[derive(Clone)]
pub struct Fake {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

impl Fake {
    /// Starts it, for as long as the test runs.
    pub fn start() -> Fake {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Fake { url: format!("http://{}", listener.local_addr().unwrap()), seen: Arc::default() };
        let router = axum::Router::new()
            .route("/", post(aws))
            .route("/services/{token}", post(webhook))
            .route("/bucket/{*key}", put(put_object))
            .with_state(fake.clone());
        serve(listener, router);
        fake
    }

    pub fn hook(&self) -> String {
        format!("{}/services/{CANARY}", self.url)
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Waits until something holds.
    pub fn wait_for(&self, what: &str, holds: impl Fn(&Seen) -> bool) {
        let begun = Instant::now();
        while !holds(&self.seen()) {
            assert!(begun.elapsed() < Duration::from_secs(180), "{what} did not come");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Notes a call, and gives its trouble.
    fn called(&self, way: Way) -> Option<Trouble> {
        let mut seen = self.seen();
        seen.calls.entry(way).or_default().push(Instant::now());
        seen.troubles.get_mut(&way).and_then(VecDeque::pop_front)
    }

    /// Notes the account that a call is signed for; the answer when it is not signed.
    fn refuse_unsigned(
        &self,
        service: &str,
        names: &[&'static str],
        headers: &HeaderMap,
        body: &[u8],
    ) -> Option<Reply> {
        let mut seen = self.seen();
        let Some((access_key, region)) = signed(service, &format!("{}/", self.url), names, headers, body) else {
            seen.wrong.push("a signature is wrong".to_owned());
            return Some(refuse(403, "InvalidSignatureException"));
        };
        if region != "eu-west-1" {
            seen.wrong.push(format!("a call for {region}"));
        }
        seen.accounts.extend(account(&access_key));
        None
    }
}

fn answer(trouble: Option<Trouble>, reply: Reply) -> Reply {
    match trouble {
        // the connection is broken by a panic of its task
        Some(Trouble::Lost) => std::panic::resume_unwind(Box::new("the answer is lost")),
        _ => reply,
    }
}

async fn aws(State(fake): State<Fake>, headers: HeaderMap, body: Bytes) -> Reply {
    if headers.get("x-amz-target").is_some_and(|target| target == "AWSEvents.PutEvents") {
        return put_events(&fake, &headers, &body);
    }
    if headers.get("x-amz-target").is_some_and(|target| target == "secretsmanager.GetSecretValue") {
        return get_secret_value(&fake, &headers, &body);
    }
    let form = String::from_utf8_lossy(&body).into_owned();
    match form.starts_with("Action=Publish&") {
        true => publish(&fake, &headers, &form),
        false => assume_role(form).await,
    }
}

fn put_events(fake: &Fake, headers: &HeaderMap, body: &[u8]) -> Reply {
    let trouble = fake.called(Way::EventBridge);
    if let Some(refusal) = fake.refuse_unsigned("events", &["content-type", "x-amz-target"], headers, body) {
        return refusal;
    }
    match trouble {
        Some(Trouble::Throttle) => return refuse(400, "ThrottlingException"),
        Some(Trouble::Down) => return refuse(503, "InternalException"),
        Some(Trouble::Denied) => return refuse(400, "AccessDeniedException"),
        Some(Trouble::Lost | Trouble::Page) | None => {}
    }
    let mut seen = fake.seen();
    let call: Value = serde_json::from_slice(body).unwrap();
    let entries = call["Entries"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let size = |entry: &Value| {
        let resources = entry["Resources"].as_array().into_iter().flatten();
        let texts = [&entry["Source"], &entry["DetailType"], &entry["Detail"]].into_iter().chain(resources);
        14 + texts.map(|value| text(value).len()).sum::<usize>()
    };
    let bytes: usize = entries.iter().map(size).sum();
    if !(1..=10).contains(&entries.len()) || bytes >= 256 * 1024 {
        seen.wrong.push(format!("a call has {} entries of {bytes} bytes", entries.len()));
    }
    let mut answers = Vec::new();
    for entry in entries {
        let detail: Value = serde_json::from_str(&text(&entry["Detail"])).unwrap();
        if entry["Source"] != "weir" || entry["DetailType"] != "Weir Finding" || entry["EventBusName"] != BUS {
            seen.wrong.push(format!("an entry is {entry}"));
        }
        let (title, id) = (text(&detail["title"]), text(&detail["id"]));
        let failed = |code: &str| json!({ "ErrorCode": code, "ErrorMessage": "of the test" });
        answers.push(if seen.poison.contains(&title) {
            failed("MalformedDetail")
        } else if seen.broken.contains(&title) || (seen.flaky.contains(&title) && seen.failed_once.insert(id)) {
            failed("InternalFailure")
        } else {
            seen.taken.entry(Way::EventBridge).or_default().push(detail);
            json!({ "EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860" })
        });
    }
    let failed = answers.iter().filter(|one| one["ErrorCode"].is_string()).count();
    let reply = json!({ "FailedEntryCount": failed, "Entries": answers }).to_string();
    drop(seen);
    answer(trouble, (StatusCode::OK, HeaderMap::new(), reply))
}

fn publish(fake: &Fake, headers: &HeaderMap, form: &str) -> Reply {
    let trouble = fake.called(Way::Sns);
    if let Some(refusal) = fake.refuse_unsigned("sns", &["content-type"], headers, form.as_bytes()) {
        return refusal;
    }
    let error = |status: u16, code: &str| {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>of the test</Message></Error></ErrorResponse>"
        );
        (StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body)
    };
    match trouble {
        Some(Trouble::Throttle) => return error(400, "Throttling"),
        Some(Trouble::Down) => return error(500, "InternalFailure"),
        Some(Trouble::Denied) => return error(403, "AuthorizationError"),
        Some(Trouble::Lost | Trouble::Page) | None => {}
    }
    let pairs: BTreeMap<String, String> = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            (name.to_owned(), percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
        })
        .collect();
    let finding: Value = serde_json::from_str(&pairs["Message"]).unwrap();
    let mut seen = fake.seen();
    for (index, name) in ["severity", "account", "rule"].into_iter().enumerate() {
        let of = |part: &str| pairs.get(&format!("MessageAttributes.entry.{}.{part}", index + 1)).cloned();
        if of("Name").as_deref() != Some(name) || of("Value.StringValue").as_deref() != finding[name].as_str() {
            seen.wrong.push(format!("the attribute {name} is not that of {finding}"));
        }
    }
    if pairs["TopicArn"] != TOPIC || pairs["Message"].len() >= 256 * 1024 {
        seen.wrong.push(format!("a message for {}", pairs["TopicArn"]));
    }
    if seen.refuses(&pairs["Message"]) {
        return error(400, "InvalidParameter");
    }
    seen.taken.entry(Way::Sns).or_default().push(finding);
    drop(seen);
    let reply = "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>";
    answer(trouble, (StatusCode::OK, HeaderMap::new(), reply.to_owned()))
}

fn get_secret_value(fake: &Fake, headers: &HeaderMap, body: &[u8]) -> Reply {
    if let Some(refusal) = fake.refuse_unsigned("secretsmanager", &["content-type", "x-amz-target"], headers, body) {
        return refusal;
    }
    let ask: Value = serde_json::from_slice(body).unwrap();
    let mut seen = fake.seen();
    seen.secrets_asked.push(ask["SecretId"].as_str().unwrap().to_owned());
    match &seen.secret {
        Some(secret) => (StatusCode::OK, HeaderMap::new(), secret.to_string()),
        None => {
            let body = json!({ "__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find it." });
            (StatusCode::BAD_REQUEST, HeaderMap::new(), body.to_string())
        }
    }
}

async fn webhook(State(fake): State<Fake>, Path(token): Path<String>, body: Bytes) -> Reply {
    let trouble = fake.called(Way::Webhook);
    let refused = |status: u16, says: &str| {
        let mut headers = HeaderMap::new();
        if status == 429 {
            headers.insert("retry-after", "1".parse().unwrap());
        }
        (StatusCode::from_u16(status).unwrap(), headers, says.to_owned())
    };
    match trouble {
        Some(Trouble::Throttle) => return refused(429, "rate_limited"),
        Some(Trouble::Down) => return refused(500, "rollup_error"),
        Some(Trouble::Denied) => return refused(404, &format!("no_service at /services/{CANARY}")),
        Some(Trouble::Lost | Trouble::Page) | None => {}
    }
    if fake.seen().hooks_gone.contains(&token) {
        return refused(404, &format!("no_service at /services/{token}"));
    }
    let message: Value = serde_json::from_slice(&body).unwrap();
    let mut seen = fake.seen();
    let text = message["text"].as_str().unwrap_or_default();
    if text.is_empty() || message["blocks"].as_array().is_none_or(Vec::is_empty) {
        seen.wrong.push(format!("a message is {message}"));
    }
    if seen.refuses(text) {
        return refused(400, "invalid_blocks");
    }
    seen.taken.entry(Way::Webhook).or_default().push(message);
    drop(seen);
    answer(trouble, refused(200, "ok"))
}

async fn put_object(State(fake): State<Fake>, Path(key): Path<String>, headers: HeaderMap, body: Bytes) -> Reply {
    let trouble = fake.called(Way::S3);
    let refused = |status: u16, code: &str| {
        let body = format!("<Error><Code>{code}</Code><Message>of the test</Message></Error>");
        (StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body)
    };
    match trouble {
        Some(Trouble::Throttle) => return refused(503, "SlowDown"),
        Some(Trouble::Down) => return refused(500, "InternalError"),
        Some(Trouble::Denied) => return refused(403, "AccessDenied"),
        Some(Trouble::Page) => return (StatusCode::OK, HeaderMap::new(), "<html>log in</html>".to_owned()),
        Some(Trouble::Lost) | None => {}
    }
    let mut seen = fake.seen();
    if headers.get("if-none-match").is_none_or(|value| value != "*") {
        seen.wrong.push("an object would be replaced".to_owned());
    }
    if seen.objects.contains_key(&key) {
        seen.written_again += 1;
        return refused(412, "PreconditionFailed");
    }
    seen.objects.insert(key, String::from_utf8(body.to_vec()).unwrap());
    drop(seen);
    let written = HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("\"of the test\""))]);
    answer(trouble, (StatusCode::OK, written, String::new()))
}
