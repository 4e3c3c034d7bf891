//! tc before Linux 6.6, which brought tcx: filters hang on a qdisc, and both come as modules.

use anyhow::{Result, bail};
use aya::programs::ProgramError;
use aya::programs::tc::{self, TcAttachType, TcError};

/// Makes room for the filter `name`. Without tcx a filter stays when its process is killed: one of an earlier
/// run gives way to this one.
///
/// # Errors
/// The kernel has no such qdisc.
pub(super) fn prepare(interface: &str, side: TcAttachType, name: &str) -> Result<()> {
    match tc::qdisc_add_clsact(interface) {
        Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::ENOENT) => {
            bail!("this kernel has no clsact qdisc; load its module: modprobe sch_ingress")
        }
        // There is one already. Whatever else it is stands in the filter's way too, which then says so.
        _ => {}
    }
    let _ = tc::qdisc_detach_program(interface, side, name);
    Ok(())
}

/// Whether the filter failed because the kernel knows no BPF filters.
pub(super) fn lacks_bpf_filters(error: &ProgramError) -> bool {
    matches!(error, ProgramError::TcError(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::ENOENT))
}
