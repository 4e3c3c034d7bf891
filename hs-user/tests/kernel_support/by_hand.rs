//! Frames made by hand between two hosts that have no addresses: nobody answers but we.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::lab::frame::{Segment, flag};
use crate::lab::wire::Wire;
use crate::lab::{Lab, Options};
use crate::watch::{Said, Watch};

const A: u32 = 1_000_000;
const B: u32 = u32::MAX;
const CLIENT_PORT: u16 = 40_000;
const SA: u8 = flag::SYN | flag::ACK;

/// Both ends of the cable, and hs-mon at the server's.
struct Bench {
    lab: Lab,
    client: Wire,
    server: Wire,
    watch: Watch,
    sent: u64,
}

impl Bench {
    fn new(args: &str) -> Bench {
        let nothing = Options { addresses: false, neighbours: false };
        let lab = Lab::with(nothing).expect("a laboratory (root is needed)");
        let [client, server] = [&lab.client, &lab.server].map(|host| Wire::open(host).expect("a wire"));
        let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --half-open-after 1h {args}"));
        Bench { lab, client, server, watch, sent: 0 }
    }

    /// Sends a frame, and waits until hs-mon has counted it: the two ends are not in step otherwise.
    fn send(&mut self, from_client: bool, frame: Vec<u8>) {
        let wire = if from_client { &self.client } else { &self.server };
        wire.send_frames(&[frame]).expect("the frame is sent");
        self.sent += 1;
        self.watch.wait_for_total("tcp_segments", self.sent);
    }

    /// A handshake: flags, and the numbers relative to A and B.
    fn exchange(&mut self, ends: [SocketAddr; 2], tags: &[u8], segments: &[(bool, u8, u32, u32)]) {
        for (up, flags, seq, ack) in segments {
            let (from, to) = if *up { (ends[0], ends[1]) } else { (ends[1], ends[0]) };
            let segment = Segment::new(from, to, *flags, *seq, *ack);
            let wire = if *up { &self.client } else { &self.server };
            let mut frame = wire.frame(&segment);
            frame.splice(12..12, tags.iter().copied());
            self.send(*up, frame);
        }
    }

    fn ends(&self, v6: bool, port: u16) -> [SocketAddr; 2] {
        let (client, server) = (self.lab.client.plan, self.lab.server.plan);
        if v6 { [client.v6_at(port), server.v6_at(443)] } else { [client.v4_at(port), server.v4_at(443)] }
    }

    fn stop(self) -> Said {
        let said = self.watch.stop();
        said.tells_all();
        assert_eq!(said.totals.get("tcp_segments"), self.sent, "{:?}", said.totals);
        said
    }
}

fn up(flags: u8, seq: u32, ack: u32) -> (bool, u8, u32, u32) {
    (true, flags, A.wrapping_add(seq), B.wrapping_add(ack))
}

fn down(flags: u8, seq: u32, ack: u32) -> (bool, u8, u32, u32) {
    (false, flags, B.wrapping_add(seq), A.wrapping_add(ack))
}

/// A row: packets in, then outcome and reason, and the anomaly with its numbers.
type Row<'a> = (&'a str, Vec<(bool, u8, u32, u32)>, [&'a str; 2], Option<(&'a str, u32, u32)>);

#[test]
fn wrong_numbers_never_complete_a_handshake() {
    let syn = up(flag::SYN, 0, 0);
    let synack = down(SA, 0, 1);
    let table: [Row; 6] = [
        ("right", vec![syn, synack, up(flag::ACK, 1, 1)], ["completed", "normal"], None),
        (
            "SYN-ACK with ack=A+2",
            vec![syn, down(SA, 0, 2)],
            ["malformed", "synack_wrong_ack"],
            Some(("synack_wrong_ack", A + 1, A + 2)),
        ),
        (
            "ACK with ack=B+2",
            vec![syn, synack, up(flag::ACK, 1, 2)],
            ["malformed", "ack_wrong_ack"],
            Some(("ack_wrong_ack", B.wrapping_add(1), B.wrapping_add(2))),
        ),
        (
            "ACK with ack=B",
            vec![syn, synack, up(flag::ACK, 1, 0)],
            ["malformed", "ack_wrong_ack"],
            Some(("ack_wrong_ack", B.wrapping_add(1), B)),
        ),
        (
            "ACK with seq=A",
            vec![syn, synack, up(flag::ACK, 0, 1)],
            ["malformed", "ack_wrong_seq"],
            Some(("ack_wrong_seq", A + 1, A)),
        ),
        (
            "RST with ack=A+2",
            vec![syn, down(flag::RST | flag::ACK, 0, 2)],
            ["malformed", "rst_out_of_window"],
            Some(("rst_out_of_window", A + 1, A + 2)),
        ),
    ];
    let mut bench = Bench::new("");
    for (number, (_, segments, ..)) in table.iter().enumerate() {
        for v6 in [false, true] {
            bench.exchange(bench.ends(v6, CLIENT_PORT + number as u16), &[], segments);
        }
    }
    let said = bench.stop();
    for (number, (name, _, [outcome, reason], anomaly)) in table.iter().enumerate() {
        let port = CLIENT_PORT + number as u16;
        let ended: Vec<&Value> = said.handshakes().filter(|event| event["src_port"] == port).collect();
        assert_eq!(ended.len(), 2, "{name}: {ended:?}");
        for event in ended {
            let handshake = &event["handshake"];
            assert_eq!([&handshake["outcome"], &handshake["reason"]], [outcome, reason], "{name}: {event}");
        }
        let of_flow = |event: &&Value| event["src_port"] == port || event["dest_port"] == port;
        let anomalies: Vec<&Value> = said.events.iter().filter(|event| !event["anomaly"].is_null()).collect();
        let told: Vec<&Value> =
            anomalies.into_iter().filter(of_flow).map(|event| &event["anomaly"]).collect();
        let numbers = |anomaly: &Value| json!([anomaly["event"], anomaly["expected"], anomaly["actual"]]);
        let told: Vec<Value> = told.into_iter().map(numbers).collect();
        let expected = anomaly.map(|(event, expected, actual)| json!([event, expected, actual]));
        assert_eq!(told, expected.iter().chain(&expected).cloned().collect::<Vec<_>>(), "{name}");
    }
}

/// In the frame, or taken off it by the stack before tc sees it.
#[test]
fn vlan_tags_are_reported_in_every_mode() {
    let table: [(&[u8], Value); 4] = [
        (&[], Value::Null),
        (&[0x81, 0x00, 0, 10], json!([10])),
        (&[0x88, 0xa8, 0, 100], json!([100])),
        (&[0x88, 0xa8, 0, 100, 0x81, 0x00, 0x60, 10], json!([100, 10])),
    ];
    for mode in ["native", "generic", "tc"] {
        let mut bench = Bench::new(&format!("--mode {mode}"));
        for (number, (tags, _)) in table.iter().enumerate() {
            let segments = [up(flag::SYN, 0, 0), down(SA, 0, 1), up(flag::ACK, 1, 1)];
            for v6 in [false, true] {
                bench.exchange(bench.ends(v6, CLIENT_PORT + number as u16), tags, &segments);
            }
        }
        let said = bench.stop();
        assert_eq!(said.totals.get("completed"), 2 * table.len() as u64, "{mode}: {:?}", said.totals);
        for event in said.handshakes() {
            let number = event["src_port"].as_u64().expect("a port") - u64::from(CLIENT_PORT);
            assert_eq!(event["vlan"], table[number as usize].1, "{mode}: {event}");
        }
    }
}

/// With `--vlan-aware` the same ends in two VLANs are two flows, else one.
#[test]
fn vlan_tags_tell_flows_apart_if_wanted() {
    for (args, begun) in [("", 1), ("--vlan-aware", 2)] {
        let mut bench = Bench::new(args);
        let ends = bench.ends(false, CLIENT_PORT);
        bench.exchange(ends, &[0x81, 0x00, 0, 10], &[up(flag::SYN, 0, 0)]);
        bench.exchange(ends, &[0x81, 0x00, 0, 11], &[up(flag::SYN, 0, 0)]);
        assert_eq!(bench.stop().totals.get("begun"), begun, "{args}");
    }
}

/// Where only SYNs and ACKs pass, handshakes are unverified, and the user is told so, once.
#[test]
fn a_one_sided_view_is_told_once() {
    let nothing = Options { addresses: false, neighbours: false };
    let lab = Lab::with(nothing).expect("a laboratory (root is needed)");
    let wire = Wire::open(&lab.client).expect("a wire");
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --half-open-after 100ms");
    for port in CLIENT_PORT..CLIENT_PORT + 12 {
        let syn = Segment::syn(lab.client.plan.v4_at(port), lab.server.plan.v4_at(443), A);
        let ack = Segment::new(syn.src, syn.dst, flag::ACK, A + 1, 7);
        wire.send_frames(&[wire.frame(&syn), wire.frame(&ack)]).expect("frames are sent");
    }
    watch.wait_for_total("unverified", 12);
    let said = watch.stop();
    assert_eq!(said.totals.get("unverified"), 12);
    let warnings = said.stderr.iter().filter(|line| line.contains("only one direction is visible"));
    assert_eq!(warnings.count(), 1, "{:?}", said.stderr);
}
