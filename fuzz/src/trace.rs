//! Arbitrary segments on a few tuples, with a clock that mostly goes forward.

use std::net::{Ipv4Addr, Ipv6Addr};

use hs_common::memory::Tracker;
use hs_common::track::Place;
use hs_common::{Addr, Anomaly, Config, Segment, TcpFlags};

use super::Account;

/// Bytes of the input that make an [`Op`].
const OP_BYTES: usize = 10;
/// More tuples than the smallest table has room for.
const TUPLES: u8 = 8;
const MILLISECOND: u64 = 1_000_000;

/// A segment, or a sweep, after some time.
#[derive(Clone, Copy, Debug)]
pub struct Op([u8; OP_BYTES]);

impl From<[u8; OP_BYTES]> for Op {
    fn from(bytes: [u8; OP_BYTES]) -> Op {
        Op(bytes)
    }
}

impl Op {
    /// Milliseconds until this; now and then the clock is set back.
    fn pause_ms(self) -> i64 {
        [0, 0, 1, 1, 300, 1000, 5000, 63_000, -1, -2000, 1, 1, 2, 3, 4, 5][usize::from(self.0[0] >> 4)]
    }

    fn is_sweep(self) -> bool {
        self.0[0] & 0x0f == 0x0f
    }

    /// Flags that make sense, mostly.
    fn flags(self) -> TcpFlags {
        const SENSE: [u16; 12] = [0x02, 0x02, 0x12, 0x12, 0x10, 0x10, 0x18, 0x11, 0x04, 0x14, 0xc2, 0x52];
        match SENSE.get(usize::from(self.0[2] >> 4)) {
            Some(flags) => TcpFlags(*flags),
            None => TcpFlags(u16::from_be_bytes([self.0[2] & 1, self.0[3]])),
        }
    }

    /// A number near one of the ISNs in use, some of which wrap.
    fn number(choice: u8, offset: u8) -> u32 {
        const ISNS: [u32; 6] = [1000, 50_000_000, u32::MAX, u32::MAX - 3, 0, 1 << 31];
        const DISTANCES: [u32; 8] = [0, 1, 1, 2, 5, 100, 65_535, 70_000];
        let isn = ISNS[usize::from(choice) % ISNS.len()];
        let distance = DISTANCES[usize::from(offset & 7)];
        isn.wrapping_add(distance).wrapping_sub(if offset & 0x80 != 0 { 3 } else { 0 })
    }

    fn segment(self) -> Segment {
        let [_, way, _, _, seq, seq_offset, ack, ack_offset, payload, more] = self.0;
        let tuple = way % TUPLES;
        let (mut src, mut dst) = ((host(tuple, 1), 1000 + u16::from(tuple)), (host(tuple, 2), 80));
        if way & 0x40 != 0 {
            (src, dst) = (dst, src);
        }
        if more & 0xf0 == 0xf0 {
            dst = src;
        }
        Segment {
            src: src.0,
            dst: dst.0,
            src_port: src.1,
            dst_port: if more & 0xf0 == 0xe0 { 0 } else { dst.1 },
            seq: Op::number(seq, seq_offset),
            ack: Op::number(ack, ack_offset),
            payload: [0, 0, 0, 1, 10, 1460, 65_535, 500_000][usize::from(payload & 7)],
            window: [0, 1, 1000, 64_000, 65_535][usize::from(payload >> 3) % 5],
            flags: self.flags(),
            fast_open: more & 1,
            fault: if more & 0x0e == 0x0e { Anomaly::TruncatedHeader.code() } else { more >> 1 & 4 },
            ..Segment::EMPTY
        }
    }
}

fn host(tuple: u8, last: u8) -> Addr {
    if tuple.is_multiple_of(2) {
        Ipv4Addr::new(192, 0, 2, last).into()
    } else {
        Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, u16::from(last)).into()
    }
}

/// The first byte chooses how many flows are remembered; then come segments and sweeps.
pub fn engine(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let max_flows = [8, 16, 32, 64][usize::from(first & 3)];
    let ops = rest.as_chunks::<OP_BYTES>().0;
    run(Config { max_flows, ..Config::DEFAULT }, ops.iter().map(|bytes| Op(*bytes)));
}

/// Tracks the segments and checks the books after each.
pub fn run(config: Config, ops: impl Iterator<Item = Op>) {
    let mut tracker = Tracker::new(config);
    let mut account = Account::default();
    let mut now_ns = 1_000_000 * MILLISECOND;
    for op in ops {
        now_ns = now_ns.saturating_add_signed(op.pause_ms() * MILLISECOND as i64);
        let mut tuple = None;
        if op.is_sweep() {
            tracker.sweep(now_ns);
        } else {
            let segment = op.segment();
            tuple = Some(((segment.src, segment.src_port), (segment.dst, segment.dst_port)));
            tracker.track_segment(segment, Place::CAPTURE, now_ns);
        }
        let events: Vec<_> = tracker.drain().collect();
        account.book(tuple, tracker.counters(), &events);
        assert!(tracker.remembered() <= config.max_flows as usize, "memory is bounded");
    }
    tracker.finish(now_ns);
    let events: Vec<_> = tracker.drain().collect();
    account.book(None, tracker.counters(), &events);
    account.close(tracker.counters());
}
