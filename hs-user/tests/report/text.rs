//! Text as it is read.

use hs_common::Anomaly::{NullScan, SynFin, SynackWrongAck};
use hs_common::config::NS_PER_SEC;
use hs_common::{Counter, Counters, Event, HandshakeFlags, Outcome, Reason, Slot, VlanTags};
use hs_mon::detect::{Alert, HostWord, Kind, Phase};
use hs_mon::report::{Filter, Format, Origin, Reporter};

use super::samples::*;

fn events_written(events: &[Event]) -> String {
    written(Format::Text, |reporter| {
        for (event, second) in events.iter().zip(0..) {
            reporter.event(event, NOON + second * NS_PER_SEC + 123_456_789, &LIVE).unwrap();
        }
    })
}

#[test]
fn handshakes_are_aligned_lines_under_their_date() {
    let v6 = ("[2001:2:0:1::7]:40312", "[2001:2:0:1:2:3:4:5]:443");
    let all_flags = HandshakeFlags::NAMES.iter().fold(0, |flags, (flag, _)| flags | flag.0);
    let slow = Event { rtt_ack_us: 88_149, syn_retransmits: 1, ..completed() };
    let text = events_written(&[
        completed(),
        Event { vlan: VlanTags::NONE.push(10).push(20), ..slow },
        half_open(),
        handshake(v6.0, v6.1, Outcome::Refused, Reason::Rst),
        malformed("198.18.0.9:1024", "198.18.0.1:443", SynackWrongAck),
        Event { anomalies: malformed(v6.0, v6.1, SynFin).anomalies, ..completed() },
        Event { flags: HandshakeFlags(all_flags), reason: Reason::FastOpen.code(), ..completed() },
        handshake("198.18.0.9:1024", "198.18.0.1:443", Outcome::Completed, Reason::Normal),
        anomaly("198.18.0.1:443", "198.18.0.9:1024", SynackWrongAck),
        Event { has_numbers: 0, tcp_flags: 0, ..anomaly("198.18.0.9:1024", "198.18.0.1:443", NullScan) },
    ]);
    let expected = "\
── 2026-11-22 UTC ──
12:00:00.123456  completed   198.18.0.7:40312      → 198.18.0.1:443         rtt 312 µs + 88 µs  ecn
12:00:01.123456  completed   198.18.0.7:40312      → 198.18.0.1:443         rtt 312 µs + 88.1 ms, SYN sent 2×  ecn  vlan 10.20
12:00:02.123456  half-open   198.18.0.9:1024       → 198.18.0.1:443         no ACK after SYN-ACK, rtt 41 µs + ?, SYN-ACK sent 3×
12:00:03.123456  refused     [2001:2:0:1::7]:40312 → [2001:2:0:1:2:3:4:5]:443  RST
12:00:04.123456  MALFORMED   198.18.0.9:1024       → 198.18.0.1:443         synack_wrong_ack
12:00:05.123456  completed   198.18.0.7:40312      → 198.18.0.1:443         rtt 312 µs + 88 µs  ecn  syn_fin
12:00:06.123456  completed   198.18.0.7:40312      → 198.18.0.1:443         fast open, rtt 312 µs + 88 µs  late  ecn  ack_inferred  reordered
12:00:07.123456  completed   198.18.0.9:1024       → 198.18.0.1:443
12:00:08.123456  ANOMALY     198.18.0.1:443        → 198.18.0.9:1024        synack_wrong_ack  [SYN ACK]  expected 1001, got 1002
12:00:09.123456  ANOMALY     198.18.0.9:1024       → 198.18.0.1:443         null_scan  [none]
";
    assert_eq!(text, expected);
}

#[test]
fn a_flood_is_told_from_its_beginning_to_its_end() {
    let word =
        HostWord { syncookies_sent: 4_000, listen_overflows: 0, listen_drops: 12, backlog: Some((129, 128)) };
    let update = Alert { host: Some(word), ..alert(Phase::Update, Kind::Spoofed) };
    let prefix = Alert { victim: target("198.18.0.0", None, Some(24)), ..alert(Phase::End, Kind::Spoofed) };
    let text = written(Format::Text, |reporter| {
        for kind in [Kind::SingleSource, Kind::Distributed, Kind::Spoofed] {
            reporter.alert(&alert(Phase::Start, kind), NOON, NOON, &LIVE).unwrap();
        }
        for alert in [update, prefix, scan(Phase::Start), scan(Phase::End), reflection(Phase::End)] {
            reporter.alert(&alert, NOON + NS_PER_SEC, NOON, &LIVE).unwrap();
        }
    });
    let expected = "\
── 2026-11-22 UTC ──
12:00:00.000000  ▲ SYN FLOOD #1 on 198.18.0.1:443  begins: 5,012 SYN/s, 0.2 % completed, 25,011 half-open, from 198.18.0.9 (97.1 %)
12:00:00.000000  ▲ SYN FLOOD #1 on 198.18.0.1:443  begins: 5,012 SYN/s, 0.2 % completed, 25,011 half-open, ~4,900 sources, most by 198.18.0.9 (97.1 %), 2001:2::9 (1.0 %)
12:00:00.000000  ▲ SYN FLOOD #1 on 198.18.0.1:443  begins: 5,012 SYN/s, 0.2 % completed, 25,011 half-open, ~4,900 sources, spoofed
12:00:01.000000  ▲ SYN FLOOD #1 on 198.18.0.1:443  goes on: 5,012 SYN/s, 0.2 % completed, 25,011 half-open, ~4,900 sources, spoofed, 4,000 SYN cookies sent, 0 listen overflows, 12 listen drops, 129 of 128 in the accept queue
12:00:01.000000  ▲ SYN FLOOD #1 on 198.18.0.0/24  ends: 61,650 SYN in 12.3 s, at most 9,012 SYN/s, ~4,900 sources, spoofed
12:00:01.000000  ▲ SYN SCAN #2 on 198.18.0.1  begins: 1,000 ports in 16.3 s, from 198.18.0.9 (97.1 %)
12:00:01.000000  ▲ SYN SCAN #2 on 198.18.0.1  ends: 1,000 ports in 12.3 s, from 198.18.0.9 (97.1 %)
12:00:01.000000  ▲ SYN-ACK REFLECTION #3 on 198.18.0.0/24  ends: 61,650 SYN-ACK in 12.3 s that nobody here asked for, at most 9,012/s
";
    assert_eq!(text, expected);
}

#[test]
fn totals_are_a_line_while_running_and_a_block_at_the_end() {
    let text = written(Format::Text, |reporter| {
        reporter.stats(&all_totals(&counters(), false), NOON, None).unwrap();
        reporter.stats(&all_totals(&counters(), true), NOON, None).unwrap();
    });
    let expected = "\
── 2026-11-22 UTC ──
12:00:00.000000  totals      1,234,567 packets, 5,012 handshakes, 4,900 completed, 110 half-open, 2 malformed, 0 in progress, 2 anomalies, 0 events lost, 1 alert

Totals until 2026-11-22 12:00:00.000000 UTC
packets                              1,234,567
  TCP segments                       1,200,000
  SYN                                    5,020
  SYN-ACK                                5,001
handshakes begun                         5,012
  completed                              4,900    97.8 %   3 of them late
  unverified                                 0     0.0 %
  refused                                    0     0.0 %
  aborted                                    0     0.0 %
  half-open                                110     2.2 %
  malformed                                  2     0.0 %
  in progress                                0     0.0 %
anomalies                                    2
  synack_wrong_ack                           2
  ack_unsolicited                           77   counted only, not in the sum
not looked into                         34,560
  not_tcp                               34,560
broken packets                               7
  ip_truncated                               7
events due                               5,017
  delivered                              5,017
  lost, buffer full                          0
  left out under a flood                     0
flows evicted, table full                    0
segments not tracked, contended              0
SYN-ACKs without a known SYN                 0
SYNs while attaching                         0
SYNs, SYN-ACKs seen once more                0
alerts                                       1
ledger                                 adds up
";
    assert_eq!(text, expected);
}

#[test]
fn without_handshakes_there_is_no_share() {
    let nothing = all_totals(&Counters::ZERO, true);
    let text = written(Format::Text, |reporter| reporter.stats(&nothing, NOON, None).unwrap());
    assert!(text.contains("  completed                                  0         –\n"), "{text}");
    assert!(!text.contains('%'));
}

#[test]
fn a_ledger_that_differs_says_where() {
    let mut counters = counters();
    counters.add(Slot::of(Counter::Begun), 2);
    let text = written(Format::Text, |reporter| {
        reporter.stats(&all_totals(&counters, true), NOON, None).unwrap();
    });
    let expected = "\
ledger                                 DIFFERS
  begun = completed + unverified + refused + aborted + half_open + malformed: 5014 is not 5012
";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn a_new_day_is_told() {
    let text = written(Format::Text, |reporter| {
        for day in [0, 0, 1] {
            reporter.event(&completed(), NOON + day * 86_400 * NS_PER_SEC, &LIVE).unwrap();
        }
    });
    let days: Vec<_> = text.lines().filter(|line| line.starts_with('─')).collect();
    assert_eq!(days, ["── 2026-11-22 UTC ──", "── 2026-11-23 UTC ──"]);
}

#[test]
fn colour_only_if_asked_for() {
    for colour in [false, true] {
        let mut out = Vec::new();
        let mut reporter = Reporter::new(&mut out, Format::Text, colour, Filter::ALL);
        reporter.event(&completed(), NOON, &LIVE).unwrap();
        reporter.alert(&alert(Phase::Start, Kind::Spoofed), NOON, NOON, &LIVE).unwrap();
        reporter.stats(&all_totals(&counters(), true), NOON, None).unwrap();
        drop(reporter);
        assert_eq!(String::from_utf8(out).unwrap().contains("\x1b["), colour);
    }
}

#[test]
fn several_inputs_are_told_apart_without_obeying_their_names() {
    let mut out = Vec::new();
    let mut reporter = Reporter::new(&mut out, Format::Text, false, Filter::ALL).show_origin(true);
    reporter.event(&completed(), NOON, &LIVE).unwrap();
    reporter.event(&completed(), NOON, &Origin::Capture { file: "a\x1b[2J\n.pcap", number: 17 }).unwrap();
    drop(reporter);
    let text = String::from_utf8(out).unwrap();
    let ends: Vec<_> = text.lines().skip(1).filter_map(|line| line.split_once("ecn  ")).collect();
    assert_eq!(ends.iter().map(|(_, end)| *end).collect::<Vec<_>>(), ["[eth0]", "[a\\u{1b}[2J\\n.pcap 17]"]);
}
