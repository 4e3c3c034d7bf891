//! The arguments as clap sees them. Every option may be absent here: what then holds is decided in
//! `settings`, after the configuration file has been asked too.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::{Args, Parser, ValueEnum};
use clap_complete::Shell;
use hs_common::Anomaly;

use super::explain::parse_anomaly;
use super::selector::Selector;
use super::values::{parse_duration, parse_half_open, parse_listener};
use crate::report::{Format, Kind};

/// The program's name.
pub const NAME: &str = "hs-mon";

const ABOUT: &str =
    "Watches TCP three-way handshakes, live (XDP and tc) or in captures, and flags SYN floods";

const EXAMPLES: &str = "\
Examples:
  hs-mon --iface eth0
      watch an interface until Ctrl-C
  hs-mon --iface eth0 --port 443 --only half_open,alert
      what a SYN flood leaves, on one port
  hs-mon --iface eth0 --tui --metrics 9435
      a dashboard on the terminal, and metrics for Prometheus
  hs-mon replay trace.pcapng --format json | jq .
      the same engine on a capture
  hs-mon doctor --iface eth0
      what would keep hs-mon from running here, and how it would watch
  hs-mon explain synack_wrong_ack
      what an anomaly means, and which rule it breaks

Events go to standard output, everything else to standard error.
Exit status: 0 done, 1 failed, 2 usage.
Under attack now? docs/playbook.md says what to do (in /usr/share/doc/hs-mon/ with the Debian package).";

const REPLAY_EXAMPLES: &str = "\
Examples:
  hs-mon replay trace.pcapng
      every handshake in it, and the totals at the end
  hs-mon replay --only half_open,malformed,alert trace.pcapng
      only what went wrong
  hs-mon replay --format json trace.pcapng | jq 'select(.handshake).src_ip'
      who began each handshake
  ssh router tcpdump -U -w - tcp | hs-mon replay -
      handshakes of another machine, as they come

Nothing that could not be read is left out in silence: the totals count it, by reason. On a
terminal, standard error tells how far a long replay is.";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  hs-mon explain
      all anomalies, each in a line
  hs-mon explain syn_isn_changed
      one of them, with the shortest trace that shows it";

const CHECK_CONFIG_EXAMPLES: &str = "\
Examples:
  hs-mon check-config --config hs-mon.toml
      what is wrong with it, or what it makes a flood

Exit status: 0 right, 2 wrong.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  eval \"$(hs-mon completions bash)\"
      in ~/.bashrc
  hs-mon completions fish | source
      in ~/.config/fish/config.fish

The Debian package brings those for bash, zsh and fish.";

const MAN_EXAMPLES: &str = "\
Examples:
  hs-mon man | man -l -
      read it
  hs-mon man replay > hs-mon-replay.1
      keep that of a command

The Debian package brings all of them: man hs-mon.";

const DOCTOR: &str = "\
Examples:
  hs-mon doctor
      the machine, and all interfaces that are up
  hs-mon doctor --iface eth0 --max-flows 1048576
      one interface, and the memory that so many flows take

Each line is ok, unknown (the kernel does not tell, or not to this user), warning or FAIL, with
what to do about it below. It changes nothing, and needs no privilege.
Exit status: 0 hs-mon would run, 1 it would not.";

const SHARED: &str = "Events";
const ATTACH: &str = "Watching interfaces";
const DASHBOARD: &str = "Dashboard";
const METRICS: &str = "Metrics";
const REPLAY: &str = "Reading captures";
const LOG: &str = "Messages";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = NAME, version, about = ABOUT, after_help = EXAMPLES)]
#[command(arg_required_else_help = true, max_term_width = 100)]
#[command(
    override_usage = "hs-mon --iface <NAME>... [OPTIONS]\n       hs-mon replay [OPTIONS] <FILE>...\n       hs-mon <COMMAND>"
)]
pub struct Cli {
    #[command(flatten)]
    pub live: LiveArgs,
    #[command(flatten)]
    pub shared: SharedArgs,
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
}

#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Read captures (pcap or pcapng, also gzip and zstd) in the time of the capture
    #[command(after_help = REPLAY_EXAMPLES)]
    Replay(ReplayCommand),
    /// Explain an anomaly: meaning, source and example; without a name, list all
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// Its name, as in `anomaly.event`
        #[arg(value_parser = parse_anomaly)]
        anomaly: Option<Anomaly>,
    },
    /// Check the configuration file that --config names, and say what it sets
    #[command(after_help = CHECK_CONFIG_EXAMPLES)]
    CheckConfig(CheckConfigCommand),
    /// Examine this machine and its interfaces: would hs-mon run, how, and what stands in its way
    #[command(after_help = DOCTOR)]
    Doctor(DoctorArgs),
    /// Write completions for a shell to standard output
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write a manual page (roff) to standard output
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// That of this command; without one, that of hs-mon
        command: Option<String>,
    },
}

impl Subcommand {
    pub const fn name(&self) -> &'static str {
        match self {
            Subcommand::Replay(_) => "replay",
            Subcommand::Explain { .. } => "explain",
            Subcommand::CheckConfig(_) => "check-config",
            Subcommand::Doctor(_) => "doctor",
            Subcommand::Completions { .. } => "completions",
            Subcommand::Man { .. } => "man",
        }
    }
}

#[derive(Debug, Args)]
pub struct ReplayCommand {
    #[command(flatten)]
    pub own: ReplayArgs,
    #[command(flatten)]
    pub shared: SharedArgs,
}

#[derive(Debug, Args)]
pub struct CheckConfigCommand {
    /// The file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What `hs-mon doctor` is asked.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Examine this interface, or all that fit a pattern; may be repeated [default: all that are up]
    #[arg(short, long, value_name = "NAME|GLOB|any")]
    pub iface: Vec<Selector>,
    /// Work out the memory that the maps take for so many flows [default: 131072]
    #[arg(long, value_name = "N", value_parser = flows())]
    pub max_flows: Option<u32>,
}

/// How many flows there can be.
fn flows() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(1024..=16_777_216)
}

/// Options of both ways of running.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = SHARED)]
pub struct SharedArgs {
    /// How events are written: text or json [default: text]
    #[arg(long, value_name = "FORMAT", hide_possible_values = true)]
    pub format: Option<Format>,
    /// Write only these kinds: outcomes (completed, unverified, refused, aborted, half_open,
    /// malformed), anomaly, alert, stats; the totals at the end always come
    #[arg(long, value_name = "KIND,...", value_delimiter = ',')]
    pub only: Vec<Kind>,
    /// Watch only flows from or to these ports, 8 at the most
    #[arg(long, value_name = "PORT,...", value_delimiter = ',')]
    pub port: Vec<u16>,
    /// A handshake without an outcome is half-open after this, such as 500ms or 2m, up to 1h
    /// [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = parse_half_open)]
    pub half_open_after: Option<Duration>,
    /// Flows in different VLANs are different flows
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub vlan_aware: Option<bool>,
    /// Read options from a TOML file, under the names they have here; flags win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Say more on standard error; twice: everything
    #[arg(short, long, action = clap::ArgAction::Count, conflicts_with = "quiet", help_heading = LOG)]
    pub verbose: u8,
    /// Say nothing on standard error but errors
    #[arg(short, long, help_heading = LOG)]
    pub quiet: bool,
}

impl SharedArgs {
    /// These, and from `other` what they lack.
    pub fn or(self, other: SharedArgs) -> SharedArgs {
        let silent = self.verbose == 0 && !self.quiet;
        SharedArgs {
            format: self.format.or(other.format),
            only: first_given(self.only, other.only),
            port: first_given(self.port, other.port),
            half_open_after: self.half_open_after.or(other.half_open_after),
            vlan_aware: self.vlan_aware.or(other.vlan_aware),
            config: self.config.or(other.config),
            verbose: if silent { other.verbose } else { self.verbose },
            quiet: if silent { other.quiet } else { self.quiet },
        }
    }
}

/// Options of watching interfaces.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = ATTACH)]
pub struct LiveArgs {
    /// Watch this interface, or all that fit a pattern such as 'veth*', or any but loopback (any),
    /// and those that come; may be repeated
    #[arg(short, long, value_name = "NAME|GLOB|any")]
    pub iface: Vec<Selector>,
    /// Watch interfaces of this network namespace, as `ip netns` names it or by a path such as
    /// /proc/PID/ns/net
    #[arg(long, value_name = "NAME|PATH")]
    pub netns: Option<PathBuf>,
    /// How to attach: XDP in the driver (native), XDP in the stack (generic), tc in place of XDP
    /// (tc), or the cheapest of them that works (auto) [default: auto]
    #[arg(long, value_name = "MODE", hide_possible_values = true)]
    pub mode: Option<Mode>,
    /// Flows remembered at the most, 1024 to 16777216 [default: 131072]
    #[arg(long, value_name = "N", value_parser = flows())]
    pub max_flows: Option<u32>,
    /// End after this, such as 30s, 5m or 1h [default: on SIGINT or SIGTERM]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<Duration>,
    /// Write totals this often, and not only at the end
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub stats_interval: Option<Duration>,
    /// Show a dashboard on the terminal in place of lines; --only chooses what its list holds
    #[arg(long, conflicts_with = "format", help_heading = DASHBOARD)]
    pub tui: bool,
    /// Serve metrics for Prometheus at this port, such as 9435, of this host alone; or at an
    /// address, such as 192.0.2.1:9435
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = parse_listener, help_heading = METRICS)]
    pub metrics: Option<SocketAddr>,
    /// Name so many victims of floods in the metrics at the most, 0 to 100 [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(..=100), help_heading = METRICS)]
    pub metrics_victims: Option<u8>,
}

impl LiveArgs {
    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.given().is_empty()
    }

    /// These, and from `other` what they lack.
    pub fn or(self, other: LiveArgs) -> LiveArgs {
        LiveArgs {
            iface: first_given(self.iface, other.iface),
            netns: self.netns.or(other.netns),
            mode: self.mode.or(other.mode),
            max_flows: self.max_flows.or(other.max_flows),
            duration: self.duration.or(other.duration),
            stats_interval: self.stats_interval.or(other.stats_interval),
            tui: self.tui || other.tui,
            metrics: self.metrics.or(other.metrics),
            metrics_victims: self.metrics_victims.or(other.metrics_victims),
        }
    }

    fn given(&self) -> Vec<&'static str> {
        let options = [
            ("--iface", !self.iface.is_empty()),
            ("--netns", self.netns.is_some()),
            ("--mode", self.mode.is_some()),
            ("--max-flows", self.max_flows.is_some()),
            ("--duration", self.duration.is_some()),
            ("--stats-interval", self.stats_interval.is_some()),
            ("--tui", self.tui),
            ("--metrics", self.metrics.is_some()),
            ("--metrics-victims", self.metrics_victims.is_some()),
        ];
        options.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect()
    }
}

/// The options that are given, by name.
impl fmt::Display for LiveArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given().join(", "))
    }
}

/// Options of reading captures.
#[derive(Debug, Args)]
#[command(next_help_heading = REPLAY)]
pub struct ReplayArgs {
    /// Captures to read, one after the other; `-` is standard input
    #[arg(required = true, value_name = "FILE", help_heading = None)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub options: ReplayOptions,
}

/// Those that the configuration file may hold too.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = REPLAY)]
pub struct ReplayOptions {
    /// What judges the packets: the engine in this program (native), or the very BPF program of
    /// the live watch, packet by packet (kernel; needs root) [default: native]
    #[arg(long, value_name = "ENGINE", hide_possible_values = true)]
    pub engine: Option<Engine>,
}

/// How to attach to an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The cheapest that works: native XDP where the driver has it, else tc, else generic XDP.
    #[default]
    Auto,
    /// XDP in the driver.
    Native,
    /// XDP in the network stack.
    Generic,
    /// tc ingress in place of XDP.
    Tc,
}

/// What judges the packets of a capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The engine compiled into this program.
    #[default]
    Native,
    /// The BPF program, by `BPF_PROG_TEST_RUN`.
    Kernel,
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Format] {
        &[Format::Text, Format::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self {
            Format::Text => "text",
            Format::Json => "json",
        }))
    }
}

fn first_given<T>(first: Vec<T>, other: Vec<T>) -> Vec<T> {
    if first.is_empty() { other } else { first }
}
