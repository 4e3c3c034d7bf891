//! Runs captures through the engine and the reporters.

mod engine;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use hs_common::parse::Link;
use hs_common::{Config, Counter, Counters};

use crate::capture::{Error, LinkType, Packet, Reader};
use crate::cli::{Engine as Choice, ReplaySettings};
use crate::desk::{Desk, OBSERVE_EVERY_NS};
use crate::progress::Progress;
use crate::report::{Origin, Reporter};
use engine::{Engine, InKernel, InMemory};

/// How often timeouts are looked for, in nanoseconds of the capture's clock: as often as live.
const SWEEP_EVERY_NS: u64 = 100_000_000;
/// Bytes of a packet that are looked at. All headers together are shorter, and the kernel takes no
/// more than a page.
const LOOK_AT: usize = 2048;

/// Replays all files, one after the other, and tells the totals of all of them.
///
/// # Errors
/// A file can't be read to its end: what was read before is reported first. Or the sink fails.
pub fn run<W: Write>(settings: &ReplaySettings, reporter: Reporter<W>) -> Result<()> {
    run_opened(settings, reporter, open)
}

/// The same, with captures that `open` finds under the names of the files.
///
/// # Errors
/// As of [`run`].
pub fn run_opened<W: Write>(
    settings: &ReplaySettings,
    reporter: Reporter<W>,
    open: impl Fn(&Path, Option<&Progress>) -> Result<Reader, Error>,
) -> Result<()> {
    let mut desk = Desk::new(reporter, settings.common.detection.clone());
    let mut totals = Counters::ZERO;
    let mut progress = Progress::of(&settings.files, settings.common.verbosity);
    let mut result = Ok(());
    let (mut last_ns, mut last_number) = (0, 0);
    for file in &settings.files {
        let mut run = Run::new(file, &settings.common.engine, settings.engine)?;
        run.before = totals.get(Counter::Packets);
        let describe = || format!("can't read {}", file.display());
        result = open(file, progress.as_ref())
            .with_context(describe)
            .and_then(|reader| run.capture(reader, &mut desk, &mut progress, describe));
        let sink_failed = matches!(&result, Err(error) if error.downcast_ref::<io::Error>().is_some());
        if sink_failed {
            return result;
        }
        run.finish(&mut desk)?;
        totals.merge(&run.engine.counters()?);
        (last_ns, last_number) = (run.now_ns, run.number);
        if result.is_err() {
            break;
        }
    }
    if result.is_err() && totals.get(Counter::Packets) == 0 {
        // Nothing was read: a page of zeros would hide the reason.
        return result;
    }
    let name = settings.files.first().map(|file| file.to_string_lossy()).unwrap_or_default();
    let origin = Origin::Capture { file: &name, number: last_number };
    let closed = desk.close(&totals, last_ns, (settings.files.len() == 1).then_some(&origin));
    result.and(closed)
}

/// One capture on its way through an engine.
struct Run {
    name: String,
    engine: Box<dyn Engine>,
    /// Packets of the captures before this one.
    before: u64,
    number: u64,
    now_ns: u64,
    next_sweep_ns: u64,
    next_observe_ns: u64,
}

impl Run {
    fn new(file: &Path, config: &Config, choice: Choice) -> Result<Run> {
        let engine: Box<dyn Engine> = match choice {
            Choice::Native => Box::new(InMemory::new(*config)),
            Choice::Kernel => Box::new(InKernel::new(*config)?),
        };
        let name = file.to_string_lossy().into_owned();
        Ok(Run { name, engine, before: 0, number: 0, now_ns: 0, next_sweep_ns: 0, next_observe_ns: 0 })
    }

    fn capture<W: Write>(
        &mut self,
        mut reader: Reader,
        desk: &mut Desk<W>,
        progress: &mut Option<Progress>,
        describe: impl Fn() -> String,
    ) -> Result<()> {
        while let Some(batch) = reader.next_batch().map_err(anyhow::Error::new).with_context(&describe)? {
            self.engine.look_ahead(&batch);
            for packet in batch.packets() {
                self.packet(&packet, desk)?;
            }
            if let Some(progress) = progress {
                progress.update(self.before + self.number);
            }
        }
        Ok(())
    }

    fn packet<W: Write>(&mut self, packet: &Packet<'_>, desk: &mut Desk<W>) -> Result<()> {
        let link =
            link_of(packet.link).with_context(|| format!("packet {} of {}", packet.number, self.name))?;
        self.pass_time(packet.time_ns, desk)?;
        self.number = packet.number;
        let data = packet.data.get(..LOOK_AT).unwrap_or(packet.data);
        self.engine.packet(link, data, packet.wire_len as usize, packet.time_ns)?;
        self.report(desk)
    }

    /// Lets the capture's clock run on to `now_ns`, with the ticks that a live watch has.
    fn pass_time<W: Write>(&mut self, now_ns: u64, desk: &mut Desk<W>) -> Result<()> {
        self.now_ns = now_ns;
        if now_ns < self.next_sweep_ns {
            return Ok(());
        }
        if self.next_observe_ns == 0 {
            self.next_observe_ns = now_ns + OBSERVE_EVERY_NS;
        }
        while self.next_observe_ns <= now_ns {
            self.observe(self.next_observe_ns, desk)?;
            self.next_observe_ns = if desk.is_quiet() {
                now_ns + OBSERVE_EVERY_NS
            } else {
                self.next_observe_ns + OBSERVE_EVERY_NS
            };
        }
        self.engine.sweep(now_ns)?;
        self.next_sweep_ns = now_ns + SWEEP_EVERY_NS;
        self.report(desk)
    }

    fn observe<W: Write>(&mut self, now_ns: u64, desk: &mut Desk<W>) -> Result<()> {
        let origin = Origin::Capture { file: &self.name, number: self.number };
        desk.observe(now_ns, self.engine.responders(), &origin)
    }

    fn report<W: Write>(&mut self, desk: &mut Desk<W>) -> Result<()> {
        let origin = Origin::Capture { file: &self.name, number: self.number };
        self.engine.drain(&mut |event| desk.event(event, &origin))
    }

    /// The capture is over: what is open ends, and so do alerts.
    fn finish<W: Write>(&mut self, desk: &mut Desk<W>) -> Result<()> {
        self.engine.finish(self.now_ns)?;
        self.report(desk)?;
        self.observe(self.now_ns, desk)?;
        desk.end_alerts(&Origin::Capture { file: &self.name, number: self.number })?;
        Ok(())
    }
}

fn open(path: &Path, progress: Option<&Progress>) -> Result<Reader, Error> {
    match progress {
        _ if path.as_os_str() == "-" => Reader::from_read(io::stdin()),
        Some(progress) => Reader::from_read(progress.counted(File::open(path).map_err(Error::Io)?)),
        None => Reader::open(path),
    }
}

/// The engine's name for a capture's link type.
fn link_of(link: LinkType) -> Result<Link> {
    link.header().with_context(|| {
        format!(
            "link type {} is not known; hs-mon reads Ethernet (1), raw IP (101, 228, 229), Linux cooked \
             (113, 276) and BSD loopback (0, 108)",
            link.0
        )
    })
}
