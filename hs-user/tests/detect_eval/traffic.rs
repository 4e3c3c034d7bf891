//! Handshakes as they pass a monitor that stands before the responder, in simulated time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, Ipv6Addr};

use hs_common::{Addr, Segment, TcpFlags};

pub const SECOND: u64 = 1_000_000_000;
pub const MS: u64 = SECOND / 1000;
/// How soon the responder's stack answers.
const ANSWER: u64 = 50_000;

/// SplitMix64.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }
}

pub fn ip(a: u8, b: u8, c: u8, d: u8) -> Addr {
    Ipv4Addr::new(a, b, c, d).into()
}

pub fn ip_of(number: u32) -> Addr {
    Ipv4Addr::from(number).into()
}

pub fn ip6(high: u64, low: u64) -> Addr {
    Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into()
}

/// What becomes of a handshake.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    /// It completes after a round trip, and the client closes some time later.
    Completes,
    /// The same on a path that loses so many packets in a hundred, each way.
    Lossy(u64),
    /// The same where every SYN-ACK is lost until then.
    CutOff(u64),
    /// It completes, and the connection lasts for hours.
    Stays,
    /// The SYN-ACK is never acknowledged.
    Hangs,
    /// Nobody answers, and the client sends no more.
    Unheard,
    /// Nobody answers; the client repeats its SYN after 1, 3 and 7 s.
    Repeats,
    /// RST.
    Refused,
    /// Only what the client sends passes here.
    OneWay,
    /// No handshake: a SYN-ACK that answers nothing.
    Backscatter,
}

/// A handshake that begins.
#[derive(Clone, Copy, Debug)]
pub struct Shake {
    pub at: u64,
    pub src: Addr,
    pub src_port: u16,
    pub dst: Addr,
    pub dst_port: u16,
    pub ttl: u8,
    pub window: u16,
    pub fate: Fate,
}

/// Handshakes in the order of their time.
pub type Flow = Box<dyn Iterator<Item = Shake>>;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Due {
    at: u64,
    number: u64,
    segment: Segment,
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Segments in the order of their time.
pub struct Traffic {
    flows: Vec<std::iter::Peekable<Flow>>,
    due: BinaryHeap<Reverse<Due>>,
    random: Random,
    number: u64,
}

impl Traffic {
    pub fn new(flows: Vec<Flow>, seed: u64) -> Traffic {
        let flows = flows.into_iter().map(Iterator::peekable).collect();
        Traffic { flows, due: BinaryHeap::new(), random: Random(seed ^ 0xfeed), number: 0 }
    }

    fn push(&mut self, at: u64, segment: Segment) {
        self.number += 1;
        self.due.push(Reverse(Due { at, number: self.number, segment }));
    }

    fn begin(&mut self, shake: &Shake) {
        let (a, b) = (self.random.next() as u32, self.random.next() as u32);
        let up = |flags, seq, ack| Segment {
            src: shake.src,
            dst: shake.dst,
            src_port: shake.src_port,
            dst_port: shake.dst_port,
            ttl: shake.ttl,
            window: shake.window,
            seq,
            ack,
            flags,
            ..Segment::EMPTY
        };
        let down = |flags, seq, ack| Segment {
            src: shake.dst,
            dst: shake.src,
            src_port: shake.dst_port,
            dst_port: shake.src_port,
            ttl: 64,
            window: 64_240,
            seq,
            ack,
            flags,
            ..Segment::EMPTY
        };
        let (syn, ack, first) = (TcpFlags::SYN, TcpFlags::ACK, a.wrapping_add(1));
        let at = shake.at;
        // Most clients are near, some are far: from 5 ms up, one in fifty beyond 400 ms.
        let rtt = 5 * MS + (self.random.exponential(1.0).powi(2) * 27e6) as u64;
        match shake.fate {
            Fate::Completes => {
                self.push(at, up(syn, a, 0));
                self.push(at + ANSWER, down(syn.with(ack), b, first));
                // One ACK in a hundred is lost: data follows with the retransmission.
                let lost = if self.random.below(100) == 0 { SECOND } else { 0 };
                self.push(at + rtt + lost, up(ack, first, b.wrapping_add(1)));
                let life = (self.random.exponential(1.5) * 1e9) as u64;
                self.push(at + rtt + lost + life, up(TcpFlags::FIN.with(ack), first, b.wrapping_add(1)));
            }
            Fate::Lossy(_) | Fate::CutOff(_) => {
                let passage = self.passage(at, rtt, shake.fate);
                passage.syns.iter().for_each(|at| self.push(*at, up(syn, a, 0)));
                passage.answers.iter().for_each(|at| self.push(*at, down(syn.with(ack), b, first)));
                if let Some(at) = passage.ack {
                    self.push(at, up(ack, first, b.wrapping_add(1)));
                }
            }
            Fate::Stays => {
                self.push(at, up(syn, a, 0));
                self.push(at + ANSWER, down(syn.with(ack), b, first));
                self.push(at + rtt, up(ack, first, b.wrapping_add(1)));
            }
            Fate::Hangs => {
                self.push(at, up(syn, a, 0));
                self.push(at + ANSWER, down(syn.with(ack), b, first));
            }
            Fate::Unheard => self.push(at, up(syn, a, 0)),
            Fate::Repeats => {
                for wait in [0, 1, 3, 7] {
                    self.push(at + wait * SECOND, up(syn, a, 0));
                }
            }
            Fate::Refused => {
                self.push(at, up(syn, a, 0));
                self.push(at + ANSWER, down(TcpFlags::RST.with(ack), 0, first));
            }
            Fate::OneWay => {
                self.push(at, up(syn, a, 0));
                self.push(at + rtt, up(ack, first, b.wrapping_add(1)));
            }
            Fate::Backscatter => self.push(at, up(syn.with(ack), a, b)),
        }
    }
}

/// What passes the monitor of a handshake on a path that loses packets.
struct Passage {
    syns: Vec<u64>,
    answers: Vec<u64>,
    /// None: the client has given up.
    ack: Option<u64>,
}

impl Traffic {
    /// SYNs are lost before they come here, SYN-ACKs after that; both sides repeat theirs after 1, 3 and 7 s.
    fn passage(&mut self, at: u64, rtt: u64, fate: Fate) -> Passage {
        let random = &mut self.random;
        let (percent, cut_until) = match fate {
            Fate::Lossy(percent) => (percent, 0),
            Fate::CutOff(until) => (0, until),
            _ => (0, 0),
        };
        let mut arrives = || random.below(100) >= percent;
        let mut syns: Vec<u64> =
            [0, 1, 3, 7].into_iter().filter(|_| arrives()).map(|s| at + s * SECOND).collect();
        let Some(first) = syns.first().copied() else {
            return Passage { syns, answers: Vec::new(), ack: None };
        };
        let repeated = [1, 3, 7].map(|s| first + s * SECOND);
        let mut answers: Vec<u64> = syns.iter().copied().chain(repeated).map(|at| at + ANSWER).collect();
        answers.sort_unstable();
        let heard = answers.iter().copied().find(|at| arrives() && *at >= cut_until);
        let silent_from = heard.unwrap_or(u64::MAX);
        syns.retain(|at| *at < silent_from);
        answers.retain(|at| *at <= silent_from);
        // A lost ACK is made up for by the first data, which is repeated sooner.
        let mut ack = heard.map(|at| at + rtt);
        while ack.is_some() && !arrives() {
            ack = ack.map(|at| at + 300 * MS);
        }
        Passage { syns, answers, ack }
    }
}

impl Iterator for Traffic {
    type Item = (u64, Segment);

    fn next(&mut self) -> Option<(u64, Segment)> {
        loop {
            let earliest =
                (0..self.flows.len()).filter_map(|index| Some((self.flows[index].peek()?.at, index))).min();
            let due = self.due.peek().map(|due| due.0.at);
            match (earliest, due) {
                (Some((at, index)), due) if due.is_none_or(|due| at <= due) => {
                    let shake = self.flows[index].next().expect("it was peeked at");
                    self.begin(&shake);
                }
                (_, Some(_)) => {
                    let due = self.due.pop().expect("it was peeked at").0;
                    return Some((due.at, due.segment));
                }
                _ => return None,
            }
        }
    }
}

/// Handshakes at random times, with a rate that changes with time: `shape` makes each of them what it is.
pub fn poisson(
    from: u64,
    until: u64,
    most: f64,
    seed: u64,
    rate: impl Fn(u64) -> f64 + 'static,
    mut shape: impl FnMut(&mut Random, u64) -> Shake + 'static,
) -> Flow {
    let mut random = Random(seed);
    let mut at = from;
    Box::new(std::iter::from_fn(move || {
        loop {
            at += (random.exponential(1.0 / most) * 1e9) as u64 + 1;
            if at >= until {
                return None;
            }
            if random.unit() * most <= rate(at) {
                return Some(shape(&mut random, at));
            }
        }
    }))
}

/// Real clients: some thousand addresses in many networks, each with its own distance and system.
pub fn client(random: &mut Random, pool: u64, at: u64, dst: (Addr, u16), fate: Fate) -> Shake {
    let number = random.below(pool);
    let mut own = Random(number ^ 0xc11e);
    let start = [64_u8, 64, 128, 255][own.below(4) as usize];
    Shake {
        at,
        src: ip_of(0x0b00_0000 + (own.next() as u32 & 0x3fff_ffff) / 1024 * 1024 + number as u32 % 1024),
        src_port: 1024 + random.below(60_000) as u16,
        dst: dst.0,
        dst_port: dst.1,
        ttl: start - 4 - own.below(18) as u8,
        window: [64_240, 65_535, 8192, 29_200][own.below(4) as usize],
        fate,
    }
}

/// Honest clients of one service.
pub fn honest(from: u64, until: u64, rate: f64, pool: u64, dst: (Addr, u16), seed: u64) -> Flow {
    poisson(
        from,
        until,
        rate,
        seed,
        move |_| rate,
        move |random, at| client(random, pool, at, dst, Fate::Completes),
    )
}
