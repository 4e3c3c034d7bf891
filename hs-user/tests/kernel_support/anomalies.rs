//! Packets that break a rule of the handshake: wrong numbers, flags, options, addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hs_common::Anomaly::*;
use hs_common::Outcome::{Aborted, HalfOpen, Refused};
use hs_common::Reason::{FastOpen, InitiatorRst, Normal, Rst, Shutdown, Superseded};
use hs_common::{Anomaly, HandshakeFlags};

use crate::case::{Case, Ends, anomaly, completed, ended, malformed, unanswered};
use crate::frame::{A, ACK, B, Envelope, FIN, PORT, PSH, RST, SYN, Side, URG, addr, i, r};

const SA: u16 = SYN | ACK;
const WINDOW: u32 = 64_240;

fn case(name: &str) -> Case {
    Case::new(name, Envelope::V4)
}

/// In both IP versions.
pub fn all() -> Vec<Case> {
    let cases = || [wrong_numbers(), wrong_sides(), wrong_flags(), wrong_headers()].concat();
    let in_both = |envelope: &Envelope| {
        let envelope = *envelope;
        cases().into_iter().map(move |case| Case { envelope, ..case })
    };
    let mut all: Vec<Case> = Envelope::PLAIN.iter().flat_map(in_both).collect();
    all.extend(wrong_addresses());
    all
}

/// Numbers off by one must never complete a handshake.
fn wrong_numbers() -> Vec<Case> {
    let wrong_ack = |name: &str, ack: u32| {
        case(name)
            .answered()
            .send(&[i(ACK, A + 1, ack)])
            .says(anomaly(Side::I, ACK, AckWrongAck).numbers(B + 1, ack))
            .says(malformed(true, AckWrongAck))
    };
    let wrong_seq = |name: &str, seq: u32| {
        case(name)
            .answered()
            .send(&[i(ACK, seq, B + 1)])
            .says(anomaly(Side::I, ACK, AckWrongSeq).numbers(A + 1, seq))
            .says(malformed(true, AckWrongSeq))
    };
    let wrong_synack = |name: &str, ack: u32| {
        case(name)
            .send(&[i(SYN, A, 0), r(SA, B, ack)])
            .says(anomaly(Side::R, SA, SynackWrongAck).numbers(A + 1, ack))
            .says(malformed(false, SynackWrongAck))
    };
    vec![
        wrong_ack("ACK with ack=B", B),
        wrong_ack("ACK with ack=B+2", B + 2),
        wrong_ack("ACK with ack=0", 0),
        wrong_seq("ACK with seq=A", A),
        wrong_seq("ACK with seq one past the window", A + 1 + WINDOW + 1),
        case("ACK with seq at the end of the window")
            .answered()
            .send(&[i(ACK, A + 1 + WINDOW, B + 1)])
            .says(completed(Normal).flag(HandshakeFlags::ACK_INFERRED)),
        wrong_synack("SYN-ACK with ack=A", A),
        wrong_synack("SYN-ACK with ack=A+2", A + 2),
        case("both numbers wrong: one event, by the first rule")
            .answered()
            .send(&[i(ACK, A, B + 2)])
            .says(anomaly(Side::I, ACK, AckWrongSeq).numbers(A + 1, A))
            .says(malformed(true, AckWrongSeq)),
        case("a wrong ACK, then the right one")
            .answered()
            .send(&[i(ACK, A + 1, B + 2), i(ACK, A + 1, B + 1)])
            .says(anomaly(Side::I, ACK, AckWrongAck).numbers(B + 1, B + 2))
            .says(completed(Normal).noting(AckWrongAck)),
        case("RST that acknowledges something else")
            .send(&[i(SYN, A, 0), r(RST | ACK, 0, A + 2)])
            .says(anomaly(Side::R, RST | ACK, RstOutOfWindow).numbers(A + 1, A + 2))
            .says(malformed(false, RstOutOfWindow)),
        case("another ISN of the initiator")
            .send(&[i(SYN, A, 0), i(SYN, A + 7777, 0), r(RST | ACK, 0, A + 7778)])
            .says(unanswered(HalfOpen, Superseded))
            .says(anomaly(Side::I, SYN, SynIsnChanged).numbers(A, A + 7777))
            .says(unanswered(Refused, Rst).isn(A + 7777).noting(SynIsnChanged)),
        case("another ISN of the responder")
            .answered()
            .send(&[r(SA, B + 9, A + 1)])
            .says(anomaly(Side::R, SA, SynackIsnChanged).numbers(B, B + 9))
            .says(malformed(true, SynackIsnChanged).answer(B + 9)),
        case("the responder acknowledges what was not sent")
            .answered()
            .send(&[r(ACK, B + 1, A + 500)])
            .says(anomaly(Side::R, ACK, AckFromResponder).numbers(A + 1, A + 500))
            .says(malformed(true, AckFromResponder)),
    ]
}

fn wrong_sides() -> Vec<Case> {
    vec![
        case("SYN by the responder")
            .answered()
            .send(&[r(SYN, B + 4, 0)])
            .says(anomaly(Side::R, SYN, SynFromResponder).numbers(B, B + 4))
            .says(malformed(true, SynFromResponder)),
        case("SYN-ACK by the initiator")
            .send(&[i(SYN, A, 0), i(SA, A, 77)])
            .says(anomaly(Side::I, SA, SynackFromInitiator))
            .says(malformed(false, SynackFromInitiator)),
        case("SYN-ACK without a SYN").send(&[r(SA, B, A + 1)]).says(anomaly(Side::R, SA, SynackUnsolicited)),
        case("data before the SYN-ACK")
            .send(&[i(SYN, A, 0), i(ACK, A + 1, 0).data(5)])
            .says(anomaly(Side::I, ACK, DataBeforeEstablished))
            .says(malformed(false, DataBeforeEstablished)),
        case("SYN with data")
            .send(&[i(SYN, A, 0).data(5)])
            .says(anomaly(Side::I, SYN, SynWithData))
            .says(malformed(false, SynWithData)),
        case("Fast Open is no SYN with data")
            .send(&[i(SYN, A, 0).data(5).options(&[34, 2, 1, 1]), r(SA, B, A + 6), i(ACK, A + 6, B + 1)])
            .says(completed(FastOpen).flag(HandshakeFlags::FAST_OPEN)),
    ]
}

/// They begin nothing, and change nothing of a handshake but that it is noted.
fn wrong_flags() -> Vec<Case> {
    let table = [
        (SYN | FIN, SynFin),
        (SYN | FIN | ACK, SynFin),
        (SYN | RST, SynRst),
        (0, NullScan),
        (PSH | URG, NullScan),
        (FIN | PSH | URG, Xmas),
        (FIN, FinWithoutAck),
    ];
    let alone = table.map(|(flags, broken)| {
        case(&format!("flags {flags:02x} alone")).send(&[i(flags, A, B)]).says(anomaly(
            Side::I,
            flags,
            broken,
        ))
    });
    let within = table.map(|(flags, broken)| {
        case(&format!("flags {flags:02x} within a handshake"))
            .answered()
            .send(&[i(flags, A + 1, B + 1)])
            .says(anomaly(Side::I, flags, broken))
            .says(malformed(true, broken))
    });
    [&alone[..], &within].concat()
}

/// Options of a SYN: an anomaly, but the SYN begins a handshake.
fn wrong_headers() -> Vec<Case> {
    let table: [(&str, &'static [u8], Anomaly); 9] = [
        ("MSS of 3 bytes", &[2, 3, 1, 1], BadOptionLength),
        ("window scale of 4 bytes", &[3, 4, 1, 1], BadOptionLength),
        ("option of 0 bytes", &[2, 0, 1, 1], BadOptionLength),
        ("option of 1 byte", &[99, 1, 1, 1], BadOptionLength),
        ("option past the header", &[1, 1, 99, 3], BadOptionLength),
        ("option without a length", &[1, 1, 1, 99], BadOptionLength),
        ("odd cookie", &[34, 7, 1, 2, 3, 4, 5, 1], BadOptionLength),
        ("MSS twice", &[2, 4, 5, 180, 2, 4, 5, 180], DuplicateOption),
        ("window scale 15", &[3, 3, 15, 1], WindowScaleOutOfRange),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (name, options, broken) in table {
        let mut end = malformed(false, broken);
        if name == "odd cookie" {
            end = end.flag(HandshakeFlags::FAST_OPEN);
        }
        cases.push(
            case(name).send(&[i(SYN, A, 0).options(options)]).says(anomaly(Side::I, SYN, broken)).says(end),
        );
    }
    cases.push(
        case("window scale 14 is legal")
            .send(&[i(SYN, A, 0).options(&[3, 3, 14, 1]), r(RST | ACK, 0, A + 1)])
            .says(unanswered(Refused, Rst)),
    );
    cases.push(
        case("what an ACK has for options is of no interest")
            .answered()
            .send(&[i(ACK, A + 1, B + 1).options(&[2, 0, 1, 1])])
            .says(completed(Normal)),
    );
    cases.push(case("data offset 4").send(&[i(SYN, A, 0).offset(4)]).says(anomaly(
        Side::I,
        SYN,
        TruncatedHeader,
    )));
    cases.push(case("data offset beyond the segment").send(&[i(SYN, A, 0).offset(6)]).says(anomaly(
        Side::I,
        SYN,
        TruncatedHeader,
    )));
    cases
}

/// Ports and addresses that a segment may not have.
fn wrong_addresses() -> Vec<Case> {
    let mut cases = Vec::new();
    for v6 in [false, true] {
        let envelope = if v6 { Envelope::V6 } else { Envelope::V4 };
        let [own, other] = [addr(Side::I, v6), addr(Side::R, v6)];
        let all_nodes: [IpAddr; 2] =
            [Ipv4Addr::new(224, 0, 0, 1).into(), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into()];
        let mut wrong = |name: &str, ends: Ends, broken: Anomaly| {
            cases.push(
                Case::new(format!("{name}, IPv6: {v6}"), envelope)
                    .send_between(i(SYN, A, 0), ends)
                    .says(anomaly(Side::I, SYN, broken).between(ends))
                    .says(malformed(false, broken).between(ends)),
            );
        };
        wrong("source port 0", [(own, Some(0)), (other, None)], PortZero);
        wrong("destination port 0", [(own, None), (other, Some(0))], PortZero);
        wrong("land", [(other, None), (other, None)], Land);
        wrong("multicast", [(own, None), (all_nodes[usize::from(v6)], Some(PORT))], BadDestination);
        if !v6 {
            let broadcast = Ipv4Addr::BROADCAST.into();
            wrong("broadcast", [(own, None), (broadcast, Some(PORT))], BadDestination);
        }
    }
    cases
}

/// A handshake that fails, and had an anomaly, is malformed; one that is refused is not.
pub fn judged() -> Vec<Case> {
    let aborted = ended(Aborted, InitiatorRst);
    let half_open = unanswered(HalfOpen, Shutdown);
    vec![
        case("aborted").answered().send(&[i(RST, A + 1, 0)]).says(aborted),
        case("aborted after an anomaly")
            .answered()
            .send(&[i(ACK, A + 1, B + 2), i(RST, A + 1, 0)])
            .says(anomaly(Side::I, ACK, AckWrongAck).numbers(B + 1, B + 2))
            .says(malformed(true, AckWrongAck)),
        case("half-open").send(&[i(SYN, A, 0)]).says(half_open),
        case("refused after an anomaly")
            .send(&[i(SYN, A, 0), r(SA, B, A + 2), r(RST | ACK, 0, A + 1)])
            .says(anomaly(Side::R, SA, SynackWrongAck).numbers(A + 1, A + 2))
            .says(unanswered(Refused, Rst).noting(SynackWrongAck)),
    ]
}
