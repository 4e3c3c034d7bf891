//! Tells the user that standard output takes nothing more: once, for the totals tell the rest.

use std::time::{Duration, Instant};

use super::Output;

/// How long it may have no room before that is worth a word.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// What is known of it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Standstill {
    /// It goes on.
    #[default]
    No,
    /// It has stood still since then.
    Since(Instant),
    /// It has, and that was told.
    Told,
}

impl Standstill {
    /// What is to be told now, if anything.
    pub(super) fn news(&mut self, output: &Output) -> Option<String> {
        let (now, obstacle) = (Instant::now(), output.obstacle());
        *self = match *self {
            Standstill::Told => return None,
            _ if output.has_room() && obstacle.is_none() => Standstill::No,
            Standstill::No => Standstill::Since(now),
            Standstill::Since(begin) if now - begin < WORTH_A_WORD => return None,
            Standstill::Since(_) => Standstill::Told,
        };
        let why = || obstacle.unwrap_or_else(|| "whoever reads it is too slow".to_owned());
        (*self == Standstill::Told).then(|| {
            format!(
                "warning: standard output takes nothing more: {}; the watch goes on, and events that find no room \
                 are counted as lost",
                why()
            )
        })
    }
}
