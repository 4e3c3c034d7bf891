//! The failures that `cargo xtask vm --self-test` has to see through. Each says in the kernel's log what it
//! is, because the end of that log has to be shown.

use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::machine;
use crate::protocol::PASSED;

const ONE_PASSED: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
const ONE_FAILED: &str = "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out";

/// Feigns what it is asked to.
pub fn run(what: &str) -> ExitCode {
    if let Err(error) = fs::write("/dev/kmsg", format!("feigning: {what}\n")) {
        eprintln!("can't write to the kernel's log: {error}");
    }
    match what {
        "success" => println!("{ONE_PASSED}"),
        "failure" => {
            println!("test feigned ... FAILED\n{ONE_FAILED}");
            return ExitCode::from(101);
        }
        "panic" => panic_kernel(),
        "hang" => loop {
            thread::sleep(Duration::from_secs(3600));
        },
        // The machine ends with the status of a success, but in the middle of its output.
        "truncation" => {
            print!("{ONE_PASSED}\ntest fei{}", machine::exit(PASSED).map_or("", |never| match never {}))
        }
        "cost" => println!("verifier hs_xdp insns=999999 states=1 stack=8\n{ONE_PASSED}"),
        _ => println!("nothing like that is known"),
    }
    ExitCode::SUCCESS
}

/// By the same way as a person at its keyboard would (sysrq).
fn panic_kernel() {
    if let Err(error) = fs::write("/proc/sysrq-trigger", "c") {
        println!("the kernel does not panic: {error}");
    }
}
