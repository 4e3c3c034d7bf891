//! The alarms that are open, each by its latest alert, and how many there have been.

use crate::detect::{Alert, Phase, Signature};

/// What every reader of alerts wants to know at any time.
#[derive(Clone, Debug, Default)]
pub struct OpenAlerts {
    open: Vec<Alert>,
    begun: [u64; Signature::ALL.len()],
}

impl OpenAlerts {
    /// Takes the next alert.
    pub fn take(&mut self, alert: &Alert) {
        self.open.retain(|open| open.id != alert.id);
        if alert.phase == Phase::Start {
            self.begun[alert.signature as usize] += 1;
        }
        if alert.phase != Phase::End {
            self.open.push(alert.clone());
        }
    }

    /// The latest alert of each open alarm, the one with the highest rate first.
    pub fn by_rate(&self) -> Vec<&Alert> {
        let mut open: Vec<&Alert> = self.open.iter().collect();
        open.sort_by(|a, b| b.syn_rate.total_cmp(&a.syn_rate).then(a.id.cmp(&b.id)));
        open
    }

    /// How many are open of a kind.
    pub fn active(&self, signature: Signature) -> u64 {
        self.open.iter().filter(|alert| alert.signature == signature).count() as u64
    }

    /// How many of a kind have begun.
    pub fn begun(&self, signature: Signature) -> u64 {
        self.begun[signature as usize]
    }
}
