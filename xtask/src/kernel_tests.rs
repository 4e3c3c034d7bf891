//! The tests that load BPF programs: built as the user, run as root.

use anyhow::{Context as _, Result};

use crate::libtest::{self, Counts};
use crate::privilege::{Privilege, root_line};
use crate::stage::NotRun;
use crate::test::{Context, KERNEL_TESTS_FEATURE};
use crate::{cargo, shell};

/// What the tests start, and the Debian package it is in.
const PROGRAMS: [(&str, &str); 4] = [("ip", "iproute2"), ("nft", "nftables"), ("tmux", "tmux"), ("jq", "jq")];

/// Root, the programs, and that they are wanted.
pub fn needs(context: &Context) -> Result<(), NotRun> {
    let not_run = |why: String, command: String| Err(NotRun { why, command });
    if !context.kernel {
        return not_run("--no-kernel was given".to_owned(), "cargo xtask test".to_owned());
    }
    if Privilege::detect() == Privilege::None {
        let why = "root is needed, and sudo would ask for a password without a terminal, or is not there";
        return not_run(
            why.to_owned(),
            "cargo xtask test, as root or as a user of sudo on a terminal".to_owned(),
        );
    }
    match PROGRAMS.into_iter().find(|(program, _)| shell::find_program(program).is_none()) {
        Some((program, package)) => {
            let install = root_line(&format!("apt-get install {package}"));
            not_run(format!("the program {program} is missing"), format!("{install} && cargo xtask test"))
        }
        None => Ok(()),
    }
}

/// One test at a time: they share the machine's network namespaces and its BPF programs.
pub fn run(context: &Context) -> Result<Counts> {
    let targets = context.test_targets(true);
    if targets.is_empty() {
        shell::say("no test target requires the feature kernel-tests");
        return Ok(Counts::default());
    }
    run_targets(context, &targets, &[])
}

/// Builds these as the user and runs them as root, with this environment (`NAME=value`).
pub fn run_targets(context: &Context, targets: &[&str], environment: &[String]) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut build = cargo::strict();
    build.args(["test", "--no-run", "--features", KERNEL_TESTS_FEATURE]);
    build.args(targets.iter().flat_map(|target| ["--test", target]));
    let directory = shell::workspace_root().join("hs-user");
    let privilege = Privilege::detect();
    for program in cargo::build_executables(&mut build)? {
        if !targets.contains(&program.name.as_str()) {
            continue;
        }
        let mut test = privilege.command("env").context("root is no longer to be had")?;
        // As cargo does it: tests find their files by these.
        test.arg(format!("CARGO_MANIFEST_DIR={}", directory.display())).args(environment);
        test.current_dir(&directory);
        test.arg(&program.path).arg("--test-threads=1").args(&context.filter);
        counts += libtest::run(&mut test)?;
    }
    Ok(counts)
}
