//! Where events, alerts and totals come together on their way out, live or from a capture.

use std::collections::HashMap;
use std::io::{self, Write};

use anyhow::ensure;
use hs_common::event::KIND_HANDSHAKE;
use hs_common::{Counters, Event, Ledger, Outcome};

use crate::dashboard::{Dashboard, RESPONDERS, Reading};
use crate::detect::{Alert, Detector, Phase, Settings};
use crate::host::Host;
use crate::kernel::Readings;
use crate::metrics::{InterfaceState, Metrics, Scrape};
use crate::process;
use crate::report::{Origin, Reporter, Totals};
use crate::responders::Responders;

/// How often the detector looks at the responders' totals, in nanoseconds of the events' clock.
pub const OBSERVE_EVERY_NS: u64 = 125_000_000;

/// Reports what it is handed, and watches for floods.
pub struct Desk<W: Write> {
    reporter: Reporter<W>,
    detector: Detector,
    alerts: Vec<Alert>,
    /// Events that have come.
    delivered: u64,
    floods: u64,
    starts: Starts,
    /// The host that this runs on, when live.
    host: Option<Host>,
    /// What scrapes are told, if there can be any.
    pub metrics: Option<Metrics>,
    /// What the screen shows, if there is one.
    pub dashboard: Option<Dashboard>,
    /// What to add to the events' clock for nanoseconds since 1970; wraps.
    pub unix_offset_ns: u64,
}

impl<W: Write> Desk<W> {
    /// A desk that has seen nothing.
    pub fn new(reporter: Reporter<W>, detection: Settings) -> Desk<W> {
        Desk {
            reporter,
            detector: Detector::new(detection),
            alerts: Vec::new(),
            delivered: 0,
            floods: 0,
            starts: Starts::default(),
            host: None,
            metrics: None,
            dashboard: None,
            unix_offset_ns: 0,
        }
    }

    /// Alerts about this host carry its own word.
    pub fn with_host(mut self) -> Desk<W> {
        self.host = Some(Host::default());
        self
    }

    /// An event from the engine.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn event(&mut self, event: &Event, origin: &Origin) -> io::Result<()> {
        self.delivered += 1;
        if event.kind == KIND_HANDSHAKE && event.outcome() == Some(Outcome::Completed) {
            self.detector.completed((event.dst, event.dst_port), event.src);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.event(event);
        }
        let unix_ns = self.unix(event.time_ns);
        if let (Some(dashboard), Origin::Interface(interface)) = (&mut self.dashboard, origin) {
            dashboard.event(event, unix_ns, interface);
        }
        self.reporter.event(event, unix_ns, origin)
    }

    /// Judges the responders' totals, and reports alerts.
    ///
    /// # Errors
    /// The totals can't be read, or those of the sink.
    pub fn observe(
        &mut self,
        now_ns: u64,
        responders: &mut dyn Responders,
        origin: &Origin,
    ) -> anyhow::Result<()> {
        self.detector.observe(now_ns, responders, &mut self.alerts)?;
        if let Some(host) = &mut self.host {
            self.alerts.iter_mut().for_each(|alert| host.comment(alert));
            host.observe(now_ns);
        }
        Ok(self.report_alerts(origin)?)
    }

    /// Other settings for the detector from now on.
    pub fn set_detection(&mut self, settings: Settings) {
        self.detector.set_settings(settings);
    }

    /// Whether no responder is being watched for a flood, so that time may pass unobserved.
    pub fn is_quiet(&self) -> bool {
        self.detector.is_idle()
    }

    /// Ends the alerts that are still open.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn end_alerts(&mut self, origin: &Origin) -> io::Result<()> {
        self.detector.finish(&mut self.alerts);
        if let Some(host) = &mut self.host {
            self.alerts.iter_mut().for_each(|alert| host.comment(alert));
        }
        self.report_alerts(origin)
    }

    fn report_alerts(&mut self, origin: &Origin) -> io::Result<()> {
        for alert in self.alerts.drain(..) {
            self.floods += u64::from(alert.phase == Phase::Start);
            if let Some(metrics) = &mut self.metrics {
                metrics.alert(&alert);
            }
            if let Some(dashboard) = &mut self.dashboard {
                dashboard.alert(&alert, alert.now_ns.wrapping_add(self.unix_offset_ns));
            }
            let unix = |ns: u64| ns.wrapping_add(self.unix_offset_ns);
            let started = self.starts.of(alert.id, alert.phase, unix(alert.started_at_ns));
            self.reporter.alert(&alert, unix(alert.now_ns), started, origin)?;
        }
        Ok(())
    }

    /// The totals so far.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn stats(&mut self, totals: &Counters, now_ns: u64, origin: Option<&Origin>) -> io::Result<()> {
        self.write_totals(totals, now_ns, origin, false)
    }

    /// The totals at the end: nothing is counted any more, and every event has come. Sends on what is buffered.
    ///
    /// # Errors
    /// Those of the sink; or the ledger does not add up, which is said in the totals too.
    pub fn close(&mut self, totals: &Counters, now_ns: u64, origin: Option<&Origin>) -> anyhow::Result<()> {
        self.write_totals(totals, now_ns, origin, true)?;
        self.flush()?;
        let differences = Ledger { totals, delivered: self.delivered }.differences();
        let differences: Vec<String> = differences.map(|difference| difference.to_string()).collect();
        ensure!(
            differences.is_empty(),
            "the totals do not add up, so something was lost or counted twice: {}; \
             this is a fault of hs-mon: please report it with these totals",
            differences.join("; ")
        );
        Ok(())
    }

    fn write_totals(
        &mut self,
        totals: &Counters,
        now_ns: u64,
        origin: Option<&Origin>,
        is_last: bool,
    ) -> io::Result<()> {
        let ledger = Ledger { totals, delivered: self.delivered };
        let totals = Totals { ledger, alerts: self.floods, is_last };
        self.reporter.stats(&totals, self.unix(now_ns), origin)
    }

    /// The metrics at this instant, as text; none, if nothing gathers them.
    ///
    /// # Errors
    /// None: the names of the metrics are fixed, and right.
    pub fn metrics_text(
        &mut self,
        readings: Readings,
        interfaces: Vec<InterfaceState>,
    ) -> anyhow::Result<String> {
        let scrape = Scrape { readings, interfaces, untracked: self.detector.untracked() };
        let text = self.metrics.as_mut().map(|metrics| metrics.text(&scrape)).transpose()?;
        Ok(text.unwrap_or_default())
    }

    /// Brings the dashboard, if there is one, up to date; once a second.
    pub fn show(
        &mut self,
        now_ns: u64,
        readings: impl FnOnce() -> anyhow::Result<Readings>,
        interfaces: impl FnOnce() -> Vec<InterfaceState>,
    ) -> anyhow::Result<()> {
        let unix_ns = self.unix(now_ns);
        let Some(dashboard) = &mut self.dashboard else { return Ok(()) };
        dashboard.set_time(unix_ns);
        if dashboard.is_due(now_ns) {
            dashboard.read(Reading {
                now_ns,
                readings: readings()?,
                interfaces: interfaces(),
                responders: self.detector.busiest(RESPONDERS),
                cpu_time: process::cpu_time(),
                memory: process::resident_bytes().unwrap_or(0),
            });
        }
        Ok(())
    }

    /// Sends on what is buffered.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn flush(&mut self) -> io::Result<()> {
        self.reporter.flush()
    }

    fn unix(&self, ns: u64) -> u64 {
        ns.wrapping_add(self.unix_offset_ns)
    }
}

/// When each open alert started, in nanoseconds since 1970, as it was told first: whoever reads the alerts
/// knows one by its start, and the wall clock may be set, or drift by a microsecond, meanwhile.
#[derive(Default)]
struct Starts(HashMap<u64, u64>);

impl Starts {
    fn of(&mut self, id: u64, phase: Phase, started: u64) -> u64 {
        match phase {
            Phase::Start | Phase::Update => *self.0.entry(id).or_insert(started),
            Phase::End => self.0.remove(&id).unwrap_or(started),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Filter, Format};
    use hs_common::{Counter, Slot};

    /// A handshake that was counted as refused, and of which nobody was told.
    #[test]
    fn totals_that_do_not_add_up_are_told_and_are_an_error() {
        let mut totals = Counters::ZERO;
        for slot in [Slot::of(Counter::Begun), Slot::outcome(Outcome::Refused)] {
            totals.add(slot, 1);
        }
        let mut out = Vec::new();
        let mut desk =
            Desk::new(Reporter::new(&mut out, Format::Json, false, Filter::ALL), Settings::default());
        let error = desk.close(&totals, 0, None).expect_err("one event is missing").to_string();
        assert!(error.starts_with("the totals do not add up"), "{error}");
        assert!(error.contains("+ anomalies other than ack_unsolicited: 0 is not 1;"), "{error}");
        drop(desk);
        assert!(String::from_utf8_lossy(&out).contains(r#""ledger":{"balanced":false,"#));
    }

    #[test]
    fn an_alert_keeps_its_start_when_the_wall_clock_is_set() {
        let mut starts = Starts::default();
        let told =
            [(1, Phase::Start, 100), (2, Phase::Start, 150), (1, Phase::Update, 99), (1, Phase::End, 7)]
                .map(|(id, phase, started)| starts.of(id, phase, started));
        assert_eq!(told, [100, 150, 100, 100]);
        assert_eq!(starts.0.len(), 1, "what has ended is forgotten");
    }
}
