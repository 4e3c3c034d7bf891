//! How many single events may be reported: a token bucket for each responder, and one for all.

/// How many single events may be reported: `burst` at once, and `per_second` after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Budget {
    /// Tokens that a full bucket holds.
    pub burst: u64,
    /// Tokens that flow in.
    pub per_second: u64,
}

/// For each responder: a few thousand failed handshakes at once are told one by one, a flood is not.
pub const VICTIM_BUDGET: Budget = Budget { burst: 16_384, per_second: 500 };

/// What all CPUs together may report in a second, if each has as much to report.
const TOTAL_PER_SECOND: u64 = 4_000;
/// What each may all the same: packets may come in on a few CPUs only.
const LEAST_PER_SECOND: u64 = 500;

impl Budget {
    /// For all responders together, and for anomalies: an attack on many ports is bounded too. It is that of one of
    /// `cpus` CPUs, for packets; sweeps have another. All bursts at once fill three quarters of ring buffers
    /// with room for `room` events: what is always told, completed handshakes, finds room in the rest.
    pub const fn total(room: u64, cpus: u32) -> Budget {
        let cpus = if cpus == 0 { 1 } else { cpus as u64 };
        let burst = room * 3 / 4 / (2 * cpus);
        let per_second = TOTAL_PER_SECOND / cpus;
        Budget {
            burst: if burst == 0 { 1 } else { burst },
            per_second: if per_second < LEAST_PER_SECOND { LEAST_PER_SECOND } else { per_second },
        }
    }

    /// Takes one token, if there is one. A bucket that was never used (`filled_ns` 0) is full.
    #[inline(always)]
    pub fn take(&self, filled_ns: &mut u64, tokens: &mut u64, now_ns: u64) -> bool {
        let elapsed_ms = now_ns.saturating_sub(*filled_ns) / 1_000_000;
        let earned = elapsed_ms * self.per_second / 1000;
        if *filled_ns == 0 || earned >= self.burst {
            *tokens = self.burst;
            *filled_ns = now_ns;
        } else if earned > 0 {
            let sum = *tokens + earned;
            *tokens = if sum > self.burst { self.burst } else { sum };
            *filled_ns = now_ns;
        }
        if *tokens == 0 {
            return false;
        }
        *tokens -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bursts_at_once_leave_room_for_what_is_always_told() {
        for cpus in [1, 2, 64, 512] {
            let budget = Budget::total(40_000, cpus);
            assert!(budget.burst * 2 * u64::from(cpus) <= 30_000 && budget.burst > 0, "{cpus}: {budget:?}");
        }
        assert_eq!(Budget::total(40_000, 2), Budget { burst: 7_500, per_second: 2_000 });
    }

    #[test]
    fn a_budget_allows_a_burst_and_then_a_rate() {
        let budget = Budget { burst: 10, per_second: 100 };
        let (mut filled, mut tokens) = (0, 0);
        let second = 1_000_000_000;
        let taken = |now, filled: &mut u64, tokens: &mut u64| {
            (0..1000).filter(|_| budget.take(filled, tokens, now)).count()
        };
        assert_eq!(taken(second, &mut filled, &mut tokens), 10);
        assert_eq!(taken(second, &mut filled, &mut tokens), 0);
        assert_eq!(taken(second + 50_000_000, &mut filled, &mut tokens), 5);
        assert_eq!(taken(9 * second, &mut filled, &mut tokens), 10);
    }
}
