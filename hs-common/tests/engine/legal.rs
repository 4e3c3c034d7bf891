//! Legal handshakes, and what a network may do to them: lose nothing, but repeat and reorder.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use hs_common::{Reason, Segment, TcpFlags};
use proptest::collection::vec;
use proptest::prelude::*;

/// The farthest that reordering moves a packet.
const DISPLACEMENT: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Fast Open: bytes in the SYN, and how many of them the SYN-ACK accepts.
    FastOpen {
        sent: u32,
        accepted: u32,
    },
    Simultaneous,
}

/// One more segment after the opening.
#[derive(Clone, Copy, Debug)]
struct Talk {
    by_initiator: bool,
    bytes: u32,
    fin: bool,
    /// Sent before the latest segment of the other side arrived.
    crossing: bool,
}

/// A handshake, what follows it, and what the network does to it.
#[derive(Clone, Debug)]
pub struct Plan {
    kind: Kind,
    isns: [u32; 2],
    initiator_is_low: bool,
    ecn: bool,
    talk: Vec<Talk>,
    /// Packet to repeat, and how much later the copy passes.
    copies: Vec<(usize, usize)>,
    /// How far each packet is held up.
    jitter: Vec<usize>,
    /// The final ACK passes here before the SYN-ACK.
    ack_overtakes: bool,
}

/// A segment and what it answers.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    pub segment: Segment,
    /// The segment of the other side that it acknowledges.
    cause: Option<usize>,
    /// The segment of the other side without which its sender would not be open.
    opened_by: Option<usize>,
}

fn isn() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), (0_u32..3000).prop_map(|back| 0_u32.wrapping_sub(back))]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        2 => Just(Kind::Plain),
        2 => (0_u32..1400, 0_u32..1400).prop_map(|(sent, part)| Kind::FastOpen {
            sent,
            accepted: part.min(sent),
        }),
        2 => (1_u32..1400).prop_map(|sent| Kind::FastOpen { sent, accepted: sent }),
        2 => Just(Kind::Simultaneous),
    ]
}

fn talk() -> impl Strategy<Value = Talk> {
    (any::<bool>(), 0_u32..1400, prop::bool::weighted(0.1), any::<bool>())
        .prop_map(|(by_initiator, bytes, fin, crossing)| Talk { by_initiator, bytes, fin, crossing })
}

/// Any plan.
pub fn plan() -> impl Strategy<Value = Plan> {
    let network = (vec((0_usize..8, 1_usize..8), 0..5), vec(0..=DISPLACEMENT, 24), any::<bool>());
    (kind(), [isn(), isn()], any::<[bool; 2]>(), vec(talk(), 0..8), network).prop_map(
        |(kind, isns, [initiator_is_low, ecn], talk, (copies, jitter, ack_overtakes))| Plan {
            kind,
            isns,
            initiator_is_low,
            ecn,
            talk,
            copies,
            jitter,
            ack_overtakes,
        },
    )
}

impl Plan {
    /// Why it completes, if nothing is reordered.
    pub fn reason(&self) -> Reason {
        match self.kind {
            Kind::Simultaneous => Reason::Simultaneous,
            Kind::FastOpen { accepted: 1.., .. } => Reason::FastOpen,
            _ => Reason::Normal,
        }
    }

    /// The order in which the packets pass: indices into [`segments`]. Copies are as legal as what
    /// they are copies of, at any later time. Nothing passes before what it answers, with one
    /// exception: the final ACK, if this point of the path sees the two directions apart.
    pub fn order(&self) -> Vec<usize> {
        let sent = segments(self);
        let jitter = |index: usize| self.jitter[index % self.jitter.len()];
        let mut packets: Vec<(usize, usize)> =
            (0..sent.len()).map(|index| (index + jitter(index), index)).collect();
        for (which, later) in &self.copies {
            let index = which % sent.len();
            packets.push((index + later, index));
        }
        packets.sort();
        let mut order: Vec<usize> = Vec::new();
        let mut held: Vec<usize> = packets.into_iter().map(|(_, index)| index).collect();
        while !held.is_empty() {
            let may_pass = |index: &usize| {
                let free = self.ack_overtakes && *index == 2 && self.kind != Kind::Simultaneous;
                let cause = if free { Some(0) } else { sent[*index].cause };
                let needed = [cause, sent[*index].opened_by];
                needed.iter().flatten().all(|needed| order.contains(needed))
            };
            let next = held.iter().position(may_pass).expect("the causes are a tree");
            order.push(held.remove(next));
        }
        order
    }

    /// The trace, for a failure's message.
    pub fn describe(&self, order: &[usize]) -> String {
        let sent = segments(self);
        let mut text = format!("{self:?}\n");
        for index in order {
            let segment = sent[*index].segment;
            let by_initiator = segment.src_port == 40_000;
            let [mine, other] = if by_initiator { self.isns } else { [self.isns[1], self.isns[0]] };
            let (seq, ack) = (segment.seq.wrapping_sub(mine), segment.ack.wrapping_sub(other));
            let who = if by_initiator { "I" } else { "R" };
            let _ = writeln!(
                text,
                "{index:2} {who} {:#05x} seq +{seq} ack +{ack} payload {}",
                segment.flags.0, segment.payload
            );
        }
        text
    }
}

/// The segments in the order in which they were sent.
pub fn segments(plan: &Plan) -> Vec<Planned> {
    let mut script = Script { plan, sent: Vec::new(), next: plan.isns, heard: [None; 2], closed: [false; 2] };
    let ecn = if plan.ecn { TcpFlags::ECE.with(TcpFlags::CWR) } else { TcpFlags(0) };
    let syn = TcpFlags::SYN.with(ecn);
    let synack = TcpFlags::SYN.with(TcpFlags::ACK);
    match plan.kind {
        Kind::Simultaneous => {
            script.open(0, syn, 0, None);
            script.open(1, syn, 0, None);
            script.open(0, synack, 0, Some(1));
            script.open(1, synack, 0, Some(0));
        }
        Kind::Plain | Kind::FastOpen { .. } => {
            let (payload, accepted) = match plan.kind {
                Kind::FastOpen { sent, accepted } => (sent, accepted),
                _ => (0, 0),
            };
            script.open(0, syn, payload, None);
            script.next[0] = plan.isns[0].wrapping_add(1 + accepted);
            script.open(1, synack, 0, Some(0));
            script.say(0, 0, false, Some(1));
        }
    }
    for talk in &plan.talk {
        let side = usize::from(!talk.by_initiator);
        let latest = script.latest_of(1 - side);
        let cause = if talk.crossing { script.heard[side] } else { Some(latest) };
        script.say(side, talk.bytes, talk.fin, cause.or(Some(latest)));
    }
    script.sent
}

struct Script<'a> {
    plan: &'a Plan,
    sent: Vec<Planned>,
    /// What each side sends next.
    next: [u32; 2],
    /// The latest segment of the other side that each side has heard.
    heard: [Option<usize>; 2],
    closed: [bool; 2],
}

impl Script<'_> {
    fn latest_of(&self, side: usize) -> usize {
        let port = [40_000, 80][side];
        self.sent.iter().rposition(|planned| planned.segment.src_port == port).expect("both have opened")
    }

    /// A SYN or SYN-ACK.
    fn open(&mut self, side: usize, flags: TcpFlags, payload: u32, cause: Option<usize>) {
        let acks = flags.contains(TcpFlags::ACK);
        let ack = if acks { self.after(cause) } else { 0 };
        let seq = self.plan.isns[side];
        self.push(
            side,
            Segment { flags, seq, ack, payload, fast_open: self.fast_open(flags), ..Segment::EMPTY },
            cause,
        );
        if self.plan.kind == Kind::Simultaneous || side == 1 {
            self.next[side] = seq.wrapping_add(1);
        }
    }

    fn fast_open(&self, flags: TcpFlags) -> u8 {
        u8::from(flags.is_syn() && matches!(self.plan.kind, Kind::FastOpen { .. }))
    }

    /// A segment of an open connection.
    fn say(&mut self, side: usize, payload: u32, fin: bool, cause: Option<usize>) {
        if self.closed[side] {
            return;
        }
        let flags = if fin { TcpFlags::ACK.with(TcpFlags::FIN) } else { TcpFlags::ACK };
        let (seq, ack) = (self.next[side], self.after(cause));
        self.push(side, Segment { flags, seq, ack, payload, ..Segment::EMPTY }, cause);
        self.next[side] = seq.wrapping_add(payload).wrapping_add(u32::from(fin));
        self.closed[side] = fin;
    }

    /// What acknowledges the cause, and all that its sender sent before. Of a SYN under Fast Open it
    /// is what the responder accepts.
    fn after(&self, cause: Option<usize>) -> u32 {
        let Some(index) = cause else { return 0 };
        let segment = self.sent[index].segment;
        if let (Kind::FastOpen { accepted, .. }, true) = (self.plan.kind, segment.flags.is_syn()) {
            return segment.seq.wrapping_add(1 + accepted);
        }
        let counted = u32::from(segment.flags.contains(TcpFlags::SYN))
            + u32::from(segment.flags.contains(TcpFlags::FIN));
        segment.seq.wrapping_add(segment.payload).wrapping_add(counted)
    }

    fn opened_by(&self, side: usize) -> Option<usize> {
        let is_opening = self.sent.len() < if self.plan.kind == Kind::Simultaneous { 4 } else { 3 };
        match (self.plan.kind, side) {
            _ if is_opening => None,
            (Kind::Simultaneous, 0) => Some(3),
            (Kind::Simultaneous, _) => Some(2),
            (_, 0) => Some(1),
            (Kind::FastOpen { accepted: 1.., .. }, _) => Some(0),
            _ => Some(2),
        }
    }

    fn push(&mut self, side: usize, segment: Segment, cause: Option<usize>) {
        let is_low = (side == 0) == self.plan.initiator_is_low;
        let addrs = [1, 2].map(|last| Ipv4Addr::new(192, 0, 2, last).into());
        let [low, high] = addrs;
        let (src, dst) = if is_low { (low, high) } else { (high, low) };
        let (src_port, dst_port) = if side == 0 { (40_000, 80) } else { (80, 40_000) };
        let segment = Segment { src, dst, src_port, dst_port, window: 60_000, ..segment };
        self.heard[side] = cause.or(self.heard[side]);
        self.sent.push(Planned { segment, cause, opened_by: self.opened_by(side) });
    }
}
