//! The findings of a call → what the hub answers that it is for.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::asff::{About, RecordState};
use super::call::{body, outgoing};
use super::config::Routes;
use super::hub::Hub;
use crate::aws::{self, Aws};
use crate::finding::Finding;
use crate::sink::outbox::call::{Answer, Call, Failed, Outgoing};
use crate::sink::signed::{Line, Service, refusal, unreadable};
use crate::sink::wire::Reply;
use crate::time::Timestamp;

const SERVICE: Service =
    Service { name: "securityhub", endpoint_variable: "AWS_ENDPOINT_URL_SECURITYHUB", path: "/findings/import" };

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
        Hubs { aws: Aws::new(aws), routes, http, lines: Mutex::default() }
    }

    /// Every hub that findings can go to.
    pub fn all(&self) -> Vec<Hub> {
        self.routes.hubs()
    }

    /// The hub that a finding goes to, and its form there.
    ///
    /// # Errors
    /// Everything that breaks the contract, in one line.
    pub fn form(&self, finding: &Finding, now: Timestamp) -> (String, Result<Outgoing, String>) {
        let hub = self.routes.hub(finding);
        let about = About { hub: &hub, first_sent: now, now, state: RecordState::Active };
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
                line.post(&[("content-type", "application/json")], body, |reply| read(&reply)).await
            }
            Err(answer) => answer,
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
