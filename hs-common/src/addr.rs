//! IP addresses as they are kept in keys and records: 16 bytes in network order, IPv4 as IPv4-mapped.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP address: its 16 bytes in network order, loaded as two native words so that a comparison
/// is two instructions. IPv4 is kept as `::ffff:a.b.c.d` (RFC 4291 2.5.5.2), which never stands in
/// a packet on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Addr {
    /// Bytes 0 to 7.
    pub high: u64,
    /// Bytes 8 to 15.
    pub low: u64,
}

/// The bytes 8 to 11 of an IPv4-mapped address.
const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);

impl Addr {
    /// From the four bytes of an IPv4 header field, loaded as one native word.
    #[inline(always)]
    pub const fn from_v4_word(word: u32) -> Addr {
        Addr { high: 0, low: joined(MAPPED, word) }
    }

    /// From the sixteen bytes of an IPv6 header field, loaded as two native words.
    #[inline(always)]
    pub const fn from_v6_words(high: u64, low: u64) -> Addr {
        Addr { high, low }
    }

    /// The 16 bytes as four native words.
    #[inline(always)]
    pub const fn words(self) -> [u32; 4] {
        let ([a, b], [c, d]) = (halves(self.high), halves(self.low));
        [a, b, c, d]
    }

    /// From the 16 bytes as four native words.
    #[inline(always)]
    pub const fn from_words([a, b, c, d]: [u32; 4]) -> Addr {
        Addr { high: joined(a, b), low: joined(c, d) }
    }

    /// The 16 bytes in network order.
    pub const fn octets(self) -> [u8; 16] {
        let (h, l) = (self.high.to_ne_bytes(), self.low.to_ne_bytes());
        [h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7]]
    }

    /// Whether it is an IPv4 address.
    #[inline(always)]
    pub const fn is_v4(self) -> bool {
        self.high == 0 && halves(self.low)[0] == MAPPED
    }

    /// Whether TCP may not be sent to it: multicast (RFC 5771, RFC 4291 2.7) or the limited
    /// broadcast address (RFC 919 7). A subnet's own broadcast address can't be told from outside.
    #[inline(always)]
    pub const fn is_multicast_or_broadcast(self) -> bool {
        if self.is_v4() {
            let first = halves(self.low)[1].to_ne_bytes()[0];
            first & 0xf0 == 0xe0 || halves(self.low)[1] == u32::MAX
        } else {
            self.high.to_ne_bytes()[0] == 0xff
        }
    }

    /// The first address of its prefix: /24 for IPv4, /64 for IPv6.
    #[inline(always)]
    pub const fn prefix(self) -> Addr {
        if self.is_v4() {
            Addr { high: 0, low: self.low & u64::from_ne_bytes([255, 255, 255, 255, 255, 255, 255, 0]) }
        } else {
            Addr { high: self.high, low: 0 }
        }
    }
}

/// The first and the last four bytes of eight.
#[inline(always)]
const fn halves(bytes: u64) -> [u32; 2] {
    if cfg!(target_endian = "little") {
        [bytes as u32, (bytes >> 32) as u32]
    } else {
        [(bytes >> 32) as u32, bytes as u32]
    }
}

/// The other way round.
#[inline(always)]
const fn joined(first: u32, last: u32) -> u64 {
    if cfg!(target_endian = "little") {
        (last as u64) << 32 | first as u64
    } else {
        (first as u64) << 32 | last as u64
    }
}

impl From<Ipv4Addr> for Addr {
    fn from(addr: Ipv4Addr) -> Addr {
        Addr::from_v4_word(u32::from_ne_bytes(addr.octets()))
    }
}

impl From<Ipv6Addr> for Addr {
    fn from(addr: Ipv6Addr) -> Addr {
        let mut words = [[0; 8]; 2];
        words[0].copy_from_slice(&addr.octets()[..8]);
        words[1].copy_from_slice(&addr.octets()[8..]);
        Addr::from_v6_words(u64::from_ne_bytes(words[0]), u64::from_ne_bytes(words[1]))
    }
}

impl From<IpAddr> for Addr {
    fn from(addr: IpAddr) -> Addr {
        match addr {
            IpAddr::V4(addr) => addr.into(),
            IpAddr::V6(addr) => addr.into(),
        }
    }
}

impl From<Addr> for IpAddr {
    fn from(addr: Addr) -> IpAddr {
        if addr.is_v4() {
            IpAddr::V4(Ipv4Addr::from(addr.words()[3].to_ne_bytes()))
        } else {
            IpAddr::V6(Ipv6Addr::from(addr.octets()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_round_trip() {
        for text in ["192.0.2.1", "255.255.255.255", "0.0.0.0", "2001:2::7", "::", "ff02::1"] {
            let Ok(ip) = text.parse::<IpAddr>() else { panic!("{text}") };
            assert_eq!(IpAddr::from(Addr::from(ip)), ip);
            assert_eq!(Addr::from(ip).is_v4(), ip.is_ipv4());
        }
    }

    #[test]
    fn destinations_that_tcp_may_not_have() {
        let bad =
            |text: &str| text.parse::<IpAddr>().is_ok_and(|ip| Addr::from(ip).is_multicast_or_broadcast());
        for text in ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1"] {
            assert!(bad(text), "{text}");
        }
        for text in ["223.255.255.255", "240.0.0.1", "192.0.2.255", "fe80::1", "::1"] {
            assert!(!bad(text), "{text}");
        }
    }
}
