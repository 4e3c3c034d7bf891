//! Makes of the one packet that a test run has the packets of many flows: `BPF_PROG_TEST_RUN` repeats its
//! packet, and a program that meets one flow a hundred thousand times shows nothing of what memory costs.

use crate::course::{Course, client, host, kind, port};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
const IPV4_HEADERS: usize = 14 + 20;
const IPV6_HEADERS: usize = 14 + 40;
/// Where addresses end in the frame: source, destination.
const IPV4_ADDRESSES: [usize; 2] = [26, 30];
const IPV6_ADDRESSES: [usize; 2] = [34, 50];
/// 198.18.0.0/15.
const NET_V4: u32 = 0xc612_0000;
/// Keeps the clients' addresses from that of the server, in 2001:2::/48.
const CLIENTS_V6: u32 = 0x8000_0000;
const SERVER: u32 = 1;
const SERVER_PORT: u16 = 80;

/// Writes the next packet of the course over the one that is there.
#[inline(always)]
pub fn shuffle(course: &mut Course, start: usize, end: usize) {
    let step = step_of(course);
    let client = client(course.first + course.next);
    advance(course);
    if course.v6 != 0 {
        let hosts = [CLIENTS_V6 | host(client), SERVER];
        write::<IPV6_HEADERS>(start, end, IPV6_ADDRESSES, hosts, client, step);
    } else {
        let hosts = [NET_V4 | host(client), NET_V4 | SERVER];
        write::<IPV4_HEADERS>(start, end, IPV4_ADDRESSES, hosts, client, step);
    }
}

#[inline(always)]
fn step_of(course: &Course) -> u32 {
    if course.kind == kind::HANDSHAKE { course.step } else { course.kind }
}

#[inline(always)]
fn advance(course: &mut Course) {
    if course.kind == kind::HANDSHAKE {
        course.step += 1;
        if course.step < 3 {
            return;
        }
        course.step = 0;
    }
    course.next += 1;
    if course.next >= course.flows {
        course.next = 0;
    }
}

/// The numbers follow from the client: A is the client itself, B its complement.
#[inline(always)]
fn write<const HEADERS: usize>(
    start: usize,
    end: usize,
    at: [usize; 2],
    [client_host, server_host]: [u32; 2],
    client: u32,
    step: u32,
) {
    let tcp = start + HEADERS;
    if tcp + 20 > end {
        return;
    }
    let (a, b) = (client, !client);
    if step == kind::SYNACK {
        put(start + at[0], server_host.to_be());
        put(start + at[1], client_host.to_be());
        put(tcp, SERVER_PORT.to_be());
        put(tcp + 2, port(client).to_be());
        numbers(tcp, SYN | ACK, b, a.wrapping_add(1));
        return;
    }
    put(start + at[0], client_host.to_be());
    put(start + at[1], server_host.to_be());
    put(tcp, port(client).to_be());
    put(tcp + 2, SERVER_PORT.to_be());
    if step == kind::SYN {
        numbers(tcp, SYN, a, 0);
    } else if step == kind::ACK {
        numbers(tcp, ACK, a.wrapping_add(1), b.wrapping_add(1));
    }
}

#[inline(always)]
fn numbers(tcp: usize, flags: u8, seq: u32, ack: u32) {
    put(tcp + 4, seq.to_be());
    put(tcp + 8, ack.to_be());
    put(tcp + 13, flags);
}

/// Private to this file: only after the comparison with the packet's end, without which the verifier
/// refuses it.
#[inline(always)]
fn put<T>(at: usize, value: T) {
    // SAFETY: `write` compared the whole of the headers with the packet's end.
    unsafe { (at as *mut T).write_unaligned(value) };
}
