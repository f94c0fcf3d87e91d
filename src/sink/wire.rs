//! An HTTP request → its answer: within a time, no longer than it may be, and over connections that all sinks share.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, bail};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;

use super::outbox::call::{Answer, said};
use crate::aws::quoted;
use crate::aws::trust::Trust;
use crate::wait::timeout;

const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// From the first byte sent to the last one read. Security Hub answers a full call within a few seconds.
pub const CALL_WAIT: Duration = Duration::from_secs(30);
/// Longest answer that is read; one of Security Hub that names a hundred failures is far below it.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Connections to servers that the system trusts.
pub fn connector() -> SharedHttpConnector {
    connector_trusting(&Trust::default())
}

/// What all clients share: connections with TLS by rustls and ring, through the proxy that the environment names.
pub fn connector_trusting(trust: &Trust) -> SharedHttpConnector {
    #[cfg(test)]
    if let Some(answers) = trust.answers.clone() {
        return answers;
    }
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_WAIT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(trust.context())
        .build();
    SharedHttpConnector::new(connector)
}

/// An answer, whatever it says.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    /// The header `x-amzn-errortype`.
    pub kind: Option<String>,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The beginning of the body in one line, where nothing better says what went wrong.
    pub fn text(&self) -> String {
        quoted(&String::from_utf8_lossy(&self.body))
    }

    /// The same with the status.
    pub fn told(&self) -> String {
        said(&format!("status {}", self.status), &self.text())
    }
}

/// An answer was longer than any that is read.
#[derive(Debug)]
pub struct TooLong;

impl std::error::Error for TooLong {}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is longer than {ANSWER_BYTES_MAX} bytes")
    }
}

/// Sends a request. Redirects are not followed.
///
/// # Errors
/// When there is no connection, or the answer breaks off or is longer than 4 MiB ([`TooLong`]).
pub async fn exchange(http: &SharedHttpConnector, request: HttpRequest) -> anyhow::Result<Reply> {
    let response = http.call(request).await?;
    let header = |name: &str| response.headers().get(name).map(str::to_owned);
    let mut reply = Reply {
        status: response.status().as_u16(),
        kind: header("x-amzn-errortype"),
        retry_after: header("retry-after"),
        body: Vec::new(),
    };
    let mut body = ByteStream::new(response.into_body());
    while let Some(bytes) = body.next().await {
        reply.body.extend_from_slice(&bytes.context("reading the answer")?);
        if reply.body.len() > ANSWER_BYTES_MAX {
            bail!(TooLong);
        }
    }
    Ok(reply)
}

/// Waits for an answer as long as one may take. Every way to fail is an answer.
pub async fn within(call: impl Future<Output = anyhow::Result<Answer>>) -> Answer {
    match timeout(CALL_WAIT, call).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::of_error("unreachable", &format!("{error:#}")),
        Err(_) => Answer::of_error("timeout", &format!("no answer within {} s", CALL_WAIT.as_secs())),
    }
}
