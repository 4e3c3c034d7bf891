//! Dashboards with a past.

use std::time::Duration;

use hs_common::config::NS_PER_SEC;
use hs_common::{Counter, Counters, Event, Outcome, Slot};
use hs_mon::dashboard::{About, Dashboard, Reading};
use hs_mon::detect::{Kind, Phase, Responder};
use hs_mon::kernel::{Ingress, ProgramCost, Readings, Slots};
use hs_mon::metrics::InterfaceState;
use hs_mon::report::Filter;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;

use super::samples::*;

/// When the watch began, by the clock of the events.
const BEGAN_NS: u64 = 1000 * NS_PER_SEC;
const SECONDS: u64 = 60;
/// Where all of it is seen.
pub const ETH0: &str = "eth0";

pub fn empty(colour: bool) -> Dashboard {
    let mut dashboard =
        Dashboard::new(About { show_interface: false, colour, filter: Filter::ALL, began_ns: BEGAN_NS });
    dashboard.set_time(NOON);
    dashboard
}

/// So many of each a second.
struct Rates {
    syn: u64,
    completed: u64,
    half_open: u64,
}

fn reading(second: u64, totals: &Counters) -> Reading {
    let cost =
        |name: &str, ns| ProgramCost { name: name.to_owned(), runs: 1, time: Duration::from_nanos(ns) };
    let packets = totals.get(Counter::Packets);
    Reading {
        now_ns: BEGAN_NS + second * NS_PER_SEC,
        readings: Readings {
            totals: *totals,
            slots: Slots { all: 131_072, used: 0.5, waiting: 0.123 },
            programs: vec![cost("hs_xdp", packets * 62), cost("hs_sweep", second * NS_PER_SEC)],
        },
        interfaces: vec![
            InterfaceState { name: "eth0".to_owned(), ingress: Ingress::Native, present: true },
            InterfaceState { name: "a\x1b[2J".to_owned(), ingress: Ingress::Tc, present: false },
        ],
        responders: vec![
            Responder {
                target: target("198.18.0.1", Some(443), None),
                syn_rate: 5011.9,
                completion_ratio: 0.002,
            },
            Responder {
                target: target("2001:2::1", Some(443), None),
                syn_rate: 12.4,
                completion_ratio: 0.991,
            },
            Responder { target: target("198.18.0.1", Some(22), None), syn_rate: 0.5, completion_ratio: 1.0 },
        ],
        cpu_time: Duration::from_millis(12 * second),
        memory: 21 << 20,
    }
}

fn add(totals: &mut Counters, rates: &Rates) {
    for (slot, number) in [
        (Slot::of(Counter::Packets), 3 * rates.syn),
        (Slot::of(Counter::Syn), rates.syn),
        (Slot::of(Counter::Begun), rates.syn),
        (Slot::outcome(Outcome::Completed), rates.completed),
        (Slot::outcome(Outcome::HalfOpen), rates.half_open),
    ] {
        totals.add(slot, number as i64);
    }
}

fn pass(dashboard: &mut Dashboard, flooded: bool) {
    let mut totals = Counters::ZERO;
    dashboard.set_time(NOON);
    dashboard.read(reading(0, &totals));
    for second in 1..=SECONDS {
        let flood = if flooded && second > 40 { 5_000 } else { 0 };
        // Half-open ones follow their SYNs by five seconds.
        let half_open = if flooded && second > 45 { 5_000 } else { 0 };
        let rates = Rates { syn: 20 + second % 5 + flood, completed: 20 + second % 5, half_open };
        add(&mut totals, &rates);
        dashboard.set_time(NOON + second * NS_PER_SEC);
        dashboard.read(reading(second, &totals));
    }
}

fn events(dashboard: &mut Dashboard) {
    for number in 0..100_u64 {
        let rtt_synack_us = 300 + number as u32;
        dashboard.event(&Event { rtt_synack_us, ..completed() }, NOON + number * NS_PER_SEC / 2, ETH0);
    }
    dashboard.event(&half_open(), NOON + 59 * NS_PER_SEC, ETH0);
    dashboard.notice("warning: interface a\x1b[2J is gone".to_owned());
}

pub fn peaceful(colour: bool) -> Dashboard {
    let mut dashboard = empty(colour);
    events(&mut dashboard);
    pass(&mut dashboard, false);
    dashboard
}

pub fn flooded(colour: bool) -> Dashboard {
    let mut dashboard = empty(colour);
    events(&mut dashboard);
    dashboard.alert(&alert(Phase::Start, Kind::Spoofed), NOON + 41 * NS_PER_SEC);
    pass(&mut dashboard, true);
    dashboard
}

/// A flood from few hosts that exist.
pub fn flooded_by_few(colour: bool) -> Dashboard {
    let mut dashboard = flooded(colour);
    dashboard.alert(&alert(Phase::Update, Kind::Distributed), NOON + 42 * NS_PER_SEC);
    dashboard
}

pub fn drawn(dashboard: &Dashboard, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| dashboard.draw(frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The screen line by line, without the blanks at the ends.
pub fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let line = |cells: &[ratatui::buffer::Cell]| {
        let line: String = cells.iter().map(|cell| cell.symbol()).collect();
        format!("{}\n", line.trim_end())
    };
    buffer.content.chunks(width).map(line).collect()
}

/// The same, at once.
pub fn screen(dashboard: &Dashboard, width: u16, height: u16) -> String {
    text(&drawn(dashboard, width, height))
}
