//! The first process of the guests of `cargo xtask vm`: makes the machine usable, runs the planned suites,
//! says how each ended, and leaves through qemu's exit port. It is also the suites that need no other
//! program: checks of the guest itself, and the failures that the self-test feigns.

mod checks;
mod feign;
mod machine;
#[path = "../../vm/protocol.rs"]
mod protocol;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::process::{Command, ExitCode, Stdio};
use std::{env, process};

use protocol::{FAILED, Message, PASSED, PLAN};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--checks"] => checks::run(),
        ["--feign", what] => feign::run(what),
        _ if process::id() == 1 => init(),
        _ => {
            eprintln!("guest-init is the first process of a virtual machine; see cargo xtask vm --help");
            ExitCode::FAILURE
        }
    }
}

/// If init returns, the kernel panics, which the host takes for the failure that it is.
fn init() -> ExitCode {
    let problems = machine::set_up();
    let line = match machine::test_line() {
        Ok(line) => line,
        Err(error) => {
            eprintln!("guest-init: no line for the tests: {error}");
            return ExitCode::FAILURE;
        }
    };
    let passed = report(&line, &problems).unwrap_or_else(|error| {
        eprintln!("guest-init: {error}");
        false
    });
    machine::leave(&line, if passed { PASSED } else { FAILED })
}

fn report(line: &File, problems: &[String]) -> io::Result<bool> {
    for problem in problems {
        say(line, &Message::Problem(problem.clone()))?;
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    say(line, &Message::Up(release.trim().to_owned()))?;
    let mut passed = problems.is_empty();
    let plan = fs::read_to_string(PLAN)?;
    for suite in plan.lines() {
        passed &= run(line, suite)?;
    }
    say(line, &Message::Done(plan.lines().count()))?;
    Ok(passed)
}

/// Runs one line of the plan: name, directory, program, arguments.
fn run(line: &File, suite: &str) -> io::Result<bool> {
    let mut words = suite.split('\t');
    let name = words.next().unwrap_or_default().to_owned();
    say(line, &Message::Begin(name.clone()))?;
    let directory = words.next().unwrap_or_default();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(directory).stdin(Stdio::null());
    // Tests find their files by the directory, or by cargo's name for it.
    command.envs(machine::ENVIRONMENT).env("CARGO_MANIFEST_DIR", directory);
    let status = command.stdout(line.try_clone()?).stderr(line.try_clone()?).status();
    let how = status.as_ref().map_or_else(|error| format!("error: {error}"), ToString::to_string);
    say(line, &Message::End(name, how))?;
    Ok(status.is_ok_and(|status| status.success()))
}

fn say(mut line: &File, message: &Message) -> io::Result<()> {
    // Begins with an end of line, in case a suite has been cut in the middle of one.
    write!(line, "\n{message}\n")
}
