//! The capture that replay is measured on: one million packets, the same ones each time.
//!
//! Of ten packets six are data of connections, two belong to whole handshakes, and two are SYNs of sources
//! that never answer. It lasts ten seconds, so that some of those time out on the way, and others at the end.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::lab::frame::{Mac, Segment, flag};
use crate::lab::random::Random;

/// How many packets it has.
pub const PACKETS: u64 = 1_000_000;
/// Of all that is chosen at random, here and in ordinary traffic.
pub const SEED: u64 = 2026;
const BEGIN_S: u64 = 1_700_000_000;
const DURATION_US: u64 = 10_000_000;
/// Packets that come in the same order again and again: data, handshakes, flood.
const ROUND: [Part; 30] = round();
const DATA_BYTES: usize = 100;
const MACS: [Mac; 2] = [Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 2])];
const LINKTYPE_ETHERNET: u32 = 1;

#[derive(Clone, Copy)]
enum Part {
    Data,
    /// SYN, SYN-ACK and ACK, by number.
    Handshake(u8),
    Flood,
}

/// Six handshake packets, so two handshakes, in 30; mixed as far as a fixed order can be.
const fn round() -> [Part; 30] {
    let mut round = [Part::Data; 30];
    let mut number = 0;
    while number < 6 {
        round[number * 5 + 1] = Part::Handshake(number as u8 % 3);
        round[number * 5 + 3] = Part::Flood;
        number += 1;
    }
    round
}

/// Writes it, unless it is there.
pub fn ensure(file: &Path) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let unfinished = file.with_extension("unfinished");
    let write = || -> io::Result<()> {
        let mut out = BufWriter::new(File::create(&unfinished)?);
        write(&mut out)?;
        out.flush()?;
        std::fs::rename(&unfinished, file)
    };
    write().with_context(|| format!("can't write {}", file.display()))
}

fn write(out: &mut impl Write) -> io::Result<()> {
    let header = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, LINKTYPE_ETHERNET];
    header.iter().try_for_each(|word: &u32| out.write_all(&word.to_le_bytes()))?;
    let mut traffic =
        Traffic { random: Random::new(SEED), made: Vec::new(), at_hand: connection(0), flood: 0 };
    for number in 0..PACKETS {
        let frame = traffic.frame(ROUND[(number % ROUND.len() as u64) as usize]);
        let us = number * DURATION_US / PACKETS;
        let words = [BEGIN_S + us / 1_000_000, us % 1_000_000, frame.len() as u64, frame.len() as u64];
        words.iter().try_for_each(|word| out.write_all(&(*word as u32).to_le_bytes()))?;
        out.write_all(&frame)?;
    }
    Ok(())
}

/// The frames alone, without end.
pub fn frames() -> impl Iterator<Item = Vec<u8>> {
    let mut traffic =
        Traffic { random: Random::new(SEED), made: Vec::new(), at_hand: connection(0), flood: 0 };
    ROUND.iter().cycle().map(move |part| traffic.frame(*part))
}

struct Traffic {
    random: Random,
    /// SYNs of the connections that were made.
    made: Vec<Segment>,
    /// The SYN of the one that is being made.
    at_hand: Segment,
    /// SYNs of the flood so far.
    flood: u32,
}

impl Traffic {
    fn frame(&mut self, part: Part) -> Vec<u8> {
        match part {
            Part::Data => self.data(),
            Part::Handshake(step) => self.handshake(step),
            Part::Flood => {
                self.flood += 1;
                Segment::syn(flooder(self.flood), server(0), self.random.u32()).frame(MACS[0], MACS[1])
            }
        }
    }

    fn handshake(&mut self, step: u8) -> Vec<u8> {
        if step == 0 {
            self.at_hand = connection(self.made.len() as u32);
        }
        if step == 2 {
            self.made.push(self.at_hand.clone());
        }
        handshake(&self.at_hand, step)
    }

    /// Of one of the connections that were made; of one that began before the capture while there are none.
    fn data(&mut self) -> Vec<u8> {
        let place = self.random.u32() as usize % self.made.len().max(1);
        match self.made.get(place) {
            Some(syn) => initiator_data(syn),
            None => initiator_data(&connection(u32::MAX)),
        }
    }
}

/// SYN, SYN-ACK or ACK of the connection with this SYN, by number.
pub fn handshake(syn: &Segment, step: u8) -> Vec<u8> {
    match step {
        0 => syn.frame(MACS[0], MACS[1]),
        1 => syn.answer(flag::SYN | flag::ACK, isn(syn)).frame(MACS[1], MACS[0]),
        _ => of_initiator(syn, flag::ACK).frame(MACS[0], MACS[1]),
    }
}

/// Data of the connection with this SYN, from who opened it.
pub fn initiator_data(syn: &Segment) -> Vec<u8> {
    with_data(of_initiator(syn, flag::ACK | flag::PSH)).frame(MACS[0], MACS[1])
}

/// Data from the other side.
pub fn responder_data(syn: &Segment) -> Vec<u8> {
    with_data(syn.answer(flag::ACK | flag::PSH, isn(syn).wrapping_add(1))).frame(MACS[1], MACS[0])
}

/// Behind its SYN.
fn of_initiator(syn: &Segment, flags: u8) -> Segment {
    Segment::new(syn.src, syn.dst, flags, syn.seq.wrapping_add(1), isn(syn).wrapping_add(1))
}

fn with_data(segment: Segment) -> Segment {
    Segment { payload: vec![b'x'; DATA_BYTES], ..segment }
}

/// The SYN of a connection: no two have the same addresses and ports.
pub fn connection(number: u32) -> Segment {
    let client = Ipv4Addr::from_bits(0xc612_1000 | number >> 14 & 0xfff);
    let client = SocketAddr::from((client, 0x4000 | number as u16 & 0x3fff));
    Segment::syn(client, server(number % 16), number.wrapping_mul(0x9e37_79b1))
}

/// Looks random, and no two of 2^31 are the same: the multiplier is odd.
fn flooder(number: u32) -> SocketAddr {
    let client = number.wrapping_mul(0x9e37_79b1);
    SocketAddr::from((
        Ipv4Addr::from_bits(0xc613_0000 | client >> 15 & 0xffff),
        0x8000 | client as u16 & 0x7fff,
    ))
}

fn server(number: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0xc612_0001 + number), 80))
}

fn isn(syn: &Segment) -> u32 {
    !syn.seq
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_the_shares_that_are_promised() {
        let count = |wanted: fn(&Part) -> bool| ROUND.iter().filter(|part| wanted(part)).count();
        assert_eq!(count(|part| matches!(part, Part::Data)), 18);
        assert_eq!(count(|part| matches!(part, Part::Handshake(_))), 6);
        assert_eq!(count(|part| matches!(part, Part::Flood)), 6);
    }
}
