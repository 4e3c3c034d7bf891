//! The hash of a flow's key.

use crate::Addr;
use crate::flow::FlowKey;

/// The random numbers of [`HashKey::hash`]: for each run others, so that nobody can choose flows that
/// meet in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HashKey {
    numbers: [u32; 10],
    /// The part of the sum that is the same for all IPv4 flows.
    ipv4: u64,
}

impl HashKey {
    /// For captures, which can't answer to it: the same capture must give the same output.
    pub const FIXED: HashKey = HashKey::new([
        0x243f_6a88,
        0x85a3_08d3,
        0x1319_8a2e,
        0x0370_7344,
        0xa409_3822,
        0x299f_31d0,
        0x082e_fa98,
        0xec4e_6c89,
        0x4528_21e6,
        0x38d0_1377,
    ]);

    /// From random numbers.
    pub const fn new(numbers: [u32; 10]) -> HashKey {
        let k = &numbers;
        let mapped = Addr::from_v4_word(0).low as u32;
        let ipv4 = product(0, k[0], 0, k[1])
            .wrapping_add(product(0, k[2], 0, k[3]))
            .wrapping_add(product(mapped, k[4], mapped, k[5]));
        HashKey { numbers, ipv4 }
    }

    /// NH (Black and others, UMAC, CRYPTO 1999): for any two keys, the sums are equal for one in 2^32 of
    /// all random numbers at the most. Its products do not wait for each other. What follows spreads
    /// the sum over all bits.
    #[inline(always)]
    pub const fn hash(&self, key: &FlowKey) -> u64 {
        let vlan = (key.vlan.0[0] as u32) << 16 | key.vlan.0[1] as u32;
        self.of(key.low, key.high, ports(key.low_port, key.high_port), vlan)
    }

    /// [`HashKey::hash`] of a flow without VLAN tags.
    #[inline(always)]
    pub const fn hash_untagged(&self, low: Addr, high: Addr, low_port: u16, high_port: u16) -> u64 {
        self.of(low, high, ports(low_port, high_port), 0)
    }

    #[inline(always)]
    const fn of(&self, low: Addr, high: Addr, ports: u32, vlan: u32) -> u64 {
        let k = &self.numbers;
        let sum = product(low.high as u32, k[0], high.high as u32, k[1])
            .wrapping_add(product((low.high >> 32) as u32, k[2], (high.high >> 32) as u32, k[3]))
            .wrapping_add(product(low.low as u32, k[4], high.low as u32, k[5]))
            .wrapping_add(product((low.low >> 32) as u32, k[6], (high.low >> 32) as u32, k[7]))
            .wrapping_add(product(ports, k[8], vlan, k[9]));
        spread(sum)
    }

    /// [`HashKey::hash`] of an IPv4 flow without VLAN tags: its addresses as native words, and its ports.
    #[inline(always)]
    pub const fn hash_v4(&self, low: u32, high: u32, low_port: u16, high_port: u16) -> u64 {
        let k = &self.numbers;
        let sum = product(low, k[6], high, k[7])
            .wrapping_add(product(ports(low_port, high_port), k[8], 0, k[9]))
            .wrapping_add(self.ipv4);
        spread(sum)
    }
}

#[inline(always)]
const fn ports(low: u16, high: u16) -> u32 {
    (low as u32) << 16 | high as u32
}

#[inline(always)]
const fn spread(sum: u64) -> u64 {
    let spread = (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    spread ^ spread >> 29
}

#[inline(always)]
const fn product(one: u32, key: u32, other: u32, other_key: u32) -> u64 {
    (one.wrapping_add(key) as u64) * (other.wrapping_add(other_key) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn neighbours_spread_evenly_over_lines() {
        const LINES: usize = 1024;
        let mut load = [0_u32; LINES];
        for number in 0..65_536_u32 {
            let source: Addr = Ipv4Addr::from(0xc612_0000 + (number >> 4)).into();
            let key = FlowKey {
                low: source,
                high: Ipv4Addr::new(192, 0, 2, 1).into(),
                low_port: 1024 + (number & 15) as u16,
                high_port: 80,
                ..FlowKey::EMPTY
            };
            load[HashKey::FIXED.hash(&key) as usize % LINES] += 1;
        }
        // 64 each; a standard deviation is 8.
        let (least, most) = (load.iter().min().copied(), load.iter().max().copied());
        assert!(least >= Some(24) && most <= Some(112), "{least:?} {most:?}");
    }

    #[test]
    fn the_short_way_of_ipv4_gives_the_same() {
        let key = FlowKey {
            low: Addr::from_v4_word(0x0102_0304),
            high: Addr::from_v4_word(0xa1a2_a3a4),
            low_port: 443,
            high_port: 55_555,
            ..FlowKey::EMPTY
        };
        let short = HashKey::FIXED.hash_v4(0x0102_0304, 0xa1a2_a3a4, 443, 55_555);
        assert_eq!(short, HashKey::FIXED.hash(&key));
    }
}
