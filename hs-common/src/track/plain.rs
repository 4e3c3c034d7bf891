//! The short way of what most packets are: segments of established connections.
//!
//! An Ethernet frame without VLAN tag, IPv4 without options or IPv6 without extension headers, TCP with ACK
//! and without SYN, and nothing that a stateless rule could object to. Such a segment matters only to a
//! handshake that is waited for on its flow. So nothing is read of it but what names the flow, and
//! nothing is looked at but one line of the SYN cache. Of one that concerns a handshake the rest is read then. Anything
//! else goes the long way: what happens is the same, only slower.

use super::{Glance, Host, Scratch, slots};
use crate::flow::FlowKey;
use crate::packet::{Header, Packet};
use crate::parse::tcp;
use crate::syn_cache::Spot;
use crate::{Addr, Anomaly, Counter, Segment, Slot, TcpFlags, VlanTags};

const ETHERNET: usize = 14;
/// Where the type is.
const ETHERTYPE: usize = 12;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
/// Version 4, and a header of five words.
const VERSION_AND_LENGTH: u8 = 0x45;
/// More fragments, and the offset.
const FRAGMENT: u16 = 0x3fff;
/// IPv4 addresses from here on are multicast, reserved or broadcast.
const NO_UNICAST: u8 = 0xe0;

/// How far an Ethernet frame came on the short way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// It is through.
    Through,
    /// It may change its flow: [`follow`](super::follow) is next.
    Concerned,
    /// This is not its way, and nothing was done: the parser is next, and [`track`](super::track).
    NotAtAll,
}

/// Sees to an Ethernet frame, if the short way is its way.
#[inline(always)]
pub fn pass<H: Host, P: Packet>(host: &mut H, packet: &P, scratch: &mut Scratch) -> Passed {
    if host.config().ports_used != 0 {
        return Passed::NotAtAll;
    }
    let Some(hash) = flow_of(host, packet) else { return Passed::NotAtAll };
    let spot = Spot::of(hash, host.config().max_flows);
    let passed = match slots::glance(host, &spot) {
        Glance::Closed => Passed::Through,
        Glance::Unknown => {
            host.count_at(Slot::anomaly(Anomaly::AckUnsolicited), 1);
            Passed::Through
        }
        Glance::Concerned if read(packet, &mut scratch.segment).is_some() => {
            scratch.concern(spot);
            (scratch.key, scratch.direction) = FlowKey::of(&scratch.segment, false);
            Passed::Concerned
        }
        Glance::Concerned => return Passed::NotAtAll,
    };
    host.count(Counter::Packets);
    host.count(Counter::TcpSegments);
    passed
}

/// All of a plain segment. `None` if it is none.
#[inline(always)]
fn read<P: Packet>(packet: &P, segment: &mut Segment) -> Option<()> {
    const IP: usize = ETHERNET;
    let head = packet.header::<{ IP + 20 + 20 }>(0)?;
    if head.be16(ETHERTYPE) == ETHERTYPE_IPV4 {
        segment.src = Addr::from_v4_word(head.ne32(IP + 12));
        segment.dst = Addr::from_v4_word(head.ne32(IP + 16));
        segment.ttl = head.u8(IP + 8);
        tcp::read(head, IP + 20, usize::from(head.be16(IP + 2)).saturating_sub(20), segment);
    } else {
        let head = packet.header::<{ IP + 40 + 20 }>(0)?;
        segment.src = Addr::from_v6_words(head.ne64(IP + 8), head.ne64(IP + 16));
        segment.dst = Addr::from_v6_words(head.ne64(IP + 24), head.ne64(IP + 32));
        segment.ttl = head.u8(IP + 7);
        tcp::read(head, IP + 40, usize::from(head.be16(IP + 4)), segment);
    }
    segment.vlan = VlanTags::NONE;
    Some(())
}

/// The hash of the flow of a plain segment.
#[inline(always)]
fn flow_of<H: Host, P: Packet>(host: &H, packet: &P) -> Option<u64> {
    let head = packet.header::<{ ETHERNET + 20 + 20 }>(0)?;
    match head.be16(ETHERTYPE) {
        ETHERTYPE_IPV4 => v4(host, head),
        ETHERTYPE_IPV6 => v6(host, packet),
        _ => None,
    }
}

#[inline(always)]
fn v4<H: Host>(host: &H, head: impl Header) -> Option<u64> {
    const IP: usize = ETHERNET;
    const AT: usize = IP + 20;
    let (src, dst) = (head.ne32(IP + 12), head.ne32(IP + 16));
    let (src_port, dst_port) = (head.be16(AT), head.be16(AT + 2));
    let plain = head.u8(IP) == VERSION_AND_LENGTH
        && head.u8(IP + 9) == TCP
        && head.be16(IP + 6) & FRAGMENT == 0
        && is_plain(head.be16(AT + 12), head.be16(IP + 2).wrapping_sub(20))
        && head.u8(IP + 16) < NO_UNICAST
        && src != dst
        && src_port != 0
        && dst_port != 0;
    if !plain {
        return None;
    }
    // The borrow fills the upper half.
    let swap = H::hide(u64::from(dst).wrapping_sub(u64::from(src)) >> 32);
    let (low, high) = ordered(u64::from(src), u64::from(dst), swap);
    let (low_port, high_port) = ordered(u64::from(src_port), u64::from(dst_port), swap);
    Some(host.hash_key().hash_v4(low as u32, high as u32, low_port as u16, high_port as u16))
}

#[inline(always)]
fn v6<H: Host, P: Packet>(host: &H, packet: &P) -> Option<u64> {
    const IP: usize = ETHERNET;
    const AT: usize = IP + 40;
    let head = packet.header::<{ AT + 20 }>(0)?;
    let (src, dst) = (head.ne64(IP + 16), head.ne64(IP + 32));
    let (src_port, dst_port) = (head.be16(AT), head.be16(AT + 2));
    let plain = head.u8(IP) >> 4 == 6
        && head.u8(IP + 6) == TCP
        && is_plain(head.be16(AT + 12), head.be16(IP + 4))
        && head.u8(IP + 24) != 0xff
        && src != dst
        && src_port != 0
        && dst_port != 0;
    if !plain {
        return None;
    }
    let swap = mask_if_lower::<H>(dst, src);
    let (low, high) = ordered(src, dst, swap);
    let (low_prefix, high_prefix) = ordered(head.ne64(IP + 8), head.ne64(IP + 24), swap);
    let (low_port, high_port) = ordered(u64::from(src_port), u64::from(dst_port), swap);
    let (low, high) = (Addr::from_v6_words(low_prefix, low), Addr::from_v6_words(high_prefix, high));
    Some(host.hash_key().hash_untagged(low, high, low_port as u16, high_port as u16))
}

/// By the word of data offset and flags, and the bytes that IP promises: with ACK, without SYN, and of
/// lengths that fit. A length of 0, or one that is too short for IP's own header, does not fit.
#[inline(always)]
fn is_plain(offset_and_flags: u16, length: u16) -> bool {
    const BOTH: u16 = TcpFlags::SYN.0 | TcpFlags::ACK.0;
    let header = offset_and_flags >> 12 << 2;
    offset_and_flags & BOTH == TcpFlags::ACK.0 && header >= 20 && header <= length && length < 0xffec
}

/// All ones if `a < b`, else 0. Which of two endpoints is the lower one is a coin toss, so a branch would be
/// foreseen wrongly half of the time (Warren, Hacker's Delight, 2-12).
#[inline(always)]
fn mask_if_lower<H: Host>(a: u64, b: u64) -> u64 {
    let borrow = (!a & b) | (!(a ^ b) & a.wrapping_sub(b));
    0_u64.wrapping_sub(H::hide(borrow >> 63))
}

/// The two, swapped if the mask says so.
#[inline(always)]
fn ordered(a: u64, b: u64, swap: u64) -> (u64, u64) {
    let change = (a ^ b) & swap;
    (a ^ change, b ^ change)
}
