//! The hash of a flow's key.

use crate::flow::FlowKey;

/// The random numbers of [`HashKey::hash`]: for each run others, so that nobody can choose flows that
/// meet in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct HashKey(pub [u32; 10]);

impl HashKey {
    /// For captures, which can't answer to it: the same capture must give the same output.
    pub const FIXED: HashKey = HashKey([
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

    /// NH (Black and others, UMAC, CRYPTO 1999): for any two keys, the sums are equal for one in 2^32 of
    /// all random numbers at the most. Its products do not wait for each other. What follows spreads
    /// the sum over all bits.
    #[inline(always)]
    pub const fn hash(&self, key: &FlowKey) -> u64 {
        let k = &self.0;
        let ports = (key.low_port as u32) << 16 | key.high_port as u32;
        let vlan = (key.vlan.0[0] as u32) << 16 | key.vlan.0[1] as u32;
        let sum = product(key.low.high as u32, k[0], (key.low.high >> 32) as u32, k[1])
            .wrapping_add(product(key.low.low as u32, k[2], (key.low.low >> 32) as u32, k[3]))
            .wrapping_add(product(key.high.high as u32, k[4], (key.high.high >> 32) as u32, k[5]))
            .wrapping_add(product(key.high.low as u32, k[6], (key.high.low >> 32) as u32, k[7]))
            .wrapping_add(product(ports, k[8], vlan, k[9]));
        let spread = (sum ^ sum >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        spread ^ spread >> 29
    }
}

#[inline(always)]
const fn product(one: u32, key: u32, other: u32, other_key: u32) -> u64 {
    (one.wrapping_add(key) as u64) * (other.wrapping_add(other_key) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Addr;
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
}
