//! One alarm: from the moment when a flood is recognised to its end.

use std::net::{IpAddr, SocketAddr};

use hs_common::config::NS_PER_SEC;

use super::sources::TopSources;
use super::window::{Point, View, share};
use super::{Settings, VictimSample};

/// An alarm is told again after this time at the earliest.
const UPDATE_NS: u64 = NS_PER_SEC;
/// So many sources must be sampled before their shares mean anything.
const ENOUGH_SAMPLES: u64 = 10;
/// Up to this number the estimate of the sources is nearly exact (it counts empty registers).
const FEW_SOURCES: u64 = 32;

/// Which alert of an alarm it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first.
    Start,
    /// It goes on; once a second at the most.
    Update,
    /// The last: with the totals of the whole alarm.
    End,
}

impl Phase {
    /// The identifier, as it stands in `synflood.phase`.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Update => "update",
            Phase::End => "end",
        }
    }
}

/// Where a flood comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One source, or two, or one that sends at least 80 %.
    SingleSource,
    /// Many sources, each with many handshakes.
    Distributed,
    /// Nearly as many sources as handshakes, and hardly one completes: the addresses are made up.
    Spoofed,
}

impl Kind {
    /// The identifier, as it stands in `synflood.kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::SingleSource => "single_source",
            Kind::Distributed => "distributed",
            Kind::Spoofed => "spoofed",
        }
    }
}

/// What is told of a SYN flood.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Of the alarm, from 1.
    pub id: u64,
    /// Which alert of the alarm it is.
    pub phase: Phase,
    /// The responder that is flooded.
    pub victim: SocketAddr,
    /// When the flood began, to about a second before it was recognised; the clock of `now_ns`.
    pub started_at_ns: u64,
    /// The instant that this alert is about.
    pub now_ns: u64,
    /// SYN segments a second, over the last window.
    pub syn_rate: f64,
    /// Completed handshakes a second, over the last window.
    pub completed_rate: f64,
    /// Completed of the handshakes begun since `started_at_ns`, 0 to 1.
    pub completion_ratio: f64,
    /// Handshakes left hanging: those that are pending now, and those that ran into their timeout since
    /// `started_at_ns`.
    pub half_open: u64,
    /// The largest `syn_rate` of the alarm so far.
    pub peak_syn_rate: f64,
    /// SYN segments since `started_at_ns`.
    pub syn_total: u64,
    /// Distinct sources that came since `started_at_ns`. One that the victim knew before is not counted.
    pub sources_estimate: u64,
    /// Where it comes from, as far as is known by now.
    pub kind: Kind,
    /// The sources that stand out, with their share (0 to 1, at least so much) of the handshakes that
    /// were left half-open or aborted; largest first, ten at the most, none below 1 %.
    pub top_sources: Vec<(IpAddr, f64)>,
    /// SYN cookies that the host sent, if the victim is the host itself.
    pub syncookies_sent: Option<u64>,
    /// Overflows of the accept queue, if the victim is the host itself.
    pub listen_overflows: Option<u64>,
    /// SYNs that the host dropped, if the victim is the host itself.
    pub listen_drops: Option<u64>,
}

/// An alarm that is open.
pub(super) struct Alarm {
    id: u64,
    /// Where the window began in which the flood was recognised.
    start: Point,
    peak_syn_rate: f64,
    told_ns: u64,
    /// Below half the floor since then.
    quiet_since_ns: Option<u64>,
    top_sources: TopSources,
}

impl Alarm {
    pub(super) fn new(id: u64, now_ns: u64, view: &View) -> Alarm {
        Alarm {
            id,
            start: view.start,
            peak_syn_rate: view.syn_rate,
            told_ns: now_ns,
            quiet_since_ns: None,
            top_sources: TopSources::default(),
        }
    }

    pub(super) fn note_source(&mut self, source: IpAddr) {
        self.top_sources.note(source);
    }

    /// What is to be told now, if anything. While it is quiet, only the end is news.
    pub(super) fn step(&mut self, now_ns: u64, view: &View, settings: &Settings) -> Option<Phase> {
        self.peak_syn_rate = self.peak_syn_rate.max(view.syn_rate);
        if view.unanswered_rate < settings.floor / 2.0 {
            let since_ns = *self.quiet_since_ns.get_or_insert(now_ns);
            return (now_ns - since_ns >= settings.quiet_ns).then_some(Phase::End);
        }
        self.quiet_since_ns = None;
        if now_ns - self.told_ns < UPDATE_NS {
            return None;
        }
        self.told_ns = now_ns;
        Some(Phase::Update)
    }

    pub(super) fn alert(&self, phase: Phase, now_ns: u64, sample: &VictimSample, view: &View) -> Alert {
        let (start, now) = (&self.start.totals, &view.totals);
        let begun = now.begun - start.begun;
        let completed = now.completed - start.completed;
        let ended = sample.completed + sample.refused + sample.aborted + sample.expired;
        Alert {
            id: self.id,
            phase,
            victim: sample.victim,
            started_at_ns: self.start.time_ns,
            now_ns,
            syn_rate: view.syn_rate,
            completed_rate: view.completed_rate,
            completion_ratio: share(completed, begun),
            half_open: sample.begun.saturating_sub(ended) + (now.expired - start.expired),
            peak_syn_rate: self.peak_syn_rate,
            syn_total: now.syn - start.syn,
            sources_estimate: self.sources(view).max(1),
            kind: self.kind(view, begun, completed),
            top_sources: self.top_sources.shares(),
            syncookies_sent: None,
            listen_overflows: None,
            listen_drops: None,
        }
    }

    /// Sources that are new since the start. The sketch only knows all that ever came.
    fn sources(&self, view: &View) -> u64 {
        view.totals.sources.saturating_sub(self.start.totals.sources)
    }

    fn kind(&self, view: &View, begun: u64, completed: u64) -> Kind {
        let sources = self.sources(view);
        let sampled = self.top_sources.total() >= ENOUGH_SAMPLES;
        let one_stands_out = sampled && self.top_sources.largest_share() >= 0.8;
        // Among many older sources a few new ones can't be counted: then only samples can tell.
        let few = sources <= 2 && self.start.totals.sources <= FEW_SOURCES && !sampled;
        if one_stands_out || few || view.totals.sources <= 2 {
            Kind::SingleSource
        } else if sources.saturating_mul(2) >= begun && completed.saturating_mul(20) <= begun {
            Kind::Spoofed
        } else {
            Kind::Distributed
        }
    }
}
