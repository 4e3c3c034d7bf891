//! All machines of a run: where their files are, a few at a time, and what is said of each.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread;

use anyhow::{Context as _, Result, anyhow};

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

/// Runs the machines, `jobs` side by side.
pub fn run_all(machines: &[Machine], jobs: usize, limits: Limits) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for group in machines.chunks(jobs.max(1)) {
        let ended: Vec<Result<Run>> = thread::scope(|scope| {
            let started: Vec<_> = group.iter().map(|machine| scope.spawn(|| machine.run(limits))).collect();
            started
                .into_iter()
                .map(|run| run.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked"))))
                .collect()
        });
        for run in ended {
            runs.push(run?);
        }
    }
    Ok(runs)
}

/// Says what is wrong with a run, and shows the end of the kernel's log.
pub fn explain(run: &Run, objections: &[String]) {
    for objection in objections {
        shell::say(&format!("kernel {}: {objection}", run.label));
    }
    shell::say(&format!("end of the log of kernel {} (all of it in {}):", run.label, run.dir.display()));
    eprintln!("{}", qemu::last_words(&run.dir));
}
