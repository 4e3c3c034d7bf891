//! tc before Linux 6.6, which brought tcx: filters hang on a qdisc, and both come as modules.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use anyhow::{Result, bail};
use aya::programs::ProgramError;
use aya::programs::tc::{self, TcAttachType, TcError};

/// All local sockets of the network namespace, by name.
const LOCAL_SOCKETS: &str = "/proc/net/unix";

/// Makes room for the filter `name`. Without tcx a filter stays when its process is killed: those of earlier runs give
/// way, unless another hs-mon is at work, whose filters they may be.
///
/// # Errors
/// The kernel has no such qdisc.
pub(super) fn prepare(interface: &str, side: TcAttachType, name: &str, sign: &Sign) -> Result<()> {
    match tc::qdisc_add_clsact(interface) {
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::ENOENT) => {
            bail!("this kernel has no clsact qdisc; load its module: modprobe sch_ingress")
        }
        // There is one already. Whatever else it is stands in the filter's way too, which then says so.
        _ => {}
    }
    if sign.is_only_one() {
        let _ = tc::qdisc_detach_program(interface, side, name);
    }
    Ok(())
}

/// Whether the filter failed because the kernel knows no BPF filters.
pub(super) fn lacks_bpf_filters(error: &ProgramError) -> bool {
    matches!(error, ProgramError::TcError(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::ENOENT))
}

/// The sign that a living hs-mon has its filters at an interface: a local socket without a file, which is there for as
/// long as the process is, whatever ends it, and for all of the network namespace to see. Anybody may put up such a sign;
/// what comes of it is that filters of earlier runs stay, which count for nobody.
pub(super) struct Sign {
    name: String,
    others: String,
    _socket: UnixDatagram,
}

impl Sign {
    /// Puts it up. `own` is of this process alone.
    ///
    /// # Errors
    /// The kernel has no local sockets.
    pub(super) fn put_up(interface: u32, own: u64) -> io::Result<Sign> {
        let others = format!("hs-mon/{interface}/");
        let name = format!("{others}{own:016x}");
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        Ok(Sign { name, others, _socket: socket })
    }

    fn is_only_one(&self) -> bool {
        // Where nothing can be read, nothing is taken away.
        fs::read_to_string(LOCAL_SOCKETS).is_ok_and(|sockets| {
            let mut names = sockets.lines().filter_map(|line| line.rsplit_once(" @").map(|(_, name)| name));
            names.all(|name| name == self.name || !name.starts_with(&self.others))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_seen_for_as_long_as_it_is_up() {
        // Numbers that no interface has.
        let (here, there) = (u32::MAX, u32::MAX - 1);
        let one = Sign::put_up(here, 1).expect("a sign");
        let _elsewhere = Sign::put_up(there, 2).expect("a sign");
        assert!(one.is_only_one());
        let two = Sign::put_up(here, 2).expect("a sign");
        assert!(!one.is_only_one() && !two.is_only_one());
        drop(one);
        assert!(two.is_only_one());
    }
}
