//! Ordinary traffic: no attack, and many connections at once, each a whole handshake and then data both ways.
//! The same packets each time.

use super::capture::{self, SEED};
use crate::lab::frame::Segment;
use crate::lab::random::Random;

/// Connections that are open at once.
const OPEN: u32 = 512;
/// SYN, SYN-ACK and ACK.
const HANDSHAKE: u8 = 3;
/// Packets with data of a connection, which so has 64, and 5 % of them are its handshake. The mean flow on the
/// Internet has some tens of packets.
const DATA: u8 = 61;

/// The frames, without end.
pub fn frames() -> impl Iterator<Item = Vec<u8>> {
    let mut traffic = Traffic::new();
    std::iter::repeat_with(move || traffic.frame())
}

struct Connection {
    syn: Segment,
    /// Packets it has had.
    sent: u8,
}

struct Traffic {
    random: Random,
    open: Vec<Connection>,
    /// Connections so far.
    begun: u32,
}

impl Traffic {
    /// The first connections are somewhere amid their data, or all would come to their ends together.
    fn new() -> Self {
        let mut random = Random::new(SEED);
        let mut amid = || HANDSHAKE + (random.u32() % u32::from(DATA)) as u8;
        let open =
            (0..OPEN).map(|number| Connection { syn: capture::connection(number), sent: amid() }).collect();
        Self { random, open, begun: OPEN }
    }

    /// The next packet of any of them; one that has had all of its own makes room for another.
    fn frame(&mut self) -> Vec<u8> {
        let connection = &mut self.open[(self.random.u32() % OPEN) as usize];
        if connection.sent == HANDSHAKE + DATA {
            *connection = Connection { syn: capture::connection(self.begun), sent: 0 };
            self.begun += 1;
        }
        connection.sent += 1;
        connection.packet(connection.sent - 1)
    }
}

impl Connection {
    /// Its packet of this number: after the handshake each side sends in turn.
    fn packet(&self, number: u8) -> Vec<u8> {
        match number {
            0..HANDSHAKE => capture::handshake(&self.syn, number),
            _ if number % 2 == 1 => capture::initiator_data(&self.syn),
            _ => capture::responder_data(&self.syn),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::lab::frame::flag;

    /// Where the flags are in a frame of Ethernet, IPv4 and TCP.
    const FLAGS: usize = 14 + 20 + 13;

    #[test]
    fn a_connection_is_a_handshake_and_then_data() {
        let connection = Connection { syn: capture::connection(1), sent: 0 };
        let flags: Vec<u8> = (0..5).map(|number| connection.packet(number)[FLAGS]).collect();
        let data = flag::ACK | flag::PSH;
        assert_eq!(flags, [flag::SYN, flag::SYN | flag::ACK, flag::ACK, data, data]);
        let sender = |number| connection.packet(number)[26..30].to_vec();
        assert_ne!(sender(3), sender(4), "data goes both ways");
    }

    #[test]
    fn of_the_packets_five_percent_are_of_handshakes() {
        let packets = 64 * OPEN as usize;
        let mut seen: HashMap<u8, usize> = HashMap::new();
        frames().take(packets).for_each(|frame| *seen.entry(frame[FLAGS]).or_default() += 1);
        for flags in [flag::SYN, flag::SYN | flag::ACK, flag::ACK] {
            let share = seen[&flags] as f64 / packets as f64;
            assert!((share * 64.0 - 1.0).abs() < 0.1, "{flags:#x}: {share}");
        }
    }
}
