//! The text, number by number.

use std::time::Duration;

use hs_common::{Counter, Outcome, Slot};
use hs_mon::detect::{Alert, Kind, Phase};
use hs_mon::kernel::{Ingress, ProgramCost, Readings, Slots};
use hs_mon::metrics::{InterfaceState, Metrics, Scrape};

use super::samples::*;

/// A scrape in which everything has a value.
pub fn scrape() -> Scrape {
    Scrape {
        readings: Readings {
            totals: counters(),
            slots: Slots { all: 131_072, used: 0.25, waiting: 0.125 },
            programs: vec![ProgramCost {
                name: "hs_xdp".to_owned(),
                runs: 1_000_000,
                time: Duration::from_millis(60),
            }],
        },
        interfaces: vec![
            InterfaceState { name: "eth0".to_owned(), ingress: Ingress::Native, present: true },
            InterfaceState { name: "a\"b\\c\n".to_owned(), ingress: Ingress::Tc, present: false },
        ],
        untracked: 0,
    }
}

/// Metrics that have seen a completed handshake, a flood and a scan.
pub fn metrics(victims: usize) -> Metrics {
    let mut metrics = Metrics::new(victims).unwrap();
    metrics.event(&completed());
    metrics.event(&half_open());
    metrics.alert(&alert(Phase::Start, Kind::Spoofed));
    metrics.alert(&alert(Phase::Update, Kind::Spoofed));
    metrics.alert(&scan(Phase::Start));
    metrics.alert(&scan(Phase::End));
    metrics
}

pub fn text() -> String {
    metrics(10).text(&scrape()).unwrap()
}

#[test]
fn every_number_is_where_it_belongs() {
    let text = text();
    for line in [
        "hsmon_packets_total 1234567",
        "hsmon_tcp_segments_total 1200000",
        "hsmon_syn_segments_total 5020",
        "hsmon_synack_segments_total 5001",
        "hsmon_handshakes_begun_total 5012",
        "hsmon_handshakes_total{outcome=\"completed\"} 4900",
        "hsmon_handshakes_total{outcome=\"half_open\"} 110",
        "hsmon_handshakes_total{outcome=\"refused\"} 0",
        "hsmon_handshakes_completed_late_total 3",
        "hsmon_handshakes_in_progress 0",
        "hsmon_anomalies_total{anomaly=\"synack_wrong_ack\"} 2",
        "hsmon_anomalies_total{anomaly=\"xmas\"} 0",
        "hsmon_parse_errors_total{reason=\"ip_truncated\"} 7",
        "hsmon_packets_not_parsed_total{reason=\"not_tcp\"} 34560",
        "hsmon_events_produced_total 5017",
        "hsmon_events_lost_total 0",
        "hsmon_alerts_total{signature=\"syn_flood\"} 1",
        "hsmon_alerts_total{signature=\"syn_scan\"} 1",
        "hsmon_alerts_active{signature=\"syn_flood\"} 1",
        "hsmon_alerts_active{signature=\"syn_scan\"} 0",
        "hsmon_flood_syns_per_second{victim=\"198.18.0.1:443\"} 5011.94",
        "hsmon_flood_completion_ratio{victim=\"198.18.0.1:443\"} 0.002",
        "hsmon_flow_slots 131072",
        "hsmon_flow_slots_used_ratio 0.25",
        "hsmon_flow_slots_waiting_ratio 0.125",
        "hsmon_interface_up{interface=\"eth0\",ingress=\"native\"} 1",
        "hsmon_interface_up{interface=\"a\\\"b\\\\c\\n\",ingress=\"tc\"} 0",
        "hsmon_bpf_runs_total{program=\"hs_xdp\"} 1000000",
        "hsmon_bpf_run_seconds_total{program=\"hs_xdp\"} 0.06",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is missing from\n{text}");
    }
}

#[test]
fn round_trips_are_those_of_completed_handshakes() {
    let text = text();
    // 312 µs and 88 µs; the half-open one, with 41 µs, is no part of it.
    for line in [
        "hsmon_handshake_rtt_seconds_bucket{part=\"synack\",le=\"0.00025\"} 0",
        "hsmon_handshake_rtt_seconds_bucket{part=\"synack\",le=\"0.0005\"} 1",
        "hsmon_handshake_rtt_seconds_sum{part=\"synack\"} 0.000312",
        "hsmon_handshake_rtt_seconds_bucket{part=\"ack\",le=\"0.0001\"} 1",
        "hsmon_handshake_rtt_seconds_count{part=\"ack\"} 1",
    ] {
        assert!(text.contains(line), "{line} is missing from\n{text}");
    }
    assert_eq!(text.matches("# TYPE hsmon_handshake_rtt_seconds histogram").count(), 1);
}

/// A handshake that completes late leaves its first outcome: Prometheus would take that for a restart.
#[test]
fn no_counter_ever_goes_back() {
    let mut metrics = metrics(10);
    let mut scrape = scrape();
    metrics.text(&scrape).unwrap();
    let totals = &mut scrape.readings.totals;
    totals.add(Slot::outcome(Outcome::HalfOpen), -1);
    totals.add(Slot::outcome(Outcome::Completed), 1);
    totals.add(Slot::of(Counter::CompletedLate), 1);
    let text = metrics.text(&scrape).unwrap();
    assert!(text.contains("hsmon_handshakes_total{outcome=\"half_open\"} 110\n"), "{text}");
    assert!(text.contains("hsmon_handshakes_total{outcome=\"completed\"} 4901\n"), "{text}");
}

#[test]
fn victims_are_few_the_worst_first_and_gone_when_it_is_over() {
    let mut metrics = Metrics::new(10).unwrap();
    let flood = |id: u64, phase| Alert {
        id,
        syn_rate: id as f64,
        victim: target(&format!("198.18.0.{id}"), Some(80), None),
        ..alert(phase, Kind::Spoofed)
    };
    (1..=50).for_each(|id| metrics.alert(&flood(id, Phase::Start)));
    let named = |metrics: &mut Metrics| -> Vec<String> {
        let text = metrics.text(&scrape()).unwrap();
        let lines =
            text.lines().filter_map(|line| line.strip_prefix("hsmon_flood_syns_per_second{victim=\""));
        lines.map(|line| line.split_once(':').unwrap().0.to_owned()).collect()
    };
    let expected: Vec<String> = (41..=50).rev().map(|id| format!("198.18.0.{id}")).collect();
    assert_eq!(named(&mut metrics), expected);
    (2..=50).for_each(|id| metrics.alert(&flood(id, Phase::End)));
    assert_eq!(named(&mut metrics), ["198.18.0.1"]);

    let mut none = Metrics::new(0).unwrap();
    none.alert(&flood(1, Phase::Start));
    assert!(named(&mut none).is_empty());
    assert!(none.text(&scrape()).unwrap().contains("hsmon_alerts_active{signature=\"syn_flood\"} 1\n"));
}

/// Whoever attacks must not choose labels: the addresses of peers are nowhere.
#[test]
fn no_address_of_a_peer_is_told() {
    let text = text();
    for address in ["198.18.0.7", "198.18.0.9", "2001:2::9"] {
        assert!(!text.contains(address), "{address} in\n{text}");
    }
}
