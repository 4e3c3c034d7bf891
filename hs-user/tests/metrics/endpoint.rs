//! The HTTP side, over loopback: what it answers, and that nobody holds it up.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use hs_mon::metrics::Endpoint;

/// Far more than an answer takes, far less than a slow client is suffered.
const AT_ONCE: Duration = Duration::from_secs(3);

/// Runs an endpoint in a thread of its own, which answers as the watch does, while `clients` talk to it.
fn served(clients: impl FnOnce(SocketAddr)) {
    let (tell, address) = mpsc::channel();
    let (stop, stopped) = mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut endpoint = Endpoint::start(([127, 0, 0, 1], 0).into()).unwrap();
            tell.send(endpoint.address()).unwrap();
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                tokio::time::sleep(Duration::from_millis(10)).await;
                endpoint.answer(|| Ok("hsmon_packets_total 1\n".to_owned())).unwrap();
            }
        });
    });
    clients(address.recv().unwrap());
    stop.send(()).unwrap();
    server.join().unwrap();
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(AT_ONCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: hs-mon\r\n\r\n"))
}

#[test]
fn it_answers_what_it_knows_and_refuses_the_rest() {
    served(|address| {
        let scrape = get(address, "/metrics");
        assert!(scrape.starts_with("HTTP/1.1 200 OK\r\n"), "{scrape}");
        assert!(scrape.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{scrape}");
        assert!(scrape.ends_with("\r\n\r\nhsmon_packets_total 1\n"), "{scrape}");
        assert!(get(address, "/").contains("<a href=\"/metrics\">"));
        let head = ask(address, "HEAD /metrics HTTP/1.1\r\nHost: hs-mon\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(get(address, "/metrics/x").starts_with("HTTP/1.1 404"));
        let post = ask(address, "POST /metrics HTTP/1.1\r\nHost: hs-mon\r\ncontent-length: 0\r\n\r\n");
        assert!(post.starts_with("HTTP/1.1 405") && post.contains("allow: GET, HEAD\r\n"), "{post}");
    });
}

#[test]
fn a_request_may_not_be_long() {
    served(|address| {
        let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(20_000));
        let answer = ask(address, &long);
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    });
}

/// Far more clients than it suffers at a time, each in the middle of its request.
#[test]
fn slow_clients_do_not_keep_others_waiting() {
    served(|address| {
        let slow = |_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: hs").unwrap();
            stream
        };
        let slow: Vec<TcpStream> = (0..200).map(slow).collect();
        let start = Instant::now();
        let scrape = get(address, "/metrics");
        assert!(scrape.ends_with("hsmon_packets_total 1\n"), "{scrape}");
        assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
        // The first ones are long gone, for later ones.
        let mut first = &slow[0];
        first.set_read_timeout(Some(AT_ONCE)).unwrap();
        let read = first.read(&mut [0; 1]);
        assert!(
            matches!(read, Ok(0))
                || read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
    });
}

/// One peer connects without an end, faster than anybody is answered. Whoever is another is answered all the same.
#[test]
fn a_peer_that_connects_without_an_end_hurts_itself() {
    served(|address| {
        let over = AtomicBool::new(false);
        let connect = async || {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
            socket.connect(address).await
        };
        let connect_on = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let mut some = VecDeque::new();
            while !over.load(Ordering::Relaxed) {
                some.push_back(runtime.block_on(connect()));
                some.drain(..some.len().saturating_sub(100));
            }
        };
        thread::scope(|scope| {
            scope.spawn(connect_on);
            let scrapes: Vec<_> = (0..20).map(|_| panic::catch_unwind(|| get(address, "/metrics"))).collect();
            over.store(true, Ordering::Relaxed);
            let answered = |scrape: &Result<String, _>| {
                scrape.as_ref().is_ok_and(|scrape| scrape.ends_with("hsmon_packets_total 1\n"))
            };
            let answered = scrapes.iter().filter(|scrape| answered(scrape)).count();
            assert_eq!(answered, 20);
        });
    });
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    served(|address| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(async { Endpoint::start(address).err().unwrap() });
        let error = format!("{error:#}");
        assert!(error.contains(&format!("can't serve metrics on {address} (--metrics): ")), "{error}");
    });
}
