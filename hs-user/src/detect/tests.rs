//! The detector on totals that are made up step by step. How well it does on traffic is measured by
//! `tests/detect_eval`.

#![expect(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]

use std::net::Ipv4Addr;

use anyhow::Result;
use hs_common::memory::Victims;
use hs_common::victim::watch::Watched;
use hs_common::victim::{Tally, Total};
use hs_common::{Outcome, VictimSet};

use super::*;
use crate::responders::WatchList;

const STEP: u64 = NS_PER_SEC / 8;

/// Totals without packets.
#[derive(Default)]
struct Totals(Victims);

impl Responders for Totals {
    fn seed(&self) -> u64 {
        hs_common::memory::SEED
    }

    fn for_each_set(&self, each: &mut dyn FnMut(&VictimSet)) -> Result<()> {
        self.0.sets().iter().for_each(each);
        Ok(())
    }

    fn set_watches(&mut self, list: &WatchList) -> Result<()> {
        self.0.set_watches(&list.index, &list.heads);
        Ok(())
    }

    fn clear_watch(&mut self, number: u32) -> Result<()> {
        self.0.clear(number);
        Ok(())
    }

    fn watched(&self, number: u32, each: &mut dyn FnMut(&Watched)) -> Result<()> {
        self.0.watched(number).into_iter().for_each(each);
        Ok(())
    }
}

struct Sim {
    detector: Detector,
    totals: Totals,
    now_ns: u64,
    alerts: Vec<Alert>,
}

fn host(last: u8) -> Addr {
    Ipv4Addr::new(198, 18, 0, last).into()
}

impl Sim {
    fn new(settings: Settings) -> Sim {
        let now_ns = 1_700_000_000 * NS_PER_SEC;
        Sim { detector: Detector::new(settings), totals: Totals::default(), now_ns, alerts: Vec::new() }
    }

    /// So many handshakes in each step with each of the ports of a host; they stay unanswered, or not.
    fn run(
        &mut self,
        seconds: u64,
        dest: Addr,
        ports: u16,
        count: u64,
        outcome: Option<Outcome>,
    ) -> &mut Sim {
        (0..seconds * 8).for_each(|_| self.run_step(dest, ports, count, outcome));
        self
    }

    fn run_step(&mut self, dest: Addr, ports: u16, count: u64, outcome: Option<Outcome>) {
        self.now_ns += STEP;
        for port in 0..ports {
            let key = VictimKey::port(dest, 80 + port);
            for _ in 0..count {
                self.totals.0.tally(&key, Tally::syn(true), self.now_ns);
                self.totals.0.tally(&key, Tally::segment(Total::Synack), self.now_ns);
                outcome.into_iter().for_each(|outcome| {
                    self.totals.0.tally(&key, Tally::ended(outcome), self.now_ns);
                });
            }
        }
        self.detector.observe(self.now_ns, &mut self.totals, &mut self.alerts).unwrap();
    }

    fn silence(&mut self, seconds: u64) -> &mut Sim {
        self.run(seconds, host(1), 0, 0, None)
    }

    fn starts(&self) -> Vec<Target> {
        self.alerts.iter().filter(|alert| alert.phase == Phase::Start).map(|alert| alert.victim).collect()
    }
}

fn port(last: u8, port: u16) -> Target {
    Target { ip: host(last).into(), port: Some(port), prefix: None }
}

#[test]
fn a_flood_is_told_from_start_to_end_with_its_own_totals() {
    let mut sim = Sim::new(Settings::default());
    sim.run(20, host(1), 1, 10, Some(Outcome::Completed)).run(4, host(1), 1, 250, None).silence(10);
    assert_eq!(sim.starts(), [port(1, 80)]);
    let end = sim.alerts.last().unwrap();
    assert_eq!((end.phase, end.syn_total), (Phase::End, 8_000));
    assert!(sim.alerts.windows(2).all(|pair| pair[1].now_ns - pair[0].now_ns >= NS_PER_SEC));
    assert!(end.now_ns - end.last_seen_ns < 4 * NS_PER_SEC);
    // While it only fades, nothing is told but the end.
    assert!(sim.alerts.iter().all(|alert| alert.phase == Phase::End || alert.syn_rate > 0.0));
    assert!(sim.silence(10).detector.is_idle());
}

/// Nobody looks while nothing happens, so a step may be of hours. What is usual is then still what it was.
#[test]
fn after_hours_without_a_look_a_flood_is_told_and_nothing_else() {
    for hours in [1, 24, 24 * 365] {
        let mut sim = Sim::new(Settings::default());
        for _ in 0..30 {
            sim.run(3, host(1), 1, 10, Some(Outcome::Completed)).run(1, host(1), 1, 1, None);
        }
        assert!(sim.silence(20).detector.is_idle());
        assert_eq!(sim.starts(), []);
        sim.now_ns += hours * 3600 * NS_PER_SEC;
        sim.run(8, host(1), 1, 10, Some(Outcome::Completed)).run(1, host(1), 1, 1, None);
        assert_eq!(sim.starts(), [], "after {hours} hours");
        sim.run(4, host(1), 1, 250, None).silence(20);
        assert_eq!(sim.starts(), [port(1, 80)], "after {hours} hours");
        assert!(sim.detector.is_idle(), "after {hours} hours");
    }
}

#[test]
fn a_spray_wakes_no_more_than_can_be_looked_at_and_a_flood_in_it_is_told() {
    let mut sim = Sim::new(Settings::default());
    for step in 0..80_u16 {
        for number in 0..1_000_u16 {
            let key =
                VictimKey::port(Ipv4Addr::from_bits(u32::from(number) << 16 | u32::from(step)).into(), 1);
            sim.totals.0.tally(&key, Tally::syn(true), sim.now_ns);
        }
        sim.run_step(host(1), 1, if step < 40 { 0 } else { 100 }, None);
    }
    assert!(sim.detector.awake.len() < 2 * CROWDED, "{}", sim.detector.awake.len());
    assert!(sim.detector.untracked() > 0);
    assert_eq!(sim.starts(), [port(1, 80)]);
}

#[test]
fn what_completes_or_is_refused_is_no_flood() {
    for outcome in [Outcome::Completed, Outcome::Refused, Outcome::Aborted] {
        let mut sim = Sim::new(Settings::default());
        sim.run(5, host(1), 1, 1_000, Some(outcome)).silence(5);
        assert_eq!(sim.starts(), [], "{outcome:?}");
    }
}

#[test]
fn what_is_ignored_is_ignored_in_the_sum_too() {
    let exception = Exception { prefix: None, ports: vec![80], treatment: Treatment::Ignore };
    let settings = Settings { exceptions: vec![exception], ..Settings::default() };
    let mut sim = Sim::new(settings.clone());
    sim.run(5, host(1), 1, 1_000, None);
    assert_eq!(sim.starts(), []);
    // Reloaded without the exception, what is known stays and the flood is told.
    sim.detector.set_settings(Settings::default());
    sim.run(5, host(1), 1, 1_000, None);
    assert_eq!(sim.starts(), [port(1, 80)]);
}

#[test]
fn sensitivity_moves_the_moment() {
    let delay = |sensitivity| {
        let mut sim = Sim::new(Settings::new(sensitivity));
        sim.silence(12).run(20, host(1), 1, 25, None);
        sim.alerts.first().map(|alert| alert.now_ns).unwrap()
    };
    assert!(delay(Sensitivity::High) < delay(Sensitivity::Medium));
    assert!(delay(Sensitivity::Medium) < delay(Sensitivity::Low));
}

#[test]
fn floods_on_several_ports_are_told_by_port_if_they_are_large_and_by_address_if_not() {
    let mut sim = Sim::new(Settings::default());
    sim.run(3, host(1), 2, 200, None);
    let mut starts = sim.starts();
    starts.sort_by_key(|target| target.port);
    assert!(starts == [port(1, 80), port(1, 81)] || starts.len() == 1, "{starts:?}");
}

#[test]
fn a_reload_keeps_what_is_usual_and_the_alarm() {
    let mut sim = Sim::new(Settings::default());
    sim.run(60, host(1), 1, 10, Some(Outcome::Completed)).run(3, host(2), 1, 250, None);
    let usual = |sim: &Sim| sim.detector.tracks[&VictimKey::port(host(1), 80)].series.baseline().to_owned();
    let before = usual(&sim);
    assert!(before.completed > 40.0, "{before:?}");
    sim.detector.set_settings(Settings::new(Sensitivity::Low));
    assert_eq!(usual(&sim), before);
    sim.run(3, host(2), 1, 250, None).silence(10);
    assert_eq!(sim.starts(), [port(2, 80)]);
    let end = sim.alerts.last().unwrap();
    assert_eq!((end.id, end.phase, end.syn_total), (1, Phase::End, 12_000));
}

#[test]
fn an_alarm_of_what_is_ignored_from_now_on_ends() {
    let mut sim = Sim::new(Settings::default());
    sim.run(3, host(1), 1, 250, None);
    let exception = Exception { prefix: None, ports: vec![80], treatment: Treatment::Ignore };
    sim.detector.set_settings(Settings { exceptions: vec![exception], ..Settings::default() });
    sim.run(1, host(1), 1, 250, None);
    assert_eq!(sim.alerts.last().unwrap().phase, Phase::End);
    let told = sim.alerts.len();
    assert!(sim.run(2, host(1), 1, 250, None).silence(10).detector.is_idle());
    assert_eq!(sim.alerts.len(), told);
}
