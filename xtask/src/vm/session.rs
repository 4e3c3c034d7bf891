//! All machines of a run: where their files are, a few at a time, and what is said of each.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context as _, Result, bail};

use super::qemu::{self, Limits, Machine, Run};
use crate::{cargo, shell};

/// A directory for the files of one machine, empty.
pub fn directory(name: &str) -> Result<PathBuf> {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    let target = match TARGET.get() {
        Some(target) => target.clone(),
        None => {
            let target = cargo::workspace()?.target_directory;
            TARGET.get_or_init(|| target).clone()
        }
    };
    let dir = target.join("vm").join(name);
    fs::remove_dir_all(&dir).ok();
    fs::create_dir_all(&dir).with_context(|| format!("can't create {}", dir.display()))?;
    Ok(dir)
}

/// Runs the machines, `jobs` side by side, in their order.
pub fn run_all(machines: &[Machine], jobs: usize, limits: Limits) -> Result<Vec<Run>> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut runs = Vec::new();
        while let number = next.fetch_add(1, Ordering::Relaxed)
            && let Some(machine) = machines.get(number)
        {
            runs.push((number, machine.run(limits)));
        }
        runs
    };
    let mut runs = Vec::new();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(worker)).collect();
        runs.extend(workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()));
    });
    runs.sort_by_key(|(number, _)| *number);
    if runs.len() < machines.len() {
        bail!("a thread that watched a machine panicked");
    }
    runs.into_iter().map(|(_, run)| run).collect()
}

/// Says what is wrong with a run, and shows the end of the kernel's log.
pub fn explain(run: &Run, objections: &[String]) {
    for objection in objections {
        shell::say(&format!("kernel {}: {objection}", run.label));
    }
    shell::say(&format!("end of the log of kernel {} (all of it in {}):", run.label, run.dir.display()));
    eprintln!("{}", qemu::last_words(&run.dir));
}
