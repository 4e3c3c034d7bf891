//! Whether a guest's run is a success. It takes both, the exit status of qemu and the last line of init:
//! after a kernel panic qemu ends with 0, and a status alone can't tell that the output was cut.

use std::time::Duration;

use super::budget;
use super::console::{Console, Suite};
use super::protocol::{FAILED, PASSED};

/// How a process ends that is content.
const CONTENT: &str = "exit status: 0";

/// The exit statuses that qemu makes of init's values.
const ALL_PASSED: i32 = qemu_status(PASSED);
const NOT_ALL_PASSED: i32 = qemu_status(FAILED);

const fn qemu_status(value: u8) -> i32 {
    ((value as i32) << 1) | 1
}

/// How a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself; qemu's exit status, or none if a signal ended it.
    Exited(Option<i32>),
    /// It was killed because it had said nothing for so long.
    Silent(Duration),
    /// It was killed because it took longer than this.
    Overdue(Duration),
}

/// Everything that keeps a run from being a success, the cause before what follows from it. Tests that
/// failed are one of them.
pub fn objections(ended: Ended, console: &Console, planned: &[String]) -> Vec<String> {
    let mut objections = console.problems.clone();
    objections.extend(end_of_machine(ended, console));
    objections.extend(console.suites.iter().filter_map(end_of_suite));
    let started = |name: &String| console.suites.iter().any(|suite| suite.name == *name);
    let missing: Vec<&str> = planned.iter().filter(|name| !started(name)).map(String::as_str).collect();
    objections.extend((!missing.is_empty()).then(|| format!("never started: {}", missing.join(", "))));
    objections.extend(budget::objections(&console.costs));
    objections
}

fn end_of_machine(ended: Ended, console: &Console) -> Option<String> {
    let at = whereabouts(console);
    let whole = console.done == Some(console.suites.len());
    match ended {
        Ended::Silent(limit) => Some(format!("killed: nothing was heard for {} s, {at}", limit.as_secs())),
        Ended::Overdue(limit) => Some(format!("killed: not over after {} s, {at}", limit.as_secs())),
        Ended::Exited(Some(ALL_PASSED | NOT_ALL_PASSED)) if !whole => {
            Some(format!("the console is truncated: init's last line is missing, {at}"))
        }
        Ended::Exited(Some(ALL_PASSED)) => None,
        Ended::Exited(Some(NOT_ALL_PASSED)) => {
            let told =
                !console.problems.is_empty() || console.suites.iter().any(|s| end_of_suite(s).is_some());
            (!told).then(|| "init tells of a failure that is not in its output".to_owned())
        }
        Ended::Exited(Some(0)) => Some(format!("the kernel panicked or was reset, {at}")),
        Ended::Exited(Some(status)) => Some(format!("qemu failed with status {status}, {at}")),
        Ended::Exited(None) => Some(format!("qemu was killed, {at}")),
    }
}

fn whereabouts(console: &Console) -> String {
    match (&console.release, console.suites.last()) {
        (None, _) => "before the guest was up".to_owned(),
        (_, Some(Suite { name, end: None, .. })) => match &console.unfinished {
            Some(test) => format!("in suite {name}, test {test}"),
            None => format!("in suite {name}"),
        },
        (_, Some(Suite { name, .. })) => format!("after suite {name}"),
        (_, None) => "before the first suite".to_owned(),
    }
}

fn end_of_suite(suite: &Suite) -> Option<String> {
    let name = &suite.name;
    let failed = suite.counts.map(|counts| counts.failed);
    match (suite.end.as_deref(), failed) {
        (None, _) => Some(format!("suite {name} did not end")),
        (_, Some(failed)) if failed > 0 => Some(format!("suite {name}: {failed} failed")),
        (Some(CONTENT), Some(_)) => None,
        (Some(CONTENT), None) => Some(format!("suite {name} ended without counting its tests")),
        (Some(how), _) => Some(format!("suite {name} ended with {how} without a failed test")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Ended = Ended::Exited(Some(33));
    const BAD_END: Ended = Ended::Exited(Some(35));
    const UP: &str = "hs-vm: up 6.1.0\nhs-vm: begin guest\n";
    const OK: &str = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
    const BAD: &str = "test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n";
    const END: &str = "hs-vm: end guest exit status: 0\n";
    const DONE: &str = "hs-vm: done 1\n";

    fn judge(ended: Ended, lines: &[&str]) -> Vec<String> {
        let mut console = Console::default();
        lines.concat().lines().for_each(|line| console.line(line));
        objections(ended, &console, &["guest".to_owned()])
    }

    #[test]
    fn only_a_whole_run_of_passed_tests_is_a_success() {
        assert!(judge(GOOD, &[UP, OK, END, DONE]).is_empty());
        let failed = "hs-vm: end guest exit status: 101\n";
        let cases: [(&str, Ended, &[&str], &str); 14] = [
            ("failed test", BAD_END, &[UP, BAD, failed, DONE], "guest: 1 failed"),
            ("failed test, wrong status", GOOD, &[UP, BAD, failed, DONE], "guest: 1 failed"),
            ("panic at boot", Ended::Exited(Some(0)), &[], "panicked or was reset, before the guest was up"),
            ("panic in a test", Ended::Exited(Some(0)), &[UP], "panicked or was reset, in suite guest"),
            ("panic after all", Ended::Exited(Some(0)), &[UP, OK, END, DONE], "panicked"),
            (
                "hang",
                Ended::Silent(Duration::from_secs(9)),
                &[UP],
                "nothing was heard for 9 s, in suite guest",
            ),
            ("overdue", Ended::Overdue(Duration::from_secs(9)), &[UP], "not over after 9 s"),
            ("no last line", GOOD, &[UP, OK, END], "console is truncated"),
            (
                "cut in a suite",
                GOOD,
                &[UP, OK],
                "console is truncated: init's last line is missing, in suite",
            ),
            ("crash", BAD_END, &[UP, "hs-vm: end guest signal: 11\n", DONE], "ended with signal: 11 without"),
            ("no counts", GOOD, &[UP, END, DONE], "ended without counting"),
            ("no such suite", GOOD, &["hs-vm: up 6.1\nhs-vm: done 0\n"], "never started: guest"),
            ("bad guest", BAD_END, &["hs-vm: problem no veth\n", UP, OK, END, DONE], "no veth"),
            ("qemu", Ended::Exited(Some(1)), &[], "qemu failed with status 1"),
        ];
        for (name, ended, lines, expected) in cases {
            let objections = judge(ended, lines);
            assert!(
                objections.first().is_some_and(|first| first.contains(expected)),
                "{name}: {objections:?}"
            );
        }
    }

    #[test]
    fn the_test_that_hangs_is_named() {
        let mut console = Console::default();
        UP.lines().for_each(|line| console.line(line));
        console.rest("test a_slow_one ... ");
        let objections = objections(Ended::Silent(Duration::from_secs(9)), &console, &[]);
        assert!(objections[0].ends_with("in suite guest, test a_slow_one"), "{objections:?}");
    }

    #[test]
    fn a_failure_without_a_reason_is_still_one() {
        assert_eq!(judge(BAD_END, &[UP, OK, END, DONE]).len(), 1);
    }

    #[test]
    fn over_the_budget_is_a_failure() {
        let cost = "verifier hs_xdp insns=999999 states=1 stack=8\n";
        assert!(judge(GOOD, &[UP, cost, OK, END, DONE])[0].contains("999999"));
    }
}
