//! `cargo xtask run -- ARGS`: builds hs-mon and becomes it, as root where it has to load BPF programs.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, anyhow};

use crate::build::{self, Profile};
use crate::privilege::{self, Privilege};
use crate::shell;

/// What of hs-mon never touches the kernel.
const UNPRIVILEGED: &[&str] =
    &["replay", "completions", "man", "explain", "check-config", "help", "--help", "-h", "--version", "-V"];

/// The command line. Returns only if hs-mon could not be started.
pub fn command(args: &[OsString]) -> Result<()> {
    let program = build::build(Profile::Release)?;
    let mut command = if needs_root(args) { as_root(&program, args)? } else { Command::new(&program) };
    command.args(args);
    // The same process from here on, so that signals reach hs-mon.
    let error = command.exec();
    Err(error).with_context(|| shell::cannot_start(&command))
}

fn as_root(program: &Path, args: &[OsString]) -> Result<Command> {
    Privilege::detect().command(program).ok_or_else(|| {
        let mut by_hand = Command::new(program);
        by_hand.args(args);
        anyhow!(
            "hs-mon has to be root to load its BPF programs; run:\n  {}",
            privilege::root_line(&shell::display(&by_hand))
        )
    })
}

/// A replay needs root for one engine only.
fn needs_root(args: &[OsString]) -> bool {
    let given = |word: &str| args.iter().any(|arg| arg == OsStr::new(word));
    let kernel_engine = given("--engine=kernel") || (given("--engine") && given("kernel"));
    !args.is_empty() && (kernel_engine || !UNPRIVILEGED.iter().copied().any(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_loads_bpf_is_run_as_root() {
        let cases: [(&[&str], bool); 8] = [
            (&[], false),
            (&["--iface", "eth0"], true),
            (&["doctor"], true),
            (&["--help"], false),
            (&["--format", "json", "replay", "a.pcap"], false),
            (&["replay", "--engine", "native", "a.pcap"], false),
            (&["replay", "--engine", "kernel", "a.pcap"], true),
            (&["replay", "--engine=kernel", "a.pcap"], true),
        ];
        for (args, expected) in cases {
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            assert_eq!(needs_root(&args), expected, "{args:?}");
        }
    }
}
