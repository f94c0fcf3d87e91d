//! A body → what a service of AWS answers to it. The SDK's clients would write the JSON anew; here the bytes that were
//! checked are the bytes that are signed and sent.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::outbox::call::Answer;
use super::wire::{self, Reply};
use crate::aws::{Aws, without_credentials, without_login};
use crate::wait::timeout;

/// Credentials are renewed when they have less than this left.
const RENEWAL: Duration = Duration::from_secs(300);
const CREDENTIALS_WAIT: Duration = Duration::from_secs(20);

/// In AWS GovCloud the addresses of these have that cryptography as they are, and there are no others.
const FIPS_IN_GOVERNMENT: [&str; 3] = ["dynamodb", "events", "sns"];

/// Our code for a call that cannot be made for want of a Region or of credentials.
pub const UNSET: &str = "Unset";

/// A service that is called with POST.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// In signatures and in names of hosts.
    pub name: &'static str,
    /// Environment variable with another address; it goes before that of all services.
    pub endpoint_variable: &'static str,
    /// Where it is called, if a call names no other path; with the slash it begins with.
    pub path: &'static str,
}

impl Service {
    /// The address in AWS, with FIPS 140 cryptography or without.
    pub fn of_aws(&self, region: &str, use_fips: bool) -> String {
        let is_plain = region.starts_with("us-gov-") && FIPS_IN_GOVERNMENT.contains(&self.name);
        let fips = if use_fips && !is_plain { "-fips" } else { "" };
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        format!("https://{}{fips}.{region}.amazonaws.com{suffix}", self.name)
    }
}

/// The caller of a service in one Region.
#[derive(Debug)]
pub struct Line {
    service: Service,
    region: String,
    endpoint: String,
    login: Login,
    http: SharedHttpConnector,
}

impl Line {
    /// Finds address and credentials. Without a Region it is that of `aws`.
    ///
    /// # Errors
    /// The answer that a call would get: there is no Region, or there are no credentials.
    pub async fn open(
        aws: &Aws,
        service: Service,
        region: Option<&str>,
        http: SharedHttpConnector,
    ) -> Result<Line, Answer> {
        let denied = |why: String| Answer::Denied { code: UNSET.to_owned(), message: why };
        let sdk = aws.sdk(region).await.map_err(|trouble| denied(trouble.to_string()))?;
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        let provider = sdk.credentials_provider().ok_or_else(|| denied("there are no AWS credentials".to_owned()))?;
        let endpoint = std::env::var(service.endpoint_variable).ok();
        let endpoint = endpoint.or_else(|| sdk.endpoint_url().map(str::to_owned));
        let endpoint = endpoint.unwrap_or_else(|| service.of_aws(&region, sdk.use_fips().unwrap_or_default()));
        let endpoint = without_login(endpoint.trim_end_matches('/'));
        let login = Login { provider, held: Mutex::new(None) };
        Ok(Line { service, region, endpoint, login, http })
    }

    /// Posts a body with these headers, which are signed with it; `read` says what the answer means. Every way to fail is
    /// an answer.
    pub async fn post(
        &self,
        headers: &[(&'static str, &'static str)],
        body: String,
        read: impl FnOnce(Reply) -> Answer,
    ) -> Answer {
        wire::within(async { Ok(read(self.call(headers, body).await?)) }).await
    }

    /// The same for who sends no findings: the answer as it came, whatever it says. It has no time of its own to end in.
    ///
    /// # Errors
    /// When there are no credentials or there is no connection, or the answer breaks off or is longer than 4 MiB.
    pub async fn call(&self, headers: &[(&'static str, &'static str)], body: String) -> anyhow::Result<Reply> {
        self.call_at(self.service.path, headers, body).await
    }

    /// The same at another path.
    ///
    /// # Errors
    /// Those of [`Line::call`].
    pub async fn call_at(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: String,
    ) -> anyhow::Result<Reply> {
        let url = format!("{}{path}", self.endpoint);
        let request = self.signed(&url, headers, body, self.login.get().await?)?;
        let reply = wire::exchange(&self.http, request).await.with_context(|| format!("calling {url}"))?;
        if is_of_credentials(&reply) {
            self.login.renew().await;
        }
        Ok(reply)
    }

    fn signed(
        &self,
        url: &str,
        headers: &[(&'static str, &'static str)],
        body: String,
        credentials: Credentials,
    ) -> anyhow::Result<HttpRequest> {
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service.name)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .context("signing a call")?
            .into();
        let body_bytes = SignableBody::Bytes(body.as_bytes());
        let signable = SignableRequest::new("POST", url, headers.iter().copied(), body_bytes);
        let (instructions, _) =
            sign(signable.context("signing a call")?, &params).context("signing a call")?.into_parts();
        let request =
            headers.iter().fold(http::Request::post(url), |request, (name, value)| request.header(*name, *value));
        let mut request = request.body(SdkBody::from(body))?;
        instructions.apply_to_request_http1x(&mut request);
        Ok(request.try_into()?)
    }
}

/// Credentials, and those in use until they are renewed.
#[derive(Debug)]
struct Login {
    provider: SharedCredentialsProvider,
    held: Mutex<Option<Credentials>>,
}

impl Login {
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
        let credentials = timeout(CREDENTIALS_WAIT, self.provider.provide_credentials())
            .await
            .context("getting credentials took too long")?
            .map_err(|error| without_credentials(&error))?;
        Ok(held.insert(credentials).clone())
    }
}

/// AWS's services, gateways and proxies each spell these in their own way.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(rename = "__type", alias = "Code", alias = "code", default)]
    code: String,
    #[serde(rename = "Message", alias = "message", default)]
    message: String,
}

/// What an answer of a JSON service means whose status is not 200.
pub fn refusal(reply: &Reply) -> Answer {
    let refusal = serde_json::from_slice::<Refusal>(&reply.body).unwrap_or_default();
    refused(reply, code(reply, &refusal.code), refusal.message)
}

/// A header is like `InternalException:http://internal.amazon.com/coral/...`, a type like `com.amazonaws#Throttled`.
fn code<'a>(reply: &'a Reply, of_body: &'a str) -> &'a str {
    let code = reply.kind.as_deref().unwrap_or(of_body);
    code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default()
}

/// Whether other credentials may be taken: these have been revoked or have expired, which services with `x-amz-json` say with
/// status 400; or the role has been given more rights.
fn is_of_credentials(reply: &Reply) -> bool {
    let refusal = || serde_json::from_slice::<Refusal>(&reply.body).unwrap_or_default();
    let is_token =
        |code: &str| ["ExpiredToken", "UnrecognizedClient", "InvalidToken"].iter().any(|of| code.starts_with(of));
    matches!(reply.status, 401 | 403) || (reply.status == 400 && is_token(code(reply, &refusal().code)))
}

/// The same where code and message have been read; either may be missing.
pub fn refused(reply: &Reply, code: &str, message: String) -> Answer {
    let message = match message {
        // AWS's text has what should have been signed, and with it the session token
        _ if code.contains("Signature") => "check the secret access key and the clock".to_owned(),
        message if message.is_empty() && code.is_empty() && !matches!(reply.status, 401 | 403 | 413) => reply.text(),
        message if message.is_empty() => reply.told(),
        message => message,
    };
    match (code, reply.status) {
        ("", 413) => Answer::of_error("InvalidInput", &message),
        ("", 401 | 403) => Answer::of_error("AccessDenied", &message),
        ("", status) => Answer::of_error(&format!("status {status}"), &message),
        (code, _) => Answer::of_error(code, &message),
    }
}

/// What a status of 200 means with a body that the service does not write, such as that of a captive portal: nothing says
/// that anything was accepted.
pub fn unreadable(why: impl std::fmt::Display) -> Answer {
    Answer::of_error("unreadable", &format!("an answer with status 200 says {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, kind: Option<&str>, body: &str) -> String {
        let reply = Reply { status, kind: kind.map(str::to_owned), body: body.into(), ..Reply::default() };
        match refusal(&reply) {
            Answer::Taken { .. } => panic!("{body} was taken"),
            Answer::Invalid { code, message } => format!("invalid {code}: {message}"),
            Answer::Denied { code, message } => format!("denied {code}: {message}"),
            Answer::Unavailable { code, message, .. } => format!("unavailable {code}: {message}"),
        }
    }

    #[test]
    fn a_refusal_is_read_from_header_body_or_status() {
        let header = Some("InvalidAccessException:http://internal.amazon.com/coral/");
        let body = r#"{"Message":"Account 1 is not subscribed to AWS Security Hub","Code":"InvalidAccessException"}"#;
        let denied = "denied InvalidAccessException: Account 1 is not subscribed to AWS Security Hub";
        assert_eq!(said(401, header, body), denied);
        assert_eq!(said(401, None, body), denied);
        let typed = r#"{"__type":"com.amazonaws.securityhub#InvalidInputException","message":"bad"}"#;
        assert_eq!(said(400, None, typed), "invalid InvalidInputException: bad");
        assert_eq!(
            said(429, Some("TooManyRequestsException"), "{}"),
            "unavailable TooManyRequestsException: status 429: {}"
        );
        let told = r#"{"__type":"InvalidSignatureException","message":"x-amz-security-token:IQoJ"}"#;
        assert_eq!(
            said(403, None, told),
            "unavailable InvalidSignatureException: check the secret access key and the clock"
        );
        assert_eq!(said(403, None, "Forbidden"), "denied AccessDenied: status 403: Forbidden");
        assert_eq!(said(413, None, ""), "invalid InvalidInput: status 413");
        assert_eq!(said(502, None, "<html>\r\n<h1>Bad\n"), "unavailable status 502: <html> <h1>Bad");
    }

    #[test]
    fn credentials_that_were_revoked_are_looked_for_anew() {
        let is = |status, body: &str| is_of_credentials(&Reply { status, body: body.into(), ..Reply::default() });
        for code in ["com.amazon.coral.service#ExpiredTokenException", "UnrecognizedClientException"] {
            assert!(is(400, &format!("{{\"__type\":\"{code}\"}}")), "{code}");
        }
        assert!(is(403, "") && is(401, ""));
        let condition = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}"#;
        assert!(!is(400, condition) && !is(400, "") && !is(500, "") && !is(200, "{}"));
    }

    #[test]
    fn where_aws_has_a_service() {
        let hub = Service { name: "securityhub", endpoint_variable: "X", path: "/findings/import" };
        assert_eq!(hub.of_aws("eu-west-1", false), "https://securityhub.eu-west-1.amazonaws.com");
        assert_eq!(hub.of_aws("cn-north-1", false), "https://securityhub.cn-north-1.amazonaws.com.cn");
        assert_eq!(hub.of_aws("us-gov-west-1", true), "https://securityhub-fips.us-gov-west-1.amazonaws.com");
        for name in ["dynamodb", "events", "sns"] {
            let service = Service { name, ..hub };
            assert_eq!(service.of_aws("us-east-1", true), format!("https://{name}-fips.us-east-1.amazonaws.com"));
            assert_eq!(service.of_aws("us-gov-east-1", true), format!("https://{name}.us-gov-east-1.amazonaws.com"));
        }
    }
}
