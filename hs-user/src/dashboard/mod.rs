//! `--tui`: the watch on one screen. Here is what is shown, without a terminal ([`Dashboard`]); `view` draws it,
//! [`Screen`] is the terminal. Everything that is kept is bounded.

mod history;
mod journal;
mod keys;
mod rtt;
mod screen;
mod view;

use std::time::Duration;

use hs_common::Event;
use hs_common::config::NS_PER_SEC;
use ratatui::Frame;
use ratatui::crossterm::event::Event as Input;

pub use keys::Wish;
pub use screen::Screen;

use crate::detect::{Alert, Responder};
use crate::kernel::Readings;
use crate::metrics::InterfaceState;
use crate::open_alerts::OpenAlerts;
use crate::report::Filter;
use history::History;
use journal::Journal;
use rtt::RoundTrips;

/// How many responders are worth a look.
pub const RESPONDERS: usize = 20;

/// What does not change.
#[derive(Clone, Debug)]
pub struct About {
    /// Whether events of several interfaces may come, so that each has to be told.
    pub show_interface: bool,
    /// Whether the terminal shall see colours.
    pub colour: bool,
    /// The events that are listed.
    pub filter: Filter,
    /// The clock of the events when the watch began, in nanoseconds.
    pub began_ns: u64,
}

/// What is read once a second.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// When, by the clock of the events, in nanoseconds.
    pub now_ns: u64,
    /// The kernel side.
    pub readings: Readings,
    /// The interfaces as they are now.
    pub interfaces: Vec<InterfaceState>,
    /// The busiest responders, the first the busiest.
    pub responders: Vec<Responder>,
    /// Processor time of this process until now.
    pub cpu_time: Duration,
    /// Memory of this process, in bytes.
    pub memory: u64,
}

/// All that the screen shows.
pub struct Dashboard {
    about: About,
    alerts: OpenAlerts,
    history: History,
    journal: Journal,
    rtt: RoundTrips,
    reading: Reading,
    unix_ns: u64,
    help: bool,
}

impl Dashboard {
    /// A dashboard that has seen nothing.
    pub fn new(about: About) -> Dashboard {
        Dashboard {
            alerts: OpenAlerts::default(),
            history: History::default(),
            journal: Journal::new(about.filter, about.show_interface),
            rtt: RoundTrips::default(),
            reading: Reading::default(),
            unix_ns: 0,
            help: false,
            about,
        }
    }

    /// Takes an event. `unix_ns`: nanoseconds since 1970.
    pub fn event(&mut self, event: &Event, unix_ns: u64, interface: &str) {
        self.rtt.event(event);
        self.journal.event(event, unix_ns, interface);
    }

    /// Takes an alert.
    pub fn alert(&mut self, alert: &Alert, unix_ns: u64) {
        self.alerts.take(alert);
        self.journal.alert(alert, unix_ns);
    }

    /// Takes what the user should know.
    pub fn notice(&mut self, text: String) {
        self.journal.notice(text, self.unix_ns);
    }

    /// Whether it is time to [`Dashboard::read`] again.
    pub fn is_due(&self, now_ns: u64) -> bool {
        now_ns.saturating_sub(self.reading.now_ns) >= NS_PER_SEC
    }

    /// Takes what is read once a second.
    pub fn read(&mut self, reading: Reading) {
        self.history.read(&reading);
        self.rtt.settle();
        self.reading = reading;
    }

    /// Sets the time that the screen shows, in nanoseconds since 1970.
    pub fn set_time(&mut self, unix_ns: u64) {
        self.unix_ns = unix_ns;
    }

    /// Takes a key, and tells what else than a change of the screen is wished.
    pub fn input(&mut self, input: &Input) -> Wish {
        keys::handle(self, input)
    }

    /// Draws it.
    pub fn draw(&self, frame: &mut Frame) {
        view::draw(self, frame);
    }
}
