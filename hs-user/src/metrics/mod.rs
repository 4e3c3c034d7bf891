//! Metrics for Prometheus: what is gathered between scrapes, and the endpoint that serves it.
//!
//! Totals are those of the kernel, read when somebody asks. No label ever carries the address of a peer, so the
//! number of time series is bounded whatever the traffic; docs/metrics.md lists them all.

mod endpoint;
mod exposition;
mod family;

use std::time::{SystemTime, UNIX_EPOCH};

use hs_common::event::{KIND_HANDSHAKE, RTT_UNKNOWN};
use hs_common::{Counters, Event, Outcome};
use prometheus::{Histogram, HistogramOpts};

pub use endpoint::Endpoint;

use crate::detect::Alert;
use crate::kernel::{Ingress, Readings};
use crate::open_alerts::OpenAlerts;

/// Round-trip times from one host to another and around the world, in seconds.
const RTT_BUCKETS: [f64; 15] =
    [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// What a scrape is told.
pub struct Metrics {
    rtt_synack: Histogram,
    rtt_ack: Histogram,
    alerts: OpenAlerts,
    /// Victims of floods that are named at the most.
    victims: usize,
    /// What was told before. Totals may go back by a little: a handshake that completes late is taken out of its first
    /// outcome, and CPUs are not read at one instant. A counter that goes back would seem to have started anew.
    told: Counters,
    /// Seconds since 1970.
    started: f64,
}

/// What is read for a scrape.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// The kernel side.
    pub readings: Readings,
    /// The interfaces that are, or were, watched.
    pub interfaces: Vec<InterfaceState>,
    /// Steps of responders that the detector had no room to follow.
    pub untracked: u64,
}

/// An interface that is, or was, watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceState {
    /// Its name.
    pub name: String,
    /// How ingress is watched.
    pub ingress: Ingress,
    /// Whether it is still there.
    pub present: bool,
}

impl Metrics {
    /// Metrics of a watch that begins now, which name so many victims of floods at the most.
    ///
    /// # Errors
    /// None: the names of the histograms are fixed, and right.
    pub fn new(victims: usize) -> prometheus::Result<Metrics> {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Metrics {
            rtt_synack: rtt("synack")?,
            rtt_ack: rtt("ack")?,
            alerts: OpenAlerts::default(),
            victims,
            told: Counters::ZERO,
            started: since_1970.as_secs_f64(),
        })
    }

    /// Takes an event.
    pub fn event(&mut self, event: &Event) {
        if event.kind != KIND_HANDSHAKE || event.outcome() != Some(Outcome::Completed) {
            return;
        }
        for (histogram, us) in [(&self.rtt_synack, event.rtt_synack_us), (&self.rtt_ack, event.rtt_ack_us)] {
            if us != RTT_UNKNOWN {
                histogram.observe(f64::from(us) / 1e6);
            }
        }
    }

    /// Takes an alert.
    pub fn alert(&mut self, alert: &Alert) {
        self.alerts.take(alert);
    }

    /// The whole as text, in Prometheus's exposition format 0.0.4.
    ///
    /// # Errors
    /// None: the names are fixed, and right.
    pub fn text(&mut self, scrape: &Scrape) -> prometheus::Result<String> {
        for (told, now) in self.told.0.iter_mut().zip(scrape.readings.totals.0) {
            *told = now.max(*told);
        }
        prometheus::TextEncoder::new().encode_to_string(&self.families(scrape))
    }
}

fn rtt(part: &str) -> prometheus::Result<Histogram> {
    let help = "Round-trip times of completed handshakes: SYN to SYN-ACK (synack), SYN-ACK to ACK (ack).";
    let options = HistogramOpts::new("hsmon_handshake_rtt_seconds", help);
    Histogram::with_opts(options.const_label("part", part).buckets(RTT_BUCKETS.to_vec()))
}
