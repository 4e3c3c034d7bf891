//! Who is asked for most at the moment, for those who look on.

use hs_common::config::NS_PER_SEC;
use hs_common::victim::{VictimKey, scope};

use super::{Detector, Target, Track};

/// So long a past counts for the share that completes: a handshake takes a while.
const SHARE_OVER_NS: u64 = 4 * NS_PER_SEC;

/// A port that clients ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Responder {
    /// Its address.
    pub target: Target,
    /// SYN segments a second, over the last second.
    pub syn_rate: f64,
    /// Completed of the handshakes begun of late, 0 to 1.
    pub completion_ratio: f64,
}

impl Detector {
    /// The ports with the most SYNs, the busiest first, so many at the most.
    pub fn busiest(&self, most: usize) -> Vec<Responder> {
        let ports = self.awake.iter().filter(|key| key.scope == scope::PORT);
        let known = ports.filter_map(|key| Some(responder(key, self.tracks.get(key)?)));
        let mut busy: Vec<Responder> = known.filter(|responder| responder.syn_rate > 0.0).collect();
        busy.sort_by(|a, b| b.syn_rate.total_cmp(&a.syn_rate));
        busy.truncate(most);
        busy
    }
}

fn responder(key: &VictimKey, track: &Track) -> Responder {
    let begun = track.series.rate_over(SHARE_OVER_NS, |point| point.begun);
    let completed = track.series.rate_over(SHARE_OVER_NS, |point| point.completed);
    Responder {
        target: Target::of(key),
        syn_rate: track.series.rate(|point| point.syn),
        completion_ratio: if begun > 0.0 { (completed / begun).min(1.0) } else { 1.0 },
    }
}
