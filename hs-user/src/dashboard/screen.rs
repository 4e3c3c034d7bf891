//! The terminal: taken when the watch begins, given back as it was however it ends.

use std::io::{self, IsTerminal};
use std::{env, thread};

use anyhow::{Context, Result, bail};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{Dashboard, Wish};
use crate::notices::Hold;

/// Keys that are typed ahead at the most.
const KEYS: usize = 64;

/// The terminal, while it shows the dashboard. Dropping it gives it back; a panic does so first of all.
pub struct Screen {
    terminal: DefaultTerminal,
    input: mpsc::Receiver<Event>,
    hold: Hold,
}

impl Screen {
    /// Whether there is a terminal that a dashboard can be drawn on.
    ///
    /// # Errors
    /// There is none.
    pub fn check() -> Result<()> {
        if !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
            bail!("--tui needs a terminal as standard input and output; without one, leave --tui out");
        }
        match env::var("TERM").unwrap_or_default().as_str() {
            "" => bail!("--tui needs to know the terminal, and TERM is not set; set it, or leave --tui out"),
            "dumb" => {
                bail!("--tui needs a terminal that can place text, and TERM is `dumb`; leave --tui out")
            }
            _ => Ok(()),
        }
    }

    /// Takes the terminal. Notices are kept from it until it is given back.
    ///
    /// # Errors
    /// The terminal's.
    pub fn enter() -> Result<Screen> {
        let terminal = ratatui::try_init()
            .inspect_err(|_| ratatui::restore())
            .context("can't draw on the terminal (--tui)")?;
        let (keys, input) = mpsc::channel(KEYS);
        // Reading blocks. The thread ends with the process, or with the terminal.
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while let Ok(event) = event::read() {
                if keys.blocking_send(event).is_err() {
                    break;
                }
            }
        })?;
        Ok(Screen { terminal, input, hold: Hold::start() })
    }

    /// Hands the dashboard what was typed and what is to be known, and draws it. Tells what is wished.
    ///
    /// # Errors
    /// The terminal's.
    pub fn refresh(&mut self, dashboard: &mut Dashboard) -> Result<Wish> {
        self.hold.news().into_iter().for_each(|text| dashboard.notice(text));
        let mut wish = Wish::None;
        while wish == Wish::None {
            match self.input.try_recv() {
                Ok(input) => wish = dashboard.input(&input),
                Err(TryRecvError::Empty) => break,
                // The terminal is gone: nobody looks on any more.
                Err(TryRecvError::Disconnected) => return Ok(Wish::Quit),
            }
        }
        self.terminal.draw(|frame| dashboard.draw(frame)).context("can't draw on the terminal")?;
        Ok(wish)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has given the terminal back before it was told; to do so again would set the cursor back to
        // where it was, and what comes next over what was told.
        if !thread::panicking() {
            ratatui::restore();
        }
        // What was held is told after this.
    }
}
