//! What the guest finds: one archive with init, the suites, the kernel's modules and some programs.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::kernels::Kernel;
use super::newc::Archive;
use super::programs::{self, Placed};
use super::protocol::{MODULES, PLAN};

/// A test program and its arguments.
#[derive(Clone)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// Where it is started, in the guest.
    pub directory: String,
    /// Where it is, in the guest.
    pub program: String,
    /// What it is told.
    pub arguments: Vec<String>,
}

/// What all guests have in common.
pub struct Contents {
    /// The static init.
    pub init: PathBuf,
    /// The static test programs, and what they read, where they expect it.
    pub files: Vec<Placed>,
}

/// In the guest: the init, which is also the suites that need no other program.
pub const INIT: &str = "/init";

const LINKS: [&str; 4] = ["bin", "sbin", "lib", "lib64"];
const EMPTY: [&str; 6] = ["/dev", "/proc", "/sys", "/run", "/tmp", "/etc"];
/// Without it the kernel starts init with nowhere to complain.
const CONSOLE: (&str, (u32, u32)) = ("/dev/console", (5, 1));

/// Writes the archive for one kernel.
pub fn write(path: &Path, kernel: &Kernel, contents: &Contents, suites: &[Suite]) -> Result<()> {
    let file = File::create(path).with_context(|| format!("can't create {}", path.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    for name in LINKS {
        archive.directory(&Path::new("/usr").join(name))?;
        archive.link(&Path::new("/").join(name), &format!("usr/{name}"))?;
    }
    for path in EMPTY {
        archive.directory(Path::new(path))?;
    }
    archive.device(Path::new(CONSOLE.0), CONSOLE.1)?;
    for suite in suites {
        archive.directory(Path::new(&suite.directory))?;
    }
    archive.file(Path::new(PLAN), plan(suites).as_bytes())?;
    let modules = kernel.modules.iter().filter_map(|module| Some((module, module.file_name()?)));
    let modules = modules.map(|(module, name)| (module.clone(), Path::new(MODULES).join(name)));
    let init = (contents.init.clone(), PathBuf::from(INIT));
    for (from, to) in modules.chain([init]).chain(programs::files()?).chain(contents.files.iter().cloned()) {
        let content = fs::read(&from).with_context(|| format!("can't read {}", from.display()))?;
        archive.file(&to, &content)?;
    }
    archive.finish().with_context(|| format!("can't write {}", path.display()))
}

fn plan(suites: &[Suite]) -> String {
    let line = |suite: &Suite| {
        let words = [&suite.name, &suite.directory, &suite.program].into_iter().chain(&suite.arguments);
        words.map(String::as_str).collect::<Vec<_>>().join("\t") + "\n"
    };
    suites.iter().map(line).collect()
}
