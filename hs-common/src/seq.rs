//! Sequence numbers (RFC 9293 3.4): 32 bits that wrap.

/// Whether `number` lies in `first ..= first + span`, wrapping. Right for every span, so that a
/// window that crosses 2^32 needs no case of its own.
#[inline(always)]
pub const fn within(number: u32, first: u32, span: u32) -> bool {
    number.wrapping_sub(first) <= span
}

/// How far `number` is past `first`, or 0 if it is before it (RFC 9293 3.4: half of the space).
#[inline(always)]
pub const fn past(number: u32, first: u32) -> u32 {
    let distance = number.wrapping_sub(first);
    if distance < 1 << 31 { distance } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_wrap() {
        assert!(within(5, 5, 0));
        assert!(!within(6, 5, 0));
        assert!(!within(4, 5, 0));
        assert!(within(1, u32::MAX, 2));
        assert!(!within(2, u32::MAX, 2));
        assert!(within(u32::MAX, u32::MAX - 10, 20));
    }

    #[test]
    fn distances_wrap() {
        assert_eq!(past(3, u32::MAX), 4);
        assert_eq!(past(u32::MAX, 3), 0);
        assert_eq!(past(7, 7), 0);
    }
}
