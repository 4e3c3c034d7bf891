//! Draws the dashboard. What matters most stands at the top: whether somebody is attacked, and whom it hurts.

mod head;
mod list;
mod style;
mod tables;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::Dashboard;
use super::history::Row;
use style::Theme;

/// Below this, what is shown would not be understood.
const MIN_WIDTH: u16 = 60;
const MIN_HEIGHT: u16 = 18;
/// Lines of the victims' table with its title, on a screen of 24 lines; it grows with the screen.
const VICTIM_LINES: u16 = 5;
const MOST_VICTIM_LINES: u16 = 12;

pub(super) fn draw(dashboard: &Dashboard, frame: &mut Frame) {
    let theme = Theme { colour: dashboard.about.colour };
    let area = frame.area();
    if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
        return too_small(frame, area);
    }
    let victims = (VICTIM_LINES + area.height / 3).saturating_sub(8).clamp(3, MOST_VICTIM_LINES);
    let rows = 1 + Row::ALL.len() as u16;
    let [title, alarm, rates, top, times, health, list, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(rows),
        Constraint::Length(victims),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    // On a narrow screen the victims need all of it.
    let sources = if area.width < 80 { 0 } else { (area.width / 3).max(27) };
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(sources)]).areas(top);
    head::title(dashboard, theme, frame, title);
    head::alarm(dashboard, theme, frame, alarm);
    tables::rates(dashboard, theme, frame, rates);
    tables::victims(dashboard, theme, frame, left);
    tables::sources(dashboard, theme, frame, right);
    head::times(dashboard, theme, frame, times);
    head::health(dashboard, theme, frame, health);
    list::draw(dashboard, theme, frame, list);
    list::keys(dashboard, theme, frame, keys);
    if dashboard.help {
        list::help(theme, frame, area);
    }
}

fn too_small(frame: &mut Frame, area: Rect) {
    let lines = [
        format!("too small: {}×{}", area.width, area.height),
        format!("hs-mon needs {MIN_WIDTH}×{MIN_HEIGHT}"),
        "q quits".to_owned(),
    ];
    frame.render_widget(Paragraph::new(lines.map(Line::from).to_vec()), area);
}
