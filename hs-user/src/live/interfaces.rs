//! The interfaces of a watch: attached to at the start, and followed as they come, go and change their names.

use std::fmt::Display;
use std::io;

use anyhow::{Context, Result, anyhow};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::descriptors;
use super::roster::{MOST_WATCHED, Roster, Step};
use crate::cli::{Mode, Selector};
use crate::kernel::{Attachment, Interface, Kernel, LinkChange, LinkNews, has_tcx};
use crate::metrics::InterfaceState;
use crate::notices::say;

/// Changes followed at a time, so that events are read in between.
const CHANGES_AT_ONCE: usize = 64;

/// What is watched, and the news of it.
pub(super) struct Interfaces {
    roster: Roster,
    news: AsyncFd<LinkNews>,
    mode: Mode,
    quiet: bool,
    /// What [`Interfaces::tell_all`] is to say.
    at_start: Vec<String>,
}

impl Interfaces {
    /// Attaches to those of `present` that are asked for, and to all that come until the end. `news` began
    /// before `present` was asked for, so that none is missed in between.
    ///
    /// # Errors
    /// One that is named is not there or can't be attached to, or not one of those that fit.
    pub(super) fn attach(found: Found, kernel: &mut Kernel, mode: Mode, quiet: bool) -> Result<Interfaces> {
        let Found { mut roster, news, selected, present } = found;
        kernel.prepare(&selected, roster.is_open(), mode);
        let mut warnings = Vec::new();
        for interface in selected {
            match roster.note(LinkChange::Is(interface)) {
                Step::Attach(interface) => {
                    match kernel.attach(&interface, mode).map_err(descriptors::explain) {
                        Ok(attachment) => roster.add(attachment),
                        Err(error) if roster.is_named(&interface.name) => return Err(error),
                        Err(error) => {
                            roster.refuse(interface);
                            warnings.push(error);
                        }
                    }
                }
                Step::TooMany(name) => warnings.push(too_many(&name)),
                _ => {}
            }
        }
        kernel.release_places();
        if roster.watched().len() == 0
            && let Some(error) = warnings.pop()
        {
            return Err(error);
        }
        // SAFETY: the socket is owned by the news, which keep it until they are dropped.
        let news = unsafe { AsyncFd::register(news) }.context("can't wait for news of interfaces")?;
        let waiting = |selector| format!("no interface fits {selector} yet; waiting for one");
        let waiting = roster.idle(&present).map(waiting);
        let at_start = warnings.iter().map(|error| format!("warning: {error:#}")).chain(waiting).collect();
        Ok(Interfaces { roster, news, mode, quiet, at_start })
    }

    /// Says what is watched from now on, and what is not.
    pub(super) fn tell_all(&self) {
        self.roster.watched().for_each(|attachment| self.announce(attachment));
        self.at_start.iter().for_each(|line| self.tell(line));
    }

    /// Waits until there is news to [follow](Interfaces::follow).
    pub(super) async fn changed(&self) -> io::Result<()> {
        self.news.readable().await.map(drop)
    }

    /// Attaches to those that came, and lets go of those that went.
    ///
    /// # Errors
    /// The kernel tells nothing any more.
    pub(super) fn follow(&mut self, kernel: &mut Kernel) -> Result<()> {
        for _ in 0..CHANGES_AT_ONCE {
            match self.news.try_io_mut(Interest::READABLE, LinkNews::next_change) {
                Ok(change) => self.change(change, kernel),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.look_at_all(kernel)?,
                Err(error) => return Err(error).context("can't read the news of interfaces"),
            }
            if self.roster.has_room_again() {
                self.look_at_all(kernel)?;
            }
        }
        Ok(())
    }

    /// News was lost, or there is room for one that was turned away.
    fn look_at_all(&mut self, kernel: &mut Kernel) -> Result<()> {
        for change in self.roster.missed(Interface::all()?) {
            self.change(change, kernel);
        }
        Ok(())
    }

    fn change(&mut self, change: LinkChange, kernel: &mut Kernel) {
        match self.roster.note(change) {
            Step::Nothing => {}
            // Whoever appears has sent nothing yet, so no handshake is cut in two by attaching one hook after
            // the other.
            Step::Attach(interface) => self.attach_to(interface, kernel),
            Step::AttachAgain(interface) => {
                let name = &interface.name;
                self.tell(format_args!("warning: {name}: somebody removed the filters of tc (qdisc clsact)"));
                kernel.detach_from(interface.index);
                self.attach_to(interface, kernel);
            }
            Step::TooMany(name) => self.tell(format_args!("warning: {}", too_many(&name))),
            Step::Renamed { before, now } => {
                self.tell(format_args!("interface {before} is called {now} now; it is still watched"));
            }
            Step::Gone { index, name, is_awaited } => {
                kernel.detach_from(index);
                self.tell_gone(&name, is_awaited);
            }
        }
    }

    fn attach_to(&mut self, interface: Interface, kernel: &mut Kernel) {
        match kernel.attach(&interface, self.mode).map_err(descriptors::explain) {
            Ok(attachment) => {
                self.announce(&attachment);
                self.roster.add(attachment);
            }
            Err(error) => {
                self.tell(format_args!("warning: {error:#}"));
                self.roster.refuse(interface);
            }
        }
    }

    fn tell_gone(&self, name: &str, is_awaited: bool) {
        let (warning, then) =
            if is_awaited { ("warning: ", "; it is watched again once it is back") } else { ("", "") };
        let left = if self.roster.watched().len() == 0 { "; nothing is watched until then" } else { "" };
        self.tell(format_args!(
            "{warning}interface {name} is gone (removed, or moved to another network namespace){then}{left}"
        ));
    }

    fn announce(&self, attachment: &Attachment) {
        self.tell(format_args!("watching {attachment}"));
        for fallback in &attachment.fallbacks {
            self.tell(format_args!("  tried before: {fallback}"));
        }
    }

    fn tell(&self, text: impl Display) {
        if !self.quiet {
            say(text);
        }
    }

    /// The name of an interface.
    pub(super) fn name(&self, index: u32) -> &str {
        self.roster.name(index)
    }

    /// What is told of them.
    pub(super) fn states(&self) -> Vec<InterfaceState> {
        self.roster.states()
    }

    /// The name of the interface, if no more than one can ever be watched.
    pub(super) fn sole(&self) -> Option<&str> {
        self.roster.sole()
    }
}

/// The interfaces that are asked for and there, before anything is loaded.
pub(super) struct Found {
    roster: Roster,
    news: LinkNews,
    selected: Vec<Interface>,
    present: Vec<Interface>,
}

impl Found {
    /// Looks for them in the network namespace of the calling thread.
    ///
    /// # Errors
    /// One that is named is not there, or the kernel does not answer.
    pub(super) fn by(selectors: &[Selector]) -> Result<Found> {
        // First, so that nobody comes or goes unheard.
        let news = LinkNews::subscribe(!has_tcx()).context("can't hear the news of interfaces")?;
        let present = Interface::all()?;
        let roster = Roster::new(selectors);
        let named: Vec<Interface> =
            roster.names().map(|name| Interface::named(name, &present)).collect::<Result<_>>()?;
        let fits = |interface: &&Interface| roster.selects(interface) && !roster.is_named(&interface.name);
        let others: Vec<Interface> = present.iter().filter(fits).cloned().collect();
        let selected = named.into_iter().chain(others).collect();
        Ok(Found { roster, news, selected, present })
    }
}

fn too_many(name: &str) -> anyhow::Error {
    anyhow!(
        "{MOST_WATCHED} interfaces are watched, and no more: not {name}, nor those that come before others have gone"
    )
}
