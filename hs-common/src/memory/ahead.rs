//! Looks ahead: what packets that come soon will need is asked of memory for all of them at once. One after the
//! other, each would wait for it, which takes longer than the rest of its work.
//!
//! Nothing changes by it and nothing depends on it: a wrong guess costs a line of the CPU's cache.

use super::Memory;
use crate::flow::FlowKey;
use crate::packet::{Captured, Header, Packet};
use crate::syn_cache::Spot;
use crate::track::{Host, slots};
use crate::{Addr, Segment, TcpFlags};

const ETHERNET: usize = 14;

/// Brings into the CPU's cache what the tracker will need for these Ethernet frames. `spots` is working memory.
pub(super) fn look<'a>(host: &Memory, frames: impl Iterator<Item = &'a [u8]>, spots: &mut Vec<Spot>) {
    spots.clear();
    for frame in frames {
        let Some((hash, flags)) = guess(host, &Captured::whole(frame)) else { continue };
        let spot = Spot::of(hash, host.config.max_flows);
        host.lines.get(spot.line as usize).map(fetch);
        // Of almost every other segment the line is all that is looked at.
        if flags.contains(TcpFlags::SYN) {
            spots.push(spot);
        }
    }
    // By now the first lines have come. Of a SYN the record beside the word is written, and that of
    // the flow which gives way is read.
    for spot in &mut *spots {
        find(host, spot);
        host.first_syns.get(spot.slot()).map(fetch);
        host.flows.place_of(spot.slot()).map(fetch);
    }
    for spot in spots.iter().filter(|spot| !spot.word.is_record_only()) {
        host.flows.fetch(spot.slot());
    }
}

/// The hash of a frame's flow, right if it is TCP without VLAN tag, IP options or extension headers; and its flags.
#[inline(always)]
fn guess(host: &Memory, frame: &Captured) -> Option<(u64, TcpFlags)> {
    const IP: usize = ETHERNET;
    let head = frame.header::<{ IP + 20 + 20 }>(0)?;
    if head.u8(IP) >> 4 == 4 {
        let (src, dst) = (head.ne32(IP + 12), head.ne32(IP + 16));
        let ports = [head.be16(IP + 20), head.be16(IP + 22)];
        // Which one is the lower is a coin toss: no branch.
        let swap = usize::from(dst < src);
        let hash = host.hash_key().hash_v4(src.min(dst), src.max(dst), ports[swap], ports[1 - swap]);
        return Some((hash, TcpFlags(head.u8(IP + 33).into())));
    }
    let head = frame.header::<{ IP + 40 + 20 }>(0)?;
    let addr = |at| Addr::from_v6_words(head.ne64(at), head.ne64(at + 8));
    let (src, dst) = (addr(IP + 8), addr(IP + 24));
    let (src_port, dst_port) = (head.be16(IP + 40), head.be16(IP + 42));
    let (key, _) = FlowKey::of(&Segment { src, dst, src_port, dst_port, ..Segment::EMPTY }, false);
    Some((host.hash_key().hash(&key), TcpFlags(head.u8(IP + 53).into())))
}

/// The slot of a SYN's flow, or else the one that it will probably take.
fn find(host: &Memory, spot: &mut Spot) {
    slots::search(host, spot.line, spot);
    slots::choose(host, spot.line, spot, host.now_ns);
}

/// Asks for a line of memory, without waiting for it.
#[inline(always)]
pub(super) fn fetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch has no effect but on the cache.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use etherparse::PacketBuilder;

    use super::*;
    use crate::Config;
    use crate::parse::{Link, parse};

    fn frame(builder: etherparse::PacketBuilderStep<etherparse::IpHeaders>, ports: (u16, u16)) -> Vec<u8> {
        let mut frame = Vec::new();
        builder.tcp(ports.0, ports.1, 1, 1024).syn().write(&mut frame, &[]).unwrap();
        frame
    }

    #[test]
    fn the_guess_is_the_hash_of_the_flow_in_both_directions() {
        let host = Memory::new(Config::DEFAULT);
        let (a, b) = ([198, 18, 0, 1], [198, 18, 7, 2]);
        let v6 = |last| [0x20, 0x01, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        let ethernet = || PacketBuilder::ethernet2([2; 6], [4; 6]);
        for frame in [
            frame(ethernet().ipv4(a, b, 64), (4000, 80)),
            frame(ethernet().ipv4(b, a, 64), (80, 4000)),
            frame(ethernet().ipv6(v6(1), v6(2), 64), (4000, 80)),
            frame(ethernet().ipv6(v6(2), v6(1), 64), (80, 4000)),
        ] {
            let mut segment = Segment::EMPTY;
            let frame = Captured::whole(&frame);
            parse(&frame, Link::Ethernet, &mut segment).unwrap();
            let (key, _) = FlowKey::of(&segment, false);
            let (hash, flags) = guess(&host, &frame).unwrap();
            assert_eq!(hash, host.hash_key().hash(&key));
            assert!(flags.contains(TcpFlags::SYN));
        }
    }
}
