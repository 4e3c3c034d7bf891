//! The two engines of a replay: the library, and the very BPF programs. Same packets, same events.

use std::io;

use anyhow::Result;
use hs_common::memory::Tracker;
use hs_common::packet::Captured;
use hs_common::parse::Link;
use hs_common::track::Place;
use hs_common::{Config, Counters, Event};

use crate::capture::{Batch, LinkType};
use crate::kernel::{Events, Kernel, Options};
use crate::responders::Responders;

/// What a replay needs of an engine. Times are those of the capture, in nanoseconds since 1970.
pub(super) trait Engine {
    /// Tells of packets that come next: a matter of speed and of nothing else.
    fn look_ahead(&mut self, _packets: &Batch<'_>) {}
    fn packet(&mut self, link: Link, data: &[u8], on_wire: usize, now_ns: u64) -> Result<()>;
    /// Ends the handshakes whose timeout has passed.
    fn sweep(&mut self, now_ns: u64) -> Result<()>;
    /// Ends all handshakes.
    fn finish(&mut self, now_ns: u64) -> Result<()>;
    /// Hands out the events since the last call.
    fn drain(&mut self, each: &mut dyn FnMut(&Event) -> io::Result<()>) -> Result<()>;
    fn counters(&self) -> Result<Counters>;
    /// Where responders are counted.
    fn responders(&mut self) -> &mut dyn Responders;
}

/// The library.
pub(super) struct InMemory(Tracker);

impl InMemory {
    pub(super) fn new(config: Config) -> InMemory {
        InMemory(Tracker::new(config))
    }
}

impl Engine for InMemory {
    fn look_ahead(&mut self, packets: &Batch<'_>) {
        let frames = packets.packets().filter(|packet| packet.link == LinkType::ETHERNET);
        self.0.look_ahead(frames.map(|packet| packet.data));
    }

    fn packet(&mut self, link: Link, data: &[u8], on_wire: usize, now_ns: u64) -> Result<()> {
        self.0.track(&Captured { data, on_wire }, link, Place::CAPTURE, now_ns);
        Ok(())
    }

    fn sweep(&mut self, now_ns: u64) -> Result<()> {
        self.0.sweep(now_ns);
        Ok(())
    }

    fn finish(&mut self, now_ns: u64) -> Result<()> {
        self.0.finish(now_ns);
        Ok(())
    }

    fn drain(&mut self, each: &mut dyn FnMut(&Event) -> io::Result<()>) -> Result<()> {
        for event in self.0.drain() {
            each(&event)?;
        }
        Ok(())
    }

    fn counters(&self) -> Result<Counters> {
        Ok(*self.0.counters())
    }

    fn responders(&mut self) -> &mut dyn Responders {
        &mut self.0
    }
}

/// The BPF programs, packet by packet through `BPF_PROG_TEST_RUN`.
pub(super) struct InKernel {
    kernel: Kernel,
    events: Events,
}

impl InKernel {
    pub(super) fn new(config: Config) -> Result<InKernel> {
        let mut kernel = Kernel::load(&Options { config, replaying: true, log_level: 0 })?;
        let events = kernel.take_events()?;
        Ok(InKernel { kernel, events })
    }
}

impl Engine for InKernel {
    fn packet(&mut self, link: Link, data: &[u8], on_wire: usize, now_ns: u64) -> Result<()> {
        self.kernel.replay(link, data, on_wire, now_ns)
    }

    fn sweep(&mut self, now_ns: u64) -> Result<()> {
        self.kernel.set_replay_clock(now_ns)?;
        self.kernel.sweep(now_ns, false)?;
        Ok(())
    }

    fn finish(&mut self, now_ns: u64) -> Result<()> {
        self.kernel.set_replay_clock(now_ns)?;
        self.kernel.sweep(now_ns, true)?;
        Ok(())
    }

    fn drain(&mut self, each: &mut dyn FnMut(&Event) -> io::Result<()>) -> Result<()> {
        while let Some(event) = self.events.take_oldest()? {
            each(&event)?;
        }
        Ok(())
    }

    fn counters(&self) -> Result<Counters> {
        self.kernel.counters()
    }

    fn responders(&mut self) -> &mut dyn Responders {
        &mut self.kernel
    }
}
