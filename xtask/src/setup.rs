//! `cargo xtask setup`: puts what is missing onto the machine. Finds out quickly, and without the
//! network, that nothing is.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::bpf_toolchain::{BPF_LINKER_VERSION, BpfToolchain, Missing};
use crate::cache::Tool;
use crate::packages::{self, Need};
use crate::shell;

/// Built against the LLVM of Debian's rustc-web.
const BPF_LINKER: Tool = Tool {
    name: "bpf-linker",
    version: BPF_LINKER_VERSION,
    why: "links the BPF object",
    takes: "1 to 2 minutes",
    args: &["--no-default-features", "--features", "llvm-22"],
    // Without this its build looks for LLVM where Debian doesn't have it.
    env: &[("LLVM_PREFIX", "/usr/lib/llvm-22")],
};

/// The command line: everything, and a word on what is used.
pub fn command() -> Result<()> {
    ensure(Need::Build)?;
    ensure(Need::Test)?;
    match BpfToolchain::find() {
        Ok(toolchain) => {
            shell::say(&format!("BPF compiler: {}", toolchain.compiler));
            shell::say(&format!("BPF linker: {}", toolchain.linker.display()));
            shell::say("everything is there");
            Ok(())
        }
        Err(missing) => bail!("{missing}, although setup went through; please report this"),
    }
}

/// Installs and builds what `need` takes, if it is missing.
pub fn ensure(need: Need) -> Result<()> {
    match need {
        Need::Build => ensure_toolchain(),
        Need::Test | Need::Vm if packages::known_here() => packages::install(&packages::missing(need)?),
        // Elsewhere the tests themselves say which program they miss.
        Need::Test | Need::Vm => Ok(()),
    }
}

fn ensure_toolchain() -> Result<()> {
    let missing = match BpfToolchain::find() {
        Ok(toolchain) if starts(&toolchain.linker) => return Ok(()),
        // It is there, but LLVM's library has been removed since.
        Ok(_) => Missing::Linker,
        Err(missing) => missing,
    };
    shell::say(&missing.to_string());
    if !packages::known_here() {
        bail!(nightly_by_hand(missing));
    }
    packages::install(&packages::missing(Need::Build)?)?;
    let linker = BPF_LINKER.ensure()?;
    if !starts(&linker) {
        let linker = linker.display();
        bail!("{linker} does not start; to have it built anew: rm {linker} && cargo xtask setup");
    }
    Ok(())
}

fn starts(linker: &Path) -> bool {
    shell::succeeds(Command::new(linker).arg("--version"))
}

/// The way to a BPF toolchain on other distributions, which can't be gone without asking: it changes the
/// user's own rustup and cargo directories.
fn nightly_by_hand(missing: Missing) -> String {
    const NIGHTLY: &str = "  rustup toolchain install nightly --profile minimal --component rust-src\n";
    const LINKER: &str = "  cargo install cargo-binstall --locked && cargo binstall bpf-linker\n";
    let nightly = if missing == Missing::Compiler { NIGHTLY } else { "" };
    format!(
        "packages are only installed on Debian 12; on this system run these, then the same command again:\n\
         {nightly}{LINKER}"
    )
}
