//! Loads the embedded BPF object and hands out its programs.

use std::any::Any;
use std::collections::HashMap;
use std::{fmt, thread};

use anyhow::{Context, Result, anyhow};
use aya::maps::{Array, MapData, MapError};
use aya::programs::{Program, ProgramError, ProgramFd, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfError, EbpfLoader, VerifierLogLevel};
use caps::Capability;
use hs_common::Config;
use hs_common::shared::{RING_EVENTS, Replay, SweepRun, Watch};
use hs_common::syn_cache::{HashKey, WAYS};
use hs_common::track::Sweep;
use hs_common::victim::Budget;

use super::events::{Events, Table};
use super::jumps::{Jumps, descriptor};
use super::place::{HOLD_TC, HOLD_XDP, Places};
use super::pod::Plain;
use super::{capabilities, victims};
use crate::privilege;

/// The kernel side, compiled by build.rs.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("HS_MON_BPF_OBJECT"));

/// The program that ends handshakes by time.
pub(super) const SWEEP: &str = "hs_sweep";
/// What the sweep returns if there may be more to do.
const MORE: u32 = 1;
/// The least that the kernel takes as the packet of a test run: an Ethernet header.
pub(super) const MIN_PACKET: usize = 14;
/// Sweeps asked for in one system call: bounds how long it can take.
const MAX_SWEEPS: u32 = 4096;

/// Flows that the table holds beyond those with a slot: a slot is taken before its flow leaves the
/// table, and each CPU may be at that point.
const SPARE_FLOWS: u32 = 1024;

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

/// Detaches when it is dropped.
pub(super) type Link = Box<dyn Any + Send>;

/// The loaded object. Maps and attachments go when it is dropped, or with the process.
pub struct Kernel {
    pub(super) ebpf: Ebpf,
    /// What is attached to each interface, by its number, for as long as it is kept here.
    pub(super) links: HashMap<u32, Vec<Link>>,
    /// What is held for interfaces that are attached to next, by their number.
    pub(super) places: HashMap<u32, Places>,
    jumps: Jumps,
    events: Option<Events>,
    /// Where programs find what they write events to.
    events_table: Table,
    config: Config,
    pub(super) seed: u64,
}

impl Kernel {
    /// Creates the maps. Programs are loaded when they are first used.
    ///
    /// # Errors
    /// No privilege, no memory, or a kernel that lacks what the object needs.
    pub fn load(options: &Options) -> Result<Kernel> {
        let settings = options.config.rounded();
        let config = Plain(settings);
        let replaying = u8::from(options.replaying);
        let seed = u64::from_ne_bytes(random()?);
        let hash_key = if options.replaying { HashKey::FIXED } else { random_hash_key()? };
        let hash_key = Plain(hash_key);
        let cpus = nr_cpus().map_err(|(file, error)| anyhow!("can't read {file}: {error}"))? as u32;
        let victim_sets = victims::sets_for(cpus);
        let total_budget = Plain(Budget::total(RING_EVENTS, cpus));
        // It would read all types of the kernel: 20 to 30 ms and 13 MB, and no program here refers to any of them.
        let mut loader = privilege::without_files(EbpfLoader::new);
        for (name, entries) in map_sizes(&settings, cpus) {
            loader.map_max_entries(name, entries);
        }
        let mut ebpf = loader
            .override_global("CONFIG", &config, true)
            .override_global("REPLAYING", &replaying, true)
            .override_global("SEED", &seed, true)
            .override_global("HASH_KEY", &hash_key, true)
            .override_global("VICTIM_SETS", &victim_sets, true)
            .override_global("TOTAL_BUDGET", &total_budget, true)
            .override_global("AYA_LOG_LEVEL", &options.log_level, false)
            // Of a refused program, why it was refused and what that cost; not every step until there.
            .verifier_log_level(VerifierLogLevel::STATS)
            .load(OBJECT)
            .map_err(explain)?;
        let jumps = Jumps::take(&mut ebpf)?;
        // Packets of a capture may have one time: only one ring buffer keeps their order.
        let (events, table) = Events::make(&ebpf, cpus, options.replaying)?;
        let mut kernel = Kernel {
            ebpf,
            links: HashMap::new(),
            places: HashMap::new(),
            jumps,
            events: Some(events),
            events_table: table,
            config: settings,
            seed,
        };
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
        Ok(self.ready(name)?.try_into()?)
    }

    /// A tc program, loaded on first use.
    pub(super) fn tc(&mut self, name: &str) -> Result<&mut SchedClassifier> {
        Ok(self.ready(name)?.try_into()?)
    }

    /// A program by its descriptor, loaded on first use.
    ///
    /// # Errors
    /// The kernel refuses it, or there is none of this name.
    pub fn program_fd(&mut self, name: &str) -> Result<&ProgramFd> {
        descriptor(self.ready(name)?)
    }

    /// A program that is loaded, and so is what it jumps to and what it writes events to.
    fn ready(&mut self, name: &str) -> Result<&mut Program> {
        self.events_table.wait()?;
        let program = loaded(&mut self.ebpf, name)?;
        if let Some(jump) = self.jumps.of(program)
            && !jump.leads()
        {
            jump.lead_to(descriptor(loaded(&mut self.ebpf, jump.program)?)?)?;
        }
        loaded(&mut self.ebpf, name)
    }

    /// Loads programs side by side, and what they jump to; meanwhile, this thread may hold places for them. A program that
    /// the kernel refuses stays as it is, and so does one for which there may be no thread: it is loaded when it is first
    /// used.
    pub(super) fn load_at_once(
        &mut self,
        names: &[&str],
        meanwhile: impl FnOnce(&mut Xdp, &mut SchedClassifier),
    ) {
        let mut all = names.to_vec();
        for (_, program) in self.ebpf.programs().filter(|(name, _)| names.contains(name)) {
            all.extend(self.jumps.of(program).map(|jump| jump.program));
        }
        let mut holders = (None, None);
        thread::scope(|scope| {
            for (name, program) in self.ebpf.programs_mut() {
                if all.contains(&name) {
                    let _ = thread::Builder::new().spawn_scoped(scope, || load(program));
                } else if name == HOLD_XDP {
                    holders.0 = program.try_into().ok();
                } else if name == HOLD_TC {
                    holders.1 = program.try_into().ok();
                }
            }
            if let (Some(xdp), Some(tc)) = holders {
                meanwhile(xdp, tc);
            }
        });
    }

    /// Loads a program and tells how many instructions the verifier processed, if the kernel says.
    pub fn verify(&mut self, name: &str) -> Result<Option<u32>> {
        Ok(self.ready(name)?.info()?.verified_instruction_count())
    }

    /// The events. Once.
    pub fn take_events(&mut self) -> Result<Events> {
        self.events.take().ok_or_else(|| anyhow!("the ring buffers were taken before"))
    }

    /// Loads the sweep, so that a kernel that refuses it says so at the start.
    ///
    /// # Errors
    /// The kernel refuses the program.
    pub fn prepare_sweeps(&mut self) -> Result<()> {
        self.tc(SWEEP).map(|_| ())
    }

    /// Ends the handshakes whose timeout has passed, and with `all` all the others too. Returns the time
    /// before which no other pass has anything to do, in nanoseconds of the clock of the events.
    ///
    /// # Errors
    /// The kernel refuses the run.
    pub fn sweep(&mut self, now_ns: u64, all: bool) -> Result<u64> {
        let run = SweepRun { shutdown: u32::from(all), ..SweepRun::default() };
        self.sweep_cell()?.set(0, Plain(run), 0)?;
        let mut repeat = 1;
        while self.sweep_some(repeat)? {
            // It pays to ask for more at once only if there is more.
            repeat = (repeat * 4).min(MAX_SWEEPS);
        }
        let pass: Sweep = self.sweep_cell()?.get(&0, 0)?.0.pass;
        Ok(pass.nothing_before_ns(now_ns).saturating_add(self.config.half_open_ns))
    }

    fn sweep_cell(&mut self) -> Result<Array<&mut MapData, Plain<SweepRun>>> {
        let map = self.ebpf.map_mut("SWEEP").ok_or_else(|| anyhow!("the BPF object has no map SWEEP"))?;
        Ok(Array::try_from(map)?)
    }

    /// Sweeps at most `times` times, and tells whether there may be more to do. A signal ends a test run
    /// early (EINTR); what it was about is for others to see.
    fn sweep_some(&mut self, times: u32) -> Result<bool> {
        let options =
            TestRunOptions { data_in: Some(&[0; MIN_PACKET]), repeat: times, ..TestRunOptions::new() };
        match self.tc(SWEEP)?.test_run(options) {
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

    /// Sets [`Config::watch_began_ns`]. SYNs before that are not followed.
    ///
    /// # Errors
    /// The map can't be written.
    pub fn set_watch_began(&mut self, watch_began_ns: u64) -> Result<()> {
        let map = self.ebpf.map_mut("WATCH").ok_or_else(|| anyhow!("the BPF object has no map WATCH"))?;
        let mut watch = Array::<_, Plain<Watch>>::try_from(map)?;
        Ok(watch.set(0, Plain(Watch { watch_began_ns }), 0)?)
    }

    pub(super) fn replay_cell(&mut self) -> Result<Array<&mut MapData, Plain<Replay>>> {
        let map = self.ebpf.map_mut("REPLAY").ok_or_else(|| anyhow!("the BPF object has no map REPLAY"))?;
        Ok(Array::try_from(map)?)
    }
}

/// A program, loaded on first use.
fn loaded<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    let program = ebpf.program_mut(name).ok_or_else(|| anyhow!("the BPF object has no program {name}"))?;
    if descriptor(program).is_err() {
        load(program).map_err(|error| refused(name, error))?;
    }
    Ok(program)
}

fn load(program: &mut Program) -> Result<(), ProgramError> {
    match program {
        Program::Xdp(program) => program.load(),
        Program::SchedClassifier(program) => program.load(),
        // The object has no others.
        _ => Ok(()),
    }
}

/// Entries of the maps whose size is not the object's to tell. `settings` are rounded.
pub(super) fn map_sizes(settings: &Config, cpus: u32) -> [(&'static str, u32); 7] {
    [
        ("EVENTS", cpus),
        ("FLOWS", settings.max_flows + SPARE_FLOWS),
        ("LINES", settings.max_flows / WAYS as u32),
        ("EVICTIONS", settings.max_flows / WAYS as u32),
        ("FIRST_SYNS", settings.max_flows),
        ("FIRST_SYN_RESTS", settings.max_flows),
        ("VICTIMS", victims::all_sets(cpus)),
    ]
}

/// What loading and attaching take, in words.
const NEEDS: &str = "hs-mon needs root, or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN";

/// What stands in the way of loading, and what to do about it.
fn explain(error: EbpfError) -> anyhow::Error {
    let refused = match &error {
        EbpfError::MapError(MapError::CreateError { io_error, .. }) => io_error.raw_os_error(),
        _ => None,
    };
    match refused {
        Some(libc::EPERM) => anyhow!("{NEEDS}, to load BPF programs; try sudo"),
        Some(libc::ENOMEM) => {
            anyhow!("the kernel has no memory for the flow table; choose a smaller --max-flows")
        }
        _ => anyhow::Error::from(error).context("can't create the BPF maps"),
    }
}

/// Why the kernel takes none of the programs, and what to do about it.
#[derive(Debug)]
pub(super) struct TakesNone(String);

/// The kernel has its BPF compiler (JIT) switched off, and never interprets a program with a callback.
const COMPILER_OFF: &str = "the kernel's BPF compiler is off, and hs-mon needs it; \
                            switch it on: sysctl net.core.bpf_jit_enable=1";

impl fmt::Display for TakesNone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TakesNone {}

/// Why a program is not taken. The setting itself is not to be seen in every network namespace.
fn refused(name: &str, error: ProgramError) -> anyhow::Error {
    match &error {
        ProgramError::LoadError { verifier_log, .. } if verifier_log.to_string().contains("non-JITed") => {
            TakesNone(COMPILER_OFF.to_owned()).into()
        }
        // The verifier's word for it would be of pointers that may not be compared.
        ProgramError::LoadError { io_error, .. }
            if matches!(io_error.raw_os_error(), Some(libc::EPERM | libc::EACCES))
                && let missing = capabilities::missing()
                && !missing.is_empty() =>
        {
            let missing: Vec<String> = missing.iter().map(Capability::to_string).collect();
            let missing = missing.join(" and ");
            TakesNone(format!("{NEEDS}, to load BPF programs, and this process lacks {missing}; try sudo"))
                .into()
        }
        _ => anyhow::Error::from(error).context(format!("the kernel refused program {name}")),
    }
}

/// Numbers for the hash of flows that an attacker can't know.
fn random_hash_key() -> Result<HashKey> {
    let bytes: [u8; 40] = random()?;
    let mut numbers = [0; 10];
    for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
        *number = u32::from_ne_bytes(*bytes);
    }
    Ok(HashKey::new(numbers))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: the buffer has the length that is passed with it.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if got != bytes.len() as isize {
        return Err(std::io::Error::last_os_error()).context("can't get random bytes");
    }
    Ok(bytes)
}
