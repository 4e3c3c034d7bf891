//! Reads what a guest prints on the tests' serial line.

use std::collections::BTreeSet;

use super::budget::Cost;
use super::protocol::{MARK, Message};
use crate::libtest::{self, Counts};

/// How a test begins its line when it does less of something than on a host.
const TRIMMED: &str = "trimmed ";

/// What has been read so far.
#[derive(Default, Debug)]
pub struct Console {
    /// The release of the kernel, once the guest is up.
    pub release: Option<String>,
    /// What was wrong with the guest itself.
    pub problems: Vec<String>,
    /// The suites that were started.
    pub suites: Vec<Suite>,
    /// What the verifier did.
    pub costs: Vec<Cost>,
    /// What the tests did less of than on a host, in their words.
    pub trimmed: BTreeSet<String>,
    /// The test in whose line the output ended.
    pub unfinished: Option<String>,
    /// The number of suites by the last line, if that has come.
    pub done: Option<usize>,
}

/// One test program.
#[derive(Debug)]
pub struct Suite {
    /// Its name.
    pub name: String,
    /// Its tests, by its own last line; none if that never came.
    pub counts: Option<Counts>,
    /// How its process ended, if it did.
    pub end: Option<String>,
}

impl Console {
    /// Takes in the next line.
    pub fn line(&mut self, line: &str) {
        if let Some(message) = message(line) {
            self.message(message);
        } else if let Some(cost) = Cost::parse(line) {
            self.cost(cost);
        } else if let Some(what) = line.strip_prefix(TRIMMED) {
            self.trimmed.insert(what.to_owned());
        } else if let (Some(counts), Some(suite)) = (libtest::summary(line), self.suites.last_mut()) {
            *suite.counts.get_or_insert_default() += counts;
        }
    }

    /// Takes in what came behind the last whole line: a test's name stands there before its result.
    pub fn rest(&mut self, text: &str) {
        self.unfinished =
            text.strip_prefix("test ").and_then(|text| text.split_whitespace().next()).map(str::to_owned);
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Up(release) => self.release = Some(release),
            Message::Problem(text) => self.problems.push(text),
            Message::Begin(name) => self.suites.push(Suite { name, counts: None, end: None }),
            Message::End(name, how) => {
                if let Some(suite) = self.suites.iter_mut().rfind(|suite| suite.name == name) {
                    suite.end = Some(how);
                }
            }
            Message::Done(suites) => self.done = Some(suites),
        }
    }

    /// Of a program that was loaded more than once, what was most.
    fn cost(&mut self, cost: Cost) {
        match self.costs.iter_mut().find(|known| known.program == cost.program) {
            Some(known) if known.instructions < cost.instructions => *known = cost,
            Some(_) => {}
            None => self.costs.push(cost),
        }
    }

    /// The tests of all suites together.
    pub fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        self.suites.iter().filter_map(|suite| suite.counts).for_each(|counts| sum += counts);
        sum
    }
}

/// init's message in a line, if there is one: a suite that crashed may have left its own start of the line.
fn message(line: &str) -> Option<Message> {
    let (_, text) = line.split_once(MARK)?;
    let (word, rest) = text.split_once(' ')?;
    match word {
        "up" => Some(Message::Up(rest.to_owned())),
        "problem" => Some(Message::Problem(rest.to_owned())),
        "begin" => Some(Message::Begin(rest.to_owned())),
        "end" => rest.split_once(' ').map(|(suite, how)| Message::End(suite.to_owned(), how.to_owned())),
        "done" => rest.parse().ok().map(Message::Done),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Console {
        let mut console = Console::default();
        text.lines().for_each(|line| console.line(line));
        console
    }

    #[test]
    fn what_init_writes_is_what_is_read() {
        let messages = [
            Message::Up("6.1.0-56-cloud-amd64".to_owned()),
            Message::Problem("can't load veth: no such file".to_owned()),
            Message::Begin("guest".to_owned()),
            Message::End("guest".to_owned(), "signal: 11 (SIGSEGV)".to_owned()),
            Message::Done(3),
        ];
        for expected in messages {
            assert_eq!(message(&expected.to_string()), Some(expected));
        }
    }

    #[test]
    fn a_whole_run_is_read() {
        let console = read(
            "hs-vm: up 6.1.0\nhs-vm: begin guest\n\nrunning 1 test\ntest loopback ... ok\n\
             test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
             hs-vm: end guest exit status: 0\nhs-vm: begin kernel_xdp\n\
             verifier hs_xdp insns=10 states=1 stack=8\nverifier hs_xdp insns=12 states=2 stack=8\n\
             verifier hs_xdp insns=11 states=1 stack=8\ntrimmed SYNs: 2 instead of 10\ntrimmed SYNs: 2 instead of 10\n\
             test result: FAILED. 2 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out\n\
             hs-vm: end kernel_xdp exit status: 101\nhs-vm: done 2",
        );
        assert_eq!(console.release.as_deref(), Some("6.1.0"));
        assert_eq!(console.done, Some(2));
        assert_eq!(console.counts(), Counts { passed: 3, failed: 1, ignored: 3 });
        assert_eq!(
            console.costs,
            [Cost { program: "hs_xdp".to_owned(), instructions: 12, states: Some(2), stack: Some(8) }]
        );
        assert_eq!(console.trimmed.len(), 1, "{:?}", console.trimmed);
        let ends: Vec<_> = console.suites.iter().map(|suite| suite.end.as_deref()).collect();
        assert_eq!(ends, [Some("exit status: 0"), Some("exit status: 101")]);
    }

    #[test]
    fn inits_line_is_found_behind_what_a_crashed_suite_left() {
        let console = read("hs-vm: begin a\ntest crash ... hs-vm: end a signal: 11 (SIGSEGV)");
        assert_eq!(console.suites[0].end.as_deref(), Some("signal: 11 (SIGSEGV)"));
        assert_eq!(console.suites[0].counts, None);
    }

    #[test]
    fn what_came_before_the_cut_is_kept_and_the_rest_is_missing() {
        let console = read("hs-vm: up 6.1.0\nhs-vm: begin guest\ntest result: ok. 1 pas");
        assert_eq!((console.suites.len(), console.done), (1, None));
        assert_eq!((console.suites[0].counts, &console.suites[0].end), (None, &None));
    }
}
