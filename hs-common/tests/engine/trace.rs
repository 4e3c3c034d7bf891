//! The language of the tables: who sends what, and what hs-mon says at once.
//!
//! A trace is written with one pair of ISNs, and run with many: at every place of the sequence space
//! where a number can wrap, over IPv4 and IPv6, with the initiator as the lower and as the higher
//! endpoint of the flow key, as ready segments and as bytes through the parser.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hs_common::event::{Event, KIND_ANOMALY};
use hs_common::memory::Tracker;
use hs_common::packet::Captured;
use hs_common::parse::Link;
use hs_common::track::Place;
use hs_common::{Addr, Anomaly, Config, Counter, HandshakeFlags, Outcome, Reason, Segment, TcpFlags};

use crate::said::{Ledger, Said};
use crate::wire;

/// The initiator's ISN.
pub const A: u32 = 1_000_000;
/// The responder's ISN.
pub const B: u32 = 50_000_000;
/// Where a number can wrap: at the ISN, behind it, inside a window, and where half of the space ends.
const PLACES: [u32; 6] = [0, u32::MAX, u32::MAX - 1, u32::MAX - 40, u32::MAX - 70_000, (1 << 31) - 2];
const MILLISECOND: u64 = 1_000_000;

/// An endpoint: `I` is the one that sends the first SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    I,
    R,
}

/// A segment of one side, with the numbers of the trace.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    flags: TcpFlags,
    seq: u32,
    ack: u32,
    data: u32,
    window: u16,
    fast_open: bool,
    /// The initiator's port.
    port: u16,
}

/// A segment with any flags.
pub const fn segment(flags: TcpFlags, seq: u32, ack: u32) -> Sent {
    Sent { flags, seq, ack, data: 0, window: 64_000, fast_open: false, port: 40_000 }
}

pub const fn syn(seq: u32) -> Sent {
    segment(TcpFlags::SYN, seq, 0)
}

pub const fn synack(seq: u32, ack: u32) -> Sent {
    segment(TcpFlags::SYN.with(TcpFlags::ACK), seq, ack)
}

pub const fn ack(seq: u32, ack: u32) -> Sent {
    segment(TcpFlags::ACK, seq, ack)
}

pub const fn fin(seq: u32, ack: u32) -> Sent {
    segment(TcpFlags::FIN.with(TcpFlags::ACK), seq, ack)
}

pub const fn rst(seq: u32) -> Sent {
    segment(TcpFlags::RST, seq, 0)
}

pub const fn rst_ack(seq: u32, ack: u32) -> Sent {
    segment(TcpFlags::RST.with(TcpFlags::ACK), seq, ack)
}

impl Sent {
    pub const fn data(self, bytes: u32) -> Sent {
        Sent { data: bytes, ..self }
    }

    pub const fn window(self, window: u16) -> Sent {
        Sent { window, ..self }
    }

    /// With the TCP Fast Open option.
    pub const fn tfo(self) -> Sent {
        Sent { fast_open: true, ..self }
    }

    /// On another flow: with this port of the initiator.
    pub const fn port(self, port: u16) -> Sent {
        Sent { port, ..self }
    }

    pub const fn with(self, flags: TcpFlags) -> Sent {
        Sent { flags: self.flags.with(flags), ..self }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Send(Side, Sent),
    /// The clock reaches this time, and what is due ends.
    Clock(u64),
    /// The capture is over.
    Finish,
}

#[derive(Debug)]
struct Step {
    at_ns: u64,
    act: Act,
    says: Vec<Said>,
}

/// A trace in the making.
pub struct Trace {
    name: &'static str,
    config: Config,
    steps: Vec<Step>,
    now_ns: u64,
    unsolicited: u64,
}

/// A trace that begins at one second.
pub fn trace(name: &'static str) -> Trace {
    Trace { name, config: Config::DEFAULT, steps: Vec::new(), now_ns: 1000 * MILLISECOND, unsolicited: 0 }
}

impl Trace {
    /// The side that opens sends.
    pub fn i(self, sent: Sent) -> Trace {
        self.send(Side::I, sent)
    }

    /// The other side sends.
    pub fn r(self, sent: Sent) -> Trace {
        self.send(Side::R, sent)
    }

    fn send(mut self, side: Side, sent: Sent) -> Trace {
        self.now_ns += MILLISECOND;
        self.push(Act::Send(side, sent))
    }

    /// So many seconds pass, and what is due ends.
    pub fn after(mut self, seconds: f64) -> Trace {
        self.now_ns += (seconds * 1e9) as u64;
        let now_ns = self.now_ns;
        self.push(Act::Clock(now_ns))
    }

    /// So many seconds pass, and nobody looks.
    pub fn unwatched(mut self, seconds: f64) -> Trace {
        self.now_ns += (seconds * 1e9) as u64;
        self
    }

    fn push(mut self, act: Act) -> Trace {
        self.steps.push(Step { at_ns: self.now_ns, act, says: Vec::new() });
        self
    }

    /// What is reported at the step before, and at no other.
    pub fn says(mut self, said: impl Into<Said>) -> Trace {
        self.steps.last_mut().expect("a step to say it at").says.push(said.into());
        self
    }

    /// So many segments are counted as `ack_unsolicited`.
    pub fn unsolicited(self, count: u64) -> Trace {
        Trace { unsolicited: count, ..self }
    }

    pub fn config(self, config: Config) -> Trace {
        Trace { config, ..self }
    }

    /// The capture is over; what follows with [`Trace::says`] is said of what has not ended.
    pub fn finish(self) -> Trace {
        self.push(Act::Finish)
    }

    /// Runs the trace in every variation.
    pub fn run(self) {
        let trace = match self.steps.last() {
            Some(Step { act: Act::Finish, .. }) => self,
            _ => self.finish(),
        };
        for (index, place) in PLACES.into_iter().enumerate() {
            let other = PLACES[(index + 1) % PLACES.len()];
            for bits in 0..8 {
                let v6 = bits & 1 != 0;
                let (low, bytes) = (bits & 2 != 0, bits & 4 != 0);
                let isn = if index == 0 { [A, B] } else { [place, other] };
                Run::new(&trace, Variation { isn, v6, low, bytes }).run();
            }
        }
    }
}

/// One way to run a trace.
#[derive(Clone, Copy, Debug)]
struct Variation {
    /// What stands for [`A`] and [`B`].
    isn: [u32; 2],
    v6: bool,
    /// The initiator has the lower address.
    low: bool,
    /// Through the parser.
    bytes: bool,
}

impl Variation {
    fn addr(self, side: Side) -> Addr {
        let last = if (side == Side::I) == self.low { 1 } else { 2 };
        let addr = if self.v6 {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0x2, 0, 0, 0, 0, 0, last))
        } else {
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, last as u8))
        };
        addr.into()
    }

    fn side(self, addr: Addr) -> Side {
        if addr == self.addr(Side::I) { Side::I } else { Side::R }
    }

    /// How far the numbers of a side are from those of the trace.
    fn shift(self, side: Side) -> u32 {
        match side {
            Side::I => self.isn[0].wrapping_sub(A),
            Side::R => self.isn[1].wrapping_sub(B),
        }
    }

    fn segment(self, side: Side, sent: Sent) -> Segment {
        let other = other(side);
        Segment {
            src: self.addr(side),
            dst: self.addr(other),
            src_port: port(side, sent),
            dst_port: port(other, sent),
            seq: sent.seq.wrapping_add(self.shift(side)),
            ack: sent.ack.wrapping_add(self.shift(other)),
            payload: sent.data,
            window: sent.window,
            flags: sent.flags,
            fast_open: sent.fast_open.into(),
            ..Segment::EMPTY
        }
    }

    /// The event with the numbers of the trace.
    fn said(self, event: &Event) -> Said {
        let side = self.side(event.src);
        let mut said = Said::of(event, side);
        if event.kind == KIND_ANOMALY {
            let shift = self.shift(if is_of_sequence(event) { side } else { other(side) });
            said.expected = said.expected.map(|number| number.wrapping_sub(shift));
            said.actual = said.actual.map(|number| number.wrapping_sub(shift));
        } else {
            said.isn = said.isn.map(|isn| isn.wrapping_sub(self.shift(side)));
            said.answer = said.answer.map(|isn| isn.wrapping_sub(self.shift(other(side))));
        }
        said
    }
}

fn other(side: Side) -> Side {
    if side == Side::I { Side::R } else { Side::I }
}

fn port(side: Side, sent: Sent) -> u16 {
    if side == Side::I { sent.port } else { 80 }
}

/// Whether the numbers of an anomaly are sequence numbers of its packet, and not acknowledgments.
fn is_of_sequence(event: &Event) -> bool {
    use Anomaly::{AckWrongSeq, SynFromResponder, SynIsnChanged, SynackIsnChanged};
    let of_sequence = [AckWrongSeq, SynFromResponder, SynIsnChanged, SynackIsnChanged];
    event.anomaly().is_some_and(|anomaly| of_sequence.contains(&anomaly))
}

struct Run<'a> {
    trace: &'a Trace,
    variation: Variation,
    tracker: Tracker,
    ledger: Ledger,
}

impl<'a> Run<'a> {
    fn new(trace: &'a Trace, variation: Variation) -> Run<'a> {
        let tracker = Tracker::new(trace.config);
        Run { trace, variation, tracker, ledger: Ledger::default() }
    }

    fn run(mut self) {
        for (number, step) in self.trace.steps.iter().enumerate() {
            self.act(step);
            let events: Vec<Event> = self.tracker.drain().collect();
            let said: Vec<Said> = events.iter().map(|event| self.variation.said(event)).collect();
            let at =
                || format!("{}: step {}, {:?}, {:?}", self.trace.name, number + 1, step.act, self.variation);
            assert_eq!(said.len(), step.says.len(), "{}: {said:#?}", at());
            for (said, expected) in said.iter().zip(&step.says) {
                assert!(expected.admits(said), "{}:\n{said:#?}\ninstead of\n{expected:#?}", at());
            }
            self.ledger.book(&events);
            self.ledger.check(self.tracker.counters(), &at());
        }
        self.totals();
    }

    fn act(&mut self, step: &Step) {
        match step.act {
            Act::Send(side, sent) => self.send(self.variation.segment(side, sent), step.at_ns),
            Act::Clock(now_ns) => self.tracker.sweep(now_ns),
            Act::Finish => self.tracker.finish(step.at_ns),
        }
    }

    fn send(&mut self, segment: Segment, now_ns: u64) {
        let place = Place::CAPTURE;
        if self.variation.bytes {
            let frame = wire::frame(&segment);
            self.tracker.track(&Captured::whole(&frame), Link::Ethernet, place, now_ns);
        } else {
            self.tracker.track_segment(segment, place, now_ns);
        }
    }

    fn totals(&self) {
        let (name, counters) = (self.trace.name, self.tracker.counters());
        let sent = |test: fn(TcpFlags) -> bool| {
            let of = |step: &&Step| matches!(step.act, Act::Send(_, sent) if test(sent.flags));
            self.trace.steps.iter().filter(of).count() as u64
        };
        assert_eq!(counters.get(Counter::Packets), sent(|_| true), "{name}: packets");
        assert_eq!(counters.get(Counter::TcpSegments), sent(|_| true), "{name}: segments");
        assert_eq!(counters.get(Counter::Syn), sent(TcpFlags::is_syn), "{name}: SYN");
        assert_eq!(counters.get(Counter::Synack), sent(TcpFlags::is_synack), "{name}: SYN-ACK");
        assert_eq!(counters.anomaly(Anomaly::AckUnsolicited), self.trace.unsolicited, "{name}: unsolicited");
        assert_eq!(counters.in_progress(), 0, "{name}: in progress after the end");
    }
}

/// A handshake ended so. Without more words: by the first SYN's side, with the ISNs [`A`] and, of a
/// completed one, [`B`], without flags, anomalies or retransmissions.
pub fn ended(outcome: Outcome, reason: Reason) -> Said {
    let answer = (outcome == Outcome::Completed).then_some(B);
    Said { outcome: Some(outcome), reason: Some(reason), isn: Some(A), answer, ..Said::NOTHING }
}

pub fn completed(reason: Reason) -> Said {
    ended(Outcome::Completed, reason)
}

pub fn half_open(reason: Reason) -> Said {
    ended(Outcome::HalfOpen, reason)
}

pub fn aborted(reason: Reason) -> Said {
    ended(Outcome::Aborted, reason)
}

/// Malformed, with one anomaly or more, first of all this one.
pub fn malformed(first: Anomaly) -> Said {
    let said = ended(Outcome::Malformed, Reason::FirstAnomaly).noting(&[first]);
    Said { anomaly: Some(first), ..said }
}

impl From<Anomaly> for Said {
    /// An anomaly without numbers.
    fn from(anomaly: Anomaly) -> Said {
        Said { anomaly: Some(anomaly), ..Said::NOTHING }
    }
}

impl Said {
    pub fn flags(self, flags: HandshakeFlags) -> Said {
        Said { flags: HandshakeFlags(self.flags.0 | flags.0), ..self }
    }
}
