//! Clippy for the kernel side, which the user's own clippy can't see: it has no `core` for BPF.

use std::env::consts::ARCH;

use anyhow::{Result, anyhow};

use crate::bpf_toolchain::{BpfToolchain, Kind, TARGET};
use crate::libtest::Counts;
use crate::privilege::root_line;
use crate::shell;
use crate::stage::NotRun;
use crate::test::Context;

const CARGO_CLIPPY: &str = "cargo-clippy";

/// The clippy that belongs to the BPF compiler.
pub fn needs(_: &Context) -> Result<(), NotRun> {
    let not_run = |why: String, command: String| Err(NotRun { why, command });
    match BpfToolchain::find() {
        Err(missing) => not_run(missing.to_string(), "cargo xtask setup && cargo xtask test".to_owned()),
        Ok(toolchain) if !toolchain.compiler.program(CARGO_CLIPPY).exists() => {
            let install = match toolchain.compiler.kind {
                Kind::DebianWeb => root_line("apt-get install --no-install-recommends rust-web-clippy"),
                Kind::Nightly => "rustup component add clippy --toolchain nightly".to_owned(),
            };
            not_run("the BPF compiler has no clippy".to_owned(), format!("{install} && cargo xtask test"))
        }
        Ok(_) => Ok(()),
    }
}

/// In the directory where hs-user's build script compiles the object, whose host crates it can use.
pub fn run(context: &Context) -> Result<Counts> {
    let toolchain = BpfToolchain::find().map_err(|missing| anyhow!("{missing}"))?;
    let program = toolchain.compiler.program(CARGO_CLIPPY);
    let mut clippy = toolchain.command(&program, shell::workspace_root(), ARCH);
    clippy.args(["clippy", "--quiet", "--release", "--package", "hs-ebpf"]).args(toolchain.arguments());
    clippy.arg("--target-dir").arg(context.workspace.target_directory.join("bpf"));
    let line = format!("{} clippy --package hs-ebpf --target {TARGET}", program.display());
    shell::run_shown_as(&line, clippy.args(["--", "-D", "warnings"]))?;
    Ok(Counts::default())
}
