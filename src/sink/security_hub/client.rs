//! The findings of a call → what the hub answers that it is for; and what analysts say of findings there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::asff::{About, RecordState};
use super::call::{body, outgoing};
use super::config::Routes;
use super::get_findings::{self, IDS_MAX, PAGE, PAGE_OF_LONG, Page, Which};
use super::hub::Hub;
use crate::aws::{self, Aws};
use crate::finding::Finding;
use crate::sink::outbox::call::{Answer, Call, Failed, Outgoing};
use crate::sink::signed::{Line, Service, refusal, unreadable};
use crate::sink::wire::{CALL_WAIT, Reply, TooLong};
use crate::time::Timestamp;
use crate::triage::heard::Word;
use crate::wait::{sleep, timeout};

const SERVICE: Service =
    Service { name: "securityhub", endpoint_variable: "AWS_ENDPOINT_URL_SECURITYHUB", path: "/findings/import" };

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Between two calls of GetFindings, which takes three a second, of everybody together.
const ASK_PAUSE: Duration = Duration::from_millis(400);
/// Tries of one of them; the pause doubles from one to the next.
const ASK_TRIES: u32 = 6;
/// Pages of one list at most, 20,000 findings where these are not long. Later ones were updated before all of these.
const PAGES_MAX: usize = 200;
/// Findings that are asked for by their ids at most.
const ASKED_MAX: usize = 1000;
/// Our code for an answer that is longer than any that is read.
const TOO_LONG: &str = "TooLong";

/// The hubs that findings go to, and the callers of them, each made when a finding first needs it.
#[derive(Debug)]
pub struct Hubs {
    aws: Aws,
    routes: Routes,
    http: SharedHttpConnector,
    lines: Mutex<BTreeMap<Hub, Arc<Line>>>,
}

impl Hubs {
    /// Where `aws` names no Region, roles are assumed in that of the home hub.
    pub fn new(routes: Routes, mut aws: aws::Config, http: SharedHttpConnector) -> Hubs {
        aws.region.get_or_insert_with(|| routes.home().region().to_owned());
        Hubs::of(routes, Aws::new(aws), http)
    }

    pub fn of(routes: Routes, aws: Aws, http: SharedHttpConnector) -> Hubs {
        Hubs { aws, routes, http, lines: Mutex::default() }
    }

    /// Every hub that findings can go to.
    pub fn all(&self) -> Vec<Hub> {
        self.routes.hubs()
    }

    /// The hub that a finding goes to, and its form there.
    ///
    /// # Errors
    /// Everything that breaks the contract, in one line.
    pub fn form(&self, finding: &Finding, state: RecordState, now: Timestamp) -> (String, Result<Outgoing, String>) {
        let hub = self.routes.hub(finding);
        let about = About { hub: &hub, first_sent: now, now, state };
        let form = outgoing(finding, &about);
        (hub.to_string(), form)
    }

    /// Imports the findings of a call into the hub that is shown as `place`.
    pub async fn send(&self, place: &str, call: &Call) -> Answer {
        let Some(hub) = Hub::parse(place) else {
            return Answer::of_error("AccessDenied", "there is no such hub");
        };
        match self.line(hub).await {
            Ok(line) => {
                let body = body(call.findings.iter().map(|json| &**json));
                line.post(&JSON, body, |reply| read(&reply)).await
            }
            Err(answer) => answer,
        }
    }

    /// What analysts say of the findings in a hub that they closed or verified.
    ///
    /// # Errors
    /// The answer that stood in the way.
    pub async fn words(&self, hub: &Hub) -> Result<BTreeMap<String, Word>, Answer> {
        let mut words = self.list(hub, Which::Closed).await?;
        words.extend(self.list(hub, Which::Verified).await?);
        Ok(words)
    }

    /// What they say of these findings, as many of them as there are, of the first thousand.
    ///
    /// # Errors
    /// The answer that stood in the way.
    pub async fn words_of(&self, hub: &Hub, ids: &[String]) -> Result<BTreeMap<String, Word>, Answer> {
        let mut words = BTreeMap::new();
        for ids in ids[..ids.len().min(ASKED_MAX)].chunks(IDS_MAX) {
            words.extend(self.list(hub, Which::Ids(ids)).await?);
        }
        Ok(words)
    }

    /// Asks a hub for one finding that has a word, to see whether it may be asked.
    ///
    /// # Errors
    /// The answer that stands in the way.
    pub async fn may_ask(&self, hub: &Hub) -> Result<(), Answer> {
        self.ask(hub, get_findings::body(hub, Which::Closed, 1, None)).await.map(|_| ())
    }

    async fn list(&self, hub: &Hub, which: Which<'_>) -> Result<BTreeMap<String, Word>, Answer> {
        match self.pages(hub, which, PAGE).await {
            Err(Answer::Unavailable { code, .. }) if code == TOO_LONG => self.pages(hub, which, PAGE_OF_LONG).await,
            listed => listed,
        }
    }

    async fn pages(&self, hub: &Hub, which: Which<'_>, page: usize) -> Result<BTreeMap<String, Word>, Answer> {
        let (mut words, mut token) = (BTreeMap::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let body = get_findings::body(hub, which, page, token.as_deref());
            let page = self.ask_again(hub, &body).await?;
            words.extend(page.words);
            match page.next {
                Some(next) => token = Some(next),
                None => return Ok(words),
            }
        }
        tracing::warn!(%hub, findings = words.len(), "analysts have closed more findings than are read back");
        Ok(words)
    }

    async fn ask_again(&self, hub: &Hub, body: &str) -> Result<Page, Answer> {
        let mut tries = 0;
        loop {
            sleep(ASK_PAUSE * 2_u32.pow(tries)).await;
            tries += 1;
            match self.ask(hub, body.to_owned()).await {
                Err(Answer::Unavailable { code, .. }) if code != TOO_LONG && tries < ASK_TRIES => {}
                asked => return asked,
            }
        }
    }

    async fn ask(&self, hub: &Hub, body: String) -> Result<Page, Answer> {
        let line = self.line(hub.clone()).await?;
        match timeout(CALL_WAIT, line.call_at(get_findings::PATH, &JSON, body)).await {
            Ok(Ok(reply)) if reply.status == 200 => get_findings::read(&reply.body).map_err(unreadable),
            Ok(Ok(reply)) => Err(refusal(&reply)),
            Ok(Err(error)) if error.is::<TooLong>() => Err(Answer::of_error(TOO_LONG, &error.to_string())),
            Ok(Err(error)) => Err(Answer::of_error("unreachable", &format!("{error:#}"))),
            Err(_) => Err(Answer::of_error("timeout", &format!("no answer within {} s", CALL_WAIT.as_secs()))),
        }
    }

    async fn line(&self, hub: Hub) -> Result<Arc<Line>, Answer> {
        let mut lines = self.lines.lock().await;
        if let Some(line) = lines.get(&hub) {
            return Ok(line.clone());
        }
        let aws = self.aws.assuming(self.routes.role(hub.account()));
        let line = Arc::new(Line::open(&aws, SERVICE, Some(hub.region()), self.http.clone()).await?);
        lines.insert(hub, line.clone());
        Ok(line)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Imported {
    success_count: usize,
    #[serde(default)]
    failed_findings: Vec<FailedFinding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FailedFinding {
    id: String,
    #[serde(default)]
    error_code: String,
    #[serde(default)]
    error_message: String,
}

fn read(reply: &Reply) -> Answer {
    if reply.status != 200 {
        return refusal(reply);
    }
    match serde_json::from_slice::<Imported>(&reply.body) {
        Ok(imported) => {
            let failed = |one: FailedFinding| Failed { id: one.id, code: one.error_code, message: one.error_message };
            let failed = imported.failed_findings.into_iter().map(failed).collect();
            Answer::Taken { success_count: imported.success_count, failed }
        }
        Err(error) => unreadable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        read(&Reply { status: 200, body: body.into(), ..Reply::default() })
    }

    #[test]
    fn an_import_names_its_failures() {
        let body = r#"{"FailedCount":1,"SuccessCount":2,"FailedFindings":[
            {"Id":"a","ErrorCode":"InvalidInput","ErrorMessage":"no"}]}"#;
        let failed = vec![Failed { id: "a".into(), code: "InvalidInput".into(), message: "no".into() }];
        assert_eq!(answer(body), Answer::Taken { success_count: 2, failed });
        let none = r#"{"FailedCount":0,"SuccessCount":5}"#;
        assert_eq!(answer(none), Answer::Taken { success_count: 5, failed: vec![] });
    }

    #[test]
    fn the_page_of_a_captive_portal_is_no_import() {
        let Answer::Unavailable { code, .. } = answer("<html>login") else { panic!() };
        assert_eq!(code, "unreadable");
    }
}
