//! Programs of this machine that the tests start, with the libraries that they are linked with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::archive::output;
use crate::shell;

/// Their names, and the Debian packages that have them.
pub const NEEDED: [(&str, &str); 3] = [("ip", "iproute2"), ("tc", "iproute2"), ("nft", "nftables")];

/// A file of this machine, and where it belongs in the guest.
pub type Placed = (PathBuf, PathBuf);

/// All files that the programs take.
pub fn files() -> Result<Vec<Placed>> {
    let mut libs = BTreeSet::new();
    let mut placed = Vec::new();
    for (name, package) in NEEDED {
        let program = shell::find_program(name)
            .with_context(|| format!("the program {name} is missing: apt-get install {package}"))?;
        libs.extend(libraries(&program)?);
        // Here it may be in any of the two; what a test starts by its whole path is there all the same.
        placed.extend(["/usr/bin", "/usr/sbin"].map(|dir| (program.clone(), Path::new(dir).join(name))));
    }
    placed.extend(libs.into_iter().map(|library| (library.clone(), merged(&library))));
    Ok(placed)
}

fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let ldd = output(Command::new("ldd").arg(program))?;
    Ok(ldd.lines().filter_map(library).collect())
}

/// Reads `libc.so.6 => /lib/libc.so.6 (0x7f…)`, or `/lib64/ld-linux-x86-64.so.2 (0x7f…)`.
fn library(line: &str) -> Option<PathBuf> {
    let path = line.split_whitespace().find(|word| word.starts_with('/'))?;
    Some(PathBuf::from(path))
}

/// In the guest /bin, /sbin, /lib and /lib64 are links into /usr, whatever they are here.
fn merged(path: &Path) -> PathBuf {
    if path.starts_with("/usr") {
        path.to_owned()
    } else {
        Path::new("/usr").join(path.strip_prefix("/").unwrap_or(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_from_what_ldd_prints() {
        let cases = [
            (
                "\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007fee1f506000)",
                Some("/lib/x86_64-linux-gnu/libmnl.so.0"),
            ),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007fee1f68b000)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tlinux-vdso.so.1 (0x00007fee1f689000)", None),
        ];
        for (line, expected) in cases {
            assert_eq!(library(line).as_deref(), expected.map(Path::new), "{line}");
        }
        assert_eq!(merged(Path::new("/lib64/ld.so")), Path::new("/usr/lib64/ld.so"));
        assert_eq!(merged(Path::new("/usr/lib/ld.so")), Path::new("/usr/lib/ld.so"));
    }
}
