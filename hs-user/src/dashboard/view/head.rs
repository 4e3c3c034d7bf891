//! The lines of the screen: who watches what, the alarm, round-trip times, losses and cost.

use std::fmt::Display;

use hs_common::Counter;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::style::Theme;
use crate::dashboard::Dashboard;
use crate::dashboard::history::Row;
use crate::detect::{Alert, Kind, Signature};
use crate::kernel::Ingress;
use crate::metrics::InterfaceState;
use crate::report::units::{Clock, count, escaped, percent, rate, rtt};

/// Interfaces and how they are watched; how long, and the time.
pub fn title(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let mut line = Line::from(Span::styled(" hs-mon ", theme.title()));
    for interface in &dashboard.reading.interfaces {
        let style = if interface.present { theme.good() } else { theme.alarm() };
        line.push_span(Span::styled(described(interface), style));
        line.push_span(" ");
    }
    let mut clock = Clock::new();
    let now = clock.at(dashboard.unix_ns);
    let seconds = dashboard.reading.now_ns.saturating_sub(dashboard.about.began_ns) / 1_000_000_000;
    let time = now.time().to_string();
    let date = if area.width < 80 { "" } else { now.date() };
    let right = format!(
        " up {}:{:02}:{:02}  {date} {} UTC ",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        time.split('.').next().unwrap_or_default()
    );
    let [left, rest] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(right.len() as u16)]).areas(area);
    frame.render_widget(line, left);
    frame.render_widget(Line::styled(right, theme.dim()), rest);
}

fn described(interface: &InterfaceState) -> String {
    let how = match (interface.present, interface.ingress) {
        (false, _) => "gone",
        (true, Ingress::Native) => "native XDP",
        (true, Ingress::Generic) => "generic XDP",
        (true, Ingress::Tc) => "tc",
    };
    format!("{} ({how})", escaped(&interface.name))
}

/// The worst alarm that is open, or that there is none.
pub fn alarm(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let open = dashboard.alerts.by_rate();
    let Some(worst) = open.first() else {
        frame.render_widget(Line::styled(" no attack", theme.good()), area);
        return;
    };
    // Before what may find no room.
    let more = if open.len() > 1 { format!(" (and {} more)", open.len() - 1) } else { String::new() };
    let text =
        format!(" ▲ {} on {}{more}  {}", worst.signature.name().to_uppercase(), worst.victim, told(worst));
    // From edge to edge: it shall be seen from across the room.
    frame.render_widget(Line::styled(format!("{text:<0$}", usize::from(area.width)), theme.alarm()), area);
}

fn told(alert: &Alert) -> String {
    match alert.signature {
        Signature::SynFlood => {
            let sources = if alert.kind == Kind::Spoofed { "spoofed" } else { "sources" };
            format!(
                "{} SYN/s, {} completed, ~{} {sources}",
                rate(alert.syn_rate),
                percent(alert.completion_ratio),
                count(alert.sources_estimate)
            )
        }
        Signature::SynScan => format!("{} ports", count(alert.ports)),
        Signature::Reflection => format!("{} SYN-ACK/s", rate(alert.syn_rate)),
    }
}

/// Percentiles of round-trip times.
pub fn times(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let mut line = Line::from(Span::styled(" RTT p50/p95/p99 ", theme.title()));
    for (name, percentiles) in [("server", dashboard.rtt.synack()), ("client", dashboard.rtt.ack())] {
        let times = percentiles.map_or_else(
            || "–".to_owned(),
            |[p50, p95, p99]| format!("{} / {} / {}", rtt(p50), rtt(p95), rtt(p99)),
        );
        line.push_span(Span::styled(format!(" {name} "), theme.dim()));
        line.push_span(format!("{times} "));
    }
    frame.render_widget(line, area);
}

/// What was lost, how full the table is, and what the watch costs.
pub fn health(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let totals = &dashboard.reading.readings.totals;
    let mut line = Line::from(" ");
    for (name, counter, is_bad) in [
        ("lost", Counter::EventsLost, true),
        ("left out", Counter::EventsSuppressed, false),
        ("evicted", Counter::FlowsEvicted, true),
    ] {
        let number = totals.get(counter);
        let style = if is_bad && number > 0 { theme.alarm() } else { theme.good() };
        push(&mut line, theme, name, Span::styled(count(number).to_string(), style));
    }
    let waiting = dashboard.reading.readings.slots.waiting;
    let style = if waiting > 0.9 { theme.warning() } else { theme.good() };
    push(&mut line, theme, "table", Span::styled(format!("{:.0} %", waiting * 100.0), style));
    let cost =
        dashboard.history.packet_cost().map_or_else(|| "–".to_owned(), |cost| cost.as_nanos().to_string());
    line.push_span(format!("{cost} ns/packet  "));
    push(&mut line, theme, "CPU", percent(dashboard.history.processors()).to_string().into());
    line.push_span(format!("{} MiB", dashboard.reading.memory / (1024 * 1024)));
    frame.render_widget(line, area);
}

fn push(line: &mut Line, theme: Theme, name: impl Display, value: Span<'static>) {
    line.push_span(Span::styled(format!("{name} "), theme.dim()));
    line.push_span(value);
    line.push_span("  ");
}

/// Handshakes under way, and what half-open ones make of those that ended.
pub fn in_progress(dashboard: &Dashboard) -> String {
    let ended: u64 = Row::ALL[1..].iter().map(|row| dashboard.history.rate(*row)).sum();
    let half_open = dashboard.history.rate(Row::HalfOpen);
    let share = if ended == 0 { 0.0 } else { half_open as f64 / ended as f64 };
    let open = dashboard.reading.readings.totals.in_progress();
    format!("{} in progress; half-open: {} of what ended", count(open), percent(share))
}
