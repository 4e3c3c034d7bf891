//! What the kernel side says of itself at one instant: totals, room, and what it costs.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aya::maps::Map;
use hs_common::Counters;
use hs_common::syn_cache::{Line, State, WAYS, Word};

use super::{Kernel, batch};

/// Lines of the SYN cache that are looked at. Which line a flow is in is decided by a keyed hash, so any sample is
/// as good as another; this one is off by half a per cent (standard error), and takes 0.1 ms.
const SAMPLE_LINES: usize = 1024;

/// What there is to know at one instant, besides events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings {
    /// The totals since the start.
    pub totals: Counters,
    /// Room for flows.
    pub slots: Slots,
    /// The programs that ran, if the kernel measures (`kernel.bpf_stats_enabled`); else none.
    pub programs: Vec<ProgramCost>,
}

/// How full the SYN cache is: each flow that is remembered has one slot in it. Those of ended handshakes give way first,
/// so after a while all are in use, and nothing is wrong; handshakes are evicted when too many are under way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slots {
    /// How many there are (`--max-flows`).
    pub all: u32,
    /// Share of them in use, 0 to 1; of more than 8,192, estimated by a sample.
    pub used: f64,
    /// Share of them that handshakes without an outcome have, 0 to 1; as exact.
    pub waiting: f64,
}

/// What a program has cost since it was loaded, as far as the kernel measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramCost {
    /// Its name.
    pub name: String,
    /// How often it ran.
    pub runs: u64,
    /// How long in all.
    pub time: Duration,
}

impl Kernel {
    /// Reads all of it.
    ///
    /// # Errors
    /// A map can't be read.
    pub fn readings(&self) -> Result<Readings> {
        Ok(Readings { totals: self.counters()?, slots: self.slots()?, programs: self.costs() })
    }

    fn slots(&self) -> Result<Slots> {
        let Some(Map::Array(map)) = self.ebpf.map("LINES") else {
            bail!("the BPF object has no map LINES");
        };
        let (mut used, mut waiting, mut looked_at) = (0, 0, 0);
        let count = |_: &u32, line: &Line| {
            used += line.0.iter().filter(|word| !Word(**word).is(State::Empty)).count();
            waiting += line.0.iter().filter(|word| Word(**word).is_waiting()).count();
            looked_at += WAYS;
        };
        // SAFETY: both sides take the type from hs-common, and it is integers; an array's key is u32.
        unsafe { batch::for_each_of_first(map.fd().as_fd(), SAMPLE_LINES, count) }
            .context("can't read the SYN cache")?;
        let share = |slots: usize| slots as f64 / looked_at.max(1) as f64;
        Ok(Slots { all: self.config().max_flows, used: share(used), waiting: share(waiting) })
    }

    /// Of a program that does not run here, or of which the kernel tells nothing, nothing is said.
    fn costs(&self) -> Vec<ProgramCost> {
        let infos = self.ebpf.programs().filter_map(|(name, program)| Some((name, program.info().ok()?)));
        let costs = infos.map(|(name, info)| ProgramCost {
            name: name.to_owned(),
            runs: info.run_count(),
            time: info.run_time(),
        });
        costs.filter(|cost| cost.runs > 0).collect()
    }
}
