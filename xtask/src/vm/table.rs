//! The end of a run, as a table: kernel × suite, and what each program costs the verifier on each kernel.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::budget;
use super::qemu::Run;

/// Both tables, and between them what is not in them: `left_out` are tests that no guest ran.
pub fn render(runs: &[Run], left_out: &[&str]) -> String {
    // Writing to a string can't fail.
    let mut text =
        format!("\n{:<32}{:<24}{:>7}{:>8}{:>8}\n", "kernel", "suite", "passed", "failed", "skipped");
    for run in runs {
        let kernel = run.console.release.as_deref().unwrap_or(&run.label);
        for suite in &run.console.suites {
            write!(text, "{kernel:<32}{:<24}", suite.name).ok();
            match suite.counts {
                Some(counts) => {
                    writeln!(text, "{:>7}{:>8}{:>8}", counts.passed, counts.failed, counts.ignored).ok()
                }
                None => writeln!(text, "did not come to its end").ok(),
            };
        }
        let boot = run.boot.map_or("never".to_owned(), |boot| format!("after {:.1} s", boot.as_secs_f32()));
        writeln!(text, "{kernel:<32}up {boot}, over after {:.1} s", run.took.as_secs_f32()).ok();
    }
    text + &omissions(runs, left_out) + &costs(runs)
}

/// What the guests did not do, or did less of.
fn omissions(runs: &[Run], left_out: &[&str]) -> String {
    let mut text = String::new();
    if !left_out.is_empty() {
        let why = "about hs-mon alone, or about what a table shows too";
        let number = left_out.len();
        writeln!(text, "\nskipped on each kernel, run on the host, {number} tests {why}:").ok();
        left_out.iter().for_each(|test| text.push_str(&format!("  {test}\n")));
    }
    let trimmed: BTreeSet<&String> = runs.iter().flat_map(|run| &run.console.trimmed).collect();
    if !trimmed.is_empty() {
        text.push_str("\nless than on the host:\n");
        trimmed.iter().for_each(|what| text.push_str(&format!("  {what}\n")));
    }
    text
}

/// One line a program, one column a kernel.
fn costs(runs: &[Run]) -> String {
    let mut programs: Vec<&str> =
        runs.iter().flat_map(|run| &run.console.costs).map(|cost| cost.program.as_str()).collect();
    programs.sort_unstable();
    programs.dedup();
    if programs.is_empty() {
        return String::new();
    }
    let mut text = format!("\n{:<24}{:>10}", "verifier: instructions", "limit");
    runs.iter().for_each(|run| text.push_str(&format!("{:>10}{:>8}{:>7}", run.label, "states", "stack")));
    for program in programs {
        let limit = budget::limit(program).map_or("none".to_owned(), |limit| limit.to_string());
        write!(text, "\n{program:<24}{limit:>10}").ok();
        for run in runs {
            let cost = run.console.costs.iter().find(|cost| cost.program == program);
            let instructions = number(cost.map(|cost| cost.instructions));
            let states = number(cost.and_then(|cost| cost.states));
            let stack = number(cost.and_then(|cost| cost.stack));
            write!(text, "{instructions:>10}{states:>8}{stack:>7}").ok();
        }
    }
    text + "\n"
}

fn number(known: Option<u32>) -> String {
    known.map_or("-".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::vm::console::Console;
    use crate::vm::verdict::Ended;

    fn run(label: &str, lines: &str) -> Run {
        let mut console = Console::default();
        lines.lines().for_each(|line| console.line(line));
        let (boot, took) = (Some(Duration::from_millis(2300)), Duration::from_millis(6100));
        Run {
            label: label.to_owned(),
            console,
            ended: Ended::Exited(Some(33)),
            boot,
            took,
            dir: PathBuf::new(),
        }
    }

    #[test]
    fn every_suite_and_every_program_has_its_line() {
        let first = "hs-vm: up 6.1.0\nhs-vm: begin guest\nverifier hs_xdp insns=1436 states=80 stack=96\n\
                     trimmed SYNs: 2 instead of 10\n\
                     test result: ok. 9 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        let second = "hs-vm: up 6.12.0\nhs-vm: begin guest";
        let expected = "
kernel                          suite                    passed  failed skipped
6.1.0                           guest                         9       0       1
6.1.0                           up after 2.3 s, over after 6.1 s
6.12.0                          guest                   did not come to its end
6.12.0                          up after 2.3 s, over after 6.1 s

skipped on each kernel, run on the host, 1 tests about hs-mon alone, or about what a table shows too:
  a_closed_pipe

less than on the host:
  SYNs: 2 instead of 10

verifier: instructions       limit       6.1  states  stack      6.12  states  stack
hs_xdp                       20000      1436      80     96         -       -      -
";
        assert_eq!(render(&[run("6.1", first), run("6.12", second)], &["a_closed_pipe"]), expected);
    }
}
