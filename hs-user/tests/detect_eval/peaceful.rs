//! What is no attack, though some of it looks so.

use crate::scenarios::{Scenario, Truth, web};
use crate::traffic::*;

fn peaceful(name: &'static str, flows: Vec<Flow>, until: u64) -> Scenario {
    Scenario { name, flows, until, truth: Truth::default() }
}

pub fn flash_crowd(seed: u64) -> Scenario {
    let until = 50 * SECOND;
    let crowd = poisson(
        20 * SECOND,
        40 * SECOND,
        5_000.0,
        seed,
        |_| 5_000.0,
        |random, at| client(random, 50_000, at, web(), Fate::Completes),
    );
    peaceful(
        "flash crowd, 0 to 5,000/s at once",
        vec![crowd, honest(0, until, 1.0, 100, web(), seed + 1)],
        until,
    )
}

/// A day in an hour.
pub fn daily_rhythm(seed: u64, seconds: u64) -> Scenario {
    let until = seconds * SECOND;
    let rate = move |at: u64| 255.0 + 245.0 * (at as f64 / until as f64 * std::f64::consts::TAU).sin();
    let flow =
        poisson(0, until, 500.0, seed, rate, |random, at| client(random, 20_000, at, web(), Fate::Completes));
    peaceful("daily rhythm, 10 to 500/s", vec![flow], until)
}

pub fn restart(seed: u64) -> Scenario {
    let until = 60 * SECOND;
    let up = move |at: u64| !(20 * SECOND..30 * SECOND).contains(&at);
    let refuses = seed.is_multiple_of(2);
    let flow = poisson(
        0,
        until,
        600.0,
        seed,
        move |at| if (30 * SECOND..33 * SECOND).contains(&at) { 600.0 } else { 200.0 },
        move |random, at| {
            let down = if refuses { Fate::Refused } else { Fate::Repeats };
            client(random, 5_000, at, web(), if up(at) { Fate::Completes } else { down })
        },
    );
    let neighbour = honest(0, until, 50.0, 500, (ip(198, 18, 0, 7), 443), seed + 1);
    peaceful("restarting service", vec![flow, neighbour], until)
}

pub fn dead(seed: u64) -> Scenario {
    let until = 80 * SECOND;
    let death = 20 * SECOND;
    let flow = poisson(
        0,
        until,
        300.0,
        seed,
        move |at| if at < death { 150.0 } else { 300.0 },
        move |random, at| {
            client(random, 5_000, at, web(), if at < death { Fate::Completes } else { Fate::Repeats })
        },
    );
    let neighbour = honest(0, until, 50.0, 500, (ip(198, 18, 0, 7), 443), seed + 1);
    peaceful("dead service, 150/s, then 300 attempts/s", vec![flow, neighbour], until)
}

pub fn gateway(seed: u64) -> Scenario {
    let until = 60 * SECOND;
    let flow = poisson(
        0,
        until,
        1_500.0,
        seed,
        |_| 1_500.0,
        |random, at| Shake { src: ip(203, 0, 112, 9), ..client(random, 10_000, at, web(), Fate::Completes) },
    );
    peaceful("NAT gateway, 10,000 clients, 1,500/s", vec![flow], until)
}

pub fn one_way(seed: u64) -> Scenario {
    let until = 60 * SECOND;
    let flow = poisson(
        0,
        until,
        400.0,
        seed,
        |_| 400.0,
        |random, at| client(random, 5_000, at, web(), Fate::OneWay),
    );
    peaceful("one direction visible, 400/s", vec![flow], until)
}

/// Clients on bad paths, among them half of a service's traffic on the worst.
pub fn lossy(seed: u64) -> Scenario {
    let until = 90 * SECOND;
    let percent = [5, 10, 20][seed as usize % 3];
    let from = 20 * SECOND;
    let flow = poisson(
        0,
        until,
        300.0,
        seed,
        move |at| if at < from { 100.0 } else { 300.0 },
        move |random, at| client(random, 5_000, at, web(), Fate::Lossy(percent)),
    );
    peaceful("clients that lose 5 to 20 % of their packets", vec![flow], until)
}

/// A path that had been good begins to lose packets.
pub fn turns_lossy(seed: u64) -> Scenario {
    let until = 90 * SECOND;
    let bad = 40 * SECOND..60 * SECOND;
    let flow = poisson(
        0,
        until,
        200.0,
        seed,
        |_| 200.0,
        move |random, at| {
            let percent = if bad.contains(&at) { 10 } else { 0 };
            client(random, 5_000, at, web(), Fate::Lossy(percent))
        },
    );
    peaceful("a path that loses 10 % for 20 s", vec![flow], until)
}

/// What the server sends is lost for a while: a route flaps.
pub fn cut_off(seed: u64) -> Scenario {
    let until = 90 * SECOND;
    let rate = [50.0, 200.0, 1_000.0][seed as usize % 3];
    let (from, to) = (45 * SECOND, 45 * SECOND + (1 + seed % 4) * SECOND);
    let flow = poisson(
        0,
        until,
        rate,
        seed,
        move |_| rate,
        move |random, at| {
            let fate = if (from..to).contains(&at) { Fate::CutOff(to) } else { Fate::Completes };
            client(random, 5_000, at, web(), fate)
        },
    );
    peaceful("no way back for 1 to 4 s", vec![flow], until)
}

/// Connections that begin and do not end.
pub fn downloads(seed: u64) -> Scenario {
    let until = 120 * SECOND;
    let flow = poisson(
        0,
        until,
        50.0,
        seed,
        |at| if at > 60 * SECOND { 50.0 } else { 2.0 },
        |random, at| client(random, 5_000, at, web(), Fate::Stays),
    );
    peaceful("connections that last for hours", vec![flow], until)
}

/// Many services, with all that goes wrong every day.
pub fn mixed(seed: u64, seconds: u64) -> Scenario {
    let until = seconds * SECOND;
    let service = |random: &mut Random| {
        let number = random.below(40);
        (ip(198, 18, (number % 4) as u8, 10 + number as u8), [443, 80, 22, 25, 8443][number as usize % 5])
    };
    let flow = poisson(
        0,
        until,
        150.0,
        seed,
        |at| 100.0 + 50.0 * ((at / SECOND) as f64 / 97.0).sin(),
        move |random, at| {
            let lot = random.below(1000);
            let fate = match lot {
                0..5 => Fate::Repeats,
                5..15 => Fate::Refused,
                15..17 => Fate::Hangs,
                _ => Fate::Completes,
            };
            let dst = service(random);
            client(random, 20_000, at, dst, fate)
        },
    );
    // One service dies for a while, now and then a crowd comes, and the internet knocks at random.
    let dead = poisson(
        0,
        until,
        20.0,
        seed + 1,
        |at| if (at / SECOND) % 900 > 800 { 20.0 } else { 0.0 },
        |random, at| client(random, 500, at, (ip(198, 18, 1, 77), 5432), Fate::Repeats),
    );
    let crowd = poisson(
        0,
        until,
        1_500.0,
        seed + 2,
        |at| if (at / SECOND) % 600 > 580 { 1_500.0 } else { 0.0 },
        |random, at| client(random, 20_000, at, (ip(198, 18, 2, 80), 443), Fate::Completes),
    );
    let knocks = poisson(
        0,
        until,
        2.0,
        seed + 3,
        |_| 2.0,
        |random, at| {
            let dst = (ip(198, 18, random.below(4) as u8, random.below(256) as u8), random.next() as u16 | 1);
            client(random, 100_000, at, dst, if at % 3 == 0 { Fate::Refused } else { Fate::Unheard })
        },
    );
    peaceful("an hour of mixed traffic", vec![flow, dead, crowd, knocks], until)
}
