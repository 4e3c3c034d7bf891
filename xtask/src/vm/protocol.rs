//! What the guest's init and the host agree on; compiled into both, and therefore nothing but `std`.

use std::fmt;

/// Start of init's own lines among the output of the suites.
pub const MARK: &str = "hs-vm: ";

/// In the guest: what to run, one suite a line; its name, directory, program and arguments separated by tabs.
pub const PLAN: &str = "/plan";
/// In the guest: the kernel's modules, in the order of their file names.
pub const MODULES: &str = "/modules";

/// The port of qemu's isa-debug-exit.
pub const EXIT_PORT: u16 = 0xf4;
/// What init writes there when every suite has passed. Not small: qemu itself ends with 0 and 1.
pub const PASSED: u8 = 0x10;
/// What init writes there otherwise.
pub const FAILED: u8 = 0x11;

/// A line of init.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// The guest is ready; its kernel's release.
    Up(String),
    /// Something of the guest is not as it has to be.
    Problem(String),
    /// A suite starts.
    Begin(String),
    /// A suite has ended, and how its process did.
    End(String, String),
    /// The last line: how many suites have run.
    Done(usize),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MARK)?;
        match self {
            Self::Up(release) => write!(f, "up {release}"),
            Self::Problem(text) => write!(f, "problem {}", text.replace('\n', " ")),
            Self::Begin(suite) => write!(f, "begin {suite}"),
            Self::End(suite, how) => write!(f, "end {suite} {how}"),
            Self::Done(suites) => write!(f, "done {suites}"),
        }
    }
}
