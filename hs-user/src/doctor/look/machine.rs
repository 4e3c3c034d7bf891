//! Facts of the machine, as far as this process sees it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aya::util::KernelVersion;

use super::super::facts::Machine;
use super::value;
use crate::kernel::{Kernel, has_tcx};
use crate::privilege::Outlook;

/// What tc needs before tcx.
const MODULES: [&str; 2] = ["cls_bpf", "sch_ingress"];
/// The only mapping of the user namespace that the machine starts with.
const ALL_USERS: [u32; 3] = [0, 0, u32::MAX];

/// Looks at the machine; `maps_bytes` is what a watch would take.
///
/// # Errors
/// The kernel's version can't be read: there is no Linux below.
pub fn machine(maps_bytes: u64) -> Result<Machine> {
    let release: String =
        value("/proc/sys/kernel/osrelease").context("can't read /proc/sys/kernel/osrelease")?;
    Ok(Machine {
        version: KernelVersion::current().context("can't read the kernel's version")?,
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        jit: value("/proc/sys/net/core/bpf_jit_enable"),
        capabilities: capabilities(),
        initial_user_namespace: is_initial_user_namespace(),
        outlook: Outlook::of_this_machine(),
        keeps_net_admin: !Kernel::needs_to_attach().is_empty(),
        unprivileged_bpf_disabled: value("/proc/sys/kernel/unprivileged_bpf_disabled"),
        tcx: has_tcx(),
        lacking_modules: MODULES.into_iter().filter(|module| !has_module(&release, module)).collect(),
        maps_bytes,
        available_bytes: available_bytes(),
        group_bytes: group_bytes(),
        release,
    })
}

fn capabilities() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

fn is_initial_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let numbers: Vec<u32> = map.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    numbers == ALL_USERS
}

/// Whether it is loaded, built in, or to be loaded: the kernel asks for it by itself.
fn has_module(release: &str, module: &str) -> bool {
    let of_kernel = Path::new("/lib/modules").join(release);
    let listed = |list: &str| {
        let list = fs::read_to_string(of_kernel.join(list)).unwrap_or_default();
        list.lines()
            .any(|line| line.split(':').next().is_some_and(|path| path.contains(&format!("/{module}.ko"))))
    };
    Path::new("/sys/module").join(module).exists() || listed("modules.builtin") || listed("modules.dep")
}

fn available_bytes() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The least that this process's control group, or one above it, may still take: the kernel counts the maps there.
fn group_bytes() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let (root, files, path) = groups.lines().find_map(hierarchy)?;
    let group = PathBuf::from(root).join(path.trim_start_matches('/'));
    let [limit, used] = files;
    let left = |group: &Path| {
        let limit: u64 = value(group.join(limit))?;
        Some(limit.saturating_sub(value(group.join(used)).unwrap_or(0)))
    };
    group.ancestors().take_while(|group| group.starts_with(root)).filter_map(left).min()
}

/// Where a line of /proc/self/cgroup leads to, if it is about memory: directory, files of limit and use, path.
fn hierarchy(line: &str) -> Option<(&'static str, [&'static str; 2], &str)> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let v1 = controllers.split(',').any(|controller| controller == "memory");
    match controllers {
        "" if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() => {
            Some(("/sys/fs/cgroup", ["memory.max", "memory.current"], path))
        }
        _ if v1 => Some(("/sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.usage_in_bytes"], path)),
        _ => None,
    }
}
