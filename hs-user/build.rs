//! Compiles the kernel side, crate `hs-ebpf`, into the BPF object that `hs-mon` embeds.

#[path = "../xtask/src/bpf_toolchain.rs"]
mod bpf_toolchain;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use bpf_toolchain::{BpfToolchain, TARGET};

/// The binary target of `hs-ebpf` that hs-mon embeds.
const OBJECT: &str = "hs-mon-bpf";
/// The one that the bench embeds, and the feature with which it is built.
const BENCH_OBJECT: &str = "hs-bench-bpf";
const BENCH_FEATURE: &str = "CARGO_FEATURE_KERNEL_TESTS";
/// With this set (`cargo xtask test` does), a warning in `hs-ebpf` fails the build.
const DENY_WARNINGS: &str = "HS_MON_DENY_WARNINGS";
fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    let root = workspace_root()?;
    rerun_if_changed(&root);

    let toolchain = BpfToolchain::find()
        .map_err(|missing| format!("{missing}\nto install what is missing, run: cargo xtask setup"))?;
    rerun_if(&toolchain.compiler.rustc());
    rerun_if(&toolchain.linker);

    let object = compile(&toolchain, &root, OBJECT)?;
    println!("cargo:rustc-env=HS_MON_BPF_OBJECT={}", object.display());
    if env::var_os(BENCH_FEATURE).is_some() {
        let object = compile(&toolchain, &root, BENCH_OBJECT)?;
        println!("cargo:rustc-env=HS_BENCH_BPF_OBJECT={}", object.display());
    }
    Ok(())
}

/// Compiles a binary of `hs-ebpf`, and puts it where this crate can include it.
fn compile(toolchain: &BpfToolchain, root: &Path, name: &str) -> Result<PathBuf, String> {
    let out_dir = PathBuf::from(required_env("OUT_DIR")?);
    let target_dir = shared_target_dir(&out_dir);
    let output = command(toolchain, root, &target_dir, name)?
        .output()
        .map_err(|e| format!("can't start {}: {e}", toolchain.compiler.cargo().display()))?;
    report(&output)?;

    let object = out_dir.join(name);
    let built = target_dir.join(TARGET).join("release").join(name);
    fs::copy(&built, &object).map_err(|e| format!("can't copy {}: {e}", built.display()))?;
    Ok(object)
}

/// `bpf` in the outer cargo's target directory, known by cargo's tag: debug, release and clippy each have
/// their own OUT_DIR, and would compile the same object anew. Without a tag, in OUT_DIR.
fn shared_target_dir(out_dir: &Path) -> PathBuf {
    let tagged = out_dir.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists());
    tagged.unwrap_or(out_dir).join("bpf")
}

/// `cargo build` of a BPF object.
fn command(toolchain: &BpfToolchain, root: &Path, target_dir: &Path, name: &str) -> Result<Command, String> {
    let arch = required_env("CARGO_CFG_TARGET_ARCH")?;
    let mut cargo = toolchain.command(&toolchain.compiler.cargo(), root, &arch.to_string_lossy());
    cargo.args(["build", "--quiet", "--release", "--package", "hs-ebpf", "--bin", name]);
    cargo.args(toolchain.arguments()).arg("--target-dir").arg(target_dir);
    if root.join("Cargo.lock").exists() {
        cargo.arg("--locked");
    }
    Ok(cargo)
}

/// Passes the inner cargo's messages on: errors whole, warnings line by line.
fn report(output: &Output) -> Result<(), String> {
    let messages = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("compiling the BPF object failed ({}):\n{messages}", output.status));
    }
    let warned =
        messages.lines().any(|line| line.starts_with("warning") && !line.contains(bpf_toolchain::MISALIGNED));
    if warned && env::var_os(DENY_WARNINGS).is_some() {
        return Err(format!("hs-ebpf has warnings, and {DENY_WARNINGS} is set:\n{messages}"));
    }
    if warned {
        messages.lines().for_each(|line| println!("cargo:warning={line}"));
    }
    Ok(())
}

fn rerun_if_changed(root: &Path) {
    let sources =
        ["hs-ebpf/src", "hs-ebpf/bench", "hs-ebpf/Cargo.toml", "hs-common/src", "hs-common/Cargo.toml"];
    for path in sources.iter().chain(&["Cargo.toml", "Cargo.lock", "xtask/src/bpf_toolchain.rs"]) {
        rerun_if(&root.join(path));
    }
    for name in ["HS_MON_CACHE", DENY_WARNINGS] {
        println!("cargo:rerun-if-env-changed={name}");
    }
}

/// A path that is not there would make cargo run this script every time.
fn rerun_if(path: &Path) {
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

fn workspace_root() -> Result<PathBuf, String> {
    let manifest_dir = PathBuf::from(required_env("CARGO_MANIFEST_DIR")?);
    let root = manifest_dir.parent().ok_or("hs-user is not inside a workspace")?;
    Ok(root.to_owned())
}

fn required_env(name: &str) -> Result<OsString, String> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: this is a build script, to be run by cargo"))
}
