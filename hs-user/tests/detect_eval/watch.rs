//! The monitor in simulated time: the engine of replay, its sweeps, and the detector; and beside it the
//! detectors that it is compared with.

use hs_common::event::KIND_HANDSHAKE;
use hs_common::memory::Tracker;
use hs_common::track::Place;
use hs_common::{Config, Outcome};
use hs_mon::desk::OBSERVE_EVERY_NS;
use hs_mon::detect::{Alert, Detector, Settings};

use crate::references::References;
use crate::traffic::{MS, Traffic};

/// 1970 and a bit: a clock that does not begin with 0.
pub const T0: u64 = 1_000_000_000_000;

/// What was said.
pub struct Said {
    pub alerts: Vec<Alert>,
    pub references: References,
    pub syns: u64,
}

/// Lets traffic pass, until `until` at least.
pub fn run(traffic: Traffic, until: u64, settings: &Settings, with_references: bool) -> Said {
    let mut tracker = Tracker::new(Config { max_flows: 1 << 16, ..Config::DEFAULT });
    let mut detector = Detector::new(settings.clone());
    let mut said = Said { alerts: Vec::new(), references: References::default(), syns: 0 };
    let (mut next_sweep, mut next_look) = (100 * MS, OBSERVE_EVERY_NS);
    let mut pass = |until: u64, tracker: &mut Tracker, said: &mut Said| {
        while next_sweep.min(next_look) <= until {
            let now = next_sweep.min(next_look);
            if now == next_sweep {
                tracker.sweep(T0 + now);
                next_sweep += 100 * MS;
            }
            for event in tracker.drain() {
                if event.kind == KIND_HANDSHAKE && event.outcome() == Some(Outcome::Completed) {
                    detector.completed((event.dst, event.dst_port), event.src);
                }
            }
            if now == next_look {
                next_look += OBSERVE_EVERY_NS;
                detector.observe(T0 + now, tracker, &mut said.alerts).expect("memory can be read");
            }
        }
    };
    let place = Place::CAPTURE;
    for (at, segment) in traffic {
        if at > until {
            break;
        }
        pass(at, &mut tracker, &mut said);
        said.syns += u64::from(segment.flags.is_syn());
        if with_references {
            said.references.segment(at, &segment);
        }
        tracker.track_segment(segment, place, T0 + at);
    }
    pass(until, &mut tracker, &mut said);
    detector.finish(&mut said.alerts);
    said
}
