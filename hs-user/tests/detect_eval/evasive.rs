//! Attacks that try to pass unseen, or that come at a bad time.

use hs_mon::detect::{Kind, Signature};

use crate::scenarios::{From, Scenario, Truth, attacked, flood, flooder, start, web};
use crate::traffic::*;

/// Short bursts, the same number of SYNs in each.
fn pulses(from: u64, until: u64, every: u64, length: u64, rate: f64, seed: u64) -> Flow {
    let on = move |at: u64| if (at - from) % every < length { rate } else { 0.0 };
    poisson(from, until, rate, seed, on, flooder(From::Anywhere, Fate::Hangs, |_| web(), seed))
}

/// On for 200 ms, off for 1.8 s: an average of 100/s.
pub fn pulsing(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 20 * SECOND - 1_800 * MS);
    let flows = vec![pulses(from, until, 2 * SECOND, 200 * MS, 1_000.0, seed)];
    attacked("pulses of 200 SYNs every 2 s", flows, (from, until), Kind::Spoofed, 100.0, seed)
}

/// 40 SYNs at once every 3 s.
pub fn pricks(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 40 * SECOND - 3_960 * MS);
    let flows = vec![pulses(from, until, 3 * SECOND, 40 * MS, 1_000.0, seed)];
    attacked("pulses of 40 SYNs every 3 s", flows, (from, until), Kind::Spoofed, 0.3, seed)
}

/// It grows by so many SYNs a second, each second.
pub fn ramp(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 60 * SECOND);
    let rate = move |at: u64| (at - from) as f64 / 1e9 * 5.0;
    let flow = poisson(from, until, 300.0, seed, rate, flooder(From::Anywhere, Fate::Hangs, |_| web(), seed));
    attacked("flood that grows by 5/s each second", vec![flow], (from, until), Kind::Spoofed, 100.0, seed)
}

/// It grows so slowly that it may be learned as usual.
pub fn slow_ramp(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 900 * SECOND);
    let rate = move |at: u64| (at - from) as f64 / 1e9 * 0.2;
    let flow = poisson(from, until, 180.0, seed, rate, flooder(From::Anywhere, Fate::Hangs, |_| web(), seed));
    attacked("flood that grows by 12/s each minute", vec![flow], (from, until), Kind::Spoofed, 100.0, seed)
}

pub fn in_a_crowd(seed: u64) -> Scenario {
    let from = start(seed) + 5 * SECOND;
    let crowd = poisson(
        20 * SECOND,
        50 * SECOND,
        3_000.0,
        seed + 1,
        |_| 3_000.0,
        |random, at| client(random, 50_000, at, web(), Fate::Completes),
    );
    let until = from + 10 * SECOND;
    let flows = vec![crowd, flood(from, until, 2_000.0, From::Anywhere, Fate::Hangs, |_| web(), seed)];
    attacked("flood, 2,000/s, in a flash crowd of 3,000/s", flows, (from, until), Kind::Spoofed, 10.0, seed)
}

/// The victim drops all that comes.
pub fn unanswered(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 15 * SECOND);
    let victim = (ip(198, 18, 0, 9), 4_443);
    let flows = vec![flood(from, until, 500.0, From::Anywhere, Fate::Unheard, move |_| victim, seed)];
    let name = "flood, 500/s, on a port that answers nobody";
    let mut scenario = attacked(name, flows, (from, until), Kind::Spoofed, 100.0, seed);
    scenario.truth.port = Some(victim.1);
    scenario
}

/// It is under way when the watch begins.
pub fn from_the_start(seed: u64) -> Scenario {
    let until = 15 * SECOND;
    let flows = vec![flood(0, until, 2_000.0, From::Anywhere, Fate::Hangs, |_| web(), seed)];
    attacked("flood, 2,000/s, when hs-mon starts", flows, (0, until), Kind::Spoofed, 100.0, seed)
}

/// Two services of different networks.
pub fn two_victims(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 10 * SECOND);
    let other = (ip(198, 18, 7, 1), 25);
    let flows = vec![
        flood(from, until, 3_000.0, From::Anywhere, Fate::Hangs, |_| web(), seed),
        flood(from, until, 1_000.0, From::Bots(300), Fate::Hangs, move |_| other, seed + 1),
    ];
    let mut scenario = attacked("two victims at once", flows, (from, until), Kind::Spoofed, 100.0, seed);
    scenario.truth.also = vec![other];
    scenario
}

/// Two services of one network.
pub fn two_neighbours(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 10 * SECOND);
    let other = (ip(198, 18, 0, 2), 25);
    let flows = vec![
        flood(from, until, 2_000.0, From::Anywhere, Fate::Hangs, |_| web(), seed),
        flood(from, until, 2_000.0, From::Anywhere, Fate::Hangs, move |_| other, seed + 1),
    ];
    let mut scenario =
        attacked("two victims in one /24 at once", flows, (from, until), Kind::Spoofed, 100.0, seed);
    scenario.truth.also = vec![other];
    scenario
}

/// Any address of an IPv6 network, most of which nobody has.
pub fn carpet_ipv6(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 15 * SECOND);
    let dest = |random: &mut Random| (ip6(0x2001_0002_0000_0001, random.next() >> 48), 443);
    let flows = vec![flood(from, until, 3_000.0, From::Anywhere6, Fate::Unheard, dest, seed)];
    let mut scenario =
        attacked("carpet bombing of a /64, 3,000/s", flows, (from, until), Kind::Spoofed, 100.0, seed);
    (scenario.truth.prefix, scenario.truth.port) = (Some(64), None);
    scenario
}

pub fn busy_service(seed: u64) -> Scenario {
    let (from, until) = (start(seed), start(seed) + 8 * SECOND);
    let flows = vec![flood(from, until, 2_000.0, From::Anywhere, Fate::Hangs, |_| web(), seed)];
    attacked("flood, 2,000/s, on 10,000/s", flows, (from, until), Kind::Spoofed, 10_000.0, seed)
}

/// One port of every address of a /24, from one source.
pub fn sweep(seed: u64) -> Scenario {
    let from = start(seed);
    let rate = [100.0, 300.0, 1_000.0][seed as usize % 3];
    let attack = (from, from + (256.0 / rate * 1e9) as u64);
    let mut last = 0_u8;
    let flow = poisson(
        attack.0,
        attack.1,
        rate,
        seed,
        move |_| rate,
        move |random, at| {
            last = last.wrapping_add(1);
            let fate = if random.below(4) == 0 { Fate::Refused } else { Fate::Unheard };
            Shake { src: ip(203, 0, 113, 7), ..client(random, 1, at, (ip(198, 18, 5, last), 22), fate) }
        },
    );
    let until = from + 30 * SECOND;
    let truth = Truth {
        attack: Some(attack),
        signature: Some(Signature::SynScan),
        prefix: Some(24),
        ..Truth::default()
    };
    Scenario {
        name: "one port of all of a /24, from one source",
        flows: vec![flow, honest(0, until, 100.0, 2_000, web(), seed + 1)],
        until,
        truth,
    }
}
