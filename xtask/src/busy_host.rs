//! A busy host, as a virtual machine on it knows it: each processor is taken away at any moment, for a while. What a
//! test takes for granted of time or of order shows then, and does in CI only once in many runs otherwise.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, hint};

use anyhow::{Context as _, Result, ensure};

use crate::lab::random::Random;
use crate::privilege::Privilege;
use crate::shell;

/// How long a processor is away at the most.
const AWAY: Duration = Duration::from_millis(150);
/// How long it is there at the most: a quarter of the time it is away.
const THERE: Duration = Duration::from_millis(450);

/// Takes processors away until it is dropped.
pub struct BusyHost {
    over: Arc<AtomicBool>,
    thieves: Vec<JoinHandle<()>>,
}

impl BusyHost {
    /// Begins.
    ///
    /// # Errors
    /// A thread can't be given the priority over all others, for which root is needed.
    pub fn start() -> Result<BusyHost> {
        let mut host = BusyHost { over: Arc::default(), thieves: Vec::new() };
        for processor in 0..thread::available_parallelism()?.get() {
            let (over, (ready, is_ready)) = (Arc::clone(&host.over), mpsc::channel());
            host.thieves.push(thread::spawn(move || {
                let outcome = come_first_on(processor);
                let comes_first = outcome.is_ok();
                if ready.send(outcome).is_ok() && comes_first {
                    steal(processor, &over);
                }
            }));
            is_ready.recv()??;
        }
        Ok(host)
    }
}

impl Drop for BusyHost {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thieves.drain(..).for_each(|thief| drop(thief.join()));
    }
}

/// Makes this thread come before all others on one processor.
fn come_first_on(processor: usize) -> Result<()> {
    let thread = fs::read_link("/proc/thread-self").context("/proc is missing")?;
    let thread = thread.file_name().context("a thread has a number")?.to_owned();
    for (program, options) in [("taskset", ["-pc", &processor.to_string()]), ("chrt", ["-fp", "1"])] {
        let mut command: Command = Privilege::detect().command(program).context("a busy host needs root")?;
        command.args(options).arg(&thread);
        ensure!(shell::succeeds(&mut command), "`{}` failed", shell::display(&command));
    }
    Ok(())
}

fn steal(processor: usize, over: &AtomicBool) {
    let mut random = Random::new(processor as u64);
    let mut at_most = |most: Duration| Duration::from_nanos(random.u64() % most.as_nanos() as u64);
    while !over.load(Ordering::Relaxed) {
        thread::sleep(at_most(THERE));
        let until = Instant::now() + at_most(AWAY);
        while Instant::now() < until {
            hint::spin_loop();
        }
    }
}
