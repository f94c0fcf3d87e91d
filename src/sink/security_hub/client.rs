//! The body of a BatchImportFindings call → what a hub answers, over HTTP. The SDK's own client would write the JSON anew;
//! here the bytes that were checked are the bytes that are signed and sent.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::call::{Answer, Failed};
use super::hub::Hub;

const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// From the first byte sent to the last one read. Security Hub answers a full call within a few seconds.
const CALL_WAIT: Duration = Duration::from_secs(30);
/// Credentials are renewed when they have less than this left.
const RENEWAL: Duration = Duration::from_secs(300);
const CREDENTIALS_WAIT: Duration = Duration::from_secs(20);

/// The caller of one hub.
#[derive(Debug)]
pub struct Client {
    region: String,
    url: String,
    credentials: Login,
    http: SharedHttpConnector,
}

impl Client {
    /// `endpoint` is an address such as [`of_aws`] gives.
    pub fn new(hub: &Hub, endpoint: &str, credentials: Login, http: SharedHttpConnector) -> Client {
        let url = format!("{}/findings/import", endpoint.trim_end_matches('/'));
        Client { region: hub.region().to_owned(), url, credentials, http }
    }

    /// Imports the findings of a body. Every way to fail is an answer.
    pub async fn import(&self, body: String) -> Answer {
        match tokio::time::timeout(CALL_WAIT, self.call(body)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::of_error("unreachable", &format!("{error:#}")),
            Err(_) => Answer::of_error("timeout", &format!("no answer within {} s", CALL_WAIT.as_secs())),
        }
    }

    async fn call(&self, body: String) -> anyhow::Result<Answer> {
        let credentials = self.credentials.get().await?;
        let request = self.signed(body, credentials)?;
        let response = self.http.call(request).await.with_context(|| format!("calling {}", self.url))?;
        let status = response.status().as_u16();
        let kind = response.headers().get("x-amzn-errortype").map(str::to_owned);
        let body = ByteStream::new(response.into_body()).collect().await.context("reading the answer")?;
        let answer = read(status, kind.as_deref(), &body.into_bytes());
        if matches!(status, 401 | 403) {
            // they may have been revoked, or the role been given more rights
            self.credentials.renew().await;
        }
        Ok(answer)
    }

    fn signed(&self, body: String, credentials: Credentials) -> anyhow::Result<HttpRequest> {
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("securityhub")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .context("signing a call")?
            .into();
        let content_type = ("content-type", "application/json");
        let signable =
            SignableRequest::new("POST", &self.url, [content_type].into_iter(), SignableBody::Bytes(body.as_bytes()));
        let (instructions, _) =
            sign(signable.context("signing a call")?, &params).context("signing a call")?.into_parts();
        let mut request =
            http::Request::post(&self.url).header(content_type.0, content_type.1).body(SdkBody::from(body))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.try_into()?)
    }
}

/// The hub's endpoint in AWS, with FIPS 140 cryptography or without.
pub fn of_aws(hub: &Hub, use_fips: bool) -> String {
    let fips = if use_fips { "-fips" } else { "" };
    let suffix = if hub.partition() == "aws-cn" { ".cn" } else { "" };
    format!("https://securityhub{fips}.{}.amazonaws.com{suffix}", hub.region())
}

/// What all clients share: connections with TLS by rustls and ring, through the proxy that the environment names.
pub fn connector() -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_WAIT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build();
    SharedHttpConnector::new(connector)
}

/// Credentials, and those in use until they are renewed.
#[derive(Debug)]
pub struct Login {
    provider: SharedCredentialsProvider,
    held: Mutex<Option<Credentials>>,
}

impl Login {
    pub fn new(provider: SharedCredentialsProvider) -> Login {
        Login { provider, held: Mutex::new(None) }
    }

    /// Has the next call get its credentials anew.
    async fn renew(&self) {
        self.held.lock().await.take();
    }

    async fn get(&self) -> anyhow::Result<Credentials> {
        let mut held = self.held.lock().await;
        let is_fresh =
            |credentials: &&Credentials| credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now() + RENEWAL);
        if let Some(credentials) = held.as_ref().filter(is_fresh) {
            return Ok(credentials.clone());
        }
        let credentials = tokio::time::timeout(CREDENTIALS_WAIT, self.provider.provide_credentials())
            .await
            .context("getting credentials took too long")?
            .context("getting credentials")?;
        Ok(held.insert(credentials).clone())
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

/// AWS's services, gateways and proxies each spell these in their own way.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(rename = "__type", alias = "Code", alias = "code", default)]
    code: String,
    #[serde(rename = "Message", alias = "message", default)]
    message: String,
}

/// What an answer means; `kind` is its header `x-amzn-errortype`.
fn read(status: u16, kind: Option<&str>, body: &[u8]) -> Answer {
    if status == 200 {
        return match serde_json::from_slice::<Imported>(body) {
            Ok(imported) => {
                let failed =
                    |one: FailedFinding| Failed { id: one.id, code: one.error_code, message: one.error_message };
                let failed = imported.failed_findings.into_iter().map(failed).collect();
                Answer::Imported { success_count: imported.success_count, failed }
            }
            // it may be of a captive portal: nothing says that anything was imported
            Err(error) => Answer::of_error("unreadable", &format!("an answer with status 200 says {error}")),
        };
    }
    let refusal = serde_json::from_slice::<Refusal>(body).unwrap_or_default();
    // a header like InternalException:http://internal.amazon.com/coral/..., a type like com.amazonaws#Throttled
    let code = kind.unwrap_or(&refusal.code);
    let code = code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default();
    let message = match refusal.message.as_str() {
        "" => format!("status {status}: {}", String::from_utf8_lossy(body).chars().take(200).collect::<String>()),
        message => message.to_owned(),
    };
    match (code, status) {
        ("", 413) => Answer::of_error("InvalidInput", &message),
        ("", 401 | 403) => Answer::of_error("AccessDenied", &message),
        ("", _) => Answer::of_error(&format!("status {status}"), &message),
        (code, _) => Answer::of_error(code, &message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, kind: Option<&str>, body: &str) -> String {
        match read(status, kind, body.as_bytes()) {
            Answer::Imported { .. } => panic!("{body} was imported"),
            Answer::Invalid { code, message } => format!("invalid {code}: {message}"),
            Answer::Denied { code, message } => format!("denied {code}: {message}"),
            Answer::Unavailable { code, message } => format!("unavailable {code}: {message}"),
        }
    }

    #[test]
    fn an_import_names_its_failures() {
        let body = r#"{"FailedCount":1,"SuccessCount":2,"FailedFindings":[
            {"Id":"a","ErrorCode":"InvalidInput","ErrorMessage":"no"}]}"#;
        let failed = vec![Failed { id: "a".into(), code: "InvalidInput".into(), message: "no".into() }];
        assert_eq!(read(200, None, body.as_bytes()), Answer::Imported { success_count: 2, failed });
        let none = br#"{"FailedCount":0,"SuccessCount":5}"#;
        assert_eq!(read(200, None, none), Answer::Imported { success_count: 5, failed: vec![] });
    }

    #[test]
    fn a_refusal_is_read_from_header_body_or_status() {
        let header = Some("InvalidAccessException:http://internal.amazon.com/coral/");
        let body = r#"{"Message":"Account 1 is not subscribed to AWS Security Hub","Code":"InvalidAccessException"}"#;
        let denied = "denied InvalidAccessException: Account 1 is not subscribed to AWS Security Hub";
        assert_eq!(refused(401, header, body), denied);
        assert_eq!(refused(401, None, body), denied);
        let typed = r#"{"__type":"com.amazonaws.securityhub#InvalidInputException","message":"bad"}"#;
        assert_eq!(refused(400, None, typed), "invalid InvalidInputException: bad");
        assert_eq!(
            refused(429, Some("TooManyRequestsException"), "{}"),
            "unavailable TooManyRequestsException: status 429: {}"
        );
        assert_eq!(refused(403, None, "Forbidden"), "denied AccessDenied: status 403: Forbidden");
        assert_eq!(refused(413, None, ""), "invalid InvalidInput: status 413: ");
        assert_eq!(refused(502, None, "<html>"), "unavailable status 502: status 502: <html>");
        assert!(refused(200, None, "<html>login").starts_with("unavailable unreadable: "));
    }

    #[test]
    fn where_aws_has_the_hub() {
        let of = |region| of_aws(&Hub::new("111122223333", region).unwrap(), false);
        assert_eq!(of("eu-west-1"), "https://securityhub.eu-west-1.amazonaws.com");
        assert_eq!(of("cn-north-1"), "https://securityhub.cn-north-1.amazonaws.com.cn");
        let gov = Hub::new("111122223333", "us-gov-west-1").unwrap();
        assert_eq!(of_aws(&gov, true), "https://securityhub-fips.us-gov-west-1.amazonaws.com");
    }
}
