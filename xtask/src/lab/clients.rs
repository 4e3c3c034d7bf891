//! Honest clients: the system's own TCP, which connects, and closes again.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::netns::Netns;

/// Long enough for a SYN that is sent again twice.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long stopped clients may take to notice.
const LOOK_UP: Duration = Duration::from_millis(20);

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that were made.
    pub connected: u64,
    /// Those answered by a RST.
    pub refused: u64,
    /// All else: no answer in time, no route.
    pub failed: u64,
}

impl Tally {
    fn count(&mut self, address: SocketAddr) {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => self.connected += 1,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => self.refused += 1,
            Err(_) => self.failed += 1,
        }
    }
}

/// Connects so many times, one after the other, and returns how many connections were made.
pub fn connect_many(ns: &Netns, count: u64, address: SocketAddr) -> Result<u64> {
    Ok(connect_tally(ns, count, address)?.connected)
}

/// The same, and tells how the others ended.
pub fn connect_tally(ns: &Netns, count: u64, address: SocketAddr) -> Result<Tally> {
    ns.enter(|| {
        let mut tally = Tally::default();
        (0..count).for_each(|_| tally.count(address));
        tally
    })
}

/// Connects `count` times, `per_second` times a second at the most.
pub fn connect_at_rate(ns: &Netns, count: u64, address: SocketAddr, per_second: f64) -> Result<Tally> {
    ns.enter(|| {
        let (start, mut tally) = (Instant::now(), Tally::default());
        for number in 0..count {
            let due = Duration::from_secs_f64(number as f64 / per_second);
            thread::sleep(due.saturating_sub(start.elapsed()));
            tally.count(address);
        }
        tally
    })
}

/// Clients that come one by one until they are stopped.
pub struct Clients {
    tally: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Clients {
    /// One after the other, to each address in turn, `per_second` at the most.
    pub fn start(ns: &Netns, addresses: &[SocketAddr], per_second: f64) -> Result<Clients> {
        let (tally, stop) = (Arc::new(Mutex::new(Tally::default())), Arc::new(AtomicBool::new(false)));
        let thread = ns.spawn({
            let (tally, stop, addresses) = (Arc::clone(&tally), Arc::clone(&stop), addresses.to_vec());
            move || come(&addresses, per_second, &tally, &stop)
        })?;
        Ok(Clients { tally, stop, thread: Some(thread) })
    }

    /// How it went until now.
    pub fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the one that is connecting; no more come.
    pub fn stop(mut self) -> Result<Tally> {
        self.end()?;
        Ok(self.tally())
    }

    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        ended.and_then(Result::ok).unwrap_or(Ok(()))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn come(addresses: &[SocketAddr], per_second: f64, tally: &Mutex<Tally>, stop: &AtomicBool) {
    let start = Instant::now();
    for (number, address) in addresses.iter().cycle().enumerate() {
        let due = Duration::from_secs_f64(number as f64 / per_second);
        while start.elapsed() < due && !stop.load(Ordering::Relaxed) {
            thread::sleep(due.saturating_sub(start.elapsed()).min(LOOK_UP));
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let mut sum = *tally.lock().unwrap_or_else(PoisonError::into_inner);
        // Not under the lock: it may take seconds, and this is the only thread that writes.
        sum.count(*address);
        *tally.lock().unwrap_or_else(PoisonError::into_inner) = sum;
    }
}
