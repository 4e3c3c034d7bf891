//! Watches interfaces until it is told to stop.

mod descriptors;
mod interfaces;
mod output;
mod roster;
mod standstill;
mod time;

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aya::sys::{Stats, enable_stats};
use caps::Capability;
use hs_common::{Counter, Counters, Outcome};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

use crate::cli::{self, LiveSettings, Selector, Verbosity};
use crate::clock;
use crate::config_file;
use crate::dashboard::{About, Dashboard, Screen, Wish};
use crate::desk::{Desk, OBSERVE_EVERY_NS};
use crate::kernel::{Events, Kernel, Options, map_memory, mib};
use crate::kernel_log;
use crate::metrics::{Endpoint, Metrics};
use crate::netns;
use crate::notices::say;
use crate::privilege;
use crate::report::{Origin, Reporter, wants_colour};
use crate::service;
use interfaces::{Found, Interfaces};
pub use output::Output;
use standstill::Standstill;
use time::{Stop, tick, ticks};

/// How often handshakes are looked at for their timeout. A half-open one is told at most this late.
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// How long the ring buffer is left alone after it was read. An event that comes when all was read is told at
/// once; under load, events gather meanwhile, and neither this process nor the kernel pays a wake-up for each.
/// The buffers of all CPUs have room for eight times what comes in that time at a million events a second.
const REST_AFTER_READ: Duration = Duration::from_millis(5);
/// Handshakes of which one direction was missing before the user is told so.
const ONE_SIDED_ENOUGH: u64 = 10;
/// How long the last lines may take at the end.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// Loads, attaches, watches, detaches, and tells the totals.
///
/// # Errors
/// No privilege, no interface of a name, no way to attach, or `output`, to which the reporter writes, fails.
pub fn run(settings: &LiveSettings, reporter: Reporter<Output>, output: Output) -> Result<()> {
    descriptors::allow_many();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // From the first line on standard error on, a signal ends it with its totals, or has it read its configuration
        // again.
        let signals = Signals { stop: Stop::hear()?, hangup: signal(SignalKind::hangup())? };
        // At a limit of the size of files (`ulimit -f`), an error of writing comes too: as with a full disk, and not the end.
        let _too_large = signal(SignalKind::from_raw(libc::SIGXFSZ))?;
        Watch::start(settings, reporter, output).map_err(descriptors::explain)?.run(settings, signals).await
    })
}

/// What is heard from outside.
struct Signals {
    stop: Stop,
    hangup: Signal,
}

struct Watch {
    kernel: Kernel,
    events: AsyncFd<Events>,
    desk: Desk<Output>,
    output: Output,
    interfaces: Interfaces,
    /// Where the metrics are served, if they are asked for.
    endpoint: Option<Endpoint>,
    /// The terminal, if it shows the dashboard.
    screen: Option<Screen>,
    /// While it is kept, the kernel measures what its programs cost.
    measuring: Option<OwnedFd>,
    told_one_sided: bool,
    standstill: Standstill,
    /// What of the totals the detector has seen.
    observed: [u64; 3],
    /// Before this time no handshake is due.
    next_sweep_ns: u64,
    quiet: bool,
    /// Kept for as long as the watch: aya-log ends with it.
    _log: Option<kernel_log::KernelLog>,
}

impl Watch {
    fn start(settings: &LiveSettings, reporter: Reporter<Output>, output: Output) -> Result<Watch> {
        // Before anything is loaded: an address that is taken is told at once.
        if settings.tui.is_some() {
            Screen::check()?;
        }
        let endpoint = settings.metrics.map(Endpoint::start).transpose()?;
        // From here on: metrics are served where hs-mon was started.
        if let Some(name) = &settings.netns {
            netns::enter(name)?;
        }
        let found = Found::by(&settings.interfaces)?;
        let mut config = settings.common.engine;
        // Not before all hooks are attached: a handshake that began between two of them would seem broken.
        config.watch_began_ns = u64::MAX;
        config.thin_events = 1;
        let debug = settings.common.verbosity >= Verbosity::Debug;
        let log_level = if debug { log::Level::Debug as u8 } else { 0 };
        if settings.common.verbosity >= Verbosity::Verbose {
            say(format_args!("the maps take {} of kernel memory", mib(map_memory(&config)?)));
        }
        let mut kernel = Kernel::load(&Options { config, replaying: false, log_level })?;
        // Before the programs load: they refer to its map.
        let log = if debug { Some(kernel_log::start(&mut kernel)?) } else { None };
        let quiet = settings.common.verbosity == Verbosity::Quiet;
        let interfaces = Interfaces::attach(found, &mut kernel, settings.mode, quiet)?;
        kernel.set_watch_began(clock::monotonic_ns())?;
        interfaces.tell_all();
        // Nothing is due for a while yet.
        kernel.prepare_sweeps()?;
        // SAFETY: the events own their file descriptor and keep it until they are dropped.
        let events = unsafe { AsyncFd::register(kernel.take_events()?) };
        let events = events.context("can't wait for the ring buffers")?;
        let mut desk = Desk::new(reporter, settings.common.detection.clone()).with_host();
        desk.unix_offset_ns = clock::unix_offset_ns();
        if endpoint.is_some() {
            desk.metrics = Some(Metrics::new(settings.metrics_victims)?);
        }
        if let Some(tui) = settings.tui {
            desk.dashboard = Some(Dashboard::new(About {
                show_interface: settings.watches_several(),
                colour: wants_colour(),
                filter: tui.filter,
                began_ns: clock::monotonic_ns(),
            }));
        }
        let mut keep = Kernel::needs_to_attach().to_vec();
        if settings.tui.is_some() {
            // The key that measures: the kernel asks for it whenever statistics are switched on.
            keep.push(Capability::CAP_SYS_ADMIN);
        }
        privilege::give_up(&keep, settings.config.as_deref())?;
        // Threads have no more than who starts them, and none can be started later.
        output.start().context(
            "can't start the thread that writes standard output; it takes two processes (`ulimit -u`, TasksMax=)",
        )?;
        let screen = settings.tui.is_some().then(|| Screen::enter(output.clone())).transpose()?;
        privilege::confine()?;
        Ok(Watch {
            kernel,
            events,
            desk,
            output,
            interfaces,
            endpoint,
            screen,
            measuring: None,
            told_one_sided: false,
            standstill: Standstill::No,
            observed: [0; 3],
            next_sweep_ns: 0,
            quiet,
            _log: log,
        })
    }

    async fn run(mut self, settings: &LiveSettings, signals: Signals) -> Result<()> {
        let Signals { mut stop, mut hangup } = signals;
        stop.within(settings.duration);
        let mut sweep = ticks(SWEEP_EVERY);
        let mut observe = ticks(Duration::from_nanos(OBSERVE_EVERY_NS));
        let mut stats = settings.stats_interval.map(ticks);
        let mut alive = service::alive_every().map(ticks);
        let asked: Vec<String> = settings.interfaces.iter().map(Selector::to_string).collect();
        service::ready(&format!("watching {}", asked.join(", ")));
        loop {
            tokio::select! {
                () = stop.wait() => break,
                ready = self.events.readable_mut(), if self.output.has_room() => {
                    ready?.clear_ready();
                    self.drain()?;
                    self.desk.flush()?;
                    sleep(REST_AFTER_READ).await;
                }
                () = self.output.room(), if !self.output.has_room() => drop(self.drain()?),
                _ = sweep.tick() => {
                    self.sweep()?;
                    self.drain()?;
                    if let Some(news) = self.standstill.news(&self.output).filter(|_| !self.quiet) {
                        say(news);
                    }
                    self.answer_scrapes()?;
                    match self.show()? {
                        Wish::None => {}
                        Wish::Measure => self.toggle_measuring(),
                        Wish::Quit => break,
                    }
                }
                _ = observe.tick() => self.observe()?,
                changed = self.interfaces.changed() => {
                    changed?;
                    self.interfaces.follow(&mut self.kernel)?;
                }
                _ = hangup.recv() => self.reload(settings),
                // The next ones tell all that these would.
                () = tick(&mut stats), if self.output.has_room() => self.tell_totals()?,
                () = tick(&mut alive) => service::alive(),
            }
            self.desk.flush()?;
        }
        // The terminal is as it was before the totals are written to it.
        self.screen = None;
        self.finish()
    }

    /// Ends what is due, if anything can be.
    fn sweep(&mut self) -> Result<()> {
        let now_ns = clock::monotonic_ns();
        if now_ns >= self.next_sweep_ns {
            self.next_sweep_ns = self.kernel.sweep(now_ns, false)?;
        }
        Ok(())
    }

    /// Reports what is in the ring buffer, as long as there is room for it, and tells whether that was all. What stays
    /// there is not lost, and what finds it full is counted.
    fn drain(&mut self) -> Result<bool> {
        while self.output.has_room() {
            if !self.report_next()? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reports the next event, if there is one.
    fn report_next(&mut self) -> Result<bool> {
        let Some(event) = self.events.get_mut().take_oldest()? else { return Ok(false) };
        self.desk.event(&event, &Origin::Interface(self.interfaces.name(event.ifindex)))?;
        Ok(true)
    }

    fn observe(&mut self) -> Result<()> {
        self.desk.unix_offset_ns = clock::unix_offset_ns();
        let totals = self.kernel.counters()?;
        let seen = [Counter::Syn, Counter::Synack, Counter::EventsProduced].map(|total| totals.get(total));
        if self.desk.is_quiet() && seen == self.observed {
            // No responder can have changed, and none is waited for: their totals are much to read.
            return Ok(());
        }
        self.observed = seen;
        let origin = Origin::Interface(self.interfaces.sole().unwrap_or(""));
        self.desk.observe(clock::monotonic_ns(), &mut self.kernel, &origin)?;
        self.tell_if_one_sided(&totals);
        Ok(())
    }

    /// Reads the configuration file again, for what it says of detection. A broken file changes nothing.
    fn reload(&mut self, settings: &LiveSettings) {
        let Some(path) = &settings.config else {
            return say("SIGHUP: there is no configuration file to read again (--config)");
        };
        match cli::reload(path, config_file::read_again) {
            Ok(detection) => {
                self.desk.set_detection(detection);
                say(format_args!(
                    "{}: [detection] read again; other options hold from the next start",
                    path.display()
                ));
            }
            Err(error) => {
                let why = error.to_string();
                say(format_args!(
                    "{}; the old configuration stays",
                    why.trim().trim_start_matches("error: ")
                ));
            }
        }
    }

    /// Where only one direction is seen, the user must know, once.
    fn tell_if_one_sided(&mut self, totals: &Counters) {
        if self.told_one_sided || self.quiet {
            return;
        }
        if totals.outcome(Outcome::Unverified) >= ONE_SIDED_ENOUGH && totals.get(Counter::Synack) == 0 {
            self.told_one_sided = true;
            say("warning: SYNs and ACKs pass here but no SYN-ACK does: only one direction is visible \
                 (asymmetric routing, one-way mirror); these handshakes are called unverified");
        }
    }

    /// Draws the dashboard, if there is one, and tells what its user wishes.
    fn show(&mut self) -> Result<Wish> {
        let Some(screen) = &mut self.screen else { return Ok(Wish::None) };
        let (kernel, interfaces) = (&self.kernel, &self.interfaces);
        self.desk.show(clock::monotonic_ns(), || kernel.readings(), || interfaces.states())?;
        self.desk.dashboard.as_mut().map_or(Ok(Wish::None), |dashboard| screen.refresh(dashboard))
    }

    fn toggle_measuring(&mut self) {
        self.measuring = match self.measuring.take() {
            Some(_) => None,
            None => {
                enable_stats(Stats::RunTime).map_err(|error| say(format_args!("can't measure: {error}"))).ok()
            }
        };
    }

    /// Tells all who have asked for the metrics since the last time.
    fn answer_scrapes(&mut self) -> Result<()> {
        let Some(endpoint) = &mut self.endpoint else { return Ok(()) };
        endpoint.answer(|| {
            let interfaces = self.interfaces.states();
            self.desk.metrics_text(self.kernel.readings()?, interfaces)
        })
    }

    fn tell_totals(&mut self) -> Result<()> {
        let totals = self.kernel.counters()?;
        let origin = self.interfaces.sole().map(Origin::Interface);
        Ok(self.desk.stats(&totals, clock::monotonic_ns(), origin.as_ref())?)
    }

    /// Detaches first, so that the last totals are of one instant; and before that begins no handshake
    /// any more, for the hooks go one after the other.
    fn finish(mut self) -> Result<()> {
        service::stopping();
        self.kernel.set_watch_began(u64::MAX)?;
        self.kernel.detach();
        let until = Instant::now() + WRITTEN_WITHIN;
        self.drain_all(until)?;
        self.kernel.sweep(clock::monotonic_ns(), true)?;
        self.drain_all(until)?;
        self.observe()?;
        self.desk.end_alerts(&Origin::Interface(self.interfaces.sole().unwrap_or("")))?;
        let totals = self.kernel.counters()?;
        let origin = self.interfaces.sole().map(Origin::Interface);
        let closed = self.desk.close(&totals, clock::monotonic_ns(), origin.as_ref());
        self.output.finish(until)?;
        closed
    }

    /// Waits for room until then. What finds none is reported all the same, and [`Output`] counts it.
    fn drain_all(&mut self, until: Instant) -> Result<()> {
        while !self.drain()? && self.output.wait_for_room(until) {}
        while self.report_next()? {}
        Ok(())
    }
}
