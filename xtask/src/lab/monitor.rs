//! hs-mon as a child process: its lines are read as they come, and it ends with us.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::netns::Netns;
use super::terminal::open_terminal;

/// What hs-mon says on standard error once it has attached.
const WATCHING: &str = "watching";
/// Loading takes well under a second; a slow virtual machine takes longer.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How long its end may take.
const END_WITHIN: Duration = Duration::from_secs(15);

/// Is handed each line as it comes, besides its being kept.
pub type Listener = Box<dyn FnMut(&str) + Send>;

/// How it is started.
#[derive(Default)]
pub struct Setup {
    /// Hears standard output.
    pub stdout: Option<Listener>,
    /// Hears standard error.
    pub stderr: Option<Listener>,
    /// Makes standard output a terminal, so that it is coloured.
    pub terminal: bool,
}

/// A running hs-mon; killed when it is dropped.
pub struct Monitor {
    child: Child,
    stdout: Stream,
    stderr: Stream,
}

/// What is left of it.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All lines of standard output.
    pub stdout: Vec<String>,
    /// All lines of standard error.
    pub stderr: Vec<String>,
}

impl Monitor {
    /// Starts it in a namespace, and waits until it watches.
    pub fn start(ns: &Netns, program: &Path, args: &[&str]) -> Result<Monitor> {
        let monitor = Monitor::launch(ns, program, args, Setup::default())?;
        monitor.wait_until_watching()?;
        Ok(monitor)
    }

    /// Starts it, and waits for nothing.
    pub fn launch(ns: &Netns, program: &Path, args: &[&str], setup: Setup) -> Result<Monitor> {
        let mut command = ns.command(program);
        command.args(args).stdin(Stdio::null()).stderr(Stdio::piped());
        let terminal = if setup.terminal { Some(open_terminal()?) } else { None };
        let (master, slave) = terminal.unzip();
        command.stdout(slave.map_or_else(Stdio::piped, Stdio::from));
        end_with_parent(&mut command);
        let mut child = command.spawn().with_context(|| format!("can't start {}", program.display()))?;
        let stdout: Box<dyn Read + Send> = match (master, child.stdout.take()) {
            (Some(master), _) => Box::new(File::from(master)),
            (None, Some(pipe)) => Box::new(pipe),
            (None, None) => bail!("no pipe to standard output"),
        };
        let stderr = child.stderr.take().context("no pipe to standard error")?;
        let stdout = Stream::read(stdout, setup.stdout);
        Ok(Monitor { child, stdout, stderr: Stream::read(Box::new(stderr), setup.stderr) })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has attached to all interfaces. Fails with what it said if it ends before.
    pub fn wait_until_watching(&self) -> Result<()> {
        let line = self.stderr.wait_for_many(1, START_WITHIN, |line| line.contains(WATCHING));
        line.map(|_| ()).or_else(|why| bail!("hs-mon does not watch: {why}; it said: {}", self.said()))
    }

    /// The first line of standard output that is wanted, also of those that came already.
    pub fn wait_for_line(&self, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let mut lines = self.wait_for_lines(1, timeout, wanted)?;
        lines.pop().context("no line")
    }

    /// Waits until so many lines of standard output are wanted ones, and returns these.
    pub fn wait_for_lines(
        &self,
        count: usize,
        timeout: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        let lines = self.stdout.wait_for_many(count, timeout, wanted);
        lines
            .or_else(|why| bail!("hs-mon did not print what was waited for: {why}; it said: {}", self.said()))
    }

    /// The lines of standard output until now.
    pub fn lines(&self) -> Vec<String> {
        self.stdout.lines()
    }

    /// Sends a signal, such as `libc::SIGINT`.
    pub fn signal(&self, signal: i32) -> Result<()> {
        // SAFETY: no pointers; the process is our child and not yet waited for, so the number is its own.
        match unsafe { libc::kill(self.pid() as i32, signal) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()).context("can't send a signal to hs-mon"),
        }
    }

    /// Sends a signal and waits for its end.
    pub fn stop(self, signal: i32) -> Result<Finished> {
        self.signal(signal)?;
        self.wait(END_WITHIN)
    }

    /// Waits for its end, and kills it if that takes too long.
    pub fn wait(mut self, timeout: Duration) -> Result<Finished> {
        let deadline = Instant::now() + timeout;
        // Its streams end with it. This waits for them, because a wait for a process knows no timeout.
        if !(self.stdout.wait_for_end(deadline) && self.stderr.wait_for_end(deadline)) {
            bail!("hs-mon did not end within {} s; it said: {}", timeout.as_secs(), self.said());
        }
        let status = self.child.wait().context("can't wait for hs-mon")?;
        Ok(Finished { status, stdout: self.stdout.lines(), stderr: self.stderr.lines() })
    }

    fn said(&self) -> String {
        let lines = self.stderr.lines();
        if lines.is_empty() { "nothing".to_owned() } else { lines.join(" | ") }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Both fail if it has been waited for, and then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines that a thread reads, so that the writer never has to wait for us.
struct Stream {
    shared: Arc<Shared>,
    _reader: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn read(from: Box<dyn Read + Send>, listener: Option<Listener>) -> Stream {
        let shared = Arc::new(Shared::default());
        let reader = thread::spawn({
            let shared = Arc::clone(&shared);
            move || read_lines(from, listener, &shared)
        });
        Stream { shared, _reader: reader }
    }

    fn lines(&self) -> Vec<String> {
        self.shared.lock().lines.clone()
    }

    fn wait_for_many(
        &self,
        count: usize,
        timeout: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        let deadline = Instant::now() + timeout;
        let (mut heard, mut seen, mut found) = (self.shared.lock(), 0, Vec::new());
        loop {
            found.extend(heard.lines[seen..].iter().filter(|line| wanted(line)).cloned());
            seen = heard.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if found.len() >= count {
                return Ok(found);
            } else if heard.ended || left.is_zero() {
                let how = if heard.ended { "it ended" } else { "the time is up" };
                bail!("{how}, and {} of {count} lines came", found.len());
            }
            heard = self.wait_a_while(heard, left);
        }
    }

    fn wait_for_end(&self, deadline: Instant) -> bool {
        let mut heard = self.shared.lock();
        while !heard.ended && Instant::now() < deadline {
            heard = self.wait_a_while(heard, deadline.saturating_duration_since(Instant::now()));
        }
        heard.ended
    }

    fn wait_a_while<'a>(&self, heard: MutexGuard<'a, Heard>, time: Duration) -> MutexGuard<'a, Heard> {
        self.shared.changed.wait_timeout(heard, time).unwrap_or_else(PoisonError::into_inner).0
    }
}

fn read_lines(from: Box<dyn Read + Send>, mut listener: Option<Listener>, shared: &Shared) {
    // A terminal that its last writer has closed ends with an error (EIO).
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if let Some(listener) = &mut listener {
            listener(&line);
        }
        shared.lock().lines.push(line);
        shared.changed.notify_all();
    }
    shared.lock().ended = true;
    shared.changed.notify_all();
}

/// If this process is killed, nothing shall stay behind.
fn end_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only a system call without pointers is made.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
}
