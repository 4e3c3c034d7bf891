//! `cargo xtask dist`: what is given to others, in dist/: a static program, a Debian package, what is in them
//! (CycloneDX), and checksums.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::archive::{output, sha256};
use crate::cache::Tool;
use crate::packages::Need;
use crate::{cargo, setup, shell};

const CARGO_DEB: Tool = Tool {
    name: "cargo-deb",
    version: "3.8.0",
    why: "makes the Debian package",
    takes: "2 minutes",
    args: &[],
    env: &[],
};

const CARGO_CYCLONEDX: Tool = Tool {
    name: "cargo-cyclonedx",
    version: "0.5.9",
    why: "lists what the program is made of (SBOM)",
    takes: "2 to 5 minutes",
    args: &[],
    env: &[],
};

/// glibc, linked in. For this the target has to be named, or build scripts would be static too.
#[cfg(target_arch = "x86_64")]
const TARGET: &str = "x86_64-unknown-linux-gnu";
#[cfg(target_arch = "aarch64")]
const TARGET: &str = "aarch64-unknown-linux-gnu";
const STATIC: &str = "-Ctarget-feature=+crt-static -Cstrip=symbols";

/// What is given to others is built with this Rust and no other. To work on hs-mon, any later one will do
/// (`rust-version` in Cargo.toml).
const RUST: &str = "1.95.0";

/// What hs-mon writes of itself, and the file that it becomes.
const MADE: [(&[&str], &str); 10] = [
    (&["man"], "hs-mon.1"),
    (&["man", "replay"], "hs-mon-replay.1"),
    (&["man", "explain"], "hs-mon-explain.1"),
    (&["man", "check-config"], "hs-mon-check-config.1"),
    (&["man", "doctor"], "hs-mon-doctor.1"),
    (&["man", "completions"], "hs-mon-completions.1"),
    (&["man", "man"], "hs-mon-man.1"),
    (&["completions", "bash"], "hs-mon"),
    (&["completions", "zsh"], "_hs-mon"),
    (&["completions", "fish"], "hs-mon.fish"),
];

/// The command line.
pub fn command() -> Result<()> {
    check_rust(&output(cargo::command().arg("--version"))?)?;
    let dir = shell::workspace_root().join("dist");
    if dir.exists() {
        fs::remove_dir_all(&dir).with_context(|| format!("can't empty {}", dir.display()))?;
    }
    fs::create_dir_all(&dir)?;
    let program = program()?;
    fs::copy(&program, dir.join("hs-mon")).context("can't copy the program")?;
    package(&program, &dir)?;
    bill_of_materials(&dir.join("hs-mon.cdx.json"))?;
    checksums(&dir)?;
    shell::say(&format!("all of it is in {}", dir.display()));
    Ok(())
}

/// `told` is what cargo says of its version, which is that of its compiler.
fn check_rust(told: &str) -> Result<()> {
    if told.split_whitespace().nth(1) == Some(RUST) {
        return Ok(());
    }
    bail!(
        "what is given to others is built with Rust {RUST}, and this is {}: \
         rustup toolchain install {RUST} && cargo +{RUST} xtask dist",
        told.trim()
    );
}

/// What has to be in the cache to make the package.
pub fn ensure_packager() -> Result<()> {
    CARGO_DEB.ensure().map(drop)
}

/// The static program, built.
pub fn program() -> Result<PathBuf> {
    setup::ensure(Need::Build)?;
    let mut build = cargo::command();
    build.args(["build", "--release", "--package", "hs-user", "--bin", "hs-mon", "--target", TARGET]);
    build.env("RUSTFLAGS", STATIC);
    let programs = cargo::build_executables(&mut build)?;
    let program =
        programs.into_iter().find(|program| program.name == "hs-mon").context("cargo built no hs-mon")?;
    check_is_static(&program.path)?;
    Ok(program.path)
}

fn check_is_static(program: &Path) -> Result<()> {
    let libraries = Command::new("ldd").arg(program).output().context("can't start ldd")?;
    let said = String::from_utf8_lossy(&libraries.stdout);
    if said.contains("=>") {
        bail!("{} is not static: {}", program.display(), said.trim());
    }
    Ok(())
}

/// Makes the Debian package of the program that was built, in `dir`.
pub fn package(program: &Path, dir: &Path) -> Result<PathBuf> {
    let made = program.parent().context("the program has no directory")?.join("made");
    fs::create_dir_all(&made)?;
    for (args, name) in MADE {
        fs::write(made.join(name), output(Command::new(program).args(args))?)?;
    }
    let manuals = MADE.iter().filter(|(args, _)| args.starts_with(&["man"])).map(|(_, name)| made.join(name));
    shell::run(Command::new("gzip").arg("-9nf").args(manuals))?;
    let mut deb = Command::new(CARGO_DEB.ensure()?);
    deb.current_dir(shell::workspace_root()).env("CARGO", cargo::command().get_program());
    deb.args(["deb", "--package", "hs-user", "--no-build", "--no-strip", "--target", TARGET, "--output"])
        .arg(dir);
    shell::run(&mut deb)?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "deb");
    let mut files = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    files.find(is_package).context("cargo-deb made no package")
}

/// What the program is made of, in CycloneDX.
fn bill_of_materials(file: &Path) -> Result<()> {
    const NAME: &str = "hs-mon.cdx";
    let mut cyclonedx = Command::new(CARGO_CYCLONEDX.ensure()?);
    cyclonedx.current_dir(shell::workspace_root()).env("CARGO", cargo::command().get_program());
    cyclonedx.args(["cyclonedx", "--format", "json", "--target", TARGET, "--no-build-deps"]);
    cyclonedx.args(["--manifest-path", "hs-user/Cargo.toml", "--override-filename", NAME]);
    shell::run(&mut cyclonedx)?;
    // It writes one into each crate of the workspace.
    for member in ["hs-common", "hs-ebpf", "hs-user", "xtask"] {
        let written = shell::workspace_root().join(member).join(format!("{NAME}.json"));
        if member == "hs-user" {
            fs::rename(&written, file).context("cargo-cyclonedx wrote no list")?;
        } else {
            fs::remove_file(&written).ok();
        }
    }
    Ok(())
}

/// SHA256SUMS, for `sha256sum --check`.
fn checksums(dir: &Path) -> Result<()> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let lines = files.iter().map(|file| {
        let name = file.file_name().unwrap_or_default().display();
        Ok(format!("{}  {name}\n", sha256(file)?))
    });
    let lines: Vec<String> = lines.collect::<Result<_>>()?;
    fs::write(dir.join("SHA256SUMS"), lines.concat())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_rust_is_refused() {
        assert!(check_rust("cargo 1.95.0 (f2d3ce0bd 2026-03-21)\n").is_ok());
        let error = check_rust("cargo 1.96.0-nightly (0123 2026-05-20)\n").expect_err("another").to_string();
        assert!(error.ends_with("cargo +1.95.0 xtask dist"), "{error}");
        assert!(check_rust("").is_err());
    }

    #[test]
    fn the_pinned_rust_is_one_that_is_enough() {
        let manifest = fs::read_to_string(shell::workspace_root().join("Cargo.toml")).expect("it is there");
        let least = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
        assert!(least.is_some_and(|least| RUST.starts_with(least.trim_matches('"'))), "{least:?}");
    }
}
