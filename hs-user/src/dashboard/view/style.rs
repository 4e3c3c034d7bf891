//! Colours, or without them the same by other means.

use hs_common::Outcome;
use ratatui::style::{Color, Modifier, Style};

use crate::report::Kind;

/// How things look.
#[derive(Clone, Copy)]
pub struct Theme {
    /// Whether there are colours.
    pub colour: bool,
}

impl Theme {
    /// Something is wrong now.
    pub fn alarm(self) -> Style {
        self.coloured(
            Style::new().fg(Color::White).bg(Color::Red),
            Style::new().add_modifier(Modifier::REVERSED),
        )
        .add_modifier(Modifier::BOLD)
    }

    /// Worth a look.
    pub fn warning(self) -> Style {
        self.coloured(Style::new().fg(Color::Yellow), Style::new().add_modifier(Modifier::BOLD))
    }

    /// All is well.
    pub fn good(self) -> Style {
        self.coloured(Style::new().fg(Color::Green), Style::new())
    }

    /// What only explains.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A heading.
    pub fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A line of the list; a notice has no kind.
    pub fn of(self, kind: Option<Kind>) -> Style {
        let colour = match kind {
            Some(Kind::Alert) => return self.alarm(),
            None => return self.warning(),
            Some(Kind::Anomaly | Kind::Handshake(Outcome::Malformed)) => Color::Red,
            Some(Kind::Handshake(Outcome::HalfOpen)) => Color::Yellow,
            Some(Kind::Handshake(Outcome::Completed)) => Color::Green,
            Some(_) => Color::Reset,
        };
        self.coloured(Style::new().fg(colour), Style::new())
    }

    fn coloured(self, colour: Style, plain: Style) -> Style {
        if self.colour { colour } else { plain }
    }
}
