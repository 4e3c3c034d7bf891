//! Rates with their history, victims, and sources.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Sparkline};

use super::head::in_progress;
use super::style::Theme;
use crate::dashboard::Dashboard;
use crate::dashboard::history::Row;
use crate::detect::{Alert, Kind, Responder, Signature};
use crate::report::units::{count, percent, rate, span};

const NAME_WIDTH: usize = 16;
const RATE_WIDTH: usize = 11;

/// One row for each rate: what it is now, and what it was.
pub fn rates(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    heading(theme, frame, title, "Handshakes a second", &in_progress(dashboard));
    let rows = Layout::vertical([Constraint::Length(1); Row::ALL.len()]).split(body);
    for (row, area) in Row::ALL.into_iter().zip(rows.iter()) {
        let label_width = (1 + NAME_WIDTH + RATE_WIDTH) as u16;
        let [label, graph, peak] = Layout::horizontal([
            Constraint::Length(label_width),
            Constraint::Fill(1),
            Constraint::Length(13),
        ])
        .spacing(1)
        .areas(*area);
        let style = style_of(row, dashboard.history.rate(row), theme);
        let rate = count(dashboard.history.rate(row));
        let now = format!(" {:<NAME_WIDTH$}{rate:>RATE_WIDTH$}", row.name());
        frame.render_widget(Line::styled(now, style), label);
        let rates = dashboard.history.rates(row, usize::from(graph.width));
        let most = rates.iter().copied().max().unwrap_or(0);
        frame.render_widget(Sparkline::default().data(&rates).max(most.max(1)).style(style), graph);
        frame.render_widget(Line::styled(format!("≤ {}", count(most)), theme.dim()), peak);
    }
}

fn style_of(row: Row, rate: u64, theme: Theme) -> Style {
    match row {
        Row::Syn | Row::Refused => Style::new(),
        Row::Completed => theme.good(),
        Row::HalfOpen | Row::Malformed if rate == 0 => Style::new(),
        Row::HalfOpen | Row::Malformed => theme.warning(),
    }
}

/// Those under attack first, then those that are asked for most.
pub fn victims(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let room = usize::from(area.height.saturating_sub(1));
    let open = dashboard.alerts.by_rate();
    let others = dashboard
        .reading
        .responders
        .iter()
        .filter(|responder| open.iter().all(|alert| alert.victim != responder.target));
    let width = usize::from(area.width);
    let attacked = open.iter().map(|alert| Line::styled(attacked(alert, width), theme.alarm()));
    let calm = others.map(|responder| Line::from(calm(responder, width)));
    let lines: Vec<Line> = attacked.chain(calm).take(room).collect();
    let name = columns(width, "Responders", "SYN/s", "complete", "");
    frame.render_widget(Paragraph::new(with_heading(theme, name, lines)), area);
}

fn attacked(alert: &Alert, width: usize) -> String {
    let what = match alert.signature {
        Signature::SynFlood => "FLOOD",
        Signature::SynScan => "SCAN",
        Signature::Reflection => "REFLECTION",
    };
    let lasts = span(alert.now_ns.saturating_sub(alert.started_at_ns)).to_string();
    let (rate, completed) = (rate(alert.syn_rate).to_string(), percent(alert.completion_ratio).to_string());
    columns(width, &alert.victim.to_string(), &rate, &completed, &format!("{what} {lasts}"))
}

fn calm(responder: &Responder, width: usize) -> String {
    let target = responder.target.to_string();
    let (rate, completed) =
        (rate(responder.syn_rate).to_string(), percent(responder.completion_ratio).to_string());
    columns(width, &target, &rate, &completed, "")
}

/// The name has what room the others leave; one that is too long loses its end.
fn columns(width: usize, name: &str, rate: &str, completed: &str, state: &str) -> String {
    const OTHERS: usize = 31;
    let room = width.saturating_sub(OTHERS).max(8);
    let mut name = name.to_owned();
    if name.chars().count() > room {
        name = name.chars().take(room - 1).chain(['…']).collect();
    }
    format!(" {name:<room$}{rate:>8}{completed:>9} {state:<12}")
}

/// Who sends the worst flood, as far as that can be said; then those of the others, as far as there is room.
pub fn sources(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let open = dashboard.alerts.by_rate();
    let mut lines = Vec::new();
    for alert in &open {
        if !lines.is_empty() {
            lines.push(Line::styled(format!(" on {}:", alert.victim), theme.title()));
        }
        lines.extend(sources_of(alert, theme));
    }
    if lines.is_empty() {
        lines.push(Line::styled(" nobody stands out", theme.dim()));
    }
    frame
        .render_widget(Paragraph::new(with_heading(theme, " Sources of the attack".to_owned(), lines)), area);
}

fn sources_of(alert: &Alert, theme: Theme) -> Vec<Line<'static>> {
    let estimate = count(alert.sources_estimate);
    if alert.kind == Kind::Spoofed {
        return vec![
            Line::from(format!(" ~{estimate}, spoofed")),
            Line::styled(" made up: nobody to name", theme.dim()),
        ];
    }
    if alert.top_sources.is_empty() {
        return vec![Line::from(format!(" ~{estimate}, none stands out"))];
    }
    let source = |(ip, share): &(_, f64)| Line::from(format!(" {:>7} {ip}", percent(*share).to_string()));
    alert.top_sources.iter().map(source).collect()
}

fn with_heading<'a>(theme: Theme, heading: String, mut lines: Vec<Line<'a>>) -> Vec<Line<'a>> {
    lines.insert(0, Line::styled(heading, theme.title()));
    lines
}

fn heading(theme: Theme, frame: &mut Frame, area: Rect, name: &str, note: &str) {
    let name = Span::styled(format!(" {name}  "), theme.title());
    frame.render_widget(Line::from(vec![name, Span::styled(note.to_owned(), theme.dim())]), area);
}
