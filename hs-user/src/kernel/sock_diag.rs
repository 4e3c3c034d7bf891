//! One question to sock_diag (linux/inet_diag.h): how full is the accept queue of a listening socket?

use std::io;
use std::net::IpAddr;

use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST_DUMP: u16 = 0x301;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const TCP_LISTEN: u32 = 10;
/// Bytes of `struct nlmsghdr`, and of the parts of `struct inet_diag_msg` that are read.
const HEADER: usize = 16;
const SOURCE_PORT: usize = 4;
const SOURCE: usize = 8;
const RECEIVE_QUEUE: usize = 56;
const SEND_QUEUE: usize = 60;
/// Answers are not longer than this.
const ANSWER: usize = 32 * 1024;

/// Connections that wait to be accepted, and how many may, of the socket that listens at this address and
/// port, or at all addresses. `None` if there is none.
///
/// # Errors
/// The kernel's.
pub fn accept_queue(ip: IpAddr, port: u16) -> io::Result<Option<(u32, u32)>> {
    // A socket of IPv6 may take connections of IPv4 too.
    let families: &[i32] = if ip.is_ipv4() { &[libc::AF_INET, libc::AF_INET6] } else { &[libc::AF_INET6] };
    for family in families {
        if let Some(queue) = ask(*family, ip, port)? {
            return Ok(Some(queue));
        }
    }
    Ok(None)
}

fn ask(family: i32, ip: IpAddr, port: u16) -> io::Result<Option<(u32, u32)>> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request(family), 0)?;
    let mut found = None;
    loop {
        let mut answer = Vec::with_capacity(ANSWER);
        socket.recv(&mut answer, 0)?;
        for (kind, body) in messages(&answer) {
            match kind {
                NLMSG_DONE => return Ok(found),
                NLMSG_ERROR => return Err(io::Error::other("sock_diag refuses the question")),
                _ => found = found.or(queue_of(family, body, ip, port)),
            }
        }
        if answer.is_empty() {
            return Ok(found);
        }
    }
}

/// `struct nlmsghdr` and `struct inet_diag_req_v2`: all listening sockets of a family.
fn request(family: i32) -> [u8; HEADER + 56] {
    let mut bytes = [0; HEADER + 56];
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&NLM_F_REQUEST_DUMP.to_ne_bytes());
    bytes[HEADER] = family as u8;
    bytes[HEADER + 1] = libc::IPPROTO_TCP as u8;
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&(1_u32 << TCP_LISTEN).to_ne_bytes());
    bytes
}

/// The messages in a buffer: type and body.
fn messages(buffer: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = buffer;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        let kind = u16::from_ne_bytes(*rest.get(4..)?.first_chunk()?);
        let body = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

fn queue_of(family: i32, body: &[u8], ip: IpAddr, port: u16) -> Option<(u32, u32)> {
    let source_port = u16::from_be_bytes(*body.get(SOURCE_PORT..)?.first_chunk()?);
    let number = |at: usize| Some(u32::from_ne_bytes(*body.get(at..)?.first_chunk()?));
    let source = match family {
        libc::AF_INET => IpAddr::from(*body.get(SOURCE..)?.first_chunk::<4>()?),
        _ => IpAddr::from(*body.get(SOURCE..)?.first_chunk::<16>()?),
    };
    let takes_it = source == ip || source.is_unspecified();
    (source_port == port && takes_it).then_some((number(RECEIVE_QUEUE)?, number(SEND_QUEUE)?))
}
