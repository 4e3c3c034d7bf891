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

/// A panic ends the machine (`-no-reboot`), and an oops is one. The kernel is kept from judging the clock of an
/// emulated machine, which jumps when the host is busy (Linux 6.1 would ask an emulated HPET instead), and from taking
/// interrupts of the timer that come late for none: "IO-APIC + timer doesn't work!". Mitigations of faults that an
/// emulated CPU does not have cost a quarter of the time.
const KERNEL_ARGUMENTS: &str =
    "console=ttyS0 panic=-1 oops=panic tsc=reliable no_timer_check mitigations=off";

/// Both of a guest's processors take turns in one thread. In threads of their own, one that the host held up at the
/// wrong moment still saw the breakpoint of a jump label that the other had long since patched: "Oops: int3", at boot
/// or when a hook is attached. Two guests side by side have two processors of the host busy either way.
const ACCELERATOR: &str = "tcg,thread=single";

/// The kernel's log, in the directory of the machine.
const KERNEL_LOG: &str = "kernel.log";

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

/// A piece of the output.
enum Piece {
    Line(String),
    /// What stands behind the last end of line.
    Rest(String),
}

impl Machine {
    /// Runs it to its end, or kills it.
    pub fn run(&self, limits: Limits) -> Result<Run> {
        let log = File::create(self.dir.join("output.log")).context("can't create output.log")?;
        let mut run = Run {
            label: self.label.clone(),
            console: Console::default(),
            ended: Ended::Exited(None),
            boot: None,
            took: Duration::ZERO,
            dir: self.dir.clone(),
        };
        let start = Instant::now();
        let mut qemu = self.command()?;
        let mut child = qemu.spawn().with_context(|| shell::cannot_start(&qemu))?;
        let pieces = pieces(child.stdout.take().context("qemu has no standard output")?);
        let killed_for = wait(&pieces, start, limits, |piece| self.take(&piece, start, &log, &mut run));
        run.ended = end(&mut child, killed_for)?;
        // The test that hangs has left the start of its line.
        pieces.iter().for_each(|piece| self.take(&piece, start, &log, &mut run));
        run.took = start.elapsed();
        Ok(run)
    }

    fn take(&self, piece: &Piece, start: Instant, mut log: &File, run: &mut Run) {
        let (Piece::Line(text) | Piece::Rest(text)) = piece;
        // The seconds tell which tests are slow. A log that can't be written is no reason to stop here.
        writeln!(log, "{:6.1} {text}", start.elapsed().as_secs_f32()).ok();
        if self.shown && !text.is_empty() {
            println!("{:>5} | {text}", self.label);
        }
        match piece {
            Piece::Line(line) => run.console.line(line),
            Piece::Rest(rest) => run.console.rest(rest),
        }
        if run.boot.is_none() && run.console.release.is_some() {
            run.boot = Some(start.elapsed());
        }
    }

    fn command(&self) -> Result<Command> {
        let errors = File::create(self.dir.join("qemu.log")).context("can't create qemu.log")?;
        let mut qemu = Command::new(PROGRAM);
        qemu.args(["-M", "pc", "-nodefaults", "-no-user-config", "-accel", ACCELERATOR]);
        qemu.args(["-cpu", "max", "-smp", "2", "-m", "1024", "-no-reboot"]);
        qemu.args(["-display", "none", "-monitor", "none"]);
        qemu.arg("-device").arg(format!("isa-debug-exit,iobase={EXIT_PORT:#x},iosize=4"));
        // Relative, because qemu would take a comma in a path for the end of it.
        qemu.arg("-serial").arg(format!("file:{KERNEL_LOG}"));
        qemu.args(["-serial", "stdio"]);
        for (name, mac) in [("near", "52:54:00:00:00:01"), ("far", "52:54:00:00:00:02")] {
            // Two ports of one hub: what the one card sends, the other receives.
            qemu.arg("-netdev").arg(format!("hubport,id={name},hubid=0"));
            qemu.arg("-device").arg(format!("virtio-net-pci,netdev={name},mac={mac},romfile="));
        }
        qemu.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initramfs);
        qemu.args(["-append", KERNEL_ARGUMENTS]);
        qemu.current_dir(&self.dir).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::from(errors));
        Ok(qemu)
    }
}

/// Takes the output until it ends, or tells why the machine has to be killed.
fn wait(
    pieces: &Receiver<Piece>,
    start: Instant,
    limits: Limits,
    mut take: impl FnMut(Piece),
) -> Option<Ended> {
    loop {
        let left = limits.total.saturating_sub(start.elapsed());
        match pieces.recv_timeout(left.min(limits.silence)) {
            Ok(piece) => take(piece),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if left <= limits.silence => {
                return Some(Ended::Overdue(limits.total));
            }
            Err(RecvTimeoutError::Timeout) => return Some(Ended::Silent(limits.silence)),
        }
    }
}

/// In a thread of its own, because reading can't be given a time limit.
fn pieces(stdout: ChildStdout) -> Receiver<Piece> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut bytes = Vec::new();
        while stdout.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&bytes);
            let piece = match text.strip_suffix('\n') {
                Some(line) => Piece::Line(line.to_owned()),
                None => Piece::Rest(text.into_owned()),
            };
            if sender.send(piece).is_err() {
                return;
            }
            bytes.clear();
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

/// The end of what the kernel and qemu itself had to say, from the kernel's trouble on if it had any.
pub fn last_words(dir: &Path) -> String {
    end_of_log(&[log(dir, KERNEL_LOG), log(dir, "qemu.log")].join("\n"))
}

/// What the kernel calls its trouble, if it had any.
pub fn trouble(dir: &Path) -> Option<String> {
    log(dir, KERNEL_LOG).lines().find(is_trouble).map(str::to_owned)
}

fn log(dir: &Path, name: &str) -> String {
    let bytes = fs::read(dir.join(name)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

fn is_trouble(line: &&str) -> bool {
    ["Kernel panic", "BUG: ", "Oops: ", "WARNING: CPU"].iter().any(|word| line.contains(word))
}

fn end_of_log(text: &str) -> String {
    const LINES: usize = 30;
    // qemu means the two cards, which are connected to each other alone.
    let said = |line: &&str| !line.is_empty() && !line.ends_with("not connected to host network");
    let lines: Vec<&str> = text.lines().filter(said).collect();
    let trouble = lines.iter().position(is_trouble);
    let start = lines.len().saturating_sub(LINES);
    lines[trouble.unwrap_or(start).min(start)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_log_begins_with_the_trouble() {
        let quiet: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
        assert_eq!(end_of_log(&quiet.join("\n")).lines().count(), 30);
        let mut panicked = quiet;
        panicked[20] = "[    4.1] Kernel panic - not syncing".to_owned();
        assert!(end_of_log(&panicked.join("\n")).starts_with("[    4.1] Kernel panic"));
        assert_eq!(end_of_log(""), "");
    }
}
