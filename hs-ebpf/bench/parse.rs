//! A parser as one writes it for a first XDP program: Ethernet, IPv4 or IPv6 without extension headers,
//! TCP. No VLAN, no fragments, no options, no reasons.

const ETH: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const TCP: usize = 20;
const TCP_PROTOCOL: u8 = 6;
const ETHERTYPE_IPV4: u16 = 0x0800_u16.to_be();
const ETHERTYPE_IPV6: u16 = 0x86dd_u16.to_be();

/// The flow of an IPv4 segment: addresses and ports as they stand in the packet.
#[derive(Clone, Copy)]
#[repr(C)]
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

/// A TCP segment.
pub enum Flow {
    V4(Key4),
    V6(Key6),
}

/// The segment in these bytes, if they hold one.
#[inline(always)]
pub fn parse(start: usize, end: usize) -> Option<Flow> {
    if start + ETH > end {
        return None;
    }
    match read::<u16>(start + 12) {
        ETHERTYPE_IPV4 => parse_v4(start + ETH, end).map(Flow::V4),
        ETHERTYPE_IPV6 => parse_v6(start + ETH, end).map(Flow::V6),
        _ => None,
    }
}

#[inline(always)]
fn parse_v4(ip: usize, end: usize) -> Option<Key4> {
    if ip + IPV4 > end || read::<u8>(ip + 9) != TCP_PROTOCOL {
        return None;
    }
    let length = usize::from(read::<u8>(ip) & 0xf) * 4;
    let tcp = ip + length;
    if length < IPV4 || tcp + TCP > end {
        return None;
    }
    let addresses = [read(ip + 12), read(ip + 16)];
    Some(Key4 { addresses, ports: read(tcp), protocol: u32::from(TCP_PROTOCOL) })
}

#[inline(always)]
fn parse_v6(ip: usize, end: usize) -> Option<Key6> {
    if ip + IPV6 + TCP > end || read::<u8>(ip + 6) != TCP_PROTOCOL {
        return None;
    }
    let addresses = [read(ip + 8), read(ip + 16), read(ip + 24), read(ip + 32)];
    Some(Key6 { addresses, ports: read(ip + IPV6), protocol: u32::from(TCP_PROTOCOL) })
}

/// Private to this file: only after a comparison with the packet's end, without which the verifier refuses it.
#[inline(always)]
fn read<T: Copy>(at: usize) -> T {
    // SAFETY: the callers compared the header that this is in with the packet's end.
    unsafe { (at as *const T).read_unaligned() }
}
