//! The story: what happens in the laboratory, act by act.

use std::io::{self, IsTerminal as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::interrupt::{self, STOP, pause};
use super::outcome::{self, Handshakes};
use super::screen::Screen;
use super::{Args, Format};
use crate::lab::Lab;
use crate::lab::clients::{self, Clients};
use crate::lab::flood::Flood;
use crate::lab::frame::{Prefix, Segment, flag};
use crate::lab::monitor::{Monitor, Setup};
use crate::lab::server::{Manner, Server};
use crate::lab::wire::Wire;

const PORT: u16 = 80;
/// Short, as that of a server that expects no flood: the kernel soon answers by SYN cookies.
const BACKLOG: i32 = 256;
const CLIENTS_PER_SECOND: f64 = 20.0;
const CLOSED_PORTS: [u16; 6] = [21, 22, 23, 3306, 5432, 8080];
/// hs-mon's own timeout is 5 s; a show has less patience.
const HALF_OPEN_AFTER: &str = "2s";
/// A neighbourhood of the lab's own addresses, so that nobody there answers.
const FLOODERS: Prefix = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
const SEED: u64 = 2026;
/// The server answers in microseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The acts' shares of the time, in twentieths.
const ACT_1: u32 = 3;
const ACT_2: u32 = 2;
const ACT_3: u32 = 4;
const ACT_4: u32 = 6;
const ACT_5: u32 = 5;

/// The whole show; everything is gone at its end, whatever happens.
pub fn run(args: &Args, program: &Path) -> Result<()> {
    interrupt::watch()?;
    let screen = Screen::new(args.format);
    let lab = Lab::pair()?;
    let addresses = [lab.server.plan.v4_at(PORT), lab.server.plan.v6_at(PORT)];
    let _server = Server::start(&lab.server.ns, &addresses, Manner::Close, Some(BACKLOG))?;
    let monitor = start_monitor(&lab, args.format, program, &screen)?;
    let stage = Stage { lab: &lab, screen: &screen, twentieth: Duration::from_secs(args.seconds) / 20 };
    let played = stage.play(args.flood_rate, &addresses);
    // Also of a show that ended early hs-mon tells the totals.
    let finished = monitor.stop(libc::SIGINT);
    let (made, finished) = (played?, finished?);
    ensure!(finished.status.success(), "hs-mon failed: {}", finished.stderr.join(" | "));
    let counted = Handshakes::counted(&finished.stdout, args.format)?;
    screen.act("End: what you saw", &outcome::compare(&made, &counted));
    ensure!(made.completed == counted.completed, "hs-mon's count is not what happened");
    Ok(())
}

fn start_monitor(lab: &Lab, format: Format, program: &Path, screen: &Screen) -> Result<Monitor> {
    let interface = lab.server.plan.interface;
    let format_name = if format == Format::Json { "json" } else { "text" };
    let args = ["--iface", interface, "--half-open-after", HALF_OPEN_AFTER, "--format", format_name];
    screen.act(
        "A laboratory",
        &format!(
            "Two network namespaces, {} and {}, with a cable between them and no way out.\n\
             hs-mon watches the server's end of it:\n  ip netns exec {} hs-mon {}",
            lab.server.ns.name(),
            lab.client.ns.name(),
            lab.server.ns.name(),
            args.join(" ")
        ),
    );
    let setup = Setup {
        stdout: Some(screen.stdout()),
        stderr: Some(screen.stderr()),
        terminal: format == Format::Text && io::stdout().is_terminal(),
    };
    let monitor = Monitor::launch(&lab.server.ns, program, &args, setup)?;
    monitor.wait_until_watching()?;
    Ok(monitor)
}

struct Stage<'a> {
    lab: &'a Lab,
    screen: &'a Screen,
    twentieth: Duration,
}

impl Stage<'_> {
    /// All acts; what was done in them.
    fn play(&self, flood_rate: u32, servers: &[SocketAddr]) -> Result<Handshakes> {
        let mut made = Handshakes::default();
        let clients = self.honest_clients(servers)?;
        made.refused = self.closed_ports()?;
        self.bad_clients(&mut made)?;
        made.half_open += self.flood(flood_rate)?;
        self.aftermath()?;
        made.completed = clients.stop()?.connected;
        Ok(made)
    }

    /// They come until the end of the show.
    fn honest_clients(&self, servers: &[SocketAddr]) -> Result<Clients> {
        self.screen.act(
            "Act 1: honest clients",
            &format!("{CLIENTS_PER_SECOND} a second, by IPv4 and IPv6 in turn; they go on to the end."),
        );
        let clients = Clients::start(&self.lab.client.ns, servers, CLIENTS_PER_SECOND)?;
        pause(self.twentieth * ACT_1)?;
        Ok(clients)
    }

    fn closed_ports(&self) -> Result<u64> {
        self.screen.act(
            "Act 2: someone knocks on closed ports",
            "The server's kernel answers each SYN with a RST: refused.",
        );
        let mut refused = 0;
        for port in CLOSED_PORTS {
            let address = self.lab.server.plan.v4_at(port);
            refused += clients::connect_tally(&self.lab.client.ns, 1, address)?.refused;
            pause(self.twentieth * ACT_2 / CLOSED_PORTS.len() as u32)?;
        }
        Ok(refused)
    }

    fn bad_clients(&self, made: &mut Handshakes) -> Result<()> {
        self.screen.act(
            "Act 3: clients that break the rules",
            "A scanner that hangs up after the SYN-ACK, an ACK of what was never sent, a SYN with a FIN,\n\
             and two clients that never answer: those are half-open after two seconds.",
        );
        let start = Instant::now();
        let wire = Wire::open_hearing(&self.lab.client)?;
        let syn = |host: u8| {
            let src = SocketAddr::from(([198, 18, 66, host], 40_000 + u16::from(host)));
            Segment::syn(src, self.lab.server.plan.v4_at(PORT), 1_000_000 * u32::from(host))
        };
        wire.send(&syn(1))?;
        wire.send(&syn(2))?;
        made.half_open += 2;
        hang_up(&wire, &syn(3))?;
        made.aborted += 1;
        acknowledge_too_much(&wire, &syn(4))?;
        made.malformed += 1;
        wire.send(&Segment { flags: flag::SYN | flag::FIN, ..syn(5) })?;
        // Deaf from here on: a flood is next.
        drop(wire);
        pause((self.twentieth * ACT_3).saturating_sub(start.elapsed()))
    }

    fn flood(&self, rate: u32) -> Result<u64> {
        let time = self.twentieth * ACT_4;
        self.screen.act(
            "Act 4: a SYN flood",
            &format!(
                "{rate} SYN/s for {:.0} s from addresses of {FLOODERS} that nobody has; honest clients go on.",
                time.as_secs_f64()
            ),
        );
        let flood = Flood {
            sources: FLOODERS,
            victim: self.lab.server.plan.v4_at(PORT),
            count: (time.as_secs_f64() * f64::from(rate)) as u64,
            rate,
            seed: SEED,
        };
        let sent = flood.send(&Wire::open(&self.lab.client)?, &STOP)?;
        interrupt::check()?;
        Ok(sent)
    }

    /// Long enough for the last half-open handshake to time out, and for the alert to end.
    fn aftermath(&self) -> Result<()> {
        self.screen
            .act("Act 5: the flood is over", "Honest clients go on. The alert ends after 3 quiet seconds.");
        pause(self.twentieth * ACT_5)
    }
}

/// What a SYN scan does: it knows all it wants to know.
fn hang_up(wire: &Wire, syn: &Segment) -> Result<()> {
    wire.ask(syn, ANSWER_WITHIN)?;
    wire.send(&Segment::new(syn.src, syn.dst, flag::RST, syn.seq.wrapping_add(1), 0))
}

/// An ACK of 1000 bytes that the server has not sent.
fn acknowledge_too_much(wire: &Wire, syn: &Segment) -> Result<()> {
    let isn = wire.ask(syn, ANSWER_WITHIN)?;
    let (seq, ack) = (syn.seq.wrapping_add(1), isn.wrapping_add(1001));
    wire.send(&Segment::new(syn.src, syn.dst, flag::ACK, seq, ack))
}
