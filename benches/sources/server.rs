//! AWS on a port of this machine, as far as the worker asks: requests → the stand-in of the service that they are for. It speaks
//! plain HTTP, so that no TLS is measured, and sends no checksums.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::bucket::Bucket;
use crate::bus::Bus;
use crate::stream::Stream;

/// The largest request: PutEvents takes 256 KB.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// What there is.
#[derive(Default)]
pub struct Services {
    pub bucket: Option<Bucket>,
    pub stream: Option<Stream>,
    pub bus: Bus,
    /// What each answer with records took to make, from the request to the body.
    answered: Mutex<Vec<Duration>>,
}

impl Services {
    pub fn of_bucket(bucket: Bucket) -> Services {
        Services { bucket: Some(bucket), ..Services::default() }
    }

    pub fn of_stream(stream: Stream) -> Services {
        Services { stream: Some(stream), ..Services::default() }
    }

    /// Serves for as long as this process lives; gives the address.
    pub fn serve(self: Arc<Services>) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a socket can be set so");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            runtime.expect("threads can be started").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("it is set so");
                let router = Router::new().fallback(answer).with_state(self);
                axum::serve(listener, router).await.expect("it serves for ever");
            });
        });
        url
    }

    /// Forgets what answers took so far, and gives it.
    pub fn take_answered(&self) -> Vec<Duration> {
        std::mem::take(&mut *lock(&self.answered))
    }
}

async fn answer(State(services): State<Arc<Services>>, request: Request) -> Response {
    let begun = Instant::now();
    let target = request.headers().get("x-amz-target").map(|target| target.to_str().expect("a name").to_owned());
    let Some((service, operation)) = target.as_deref().and_then(|target| target.split_once('.')) else {
        let bucket = services.bucket.as_ref().expect("S3 is asked for where there is a bucket");
        return bucket.answer(request.uri());
    };
    let host = request.headers()["host"].to_str().expect("a name").to_owned();
    let body = axum::body::to_bytes(request.into_body(), REQUEST_BYTES_MAX).await.expect("requests are short");
    let ask: Value = serde_json::from_slice(&body).expect("requests are JSON");
    match service {
        "Kinesis_20131202" => {
            let stream = services.stream.as_ref().expect("Kinesis is asked for where there is a stream");
            let (answer, has_records) = stream.answer(operation, &ask).await;
            if has_records {
                lock(&services.answered).push(begun.elapsed());
            }
            answer
        }
        "AmazonSQS" => {
            let bucket = services.bucket.as_ref().expect("SQS is asked for where there is a bucket");
            bucket.queue.answer(operation, &ask, &host).await
        }
        "AWSEvents" => services.bus.answer(operation, &ask).to_string().into_response(),
        other => panic!("{other} is asked for {operation}"),
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
