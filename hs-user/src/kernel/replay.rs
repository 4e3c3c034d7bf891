//! Packets of a capture through the kernel side, by `BPF_PROG_TEST_RUN`.

use anyhow::Result;
use hs_common::parse::Link;
use hs_common::shared::Replay;

use super::Kernel;
use super::object::MIN_PACKET;
use super::pod::Plain;

impl Kernel {
    /// One packet, at `now_ns` of the capture's clock.
    ///
    /// # Errors
    /// The kernel refuses the run; packets up to 3,520 bytes it takes.
    pub fn replay(&mut self, link: Link, data: &[u8], on_wire: usize, now_ns: u64) -> Result<()> {
        self.tell(Replay {
            now_ns,
            captured: data.len() as u32,
            on_wire: on_wire as u32,
            link: link.code(),
            padding: 0,
        })?;
        if data.len() >= MIN_PACKET {
            self.test_run("hs_replay", data, 1)?;
        } else {
            let mut padded = [0; MIN_PACKET];
            padded[..data.len()].copy_from_slice(data);
            self.test_run("hs_replay", &padded, 1)?;
        }
        Ok(())
    }

    /// Sets the capture's clock, for a sweep.
    ///
    /// # Errors
    /// The map can't be written.
    pub fn set_replay_clock(&mut self, now_ns: u64) -> Result<()> {
        self.tell(Replay { now_ns, ..Replay::default() })
    }

    fn tell(&mut self, replay: Replay) -> Result<()> {
        Ok(self.replay_cell()?.set(0, Plain(replay), 0)?)
    }
}
