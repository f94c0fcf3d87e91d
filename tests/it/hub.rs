//! A strict Security Hub on a port of this machine: it checks signatures, callers, the contract of findings and of calls,
//! and the rate; it fails as it is told to. STS is there too, and gives each role credentials of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use weir::sink::security_hub::validate::{call_violations, not_ours};

use crate::support::serve;

/// Account of the credentials that the tests give to the program, and those credentials.
pub const HOME: &str = "111122223333";
pub const ACCESS_KEY: &str = "AKIAHOMEHOMEHOMEHOME";
pub const SECRET: &str = "a secret of the tests";

/// What the hub does with a call instead of importing it.
#[derive(Clone, Debug)]
pub enum Trouble {
    Throttle,
    Down,
    /// Imports the findings, and breaks the connection before it answers.
    Lost,
    /// The hub is not enabled there.
    Denied,
}

/// A version of a finding that was imported.
#[derive(Clone, Debug)]
pub struct Version {
    pub updated_at: String,
    /// How often it came.
    pub times: usize,
    pub finding: Value,
}

#[derive(Default)]
pub struct Seen {
    /// By account, Region and id: every version that was imported, in order.
    pub stored: BTreeMap<(String, String, String), Vec<Version>>,
    /// When each call came, accepted or refused, and the ids of its findings.
    pub calls: Vec<(Instant, Vec<String>)>,
    /// What the caller got wrong.
    pub wrong: Vec<String>,
    /// What the next calls come to, one each.
    pub troubles: VecDeque<Trouble>,
    /// Titles of findings that are refused for ever, and of those that fail with an internal error at first.
    pub poison: BTreeSet<String>,
    pub flaky: BTreeSet<String>,
    failed_once: BTreeSet<String>,
    buckets: BTreeMap<(String, String, Api), (f64, Option<Instant>)>,
    /// Imports that came with an older `UpdatedAt` than the finding has, and changed nothing.
    pub stale: usize,
    /// What analysts set, by account, Region and id.
    pub analysts: BTreeMap<(String, String, String), Analyst>,
    /// Calls of GetFindings, what the next of them come to, and how many findings an answer has at most where it is not 0.
    pub asked: usize,
    pub asking_troubles: VecDeque<Trouble>,
    pub page_max: usize,
}

/// The fields of a finding that are the customer's.
#[derive(Clone, Debug)]
pub struct Analyst {
    pub workflow: &'static str,
    pub verification: &'static str,
}

const UNTOUCHED: Analyst = Analyst { workflow: "NEW", verification: "UNKNOWN" };

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Api {
    Import,
    Get,
}

#[derive(Clone)]
pub struct Hub {
    pub url: String,
    pub seen: Arc<Mutex<Seen>>,
}

impl Hub {
    /// Starts it, for as long as the test runs.
    pub fn start() -> Hub {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let hub = Hub { url: format!("http://{}", listener.local_addr().unwrap()), seen: Arc::default() };
        let router = axum::Router::new()
            .route("/findings/import", post(import))
            .route("/findings", post(get_findings))
            .route("/", post(assume_role))
            .layer(axum::extract::DefaultBodyLimit::max(20_000_000))
            .with_state(hub.clone());
        serve(listener, router);
        hub
    }

    pub fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
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
}

/// The account that credentials are of: those of a role have its account's number in their key.
pub fn account(access_key: &str) -> Option<String> {
    match access_key {
        ACCESS_KEY => Some(HOME.to_owned()),
        role => role.strip_prefix("ASIA").map(str::to_owned),
    }
}

pub type Reply = (StatusCode, HeaderMap, String);

pub fn refuse(status: u16, code: &str) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("x-amzn-errortype", format!("{code}:http://internal.amazon.com/coral/").parse().unwrap());
    (StatusCode::from_u16(status).unwrap(), headers, json!({ "Message": format!("{code} of the test") }).to_string())
}

/// STS, for roles that are taken on with the external id `weir`.
pub async fn assume_role(body: String) -> Reply {
    let role = body.split('&').find_map(|pair| pair.strip_prefix("RoleArn=")).unwrap_or_default();
    let account = role.split("%3A").nth(4).unwrap_or_default();
    if !body.contains("ExternalId=weir") {
        return refuse(403, "AccessDenied");
    }
    let answer = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIA{account}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>AROA:weir</AssumedRoleId><Arn>arn:aws:sts::{account}:assumed-role/x/weir</Arn>\
         </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    );
    (StatusCode::OK, HeaderMap::new(), answer)
}

async fn import(State(hub): State<Hub>, headers: HeaderMap, body: Bytes) -> Reply {
    let reply = answer(&mut hub.seen(), &hub.url, &headers, &body);
    match reply {
        Some(reply) => reply,
        // the connection is broken by a panic of its task
        None => std::panic::resume_unwind(Box::new("the answer is lost")),
    }
}

fn answer(seen: &mut Seen, url: &str, headers: &HeaderMap, body: &[u8]) -> Option<Reply> {
    let url = format!("{url}/findings/import");
    let Some((access_key, region)) = signed("securityhub", &url, &["content-type"], headers, body) else {
        seen.wrong.push("a signature is wrong".to_owned());
        return Some(refuse(403, "InvalidSignatureException"));
    };
    let Some(account) = account(&access_key) else { return Some(refuse(403, "UnrecognizedClientException")) };
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let findings = call["Findings"].as_array().cloned().unwrap_or_default();
    let ids = findings.iter().map(|one| one["Id"].as_str().unwrap_or_default().to_owned()).collect();
    seen.calls.push((Instant::now(), ids));
    if !seen.take_token(&account, &region, Api::Import) {
        seen.wrong.push("the rate is exceeded".to_owned());
        return Some(refuse(429, "TooManyRequestsException"));
    }
    let trouble = seen.troubles.pop_front();
    match trouble {
        Some(Trouble::Throttle) => return Some(refuse(429, "TooManyRequestsException")),
        Some(Trouble::Down) => return Some(refuse(503, "InternalException")),
        Some(Trouble::Denied) => return Some(refuse(401, "InvalidAccessException")),
        Some(Trouble::Lost) | None => {}
    }
    let mut wrong: Vec<String> = call_violations(&call).iter().map(ToString::to_string).collect();
    wrong.extend(findings.iter().flat_map(not_ours).map(|violation| violation.to_string()));
    let foreign = |one: &&Value| {
        let arn = format!("arn:aws:securityhub:{region}:{account}:product/{account}/default");
        one["AwsAccountId"] != account.as_str() || one["ProductArn"] != arn.as_str()
    };
    wrong.extend(
        findings.iter().find(foreign).map(|one| format!("{} is not of {account} in {region}", one["ProductArn"])),
    );
    if !wrong.is_empty() {
        seen.wrong.append(&mut wrong);
        return Some(refuse(400, "InvalidInputException"));
    }
    let (mut failed, count) = (Vec::new(), findings.len());
    for finding in findings {
        let id = finding["Id"].as_str().unwrap_or_default().to_owned();
        match seen.import(&account, &region, id.clone(), finding) {
            Ok(()) => {}
            Err(code) => failed.push(json!({ "Id": id, "ErrorCode": code, "ErrorMessage": "of the test" })),
        }
    }
    failed.reverse();
    let answer = json!({ "FailedCount": failed.len(), "SuccessCount": count - failed.len(), "FailedFindings": failed });
    match trouble {
        Some(Trouble::Lost) => None,
        _ => Some((StatusCode::OK, HeaderMap::new(), answer.to_string())),
    }
}

impl Seen {
    fn import(&mut self, account: &str, region: &str, id: String, finding: Value) -> Result<(), &'static str> {
        let title = finding["Title"].as_str().unwrap_or_default().to_owned();
        if self.poison.contains(&title) {
            return Err("InvalidInput");
        }
        if self.flaky.contains(&title) && self.failed_once.insert(id.clone()) {
            return Err("InternalFailure");
        }
        let updated_at = finding["UpdatedAt"].as_str().unwrap_or_default().to_owned();
        let key = (account.to_owned(), region.to_owned(), id);
        let versions = self.stored.entry(key.clone()).or_default();
        let time = |text: &str| weir::time::Timestamp::parse(text).unwrap();
        if versions.last().is_some_and(|last| time(&last.updated_at) > time(&updated_at)) {
            self.stale += 1;
            return Ok(());
        }
        let comes_back = versions.last().is_some_and(|last| last.finding["RecordState"] == "ARCHIVED");
        if let (true, "ACTIVE", Some(analyst)) =
            (comes_back, finding["RecordState"].as_str().unwrap_or_default(), self.analysts.get_mut(&key))
            && ["NOTIFIED", "RESOLVED"].contains(&analyst.workflow)
        {
            analyst.workflow = "NEW";
        }
        match versions.iter_mut().find(|version| version.updated_at == updated_at) {
            Some(version) => version.times += 1,
            None => versions.push(Version { updated_at, times: 1, finding }),
        }
        Ok(())
    }

    /// Imports: ten calls a second and thirty at once; GetFindings: three and six. Three seconds' calls more for those that
    /// come together: a machine with more to do than it has cores holds the first call up, and not those behind it.
    fn take_token(&mut self, account: &str, region: &str, api: Api) -> bool {
        let (a_second, at_once) = match api {
            Api::Import => (10.0, 60.0),
            Api::Get => (3.0, 15.0),
        };
        let now = Instant::now();
        let (tokens, last) =
            self.buckets.entry((account.to_owned(), region.to_owned(), api)).or_insert((at_once, None));
        let passed = last.map_or(0.0, |last| (now - last).as_secs_f64());
        *tokens = (*tokens + passed * a_second).min(at_once) - 1.0;
        *last = Some(now);
        *tokens >= 0.0
    }

    /// Has an analyst set the fields of every finding of a title.
    pub fn judge(&mut self, title: &str, analyst: &Analyst) -> usize {
        let of_title = self.stored.iter().filter(|(_, versions)| versions[0].finding["Title"] == title);
        let keys: Vec<_> = of_title.map(|(key, _)| key.clone()).collect();
        self.analysts.extend(keys.iter().map(|key| (key.clone(), analyst.clone())));
        keys.len()
    }

    /// A finding as it is shown to its account.
    fn shown(&self, key: &(String, String, String)) -> Value {
        let analyst = self.analysts.get(key).unwrap_or(&UNTOUCHED);
        let mut finding = self.stored[key].last().expect("it was imported").finding.clone();
        finding["Workflow"] = json!({ "Status": analyst.workflow });
        finding["WorkflowState"] = json!("NEW");
        finding["VerificationState"] = json!(analyst.verification);
        finding
    }

    /// Findings for a body of GetFindings and the token of the next page.
    fn get(&self, account: &str, region: &str, call: &Value) -> Result<(Vec<Value>, Option<String>), String> {
        let known = ["Filters", "SortCriteria", "MaxResults", "NextToken"];
        let call_fields = call.as_object().ok_or("no object")?;
        if let Some(field) = call_fields.keys().find(|field| !known.contains(&field.as_str())) {
            return Err(format!("GetFindings has no {field}"));
        }
        let most = call["MaxResults"].as_u64().filter(|most| (1..=100).contains(most)).ok_or("MaxResults")? as usize;
        let most = if self.page_max > 0 { most.min(self.page_max) } else { most };
        if call["SortCriteria"] != json!([{ "Field": "UpdatedAt", "SortOrder": "desc" }]) {
            return Err(format!("SortCriteria are {}", call["SortCriteria"]));
        }
        let filters = call["Filters"].as_object().filter(|filters| filters.len() <= 10).ok_or("Filters")?;
        let of_caller = self.stored.keys().filter(|(of, at, _)| of == account && at == region);
        let mut found = Vec::new();
        for key in of_caller {
            let finding = self.shown(key);
            let mut fits = true;
            for (attribute, values) in filters {
                fits &= fits_filter(&finding, attribute, values)?;
            }
            if fits {
                found.push(finding);
            }
        }
        found.sort_by_key(|finding| {
            std::cmp::Reverse(weir::time::Timestamp::parse(finding["UpdatedAt"].as_str().unwrap()))
        });
        // a token goes with the question that it was an answer to
        let of_question = call["Filters"].to_string();
        let begin = match call["NextToken"].as_str() {
            None => 0,
            Some(token) => {
                let (begin, question) = token.split_once(' ').ok_or("NextToken")?;
                (question == of_question)
                    .then(|| begin.parse().ok())
                    .flatten()
                    .ok_or("NextToken of another question")?
            }
        };
        let page: Vec<Value> = found.iter().skip(begin).take(most).cloned().collect();
        let next = (begin + page.len() < found.len()).then(|| format!("{} {of_question}", begin + page.len()));
        Ok((page, next))
    }
}

/// Whether a finding has one of the values of a filter's attribute.
fn fits_filter(finding: &Value, attribute: &str, values: &Value) -> Result<bool, String> {
    let value = match attribute {
        "ProductArn" | "GeneratorId" | "Id" | "VerificationState" => &finding[attribute],
        "WorkflowStatus" => &finding["Workflow"]["Status"],
        _ => return Err(format!("no filter of the tests is {attribute}")),
    };
    let value = value.as_str().unwrap_or_default();
    let values = values.as_array().filter(|values| (1..=20).contains(&values.len())).ok_or("1 to 20 values")?;
    let mut fits = false;
    for filter in values {
        let wanted = filter["Value"].as_str().ok_or("a filter has a value")?;
        fits |= match filter["Comparison"].as_str() {
            Some("EQUALS") => value == wanted,
            Some("PREFIX") => value.starts_with(wanted),
            _ => return Err(format!("{filter} compares otherwise")),
        };
    }
    Ok(fits)
}

async fn get_findings(State(hub): State<Hub>, headers: HeaderMap, body: Bytes) -> Reply {
    let seen = &mut *hub.seen();
    let url = format!("{}/findings", hub.url);
    let Some((access_key, region)) = signed("securityhub", &url, &["content-type"], &headers, &body) else {
        seen.wrong.push("a signature is wrong".to_owned());
        return refuse(403, "InvalidSignatureException");
    };
    let Some(account) = account(&access_key) else { return refuse(403, "UnrecognizedClientException") };
    seen.asked += 1;
    if !seen.take_token(&account, &region, Api::Get) {
        seen.wrong.push("the rate of GetFindings is exceeded".to_owned());
        return refuse(429, "TooManyRequestsException");
    }
    match seen.asking_troubles.pop_front() {
        Some(Trouble::Throttle) => return refuse(429, "TooManyRequestsException"),
        Some(Trouble::Down | Trouble::Lost) => return refuse(500, "InternalException"),
        Some(Trouble::Denied) => return refuse(403, "AccessDeniedException"),
        None => {}
    }
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    match seen.get(&account, &region, &call) {
        Ok((findings, next)) => {
            (StatusCode::OK, HeaderMap::new(), json!({ "Findings": findings, "NextToken": next }).to_string())
        }
        Err(why) => {
            seen.wrong.push(why);
            refuse(400, "InvalidInputException")
        }
    }
}

/// Access key and Region of a request whose signature is that of its own body and of these headers.
pub fn signed(
    service: &str,
    url: &str,
    names: &[&'static str],
    headers: &HeaderMap,
    body: &[u8],
) -> Option<(String, String)> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let scope = authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=")?.split(',').next()?;
    let [of, region, day, access_key] = scope.strip_suffix("/aws4_request")?.rsplit('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    let date = headers.get("x-amz-date")?.to_str().ok()?;
    let token = headers.get("x-amz-security-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
    let seconds = weir::time::Timestamp::parse(date)?.0 / 1_000_000;
    let identity = Credentials::new(access_key, SECRET, token, None, "tests").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds as u64))
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let mut pairs = Vec::new();
    for name in names {
        pairs.push((*name, headers.get(*name)?.to_str().ok()?));
    }
    let request = SignableRequest::new("POST", url, pairs.into_iter(), SignableBody::Bytes(body)).ok()?;
    let (_, signature) = sign(request, &params).ok()?.into_parts();
    let fits = of == service && authorization.ends_with(&format!("Signature={signature}")) && date.starts_with(day);
    fits.then(|| (access_key.to_owned(), region.to_owned()))
}
