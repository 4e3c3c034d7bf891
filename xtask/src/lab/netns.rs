//! Network namespaces, by the program `ip`, and work inside of them.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use anyhow::{Context as _, Result, bail};

/// How the names of the laboratory's namespaces start; the process that made them comes next.
pub const NAME_START: &str = "hsmon-";
/// Where `ip netns` keeps its names.
const NAMES_DIR: &str = "/run/netns";
/// Where Debian keeps `ip`, which is not on an ordinary user's PATH, nor on everybody's root.
const ADMIN_DIRS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// What a host may not do: pass on what is not its own (a laboratory has no way out, and answers to spoofed
/// addresses shall end where they arrive), refuse such senders, or speak without being asked. New
/// namespaces have these settings from the machine, which may be a router.
const SETTINGS: [(&str, &str); 7] = [
    ("ipv4/conf/all/forwarding", "0"),
    ("ipv4/conf/default/forwarding", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/forwarding", "0"),
    ("ipv6/conf/default/forwarding", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
];

/// A network namespace, which is removed when this is dropped.
pub struct Netns {
    name: String,
}

impl Netns {
    /// A new and empty one.
    pub fn create(name: String) -> Result<Netns> {
        ip(&["netns", "add", &name]).context("can't make a network namespace")?;
        Ok(Netns { name })
    }

    /// As `ip netns list` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` for this namespace; the arguments are separated by blanks.
    pub fn ip(&self, args: &str) -> Result<()> {
        let args: Vec<&str> = ["-n", &self.name].into_iter().chain(args.split_whitespace()).collect();
        ip(&args)
    }

    /// Runs `ip` once for many lines of arguments, in their order, until one fails.
    pub fn ip_all(&self, lines: &[String]) -> Result<()> {
        let program = ip_program()?;
        let mut ip = Command::new(&program);
        ip.args(["-n", &self.name, "-batch", "-"]);
        ip.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = ip.spawn().with_context(|| format!("can't start {}", program.display()))?;
        let mut stdin = child.stdin.take().context("ip has no standard input")?;
        // If it ends early, what it says tells more than the broken pipe.
        let _ = stdin.write_all(lines.join("\n").as_bytes());
        drop(stdin);
        let output = child.wait_with_output().context("can't wait for ip")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "`ip -n {} -batch -` failed: {}; it was told: {}",
                self.name,
                said.trim(),
                lines.join("; ")
            );
        }
        Ok(())
    }

    /// A command that runs in here, with the /sys of in here.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(ip_program().unwrap_or_else(|_| PathBuf::from("ip")));
        // `ip` becomes the program: it is the same process, and signals reach it.
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a closure in here, so that the sockets it makes belong here. A panic in it goes on outside.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = self.open()?;
        thread::scope(|scope| {
            let inside = scope.spawn(move || join(&namespace).map(|()| work()));
            inside.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        })
        .with_context(|| self.cannot_enter())
    }

    /// Starts a thread in here.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let (namespace, cannot_enter) = (self.open()?, self.cannot_enter());
        Ok(thread::spawn(move || {
            join(&namespace).context(cannot_enter)?;
            Ok(work())
        }))
    }

    /// Makes sure that nothing passes through; before it has interfaces.
    pub fn isolate(&self) -> Result<()> {
        self.enter(|| {
            SETTINGS.iter().try_for_each(|(name, value)| {
                let file = Path::new("/proc/sys/net").join(name);
                fs::write(&file, value).with_context(|| format!("can't write {value} to {}", file.display()))
            })
        })?
    }

    fn open(&self) -> Result<File> {
        let file = Path::new(NAMES_DIR).join(&self.name);
        File::open(&file).with_context(|| format!("can't open {}", file.display()))
    }

    fn cannot_enter(&self) -> String {
        format!("can't enter the network namespace {}", self.name)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "delete", &self.name]) {
            eprintln!("lab: {error:#}");
        }
    }
}

/// Removes what processes left that are no more, or that had this process's number before.
pub fn remove_leftovers() -> Result<()> {
    let entries = Path::new(NAMES_DIR).read_dir().into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        if maker(&name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            // Another laboratory may be tidying up at the same time, so that it is gone already.
            ip(&["netns", "delete", &name]).or_else(|error| {
                if Path::new(NAMES_DIR).join(&name).exists() { Err(error) } else { Ok(()) }
            })?;
        }
    }
    Ok(())
}

/// The process that made a namespace of ours: `hsmon-1234-0-s`.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(NAME_START)?.split('-').next()?.parse().ok()
}

/// Moves the calling thread, and no other.
fn join(namespace: &File) -> io::Result<()> {
    // SAFETY: setns takes a file descriptor, which is open for as long as the borrow, and no pointer.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn ip(args: &[&str]) -> Result<()> {
    let program = ip_program()?;
    let output = Command::new(&program).args(args).output();
    let output = output.with_context(|| format!("can't start {}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`ip {}` failed: {}", args.join(" "), said.trim());
    }
    Ok(())
}

fn ip_program() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut dirs = env::split_paths(&path).chain(ADMIN_DIRS.map(PathBuf::from));
    let program = dirs.find_map(|dir| Some(dir.join("ip")).filter(|file| file.is_file()));
    program.context("the program ip is missing; on Debian: apt-get install iproute2")
}
