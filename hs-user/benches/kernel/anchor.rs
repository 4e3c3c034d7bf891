//! Keeps the shuffler in the kernel's XDP dispatcher. A test run of an XDP program that is attached nowhere
//! patches the dispatcher before and after, which takes ten milliseconds, and there are thousands of them.

use std::io;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use aya::programs::Xdp;
use aya::programs::xdp::{XdpLinkId, XdpMode};

const INTERFACE: &str = "hsm-anchor";

/// Moves this thread, and those that it will start, into a network namespace without a name, with a pair of
/// interfaces that nothing is ever sent to. It is gone with the process, whatever ends that.
pub fn enter() -> Result<()> {
    // SAFETY: takes no pointer.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error())
            .context("can't make a network namespace: the bench loads BPF programs and must be root");
    }
    let args = ["link", "add", INTERFACE, "type", "veth", "peer", "name", "hsm-peer"];
    let status = Command::new("ip").args(args).status();
    let status = status.context("can't start ip; on Debian: apt-get install iproute2")?;
    ensure!(status.success(), "`ip {}` failed", args.join(" "));
    Ok(())
}

/// Attaches a program there, for as long as it is loaded.
pub fn hold(program: &mut Xdp) -> Result<XdpLinkId> {
    program.attach(INTERFACE, XdpMode::Driver).context("can't attach the shuffler")
}
