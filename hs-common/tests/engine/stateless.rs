//! Anomalies that one segment shows by itself, and the nearest legal segments, which must not.

use std::net::IpAddr;

use hs_common::Anomaly::*;
use hs_common::Reason::*;
use hs_common::event::Event;
use hs_common::memory::Tracker;
use hs_common::track::Place;
use hs_common::{Anomaly, Config, HandshakeFlags, Outcome, Segment, TcpFlags};

use crate::said::Said;
use crate::trace::{
    A, B, Side, Trace, ack, completed, half_open, malformed, rst, segment, syn, synack, trace,
};

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const RST: TcpFlags = TcpFlags::RST;
const FIN: TcpFlags = TcpFlags::FIN;
const PSH: TcpFlags = TcpFlags::PSH;
const URG: TcpFlags = TcpFlags::URG;
const ECE: TcpFlags = TcpFlags::ECE;
const CWR: TcpFlags = TcpFlags::CWR;

/// SYN and SYN-ACK have passed.
fn answered(name: &'static str) -> Trace {
    trace(name).i(syn(A)).r(synack(B, A + 1))
}

#[test]
fn illegal_flags() {
    let table = [
        (SYN.with(FIN), SynFin),
        (SYN.with(FIN).with(ACK), SynFin),
        (SYN.with(FIN).with(RST), SynFin),
        (SYN.with(FIN).with(PSH).with(URG), SynFin),
        (SYN.with(RST), SynRst),
        (SYN.with(RST).with(ACK), SynRst),
        (TcpFlags(0), NullScan),
        (PSH.with(URG), NullScan),
        (ECE.with(CWR), NullScan),
        (FIN.with(PSH).with(URG), Xmas),
        (FIN.with(PSH).with(URG).with(ECE).with(CWR), Xmas),
        (FIN.with(PSH).with(URG).with(RST), Xmas),
        (FIN, FinWithoutAck),
        (FIN.with(PSH), FinWithoutAck),
        (FIN.with(RST), FinWithoutAck),
    ];
    for (flags, anomaly) in table {
        trace("it begins nothing").i(segment(flags, A, B)).says(anomaly).run();
        trace("it changes nothing, but is noted")
            .i(syn(A))
            .r(segment(flags, B, A + 1))
            .says(Said::from(anomaly).by(Side::R))
            .i(segment(flags, A + 1, B + 1))
            .says(Said::from(anomaly).by(Side::I))
            .r(synack(B, A + 1))
            .i(segment(flags, A + 1, B + 1))
            .says(anomaly)
            .i(ack(A + 1, B + 1))
            .says(completed(Normal).noting(&[anomaly]))
            .run();
    }
}

#[test]
fn legal_flags() {
    for flags in [ACK, ACK.with(PSH), ACK.with(URG), ACK.with(FIN).with(PSH).with(URG), ACK.with(FIN)] {
        answered("with ACK").i(segment(flags, A + 1, B + 1)).says(completed(Normal)).run();
    }
    for flags in [SYN, SYN.with(PSH), SYN.with(URG), SYN.with(ECE), SYN.with(CWR)] {
        trace("a SYN")
            .i(segment(flags, A, 0))
            .r(synack(B, A + 1))
            .i(ack(A + 1, B + 1))
            .says(completed(Normal))
            .run();
    }
    trace("a RST without ACK, of no flow").i(rst(A)).unsolicited(1).run();
}

/// What a segment without a flow sets off.
fn events_of(segments: &[Segment]) -> Vec<Event> {
    let mut tracker = Tracker::new(Config::DEFAULT);
    for (index, segment) in segments.iter().enumerate() {
        tracker.track_segment(*segment, Place::CAPTURE, index as u64);
    }
    tracker.finish(1_000);
    tracker.drain().collect()
}

fn between(src: &str, src_port: u16, dst: &str, dst_port: u16, flags: TcpFlags) -> Segment {
    let addr = |text: &str| text.parse::<IpAddr>().expect("an address").into();
    Segment { src: addr(src), dst: addr(dst), src_port, dst_port, flags, seq: A, ..Segment::EMPTY }
}

fn anomalies_of(segment: Segment) -> Vec<Anomaly> {
    let events = events_of(&[segment]);
    events.iter().filter(|event| event.outcome == 0).filter_map(|event| event.anomaly()).collect()
}

#[test]
fn addresses_and_ports() {
    let table: &[(&str, u16, &str, u16, Option<Anomaly>)] = &[
        ("192.0.2.1", 0, "192.0.2.2", 80, Some(PortZero)),
        ("192.0.2.1", 1, "192.0.2.2", 0, Some(PortZero)),
        ("192.0.2.1", 1, "192.0.2.2", 1, None),
        ("192.0.2.1", 80, "192.0.2.1", 80, Some(Land)),
        ("2001:2::1", 80, "2001:2::1", 80, Some(Land)),
        ("192.0.2.1", 80, "192.0.2.1", 81, None),
        ("192.0.2.1", 80, "192.0.2.2", 80, None),
        ("192.0.2.1", 0, "192.0.2.1", 0, Some(PortZero)),
        ("192.0.2.1", 1, "224.0.0.1", 80, Some(BadDestination)),
        ("192.0.2.1", 1, "239.255.255.255", 80, Some(BadDestination)),
        ("192.0.2.1", 1, "255.255.255.255", 80, Some(BadDestination)),
        ("2001:2::1", 1, "ff02::1", 80, Some(BadDestination)),
        ("192.0.2.1", 1, "223.255.255.255", 80, None),
        ("192.0.2.1", 1, "240.0.0.1", 80, None),
        ("2001:2::1", 1, "fe80::1", 80, None),
        ("224.0.0.1", 1, "192.0.2.1", 80, None),
    ];
    for (src, src_port, dst, dst_port, expected) in table {
        let seen = anomalies_of(between(src, *src_port, dst, *dst_port, SYN));
        assert_eq!(seen.as_slice(), expected.as_slice(), "{src}:{src_port} > {dst}:{dst_port}");
    }
}

#[test]
fn such_a_syn_begins_a_handshake() {
    for (dst, port, anomaly) in
        [("192.0.2.2", 0, PortZero), ("192.0.2.1", 1, Land), ("224.0.0.1", 80, BadDestination)]
    {
        let events = events_of(&[between("192.0.2.1", 1, dst, port, SYN)]);
        let ended = events.last().expect("an outcome");
        assert_eq!(ended.outcome(), Some(Outcome::Malformed), "{dst}:{port}");
        assert_eq!(ended.reason_name(), anomaly.name());
    }
}

#[test]
fn syn_with_data() {
    let shows = malformed(SynWithData);
    trace("data").i(syn(A).data(1)).says(SynWithData).after(5.0).says(shows).run();
    let tfo = half_open(NoSynack).flags(HandshakeFlags::FAST_OPEN);
    trace("data with the option").i(syn(A).tfo().data(1)).after(5.0).says(tfo).run();
    answered("a SYN-ACK may carry data: it is not a SYN").i(ack(A + 1, B + 1)).says(completed(Normal)).run();
}
