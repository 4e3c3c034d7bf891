//! What happens, and what should be said of it.

use hs_common::Addr;
use hs_mon::detect::{Kind, Signature};

use crate::traffic::*;

/// Where the services are.
pub const WEB: (u8, u8, u8, u8) = (198, 18, 0, 1);

pub fn web() -> (Addr, u16) {
    (ip(WEB.0, WEB.1, WEB.2, WEB.3), 443)
}

/// A scenario with its truth.
pub struct Scenario {
    pub name: &'static str,
    pub flows: Vec<Flow>,
    pub until: u64,
    pub truth: Truth,
}

#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// When the attack begins and ends; none: no alert is due.
    pub attack: Option<(u64, u64)>,
    pub signature: Option<Signature>,
    pub kind: Option<Kind>,
    pub sources: Option<f64>,
    pub shares: Vec<(Addr, f64)>,
    /// The prefix's length, if a prefix is the victim.
    pub prefix: Option<u8>,
    pub port: Option<u16>,
    /// Other ports that are attacked at the same time, each with an alert of its own.
    pub also: Vec<(Addr, u16)>,
}

/// How sources of a flood are made.
#[derive(Clone, Copy)]
pub enum From {
    /// Any address, one TTL: a tool on one machine.
    Anywhere,
    /// The same by IPv6.
    Anywhere6,
    /// So many machines.
    Bots(u64),
    /// One machine.
    One,
    /// So many machines, of which the first sends half, the second a fifth.
    Skewed(u64),
    /// So many made-up addresses, one after the other.
    Cycle(u64),
}

pub fn flood(
    from: u64,
    until: u64,
    rate: f64,
    source: From,
    fate: Fate,
    dest: impl Fn(&mut Random) -> (Addr, u16) + 'static,
    seed: u64,
) -> Flow {
    poisson(from, until, rate, seed, move |_| rate, flooder(source, fate, dest, seed))
}

/// Makes the handshakes of a flood.
pub fn flooder(
    source: From,
    fate: Fate,
    dest: impl Fn(&mut Random) -> (Addr, u16) + 'static,
    seed: u64,
) -> impl FnMut(&mut Random, u64) -> Shake {
    let mut count = 0_u64;
    move |random: &mut Random, at| {
        let dst = dest(random);
        let bot = |random: &mut Random, number: u64| {
            let mut own = Random(number ^ seed ^ 0xb07);
            let start = [64_u8, 128, 64, 255][own.below(4) as usize];
            let src = ip_of(0x5000_0000 ^ (own.next() as u32 & 0x0fff_ffff));
            (src, start - 5 - own.below(18) as u8, 1024 * (8 + random.below(56)) as u16)
        };
        count += 1;
        let (src, ttl, window) = match source {
            From::Anywhere => (ip_of(random.next() as u32), 52, 512),
            From::Anywhere6 => (ip6(0x2001_0db8_0000_0000 | random.next() >> 40, random.next()), 52, 512),
            From::Bots(bots) => {
                let number = random.below(bots);
                bot(random, number)
            }
            From::One => bot(random, 7),
            From::Skewed(bots) => {
                let lot = random.below(100);
                let number = if lot < 50 {
                    0
                } else if lot < 70 {
                    1
                } else {
                    2 + random.below(bots)
                };
                bot(random, number)
            }
            From::Cycle(sources) => {
                (ip_of(0x2000_0000_u32.wrapping_add((count % sources) as u32 * 97)), 52, 512)
            }
        };
        // A backlog without SYN cookies is full after a while: then nobody is answered.
        let fate =
            if matches!(fate, Fate::Hangs) && seed % 2 == 1 && count > 256 { Fate::Unheard } else { fate };
        let src_port = 1024 + random.below(60_000) as u16;
        Shake { at, src, src_port, dst: dst.0, dst_port: dst.1, ttl, window, fate }
    }
}

pub fn attacked(
    name: &'static str,
    mut flows: Vec<Flow>,
    attack: (u64, u64),
    kind: Kind,
    background: f64,
    seed: u64,
) -> Scenario {
    // Long enough for a detector that looks every 20 s.
    let until = (attack.1 + 12 * SECOND).max(42 * SECOND);
    if background > 0.0 {
        flows.push(honest(0, until, background, 2_000, web(), seed ^ 0x40e));
    }
    let truth = Truth {
        attack: Some(attack),
        signature: Some(Signature::SynFlood),
        kind: Some(kind),
        port: Some(443),
        ..Truth::default()
    };
    Scenario { name, flows, until, truth }
}

/// When the attack begins: somewhere between two looks of the detector.
pub fn start(seed: u64) -> u64 {
    20 * SECOND + Random(seed ^ 0x57a7).below(SECOND)
}

pub fn fast_flood(seed: u64) -> Scenario {
    let from = start(seed);
    let rate = [5_000.0, 8_000.0, 20_000.0][seed as usize % 3];
    let flows = vec![flood(from, from + 5 * SECOND, rate, From::Anywhere, Fate::Hangs, |_| web(), seed)];
    attacked(
        "spoofed flood, 5,000/s and more, on 100/s",
        flows,
        (from, from + 5 * SECOND),
        Kind::Spoofed,
        100.0,
        seed,
    )
}

pub fn slow_flood_on_service(seed: u64) -> Scenario {
    let from = start(seed);
    let flows = vec![flood(from, from + 20 * SECOND, 200.0, From::Anywhere, Fate::Hangs, |_| web(), seed)];
    attacked("spoofed flood, 200/s, on 100/s", flows, (from, from + 20 * SECOND), Kind::Spoofed, 100.0, seed)
}

pub fn quiet_service(seed: u64) -> Scenario {
    let from = start(seed);
    let flows = vec![flood(from, from + 60 * SECOND, 10.0, From::Anywhere, Fate::Hangs, |_| web(), seed)];
    attacked(
        "slow flood, 10/s, on a quiet service",
        flows,
        (from, from + 60 * SECOND),
        Kind::Spoofed,
        0.3,
        seed,
    )
}

pub fn bots(seed: u64) -> Scenario {
    let from = start(seed);
    let flows = vec![flood(from, from + 15 * SECOND, 3_000.0, From::Bots(800), Fate::Hangs, |_| web(), seed)];
    attacked("800 machines, 3,000/s", flows, (from, from + 15 * SECOND), Kind::Distributed, 100.0, seed)
}

pub fn one_machine(seed: u64) -> Scenario {
    let from = start(seed);
    let flows = vec![flood(from, from + 15 * SECOND, 1_000.0, From::One, Fate::Hangs, |_| web(), seed)];
    attacked("one machine, 1,000/s", flows, (from, from + 15 * SECOND), Kind::SingleSource, 100.0, seed)
}

pub fn skewed(seed: u64) -> Scenario {
    let from = start(seed);
    let flows =
        vec![flood(from, from + 15 * SECOND, 5_000.0, From::Skewed(500), Fate::Hangs, |_| web(), seed)];
    let mut scenario = attacked(
        "500 machines, one with 50 %, one with 20 %",
        flows,
        (from, from + 15 * SECOND),
        Kind::Distributed,
        100.0,
        seed,
    );
    let bot =
        |number: u64| ip_of(0x5000_0000 ^ (with_first_skipped(number ^ seed ^ 0xb07) as u32 & 0x0fff_ffff));
    scenario.truth.shares = vec![(bot(0), 0.5), (bot(1), 0.2)];
    scenario
}

/// The second number of a generator: the first chose the TTL's start.
fn with_first_skipped(seed: u64) -> u64 {
    let mut own = Random(seed);
    own.next();
    own.next()
}

pub fn carpet(seed: u64) -> Scenario {
    let from = start(seed);
    let dest = |random: &mut Random| (ip(198, 18, 0, random.below(256) as u8), 443);
    let flows = vec![flood(from, from + 15 * SECOND, 5_120.0, From::Anywhere, Fate::Hangs, dest, seed)];
    let mut scenario = attacked(
        "carpet bombing of a /24, 20/s each",
        flows,
        (from, from + 15 * SECOND),
        Kind::Spoofed,
        100.0,
        seed,
    );
    (scenario.truth.prefix, scenario.truth.port) = (Some(24), None);
    scenario
}

pub fn all_ports(seed: u64) -> Scenario {
    let from = start(seed);
    let dest = |random: &mut Random| (web().0, 1 + random.below(65_535) as u16);
    let flows = vec![flood(from, from + 15 * SECOND, 5_000.0, From::Anywhere, Fate::Hangs, dest, seed)];
    let mut scenario =
        attacked("all ports of a host", flows, (from, from + 15 * SECOND), Kind::Spoofed, 100.0, seed);
    scenario.truth.port = None;
    scenario
}

/// A flood while another sprays SYNs over the whole address space.
pub fn spray(seed: u64) -> Scenario {
    let from = start(seed);
    let noise = |random: &mut Random| (ip_of(random.next() as u32), random.next() as u16 | 1);
    let flows = vec![
        flood(from, from + 10 * SECOND, 5_000.0, From::Anywhere, Fate::Hangs, |_| web(), seed),
        flood(
            from - 5 * SECOND,
            from + 10 * SECOND,
            50_000.0,
            From::Anywhere,
            Fate::Unheard,
            noise,
            seed + 1,
        ),
    ];
    attacked("flood under a spray of 50,000/s", flows, (from, from + 10 * SECOND), Kind::Spoofed, 100.0, seed)
}

pub fn sources(seed: u64, count: u64) -> Scenario {
    let from = start(seed);
    let (rate, seconds) = match count {
        0..=1_000 => (1_000.0, 10),
        1_001..=100_000 => (20_000.0, 15),
        100_001..=1_000_000 => (150_000.0, 15),
        _ => (1_000_000.0, 15),
    };
    let flows =
        vec![flood(from, from + seconds * SECOND, rate, From::Cycle(count), Fate::Unheard, |_| web(), seed)];
    let mut scenario =
        attacked("distinct sources", flows, (from, from + seconds * SECOND), Kind::Spoofed, 50.0, seed);
    scenario.truth.sources = Some(count as f64);
    scenario.until = from + seconds * SECOND + 6 * SECOND;
    scenario
}

pub fn scan(seed: u64) -> Scenario {
    let from = start(seed);
    let rate = [100.0, 300.0, 1_000.0][seed as usize % 3];
    let seconds = 1_000.0 / rate;
    let mut port = 0_u16;
    let flow = poisson(
        from,
        from + (seconds * 1e9) as u64,
        rate,
        seed,
        move |_| rate,
        move |random, at| {
            port += 1;
            let fate = match random.below(10) {
                _ if seed.is_multiple_of(2) => Fate::Refused,
                0 => Fate::Refused,
                _ => Fate::Unheard,
            };
            Shake { src: ip(203, 0, 113, 7), ..client(random, 1, at, (web().0, port), fate) }
        },
    );
    let until = from + 30 * SECOND;
    let truth = Truth {
        attack: Some((from, from + (seconds * 1e9) as u64)),
        signature: Some(Signature::SynScan),
        ..Truth::default()
    };
    Scenario {
        name: "SYN scan of 1,000 ports",
        flows: vec![flow, honest(0, until, 100.0, 2_000, web(), seed + 1)],
        until,
        truth,
    }
}

pub fn backscatter(seed: u64) -> Scenario {
    let from = start(seed);
    let flow = poisson(
        from,
        from + 10 * SECOND,
        500.0,
        seed,
        |_| 500.0,
        |random, at| Shake {
            src: ip(192, 0, 2, 9),
            src_port: 443,
            dst: web().0,
            dst_port: random.next() as u16 | 1024,
            ..client(random, 1, at, web(), Fate::Backscatter)
        },
    );
    let until = from + 25 * SECOND;
    let truth = Truth {
        attack: Some((from, from + 10 * SECOND)),
        signature: Some(Signature::Reflection),
        ..Truth::default()
    };
    Scenario {
        name: "backscatter, 500/s",
        flows: vec![flow, honest(0, until, 100.0, 2_000, web(), seed + 1)],
        until,
        truth,
    }
}
