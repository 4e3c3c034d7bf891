//! Looks through the SYN cache for handshakes that may be due, line by line and without a branch for each word:
//! most of what a pass sees is not.

use crate::syn_cache::{Line, WAYS, Word};
use crate::track::Sweep;

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
        if u64::from(oldest) > patience_ns / Word::UNIT_NS
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
    line.0.iter().map(|word| Word::waiting_age(*word as u32, now_ns)).fold(0, u32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syn_cache::State;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn what_may_be_due_is_found_in_order_and_the_oldest_is_known() {
        let now = 100 * SECOND;
        let aged = |seconds: u64, state| Word::new(7, now - seconds * SECOND, state).0;
        let mut lines = vec![Line([0; WAYS]); 3];
        lines[0].0[6] = aged(9, State::Closed);
        lines[1].0[2] = aged(8, State::Fresh);
        lines[1].0[3] = aged(3, State::Fresh);
        lines[1].0[5] = aged(6, State::Pending);
        lines[2].0[0] = aged(4, State::Fresh);
        let found = |patience_ns| {
            let mut pass = Sweep::default();
            let mut slots = Vec::new();
            while let Some(slot) =
                next(&lines, &mut pass, slots.last().map_or(0, |last| last + 1), patience_ns, now)
            {
                slots.push(slot);
            }
            (slots, now - pass.nothing_before_ns(now))
        };
        assert_eq!(found(5 * SECOND).0, [10, 13]);
        assert_eq!(found(0).0, [10, 11, 13, 16]);
        let oldest_ns = found(20 * SECOND).1;
        assert!((8 * SECOND..8 * SECOND + 2 * Word::UNIT_NS).contains(&oldest_ns), "{oldest_ns}");
        assert_eq!(found(20 * SECOND).0, []);
    }
}
