//! The terminal: taken when the watch begins, given back as it was however it ends. Nobody waits for it: the connection to
//! who sits before it may stand still.

use std::io::{self, BufWriter, IsTerminal};
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use anyhow::{Context, Result, bail};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{LeaveAlternateScreen, disable_raw_mode};
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::{Dashboard, Wish};
use crate::live::Output;
use crate::notices::Hold;

/// Keys that are typed ahead at the most.
const KEYS: usize = 64;
/// Room for what changes from one picture to the next, so that it is handed over at once.
const PICTURE: usize = 256 << 10;
/// How long the terminal may take to show what was there before.
const LEAVING: Duration = Duration::from_secs(1);

/// The terminal, while it shows the dashboard. Dropping it gives it back; a panic does so first of all.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Output>>>,
    output: Output,
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

    /// Takes the terminal, to which `output` leads, and which has been started. Notices are kept from it until it is given
    /// back.
    ///
    /// # Errors
    /// The terminal's.
    pub fn enter(output: Output) -> Result<Screen> {
        // Of what comes of this, the way to write is not used: it would be waited for.
        let taken = ratatui::try_init().and_then(|_| {
            Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(PICTURE, output.clone())))
        });
        let terminal =
            taken.inspect_err(|_| ratatui::restore()).context("can't draw on the terminal (--tui)")?;
        give_back_before_a_panic_is_told(output.clone());
        let (keys, input) = mpsc::channel(KEYS);
        // Reading blocks. The thread ends with the process, or with the terminal.
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while let Ok(event) = event::read() {
                if keys.blocking_send(event).is_err() {
                    break;
                }
            }
        })?;
        Ok(Screen { terminal, output, input, hold: Hold::start() })
    }

    /// Hands the dashboard what was typed and what is to be known, and draws it, unless the picture before it is still on
    /// its way. Tells what is wished.
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
        if self.output.is_done() {
            self.terminal.draw(|frame| dashboard.draw(frame)).context("can't draw on the terminal")?;
        }
        Ok(wish)
    }
}

/// A picture may still be on its way: it is waited for, lest it is drawn over what is told. And the cursor that it hid is
/// shown again, which `ratatui`'s own hook does not do.
fn give_back_before_a_panic_is_told(output: Output) {
    let restore_and_tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let _ = output.finish(Instant::now() + LEAVING);
        let _ = execute!(io::stdout(), Show);
        restore_and_tell(panic);
    }));
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A panic has given the terminal back before it was told; to do so again would set the cursor back to
        // where it was, and what comes next over what was told.
        if !thread::panicking() {
            // What fails here fails because the terminal is gone.
            let _ = disable_raw_mode();
            let _ = execute!(self.output, LeaveAlternateScreen);
            // What was held is told after this, past the output: on the screen that is left it would be lost.
            let _ = self.output.finish(Instant::now() + LEAVING);
        }
    }
}
