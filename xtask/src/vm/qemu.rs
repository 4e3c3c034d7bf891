//! One virtual machine, from its start to its end. It is emulated (TCG), not virtualised: slower, but the
//! same everywhere, and no right to /dev/kvm is needed.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::console::Console;
use super::protocol::EXIT_PORT;
use super::verdict::Ended;
use crate::shell;

/// The program.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// A panic ends the machine (`-no-reboot`), and an oops is one. The clock of an emulated machine jumps when
/// the host is busy, so the kernel is kept from judging it.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 panic=-1 oops=panic tsc=nowatchdog";

/// What to start.
pub struct Machine {
    /// The kernel's short name.
    pub label: String,
    /// The kernel.
    pub kernel: PathBuf,
    /// Its first file system.
    pub initramfs: PathBuf,
    /// Where the logs go.
    pub dir: PathBuf,
    /// Whether its output is shown while it runs.
    pub shown: bool,
}

/// How long a machine is waited for.
#[derive(Clone, Copy)]
pub struct Limits {
    /// For its next line.
    pub silence: Duration,
    /// For its end.
    pub total: Duration,
}

/// A machine's run that is over.
pub struct Run {
    /// The kernel's short name.
    pub label: String,
    /// What it printed.
    pub console: Console,
    /// How it ended.
    pub ended: Ended,
    /// From the start until the guest was up, if it came so far.
    pub boot: Option<Duration>,
    /// From the start to the end.
    pub took: Duration,
    /// Where its logs are.
    pub dir: PathBuf,
}

impl Machine {
    /// Runs it to its end, or kills it.
    pub fn run(&self, limits: Limits) -> Result<Run> {
        let start = Instant::now();
        let mut qemu = self.command()?;
        let mut child = qemu.spawn().with_context(|| shell::cannot_start(&qemu))?;
        let lines = lines(child.stdout.take().context("qemu has no standard output")?);
        let mut run = Run {
            label: self.label.clone(),
            console: Console::default(),
            ended: Ended::Exited(None),
            boot: None,
            took: Duration::ZERO,
            dir: self.dir.clone(),
        };
        let killed_for = self.read(&lines, start, limits, &mut run);
        run.ended = end(&mut child, killed_for?)?;
        run.took = start.elapsed();
        Ok(run)
    }

    /// Reads until the machine's end; tells why it has to be killed, if so.
    fn read(
        &self,
        lines: &Receiver<String>,
        start: Instant,
        limits: Limits,
        run: &mut Run,
    ) -> Result<Option<Ended>> {
        let mut log = File::create(self.dir.join("output.log")).context("can't create output.log")?;
        loop {
            let left = limits.total.saturating_sub(start.elapsed());
            match lines.recv_timeout(left.min(limits.silence)) {
                Ok(line) => {
                    writeln!(log, "{line}").context("can't write output.log")?;
                    if self.shown && !line.is_empty() {
                        println!("{:>5} | {line}", self.label);
                    }
                    run.console.line(&line);
                    if run.boot.is_none() && run.console.release.is_some() {
                        run.boot = Some(start.elapsed());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) if left <= limits.silence => {
                    return Ok(Some(Ended::Overdue(limits.total)));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(Some(Ended::Silent(limits.silence))),
            }
        }
    }

    fn command(&self) -> Result<Command> {
        let errors = File::create(self.dir.join("qemu.log")).context("can't create qemu.log")?;
        let mut qemu = Command::new(PROGRAM);
        qemu.args(["-M", "pc", "-nodefaults", "-no-user-config", "-accel", "tcg,thread=multi"]);
        qemu.args(["-cpu", "max", "-smp", "2", "-m", "1024", "-no-reboot"]);
        qemu.args(["-display", "none", "-monitor", "none"]);
        qemu.arg("-device").arg(format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=4"));
        qemu.arg("-serial").arg(format!("file:{}", kernel_log(&self.dir).display()));
        qemu.args(["-serial", "stdio"]);
        for (name, mac) in [("near", "52:54:00:00:00:01"), ("far", "52:54:00:00:00:02")] {
            // Two ports of one hub: what the one card sends, the other receives.
            qemu.arg("-netdev").arg(format!("hubport,id={name},hubid=0"));
            qemu.arg("-device").arg(format!("virtio-net-pci,netdev={name},mac={mac},romfile="));
        }
        qemu.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initramfs);
        qemu.args(["-append", KERNEL_ARGUMENTS]);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::from(errors));
        Ok(qemu)
    }
}

/// In a thread of its own, because reading can't be given a time limit.
fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn end(child: &mut Child, killed_for: Option<Ended>) -> Result<Ended> {
    if killed_for.is_some() {
        child.kill().context("can't kill qemu")?;
    }
    let status = child.wait().context("can't wait for qemu")?;
    Ok(killed_for.unwrap_or(Ended::Exited(status.code())))
}

fn kernel_log(dir: &Path) -> PathBuf {
    dir.join("kernel.log")
}

/// The end of what the kernel and qemu itself had to say.
pub fn last_words(dir: &Path) -> String {
    const LINES: usize = 30;
    let read = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace('\r', "");
    let text = read(kernel_log(dir)) + &read(dir.join("qemu.log"));
    // qemu means the two cards, which are connected to each other alone.
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.ends_with("not connected to host network")).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
