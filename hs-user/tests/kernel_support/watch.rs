//! hs-mon at work in the laboratory: its JSON is read as it comes, and its totals are held to what they promise.

#![allow(dead_code, reason = "its users include all of it, and none of them uses all of it")]

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::Value;

use crate::guest::unless_guest;
use crate::lab::monitor::{Monitor, Setup};
use crate::lab::netns::Netns;

/// For what happens at once, on a slow machine.
pub const SOON: Duration = Duration::from_secs(60);

/// The outcomes that a handshake can have.
const OUTCOMES: [&str; 6] = ["completed", "unverified", "refused", "aborted", "half_open", "malformed"];

/// The program under test.
pub fn program() -> PathBuf {
    std::env::var_os("HS_MON_BIN").map_or_else(|| env!("CARGO_BIN_EXE_hs-mon").into(), PathBuf::from)
}

/// Totals, by name.
#[derive(Clone, Debug)]
pub struct Totals(pub Value);

impl Totals {
    pub fn get(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("no total {name} in {}", self.0))
    }

    /// The sum of those of one object.
    fn sum(&self, object: &str) -> u64 {
        let members = self.0[object].as_object().unwrap_or_else(|| panic!("no {object} in {}", self.0));
        members.values().map(|number| number.as_u64().expect("a total")).sum()
    }

    fn of_line(line: &str) -> Option<Totals> {
        let line = json(line);
        (line["event_type"] == "stats").then(|| Totals(line["stats"].clone()))
    }
}

/// A running hs-mon that writes JSON, and its totals often.
pub struct Watch {
    pub monitor: Monitor,
    stderr: Receiver<String>,
}

/// All that it said.
pub struct Said {
    pub totals: Totals,
    pub events: Vec<Value>,
    pub stderr: Vec<String>,
}

impl Watch {
    /// Starts it with these further arguments, separated by blanks, and waits until it watches all interfaces.
    pub fn start(ns: &Netns, args: &str) -> Watch {
        let watch = Watch::launch(ns, args);
        for _ in 0..args.matches("--iface").count() {
            watch.wait_for_message("hs-mon: watching ");
        }
        watch
    }

    /// Starts it, and waits for nothing.
    pub fn launch(ns: &Netns, args: &str) -> Watch {
        let fixed = ["--format", "json", "--stats-interval", "50ms"];
        let mut args: Vec<&str> = fixed.into_iter().chain(args.split_whitespace()).collect();
        // Its tables are to be made and cleared, which takes an emulated processor long.
        let flows = unless_guest("flows that a watch remembers", "131072", "32768");
        if !args.contains(&"--max-flows") {
            args.extend(["--max-flows", flows]);
        }
        let (heard, stderr) = mpsc::channel();
        // Nobody hears it any more when the watch has ended.
        let listener = move |line: &str| drop(heard.send(line.to_owned()));
        let setup = Setup { stderr: Some(Box::new(listener)), ..Setup::default() };
        let monitor = Monitor::launch(ns, &program(), &args, setup).expect("hs-mon starts");
        Watch { monitor, stderr }
    }

    /// The next line of standard error with this in it.
    pub fn wait_for_message(&self, part: &str) -> String {
        let mut before = Vec::new();
        loop {
            match self.stderr.recv_timeout(SOON) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => before.push(line),
                Err(why) => panic!("{why} for {part:?} on standard error; there was {before:?}"),
            }
        }
    }

    /// Waits until the totals are as wanted.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Totals) -> bool) -> Totals {
        let line = self.monitor.wait_for_line(SOON, |line| Totals::of_line(line).is_some_and(|t| wanted(&t)));
        match line {
            Ok(line) => Totals::of_line(&line).expect("totals, as just seen"),
            Err(error) => {
                let lines = self.monitor.lines();
                let last = lines.iter().rev().find_map(|line| Totals::of_line(line));
                panic!("{what}: {error:#}; the last totals: {last:?}")
            }
        }
    }

    /// Waits until this total is as large as this.
    pub fn wait_for_total(&self, name: &str, number: u64) -> Totals {
        self.wait_for(&format!("{name} reaches {number}"), |totals| totals.get(name) >= number)
    }

    /// Waits for an event.
    pub fn wait_for_event(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let line = self.monitor.wait_for_line(SOON, |line| wanted(&json(line)));
        json(&line.unwrap_or_else(|error| panic!("{what}: {error:#}")))
    }

    /// Ends it by SIGINT.
    pub fn stop(self) -> Said {
        self.stop_by(libc::SIGINT)
    }

    /// Ends it, and sees that it ends well, and that nothing was lost.
    pub fn stop_by(self, signal: i32) -> Said {
        let said = self.end(signal);
        assert_eq!(said.totals.get("events_lost"), 0, "{:?}", said.totals);
        // Of a guest's processors, which take turns, one may hold a flow until its next: a FIN waits in vain for the ACK.
        let contended = unless_guest("segments that may wait in vain in a watch", 0, 10);
        assert!(said.totals.get("flows_contended") <= contended, "{:?}", said.totals);
        said
    }

    /// Ends it after events were lost, or segments not tracked.
    pub fn stop_after_losses(self) -> Said {
        self.end(libc::SIGINT)
    }

    /// Ends it, and sees that it ends well: status 0, valid lines, totals last, and that they add up.
    fn end(self, signal: i32) -> Said {
        let finished = self.monitor.stop(signal).expect("hs-mon ends");
        assert_eq!(finished.status.code(), Some(0), "{:?}", finished.stderr);
        let (last, before) = finished.stdout.split_last().expect("there are totals at the end");
        let totals = Totals::of_line(last).unwrap_or_else(|| panic!("the last line is no totals: {last}"));
        let events: Vec<Value> = before.iter().map(|line| json(line)).collect();
        let events = events.into_iter().filter(|event| event["event_type"] != "stats").collect();
        let said = Said { totals, events, stderr: finished.stderr };
        said.add_up();
        said
    }
}

impl Said {
    /// What holds of totals and events, whatever happened.
    fn add_up(&self) {
        let totals = &self.totals;
        let ended: u64 = OUTCOMES.iter().map(|outcome| totals.get(outcome)).sum();
        assert_eq!(totals.get("begun"), ended, "every handshake has one outcome: {totals:?}");
        let parsed = totals.get("tcp_segments") + totals.sum("parse_errors") + totals.sum("not_parsed");
        assert_eq!(totals.get("packets"), parsed, "every packet is parsed, or has a reason: {totals:?}");
        let due = ended + totals.get("completed_late") + totals.sum("anomalies");
        let due = due - totals.0["anomalies"]["ack_unsolicited"].as_u64().unwrap_or(0);
        assert_eq!(totals.get("events_produced"), due, "every end and every anomaly is an event: {totals:?}");
        let came = ["events_delivered", "events_lost", "events_suppressed"].map(|name| totals.get(name));
        assert_eq!(due, came.iter().sum::<u64>(), "every event came, or is known to be missing: {totals:?}");
        assert_eq!(totals.0["ledger"]["balanced"], true, "{totals:?}");
        assert_eq!(totals.get("in_progress"), 0, "{totals:?}");
    }

    /// Without `--only`: each event that was due was written, or left out and counted.
    pub fn tells_all(&self) {
        let told = self.count(|event| event["event_type"] != "alert");
        let due = self.totals.get("events_produced");
        assert_eq!(told + self.totals.get("events_suppressed"), due, "{:?}", self.totals);
        if self.totals.get("events_suppressed") == 0 {
            for outcome in OUTCOMES {
                // One that completes late was told before under another outcome.
                let told = self.count(|event| event["handshake"]["outcome"] == outcome);
                let late = if outcome == "completed" { 0 } else { self.totals.get("completed_late") };
                let total = self.totals.get(outcome);
                assert!((total..=total + late).contains(&told), "{outcome}: {told}, {:?}", self.totals);
            }
        }
    }

    pub fn count(&self, wanted: impl Fn(&Value) -> bool) -> u64 {
        self.events.iter().filter(|event| wanted(event)).count() as u64
    }

    pub fn handshakes(&self) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(|event| event["event_type"] == "handshake")
    }
}

/// A line as JSON.
pub fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON: {error}: {line}"))
}
