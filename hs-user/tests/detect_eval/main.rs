//! How good the detector is: scenarios in simulated time, many seeds, one table.
//!
//! `cargo xtask detect-eval` runs it in full; as a test it runs one seed of the quicker scenarios.

mod curve;
mod evasive;
mod peaceful;
mod references;
mod scenarios;
mod table;
mod traffic;
mod watch;

use curve::Point;
use hs_mon::detect::Settings;
use table::{Goal, Row};

/// Seeds of a full run.
const SEEDS: u64 = 20;
/// Seeds of each point of the curve.
const CURVE_SEEDS: u64 = 10;
/// With `all`, the whole evaluation runs; with anything else, the scenarios with that in their name.
const FULL: &str = "HS_MON_DETECT_EVAL";

#[test]
fn the_detector_reaches_its_figures() {
    let wanted = std::env::var(FULL).ok();
    let full = wanted.is_some();
    let only = wanted.filter(|wanted| wanted != "all");
    let seeds = if full { SEEDS } else { 1 };
    let long = if full { 3_600 } else { 40 };
    let settings = Settings::default();
    let mut rows = vec![
        Row::new(scenarios::fast_flood, Goal::Within(0.5, 1.0)),
        Row::new(scenarios::slow_flood_on_service, Goal::Within(2.0, 2.0)),
        Row::new(scenarios::quiet_service, Goal::Within(15.0, 15.0)),
        Row::new(scenarios::one_machine, Goal::Within(1.0, 2.0)),
        Row::new(scenarios::carpet, Goal::Within(3.0, 3.0)),
        Row::new(scenarios::scan, Goal::Within(10.0, 10.0)),
        Row::new(scenarios::backscatter, Goal::Within(2.0, 2.0)),
        Row::new(peaceful::flash_crowd, Goal::Silence),
        Row::new(peaceful::restart, Goal::Silence),
        Row::new(peaceful::dead, Goal::Silence),
        Row::new(peaceful::one_way, Goal::Silence),
        Row::new(peaceful::cut_off, Goal::Silence),
        Row::new(move |seed| peaceful::mixed(seed, long), Goal::Silence),
        Row::new(|seed| scenarios::sources(seed, 100), Goal::Sources(100)),
    ];
    if full {
        rows.extend([
            Row::new(scenarios::bots, Goal::Within(0.6, 1.0)),
            Row::new(scenarios::skewed, Goal::Within(0.6, 1.0)),
            Row::new(scenarios::all_ports, Goal::Within(3.0, 3.0)),
            Row::new(scenarios::spray, Goal::Within(0.6, 1.0)),
            Row::new(evasive::pulsing, Goal::Within(3.0, 5.0)),
            Row::new(evasive::pricks, Goal::Within(15.0, 20.0)),
            Row::new(evasive::ramp, Goal::Within(12.0, 15.0)),
            Row::new(evasive::slow_ramp, Goal::Within(120.0, 300.0)),
            Row::new(evasive::in_a_crowd, Goal::Within(1.0, 2.0)),
            Row::new(evasive::unanswered, Goal::Within(2.0, 2.5)),
            Row::new(evasive::from_the_start, Goal::Within(1.0, 2.0)),
            Row::new(evasive::two_victims, Goal::Within(0.6, 1.0)),
            Row::new(evasive::two_neighbours, Goal::Within(0.6, 1.0)),
            Row::new(evasive::carpet_ipv6, Goal::Within(3.0, 3.0)),
            Row::new(evasive::busy_service, Goal::Within(2.0, 2.0)),
            Row::new(evasive::sweep, Goal::Within(10.0, 10.0)),
            Row::new(move |seed| peaceful::daily_rhythm(seed, long), Goal::Silence),
            Row::new(peaceful::gateway, Goal::Silence),
            Row::new(peaceful::lossy, Goal::Silence),
            Row::new(peaceful::turns_lossy, Goal::Silence),
            Row::new(peaceful::downloads, Goal::Silence),
        ]);
        let counts = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
        rows.extend(
            counts.map(|count| Row::new(move |seed| scenarios::sources(seed, count), Goal::Sources(count))),
        );
    }
    let mut missed = Vec::new();
    table::print_head();
    let asked_for = |row: &&Row| only.as_ref().is_none_or(|only| row.name().contains(only));
    for row in rows.iter().filter(asked_for) {
        let measured = row.measure(seeds, &settings, full);
        measured.print();
        missed.extend(measured.missed);
    }
    assert!(missed.is_empty(), "figures that were not reached:\n{}", missed.join("\n"));
}

/// The more has to happen before an alarm is raised, the later it is raised, and the fewer are false.
#[test]
fn sensitivity_trades_time_for_silence() {
    let full = std::env::var_os(FULL).is_some();
    let (factors, seeds): (&[f64], u64) =
        if full { (&curve::FACTORS, CURVE_SEEDS) } else { (&[0.125, 1.0, 4.0], 1) };
    curve::print_head();
    let points: Vec<Point> = factors.iter().map(|factor| Point::measure(*factor, seeds, full)).collect();
    for pair in points.windows(2) {
        assert!(pair[1].is_later(&pair[0]), "twice as patient, and sooner");
        assert!(pair[1].false_alarms() <= pair[0].false_alarms(), "twice as patient, and louder");
    }
    let quiet = points.iter().filter(|point| point.factor >= 1.0);
    assert_eq!(quiet.map(Point::false_alarms).sum::<usize>(), 0, "the default raises no false alarm");
}
