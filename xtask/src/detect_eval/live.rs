//! Scenarios as they happen, in two network namespaces: the system's own TCP, the release hs-mon, wall-clock time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::scenarios::{self, Scenario};
use super::{Options, live_table};
use crate::build::{self, Profile};
use crate::lab::Lab;
use crate::lab::clients::Clients;
use crate::lab::monitor::{Finished, Monitor, Setup};
use crate::lab::server::{Manner, Server};
use crate::lab::wire::Wire;
use crate::shell;

/// The service that honest clients come for.
pub const PORT: u16 = 443;
/// The detector is patient at first; what is measured is the time after that.
const WARM_UP: Duration = Duration::from_secs(11);
/// An end is to be told within 5 s; a machine under load takes longer to say so.
const END_WITHIN: Duration = Duration::from_secs(10);

/// What a scenario has to work with.
pub struct Stage {
    pub lab: Lab,
    pub wire: Wire,
    /// Connections made besides those of the honest clients.
    pub crowd: u64,
}

/// An alert, and when its line came.
#[derive(Clone, Debug)]
pub struct Heard {
    pub at: Instant,
    pub event: Value,
}

impl Heard {
    pub fn is(&self, phase: &str) -> bool {
        self.event["synflood"]["phase"] == phase
    }

    pub fn id(&self) -> &Value {
        &self.event["synflood"]["id"]
    }
}

/// What came of a scenario.
pub struct Outcome {
    pub began: Instant,
    pub ended: Instant,
    pub alerts: Vec<Heard>,
    /// Connections that clients made.
    pub made: u64,
    /// Handshakes of theirs that hs-mon reported completed.
    pub reported: u64,
}

/// Runs those that are wanted, and prints a table. Fails if a figure was missed.
pub fn run(options: &Options) -> Result<()> {
    let hs_mon = build::build(Profile::Release)?;
    let mut missed = Vec::new();
    let wanted: Vec<Scenario> =
        scenarios::all().into_iter().filter(|scenario| options.is_wanted(scenario.name)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    live_table::print_head();
    for scenario in &wanted {
        shell::say(&format!("live: {}", scenario.name));
        let outcome = measure(scenario, &hs_mon).with_context(|| scenario.name)?;
        let row = live_table::Row::of(scenario, &outcome);
        row.print();
        missed.extend(row.missed);
    }
    if missed.is_empty() {
        return Ok(());
    }
    bail!("figures that were not reached live:\n{}", missed.join("\n"))
}

/// In a laboratory of its own, which is gone afterwards, whatever happens.
fn measure(scenario: &Scenario, hs_mon: &Path) -> Result<Outcome> {
    let lab = Lab::pair()?;
    let service = scenario.service(&lab);
    let addresses = [lab.server.plan.v4_at(PORT), lab.server.plan.v6_at(PORT)];
    let _server = Server::start(&lab.server.ns, &addresses, Manner::Close, None)?;
    let alerts = Arc::new(Mutex::new(Vec::new()));
    let monitor = start(&lab, hs_mon, &alerts)?;
    let clients = Clients::start(&lab.client.ns, &[service], scenario.honest)?;
    thread::sleep(WARM_UP);

    let wire = Wire::open(&lab.client)?;
    let mut stage = Stage { lab, wire, crowd: 0 };
    let began = Instant::now();
    (scenario.act)(&mut stage)?;
    let ended = Instant::now();
    wait_for_ends(&alerts);
    let made = clients.stop()?.connected + stage.crowd;
    let finished = monitor.stop(libc::SIGINT)?;
    let alerts = alerts.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Outcome { began, ended, alerts, made, reported: reported(&stage.lab, &finished) })
}

fn start(lab: &Lab, hs_mon: &Path, alerts: &Arc<Mutex<Vec<Heard>>>) -> Result<Monitor> {
    let alerts = Arc::clone(alerts);
    let hear = move |line: &str| {
        let at = Instant::now();
        if !line.contains("\"event_type\":\"alert\"") {
            return;
        }
        if let Ok(event) = serde_json::from_str(line) {
            alerts.lock().unwrap_or_else(PoisonError::into_inner).push(Heard { at, event });
        }
    };
    let setup = Setup { stdout: Some(Box::new(hear)), ..Setup::default() };
    let args = ["--iface", lab.server.plan.interface, "--format", "json"];
    let monitor = Monitor::launch(&lab.server.ns, hs_mon, &args, setup)?;
    monitor.wait_until_watching()?;
    Ok(monitor)
}

/// Until every alert that began has ended, and for long enough that a late one is seen.
fn wait_for_ends(alerts: &Mutex<Vec<Heard>>) {
    let since = Instant::now();
    let open = || {
        let alerts = alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |phase| alerts.iter().filter(|alert| alert.is(phase)).count();
        count("start") > count("end")
    };
    while since.elapsed() < END_WITHIN && (open() || since.elapsed() < END_WITHIN / 4) {
        thread::sleep(Duration::from_millis(50));
    }
}

/// Handshakes of clients that were told completed, one by one.
fn reported(lab: &Lab, finished: &Finished) -> u64 {
    let plan = lab.client.plan;
    let sources = [format!("\"src_ip\":\"{}\"", plan.v4), format!("\"src_ip\":\"{}\"", plan.v6)];
    let completed = |line: &&String| {
        line.contains("\"outcome\":\"completed\"") && sources.iter().any(|source| line.contains(source))
    };
    finished.stdout.iter().filter(completed).count() as u64
}
