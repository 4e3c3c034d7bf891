//! Honest clients: the system's own TCP, which connects, and closes again.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&address, PATIENCE)
}

impl Tally {
    fn count(&mut self, attempt: &io::Result<TcpStream>) {
        match attempt {
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
        (0..count).for_each(|_| tally.count(&connect(address)));
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
            tally.count(&connect(address));
        }
        tally
    })
}

/// Clients that come one by one until they are stopped.
pub struct Clients {
    plan: Arc<Plan>,
    threads: Vec<JoinHandle<Result<()>>>,
}

/// What they do, and how it went.
struct Plan {
    addresses: Vec<SocketAddr>,
    per_second: f64,
    begin: Instant,
    /// The number of the next one.
    next: AtomicU64,
    tally: Mutex<Tally>,
    stop: AtomicBool,
}

impl Clients {
    /// One after the other, to each address in turn, `per_second` at the most.
    pub fn start(ns: &Netns, addresses: &[SocketAddr], per_second: f64) -> Result<Clients> {
        Clients::start_many(ns, addresses, per_second, 1)
    }

    /// The same, where so many may wait for an answer at once.
    pub fn start_many(
        ns: &Netns,
        addresses: &[SocketAddr],
        per_second: f64,
        at_once: usize,
    ) -> Result<Clients> {
        let plan = Arc::new(Plan {
            addresses: addresses.to_vec(),
            per_second,
            begin: Instant::now(),
            next: AtomicU64::new(0),
            tally: Mutex::new(Tally::default()),
            stop: AtomicBool::new(false),
        });
        let come = |_| {
            let plan = Arc::clone(&plan);
            ns.spawn(move || plan.come())
        };
        let threads = (0..at_once).map(come).collect::<Result<_>>()?;
        Ok(Clients { plan, threads })
    }

    /// How it went until now.
    pub fn tally(&self) -> Tally {
        *self.plan.tally()
    }

    /// Waits for those that are connecting; no more come.
    pub fn stop(mut self) -> Result<Tally> {
        self.end()?;
        Ok(self.tally())
    }

    fn end(&mut self) -> Result<()> {
        self.plan.stop.store(true, Ordering::Relaxed);
        // One that panicked has said so.
        self.threads.drain(..).try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl Plan {
    fn come(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_secs_f64(number as f64 / self.per_second);
            while self.begin.elapsed() < due && !self.stopped() {
                thread::sleep(due.saturating_sub(self.begin.elapsed()).min(LOOK_UP));
            }
            if self.stopped() {
                return;
            }
            let attempt = connect(self.addresses[number as usize % self.addresses.len()]);
            self.tally().count(&attempt);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
