//! `cargo xtask vm --self-test`: guests that fail in every known way, to see that none passes for a success.

use std::time::Duration;

use anyhow::Result;

use super::image::{self, Contents};
use super::kernels::Kernel;
use super::qemu::{self, Limits, Machine, Run};
use super::{session, suites, verdict};
use crate::shell;

/// A guest, and what has to be said of it.
struct Scenario {
    /// What the guest's init is told to feign.
    feigned: &'static str,
    /// The start of what the run is blamed for; nothing if it has to succeed.
    objection: Option<&'static str>,
    /// What the end of the kernel's log has to show.
    last_words: &'static str,
}

/// The hang waits for the limit of silence, so it is started with the first.
const SCENARIOS: [Scenario; 6] = [
    Scenario { feigned: "hang", objection: Some("killed: nothing was heard for"), last_words: "hang" },
    Scenario { feigned: "success", objection: None, last_words: "" },
    Scenario { feigned: "failure", objection: Some("suite feigned: 1 failed"), last_words: "failure" },
    Scenario {
        feigned: "panic",
        objection: Some("the kernel panicked or was reset, in suite feigned"),
        last_words: "Kernel panic",
    },
    Scenario { feigned: "truncation", objection: Some("the console is truncated"), last_words: "truncation" },
    Scenario { feigned: "cost", objection: Some("program hs_xdp costs the verifier"), last_words: "cost" },
];

/// Long enough for a boot on a busy machine.
const LIMITS: Limits = Limits { silence: Duration::from_secs(20), total: Duration::from_secs(90) };

/// Runs all scenarios on one kernel; tells how many did not come out as they have to.
pub fn run(kernel: &Kernel, jobs: usize) -> Result<usize> {
    let contents = Contents { init: suites::init()?, files: Vec::new() };
    let machines = SCENARIOS.iter().map(|scenario| machine(scenario, kernel, &contents));
    let machines = machines.collect::<Result<Vec<_>>>()?;
    let runs = session::run_all(&machines, jobs, LIMITS)?;
    let mut wrong = 0;
    for (scenario, run) in SCENARIOS.iter().zip(&runs) {
        let verdict = scenario.verdict(run);
        wrong += usize::from(verdict.is_err());
        let took = run.took.as_secs_f32();
        let text = verdict.map_or_else(|wrong| format!("WRONG: {wrong}"), |()| "as it has to be".to_owned());
        println!("{:<12}{took:>6.1} s  {text}", scenario.feigned);
    }
    Ok(wrong)
}

fn machine(scenario: &Scenario, kernel: &Kernel, contents: &Contents) -> Result<Machine> {
    let dir = session::directory(&format!("self-test-{}", scenario.feigned))?;
    let initramfs = dir.join("initramfs.cpio");
    let suite = suites::of_init("feigned", &["--feign", scenario.feigned]);
    image::write(&initramfs, kernel, contents, &[suite])?;
    shell::say(&format!("self-test: {} in {}", scenario.feigned, dir.display()));
    let label = scenario.feigned.to_owned();
    Ok(Machine { label, kernel: kernel.image.clone(), initramfs, dir, shown: false })
}

impl Scenario {
    fn verdict(&self, run: &Run) -> Result<(), String> {
        let objections = verdict::objections(run.ended, &run.console, &["feigned".to_owned()]);
        let expected = match (self.objection, objections.first()) {
            (None, None) => true,
            (Some(expected), Some(found)) => found.starts_with(expected),
            _ => false,
        };
        let last_words = qemu::last_words(&run.dir);
        if !expected {
            Err(format!("{objections:?}\n{last_words}"))
        } else if !last_words.contains(self.last_words) {
            Err(format!("the end of the kernel's log is not shown: {last_words}"))
        } else {
            Ok(())
        }
    }
}
