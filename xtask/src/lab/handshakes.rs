//! Whole handshakes by hand, past the hosts' own TCP: as many as the cable takes, and each of them known.

use anyhow::Result;

use super::frame::{Segment, flag};
use super::wire::{BATCH, Wire};

/// Completes a handshake for each SYN: its answer, and the ACK of that. Nobody else may answer, so the hosts have no
/// addresses.
pub fn complete(client: &Wire, server: &Wire, syns: &[Segment]) -> Result<()> {
    const SYN_ACK: u8 = flag::SYN | flag::ACK;
    for syns in syns.chunks(BATCH) {
        let isn = |syn: &Segment| syn.seq.rotate_left(16);
        let answer =
            |syn: &Segment| Segment::new(syn.dst, syn.src, SYN_ACK, isn(syn), syn.seq.wrapping_add(1));
        let ack = |syn: &Segment| {
            Segment::new(syn.src, syn.dst, flag::ACK, syn.seq.wrapping_add(1), isn(syn).wrapping_add(1))
        };
        client.send_frames(&frames(client, syns.iter().cloned()))?;
        server.send_frames(&frames(server, syns.iter().map(answer)))?;
        client.send_frames(&frames(client, syns.iter().map(ack)))?;
    }
    Ok(())
}

fn frames(wire: &Wire, segments: impl Iterator<Item = Segment>) -> Vec<Vec<u8>> {
    segments.map(|segment| wire.frame(&segment)).collect()
}
