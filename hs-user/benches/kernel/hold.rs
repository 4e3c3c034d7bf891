//! Attaches one of the programs that do less, until the process is killed: what any monitor of this kind costs
//! before it has looked at a packet, or what its table costs alone.

use anyhow::{Context, Result};
use aya::Ebpf;
use aya::programs::tc::TcAttachType;
use aya::programs::xdp::XdpMode;
use aya::programs::{SchedClassifier, Xdp};
use clap::ValueEnum;

use crate::stand::OBJECT;

/// Where to attach.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Where {
    Native,
    Generic,
    Tc,
}

/// What to attach.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum What {
    /// Only passes.
    Pass,
    /// Keeps flows in an LRU hash map.
    Follow,
}

/// Does not return, unless it fails.
pub fn run(interface: &str, place: Where, what: What) -> Result<()> {
    let mut own = Ebpf::load(OBJECT).context("can't load the programs to measure against")?;
    let name = match (what, place) {
        (What::Pass, Where::Tc) => "pass_tc",
        (What::Pass, Where::Native | Where::Generic) => "pass_xdp",
        (What::Follow, Where::Tc) => "follow_tc",
        (What::Follow, Where::Native | Where::Generic) => "follow_xdp",
    };
    let program = own.program_mut(name).context("no such program")?;
    match place {
        Where::Tc => {
            let program: &mut SchedClassifier = program.try_into()?;
            program.load()?;
            program.attach(interface, TcAttachType::Ingress)?;
        }
        Where::Native | Where::Generic => {
            let program: &mut Xdp = program.try_into()?;
            program.load()?;
            let mode = if matches!(place, Where::Native) { XdpMode::Driver } else { XdpMode::Skb };
            program.attach(interface, mode)?;
        }
    }
    // As hs-mon says it.
    eprintln!("hs-bench: watching {interface}");
    loop {
        // SAFETY: takes no pointer.
        unsafe { libc::pause() };
    }
}
