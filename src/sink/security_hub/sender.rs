//! The task that empties the outbox: calls as rate and troubles of each hub allow, answers back into the outbox.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::call::{Answer, Call, body};
use super::client::{Client, Login, connector, of_aws};
use super::config::Routes;
use super::hub::Hub;
use super::post::Shared;
use super::queue::Next;
use crate::aws::{self, Aws};
use crate::metrics::METRICS;
use crate::time::{MICROS_PER_SECOND, Timestamp};

/// Calls to one hub that are out at once. Ten a second are allowed, and a full call takes about half a second.
const CALLS_OUT_MAX: usize = 10;

/// The clients of all hubs, each made when a finding first needs it.
pub struct Clients {
    aws: Aws,
    routes: Routes,
    http: SharedHttpConnector,
    made: Mutex<BTreeMap<Hub, Arc<Client>>>,
}

impl Clients {
    /// Where `aws` names no Region, roles are assumed in that of the home hub.
    pub fn new(routes: Routes, mut aws: aws::Config) -> Clients {
        aws.region.get_or_insert_with(|| routes.home().region().to_owned());
        Clients { aws: Aws::new(aws), routes, http: connector(), made: Mutex::default() }
    }

    async fn of(&self, hub: &Hub) -> Result<Arc<Client>, Answer> {
        let mut made = self.made.lock().await;
        if let Some(client) = made.get(hub) {
            return Ok(client.clone());
        }
        let denied = |why: String| Answer::of_error("AccessDenied", &why);
        let aws = self.aws.assuming(self.routes.role(hub.account()));
        let sdk = aws.sdk(Some(hub.region())).await.map_err(|trouble| denied(trouble.to_string()))?;
        let credentials =
            sdk.credentials_provider().ok_or_else(|| denied("there are no AWS credentials".to_owned()))?;
        // that of the service goes before that of all services
        let endpoint = std::env::var("AWS_ENDPOINT_URL_SECURITYHUB").ok();
        let endpoint = endpoint.or_else(|| sdk.endpoint_url().map(str::to_owned));
        let endpoint = endpoint.unwrap_or_else(|| of_aws(hub, sdk.use_fips().unwrap_or_default()));
        let client = Arc::new(Client::new(hub, &endpoint, Login::new(credentials), self.http.clone()));
        made.insert(hub.clone(), client.clone());
        Ok(client)
    }
}

/// Sends what enters the outbox for as long as its task lives. Calls that are out when it ends are given up: their findings
/// wait in the outbox still, and an import of what was imported already changes nothing.
pub struct Sender {
    shared: Shared,
    clients: Arc<Clients>,
    clock: fn() -> Timestamp,
    out: JoinSet<(Hub, u64, Answer)>,
    out_by_hub: BTreeMap<Hub, usize>,
}

impl Sender {
    pub fn new(shared: Shared, clients: Clients, clock: fn() -> Timestamp) -> Sender {
        Sender { shared, clients: Arc::new(clients), clock, out: JoinSet::new(), out_by_hub: BTreeMap::new() }
    }

    pub async fn run(mut self) {
        loop {
            let wait = self.start_calls().await;
            tokio::select! {
                Some(done) = self.out.join_next() => {
                    let (hub, number, answer) = done.expect("a call gives an answer, whatever happens");
                    self.read(hub, number, answer).await;
                }
                () = self.shared.filled.notified() => {}
                () = tokio::time::sleep(wait.unwrap_or_default()), if wait.is_some() => {}
            }
        }
    }

    /// Starts every call that may be made now; gives the wait until the next, where only time is missing.
    async fn start_calls(&mut self) -> Option<Duration> {
        let mut desk = self.shared.desk.lock().await;
        let now = (self.clock)();
        let hubs: Vec<Hub> = desk.outbox.hubs().map(|(hub, ..)| hub.clone()).collect();
        let mut due: Option<Timestamp> = None;
        for hub in hubs {
            while self.out_by_hub.get(&hub).copied().unwrap_or_default() < CALLS_OUT_MAX {
                match desk.outbox.next(&hub, now) {
                    Next::Call(call) => {
                        *self.out_by_hub.entry(hub.clone()).or_default() += 1;
                        self.out.spawn(import(self.clients.clone(), hub.clone(), call));
                    }
                    Next::At(time) => {
                        due = Some(due.map_or(time, |due| due.min(time)));
                        break;
                    }
                    Next::AfterAnswer | Next::Nothing => break,
                }
            }
        }
        due.map(|due| Duration::from_micros(due.0.saturating_sub(now.0).clamp(0, MICROS_PER_SECOND) as u64))
    }

    async fn read(&mut self, hub: Hub, number: u64, answer: Answer) {
        let out = self.out_by_hub.get_mut(&hub).expect("a call was counted");
        *out -= 1;
        let mut desk = self.shared.desk.lock().await;
        let was_well = trouble(&desk.outbox, &hub).is_none();
        let done = desk.outbox.answer(&hub, number, answer, (self.clock)(), random());
        match (was_well, trouble(&desk.outbox, &hub)) {
            (true, Some(why)) => tracing::warn!(%hub, why, "security hub takes nothing; findings wait"),
            (false, None) => tracing::info!(%hub, "security hub takes findings again"),
            (true, None) | (false, Some(_)) => {}
        }
        desk.sent.accepted += done.accepted as u64;
        desk.changed |= done.accepted > 0;
        desk.refuse();
        desk.gauge();
        METRICS.sent.with_label_values(&["security_hub", "accepted"]).inc_by(done.accepted as u64);
        METRICS.sent.with_label_values(&["security_hub", "again"]).inc_by(done.again as u64);
    }
}

async fn import(clients: Arc<Clients>, hub: Hub, call: Call) -> (Hub, u64, Answer) {
    let body = body(call.findings.iter().map(|json| &**json));
    let answer = match clients.of(&hub).await {
        Ok(client) => client.import(body).await,
        Err(answer) => answer,
    };
    (hub, call.number, answer)
}

fn trouble(outbox: &super::outbox::Outbox, hub: &Hub) -> Option<String> {
    outbox.hubs().find(|(known, ..)| *known == hub)?.2.map(|trouble| trouble.why.clone())
}

/// Between 0 and 1. It spreads retries, so that of the standard library's hasher is good enough.
fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}
