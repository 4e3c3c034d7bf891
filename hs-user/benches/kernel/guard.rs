//! A short run for CI: ratios to the baselines of the same run, which hold on any machine, and never times;
//! and what the verifier had to do for each program, for `cargo xtask test` to judge.

use anyhow::{Context, Result, bail};
use hs_common::Config;
use hs_mon::kernel::{Kernel, Options};

use crate::course::target;
use crate::measure::{Effort, Measured, measure};
use crate::rows::{ROWS, Row};
use crate::stand::Hook;

/// The most that hs-mon may take, as a multiple of what an ordinary design takes for the same packets: half
/// as much again as it takes now, for machines that have other work.
const LIMITS: &[(&str, f64)] = &[
    // A look into a small table that is hit: the baseline does nothing else.
    ("established", 3.0),
    ("strangers_flood", 1.5),
    ("syn_4m", 3.5),
    ("ack", 1.7),
];
const EFFORT: Effort = Effort { rounds: 11, most_before: 1 << 20 };
/// A machine that was busy with something else gets another chance.
const ATTEMPTS: usize = 3;

/// Fails with what is over its limit.
pub fn run(core: usize) -> Result<()> {
    tell_verifier()?;
    let over: Vec<String> =
        LIMITS.iter().filter_map(|(id, limit)| check(id, *limit, core).transpose()).collect::<Result<_>>()?;
    if !over.is_empty() {
        bail!(
            "hs-mon has become slower, or a limit is wrong (hs-user/benches/kernel/guard.rs): {}",
            over.join("; ")
        );
    }
    Ok(())
}

/// In the form that `xtask/src/vm/budget.rs` reads.
fn tell_verifier() -> Result<()> {
    let options = Options { config: Config::DEFAULT, replaying: false, log_level: 0 };
    let mut kernel = Kernel::load(&options)?;
    let programs: Vec<String> = kernel.ebpf_mut().programs().map(|(name, _)| name.to_owned()).collect();
    for program in programs {
        let instructions = kernel.verify(&program)?.context("the kernel does not tell (Linux 5.16)")?;
        println!("verifier {program} insns={instructions}");
    }
    Ok(())
}

fn check(id: &str, limit: f64, core: usize) -> Result<Option<String>> {
    let row = ROWS.iter().find(|row| row.id == id).with_context(|| format!("no row {id}"))?;
    let mut least = f64::INFINITY;
    for _ in 0..ATTEMPTS {
        least = least.min(ratio(row, core)?);
        if least <= limit {
            println!("ratio {id} {least:.2} limit {limit:.2}");
            return Ok(None);
        }
    }
    Ok(Some(format!("{id} takes {least:.2} times what the baseline takes, limit {limit:.2}")))
}

fn ratio(row: &'static Row, core: usize) -> Result<f64> {
    let measured: Measured = measure(row, Hook::Xdp, false, &[core], EFFORT)?;
    let net = |subject| measured.net(subject).median;
    // A baseline of nothing would make any ratio.
    Ok(net(target::HS_MON) / net(row.ordinary).max(1.0))
}
