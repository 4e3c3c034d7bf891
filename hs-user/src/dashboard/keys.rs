//! What the keys do.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Dashboard;

/// What is shown of them at the bottom of the screen.
pub const HINTS: [(&str, &str); 6] =
    [("q", "quit"), ("p", "pause"), ("/", "filter"), ("↑↓", "scroll"), ("c", "measure cost"), ("?", "help")];

/// Lines that a page key moves.
const PAGE: usize = 10;
/// A filter is no longer than this.
const MAX_FILTER: usize = 60;

/// What a key wishes besides another look of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    None,
    /// The end of the watch.
    Quit,
    /// That the kernel measures what its programs cost, or no longer does.
    Measure,
}

pub(super) fn handle(dashboard: &mut Dashboard, input: &Event) -> Wish {
    let Event::Key(key) = input else { return Wish::None };
    if key.kind == KeyEventKind::Release {
        return Wish::None;
    }
    // The terminal hands it on as a key, and sends no signal.
    if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
        return Wish::Quit;
    }
    if dashboard.journal.is_typing() {
        type_filter(dashboard, key);
        return Wish::None;
    }
    if dashboard.help {
        dashboard.help = false;
        return Wish::None;
    }
    let journal = &mut dashboard.journal;
    match key.code {
        KeyCode::Char('q') => return Wish::Quit,
        KeyCode::Char('p' | ' ') => journal.pause(!journal.is_paused()),
        KeyCode::Char('c') => return Wish::Measure,
        KeyCode::Char('/') => journal.set_typing(true),
        KeyCode::Char('?' | 'h') => dashboard.help = true,
        KeyCode::Up => journal.older(1),
        KeyCode::PageUp => journal.older(PAGE),
        KeyCode::Down => journal.newer(1),
        KeyCode::PageDown => journal.newer(PAGE),
        KeyCode::End => journal.pause(false),
        KeyCode::Esc => journal.edit(String::clear),
        _ => {}
    }
    Wish::None
}

fn type_filter(dashboard: &mut Dashboard, key: &KeyEvent) {
    let journal = &mut dashboard.journal;
    match key.code {
        KeyCode::Enter => journal.set_typing(false),
        KeyCode::Esc => {
            journal.set_typing(false);
            journal.edit(String::clear);
        }
        KeyCode::Backspace => journal.edit(|filter| {
            filter.pop();
        }),
        KeyCode::Char(letter) if journal.needle().chars().count() < MAX_FILTER => {
            journal.edit(|filter| filter.push(letter));
        }
        _ => {}
    }
}
