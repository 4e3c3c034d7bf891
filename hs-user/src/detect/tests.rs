//! Floods and crowds, step by step.

#![expect(clippy::unwrap_used, reason = "a test that can't unwrap has failed")]

use hs_common::victim::SKETCH_REGISTERS;

use super::*;

const T0: u64 = 1_700_000_000 * NS_PER_SEC;

fn victim(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// What happens to a victim in a second, in handshakes.
#[derive(Clone, Copy, Default)]
struct Traffic {
    begun: u64,
    completed: u64,
    refused: u64,
    aborted: u64,
    sources: u64,
}

const SILENCE: Traffic = Traffic { begun: 0, completed: 0, refused: 0, aborted: 0, sources: 0 };

fn flood(rate: u64) -> Traffic {
    Traffic { begun: rate, sources: rate, ..SILENCE }
}

fn crowd(rate: u64) -> Traffic {
    Traffic { begun: rate, completed: rate, sources: rate, ..SILENCE }
}

/// Drives a detector in steps of 250 ms; answers come a step after the handshake began.
struct Sim {
    detector: Detector,
    now_ns: u64,
    totals: Vec<VictimSample>,
    late: Vec<Traffic>,
    alerts: Vec<Alert>,
}

impl Sim {
    fn new(victims: u16) -> Sim {
        let totals = (0..victims).map(|index| nothing(victim(80 + index))).collect();
        let late = vec![SILENCE; usize::from(victims)];
        let detector = Detector::new(Settings::default());
        Sim { detector, now_ns: T0, totals, late, alerts: Vec::new() }
    }

    fn step(&mut self, traffic: &[Traffic]) {
        self.now_ns += STEP_NS;
        for ((total, now), late) in self.totals.iter_mut().zip(traffic).zip(&mut self.late) {
            total.syn += now.begun / 4;
            total.begun += now.begun / 4;
            total.completed += late.completed / 4;
            total.refused += late.refused / 4;
            total.aborted += late.aborted / 4;
            total.sources_estimate += now.sources / 4;
            *late = *now;
        }
        self.detector.observe(self.now_ns, self.totals.iter().copied(), &mut self.alerts);
    }

    fn run(&mut self, seconds: u64, traffic: &[Traffic]) -> &mut Sim {
        for _ in 0..seconds * 4 {
            self.step(traffic);
        }
        self
    }

    fn phases(&self) -> Vec<Phase> {
        self.alerts.iter().map(|alert| alert.phase).collect()
    }

    /// Nanoseconds from T0 to the first alert.
    fn first_after(&self) -> Option<u64> {
        self.alerts.first().map(|alert| alert.now_ns - T0)
    }
}

#[test]
fn floods_are_flagged_within_the_window() {
    let second = NS_PER_SEC;
    for (rate, within_ns) in
        [(200, 5 * second / 4), (400, second), (5_000, 3 * second / 4), (1_000_000, 3 * second / 4)]
    {
        let mut sim = Sim::new(1);
        sim.run(3, &[flood(rate)]);
        assert!(sim.first_after().is_some_and(|ns| ns <= within_ns), "{rate}/s: {:?}", sim.first_after());
        let alert = sim.alerts.last().unwrap();
        assert_eq!((alert.id, alert.started_at_ns, alert.victim), (1, T0, victim(80)), "{rate}/s");
        assert!((alert.syn_rate - rate as f64).abs() < 1.0, "{rate}/s: {}", alert.syn_rate);
        assert_eq!(alert.kind, Kind::Spoofed, "{rate}/s");
    }
}

#[test]
fn what_is_no_flood() {
    let mixed = Traffic { begun: 1200, completed: 1000, ..SILENCE };
    for (what, traffic) in [
        ("a flash crowd", crowd(5_000)),
        ("a huge flash crowd", crowd(500_000)),
        ("a dead service", Traffic { begun: 5_000, refused: 5_000, ..SILENCE }),
        ("a trickle below the floor", flood(80)),
        ("a few lost among many completed", mixed),
    ] {
        let mut sim = Sim::new(1);
        sim.run(2, &[SILENCE]).run(10, &[traffic]).run(10, &[SILENCE]).run(1, &[traffic]).run(5, &[SILENCE]);
        assert!(sim.alerts.is_empty(), "{what}: {:?}", sim.alerts);
        assert!(sim.detector.is_idle(), "{what}");
    }
}

#[test]
fn an_alarm_ends_when_the_flood_does() {
    let mut sim = Sim::new(1);
    sim.run(5, &[flood(4_000)]);
    let stopped_ns = sim.now_ns;
    sim.run(10, &[SILENCE]);
    assert_eq!(sim.phases().first(), Some(&Phase::Start));
    let end = sim.alerts.last().unwrap();
    assert_eq!((end.phase, end.syn_total, end.half_open), (Phase::End, 20_000, 20_000));
    assert!((3..=5).contains(&((end.now_ns - stopped_ns) / NS_PER_SEC)), "{}", end.now_ns - stopped_ns);
    assert!((end.peak_syn_rate - 4_000.0).abs() < 1.0);
    assert_eq!(end.completion_ratio, 0.0);
    assert!(sim.detector.is_idle());

    sim.run(5, &[flood(4_000)]);
    assert_eq!(sim.alerts.last().unwrap().id, 2);
}

#[test]
fn a_pause_shorter_than_the_quiet_time_does_not_end_it() {
    let mut sim = Sim::new(1);
    for _ in 0..5 {
        sim.run(2, &[flood(2_000)]).run(2, &[SILENCE]);
    }
    assert_eq!(sim.phases().iter().filter(|phase| **phase != Phase::Update).count(), 1);
}

#[test]
fn updates_come_once_a_second_at_the_most() {
    let mut sim = Sim::new(1);
    sim.run(20, &[flood(1_000)]);
    assert!((18..=20).contains(&sim.alerts.len()), "{}", sim.alerts.len());
    for pair in sim.alerts.windows(2) {
        assert!(pair[1].now_ns - pair[0].now_ns >= NS_PER_SEC);
    }
}

#[test]
fn victims_are_judged_each_for_itself() {
    let mut sim = Sim::new(2);
    sim.run(3, &[flood(1_000), crowd(1_000)]).run(3, &[flood(1_000), flood(1_000)]);
    let starts: Vec<_> = sim.alerts.iter().filter(|alert| alert.phase == Phase::Start).collect();
    assert_eq!(
        starts.iter().map(|alert| (alert.id, alert.victim.port())).collect::<Vec<_>>(),
        [(1, 80), (2, 81)]
    );
    let (mut out, now_ns) = (Vec::new(), sim.now_ns);
    sim.detector.finish(now_ns, &mut out);
    assert_eq!(
        out.iter().map(|alert| (alert.id, alert.phase)).collect::<Vec<_>>(),
        [(1, Phase::End), (2, Phase::End)]
    );
}

#[test]
fn a_flood_beside_clients_that_complete() {
    let mut sim = Sim::new(1);
    sim.run(5, &[crowd(500)]).run(5, &[Traffic { begun: 2_500, completed: 500, sources: 500, ..SILENCE }]);
    let last = sim.alerts.last().unwrap();
    assert_eq!(last.kind, Kind::Distributed);
    assert!((last.completed_rate - 500.0).abs() < 1.0 && last.completion_ratio < 0.5);
}

#[test]
fn counters_that_begin_anew() {
    let mut sim = Sim::new(1);
    sim.run(5, &[crowd(5_000)]);
    sim.totals[0] = nothing(victim(80));
    sim.run(5, &[crowd(5_000)]);
    assert!(sim.alerts.is_empty());
    sim.run(2, &[flood(1_000)]);
    sim.totals[0] = nothing(victim(80));
    sim.run(2, &[flood(1_000)]);
    let last = sim.alerts.last().unwrap();
    assert_eq!(last.phase, Phase::Update);
    assert!((3_500..=5_000).contains(&last.syn_total), "{}", last.syn_total);
}

/// The totals of a victim that was forgotten are not new when it is seen again.
#[test]
fn old_totals_are_not_taken_for_new_ones() {
    let mut sim = Sim::new(1);
    sim.run(3, &[flood(1_000)]).run(10, &[SILENCE]);
    let told = sim.alerts.len();
    for _ in 0..100 {
        sim.now_ns += NS_PER_SEC;
        sim.detector.observe(sim.now_ns, std::iter::empty(), &mut sim.alerts);
    }
    assert!(sim.detector.tracks.is_empty());
    sim.run(2, &[flood(40)]);
    assert_eq!(sim.alerts.len(), told);
    sim.run(2, &[flood(1_000)]);
    assert_eq!(sim.alerts[told].phase, Phase::Start);
}

#[test]
fn victims_beyond_the_bound_are_counted() {
    let many = |from: u32, count: u32| {
        (from..from + count).map(|index| VictimSample {
            syn: 1,
            begun: 1,
            ..nothing(SocketAddr::from((index.to_be_bytes(), 80)))
        })
    };
    let bound = MAX_VICTIMS as u32;
    let (mut detector, mut out) = (Detector::new(Settings::default()), Vec::new());
    detector.observe(T0, many(0, bound + 7), &mut out);
    assert_eq!((detector.tracks.len(), detector.untracked()), (MAX_VICTIMS, 7));
    for step in 1..20 {
        detector.observe(T0 + step * STEP_NS, std::iter::empty(), &mut out);
    }
    // Those are asleep by now and make room.
    detector.observe(T0 + 20 * STEP_NS, many(bound + 7, 10), &mut out);
    assert_eq!((detector.tracks.len(), detector.untracked()), (10, 7));
}

#[test]
fn steps_may_be_uneven() {
    let (mut detector, mut out) = (Detector::new(Settings::default()), Vec::new());
    let (mut now_ns, mut begun) = (T0, 0);
    for step in 0..2_000_u64 {
        let elapsed_ms = 1 + step * 7 % 90;
        now_ns += elapsed_ms * 1_000_000;
        begun += elapsed_ms;
        let sample = VictimSample { syn: begun, begun, ..nothing(victim(80)) };
        detector.observe(now_ns, [sample].into_iter(), &mut out);
        // A clock that goes back stands still.
        detector.observe(now_ns - 500, std::iter::empty(), &mut out);
    }
    assert!(detector.tracks[&victim(80)].window.len() < 64);
    assert!(out.iter().all(|alert| alert.peak_syn_rate < 1_200.0));
    assert!(out.len() > 60);
}

#[test]
fn sources_and_kinds() {
    let one = Traffic { begun: 1_000, sources: 0, ..SILENCE };
    let bots = Traffic { begun: 1_000, sources: 40, ..SILENCE };
    for (what, traffic, samples, kind) in [
        ("one source", one, 0, Kind::SingleSource),
        ("bots", bots, 0, Kind::Distributed),
        ("every handshake from another address", flood(1_000), 0, Kind::Spoofed),
        ("bots, one of which sends nearly all", bots, 90, Kind::SingleSource),
    ] {
        let mut sim = Sim::new(1);
        sim.totals[0].sources_estimate = 1;
        sim.run(2, &[traffic]);
        for index in 0..samples {
            let last = if index % 10 == 0 { index } else { 7 };
            sim.detector.note_source(victim(80), [198, 51, 100, last].into());
        }
        sim.run(2, &[traffic]);
        let alert = sim.alerts.last().unwrap();
        assert_eq!(alert.kind, kind, "{what}");
        if samples > 0 {
            assert_eq!(alert.top_sources[0].0, IpAddr::from([198, 51, 100, 7]), "{what}");
            assert!(alert.top_sources[0].1 > 0.8, "{what}");
        }
    }
}

#[test]
fn made_up_sources_do_not_stand_out() {
    let mut top = sources::TopSources::default();
    for index in 0..100_000_u32 {
        top.note(IpAddr::from((index ^ 0x5555).to_be_bytes()));
        if index % 4 == 0 {
            top.note(IpAddr::from([198, 51, 100, 1]));
        }
    }
    let shares = top.shares();
    assert_eq!(shares.len(), 1, "{shares:?}");
    assert!((0.15..=0.2).contains(&shares[0].1), "{shares:?}");
}

/// The definition in [`estimate_sources`], as the kernel's side has it.
fn sketch(hashes: impl Iterator<Item = u64>) -> [u8; SKETCH_REGISTERS] {
    let mut registers = [0; SKETCH_REGISTERS];
    for hash in hashes {
        let rank = (hash << 8 | 1 << 7).leading_zeros() as u8 + 1;
        let register = &mut registers[(hash >> 56) as usize];
        *register = rank.max(*register);
    }
    registers
}

/// SplitMix64, which gives every input another output.
fn mixed(seed: u64, index: u64) -> u64 {
    let z = (seed << 32).wrapping_add(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn sources_are_estimated_within_three_standard_errors() {
    for count in [100, 300, 640, 1_000, 3_000, 10_000, 100_000, 1_000_000] {
        for seed in 1..=5 {
            let estimate = estimate_sources(&sketch((0..count).map(|index| mixed(seed, index))));
            let error = (estimate as f64 / count as f64 - 1.0).abs();
            assert!(error < 3.0 * 0.065, "{count} sources, seed {seed}: {estimate}");
        }
    }
    for count in [0, 1, 2, 3] {
        assert_eq!(estimate_sources(&sketch((0..count).map(|index| mixed(3, index)))), count);
    }
}
