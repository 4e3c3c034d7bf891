//! The BPF programs on a bench: packets by `BPF_PROG_TEST_RUN`, events and totals read back.

use hs_common::event::{KIND_HANDSHAKE, RTT_UNKNOWN};
use hs_common::parse::Link;
use hs_common::{Config, Counters, Event, Path};
use hs_mon::kernel::{Events, Kernel, Options};

use crate::case::Case;
use crate::frame::{Frame, Side};

const XDP_PASS: u32 = 2;
/// TC_ACT_UNSPEC, -1: the next program decides.
const TC_ACT_UNSPEC: u32 = u32::MAX;
/// What a test run of the kernel gives as the interface: the loopback device.
const LOOPBACK: u32 = 1;
const MS: u64 = 1_000_000;
/// Above the ports that cases name themselves.
const FIRST_PORT: u16 = 20_000;

/// A program, and the form in which it takes a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Xdp,
    Tc(&'static str, Hook, Layer),
    Replay(Link),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    Ingress,
    Egress,
}

/// What a packet begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Ethernet,
    Ip,
}

pub const TC_INGRESS: Program = Program::Tc("hs_tc_ingress", Hook::Ingress, Layer::Ethernet);
pub const TC_EGRESS: Program = Program::Tc("hs_tc_egress", Hook::Egress, Layer::Ethernet);
pub const TC_INGRESS_L3: Program = Program::Tc("hs_tc_ingress_l3", Hook::Ingress, Layer::Ip);
pub const TC_EGRESS_L3: Program = Program::Tc("hs_tc_egress_l3", Hook::Egress, Layer::Ip);

impl Program {
    fn hook(self) -> Option<Hook> {
        match self {
            Program::Xdp => Some(Hook::Ingress),
            Program::Tc(_, hook, _) => Some(hook),
            Program::Replay(_) => None,
        }
    }

    fn needs_plain(self) -> bool {
        matches!(self, Program::Tc(_, _, Layer::Ip) | Program::Replay(Link::RawIp | Link::BsdLoopback))
    }
}

/// Which program sees the packets of the initiator, and which those of the responder.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub name: &'static str,
    pub up: Program,
    pub down: Program,
}

impl Way {
    pub const fn new(name: &'static str, up: Program, down: Program) -> Way {
        Way { name, up, down }
    }

    pub fn is_replay(&self) -> bool {
        matches!(self.up, Program::Replay(_))
    }

    pub fn takes(&self, case: &Case) -> bool {
        case.is_plain() || !(self.up.needs_plain() || self.down.needs_plain())
    }

    /// What the place of observation adds to an event of a handshake.
    fn path(&self, has_synack: bool) -> Path {
        match (self.up.hook(), self.down.hook()) {
            (None, _) => Path::Transit,
            (up, down) if has_synack && up == down => Path::Transit,
            (Some(Hook::Ingress), _) => Path::Inbound,
            (Some(Hook::Egress), _) => Path::Outbound,
        }
    }
}

/// A loaded object with its own maps.
pub struct Bench {
    pub kernel: Kernel,
    events: Events,
    now_ns: u64,
    told: Counters,
    /// Cases played: each has a flow of its own.
    cases: u16,
}

impl Bench {
    pub fn new(config: Config, replaying: bool) -> Bench {
        let options = Options { config, replaying, log_level: 0 };
        let mut kernel = Kernel::load(&options).expect("the kernel takes the object (root is needed)");
        let events = kernel.take_events().expect("the object has a ring buffer");
        Bench { kernel, events, now_ns: 1_700_000_000_000 * MS, told: Counters::ZERO, cases: 0 }
    }

    /// A bench for the hooks or for replay, with room for all cases that there are: a flow that has to give way
    /// makes the engine doubt what it has not seen.
    pub fn roomy(replaying: bool) -> Bench {
        Bench::new(Config { max_flows: 1 << 16, ..Config::DEFAULT }, replaying)
    }

    /// One frame through a program; every packet must pass.
    pub fn send(&mut self, program: Program, frame: &Frame) {
        let kernel = &mut self.kernel;
        let replay = |kernel: &mut Kernel, link, bytes: Vec<u8>, now_ns| {
            kernel.replay(link, &bytes, bytes.len(), now_ns).map(|()| XDP_PASS)
        };
        let (verdict, pass) = match program {
            Program::Xdp => (kernel.test_run("hs_xdp", &frame.ethernet(), 1), XDP_PASS),
            Program::Tc(name, _, Layer::Ethernet) => {
                (kernel.test_run_tc(name, &frame.ethernet(), 1), TC_ACT_UNSPEC)
            }
            Program::Tc(name, _, Layer::Ip) => (kernel.test_run_tc(name, &frame.packet, 1), TC_ACT_UNSPEC),
            Program::Replay(link) => {
                self.now_ns += MS;
                let bytes = match link {
                    Link::Ethernet => frame.ethernet(),
                    Link::RawIp => frame.packet.clone(),
                    Link::LinuxCooked => frame.cooked(),
                    Link::LinuxCooked2 => frame.cooked2(),
                    Link::BsdLoopback => frame.bsd(),
                };
                (replay(kernel, link, bytes, self.now_ns), XDP_PASS)
            }
        };
        let verdict = verdict.unwrap_or_else(|error| panic!("{program:?} on {frame:02x?}: {error:#}"));
        assert_eq!(verdict, pass, "{program:?} lets every packet pass: {frame:02x?}");
    }

    /// Ends all handshakes.
    pub fn finish(&mut self, replaying: bool) {
        if replaying {
            self.kernel.set_replay_clock(self.now_ns).expect("the clock can be set");
        }
        self.kernel.sweep(self.now_ns, true).expect("the sweep runs");
    }

    /// The events since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.events.take_oldest().expect("records are events") {
            events.push(event);
        }
        events
    }

    /// The totals since the last call.
    pub fn totals(&mut self) -> Counters {
        let now = self.kernel.counters().expect("the totals can be read");
        let mut since = now;
        since.0.iter_mut().zip(self.told.0).for_each(|(total, before)| *total -= before);
        self.told = now;
        since
    }

    /// Plays a case to its end.
    pub fn play(&mut self, way: &Way, case: &Case) {
        let port = self.next_port();
        self.send_all(way, case, port);
        self.finish(way.is_replay());
        self.compare(way, case, port);
    }

    /// Plays a case, and ends only what is due.
    pub fn play_until_swept(&mut self, way: &Way, case: &Case) {
        let port = self.next_port();
        self.send_all(way, case, port);
        if way.is_replay() {
            self.now_ns += MS;
            self.kernel.set_replay_clock(self.now_ns).expect("the clock can be set");
        }
        self.kernel.sweep(self.now_ns, false).expect("the sweep runs");
        self.compare(way, case, port);
    }

    /// The initiator's port in the next case.
    fn next_port(&mut self) -> u16 {
        self.cases += 1;
        FIRST_PORT.checked_add(self.cases).expect("a port for every case")
    }

    fn send_all(&mut self, way: &Way, case: &Case, port: u16) {
        for packet in &case.packets {
            let program = if packet.from() == Side::I { way.up } else { way.down };
            self.send(program, &packet.frame(case.envelope, port));
        }
    }

    /// Compares events and totals with the expectation.
    fn compare(&mut self, way: &Way, case: &Case, port: u16) {
        let at = format!("{}, {}", way.name, case.name);
        let events: Vec<Event> = self.events().into_iter().map(timeless).collect();
        let expected: Vec<Event> =
            case.expected_events(port).into_iter().map(|event| placed(way, event)).collect();
        assert_eq!(events.len(), expected.len(), "{at}: events\n{events:#?}");
        for (event, expected) in events.iter().zip(&expected) {
            assert_eq!(event, expected, "{at}");
        }
        let (totals, expected) = (self.totals(), case.expected_totals());
        assert_eq!(totals, expected, "{at}: totals (indices as in hs_common::Slot)");
    }
}

/// Without what the clock says: a time that was measured is 0.
fn timeless(event: Event) -> Event {
    let known = |us| if us == RTT_UNKNOWN { RTT_UNKNOWN } else { 0 };
    Event {
        time_ns: 0,
        rtt_synack_us: known(event.rtt_synack_us),
        rtt_ack_us: known(event.rtt_ack_us),
        ..event
    }
}

/// With what the place of observation adds.
fn placed(way: &Way, event: Event) -> Event {
    let ifindex = if way.is_replay() { 0 } else { LOOPBACK };
    let path = if event.kind == KIND_HANDSHAKE { way.path(event.has_synack == 1).code() } else { 0 };
    Event { ifindex, path, ..event }
}
