//! A table's rows: description, packets in, expectation.

use std::net::IpAddr;

use hs_common::event::{KIND_ANOMALY, KIND_HANDSHAKE, RTT_UNKNOWN};
use hs_common::{
    Anomaly, Counter, Counters, Event, HandshakeFlags, Outcome, Reason, Slot, TcpFlags, Unparsed, VlanTags,
};

use crate::frame::{A, B, Envelope, Frame, PORT, Side, Tcp, addr};

/// A packet on its way in.
#[derive(Clone, Debug)]
pub enum Packet {
    /// A segment in the case's envelope.
    Tcp(Tcp),
    /// A segment between other ends than the two sides.
    Between(Tcp, Ends),
    /// A segment of which the frame ends after so many bytes of the IP packet.
    Cut(Tcp, usize),
    /// Something else, by the initiator.
    Raw(Frame),
}

/// Source and destination; a port that is not given is the initiator's, which tells cases apart.
pub type Ends = [(IpAddr, Option<u16>); 2];

impl Packet {
    pub fn from(&self) -> Side {
        match self {
            Packet::Tcp(tcp) | Packet::Between(tcp, _) | Packet::Cut(tcp, _) => tcp.from,
            Packet::Raw(_) => Side::I,
        }
    }

    pub fn frame(&self, envelope: Envelope, port: u16) -> Frame {
        match self {
            Packet::Tcp(tcp) => envelope.wrap(tcp, port),
            Packet::Between(tcp, [source, destination]) => {
                let ports = Some((source.1.unwrap_or(port), destination.1.unwrap_or(port)));
                envelope.between(source.0, destination.0, &Tcp { ports, ..*tcp }.bytes(port))
            }
            Packet::Cut(tcp, length) => {
                let mut frame = envelope.wrap(tcp, port);
                frame.packet.truncate(*length);
                frame
            }
            Packet::Raw(frame) => frame.clone(),
        }
    }
}

/// An event, but for what the place of observation adds.
#[derive(Clone, Debug)]
pub struct Says {
    /// Handshake: the initiator. Anomaly: the sender.
    pub by: Side,
    /// Without time, place and VLAN; a measured time is 0.
    pub event: Event,
    /// Addresses and ports, if they are not those of the sides.
    pub ends: Option<Ends>,
}

/// A row.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub envelope: Envelope,
    pub packets: Vec<Packet>,
    pub says: Vec<Says>,
    /// What is counted besides that which follows from packets and events.
    pub counts: Vec<(Slot, i64)>,
    /// Packets that hold no segment.
    pub unparsed: i64,
}

impl Case {
    pub fn new(name: impl Into<String>, envelope: Envelope) -> Case {
        let (packets, says, counts) = (Vec::new(), Vec::new(), Vec::new());
        Case { name: name.into(), envelope, packets, says, counts, unparsed: 0 }
    }

    pub fn send(mut self, segments: &[Tcp]) -> Case {
        self.packets.extend(segments.iter().copied().map(Packet::Tcp));
        self
    }

    pub fn send_between(mut self, tcp: Tcp, ends: Ends) -> Case {
        self.packets.push(Packet::Between(tcp, ends));
        self
    }

    pub fn send_cut(mut self, tcp: Tcp, length: usize) -> Case {
        self.packets.push(Packet::Cut(tcp, length));
        self.counts(Slot::of(Counter::Syn), i64::from(TcpFlags(tcp.flags).is_syn()))
    }

    pub fn send_raw(mut self, frame: Frame) -> Case {
        self.packets.push(Packet::Raw(frame));
        self
    }

    /// SYN and SYN-ACK.
    pub fn answered(self) -> Case {
        use crate::frame::{ACK, SYN, i, r};
        self.send(&[i(SYN, A, 0), r(SYN | ACK, B, A + 1)])
    }

    pub fn says(mut self, says: Says) -> Case {
        self.says.push(says);
        self
    }

    pub fn counts(mut self, slot: Slot, number: i64) -> Case {
        self.counts.push((slot, number));
        self
    }

    /// One packet is left unparsed for this reason.
    pub fn unparsed(mut self, why: Unparsed) -> Case {
        self.unparsed += 1;
        self.counts(Slot::unparsed(why), 1)
    }

    /// Whether the packets can be seen without their link layer.
    pub fn is_plain(&self) -> bool {
        self.packets.iter().all(|packet| packet.frame(self.envelope, 1).is_plain())
    }

    /// All totals that the case adds.
    pub fn expected_totals(&self) -> Counters {
        let mut totals = Counters::ZERO;
        let packets = self.packets.len() as i64;
        totals.add(Slot::of(Counter::Packets), packets);
        totals.add(Slot::of(Counter::TcpSegments), packets - self.unparsed);
        totals.add(Slot::of(Counter::EventsProduced), self.says.len() as i64);
        for packet in &self.packets {
            if let Packet::Tcp(Tcp { flags, offset: None, .. }) | Packet::Between(Tcp { flags, .. }, _) =
                packet
            {
                totals.add(Slot::of(Counter::Syn), i64::from(TcpFlags(*flags).is_syn()));
                totals.add(Slot::of(Counter::Synack), i64::from(TcpFlags(*flags).is_synack()));
            }
        }
        for says in &self.says {
            match says.event.outcome() {
                Some(outcome) => {
                    totals.add(Slot::outcome(outcome), 1);
                    totals.add(Slot::of(Counter::Begun), 1);
                }
                None => totals.add(Slot::anomaly(says.event.anomaly().expect("an anomaly or an outcome")), 1),
            }
        }
        self.counts.iter().for_each(|(slot, number)| totals.add(*slot, *number));
        totals
    }

    /// The events with addresses, ports and tags.
    pub fn expected_events(&self, port: u16) -> Vec<Event> {
        let tags = self.envelope.tags.iter().fold(VlanTags::NONE, |tags, (_, tci)| tags.push(*tci));
        let end = |side| (addr(side, self.envelope.v6), (side == Side::R).then_some(PORT));
        let fill = |says: &Says| {
            let other = if says.by == Side::I { Side::R } else { Side::I };
            let [source, destination] = says.ends.unwrap_or([end(says.by), end(other)]);
            let (src, dst) = (source.0.into(), destination.0.into());
            let (src_port, dst_port) = (source.1.unwrap_or(port), destination.1.unwrap_or(port));
            Event { src, src_port, dst, dst_port, vlan: tags, ..says.event }
        };
        self.says.iter().map(fill).collect()
    }
}

/// The handshake of the initiator ended so, without a SYN-ACK.
pub fn unanswered(outcome: Outcome, reason: Reason) -> Says {
    let event = Event {
        kind: KIND_HANDSHAKE,
        outcome: outcome.code(),
        reason: reason.code(),
        syn_seq: A,
        ..Event::EMPTY
    };
    Says { by: Side::I, event, ends: None }
}

/// The handshake of the initiator ended so, after a SYN-ACK.
pub fn ended(outcome: Outcome, reason: Reason) -> Says {
    let mut says = unanswered(outcome, reason);
    (says.event.synack_seq, says.event.has_synack, says.event.rtt_synack_us) = (B, 1, 0);
    says
}

/// Completed.
pub fn completed(reason: Reason) -> Says {
    let mut says = ended(Outcome::Completed, reason);
    says.event.rtt_ack_us = 0;
    says
}

/// Malformed for this first anomaly.
pub fn malformed(answered: bool, first: Anomaly) -> Says {
    let says = if answered { ended } else { unanswered };
    let mut says = says(Outcome::Malformed, Reason::FirstAnomaly).noting(first);
    says.event.anomaly = first.code();
    says
}

/// An anomaly in a packet with these flags.
pub fn anomaly(by: Side, flags: u16, anomaly: Anomaly) -> Says {
    let event = Event { kind: KIND_ANOMALY, anomaly: anomaly.code(), tcp_flags: flags, ..Event::EMPTY };
    Says { by, event, ends: None }
}

impl Says {
    pub fn numbers(mut self, expected: u32, actual: u32) -> Says {
        (self.event.expected, self.event.actual, self.event.has_numbers) = (expected, actual, 1);
        self
    }

    /// The handshake lists this anomaly.
    pub fn noting(mut self, anomaly: Anomaly) -> Says {
        self.event.anomalies.insert(anomaly);
        self
    }

    pub fn flag(mut self, flag: HandshakeFlags) -> Says {
        self.event.flags.insert(flag);
        self
    }

    /// SYNs and SYN-ACKs sent again.
    pub fn again(mut self, syns: u16, synacks: u16) -> Says {
        (self.event.syn_retransmits, self.event.synack_retransmits) = (syns, synacks);
        self
    }

    /// The ISN of the initiator, if it is not A.
    pub fn isn(mut self, isn: u32) -> Says {
        self.event.syn_seq = isn;
        self
    }

    /// The ISN of the responder, if it is not B.
    pub fn answer(mut self, isn: u32) -> Says {
        self.event.synack_seq = isn;
        self
    }

    /// The second time was not measured.
    pub fn untimed(mut self) -> Says {
        self.event.rtt_ack_us = RTT_UNKNOWN;
        self
    }

    pub fn between(mut self, ends: Ends) -> Says {
        self.ends = Some(ends);
        self
    }
}
