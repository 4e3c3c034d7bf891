//! The list of events, the keys, and the help.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::style::Theme;
use crate::dashboard::Dashboard;
use crate::dashboard::keys::HINTS;
use crate::report::units::count;

/// Columns from which on a line of the list has room for everything.
const WIDE: u16 = 110;
const SECONDS: usize = "12:00:00".len();
const MICROS: usize = ".123456".len();

const HELP: &str = "\
 q, Ctrl-C      end the watch; the totals follow
 p, space       stop the list of events, or let it go on
 /              show only lines with a text; Enter keeps it
 Esc            show all lines again
 ↑ ↓ PgUp PgDn  older and newer lines; stops the list
 End            the newest lines
 c              measure what packets cost, or no longer
 ?              this help

 ≤              the largest rate of the graph
 server, client SYN to SYN-ACK, SYN-ACK to ACK
 lost           events that found the buffer full
 left out       events beyond a flood's budget
 evicted        handshakes that the full table gave up
 table          how full it is of handshakes under way
 ns/packet      time in the kernel, once c measures it";

/// The newest lines, or those that were scrolled to.
pub fn draw(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let [title, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let journal = &dashboard.journal;
    let mut heading = Line::from(Span::styled(" Events", theme.title()));
    if journal.is_paused() {
        heading.push_span("  ");
        heading
            .push_span(Span::styled(format!(" stopped, {} more ", count(journal.missed())), theme.alarm()));
    }
    if !journal.needle().is_empty() && !journal.is_typing() {
        heading.push_span(Span::styled(format!("  only with “{}”", journal.needle()), theme.warning()));
    }
    frame.render_widget(heading, title);
    let lines = journal.lines(usize::from(body.height)).into_iter().map(|line| {
        let is_short = area.width < WIDE && line.kind.is_some();
        let text = if is_short { without_micros(&line.text) } else { line.text };
        Line::styled(format!(" {text}"), theme.of(line.kind))
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), body);
}

/// `12:00:00.123456` becomes `12:00:00`: on a narrow screen, what follows is worth more.
fn without_micros(line: &str) -> String {
    let (seconds, rest) = (line.get(..SECONDS), line.get(SECONDS + MICROS..));
    seconds.zip(rest).map_or_else(|| line.to_owned(), |(seconds, rest)| format!("{seconds}{rest}"))
}

/// What keys there are, or what is typed.
pub fn keys(dashboard: &Dashboard, theme: Theme, frame: &mut Frame, area: Rect) {
    let journal = &dashboard.journal;
    if journal.is_typing() {
        let text = format!(" only lines with: {}▏  Enter keeps it, Esc shows all", journal.needle());
        return frame.render_widget(Line::styled(text, theme.warning()), area);
    }
    let mut line = Line::default();
    for (key, meaning) in HINTS {
        line.push_span(Span::styled(format!(" {key}"), theme.title()));
        line.push_span(Span::styled(format!(" {meaning} "), theme.dim()));
    }
    frame.render_widget(line, area);
}

/// Over all else, until a key is hit.
pub fn help(theme: Theme, frame: &mut Frame, area: Rect) {
    let lines: Vec<Line> = HELP.lines().map(Line::from).collect();
    let width = HELP.lines().map(|line| line.chars().count()).max().unwrap_or(0) as u16 + 4;
    let over = area.centered(Constraint::Length(width), Constraint::Length(lines.len() as u16 + 2));
    frame.render_widget(Clear, over);
    frame.render_widget(
        Paragraph::new(lines).block(Block::bordered().title(" hs-mon ").title_style(theme.title())),
        over,
    );
}
