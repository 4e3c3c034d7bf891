//! rtnetlink: which interfaces there are, what is said of one, and the news of all; and questions to any netlink.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_packet_core::{
    NLA_F_NESTED, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp};
use netlink_packet_route::tc::TcAttribute;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::Interface;

type Message = NetlinkMessage<RouteNetlinkMessage>;

/// linux/rtnetlink.h: the news of links.
const RTNLGRP_LINK: u32 = 1;
/// The same: the news of qdiscs and filters.
const RTNLGRP_TC: u32 = 4;
/// The qdisc that filters hang on.
const CLSACT: &str = "clsact";
/// The attributes that are looked at: the name, what kind of interface it is, its XDP program.
const ESSENTIAL: [u16; 3] = [libc::IFLA_IFNAME, libc::IFLA_LINKINFO, libc::IFLA_XDP];
/// Bytes of the headers of a message about an interface: nlmsghdr and ifinfomsg.
const LINK_HEADERS: usize = 16 + 16;
/// Bytes before the value of an attribute.
const ATTRIBUTE_HEADER: usize = 4;
/// Room for news that nobody has read yet: some hundred changes. Beyond, the kernel says that some are missing.
const NEWS_BUFFER: usize = 1 << 20;

/// What became of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It is there, and so it is.
    Is(Interface),
    /// The one of this number is not there any more: removed, or moved to another network namespace.
    Gone(u32),
    /// The one of this number has lost its clsact qdisc, and with it the filters before Linux 6.6.
    Unhooked(u32),
}

/// The news of interfaces in the network namespace where this was made, as the kernel tells them.
pub struct LinkNews {
    socket: Socket,
    unread: VecDeque<LinkChange>,
}

impl LinkNews {
    /// Hears the news from now on; `of_filters`: also that filters have lost what they hang on.
    ///
    /// # Errors
    /// The kernel has no rtnetlink.
    pub fn subscribe(of_filters: bool) -> io::Result<LinkNews> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_rx_buf_sz(NEWS_BUFFER as libc::c_int)?;
        socket.bind_auto()?;
        socket.add_membership(RTNLGRP_LINK)?;
        if of_filters {
            socket.add_membership(RTNLGRP_TC)?;
        }
        socket.set_non_blocking(true)?;
        Ok(LinkNews { socket, unread: VecDeque::new() })
    }

    /// The next change, if there is one now.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if there is none; `ENOBUFS` if some were lost, so that all interfaces
    /// have to be asked for anew.
    pub fn next_change(&mut self) -> io::Result<LinkChange> {
        loop {
            if let Some(change) = self.unread.pop_front() {
                return Ok(change);
            }
            let (bytes, from) = self.socket.recv_from_full()?;
            // Anybody may send to the socket; the kernel is number 0.
            if from.port_number() == 0 {
                self.unread.extend(messages(&bytes).filter_map(|message| change(message.payload)));
            }
        }
    }
}

impl AsRawFd for LinkNews {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

fn change(payload: NetlinkPayload<RouteNetlinkMessage>) -> Option<LinkChange> {
    match payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) if is_whole(&link) => {
            Some(LinkChange::Is(Interface::of_link(&link)))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) if is_whole(&link) => {
            Some(LinkChange::Gone(link.header.index))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelQueueDiscipline(qdisc)) => {
            let is_clsact =
                |attribute: &TcAttribute| matches!(attribute, TcAttribute::Kind(kind) if kind == CLSACT);
            qdisc.attributes.iter().any(is_clsact).then_some(LinkChange::Unhooked(qdisc.header.index as u32))
        }
        _ => None,
    }
}

/// Not the news that an interface became, or is no longer, the port of a bridge.
fn is_whole(link: &LinkMessage) -> bool {
    link.header.interface_family == AddressFamily::Unspec
}

/// All interfaces, by their numbers.
pub(super) fn all_links() -> io::Result<Vec<LinkMessage>> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let socket = ask(NETLINK_ROUTE, question, NLM_F_DUMP)?;
    let mut links = Vec::new();
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        for message in messages(&bytes) {
            match message.payload {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => links.push(link),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::Done(_) => return Ok(links),
                _ => {}
            }
        }
    }
}

/// The number of the interface's XDP program, of whatever mode.
pub(super) fn xdp_program(index: u32) -> io::Result<Option<u32>> {
    let xdp = link(index)?.attributes.into_iter().filter_map(|attribute| match attribute {
        LinkAttribute::Xdp(xdp) => Some(xdp),
        _ => None,
    });
    Ok(xdp.flatten().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) | LinkXdp::SkbProgId(id) if id != 0 => Some(id),
        _ => None,
    }))
}

fn link(index: u32) -> io::Result<LinkMessage> {
    let mut link = LinkMessage::default();
    link.header.index = index;
    let (answer, _) = ask(NETLINK_ROUTE, RouteNetlinkMessage::GetLink(link), 0)?.recv_from_full()?;
    match messages(&answer).next().map(|message| message.payload) {
        Some(NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link))) => Ok(link),
        Some(NetlinkPayload::Error(error)) => Err(error.to_io()),
        _ => Err(unexpected()),
    }
}

/// Asks one question that has one answer.
pub(super) fn exchange<M>(protocol: isize, question: M) -> io::Result<M>
where
    M: NetlinkSerializable + NetlinkDeserializable + std::fmt::Debug,
{
    let (answer, _) = ask(protocol, question, 0)?.recv_from_full()?;
    let answer = NetlinkMessage::<M>::deserialize(&answer).map_err(io::Error::other)?;
    match answer.payload {
        NetlinkPayload::InnerMessage(answer) => Ok(answer),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        _ => Err(unexpected()),
    }
}

/// A socket at which the answer arrives.
fn ask<M: NetlinkSerializable>(protocol: isize, question: M, flags: u16) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | flags;
    let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    Ok(socket)
}

fn unexpected() -> io::Error {
    io::Error::other("unexpected answer by netlink")
}

/// The messages in a datagram. One that can't be read is left out: it must not hide the others.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message> {
    let next = move || {
        let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
        let message = bytes.get(..length).filter(|message| !message.is_empty())?;
        // Each begins at a multiple of four.
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message::deserialize(message).or_else(|_| Message::deserialize(&essence(message))).ok())
    };
    std::iter::from_fn(next).flatten()
}

/// A message about an interface, with no attributes but the [`ESSENTIAL`] ones, and no letters in its name but those of
/// ASCII. Names and aliases may be any bytes, and an interface must not be overlooked for that.
fn essence(message: &[u8]) -> Vec<u8> {
    let (head, mut rest) = message.split_at(message.len().min(LINK_HEADERS));
    let mut essence = head.to_vec();
    while let Some((kind, attribute)) = next_attribute(&mut rest) {
        if ESSENTIAL.contains(&kind) {
            let is_name = kind == libc::IFLA_IFNAME;
            essence.extend(attribute.iter().enumerate().map(|(at, byte)| match byte {
                0x80.. if is_name && at >= ATTRIBUTE_HEADER => b'?',
                _ => *byte,
            }));
            essence.resize(essence.len().next_multiple_of(4), 0);
        }
    }
    let length = (essence.len() as u32).to_ne_bytes();
    essence.iter_mut().zip(length).for_each(|(byte, new)| *byte = new);
    essence
}

/// Takes the next attribute: its kind, and all of it with its header (linux/netlink.h, nlattr), which is length and kind,
/// two bytes each.
fn next_attribute<'a>(rest: &mut &'a [u8]) -> Option<(u16, &'a [u8])> {
    let [length, kind] = rest.first_chunk::<ATTRIBUTE_HEADER>()?.as_chunks().0 else { return None };
    let length = usize::from(u16::from_ne_bytes(*length)).max(ATTRIBUTE_HEADER);
    let attribute = rest.get(..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((u16::from_ne_bytes(*kind) & !NLA_F_NESTED, attribute))
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::{InfoKind, LinkInfo};

    use super::*;

    /// The news of an interface of that name and alias.
    fn news(name: &[u8], alias: &[u8]) -> Vec<u8> {
        let mut link = LinkMessage::default();
        link.header.index = 7;
        let letters = |bytes: &[u8]| "x".repeat(bytes.len());
        link.attributes = vec![
            LinkAttribute::IfAlias(letters(alias)),
            LinkAttribute::IfName(letters(name)),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]),
        ];
        let payload = NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link));
        let mut message = NetlinkMessage::new(NetlinkHeader::default(), payload);
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let mut hostile = alias.iter().chain(name);
        bytes
            .iter_mut()
            .filter(|byte| **byte == b'x')
            .for_each(|byte| *byte = *hostile.next().expect("a byte"));
        bytes
    }

    #[test]
    fn an_interface_is_seen_whatever_bytes_its_name_and_alias_are() {
        for (name, alias, seen) in [
            (&b"eth0"[..], &b"uplink"[..], "eth0"),
            (b"eth0", b"\xff\xfe", "eth0"),
            (b"a\xff\x1b[2J", b"", "a?\x1b[2J"),
            ("\u{e9}th0".as_bytes(), b"", "\u{e9}th0"),
        ] {
            let news = news(name, alias);
            let changes: Vec<LinkChange> =
                messages(&news).filter_map(|message| change(message.payload)).collect();
            let [LinkChange::Is(interface)] = changes.as_slice() else { panic!("{name:?}: {changes:?}") };
            assert_eq!((interface.name.as_str(), interface.index, interface.is_veth()), (seen, 7, true));
        }
    }

    #[test]
    fn what_is_no_message_is_left_out() {
        for bytes in [&[][..], &[0; 4], &[0xff; 64], &[16, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(messages(bytes).filter_map(|message| change(message.payload)).count(), 0);
        }
    }
}
