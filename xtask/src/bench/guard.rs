//! The guard against regressions, a stage of `cargo xtask test`: ratios to the baselines of the same run,
//! and the verifier's work on this machine's kernel. Never absolute times.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::budget::{self, Cost};
use super::kernel;
use crate::libtest::Counts;
use crate::privilege::Privilege;
use crate::shell;
use crate::test::Context;

/// Runs the short bench, and judges what it says.
pub fn run(_: &Context) -> Result<Counts> {
    let mut guard = Privilege::detect().command(kernel::build()?).context("root is no longer to be had")?;
    guard.arg("--guard").stderr(Stdio::inherit());
    shell::say(&format!("+ {}", shell::display(&guard)));
    let output = guard.output().with_context(|| shell::cannot_start(&guard))?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    if !output.status.success() {
        bail!("`{}` failed ({})", shell::display(&guard), output.status);
    }
    judge(&said)
}

/// Holds the verifier's work against its budget, and counts what was looked at. The ratios have been judged
/// by the bench itself.
fn judge(said: &str) -> Result<Counts> {
    let costs: Vec<Cost> = said.lines().filter_map(Cost::parse).collect();
    let objections = [budget::objections(&costs), budget::unmeasured(&costs)].concat();
    if !objections.is_empty() {
        bail!("{}", objections.join("; "));
    }
    let ratios = said.lines().filter(|line| line.starts_with("ratio ")).count();
    Ok(Counts { passed: (costs.len() + ratios) as u32, ..Counts::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the bench prints it: of each program the instructions alone.
    const SAID: &str = "verifier hs_xdp insns=13061\nverifier hs_tc_ingress insns=13537\n\
                        verifier hs_tc_egress insns=13537\nverifier hs_tc_ingress_l3 insns=7146\n\
                        verifier hs_tc_egress_l3 insns=7146\nverifier hs_replay insns=34981\n\
                        verifier hs_follow_xdp insns=33716\nverifier hs_follow_tc insns=33716\n\
                        verifier hs_hold_xdp insns=2\nverifier hs_hold_tc insns=2\n\
                        verifier hs_sweep insns=7832\nratio ack 1.20 limit 1.70\n";

    fn objection(said: &str) -> String {
        judge(said).expect_err("not within the budget").to_string()
    }

    #[test]
    fn what_the_bench_says_is_judged() {
        assert_eq!(judge(SAID).expect("within the budget").passed, 12);
        let over = SAID.replace("hs_xdp insns=13061", "hs_xdp insns=999999");
        assert!(objection(&over).contains("hs_xdp costs the verifier 999999 instructions"));
    }

    #[test]
    fn a_program_of_which_nothing_is_said_is_a_failure() {
        let without = SAID.replace("verifier hs_sweep insns=7832\n", "");
        assert_eq!(objection(&without), "what hs_sweep costs was not measured");
        assert!(judge("").is_err());
    }
}
