//! How many single events may be reported: a token bucket for each responder, and one for all.

/// How many single events may be reported: `burst` at once, and `per_second` after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tokens that a full bucket holds.
    pub burst: u64,
    /// Tokens that flow in.
    pub per_second: u64,
}

/// For each responder: a few thousand failed handshakes at once are told one by one, a flood is not.
pub const VICTIM_BUDGET: Budget = Budget { burst: 16_384, per_second: 500 };
/// For all of them together, and for anomalies: an attack on many ports is bounded too.
pub const TOTAL_BUDGET: Budget = Budget { burst: 32_768, per_second: 2_000 };

impl Budget {
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
