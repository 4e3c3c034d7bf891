//! The test stand: hs-mon, what it is measured against, and packets through either, on chosen cores.

use std::sync::Barrier;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use aya::maps::{MapData, PerCpuArray, PerCpuValues, ProgramArray};
use aya::programs::{Program, ProgramFd, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader, Pod};
use hs_common::{Config, Counters};
use hs_mon::kernel::{Events, Kernel, Options};

use crate::anchor;
use crate::course::{Course, target};
use crate::pin::pin_to;

/// The programs to measure against, compiled by build.rs.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("HS_BENCH_BPF_OBJECT"));

const XDP_PASS: u32 = 2;
/// TC_ACT_UNSPEC, -1: the next program decides.
const TC_ACT_UNSPEC: u32 = u32::MAX;

// SAFETY: a `repr(C)` struct of integers without padding between them.
unsafe impl Pod for Course {}

/// Where packets come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Xdp,
    Tc,
}

impl Hook {
    pub fn name(self) -> &'static str {
        match self {
            Hook::Xdp => "XDP",
            Hook::Tc => "tc",
        }
    }

    /// hs-mon's program of this hook.
    fn subject(self) -> &'static str {
        match self {
            Hook::Xdp => "hs_xdp",
            Hook::Tc => "hs_tc_ingress",
        }
    }

    /// The name of one of the bench's own.
    fn own(self, work: &str) -> String {
        match self {
            Hook::Xdp => format!("{work}_xdp"),
            Hook::Tc => format!("{work}_tc"),
        }
    }
}

const BASELINES: [(u32, &str); 4] = [
    (target::PASS, "pass"),
    (target::COUNT, "count"),
    (target::LOOKUP, "lookup"),
    (target::UPDATE, "update"),
];

/// Loaded programs, with tables that nobody has used yet.
pub struct Stand {
    hook: Hook,
    own: Ebpf,
    mon: Kernel,
    events: Events,
    courses: PerCpuArray<MapData, Course>,
    /// Programs stay in it for as long as somebody holds it.
    _jumps: ProgramArray<MapData>,
    cores: Vec<usize>,
}

impl Stand {
    pub fn new(hook: Hook, cores: &[usize], lru_entries: u32) -> Result<Stand> {
        // As live: events are thinned, and the watch has begun, long ago.
        let config = Config { thin_events: 1, watch_began_ns: 1, ..Config::DEFAULT };
        let mut mon = Kernel::load(&Options { config, replaying: false, log_level: 0 })?;
        let events = mon.take_events()?;
        let mut loader = EbpfLoader::new();
        loader.map_max_entries("SEEN_V4", lru_entries).map_max_entries("SEEN_V6", lru_entries);
        let mut own = loader.load(OBJECT).context("can't load the programs to measure against")?;
        let map = if hook == Hook::Xdp { "JUMPS_XDP" } else { "JUMPS_TC" };
        let mut jumps = ProgramArray::try_from(own.take_map(map).context("no table of jumps")?)?;
        load(&mut own, &hook.own("shuffle"))?;
        if let Some(Program::Xdp(shuffler)) = own.program_mut(&hook.own("shuffle")) {
            anchor::hold(shuffler)?;
        }
        for (place, work) in BASELINES {
            jumps.set(place, load(&mut own, &hook.own(work))?, 0)?;
        }
        jumps.set(target::HS_MON, mon.program_fd(hook.subject())?, 0)?;
        let courses = PerCpuArray::try_from(own.take_map("COURSE").context("no course")?)?;
        Ok(Stand { hook, own, mon, events, courses, _jumps: jumps, cores: cores.to_vec() })
    }

    /// The cores that packets come in on.
    pub fn cores(&self) -> &[usize] {
        &self.cores
    }

    /// Sends `packets` packets on each core at once, and returns what one took, in nanoseconds, on the
    /// average of the cores. `course` is told which core it is for, by number from 0.
    pub fn send(&mut self, frame: &[u8], packets: u32, course: impl Fn(usize) -> Course) -> Result<f64> {
        let mut courses = vec![Course::default(); nr_cpus().map_err(|(_, error)| error)?];
        for (number, core) in self.cores.iter().enumerate() {
            courses[*core] = course(number);
        }
        self.courses.set(0, PerCpuValues::try_from(courses)?, 0)?;
        let barrier = Barrier::new(self.cores.len());
        // Not the stand: attachments, which it has not, could not be shared.
        let program = self.own.program(&self.hook.own("shuffle")).context("no shuffler")?;
        let took: Vec<Result<f64>> = thread::scope(|scope| {
            let start = |core: &usize| {
                let (core, barrier) = (*core, &barrier);
                scope.spawn(move || {
                    pin_to(core)?;
                    barrier.wait();
                    run(program, frame, packets)
                })
            };
            let threads: Vec<_> = self.cores.iter().map(start).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked"))))
                .collect()
        });
        let took = took.into_iter().collect::<Result<Vec<f64>>>()?;
        Ok(took.iter().sum::<f64>() / took.len() as f64)
    }

    /// Takes hs-mon's events, and returns how many there were.
    pub fn drain(&mut self) -> Result<u64> {
        let mut events = 0;
        while self.events.take_oldest()?.is_some() {
            events += 1;
        }
        Ok(events)
    }

    /// hs-mon's totals.
    pub fn totals(&self) -> Result<Counters> {
        self.mon.counters()
    }
}

/// A test run; what one packet took, as the kernel tells, without the time that others had the core.
fn run(program: &Program, frame: &[u8], packets: u32) -> Result<f64> {
    let options = TestRunOptions { data_in: Some(frame), repeat: packets, ..TestRunOptions::new() };
    let (result, pass) = match program {
        Program::Xdp(program) => (program.test_run(options)?, XDP_PASS),
        Program::SchedClassifier(program) => (program.test_run(options)?, TC_ACT_UNSPEC),
        _ => return Err(anyhow!("the shuffler is of an unknown kind")),
    };
    ensure!(result.return_value == pass, "a packet did not pass: verdict {}", result.return_value);
    Ok(result.duration.as_nanos() as f64)
}

fn load<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a ProgramFd> {
    let program = ebpf.program_mut(name).with_context(|| format!("no program {name}"))?;
    let refused = || format!("the kernel refused program {name}");
    match program {
        Program::Xdp(program) => {
            program.load().with_context(refused)?;
            let program: &'a Xdp = program;
            Ok(program.fd()?)
        }
        Program::SchedClassifier(program) => {
            program.load().with_context(refused)?;
            let program: &'a SchedClassifier = program;
            Ok(program.fd()?)
        }
        _ => Err(anyhow!("program {name} is of an unknown kind")),
    }
}
