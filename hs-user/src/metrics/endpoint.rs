//! A small HTTP server for scrapes, on the thread that watches. Nobody can hold it up: what is asked is answered
//! a few times a second, all at once; connections are few and short, and of too many the oldest of who has most of them
//! is dropped.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};

/// Connections at a time. A scrape takes a tenth of a second, so the oldest of so many is none, unless they come fast.
const MAX_CONNECTIONS: usize = 32;
/// A request has come whole by then.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// A connection has ended by then.
const CONNECTION_WITHIN: Duration = Duration::from_secs(10);
/// Headers of a scrape have some hundred bytes. The least that hyper takes.
const MAX_REQUEST_BYTES: usize = 8192;
/// After a failure to accept, most likely for want of file descriptors.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(100);
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const EXPOSITION_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const LANDING_PAGE: &str = "<!DOCTYPE html><title>hs-mon</title><a href=\"/metrics\">metrics</a>\n";

/// Who waits for the metrics.
type Waiting = oneshot::Sender<Bytes>;

/// The endpoint. It stops when it is dropped.
pub struct Endpoint {
    requests: mpsc::Receiver<Waiting>,
    server: JoinHandle<()>,
    address: SocketAddr,
}

impl Endpoint {
    /// Listens, and answers as far as it can do so alone.
    ///
    /// # Errors
    /// The address is taken, or not this host's.
    pub fn start(address: SocketAddr) -> Result<Endpoint> {
        let listen = || -> io::Result<TcpListener> {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            TcpListener::from_std(listener)
        };
        let listener = listen().with_context(|| format!("can't serve metrics on {address} (--metrics)"))?;
        let address = listener.local_addr()?;
        let (ask, requests) = mpsc::channel(MAX_CONNECTIONS);
        Ok(Endpoint { requests, server: tokio::spawn(serve(listener, ask)), address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers all who wait, if there are any, with what `text` returns.
    ///
    /// # Errors
    /// Those of `text`.
    pub fn answer(&mut self, text: impl FnOnce() -> Result<String>) -> Result<()> {
        let Ok(first) = self.requests.try_recv() else { return Ok(()) };
        let text = Bytes::from(text()?);
        // One that has gone away wants no answer.
        let _ = first.send(text.clone());
        while let Ok(next) = self.requests.try_recv() {
            let _ = next.send(text.clone());
        }
        Ok(())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, ask: mpsc::Sender<Waiting>) {
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(REST_AFTER_FAILURE).await;
            continue;
        };
        connections.retain(|connection| !connection.task.is_finished());
        if connections.len() >= MAX_CONNECTIONS {
            let give_way = oldest_of_the_most(&connections);
            connections.remove(give_way).task.abort();
        }
        let task = tokio::spawn(converse(stream, ask.clone())).abort_handle();
        connections.push(Connection { peer: network(peer.ip()), task });
    }
}

struct Connection {
    peer: IpAddr,
    task: AbortHandle,
}

/// So one peer that connects without an end is in nobody's way but its own. `connections` are in the order in which
/// they came, and not empty.
fn oldest_of_the_most(connections: &[Connection]) -> usize {
    let of_its_peer =
        |index: usize| connections.iter().filter(|other| other.peer == connections[index].peer).count();
    // Of several that are the largest, the last is taken: the first here.
    (0..connections.len()).rev().max_by_key(|index| of_its_peer(*index)).unwrap_or(0)
}

/// What one peer has: an IPv4 address, of IPv6 a network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

async fn converse(stream: TcpStream, ask: mpsc::Sender<Waiting>) {
    let service = service_fn(|request| answer(request, &ask));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_WITHIN)
        .max_buf_size(MAX_REQUEST_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // How it ends is the client's affair.
    let _ = timeout(CONNECTION_WITHIN, connection).await;
}

async fn answer(
    request: Request<Incoming>,
    ask: &mpsc::Sender<Waiting>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = page(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n".into());
        refusal.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return Ok(refusal);
    }
    Ok(match request.uri().path() {
        "/metrics" => match metrics(ask).await {
            Some(text) => page(StatusCode::OK, EXPOSITION_FORMAT, text),
            None => page(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "the watch has ended\n".into()),
        },
        "/" => page(StatusCode::OK, "text/html", LANDING_PAGE.into()),
        _ => page(StatusCode::NOT_FOUND, "text/plain", "not found; there is /metrics\n".into()),
    })
}

async fn metrics(ask: &mpsc::Sender<Waiting>) -> Option<Bytes> {
    let (waiting, answer) = oneshot::channel();
    ask.send(waiting).await.ok()?;
    answer.await.ok()
}

fn page(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut page = Response::new(Full::new(body));
    *page.status_mut() = status;
    page.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    page
}
