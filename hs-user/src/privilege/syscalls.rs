//! The system calls that are left, by seccomp: those of reading maps and rings, of waiting, writing to what is open,
//! answering scrapes and asking the kernel by netlink. Others fail with EPERM.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

/// Whatever their arguments are.
const FREE: &[c_long] = &[
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_connect,
    libc::SYS_dup,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_faccessat,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getpeername,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_newfstatat,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    // What a thread that was just started begins with.
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_socketpair,
    libc::SYS_statx,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_uname,
    libc::SYS_write,
    libc::SYS_writev,
];
/// Those that only older architectures have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_epoll_wait,
    libc::SYS_lstat,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_stat,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// Commands of `bpf` on what is held already (linux/bpf.h): looking up, updating and walking maps, running the
/// sweep, asking about a descriptor, attaching by a link, and switching statistics on, for who may. Nothing can
/// be loaded or made.
const BPF_COMMANDS: [u64; 9] = [1, 2, 3, 4, 10, 15, 24, 28, 32];
/// Netlink, and local sockets for the service manager.
const FAMILIES: [u64; 2] = [libc::AF_NETLINK as u64, libc::AF_UNIX as u64];
/// A terminal's settings and size, whether a descriptor waits, and the number of an interface. Nothing that types
/// into the terminal.
const IOCTLS: [u64; 12] = [
    libc::TCGETS,
    libc::TCSETS,
    libc::TCSETSW,
    libc::TCSETSF,
    libc::TCGETS2,
    libc::TCSETS2,
    libc::TCSETSW2,
    libc::TCSETSF2,
    libc::TIOCGWINSZ,
    libc::FIONBIO,
    libc::FIONREAD,
    libc::SIOCGIFINDEX,
];
/// Flags of `open` that can change a file.
const CHANGES: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND) as u64;

/// Leaves the process, in all its threads, these system calls alone.
pub(super) fn confine() -> Result<(), Error> {
    seccompiler::apply_filter_all_threads(&filter()?)
}

fn filter() -> Result<BpfProgram, Error> {
    let mut calls: BTreeMap<c_long, Vec<SeccompRule>> =
        FREE.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    calls.insert(libc::SYS_bpf, one_of(0, &BPF_COMMANDS)?);
    calls.insert(libc::SYS_socket, one_of(0, &FAMILIES)?);
    calls.insert(libc::SYS_ioctl, one_of(1, &IOCTLS)?);
    calls.insert(libc::SYS_openat, only(2, Is::MaskedEq(CHANGES), 0)?);
    #[cfg(target_arch = "x86_64")]
    calls.insert(libc::SYS_open, only(1, Is::MaskedEq(CHANGES), 0)?);
    // Asking for a limit, not setting one: the new one is a null pointer.
    calls.insert(libc::SYS_prlimit64, vec![rule(2, Length::Qword, Is::Eq, 0)?]);
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(SeccompFilter::new(calls, refuse, SeccompAction::Allow, target)?.try_into()?)
}

fn one_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, Error> {
    values.iter().map(|value| rule(argument, Length::Dword, Is::Eq, *value)).collect()
}

fn only(argument: u8, operator: Is, value: u64) -> Result<Vec<SeccompRule>, Error> {
    Ok(vec![rule(argument, Length::Dword, operator, value)?])
}

fn rule(argument: u8, length: Length, operator: Is, value: u64) -> Result<SeccompRule, Error> {
    Ok(SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, value)?])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_can_be_built() {
        assert!(filter().is_ok_and(|program| program.len() > FREE.len()));
    }
}
