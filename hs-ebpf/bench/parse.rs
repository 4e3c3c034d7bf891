//! A parser as one writes it for a first XDP program: Ethernet, IPv4 or IPv6 without extension headers,
//! TCP. No VLAN, no fragments, no options, no reasons.

const ETH: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: usize = 20;
const TCP_PROTOCOL: u8 = 6;
const SYN: u8 = 0x02;
const ETHERTYPE_IPV4: u16 = 0x0800_u16.to_be();
const ETHERTYPE_IPV6: u16 = 0x86dd_u16.to_be();

/// The flow of an IPv4 segment: addresses and ports as they stand in the packet. Aligned, because it is written to the
/// stack in words of 8 bytes.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Key4 {
    addresses: [u32; 2],
    ports: u32,
    protocol: u32,
}

/// The flow of an IPv6 segment.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Key6 {
    addresses: [u64; 4],
    ports: u32,
    protocol: u32,
}

/// The flow of a TCP segment.
pub enum Flow {
    V4(Key4),
    V6(Key6),
}

/// A TCP segment.
pub struct Segment {
    pub flow: Flow,
    /// It has the flag SYN.
    pub has_syn: bool,
}

/// The segment in these bytes, if they hold one.
#[inline(always)]
pub fn parse(start: usize, end: usize) -> Option<Segment> {
    if start + ETH > end {
        return None;
    }
    match read::<u16>(start + 12) {
        ETHERTYPE_IPV4 => parse_v4(start + ETH, end),
        ETHERTYPE_IPV6 => parse_v6(start + ETH, end),
        _ => None,
    }
}

#[inline(always)]
fn parse_v4(ip: usize, end: usize) -> Option<Segment> {
    if ip + IPV4 > end || read::<u8>(ip + 9) != TCP_PROTOCOL {
        return None;
    }
    let length = usize::from(read::<u8>(ip) & 0xf) * 4;
    let tcp = ip + length;
    if length < IPV4 || tcp + TCP > end {
        return None;
    }
    let addresses = [read(ip + 12), read(ip + 16)];
    let key = Key4 { addresses, ports: read(tcp), protocol: u32::from(TCP_PROTOCOL) };
    Some(Segment { flow: Flow::V4(key), has_syn: has_syn(tcp) })
}

#[inline(always)]
fn parse_v6(ip: usize, end: usize) -> Option<Segment> {
    if ip + IPV6 + TCP > end || read::<u8>(ip + 6) != TCP_PROTOCOL {
        return None;
    }
    let addresses = [read(ip + 8), read(ip + 16), read(ip + 24), read(ip + 32)];
    let tcp = ip + IPV6;
    let key = Key6 { addresses, ports: read(tcp), protocol: u32::from(TCP_PROTOCOL) };
    Some(Segment { flow: Flow::V6(key), has_syn: has_syn(tcp) })
}

/// Private to this file, as [`read`] is.
#[inline(always)]
fn has_syn(tcp: usize) -> bool {
    read::<u8>(tcp + 13) & SYN != 0
}

/// Private to this file: only after a comparison with the packet's end, without which the verifier refuses it.
#[inline(always)]
fn read<T: Copy>(at: usize) -> T {
    // SAFETY: the callers compared the header that this is in with the packet's end.
    unsafe { (at as *const T).read_unaligned() }
}
