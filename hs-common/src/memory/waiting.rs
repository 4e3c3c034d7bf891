//! Looks through the SYN cache for handshakes that may be due, line by line and without a branch for each word:
//! most of what a pass sees is not.

use crate::syn_cache::{Line, WAYS, Word};
use crate::track::Sweep;

/// The unit of ages: see [`Sweep::oldest`].
const STAMP_SHIFT: u32 = 20;

/// The next slot from `slot` on whose handshake may have begun `patience_ns` ago or earlier. `pass` learns how old
/// the oldest is that was passed by.
pub(super) fn next(
    lines: &[Line],
    pass: &mut Sweep,
    slot: u32,
    patience_ns: u64,
    now_ns: u64,
) -> Option<u32> {
    let may_be_due = |word: u64| Word(word).is_waiting() && Word(word).may_be_due(now_ns, patience_ns);
    let mut first = slot as usize % WAYS;
    for (number, line) in lines.iter().enumerate().skip(slot as usize / WAYS) {
        let oldest = oldest(line, now_ns);
        pass.oldest = pass.oldest.max(oldest);
        if u64::from(oldest) > patience_ns >> STAMP_SHIFT
            && let Some(way) = (first..WAYS).find(|way| may_be_due(line.0[*way]))
        {
            return Some((number * WAYS + way) as u32);
        }
        first = 0;
    }
    None
}

/// See [`Sweep::oldest`].
#[inline(always)]
fn oldest(line: &Line, now_ns: u64) -> u32 {
    let age = |word: Word| (word.age(now_ns) + 1) * u32::from(word.is_waiting());
    line.0.iter().map(|word| age(Word(*word))).fold(0, u32::max)
}
