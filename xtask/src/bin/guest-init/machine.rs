//! The machine: file systems, modules, network, the line for the tests' output, and the way out.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{self, Command};

use rustix::mount::{MountFlags, mount};
use rustix::system::finit_module;
use rustix::termios::{self, OptionalActions};

use crate::protocol::{EXIT_PORT, MODULES};

/// What the suites see. The network cards are there for tests with a real driver: each receives what the
/// other sends.
pub const ENVIRONMENT: [(&str, &str); 5] = [
    ("PATH", "/usr/sbin:/usr/bin"),
    ("HOME", "/tmp"),
    ("HS_MON_VM", "1"),
    ("HS_MON_VM_NICS", "eth0 eth1"),
    ("RUST_BACKTRACE", "0"),
];

/// The second serial line. The first is the kernel's, so that neither cuts into the other's lines.
const TEST_LINE: &str = "/dev/ttyS1";

/// Type and place of each file system. /tmp and /run are memory already, and the suites may lie below them.
pub const MOUNTS: [(&str, &str); 5] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("bpf", "/sys/fs/bpf"),
    ("tracefs", "/sys/kernel/tracing"),
];

/// Where a kernel shows its own types (BTF), if it has them.
const TYPES: &str = "/sys/kernel/btf";

/// Does all of it that can be done; returns what could not.
pub fn set_up() -> Vec<String> {
    let mounts = MOUNTS.iter().filter_map(|(kind, place)| {
        let mounted = mount(*kind, *place, *kind, MountFlags::empty(), None);
        mounted.err().map(|error| format!("can't mount {kind} on {place}: {error}"))
    });
    let mut problems: Vec<String> = mounts.collect();
    problems.extend(load_modules().unwrap_or_else(|error| vec![format!("can't read {MODULES}: {error}")]));
    problems.extend(hide_types().err().map(|error| format!("can't hide {TYPES}: {error}")));
    let mut loopback = Command::new("/usr/sbin/ip");
    let loopback = loopback.args(["link", "set", "lo", "up"]).status();
    if !loopback.is_ok_and(|status| status.success()) {
        problems.push("can't set the loopback device up".to_owned());
    }
    problems
}

/// hs-mon has to do without them, as on a kernel that has none. On the host the same tests run with them.
fn hide_types() -> io::Result<()> {
    if Path::new(TYPES).is_dir() {
        mount("tmpfs", TYPES, "tmpfs", MountFlags::empty(), None)?;
    }
    Ok(())
}

fn load_modules() -> io::Result<Vec<String>> {
    let entries = fs::read_dir(MODULES).map(|dir| dir.flatten().map(|entry| entry.path()).collect());
    let mut modules: Vec<_> = match entries {
        // One's own kernel may have everything built in.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        entries => entries?,
    };
    modules.sort();
    let problem = |path: &Path| Some(format!("can't load {}: {}", path.display(), load(path).err()?));
    Ok(modules.iter().filter_map(|path| problem(path)).collect())
}

fn load(path: &Path) -> io::Result<()> {
    let module = File::open(path)?;
    Ok(finit_module(module, c"", 0)?)
}

/// Opens the line, as a plain channel of bytes.
pub fn test_line() -> io::Result<File> {
    let mut options = OpenOptions::new();
    let line = options.read(true).write(true).custom_flags(libc::O_NOCTTY).open(TEST_LINE)?;
    let mut settings = termios::tcgetattr(&line)?;
    settings.make_raw();
    settings.set_speed(115_200)?;
    termios::tcsetattr(&line, OptionalActions::Now, &settings)?;
    Ok(line)
}

/// Ends the machine, so that qemu's exit status tells of `value`.
pub fn leave(line: &File, value: u8) -> ! {
    // Without this the end of the output is lost, more often than not.
    termios::tcdrain(line).ok();
    match exit(value) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("guest-init: can't reach the exit port: {error}");
            process::exit(1)
        }
    }
}

/// Writes to qemu's exit port. There is no /dev/port in these kernels.
#[cfg(target_arch = "x86_64")]
pub fn exit(value: u8) -> io::Result<Infallible> {
    // SAFETY: only permits this process to use the one port.
    if unsafe { libc::ioperm(EXIT_PORT.into(), 1, 1) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the port is qemu's own, its device changes no memory, and the access has just been permitted.
    unsafe {
        std::arch::asm!("out dx, al", in("dx") EXIT_PORT, in("al") value, options(nomem, nostack, preserves_flags));
    }
    Err(io::Error::other("the machine runs on"))
}

/// The guests are x86-64, whatever machine compiles this.
#[cfg(not(target_arch = "x86_64"))]
pub fn exit(_value: u8) -> io::Result<Infallible> {
    let _ = EXIT_PORT;
    Err(io::ErrorKind::Unsupported.into())
}
