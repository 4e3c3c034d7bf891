//! Random traffic that is likely to mean something: few flows, numbers near those that are right.

use hs_common::Config;
use hs_common::parse::Link;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::frame::{ACK, CWR, ECE, Envelope, FIN, PSH, RST, SYN, Side, Tcp, URG, i};
use crate::handshakes::ENVELOPES;
use crate::twins::Twins;

const MS: u64 = 1_000_000;
const START: u64 = 1_700_000_000_000 * MS;

/// What happens next.
#[derive(Clone, Debug)]
pub enum Act {
    /// A segment of one of a few flows; of the frame, so many bytes are captured at the most.
    Segment { tcp: Tcp, envelope: Envelope, flow: u16, captured: usize },
    /// Bytes that are a packet of this kind, or nothing of the sort.
    Bytes { link: Link, bytes: Vec<u8>, missing: usize },
    /// Time passes, in milliseconds.
    Wait(u64),
    /// What is due ends.
    Sweep,
}

pub fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        16 => segment(),
        2 => bytes(),
        4 => select(vec![0, 1, 40, 999, 4_999, 5_000, 5_001, 62_999, 63_000, 63_001]).prop_map(Act::Wait),
        2 => Just(Act::Sweep),
    ];
    vec(act, 1..250)
}

/// Settings that change the engine's course: a table of a few flows, VLANs that tell flows apart, ports.
pub fn config() -> impl Strategy<Value = Config> {
    (select(vec![8, 16, 1024]), 0..2u32, 0..2u32).prop_map(|(max_flows, vlan_aware, ports_used)| {
        let mut config = Config { max_flows, vlan_aware, ports_used, ..Config::DEFAULT };
        config.ports[0] = 20_001;
        config
    })
}

fn segment() -> impl Strategy<Value = Act> {
    let flags = prop_oneof![
        6 => Just(SYN),
        6 => Just(SYN | ACK),
        8 => Just(ACK),
        2 => select(vec![RST, RST | ACK, FIN | ACK, ACK | PSH, SYN | ECE | CWR]),
        1 => select(vec![0, FIN, SYN | FIN, SYN | RST, FIN | PSH | URG]),
    ];
    let number = |isn: u32| {
        prop_oneof![
            12 => Just(isn.wrapping_add(1)),
            8 => Just(isn),
            4 => select(vec![2, 6, 101, 64_241, 64_242, u32::MAX]).prop_map(move |more| isn.wrapping_add(more)),
            1 => any::<u32>(),
        ]
    };
    let options: Vec<&'static [u8]> = vec![
        &[],
        &[],
        &[2, 4, 5, 180],
        &[34, 2, 1, 1],
        &[34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1],
        &[3, 3, 15, 1],
        &[2, 4, 5, 180, 2, 4, 5, 180],
        &[254, 4, 0xf9, 0x89],
        &[1, 1, 1, 99],
    ];
    // Their ISNs are next to the wrap.
    let a = select(vec![u32::MAX - 2, u32::MAX - 2, u32::MAX - 2, 40]);
    let (seq, ack) = (a.clone().prop_flat_map(number), Just(u32::MAX).prop_flat_map(number));
    let around = (select(ENVELOPES.to_vec()), prop_oneof![8 => Just(usize::MAX), 1 => 14..90_usize]);
    let payload = prop_oneof![6 => Just(0_usize), 2 => select(vec![1, 5, 100])];
    let offset = prop_oneof![30 => Just(None), 1 => (0..16_u16).prop_map(Some)];
    let of = (flags, seq, ack, any::<bool>(), payload, select(options), offset, 0..4_u16, around);
    of.prop_map(|(flags, seq, ack, up, payload, options, offset, flow, ((_, envelope), captured))| {
        // The responder's own number is the one that the initiator acknowledges.
        let (from, seq, ack) = if up { (Side::I, seq, ack) } else { (Side::R, ack.wrapping_sub(1), seq) };
        let tcp = Tcp { from, payload, options, offset, ..i(flags, seq, ack) };
        Act::Segment { tcp, envelope, flow, captured }
    })
}

fn bytes() -> impl Strategy<Value = Act> {
    let links = vec![Link::Ethernet, Link::RawIp, Link::LinuxCooked, Link::LinuxCooked2, Link::BsdLoopback];
    let bytes = prop_oneof![
        vec(any::<u8>(), 0..120),
        // Headers that begin well.
        vec(any::<u8>(), 1..80).prop_map(|rest| [&[0x45, 0][..], &rest].concat()),
        vec(any::<u8>(), 1..80).prop_map(|rest| [&[0x60, 0, 0, 0][..], &rest].concat()),
    ];
    (select(links), bytes, 0..40_usize).prop_map(|(link, bytes, missing)| Act::Bytes { link, bytes, missing })
}

/// Plays it on both engines, and compares after each act and at the end. Returns how many packets it was.
pub fn play(config: Config, acts: &[Act]) -> u64 {
    let mut twins = Twins::new(config);
    let mut now_ns = START;
    for act in acts {
        match act {
            Act::Segment { tcp, envelope, flow, captured } => {
                let frame = envelope.wrap(tcp, 20_000 + flow).ethernet();
                let data = &frame[..frame.len().min(*captured)];
                twins.packet(Link::Ethernet, data, frame.len(), now_ns);
            }
            Act::Bytes { link, bytes, missing } => {
                twins.packet(*link, bytes, bytes.len() + missing, now_ns);
            }
            Act::Wait(ms) => now_ns += ms * MS,
            Act::Sweep => twins.sweep(now_ns, false),
        }
    }
    twins.sweep(now_ns, true);
    twins.compare_totals()
}
