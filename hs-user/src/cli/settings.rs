//! What holds in the end: flags over the file over the defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use hs_common::Config;
use hs_common::config::MAX_PORTS;

use super::args::{DoctorArgs, Engine, LiveArgs, Mode, ReplayArgs, SharedArgs};
use super::file::FileOptions;
use super::selector::Selector;
use crate::detect::Settings as Detection;
use crate::doctor::DoctorSettings;
use crate::report::{Filter, Format};

const DEFAULT_METRICS_VICTIMS: usize = 10;

/// The settings of both ways of running.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How events are written.
    pub format: Format,
    /// Which events are written.
    pub filter: Filter,
    /// The engine's settings. `watch_began_ns` and `thin_events` are the runner's to set.
    pub engine: Config,
    /// How much goes to standard error.
    pub verbosity: Verbosity,
    /// What is a flood.
    pub detection: Detection,
}

/// How much goes to standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors.
    Quiet,
    /// Warnings and what the user should know.
    #[default]
    Normal,
    /// What is being done.
    Verbose,
    /// Everything.
    Debug,
}

/// Watching interfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveSettings {
    /// Of both ways of running.
    pub common: Settings,
    /// Interfaces to watch: at least one, each named once.
    pub interfaces: Vec<Selector>,
    /// The network namespace they are in, if another than where hs-mon is started.
    pub netns: Option<PathBuf>,
    /// How to attach.
    pub mode: Mode,
    /// When to end; otherwise on a signal.
    pub duration: Option<Duration>,
    /// How often totals are written; otherwise at the end only.
    pub stats_interval: Option<Duration>,
    /// The dashboard, if it is wanted: then nothing but the totals at the end is written.
    pub tui: Option<Tui>,
    /// Where metrics are served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Victims of floods that the metrics name at the most.
    pub metrics_victims: usize,
    /// The configuration file, to be read again on SIGHUP.
    pub config: Option<PathBuf>,
}

impl LiveSettings {
    /// Whether more than one interface may be watched.
    pub fn watches_several(&self) -> bool {
        !matches!(self.interfaces.as_slice(), [Selector::Name(_)])
    }
}

/// The dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tui {
    /// Which events its list holds.
    pub filter: Filter,
}

/// Reading captures.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplaySettings {
    /// Of both ways of running.
    pub common: Settings,
    /// Captures, at least one; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// What judges the packets.
    pub engine: Engine,
}

/// Resolves the settings of watching interfaces.
pub fn live(live: LiveArgs, shared: SharedArgs, file: FileOptions) -> Result<LiveSettings, clap::Error> {
    let live = live.or(file.live);
    let config = shared.config.clone();
    let mut common = common(shared.or(file.shared), file.detection)?;
    common.engine.max_flows = live.max_flows.unwrap_or(Config::DEFAULT.max_flows);
    let interfaces = without_repetitions(live.iface);
    if interfaces.is_empty() {
        let message = "which interface? name one with --iface, such as `hs-mon --iface eth0`";
        return Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, message));
    }
    let tui = live.tui.then_some(Tui { filter: common.filter });
    if tui.is_some() {
        (common.format, common.filter) = (Format::Text, Filter::NONE);
    }
    Ok(LiveSettings {
        common,
        interfaces,
        netns: live.netns,
        mode: live.mode.unwrap_or_default(),
        duration: live.duration,
        stats_interval: live.stats_interval,
        tui,
        metrics: live.metrics,
        metrics_victims: live.metrics_victims.map_or(DEFAULT_METRICS_VICTIMS, usize::from),
        config,
    })
}

/// Resolves the settings of reading captures.
pub fn replay(
    replay: ReplayArgs,
    shared: SharedArgs,
    file: FileOptions,
) -> Result<ReplaySettings, clap::Error> {
    if replay.files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        let message = "standard input (`-`) can be read once only";
        return Err(clap::Error::raw(ErrorKind::ArgumentConflict, message));
    }
    Ok(ReplaySettings {
        common: common(shared.or(file.shared), file.detection)?,
        files: replay.files,
        engine: replay.options.engine.or(file.replay.engine).unwrap_or_default(),
    })
}

/// Resolves what `hs-mon doctor` is asked.
pub fn doctor(doctor: DoctorArgs) -> DoctorSettings {
    DoctorSettings {
        interfaces: without_repetitions(doctor.iface),
        max_flows: doctor.max_flows.unwrap_or(Config::DEFAULT.max_flows),
    }
}

/// Resolves what a file holds alone, for its errors.
pub fn replay_of(file: FileOptions) -> Result<(), clap::Error> {
    common(file.shared, file.detection).map(|_| ())
}

fn common(shared: SharedArgs, detection: Detection) -> Result<Settings, clap::Error> {
    Ok(Settings {
        format: shared.format.unwrap_or_default(),
        filter: Filter::only(shared.only.iter().copied()),
        verbosity: match (shared.quiet, shared.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Debug,
        },
        engine: engine(shared)?,
        detection,
    })
}

fn engine(shared: SharedArgs) -> Result<Config, clap::Error> {
    let mut config = Config::DEFAULT;
    if let Some(after) = shared.half_open_after {
        // An hour at the most, so that the nanoseconds fit.
        config.half_open_ns = after.as_nanos() as u64;
    }
    config.vlan_aware = u32::from(shared.vlan_aware.unwrap_or(false));
    let ports = without_repetitions(shared.port);
    let Some(used) = config.ports.get_mut(..ports.len()) else {
        let message = format!("--port: {} ports given, {MAX_PORTS} are possible", ports.len());
        return Err(clap::Error::raw(ErrorKind::TooManyValues, message));
    };
    used.copy_from_slice(&ports);
    config.ports_used = ports.len() as u32;
    Ok(config)
}

fn without_repetitions<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    values.into_iter().fold(Vec::new(), |mut kept, value| {
        if !kept.contains(&value) {
            kept.push(value);
        }
        kept
    })
}
