//! The Debian packages that the project needs, and how they come onto the machine.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::privilege::{Privilege, root_line};
use crate::shell;

/// What a package is needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// To compile hs-mon.
    Build,
    /// To run its kernel tests.
    Test,
    /// To run them on other kernels.
    Vm,
}

/// A Debian package.
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// Why it is needed.
    pub why: &'static str,
    /// By what it is needed.
    pub need: Need,
}

/// A compiler for BPF from Debian's security suite, what bpf-linker is built with, and the tests' tools.
const PACKAGES: &[Package] = &[
    build("rustc-web", "Rust compiler whose LLVM knows BPF"),
    build("cargo-web", "the cargo of that compiler"),
    build("libstd-rust-web-dev-bpf", "its `core` for BPF, already compiled"),
    build("llvm-22-dev", "the same LLVM as a library, for bpf-linker"),
    build("libpolly-22-dev", "part of that LLVM"),
    build("zlib1g-dev", "LLVM is linked with it"),
    build("libzstd-dev", "LLVM is linked with it"),
    build("libxml2-dev", "LLVM is linked with it"),
    build("g++", "links bpf-linker with LLVM, which is C++"),
    test("rust-web-clippy", "clippy of the BPF compiler, for the kernel side"),
    test("iproute2", "network namespaces and veth pairs of the kernel tests"),
    test("nftables", "packet filters of the kernel tests"),
    test("tmux", "a terminal, for the tests of the dashboard"),
    test("jq", "reads events, as the documentation does"),
    test("python3-pip", "fetches what events are sent to, for tests"),
    test("systemd", "judges the service of the Debian package"),
    vm("qemu-system-x86", "virtual machines for other kernels"),
    vm("xz-utils", "those kernels' modules are packed with it"),
];

const fn build(name: &'static str, why: &'static str) -> Package {
    Package { name, why, need: Need::Build }
}

const fn test(name: &'static str, why: &'static str) -> Package {
    Package { name, why, need: Need::Test }
}

const fn vm(name: &'static str, why: &'static str) -> Package {
    Package { name, why, need: Need::Vm }
}

/// Whether this is a system whose packages are the ones of the table.
pub fn known_here() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let bookworm = release.lines().any(|line| line == "VERSION_CODENAME=bookworm")
        && release.lines().any(|line| line == "ID=debian");
    shell::find_program("apt-get").is_some() && (bookworm || apt_knows(Need::Build))
}

fn apt_knows(need: Need) -> bool {
    let names = PACKAGES.iter().filter(|package| package.need == need).map(|package| package.name);
    shell::succeeds(Command::new("apt-cache").args(["show", "--quiet"]).args(names))
}

/// The packages that are not installed; asks dpkg, not the network.
pub fn missing(need: Need) -> Result<Vec<&'static Package>> {
    let wanted = || PACKAGES.iter().filter(|package| package.need == need);
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${Package} ${db:Status-Status}\n"]);
    query.args(wanted().map(|package| package.name));
    // Its exit status is 1 as soon as one package is unknown.
    let output = query.output().with_context(|| shell::cannot_start(&query))?;
    let known = String::from_utf8_lossy(&output.stdout);
    let installed = |name: &str| known.lines().any(|line| line == format!("{name} installed"));
    Ok(wanted().filter(|package| !installed(package.name)).collect())
}

/// Installs packages as root, or fails with the commands that a person has to run.
pub fn install(packages: &[&Package]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    shell::say("Debian packages that are missing:");
    for package in packages {
        shell::say(&format!("  {:<24} {}", package.name, package.why));
    }
    let privilege = Privilege::detect();
    let commands = [vec!["update"], install_args(packages)];
    for args in &commands {
        let Some(mut command) = privilege.command("env") else {
            bail!("this user can't install packages{}", by_hand(packages))
        };
        // Another apt may be at work just now; it is waited for.
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]);
        shell::run(command.args(args))
            .with_context(|| format!("packages could not be installed{}", by_hand(packages)))?;
    }
    Ok(())
}

fn install_args(packages: &[&Package]) -> Vec<&'static str> {
    let names = packages.iter().map(|package| package.name);
    ["install", "--yes", "--no-install-recommends"].into_iter().chain(names).collect()
}

/// The end of a message: what to type, when this program can't do it.
fn by_hand(packages: &[&Package]) -> String {
    let update = root_line("apt-get update");
    let install = root_line(&format!("apt-get {}", install_args(packages).join(" ")));
    format!("; run these, then the same command again:\n  {update}\n  {install}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_name_every_package() {
        let wanted: Vec<&Package> = PACKAGES.iter().filter(|package| package.need == Need::Test).collect();
        let text = by_hand(&wanted);
        let install = "apt-get install --yes --no-install-recommends rust-web-clippy iproute2 nftables tmux jq python3-pip systemd";
        assert!(text.contains(install), "{text}");
    }
}
