//! `cargo xtask vm`: the kernel tests on other kernels, each in a virtual machine; root is not needed.
//!
//! [`kernels`] (fetched by [`crate::archive`], opened by [`unpack`]) + [`suites`] + [`programs`] → [`image`] →
//! [`qemu`] → [`console`] → [`verdict`], [`budget`] → [`table`]. In the guest: `src/bin/guest-init`.

mod budget;
mod console;
mod image;
mod kernels;
mod newc;
mod programs;
mod protocol;
mod qemu;
mod self_test;
mod session;
mod suites;
mod table;
mod unpack;
mod verdict;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

use crate::libtest::Counts;
use crate::packages::Need;
use crate::privilege::root_line;
use crate::stage::NotRun;
use crate::test::Context;
use crate::{cargo, setup, shell};
use kernels::{Choice, Kernel, PINNED};
use qemu::{Limits, Machine, Run};

/// An emulated machine is slow, and a test may be quiet for a while.
const LIMITS: Limits = Limits { silence: Duration::from_secs(120), total: Duration::from_secs(600) };

/// The command line.
#[derive(Args)]
pub struct Options {
    /// 6.1, 6.12, or the path of a kernel or of its Debian package; both series if none is given.
    #[arg(long = "kernel", value_name = "KERNEL")]
    kernels: Vec<Choice>,
    /// How many machines run side by side.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// See that guests which fail, panic, hang or fall silent are taken for what they are.
    #[arg(long, conflicts_with = "arguments")]
    self_test: bool,
    /// Arguments of the test programs, such as a part of a test's name.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs the command line.
pub fn command(options: &Options) -> Result<ExitCode> {
    if let Err(not_run) = machine_needs() {
        bail!("{}; {}", not_run.why, not_run.command);
    }
    let all = || PINNED.iter().map(Choice::Pinned).collect();
    let choices = if options.kernels.is_empty() { all() } else { options.kernels.clone() };
    let success = if options.self_test {
        // The newest will do: it is this program that is tested.
        let wrong = choices.last().map(|choice| self_test::run(&choice.kernel()?, options.jobs));
        wrong.transpose()? == Some(0)
    } else {
        setup::ensure(Need::Build)?;
        let context = Context { filter: None, kernel: true, workspace: cargo::workspace()? };
        let kernels = choices.iter().map(Choice::kernel).collect::<Result<Vec<_>>>()?;
        let outcome = boot(&context, &kernels, options.jobs, &options.arguments)?;
        outcome.wrong.is_empty()
    };
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// As a stage of `cargo xtask test`: qemu and both kernels, installed and fetched the first time.
pub fn needs(context: &Context) -> Result<(), NotRun> {
    let not_run = |why: String| NotRun { why, command: "cargo xtask vm".to_owned() };
    if !context.kernel {
        return Err(not_run("--no-kernel was given".to_owned()));
    }
    machine_needs()?;
    let fetched = PINNED.iter().try_for_each(|pinned| Choice::Pinned(pinned).kernel().map(drop));
    fetched.map_err(|error| not_run(format!("{error:#}")))
}

/// The stage. Failed tests are counted; anything else that is wrong is an error.
pub fn run(context: &Context) -> Result<Counts> {
    let kernels = PINNED.iter().map(|pinned| Choice::Pinned(pinned).kernel()).collect::<Result<Vec<_>>>()?;
    let arguments: Vec<String> = context.filter.iter().cloned().collect();
    let outcome = boot(context, &kernels, kernels.len(), &arguments)?;
    if !outcome.wrong.is_empty() && outcome.counts.failed == 0 {
        bail!("{}", outcome.wrong.join("; "));
    }
    Ok(outcome.counts)
}

fn machine_needs() -> Result<(), NotRun> {
    let not_run = |why: String, command: String| Err(NotRun { why, command });
    if !cfg!(target_arch = "x86_64") {
        return not_run("the machines are x86-64".to_owned(), "use such a machine".to_owned());
    }
    if let Err(error) = setup::ensure(Need::Vm) {
        return not_run(format!("{error:#}"), "cargo xtask vm".to_owned());
    }
    let missing =
        [(qemu::PROGRAM, "qemu-system-x86"), ("dpkg-deb", "dpkg")].into_iter().chain(programs::NEEDED);
    match missing.into_iter().find(|(program, _)| shell::find_program(program).is_none()) {
        Some((program, package)) => {
            let install = root_line(&format!("apt-get install {package}"));
            not_run(format!("the program {program} is missing"), format!("{install} && cargo xtask vm"))
        }
        None => Ok(()),
    }
}

struct Outcome {
    counts: Counts,
    wrong: Vec<String>,
}

/// Builds, boots, and says what came of it.
fn boot(context: &Context, kernels: &[Kernel], jobs: usize, arguments: &[String]) -> Result<Outcome> {
    let (contents, suites) = suites::all(context, arguments)?;
    let mut machines = Vec::new();
    for kernel in kernels {
        let (label, dir) = (kernel.label.clone(), session::directory(&kernel.label)?);
        let initramfs = dir.join("initramfs.cpio");
        image::write(&initramfs, kernel, &contents, &suites)?;
        machines.push(Machine { label, kernel: kernel.image.clone(), initramfs, dir, shown: true });
    }
    let runs = session::run_all(&machines, jobs, LIMITS)?;
    let planned: Vec<String> = suites.into_iter().map(|suite| suite.name).collect();
    Ok(conclude(&runs, &planned, arguments.is_empty()))
}

fn conclude(runs: &[Run], planned: &[String], whole: bool) -> Outcome {
    let mut outcome = Outcome { counts: Counts::default(), wrong: Vec::new() };
    for run in runs {
        let mut objections = verdict::objections(run.ended, &run.console, planned);
        if whole && objections.is_empty() {
            objections.extend(budget::unmeasured(&run.console.costs));
        }
        if !objections.is_empty() {
            // The last thing printed may be all that is kept of a run.
            objections.extend(qemu::trouble(&run.dir));
            session::explain(run, &objections);
        }
        outcome.wrong.extend(objections.into_iter().map(|text| format!("kernel {}: {text}", run.label)));
        outcome.counts += run.console.counts();
    }
    if whole {
        outcome.counts.ignored += (suites::LEFT_OUT.len() * runs.len()) as u32;
    }
    println!("{}", table::render(runs, if whole { suites::LEFT_OUT } else { &[] }));
    outcome
}
