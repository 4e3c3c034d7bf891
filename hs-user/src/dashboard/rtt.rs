//! Round-trip times of the last handshakes that completed.

use std::collections::VecDeque;

use hs_common::event::{KIND_HANDSHAKE, RTT_UNKNOWN};
use hs_common::{Event, Outcome};

/// How many are kept: enough for a 99th percentile.
const MOST: usize = 1000;
const PERCENTILES: [usize; 3] = [50, 95, 99];

/// The last times of both parts of a handshake.
#[derive(Default)]
pub struct RoundTrips {
    synack: Part,
    ack: Part,
}

/// SYN to SYN-ACK, or SYN-ACK to ACK, in microseconds.
#[derive(Default)]
pub struct Part {
    last: VecDeque<u32>,
    percentiles: Option<[u32; PERCENTILES.len()]>,
}

impl RoundTrips {
    pub fn event(&mut self, event: &Event) {
        if event.kind == KIND_HANDSHAKE && event.outcome() == Some(Outcome::Completed) {
            self.synack.push(event.rtt_synack_us);
            self.ack.push(event.rtt_ack_us);
        }
    }

    /// Works the percentiles out anew.
    pub fn settle(&mut self) {
        self.synack.settle();
        self.ack.settle();
    }

    /// The 50th, 95th and 99th percentile of SYN to SYN-ACK in microseconds.
    pub const fn synack(&self) -> Option<[u32; 3]> {
        self.synack.percentiles
    }

    /// The same of SYN-ACK to ACK.
    pub const fn ack(&self) -> Option<[u32; 3]> {
        self.ack.percentiles
    }
}

impl Part {
    fn push(&mut self, us: u32) {
        if us == RTT_UNKNOWN {
            return;
        }
        if self.last.len() == MOST {
            self.last.pop_front();
        }
        self.last.push_back(us);
    }

    fn settle(&mut self) {
        let mut sorted: Vec<u32> = self.last.iter().copied().collect();
        sorted.sort_unstable();
        // The smallest time that so many per cent do not exceed.
        let at =
            |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let [p50, p95, p99] = PERCENTILES.map(at);
        self.percentiles = p50.zip(p95).zip(p99).map(|((p50, p95), p99)| [p50, p95, p99]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_last_thousand() {
        let mut part = Part::default();
        part.settle();
        assert_eq!(part.percentiles, None);
        part.push(7);
        part.push(RTT_UNKNOWN);
        part.settle();
        assert_eq!(part.percentiles, Some([7, 7, 7]));
        (0..5000).for_each(|_| part.push(1_000_000));
        (1..=1000).for_each(|us| part.push(us));
        part.settle();
        assert_eq!(part.percentiles, Some([500, 950, 990]));
    }
}
