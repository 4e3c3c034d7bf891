//! The sketch of distinct sources: the registers of a HyperLogLog (Flajolet and others, 2007).

use super::mix;
use crate::Addr;

/// Registers of the sketch: a power of two. The standard error of the estimate is
/// 1.04 / sqrt(registers): 0.8 %.
pub const SKETCH_REGISTERS: usize = 16_384;
const INDEX_BITS: u32 = SKETCH_REGISTERS.trailing_zeros();

/// A keyed hash of an address: an attacker who does not know the seed can't choose addresses that
/// share registers. The finaliser of MurmurHash3 over both words (Appleby, 2011).
#[inline(always)]
pub const fn hash_addr(addr: Addr, seed: u64) -> u64 {
    mix(mix(addr.low ^ seed).wrapping_add(addr.high) ^ seed)
}

/// The register that a hash falls into: its first bits.
#[inline(always)]
pub const fn sketch_register(hash: u64) -> usize {
    (hash >> (u64::BITS - INDEX_BITS)) as usize
}

/// The rank that a hash proposes to its register: the leading zeros of its other bits plus one; 0 if
/// that is no more than `known`. Nearly all hashes propose nothing new, and that is seen by a shift.
#[inline(always)]
pub const fn sketch_rank_above(hash: u64, known: u8) -> u8 {
    // A one behind the bits that count, so that there are never more than 64 of them.
    let rest = hash << INDEX_BITS | 1 << (INDEX_BITS - 1);
    if known > 0 && rest >> (64 - (known as u32 & 63)) != 0 {
        return 0;
    }
    let rank = leading_zeros(rest) as u8 + 1;
    if rank > known { rank } else { 0 }
}

/// `u64::leading_zeros` by halving: BPF has no such instruction before v5, and the compiler would
/// call a library function that is not there.
#[inline(always)]
const fn leading_zeros(value: u64) -> u32 {
    let (mut value, mut zeros, mut half) = (value, 0, 32);
    while half > 0 {
        if value >> (64 - half) == 0 {
            zeros += half;
            value <<= half;
        }
        half /= 2;
    }
    zeros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_leading_zeros() {
        for value in [1, 2, 3, 0x80, 1 << 40, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(leading_zeros(value), value.leading_zeros());
        }
        for (hash, register, rank) in
            [(u64::MAX, SKETCH_REGISTERS - 1, 1), (0, 0, 51), (1, 0, 50), (1 << 49, 0, 1), (1 << 48, 0, 2)]
        {
            assert_eq!((sketch_register(hash), sketch_rank_above(hash, 0)), (register, rank), "{hash:x}");
        }
    }

    #[test]
    fn a_register_only_rises() {
        for rank in 1..=51_u8 {
            let hash = if rank == 51 { 0 } else { 1 << (50 - rank) };
            for known in 0..=51 {
                let expected = if rank > known { rank } else { 0 };
                assert_eq!(sketch_rank_above(hash, known), expected, "rank {rank}, known {known}");
            }
        }
    }
}
