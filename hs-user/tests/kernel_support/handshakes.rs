//! Handshakes as they end: completed in every envelope, refused, aborted, half-open.

use hs_common::Outcome::{Aborted, HalfOpen, Refused, Unverified};
use hs_common::Reason::{FastOpen, Fin, InitiatorRst, Normal, ResponderRst, Rst, Shutdown, Simultaneous};
use hs_common::{Anomaly, HandshakeFlags, Slot};

use crate::case::{Case, completed, ended, unanswered};
use crate::frame::{A, ACK, B, CWR, ECE, Envelope, FIN, PSH, RST, SYN, i, r};

const VLAN: (u16, u16) = (0x8100, 10);
/// With a priority, which is no part of the identifier.
const VLAN_WITH_PRIORITY: (u16, u16) = (0x8100, 0xe00a);
const SERVICE: (u16, u16) = (0x88a8, 100);
const OLD_SERVICE: (u16, u16) = (0x9100, 100);

const HOP_BY_HOP: (u8, &[u8]) = (0, &[0, 0, 1, 4, 0, 0, 0, 0]);
const ROUTING: (u8, &[u8]) = (43, &[0, 2, 4, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2]);
const DESTINATION: (u8, &[u8]) = (60, &[0, 0, 1, 4, 0, 0, 0, 0]);
const ATOMIC_FRAGMENT: (u8, &[u8]) = (44, &[0, 0, 0, 0, 0, 0, 0, 9]);
/// 24 bytes: its length counts words of 32 bits, minus 2.
const AH: (u8, &[u8]) = (51, &[0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]);

/// A plain handshake completes in any of these.
pub const ENVELOPES: &[(&str, Envelope)] = &[
    ("IPv4", Envelope::V4),
    ("IPv6", Envelope::V6),
    ("one VLAN tag", Envelope::V4.tags(&[VLAN])),
    ("one VLAN tag, IPv6", Envelope::V6.tags(&[VLAN_WITH_PRIORITY])),
    ("802.1ad", Envelope::V4.tags(&[SERVICE])),
    ("QinQ", Envelope::V4.tags(&[SERVICE, VLAN])),
    ("QinQ, IPv6", Envelope::V6.tags(&[VLAN, VLAN])),
    ("QinQ from before 802.1ad", Envelope::V4.tags(&[OLD_SERVICE, VLAN])),
    ("priority tag", Envelope::V4.tags(&[(0x8100, 0xe000)])),
    ("LLC and SNAP", Envelope { snap: true, ..Envelope::V4 }),
    ("LLC and SNAP in a VLAN", Envelope { snap: true, ..Envelope::V6.tags(&[VLAN]) }),
    ("IPv4 options, 4 bytes", Envelope::V4.options(&[148, 4, 0, 0])),
    ("IPv4 options, 40 bytes", Envelope::V4.options(&[1; 40])),
    ("first fragment", Envelope { fragment: 0x2000, ..Envelope::V4 }),
    ("don't fragment", Envelope { fragment: 0x4000, ..Envelope::V4 }),
    ("hop-by-hop options", Envelope::V6.extensions(&[HOP_BY_HOP])),
    ("routing header", Envelope::V6.extensions(&[ROUTING])),
    ("destination options", Envelope::V6.extensions(&[DESTINATION])),
    ("atomic fragment", Envelope::V6.extensions(&[ATOMIC_FRAGMENT])),
    ("AH", Envelope::V6.extensions(&[AH])),
    (
        "all extension headers, destination options twice",
        Envelope::V6.extensions(&[HOP_BY_HOP, DESTINATION, ROUTING, ATOMIC_FRAGMENT, AH, DESTINATION]),
    ),
];

/// What completes.
pub fn completing() -> Vec<Case> {
    let plain = |(name, envelope): &(&str, Envelope)| {
        Case::new(format!("completed: {name}"), *envelope)
            .answered()
            .send(&[i(ACK, A + 1, B + 1)])
            .says(completed(Normal))
    };
    let mut cases: Vec<Case> = ENVELOPES.iter().map(plain).collect();
    for envelope in Envelope::PLAIN {
        cases.extend(completing_otherwise().into_iter().map(|case| Case { envelope, ..case }));
    }
    cases
}

/// Options as Linux sends them: MSS, SACK-permitted, timestamps, window scale.
const USUAL: &[u8] = &[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7];
/// A cookie of 8 bytes.
const COOKIE: &[u8] = &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1];

fn completing_otherwise() -> Vec<Case> {
    let case = |name: &str| Case::new(name, Envelope::V4);
    let normal = || completed(Normal);
    vec![
        case("options of Linux")
            .send(&[i(SYN, A, 0).options(USUAL), r(SYN | ACK, B, A + 1).options(USUAL), i(ACK, A + 1, B + 1)])
            .says(normal()),
        case("ECN")
            .send(&[i(SYN | ECE | CWR, A, 0), r(SYN | ACK | ECE, B, A + 1), i(ACK, A + 1, B + 1)])
            .says(normal().flag(HandshakeFlags::ECN)),
        case("the ACK carries data").answered().send(&[i(ACK | PSH, A + 1, B + 1).data(100)]).says(normal()),
        case("the ACK carries a FIN").answered().send(&[i(ACK | FIN, A + 1, B + 1)]).says(normal()),
        case("the ACK is lost, data proves it")
            .answered()
            .send(&[i(ACK, A + 101, B + 1).data(9)])
            .says(normal().flag(HandshakeFlags::ACK_INFERRED)),
        case("sent again")
            .send(&[
                i(SYN, A, 0),
                i(SYN, A, 0),
                r(SYN | ACK, B, A + 1),
                r(SYN | ACK, B, A + 1),
                i(ACK, A + 1, B + 1),
            ])
            .says(normal().again(1, 1)),
        case("an established flow changes nothing")
            .answered()
            .send(&[
                i(ACK, A + 1, B + 1),
                r(ACK, B + 1, A + 1).data(50),
                i(ACK, A + 1, B + 51),
                r(FIN | ACK, B + 51, A + 1),
            ])
            .says(normal()),
        case("Fast Open with data")
            .send(&[i(SYN, A, 0).options(COOKIE).data(20), r(SYN | ACK, B, A + 21), i(ACK, A + 21, B + 1)])
            .says(completed(FastOpen).flag(HandshakeFlags::FAST_OPEN)),
        case("the ACK overtakes the SYN-ACK")
            .send(&[i(SYN, A, 0), i(ACK, A + 1, B + 1), r(SYN | ACK, B, A + 1)])
            .says(normal().untimed().flag(HandshakeFlags::REORDERED)),
        case("simultaneous open")
            .send(&[i(SYN, A, 0), r(SYN, B, 0), i(SYN | ACK, A, B + 1), r(SYN | ACK, B, A + 1)])
            .says(completed(Simultaneous)),
    ]
}

/// What ends otherwise, without an anomaly.
pub fn failing() -> Vec<Case> {
    let case = |name: &str| Case::new(name, Envelope::V4);
    let cases = || {
        vec![
            case("refused").send(&[i(SYN, A, 0), r(RST | ACK, 0, A + 1)]).says(unanswered(Refused, Rst)),
            case("aborted by the initiator")
                .answered()
                .send(&[i(RST, A + 1, 0)])
                .says(ended(Aborted, InitiatorRst)),
            case("aborted by the responder")
                .answered()
                .send(&[r(RST | ACK, B + 1, A + 1)])
                .says(ended(Aborted, ResponderRst)),
            case("aborted by a FIN").answered().send(&[r(FIN | ACK, B + 1, A + 1)]).says(ended(Aborted, Fin)),
            case("a RST is no final ACK")
                .answered()
                .send(&[i(RST | ACK, A + 1, B + 1)])
                .says(ended(Aborted, InitiatorRst)),
            case("nothing answers").send(&[i(SYN, A, 0)]).says(unanswered(HalfOpen, Shutdown)),
            case("the SYN-ACK is never acknowledged").answered().says(ended(HalfOpen, Shutdown)),
            case("a flow older than the watch")
                .send(&[i(ACK, A + 1, B + 1), r(ACK, B, A), i(RST, A, 0)])
                .counts(Slot::anomaly(Anomaly::AckUnsolicited), 3),
        ]
    };
    Envelope::PLAIN
        .iter()
        .flat_map(|envelope| cases().into_iter().map(|case| Case { envelope: *envelope, ..case }))
        .collect()
}

/// What a timeout makes of a handshake: packets, and the end.
pub fn timing_out() -> Vec<Case> {
    use hs_common::Reason::{NoAck, NoSynack, SynackUnseen};
    let case = |name: &str| Case::new(name, Envelope::V6);
    vec![
        case("no SYN-ACK").send(&[i(SYN, A, 0)]).says(unanswered(HalfOpen, NoSynack)),
        case("no ACK").answered().says(ended(HalfOpen, NoAck)),
        case("only the initiator is seen")
            .send(&[i(SYN, A, 0), i(ACK, A + 1, B + 1)])
            .says(unanswered(Unverified, SynackUnseen)),
    ]
}
