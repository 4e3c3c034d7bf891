//! When things happen in a watch: its ticks, and its end.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

/// Far enough for "never".
const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// What ends a watch: SIGINT, SIGTERM, or the time that was asked for.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
    deadline: Instant,
}

impl Stop {
    /// Hears the signals from now on.
    pub(super) fn hear() -> io::Result<Stop> {
        Ok(Stop {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            deadline: Instant::now() + NEVER,
        })
    }

    /// Comes at the latest so long from now.
    pub(super) fn within(&mut self, duration: Option<Duration>) {
        self.deadline = Instant::now() + duration.unwrap_or(NEVER);
    }

    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = sleep_until(self.deadline) => {}
        }
    }
}

/// Ticks, the first after one period. A late one puts off those that follow.
pub(super) fn ticks(every: Duration) -> Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}

/// The next tick, or never.
pub(super) async fn tick(ticks: &mut Option<Interval>) {
    match ticks {
        Some(ticks) => {
            ticks.tick().await;
        }
        None => std::future::pending().await,
    }
}
