//! A server between the program and one that stands in for AWS: it passes everything on, and knows what was asked for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::support::serve;

/// A service, as signatures name it, and its operation.
pub type Call = (String, String);

#[derive(Clone)]
pub struct Recorder {
    pub url: String,
    behind: String,
    http: SharedHttpConnector,
    calls: Arc<Mutex<BTreeSet<Call>>>,
    bare: Arc<Mutex<BTreeSet<(Call, &'static str)>>>,
}

/// What calls of S3 say: all of them whose the bucket is, and those that write how to encrypt it.
const OWNER: &str = "x-amz-expected-bucket-owner";
const ENCRYPTION: &str = "x-amz-server-side-encryption";

impl Recorder {
    /// Starts one before the server at this address, for as long as the test runs.
    pub fn start(behind: &str) -> Recorder {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let recorder = Recorder {
            url: format!("http://{}", listener.local_addr().unwrap()),
            behind: behind.to_owned(),
            http: SharedHttpConnector::new(Connector::builder().build_http()),
            calls: Arc::default(),
            bare: Arc::default(),
        };
        let router = axum::Router::new()
            .fallback(pass_on)
            .layer(axum::extract::DefaultBodyLimit::max(20_000_000))
            .with_state(recorder.clone());
        serve(listener, router);
        recorder
    }

    pub fn calls(&self) -> BTreeSet<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Calls of S3 without one of the headers that they should have.
    pub fn bare(&self) -> BTreeSet<(Call, &'static str)> {
        self.bare.lock().unwrap().clone()
    }

    pub fn has(&self, operation: &str) -> bool {
        self.calls().iter().any(|(_, called)| called == operation)
    }
}

async fn pass_on(
    State(recorder): State<Recorder>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let service = service(&headers).unwrap_or_else(|| "nobody's".to_owned());
    let operation = operation(&service, &method, &uri, &headers, &body);
    if service == "s3" {
        let wanted = if method == Method::PUT { &[OWNER, ENCRYPTION][..] } else { &[OWNER][..] };
        let missing = wanted.iter().filter(|name| !headers.contains_key(**name));
        let missing = missing.map(|name| ((service.clone(), operation.clone()), *name));
        recorder.bare.lock().unwrap().extend(missing);
    }
    recorder.calls.lock().unwrap().insert((service, operation));
    let mut request = http::Request::builder().method(method).uri(format!("{}{uri}", recorder.behind));
    // the host too: addresses in answers are made of it
    *request.headers_mut().unwrap() = headers;
    let request = request.body(SdkBody::from(body.to_vec())).unwrap();
    let Ok(answer) = recorder.http.call(request.try_into().unwrap()).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let answer = answer.try_into_http1x().unwrap();
    let (mut parts, body) = answer.into_parts();
    parts.headers.remove("transfer-encoding");
    parts.headers.remove("connection");
    let body = ByteStream::new(body).collect().await.unwrap().into_bytes();
    Response::from_parts(parts, body.into())
}

/// The one that a request is signed for.
fn service(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let scope = authorization.split_once("Credential=")?.1.split(',').next()?;
    Some(scope.split('/').nth(3)?.to_owned())
}

fn operation(service: &str, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> String {
    if let Some(target) = headers.get("x-amz-target") {
        return target.to_str().unwrap().rsplit('.').next().unwrap().to_owned();
    }
    let body = String::from_utf8_lossy(body);
    if let Some(action) = body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        return action.to_owned();
    }
    let query = uri.query().unwrap_or_default();
    match (service, method.as_str(), uri.path()) {
        ("s3", "GET", _) if query.contains("list-type=2") => "ListObjectsV2".to_owned(),
        ("s3", "GET", _) => "GetObject".to_owned(),
        ("s3", "PUT", _) => "PutObject".to_owned(),
        ("s3", "DELETE", _) => "DeleteObject".to_owned(),
        ("securityhub", "POST", "/findings/import") => "BatchImportFindings".to_owned(),
        ("securityhub", "POST", "/findings") => "GetFindings".to_owned(),
        (_, method, path) => format!("{method} {path}?{query}"),
    }
}
