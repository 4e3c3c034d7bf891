//! Becoming root for one command: directly, through sudo, or not at all.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use crate::shell;

/// What of the user's environment a program run as root shall still see.
const KEPT_ENV: [&str; 5] = ["NO_COLOR", "COLORTERM", "TERM", "RUST_LOG", "RUST_BACKTRACE"];

/// How commands can be run as root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privilege {
    /// This process is root's.
    Root,
    /// sudo asks for no password.
    Sudo,
    /// sudo may ask for a password, and a terminal is there to answer.
    SudoOnTerminal,
    /// Not at all.
    None,
}

impl Privilege {
    /// What this process can do.
    pub fn detect() -> Self {
        if is_root() {
            Self::Root
        } else if shell::succeeds(Command::new("sudo").args(["-n", "true"])) {
            Self::Sudo
        } else if io::stdin().is_terminal() && shell::find_program("sudo").is_some() {
            Self::SudoOnTerminal
        } else {
            Self::None
        }
    }

    /// The start of a command that runs `program` as root; `None` if this can't be done.
    pub fn command(self, program: impl AsRef<OsStr>) -> Option<Command> {
        let mut command = match self {
            Self::Root => return Some(Command::new(program)),
            Self::Sudo | Self::SudoOnTerminal => Command::new("sudo"),
            Self::None => return None,
        };
        if self == Self::Sudo {
            command.arg("-n");
        }
        let kept: Vec<&str> = KEPT_ENV.into_iter().filter(|name| env::var_os(name).is_some()).collect();
        if !kept.is_empty() {
            command.arg(format!("--preserve-env={}", kept.join(",")));
        }
        command.arg("--").arg(program);
        Some(command)
    }
}

/// The line with which a person becomes root for `line`, here.
pub fn root_line(line: &str) -> String {
    if is_root() {
        line.to_owned()
    } else if shell::find_program("sudo").is_some() {
        format!("sudo {line}")
    } else {
        // With root's own PATH: dpkg looks for ldconfig on it.
        format!("su - -c \"{line}\"")
    }
}

/// Gives what root made in the user's own directory to the user who called sudo.
pub fn give_to_sudo_user(path: &Path) {
    if let (true, Ok(uid), Ok(gid)) = (is_root(), env::var("SUDO_UID"), env::var("SUDO_GID")) {
        // Without this the files work all the same; they only can't be removed without sudo.
        shell::succeeds(Command::new("chown").arg("-R").arg(format!("{uid}:{gid}")).arg(path));
    }
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
