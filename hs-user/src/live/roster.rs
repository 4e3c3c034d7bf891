//! Who is on the list: which interfaces are watched, were refused, or are gone, and what follows from each change
//! that the kernel tells. Pure; attaching is for others.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::cli::Selector;
use crate::kernel::{Attachment, Interface, LinkChange, LinkLayer};
use crate::metrics::InterfaceState;

/// Interfaces watched at a time at the most: each takes two file descriptors.
pub(super) const MOST_WATCHED: usize = 4096;
/// Names that are kept of interfaces that went away: their handshakes may end later.
const MOST_FORMER: usize = 4096;

/// What follows from a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Nothing,
    /// It is to be attached to.
    Attach(Interface),
    /// It would be, but too many are watched already. Said once, until there is room again.
    TooMany(String),
    /// A watched one has another name.
    Renamed { before: String, now: String },
    /// A watched one is gone: what is attached to it must go.
    Gone { index: u32, name: String, is_awaited: bool },
    /// What was attached to a watched one was taken away: it is to be attached to anew.
    AttachAgain(Interface),
}

/// The interfaces of a watch.
pub(super) struct Roster {
    selectors: Vec<Selector>,
    watched: BTreeMap<u32, Attachment>,
    /// Names of those that could not be attached to, under which this is not tried again.
    refused: HashMap<u32, String>,
    former: VecDeque<Attachment>,
    is_full: bool,
}

impl Roster {
    pub(super) fn new(selectors: &[Selector]) -> Roster {
        Roster {
            selectors: selectors.to_vec(),
            watched: BTreeMap::new(),
            refused: HashMap::new(),
            former: VecDeque::new(),
            is_full: false,
        }
    }

    /// What is to be done about a change.
    pub(super) fn note(&mut self, change: LinkChange) -> Step {
        match change {
            LinkChange::Is(interface) => self.note_present(interface),
            LinkChange::Gone(index) => self.note_gone(index),
            LinkChange::Unhooked(index) => {
                let attachment = self.watched.remove(&index);
                attachment.map_or(Step::Nothing, |attachment| Step::AttachAgain(attachment.interface))
            }
        }
    }

    fn note_present(&mut self, interface: Interface) -> Step {
        if let Some(attachment) = self.watched.get_mut(&interface.index) {
            if attachment.interface.name == interface.name {
                return Step::Nothing;
            }
            let before = std::mem::replace(&mut attachment.interface.name, interface.name);
            return Step::Renamed { before, now: attachment.interface.name.clone() };
        }
        let was_refused = self.refused.get(&interface.index) == Some(&interface.name);
        if was_refused || !self.selects(&interface) {
            return Step::Nothing;
        }
        if self.watched.len() < MOST_WATCHED {
            Step::Attach(interface)
        } else if self.is_full {
            Step::Nothing
        } else {
            self.is_full = true;
            Step::TooMany(interface.name)
        }
    }

    fn note_gone(&mut self, index: u32) -> Step {
        self.refused.remove(&index);
        let Some(attachment) = self.watched.remove(&index) else { return Step::Nothing };
        let name = attachment.interface.name.clone();
        if self.former.len() == MOST_FORMER {
            self.former.pop_front();
        }
        self.former.push_back(attachment);
        let is_awaited = self.is_named(&name);
        Step::Gone { index, name, is_awaited }
    }

    /// Whether an interface is meant. One whose packets can't be read is meant only by its name.
    pub(super) fn selects(&self, interface: &Interface) -> bool {
        let is_loopback = interface.link_layer == LinkLayer::Loopback;
        match interface.link_layer {
            LinkLayer::Other(_) => self.is_named(&interface.name),
            _ => self.selectors.iter().any(|selector| selector.takes(&interface.name, is_loopback)),
        }
    }

    /// Whether an interface of this name is asked for by that name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.names().any(|wanted| wanted == name)
    }

    /// Whether others than those that are named may come.
    pub(super) fn is_open(&self) -> bool {
        self.names().count() < self.selectors.len()
    }

    /// The names that are asked for.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.selectors.iter().filter_map(|selector| match selector {
            Selector::Name(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Selectors that mean none of these.
    pub(super) fn idle(&self, interfaces: &[Interface]) -> impl Iterator<Item = &Selector> {
        self.selectors.iter().filter(|selector| {
            !interfaces.iter().any(|it| selector.takes(&it.name, it.link_layer == LinkLayer::Loopback))
        })
    }

    /// It is attached to.
    pub(super) fn add(&mut self, attachment: Attachment) {
        let index = attachment.interface.index;
        self.former.retain(|former| former.interface.index != index);
        self.watched.insert(index, attachment);
    }

    /// It can't be attached to.
    pub(super) fn refuse(&mut self, interface: Interface) {
        self.refused.insert(interface.index, interface.name);
    }

    /// Changes that must have happened, if these are the interfaces that there are.
    pub(super) fn missed(&self, present: Vec<Interface>) -> Vec<LinkChange> {
        let is_there = |index: &u32| present.iter().any(|interface| interface.index == *index);
        let known = self.watched.keys().chain(self.refused.keys());
        let gone: Vec<_> =
            known.filter(|index| !is_there(index)).map(|index| LinkChange::Gone(*index)).collect();
        gone.into_iter().chain(present.into_iter().map(LinkChange::Is)).collect()
    }

    /// Whether there is room for one that was turned away: ask once, then all interfaces have to be looked at.
    pub(super) fn has_room_again(&mut self) -> bool {
        let has_room = self.is_full && self.watched.len() < MOST_WATCHED;
        self.is_full &= !has_room;
        has_room
    }

    /// Those that are watched.
    pub(super) fn watched(&self) -> impl ExactSizeIterator<Item = &Attachment> {
        self.watched.values()
    }

    /// The name of an interface, or of the last one that had this number.
    pub(super) fn name(&self, index: u32) -> &str {
        let former = || self.former.iter().find(|former| former.interface.index == index);
        self.watched.get(&index).or_else(former).map_or("?", |attachment| &attachment.interface.name)
    }

    /// What is told of those that are watched, and of those that are asked for by name and are gone.
    pub(super) fn states(&self) -> Vec<InterfaceState> {
        let state = |attachment: &Attachment, present| InterfaceState {
            name: attachment.interface.name.clone(),
            ingress: attachment.ingress,
            present,
        };
        let is_away = |name: &&str| self.watched().all(|attachment| attachment.interface.name != *name);
        let last = |name: &str| self.former.iter().rev().find(|former| former.interface.name == name);
        let away = self.names().filter(is_away).filter_map(last).map(|former| state(former, false));
        self.watched().map(|attachment| state(attachment, true)).chain(away).collect()
    }

    /// The name of the interface, if no more than one can ever be watched.
    pub(super) fn sole(&self) -> Option<&str> {
        let [Selector::Name(name)] = self.selectors.as_slice() else { return None };
        let mut watched = self.watched();
        Some(watched.next().map_or(name, |attachment| &attachment.interface.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Ingress;

    fn interface(index: u32, name: &str) -> Interface {
        Interface { name: name.to_owned(), index, link_layer: LinkLayer::Ethernet, kind: None }
    }

    fn roster(selectors: &[&str]) -> Roster {
        let parsed: Vec<Selector> = selectors.iter().map(|text| text.parse().expect(text)).collect();
        Roster::new(&parsed)
    }

    /// Tells of an interface, and attaches to it if that follows.
    fn tell(roster: &mut Roster, index: u32, name: &str) -> Step {
        let step = roster.note(LinkChange::Is(interface(index, name)));
        if let Step::Attach(interface) = &step {
            roster.add(Attachment {
                interface: interface.clone(),
                ingress: Ingress::Tc,
                why: None,
                egress: true,
                fallbacks: Vec::new(),
            });
        }
        step
    }

    fn gone(index: u32, name: &str, is_awaited: bool) -> Step {
        Step::Gone { index, name: name.to_owned(), is_awaited }
    }

    #[test]
    fn those_that_fit_are_attached_to_once() {
        let mut roster = roster(&["eth0", "veth*"]);
        assert_eq!(tell(&mut roster, 1, "lo"), Step::Nothing);
        assert_eq!(tell(&mut roster, 2, "eth0"), Step::Attach(interface(2, "eth0")));
        assert_eq!(tell(&mut roster, 2, "eth0"), Step::Nothing);
        assert_eq!(tell(&mut roster, 3, "veth1"), Step::Attach(interface(3, "veth1")));
        assert_eq!(tell(&mut roster, 4, "eth1"), Step::Nothing);
        assert_eq!((roster.name(2), roster.name(3), roster.name(4)), ("eth0", "veth1", "?"));
    }

    #[test]
    fn one_that_comes_back_is_attached_to_again_and_the_old_name_stays_known() {
        let mut roster = roster(&["eth0"]);
        tell(&mut roster, 2, "eth0");
        assert_eq!(roster.note(LinkChange::Gone(2)), gone(2, "eth0", true));
        assert_eq!(roster.note(LinkChange::Gone(2)), Step::Nothing);
        assert_eq!(roster.name(2), "eth0", "its handshakes may end yet");
        assert!(matches!(roster.states().as_slice(), [InterfaceState { present: false, .. }]));
        assert_eq!(tell(&mut roster, 7, "eth0"), Step::Attach(interface(7, "eth0")));
        assert_eq!((roster.name(2), roster.name(7), roster.sole()), ("eth0", "eth0", Some("eth0")));
    }

    #[test]
    fn a_number_that_is_used_again_has_the_new_name() {
        let mut roster = roster(&["*"]);
        tell(&mut roster, 2, "old");
        roster.note(LinkChange::Gone(2));
        tell(&mut roster, 2, "new");
        assert_eq!(roster.name(2), "new");
        roster.note(LinkChange::Gone(2));
        assert_eq!(roster.name(2), "new");
    }

    #[test]
    fn one_that_is_renamed_stays_whatever_its_name_and_leaves_room_for_another() {
        let mut roster = roster(&["eth0"]);
        tell(&mut roster, 2, "eth0");
        let renamed = Step::Renamed { before: "eth0".to_owned(), now: "wan0".to_owned() };
        assert_eq!(tell(&mut roster, 2, "wan0"), renamed);
        assert_eq!((roster.name(2), roster.sole()), ("wan0", Some("wan0")));
        assert_eq!(tell(&mut roster, 3, "eth0"), Step::Attach(interface(3, "eth0")));
        assert_eq!(roster.note(LinkChange::Gone(2)), gone(2, "wan0", false));
    }

    #[test]
    fn one_that_is_refused_is_tried_again_only_under_another_name() {
        let mut roster = roster(&["veth*"]);
        let Step::Attach(refused) = roster.note(LinkChange::Is(interface(2, "veth1"))) else { panic!() };
        roster.refuse(refused);
        assert_eq!(tell(&mut roster, 2, "veth1"), Step::Nothing);
        assert_eq!(tell(&mut roster, 2, "veth2"), Step::Attach(interface(2, "veth2")));
    }

    #[test]
    fn any_means_neither_loopback_nor_what_cannot_be_read() {
        let mut roster = roster(&["any"]);
        for link_layer in [LinkLayer::Loopback, LinkLayer::Other(280)] {
            let other = Interface { link_layer, ..interface(2, "x0") };
            assert_eq!(roster.note(LinkChange::Is(other)), Step::Nothing);
        }
        assert_eq!(roster.sole(), None);
    }

    #[test]
    fn thousands_are_bounded_and_room_is_used_when_there_is_some_again() {
        let mut roster = roster(&["veth*"]);
        let last = MOST_WATCHED as u32;
        (0..last).for_each(|index| drop(tell(&mut roster, index, &format!("veth{index}"))));
        assert_eq!(tell(&mut roster, last, "veth-late"), Step::TooMany("veth-late".to_owned()));
        assert_eq!(tell(&mut roster, last + 1, "veth-later"), Step::Nothing, "said once");
        assert!(!roster.has_room_again());
        roster.note(LinkChange::Gone(0));
        assert!(roster.has_room_again());
        assert!(!roster.has_room_again(), "asked once");
        assert!(matches!(tell(&mut roster, last, "veth-late"), Step::Attach(_)));
        (0..=2 * last).for_each(|index| {
            tell(&mut roster, index, &format!("veth{index}"));
            roster.note(LinkChange::Gone(index));
        });
        assert_eq!((roster.watched().len(), roster.former.len()), (0, MOST_FORMER));
    }

    #[test]
    fn what_was_missed_is_found_by_looking() {
        let mut roster = roster(&["veth*"]);
        tell(&mut roster, 2, "veth2");
        tell(&mut roster, 3, "veth3");
        let missed = roster.missed(vec![interface(3, "veth3"), interface(4, "veth4")]);
        let steps: Vec<Step> = missed.into_iter().map(|change| roster.note(change)).collect();
        assert_eq!(steps, [gone(2, "veth2", false), Step::Nothing, Step::Attach(interface(4, "veth4"))]);
    }
}
