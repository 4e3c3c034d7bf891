//! SYN floods that stay in the laboratory: bounded in number, rate and time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::frame::{Prefix, Segment};
use super::random::Random;
use super::wire::{BATCH, Wire};
use super::{NET_V4, NET_V6};

/// No flood lasts longer, whatever it is asked for.
const LONGEST: Duration = Duration::from_secs(60);
/// How long it rests between batches.
const STEP: Duration = Duration::from_millis(1);
/// Ports are of the upper half, as those of most clients.
const PORT_BITS: u32 = 15;
/// Enough sources, even of a prefix that has more.
const HOST_BITS_MAX: u32 = 40;

/// SYNs of clients that are not there.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Where they seem to come from: a part of [`NET_V4`] or [`NET_V6`], of the victim's family.
    pub sources: Prefix,
    /// Where they go.
    pub victim: SocketAddr,
    /// How many.
    pub count: u64,
    /// How many a second.
    pub rate: u32,
    /// The same seed sends the same SYNs.
    pub seed: u64,
}

impl Flood {
    /// Sends it, until all is sent, or `stop` is set, or it took longer than it should. Returns how many
    /// were sent.
    pub fn send(&self, wire: &Wire, stop: &AtomicBool) -> Result<u64> {
        let in_lab = [NET_V4, NET_V6].iter().any(|net| net.holds(&self.sources));
        ensure!(in_lab, "a flood's sources must be of {NET_V4} or {NET_V6}, not {}", self.sources);
        let mut random = Random::new(self.seed);
        send_at_rate(wire, self.count, self.rate, stop, |number| self.syn(number, &mut random))
    }

    /// No two of them are of the same client, unless the sources are so few that ports run out.
    pub fn syn(&self, number: u64, random: &mut Random) -> Segment {
        let host_bits = self.sources.host_bits().min(HOST_BITS_MAX);
        let client = spread(self.seed.wrapping_add(number), host_bits + PORT_BITS);
        let port = (1 << PORT_BITS) | (client & ((1 << PORT_BITS) - 1)) as u16;
        // Above what makes the client unique, a large prefix has room for anything.
        let host = random.u128() << host_bits | u128::from(client >> PORT_BITS);
        Segment::syn(SocketAddr::new(self.sources.address(host), port), self.victim, random.u32())
    }
}

/// Sends segments at a rate, until `count` are sent, or `stop` is set, or it took longer than it should.
/// Returns how many were sent.
pub fn send_at_rate(
    wire: &Wire,
    count: u64,
    rate: u32,
    stop: &AtomicBool,
    mut segment: impl FnMut(u64) -> Segment,
) -> Result<u64> {
    ensure!(rate > 0, "what is sent at a rate needs one");
    let (start, longest) = (Instant::now(), longest(count, rate));
    let mut sent = 0;
    while sent < count && start.elapsed() < longest && !stop.load(Ordering::Relaxed) {
        let due = (start.elapsed().as_secs_f64() * f64::from(rate)) as u64 + 1;
        let batch = due.min(count).saturating_sub(sent).min(BATCH as u64);
        let frames: Vec<Vec<u8>> = (sent..sent + batch).map(|number| wire.frame(&segment(number))).collect();
        sent += wire.send_frames(&frames)? as u64;
        if batch < BATCH as u64 {
            thread::sleep(STEP);
        }
    }
    Ok(sent)
}

/// Twice the time it should take, for a machine under load.
fn longest(count: u64, rate: u32) -> Duration {
    let planned = Duration::from_secs_f64(count as f64 / f64::from(rate));
    (2 * planned + Duration::from_secs(1)).min(LONGEST)
}

/// Looks random in so many bits, and no two of their numbers become the same: each step can be undone.
const fn spread(number: u64, bits: u32) -> u64 {
    let mask = (1 << bits) - 1;
    let mixed = (number & mask).wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask;
    let mixed = mixed ^ (mixed >> (bits / 2));
    mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) & mask
}
