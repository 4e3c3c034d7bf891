//! Limits of the process.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use crate::scene::{failed, lab};
use crate::watch::program;

/// Has a command run with this limit, soft and hard.
fn limit(command: &mut Command, resource: libc::__rlimit_resource_t, to: u64) -> &mut Command {
    let limit = libc::rlimit { rlim_cur: to, rlim_max: to };
    // SAFETY: between fork and exec only a system call is made, with a pointer that is valid for it.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(resource, &raw const limit) {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        })
    }
}

/// Since Linux 5.11 the maps are counted as memory of the control group.
#[test]
fn no_locked_memory_is_needed() {
    let (lab, _server) = lab();
    let mut command = lab.server.ns.command(program());
    command.args(["--iface", "hsm-server", "--duration", "100ms"]);
    let output = limit(&mut command, libc::RLIMIT_MEMLOCK, 0).output().expect("hs-mon runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Too few for the maps; and enough for them, but not for all interfaces.
#[test]
fn too_few_file_descriptors_are_told_with_what_to_do() {
    let (lab, _server) = lab();
    let cables = (0..40).map(|n| format!("link add hsm-d{n} type veth peer name hsm-p{n}"));
    lab.server.ns.ip_all(&cables.collect::<Vec<_>>()).expect("many interfaces");
    for descriptors in [16, 60] {
        let mut command = lab.server.ns.command(program());
        command.args((0..40).flat_map(|n| ["--iface".to_owned(), format!("hsm-d{n}")]));
        command.args(["--mode", "generic"]);
        let output = limit(&mut command, libc::RLIMIT_NOFILE, descriptors).output().expect("hs-mon runs");
        let limit = format!("the limit of open files is {descriptors}");
        failed(&output, &[&limit, "ulimit -n", "LimitNOFILE="]);
    }
}
