//! A TCP server in a namespace, which counts its connections.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::netns::Netns;

/// How long a stopped server may take to notice.
const LOOK_UP_MS: i32 = 50;
/// A silent connection is given up after this.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Closes it at once.
    Close,
    /// Sends back what it gets.
    Echo,
}

/// A server that runs until it is dropped.
pub struct Server {
    accepted: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens when this returns. `backlog` is the length of its queues, if not the system's own.
    pub fn start(
        ns: &Netns,
        addresses: &[SocketAddr],
        manner: Manner,
        backlog: Option<i32>,
    ) -> Result<Server> {
        let listeners = ns.enter(|| -> Result<Vec<TcpListener>> {
            addresses.iter().map(|address| listener(*address, backlog)).collect()
        })??;
        let (accepted, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (accepted, stop) = (Arc::clone(&accepted), Arc::clone(&stop));
            move || serve(&listeners, manner, &accepted, &stop)
        });
        Ok(Server { accepted, stop, thread: Some(thread) })
    }

    /// Connections accepted until now.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // If it panicked it has said so.
            let _ = thread.join();
        }
    }
}

fn listener(address: SocketAddr, backlog: Option<i32>) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("can't listen on {address}"))?;
    listener.set_nonblocking(true)?;
    if let Some(backlog) = backlog {
        // SAFETY: no pointers. A second listen changes nothing but the length of the queues.
        if unsafe { libc::listen(listener.as_raw_fd(), backlog) } != 0 {
            return Err(io::Error::last_os_error()).context("can't set the backlog");
        }
    }
    Ok(listener)
}

fn serve(listeners: &[TcpListener], manner: Manner, accepted: &AtomicU64, stop: &AtomicBool) {
    let watched =
        |listener: &TcpListener| libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut polled: Vec<libc::pollfd> = listeners.iter().map(watched).collect();
    while !stop.load(Ordering::Relaxed) {
        // SAFETY: as many entries as said, which outlive the call.
        unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, LOOK_UP_MS) };
        for (connection, _) in
            listeners.iter().flat_map(|listener| std::iter::from_fn(|| listener.accept().ok()))
        {
            accepted.fetch_add(1, Ordering::Relaxed);
            if manner == Manner::Echo {
                thread::spawn(move || echo(&connection));
            }
        }
    }
}

/// Whatever goes wrong here went wrong on the client's side too, which tells.
fn echo(connection: &TcpStream) {
    let ready = connection.set_nonblocking(false).and_then(|()| connection.set_read_timeout(Some(PATIENCE)));
    if ready.is_ok() {
        let _ = io::copy(&mut &*connection, &mut &*connection);
    }
}
