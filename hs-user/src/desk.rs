//! Where events, alerts and totals come together on their way out, live or from a capture.

use std::io::{self, Write};

use hs_common::event::KIND_HANDSHAKE;
use hs_common::{Counters, Event, Outcome};

use crate::detect::{Alert, Detector, Phase, Settings};
use crate::host::Host;
use crate::kernel::Readings;
use crate::metrics::{InterfaceState, Metrics, Scrape};
use crate::report::{Origin, Reporter};
use crate::responders::Responders;

/// How often the detector looks at the responders' totals, in nanoseconds of the events' clock.
pub const OBSERVE_EVERY_NS: u64 = 125_000_000;

/// Reports what it is handed, and watches for floods.
pub struct Desk<W: Write> {
    reporter: Reporter<W>,
    detector: Detector,
    alerts: Vec<Alert>,
    floods: u64,
    /// The host that this runs on, when live.
    host: Option<Host>,
    /// What scrapes are told, if there can be any.
    pub metrics: Option<Metrics>,
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
            floods: 0,
            host: None,
            metrics: None,
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
        if event.kind == KIND_HANDSHAKE && event.outcome() == Some(Outcome::Completed) {
            self.detector.completed((event.dst, event.dst_port), event.src);
        }
        if let Some(metrics) = &mut self.metrics {
            metrics.event(event);
        }
        self.reporter.event(event, self.unix(event.time_ns), origin)
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
            let unix = |ns: u64| ns.wrapping_add(self.unix_offset_ns);
            self.reporter.alert(&alert, unix(alert.now_ns), unix(alert.started_at_ns), origin)?;
        }
        Ok(())
    }

    /// The totals since the start.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn stats(
        &mut self,
        totals: &Counters,
        now_ns: u64,
        origin: Option<&Origin>,
        is_last: bool,
    ) -> io::Result<()> {
        self.reporter.stats(totals, self.floods, self.unix(now_ns), origin, is_last)
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
