//! The fake Kinesis over TLS and HTTP/2, as AWS serves it: subscriptions last, share connections, and end as a test wants it.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::to_bytes;
use axum::extract::State;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use super::fake::{EVENT_STREAM, Fake, Stream, answer, event, matters, next_event, place};
use crate::aws::trust::Trust;

/// The server looks so often whether there is more to send.
const PAUSE: Duration = Duration::from_millis(10);

/// What cuts a subscription, in the middle of the next event it has to send.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// RST_STREAM.
    Reset,
    /// GOAWAY, and the connection is closed with all it carries.
    Away,
    /// GOAWAY, what the connection carries goes on, and then this subscription ends.
    Graceful,
    /// The end of the five minutes; the event is not begun.
    Over,
    /// An exception in the stream in place of the event.
    Exception(&'static str),
}

/// What the server has seen, and what it is to do.
#[derive(Default)]
pub struct Wire {
    /// Streams that a connection may have open.
    pub streams_max: u32,
    /// A second subscription to a shard within this time is refused.
    pub in_use: Duration,
    pub cuts: VecDeque<Cut>,
    /// Subscriptions get the head of an answer, and nothing more.
    pub mute: bool,
    /// What each connection has agreed on.
    pub protocols: Vec<String>,
    /// Connection and shard of each subscription that was begun.
    pub subscribed: Vec<(usize, String)>,
    /// Subscriptions open on each connection.
    pub open: BTreeMap<usize, usize>,
    pub open_max: usize,
    pub refused: usize,
    last: BTreeMap<String, Instant>,
}

pub struct Secure {
    pub fake: Fake,
    pub trust: Trust,
    wire: Arc<Mutex<Wire>>,
}

/// A connection, for those who serve a stream of it.
#[derive(Clone)]
struct Connection {
    number: usize,
    stream: Arc<Mutex<Stream>>,
    wire: Arc<Mutex<Wire>>,
    /// Sends GOAWAY; `true` when what is open goes on.
    away: UnboundedSender<bool>,
}

impl Secure {
    pub async fn start(streams_max: u32) -> Secure {
        let stream = Arc::new(Mutex::new(Stream::default()));
        let wire = Arc::new(Mutex::new(Wire { streams_max, ..Wire::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let trust = Trust::in_file(&data("ca.pem")).unwrap();
        tokio::spawn(listen(listener, acceptor(), stream.clone(), wire.clone()));
        Secure { fake: Fake::of(stream, url, trust.http_client()), trust, wire }
    }

    pub fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap()
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// Offers both versions of HTTP, as AWS does.
fn acceptor() -> TlsAcceptor {
    let certificates = CertificateDer::pem_file_iter(data("server.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(data("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(certificates, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config).into()
}

async fn listen(listener: TcpListener, tls: TlsAcceptor, stream: Arc<Mutex<Stream>>, wire: Arc<Mutex<Wire>>) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(tcp, tls.clone(), stream.clone(), wire.clone()));
    }
}

async fn connection(tcp: TcpStream, tls: TlsAcceptor, stream: Arc<Mutex<Stream>>, wire: Arc<Mutex<Wire>>) {
    let Ok(tls) = tls.accept(tcp).await else { return };
    let protocol = String::from_utf8_lossy(tls.get_ref().1.alpn_protocol().unwrap_or_default()).into_owned();
    let (number, streams_max) = {
        let mut wire = wire.lock().unwrap();
        wire.protocols.push(protocol);
        (wire.protocols.len() - 1, wire.streams_max)
    };
    let handshake = h2::server::Builder::new().max_concurrent_streams(streams_max).handshake::<_, Bytes>(tls);
    let Ok(mut http) = handshake.await else { return };
    let (away, mut ways) = unbounded_channel();
    let connection = Connection { number, stream, wire, away };
    loop {
        tokio::select! {
            Some(graceful) = ways.recv() => match graceful {
                true => http.graceful_shutdown(),
                false => http.abrupt_shutdown(Reason::NO_ERROR),
            },
            request = http.accept() => match request {
                Some(Ok((request, respond))) => drop(tokio::spawn(serve(connection.clone(), request, respond))),
                Some(Err(_)) | None => return,
            },
        }
    }
}

async fn serve(connection: Connection, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (head, mut sent) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(bytes)) = sent.data().await {
        sent.flow_control().release_capacity(bytes.len()).unwrap();
        body.extend_from_slice(&bytes);
    }
    if head.headers["x-amz-target"] == "Kinesis_20131202.SubscribeToShard" {
        let ask: Value = serde_json::from_slice(&body).unwrap();
        return subscription(connection, ask, respond).await;
    }
    let answer = answer(State(connection.stream.clone()), head.headers, body.into()).await;
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    if let Ok(mut to) = respond.send_response(Response::from_parts(head, ()), false) {
        // who asked may have gone
        let _ = to.send_data(body, true);
    }
}

async fn subscription(connection: Connection, ask: Value, mut respond: SendResponse<Bytes>) {
    let shard = ask["ShardId"].as_str().unwrap().to_owned();
    if !connection.stream.lock().unwrap().has_what_is_subscribed_to(&ask) {
        return refuse(respond, "ResourceNotFoundException");
    }
    {
        let mut wire = connection.wire.lock().unwrap();
        let in_use = wire.in_use;
        if wire.last.get(&shard).is_some_and(|last| last.elapsed() < in_use) {
            wire.refused += 1;
            return refuse(respond, "ResourceInUseException");
        }
        wire.last.insert(shard.clone(), Instant::now());
        wire.subscribed.push((connection.number, shard.clone()));
        let open = wire.open.entry(connection.number).or_default();
        *open += 1;
        let open = *open;
        wire.open_max = wire.open_max.max(open);
    }
    let head = Response::builder().header("content-type", EVENT_STREAM).body(()).unwrap();
    if let Ok(to) = respond.send_response(head, false) {
        let from = {
            let mut stream = connection.stream.lock().unwrap();
            stream.calls.push(format!("SubscribeToShard {}", matters(&ask)));
            // it may have gone meanwhile
            stream.shards.get(&shard).map_or(0, |shard| place(shard, &ask["StartingPosition"]))
        };
        if connection.wire.lock().unwrap().mute {
            return std::future::pending().await;
        }
        send_events(&connection, to, &shard, from).await;
    }
    *connection.wire.lock().unwrap().open.get_mut(&connection.number).unwrap() -= 1;
}

fn refuse(mut respond: SendResponse<Bytes>, code: &str) {
    let refusal = json!({ "__type": code, "message": "as AWS does" }).to_string();
    // who asked may have gone
    if let Ok(mut to) = respond.send_response(Response::builder().status(400).body(()).unwrap(), false) {
        let _ = to.send_data(refusal.into(), true);
    }
}

/// Until the shard, the stream or the connection ends, or the subscription is cut.
async fn send_events(connection: &Connection, mut to: SendStream<Bytes>, shard: &str, mut place: usize) {
    if to.send_data(event("event", "initial-response", &json!({})).into(), false).is_err() {
        return;
    }
    let consumer = connection.stream.lock().unwrap().consumer();
    loop {
        let next = {
            let stream = connection.stream.lock().unwrap();
            if !stream.shards.contains_key(shard) || stream.consumer() != consumer {
                drop(stream);
                let told = json!({ "message": "as AWS does" });
                // who asked may have gone
                let _ = to.send_data(event("exception", "ResourceNotFoundException", &told).into(), true);
                return;
            }
            next_event(&stream, shard, place)
        };
        let Some((bytes, next)) = next else {
            tokio::select! {
                _ = std::future::poll_fn(|context| to.poll_reset(context)) => return,
                () = tokio::time::sleep(PAUSE) => continue,
            }
        };
        let cut = connection.wire.lock().unwrap().cuts.pop_front();
        if let Some(cut) = cut {
            return end(connection, to, cut, bytes).await;
        }
        if to.send_data(bytes.into(), next.is_none()).is_err() {
            return;
        }
        let Some(next) = next else { return };
        place = next;
    }
}

async fn end(connection: &Connection, mut to: SendStream<Bytes>, cut: Cut, event_cut: Vec<u8>) {
    let half = Bytes::copy_from_slice(&event_cut[..event_cut.len() / 2]);
    match cut {
        Cut::Reset => {
            to.send_data(half, false).unwrap();
            tokio::time::sleep(PAUSE).await;
            to.send_reset(Reason::INTERNAL_ERROR);
        }
        Cut::Away => {
            to.send_data(half, false).unwrap();
            connection.away.send(false).unwrap();
            tokio::time::sleep(PAUSE).await;
        }
        Cut::Graceful => {
            connection.away.send(true).unwrap();
            tokio::time::sleep(5 * PAUSE).await;
            to.send_data(Bytes::new(), true).unwrap();
        }
        Cut::Over => to.send_data(Bytes::new(), true).unwrap(),
        Cut::Exception(code) => {
            let told = json!({ "message": "as the test wants it" });
            to.send_data(event("exception", code, &told).into(), true).unwrap();
        }
    }
}
