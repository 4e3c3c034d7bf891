//! What is measured: for each row, the traffic that comes before and the packets that are timed.

use hs_common::Config;

use crate::course::target;
use crate::frame::Frame;

/// Flows that have nothing to do with those of other areas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Connections that were made.
    Made(u32),
    /// Handshakes that wait for their SYN-ACK.
    Pending(u32),
    /// Sources of a flood.
    Flood(u32),
    /// Connections that began before the watch.
    Strangers(u32),
    /// Flows that nobody has seen: in each round others.
    Fresh,
}

impl Area {
    /// Its number, which tells its flows from those of other areas.
    pub fn index(self) -> usize {
        match self {
            Area::Made(_) => 0,
            Area::Pending(_) => 1,
            Area::Flood(_) => 2,
            Area::Strangers(_) => 3,
            Area::Fresh => 4,
        }
    }

    /// How many areas there are.
    pub const COUNT: usize = 5;
}

/// Some packets.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub frame: Frame,
    pub area: Area,
    /// How many flows of the area; none: as many as a batch has.
    pub flows: Option<u32>,
}

const fn step(frame: Frame, area: Area) -> Step {
    Step { frame, area, flows: None }
}

const fn all(frame: Frame, area: Area, flows: u32) -> Step {
    Step { frame, area, flows: Some(flows) }
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name in the JSON and for `--only`.
    pub id: &'static str,
    /// What people read.
    pub name: &'static str,
    /// Once, not timed.
    pub before: &'static [Step],
    /// Before each batch, not timed.
    pub each: &'static [Step],
    /// What is timed.
    pub timed: Step,
    /// Whether the timed batch goes through once before, untimed: the state that lasts is wanted, and not
    /// what the subject before has left of the caches.
    pub warm: bool,
    /// What an ordinary design would do with these packets.
    pub ordinary: u32,
    /// Entries of its LRU hash map.
    pub lru_entries: u32,
    /// Handshakes that each flow of the timed step completes.
    pub completes: bool,
    /// Whether it is measured on several cores at once, too.
    pub on_all_cores: bool,
}

const FEW: u32 = 1024;
/// So many that it does not matter what the subject before has left of the caches: the state that lasts
/// amid a flood is wanted.
const MANY: u32 = 1 << 20;
const FLOOD: u32 = 4 << 20;
const MADE: Area = Area::Made(FEW);
const FLOODERS: Area = Area::Flood(FLOOD);
const PENDING: u32 = 10_000;
/// Twice as many as are remembered.
const EARLIER_FLOWS: u32 = 2 * Config::DEFAULT.max_flows;
const EARLIER: Area = Area::Made(EARLIER_FLOWS);

const PLAIN: Row = Row {
    id: "",
    name: "",
    before: &[],
    each: &[],
    timed: step(Frame::Data, MADE),
    warm: true,
    ordinary: target::LOOKUP,
    lru_entries: Config::DEFAULT.max_flows,
    completes: false,
    on_all_cores: false,
};

const FIRST_SYN: Row = Row { warm: false, ordinary: target::UPDATE, ..PLAIN };

/// All of them, in the order of the table.
pub const ROWS: &[Row] = &[
    Row { id: "udp", name: "no TCP (UDP)", timed: step(Frame::Udp, MADE), ..PLAIN },
    Row {
        id: "established",
        name: "established segment, nothing pending",
        before: &[all(Frame::Handshake, MADE, FEW)],
        on_all_cores: true,
        ..PLAIN
    },
    Row {
        id: "established_pending",
        name: "established segment, 10,000 handshakes pending",
        before: &[all(Frame::Handshake, MADE, FEW), all(Frame::Syn, Area::Pending(PENDING), PENDING)],
        ..PLAIN
    },
    Row {
        id: "established_flood",
        name: "established segment of 1,024 flows, 4 M distinct SYNs around it",
        before: &[all(Frame::Syn, FLOODERS, FLOOD), all(Frame::Handshake, MADE, FEW)],
        each: &[step(Frame::Syn, FLOODERS)],
        warm: false,
        ..PLAIN
    },
    Row {
        id: "strangers_flood",
        name: "established segment of 4 M flows, after 4 M distinct SYNs",
        before: &[all(Frame::Syn, FLOODERS, FLOOD)],
        timed: all(Frame::Data, Area::Strangers(FLOOD), MANY),
        warm: false,
        on_all_cores: true,
        ..PLAIN
    },
    Row {
        id: "syn_1k",
        name: "SYN, 1,024 flows (sent again)",
        before: &[all(Frame::Syn, Area::Flood(FEW), FEW)],
        timed: step(Frame::Syn, Area::Flood(FEW)),
        warm: true,
        ..FIRST_SYN
    },
    Row {
        id: "syn_64k",
        name: "SYN, 65,536 flows (sent again)",
        before: &[all(Frame::Syn, Area::Flood(65_536), 65_536)],
        timed: step(Frame::Syn, Area::Flood(65_536)),
        ..FIRST_SYN
    },
    Row {
        id: "syn_room",
        name: "first SYN, room in the table",
        timed: all(Frame::Syn, Area::Fresh, 1000),
        ..FIRST_SYN
    },
    Row {
        id: "syn_512k",
        name: "first SYN, 524,288 distinct",
        before: &[all(Frame::Syn, Area::Flood(524_288), 524_288)],
        timed: step(Frame::Syn, Area::Flood(524_288)),
        ..FIRST_SYN
    },
    Row {
        id: "syn_4m",
        name: "first SYN, 4,194,304 distinct",
        before: &[all(Frame::Syn, FLOODERS, FLOOD)],
        timed: all(Frame::Syn, FLOODERS, MANY),
        on_all_cores: true,
        ..FIRST_SYN
    },
    Row {
        id: "syn_4m_beside_1m",
        name: "the same, beside an LRU of 1,048,576 entries",
        before: &[all(Frame::Syn, FLOODERS, FLOOD)],
        timed: all(Frame::Syn, FLOODERS, MANY),
        lru_entries: 1 << 20,
        ..FIRST_SYN
    },
    Row {
        id: "synack",
        name: "SYN-ACK",
        each: &[step(Frame::Syn, Area::Fresh)],
        timed: step(Frame::SynAck, Area::Fresh),
        ..FIRST_SYN
    },
    Row {
        id: "ack",
        name: "completing ACK with its event",
        each: &[step(Frame::Syn, Area::Fresh), step(Frame::SynAck, Area::Fresh)],
        timed: step(Frame::Ack, Area::Fresh),
        completes: true,
        on_all_cores: true,
        ..FIRST_SYN
    },
    Row {
        id: "handshake",
        name: "a whole handshake (three packets, an event)",
        timed: step(Frame::Handshake, Area::Fresh),
        completes: true,
        on_all_cores: true,
        ..FIRST_SYN
    },
    Row {
        id: "handshake_full",
        name: "the same, in tables that are full of earlier ones",
        before: &[all(Frame::Handshake, EARLIER, EARLIER_FLOWS)],
        timed: step(Frame::Handshake, Area::Fresh),
        completes: true,
        ..FIRST_SYN
    },
];
