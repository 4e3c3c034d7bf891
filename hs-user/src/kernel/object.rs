//! Loads the embedded BPF object and hands out its programs.

use std::any::Any;

use anyhow::{Context, Result, anyhow};
use aya::maps::{Array, MapData, MapError, RingBuf};
use aya::programs::{Program, ProgramError, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfError, EbpfLoader};
use hs_common::Config;
use hs_common::shared::{Queue, Replay};

use super::pod::Plain;
use super::victims;

/// The kernel side, compiled by build.rs.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("HS_MON_BPF_OBJECT"));

/// What the sweep returns if there may be more to do.
const MORE: u32 = 1;
/// The least that the kernel takes as the packet of a test run: an Ethernet header.
pub(super) const MIN_PACKET: usize = 14;
/// Sweeps asked for in one system call: bounds how long it can take.
const MAX_SWEEPS: u32 = 4096;

/// Flows that the table holds beyond those in the queue of ages: a handshake enters the table before
/// the oldest leaves it, and several CPUs may be at that point at once. More CPUs than Linux knows.
const SPARE_FLOWS: u32 = 8192;

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The engine's settings.
    pub config: Config,
    /// Time comes with each packet, see [`Kernel::replay`].
    pub replaying: bool,
    /// aya-log's level, 0 for none.
    pub log_level: u8,
}

/// The loaded object. Maps and attachments go when it is dropped, or with the process.
pub struct Kernel {
    pub(super) ebpf: Ebpf,
    /// What is attached, for as long as it is kept here.
    pub(super) links: Vec<Box<dyn Any>>,
    config: Config,
    pub(super) seed: u64,
}

impl Kernel {
    /// Creates the maps. Programs are loaded when they are first used.
    ///
    /// # Errors
    /// No privilege, no memory, or a kernel that lacks what the object needs.
    pub fn load(options: &Options) -> Result<Kernel> {
        let mut settings = options.config;
        // A mask finds the place in the queue of ages.
        settings.max_flows = settings.max_flows.next_power_of_two();
        let config = Plain(settings);
        let replaying = u8::from(options.replaying);
        let seed = random_seed()?;
        let cpus = nr_cpus().map_err(|(file, error)| anyhow!("can't read {file}: {error}"))? as u32;
        let victim_sets = victims::sets_for(cpus);
        let ebpf = EbpfLoader::new()
            .override_global("CONFIG", &config, true)
            .override_global("REPLAYING", &replaying, true)
            .override_global("SEED", &seed, true)
            .override_global("VICTIM_SETS", &victim_sets, true)
            .override_global("AYA_LOG_LEVEL", &options.log_level, false)
            .map_max_entries("FLOWS", settings.max_flows + SPARE_FLOWS)
            .map_max_entries("AGES", settings.max_flows)
            .map_max_entries("VICTIMS", victims::all_sets(cpus))
            .load(OBJECT)
            .map_err(explain)?;
        let mut kernel = Kernel { ebpf, links: Vec::new(), config: settings, seed };
        kernel.set_watch_began(settings.watch_began_ns)?;
        Ok(kernel)
    }

    /// The engine's settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The loaded object, for aya-log.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// An XDP program, loaded on first use.
    pub(super) fn xdp(&mut self, name: &str) -> Result<&mut Xdp> {
        let program: &mut Xdp = self.program(name)?.try_into()?;
        if program.fd().is_err() {
            program.load().with_context(|| format!("the kernel refused program {name}"))?;
        }
        Ok(program)
    }

    /// A tc program, loaded on first use.
    pub(super) fn tc(&mut self, name: &str) -> Result<&mut SchedClassifier> {
        let program: &mut SchedClassifier = self.program(name)?.try_into()?;
        if program.fd().is_err() {
            program.load().with_context(|| format!("the kernel refused program {name}"))?;
        }
        Ok(program)
    }

    fn program(&mut self, name: &str) -> Result<&mut Program> {
        self.ebpf.program_mut(name).ok_or_else(|| anyhow!("the BPF object has no program {name}"))
    }

    /// Loads a program and tells how many instructions the verifier processed, if the kernel says.
    pub fn verify(&mut self, name: &str) -> Result<Option<u32>> {
        let info = match self.program(name)? {
            Program::Xdp(_) => self.xdp(name)?.info()?,
            _ => self.tc(name)?.info()?,
        };
        Ok(info.verified_instruction_count())
    }

    /// The ring buffer of events. Once.
    pub fn take_events(&mut self) -> Result<RingBuf<MapData>> {
        let map = self.ebpf.take_map("EVENTS").ok_or_else(|| anyhow!("the ring buffer was taken before"))?;
        Ok(RingBuf::try_from(map)?)
    }

    /// Loads the sweep, so that a kernel that refuses it says so at the start.
    ///
    /// # Errors
    /// The kernel refuses the program.
    pub fn prepare_sweeps(&mut self) -> Result<()> {
        self.tc("hs_sweep").map(|_| ())
    }

    /// Ends the handshakes whose timeout has passed, and with `shutdown` all the others too. Returns
    /// how many places of the queue were seen to.
    pub fn sweep(&mut self, shutdown: bool) -> Result<u64> {
        if shutdown {
            let mut replay = self.replay_cell()?;
            let now = replay.get(&0, 0)?.0;
            replay.set(0, Plain(Replay { shutdown: 1, ..now }), 0)?;
        }
        let mut repeat = 1;
        while self.sweep_some(repeat)? {
            // It pays to ask for more at once only if there is more.
            repeat = (repeat * 4).min(MAX_SWEEPS);
        }
        Ok(self.queue()?.swept)
    }

    /// Sweeps at most `times` times, and tells whether there may be more to do. A signal ends a test run
    /// early (EINTR); what it was about is for others to see.
    fn sweep_some(&mut self, times: u32) -> Result<bool> {
        let options =
            TestRunOptions { data_in: Some(&[0; MIN_PACKET]), repeat: times, ..TestRunOptions::new() };
        match self.tc("hs_sweep")?.test_run(options) {
            Ok(result) => Ok(result.return_value == MORE),
            Err(ProgramError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::EINTR) => {
                Ok(true)
            }
            Err(error) => Err(error).context("can't look for handshakes whose timeout has passed"),
        }
    }

    /// Runs an XDP program on a packet, `repeat` times, and returns its last verdict.
    pub fn test_run(&mut self, name: &str, packet: &[u8], repeat: u32) -> Result<u32> {
        let options = TestRunOptions { data_in: Some(packet), repeat, ..TestRunOptions::new() };
        Ok(self.xdp(name)?.test_run(options)?.return_value)
    }

    /// Runs a tc program on a packet, `repeat` times, and returns its last verdict.
    pub fn test_run_tc(&mut self, name: &str, packet: &[u8], repeat: u32) -> Result<u32> {
        let options = TestRunOptions { data_in: Some(packet), repeat, ..TestRunOptions::new() };
        Ok(self.tc(name)?.test_run(options)?.return_value)
    }

    /// The ends of the queue of ages.
    pub fn queue(&self) -> Result<Queue> {
        let map = self.ebpf.map("QUEUE").ok_or_else(|| anyhow!("the BPF object has no map QUEUE"))?;
        Ok(Array::<_, Plain<Queue>>::try_from(map)?.get(&0, 0)?.0)
    }

    /// Sets [`Config::watch_began_ns`]. SYNs before that are not followed.
    ///
    /// # Errors
    /// The map can't be written.
    pub fn set_watch_began(&mut self, watch_began_ns: u64) -> Result<()> {
        let now = self.queue()?;
        let map = self.ebpf.map_mut("QUEUE").ok_or_else(|| anyhow!("the BPF object has no map QUEUE"))?;
        let mut queue = Array::<_, Plain<Queue>>::try_from(map)?;
        Ok(queue.set(0, Plain(Queue { watch_began_ns, ..now }), 0)?)
    }

    pub(super) fn replay_cell(&mut self) -> Result<Array<&mut MapData, Plain<Replay>>> {
        let map = self.ebpf.map_mut("REPLAY").ok_or_else(|| anyhow!("the BPF object has no map REPLAY"))?;
        Ok(Array::try_from(map)?)
    }
}

/// What stands in the way of loading, and what to do about it.
fn explain(error: EbpfError) -> anyhow::Error {
    let refused = match &error {
        EbpfError::MapError(MapError::CreateError { io_error, .. }) => io_error.raw_os_error(),
        _ => None,
    };
    match refused {
        Some(libc::EPERM) => anyhow!(
            "hs-mon needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, to load BPF programs; try sudo"
        ),
        Some(libc::ENOMEM) => {
            anyhow!("the kernel has no memory for the flow table; choose a smaller --max-flows")
        }
        _ => anyhow::Error::from(error).context("can't create the BPF maps"),
    }
}

/// A key for the kernel's hashes that an attacker can't know.
fn random_seed() -> Result<u64> {
    let mut seed = [0; 8];
    // SAFETY: the buffer has the length that is passed with it.
    let got = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), seed.len(), 0) };
    if got != seed.len() as isize {
        return Err(std::io::Error::last_os_error()).context("can't get random bytes");
    }
    Ok(u64::from_ne_bytes(seed))
}
