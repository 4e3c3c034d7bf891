//! TCP options of a SYN or SYN-ACK: only what a handshake is judged by.

use crate::Anomaly;
use crate::packet::{Header, Packet};

/// The data offset leaves room for this many bytes of options (RFC 9293 3.1).
pub const MAX_OPTION_BYTES: u32 = 40;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const TIMESTAMPS: u8 = 8;
const FAST_OPEN: u8 = 34;
const EXPERIMENT: u8 = 254;
/// Tells Fast Open from other experiments under the same kind (RFC 7413 appendix A).
const FAST_OPEN_MAGIC: u16 = 0xf989;
/// RFC 7323 2.3.
const MAX_WINDOW_SCALE: u8 = 14;

/// What was found, packed into one number: what fits into a register can be settled at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan(usize);

impl Scan {
    const FAULT: usize = 0x1f;
    const FAST_OPEN: usize = 1 << 5;
    const CUT_OFF: usize = 1 << 6;
    const END: usize = 1 << 7;
    /// Lowest of the bits of [`unique_bit`].
    const SEEN: usize = 1 << 8;

    /// Code of the anomaly that comes first by precedence, or 0.
    #[inline(always)]
    pub const fn fault(self) -> u8 {
        (self.0 & Scan::FAULT) as u8
    }

    /// 1 if there is a Fast Open option.
    #[inline(always)]
    pub const fn fast_open(self) -> u8 {
        (self.0 & Scan::FAST_OPEN != 0) as u8
    }

    /// Whether the packet ends before the options do.
    #[inline(always)]
    pub const fn is_cut_off(self) -> bool {
        self.0 & Scan::CUT_OFF != 0
    }

    #[inline(always)]
    const fn with(self, bits: usize) -> Scan {
        Scan(self.0 | bits)
    }

    #[inline(always)]
    const fn blaming(self, anomaly: Anomaly) -> Scan {
        let code = anomaly.code() as usize;
        let fault = self.0 & Scan::FAULT;
        if fault != 0 && fault < code { self } else { Scan(self.0 & !Scan::FAULT | code) }
    }
}

/// Whether the options stand as common systems write them, with nothing to object to: then they need no scan,
/// which takes longer than all the rest of a SYN's headers. MSS alone (embedded systems, and tools that forge
/// SYNs); without timestamps (Windows, and Linux when it answers that); with them (Linux, FreeBSD, Apple).
#[inline(always)]
fn are_ordinary<P: Packet>(packet: &P, start: usize, length: usize) -> bool {
    const MSS_OF_4: u32 = u32::from_be_bytes([MSS, 4, 0, 0]);
    const SACK_TIMESTAMPS: u32 = u32::from_be_bytes([SACK_PERMITTED, 2, TIMESTAMPS, 10]);
    const NOPS_TIMESTAMPS: u32 = u32::from_be_bytes([NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10]);
    const SACK_END: u32 = u32::from_be_bytes([SACK_PERMITTED, 2, END, END]);
    const NOP_SCALE: u32 = u32::from_be_bytes([NO_OPERATION, WINDOW_SCALE, 3, 0]);
    const NOPS_SACK: u32 = u32::from_be_bytes([NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2]);
    let is_mss = |word: u32| word & 0xffff_0000 == MSS_OF_4;
    let is_scale = |word: u32| word.wrapping_sub(NOP_SCALE) <= MAX_WINDOW_SCALE as u32;
    match length {
        4 => packet.header::<4>(start).is_some_and(|o| is_mss(o.be32(0))),
        12 => packet.header::<12>(start).is_some_and(|o| {
            let (second, third) = (o.be32(4), o.be32(8));
            let is_windows = is_scale(second) && third == NOPS_SACK;
            is_mss(o.be32(0)) && (is_windows || second == NOPS_SACK && is_scale(third))
        }),
        20 => packet.header::<20>(start).is_some_and(|o| {
            let second = o.be32(4);
            let is_linux = second == SACK_TIMESTAMPS && is_scale(o.be32(16));
            is_mss(o.be32(0)) && (is_linux || is_scale(second) && o.be32(8) == SACK_TIMESTAMPS)
        }),
        24 => packet.header::<24>(start).is_some_and(|o| {
            let is_apple = o.be32(8) == NOPS_TIMESTAMPS && o.be32(20) == SACK_END;
            is_mss(o.be32(0)) && is_scale(o.be32(4)) && is_apple
        }),
        _ => false,
    }
}

/// What there is to note of `length` bytes of options.
#[inline(always)]
pub(super) fn scan<P: Packet>(packet: &P, start: usize, length: usize) -> Scan {
    let (start, length) = (packet.settle(start), packet.settle(length));
    if are_ordinary(packet, start, length) { Scan(packet.settle(0)) } else { look(packet, start, length) }
}

/// Looks at one option after the other. The loop is bounded by the room that there can be.
#[inline(never)]
fn look<P: Packet>(packet: &P, start: usize, length: usize) -> Scan {
    // Before Linux 6.7 the verifier follows only the first round of `bpf_loop`. What it knew of these there it would
    // take for true in all, and remove the branches behind that for dead.
    let mut scan = Scan(packet.settle(0));
    let mut at = packet.settle(0);
    P::repeat(MAX_OPTION_BYTES, || {
        if at >= length || scan.0 & Scan::END != 0 {
            return false;
        }
        let (found, size) = option(packet, start + at, length - at, scan);
        scan = Scan(packet.settle(found.0));
        at = packet.settle(at + size);
        true
    });
    scan
}

/// One option: what is known now, and its size.
#[inline(always)]
fn option<P: Packet>(packet: &P, at: usize, room: usize, scan: Scan) -> (Scan, usize) {
    let Some(kind) = packet.header::<1>(at) else { return (scan.with(Scan::CUT_OFF | Scan::END), 0) };
    let kind = kind.u8(0);
    if kind == END {
        return (scan.with(Scan::END), 0);
    }
    if kind == NO_OPERATION {
        return (scan, 1);
    }
    if room < 2 {
        return (scan.blaming(Anomaly::BadOptionLength).with(Scan::END), 0);
    }
    let Some(header) = packet.header::<2>(at) else { return (scan.with(Scan::CUT_OFF | Scan::END), 0) };
    let size = usize::from(header.u8(1));
    if size < 2 || size > room {
        return (scan.blaming(Anomaly::BadOptionLength).with(Scan::END), 0);
    }
    (sized(packet, at, kind, size, scan), size)
}

/// An option whose length fits into the header.
#[inline(always)]
fn sized<P: Packet>(packet: &P, at: usize, kind: u8, size: usize, scan: Scan) -> Scan {
    let cookie_overhead = match kind {
        FAST_OPEN => 2,
        EXPERIMENT if is_fast_open_experiment(packet, at, size) => 4,
        _ => 0,
    };
    let legal = match kind {
        MSS => size == 4,
        WINDOW_SCALE => size == 3,
        SACK_PERMITTED => size == 2,
        TIMESTAMPS => size == 10,
        _ => cookie_overhead == 0 || is_cookie_size(size, cookie_overhead),
    };
    let scan = if cookie_overhead != 0 { scan.with(Scan::FAST_OPEN) } else { scan };
    if !legal {
        return scan.blaming(Anomaly::BadOptionLength);
    }
    let bit = unique_bit(kind);
    if scan.0 & bit != 0 {
        return scan.blaming(Anomaly::DuplicateOption);
    }
    if kind == WINDOW_SCALE && packet.header::<3>(at).is_some_and(|option| option.u8(2) > MAX_WINDOW_SCALE) {
        return scan.with(bit).blaming(Anomaly::WindowScaleOutOfRange);
    }
    scan.with(bit)
}

#[inline(always)]
fn is_fast_open_experiment<P: Packet>(packet: &P, at: usize, size: usize) -> bool {
    size >= 4 && packet.header::<4>(at).is_some_and(|option| option.be16(2) == FAST_OPEN_MAGIC)
}

/// RFC 7413 4.1.1: no cookie (a request), or an even number of 4 to 16 bytes.
#[inline(always)]
fn is_cookie_size(size: usize, overhead: usize) -> bool {
    let cookie = size.wrapping_sub(overhead);
    cookie == 0 || (4..=16).contains(&cookie) && cookie.is_multiple_of(2)
}

/// A bit for each kind that may stand there once.
#[inline(always)]
const fn unique_bit(kind: u8) -> usize {
    match kind {
        MSS => Scan::SEEN,
        WINDOW_SCALE => Scan::SEEN << 1,
        SACK_PERMITTED => Scan::SEEN << 2,
        TIMESTAMPS => Scan::SEEN << 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Captured;

    /// Every ordinary layout, and each with any one byte changed: what needs no scan has nothing to object to.
    #[test]
    fn what_is_ordinary_passes_the_scan() {
        let layouts: [&[u8]; 6] = [
            &[2, 4, 5, 0xb4],
            &[2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2],
            &[2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 7],
            &[2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7],
            &[2, 4, 5, 0xb4, 1, 3, 3, 6, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0],
            &[2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0],
        ];
        let benign = (15 * Scan::SEEN) | Scan::END;
        let mut refused = 0;
        for layout in layouts {
            assert!(are_ordinary(&Captured::whole(layout), 0, layout.len()), "{layout:?}");
            for place in 0..layout.len() {
                for byte in 0..=255 {
                    let mut options = layout.to_vec();
                    options[place] = byte;
                    let packet = Captured::whole(&options);
                    if are_ordinary(&packet, 0, options.len()) {
                        let found = look(&packet, 0, options.len()).0;
                        assert_eq!(found & !benign, 0, "{options:?}");
                    } else {
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > 5000, "{refused}");
    }
}
