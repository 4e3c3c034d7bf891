//! The two engines side by side: `Tracker` in memory, and `hs_replay` in the kernel. Whatever comes in, they
//! must say the same, count the same, and know the same of each responder.

use std::collections::BTreeMap;

use hs_common::memory::Tracker;
use hs_common::packet::Captured;
use hs_common::parse::Link;
use hs_common::track::Place;
use hs_common::victim::{Totals, scope};
use hs_common::{Config, Counter, Event, Ledger, Slot, VictimKey, VictimSet};
use hs_mon::responders::Responders;

use crate::bench::Bench;

/// Both engines, fed with the same.
pub struct Twins {
    bench: Bench,
    tracker: Tracker,
    fed: u64,
    told: u64,
}

impl Twins {
    pub fn new(config: Config) -> Twins {
        Twins { bench: Bench::new(config, true), tracker: Tracker::new(config), fed: 0, told: 0 }
    }

    /// A packet of which `data` was captured.
    pub fn packet(&mut self, link: Link, data: &[u8], on_wire: usize, now_ns: u64) {
        let place = Place::CAPTURE;
        self.tracker.track(&Captured { data, on_wire }, link, place, now_ns);
        let taken = self.bench.kernel.replay(link, data, on_wire, now_ns);
        taken.unwrap_or_else(|error| panic!("{link:?} {data:02x?}: {error:#}"));
        self.fed += 1;
        self.compare(&format!("packet {}, {link:?} {data:02x?}", self.fed));
    }

    /// Ends what is due, or everything.
    pub fn sweep(&mut self, now_ns: u64, everything: bool) {
        if everything {
            self.tracker.finish(now_ns);
        } else {
            self.tracker.sweep(now_ns);
        }
        self.bench.kernel.set_replay_clock(now_ns).expect("the clock can be set");
        self.bench.kernel.sweep(now_ns, everything).expect("the sweep runs");
        self.compare(&format!("sweep after packet {}, everything: {everything}", self.fed));
    }

    fn compare(&mut self, at: &str) {
        let events: Vec<Event> = self.tracker.drain().collect();
        self.told += events.len() as u64;
        assert_eq!(self.bench.events(), events, "{at}: events of the kernel, and of the library");
    }

    /// At the end, when nothing is left pending: totals agree, and add up; what is known of the responders agrees.
    /// Returns how many packets there were.
    pub fn compare_totals(&mut self) -> u64 {
        let totals = self.bench.totals();
        assert_eq!(totals, *self.tracker.counters(), "totals of the kernel, and of the library");
        assert_eq!(totals.get(Counter::Packets), self.fed, "every packet is counted");
        assert_eq!(totals.0[Slot::of(Counter::EventsLost).index()], 0, "no event is lost");
        let (known, expected) = (sums(&self.bench.kernel), sums(&self.tracker));
        assert_eq!(known, expected, "responders of the kernel, and of the library");
        let ledger = Ledger { totals: &totals, delivered: self.told };
        assert_eq!(ledger.differences().collect::<Vec<_>>(), [], "the ledger adds up");
        self.fed
    }
}

/// The totals by responder, of all CPUs. Without what depends on the random key of the kernel's hashes: which
/// of them share a set.
fn sums(responders: &dyn Responders) -> BTreeMap<VictimKey, Totals> {
    let mut sums: BTreeMap<VictimKey, Totals> = BTreeMap::new();
    let each = &mut |set: &VictimSet| {
        for victim in set.0.iter().filter(|victim| victim.key.scope != scope::FREE) {
            sums.entry(victim.key).or_default().add(&victim.totals);
        }
    };
    responders.for_each_set(each).expect("the responders can be read");
    sums
}
