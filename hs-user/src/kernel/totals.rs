//! Reads what the kernel has counted.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use anyhow::{Context, Result, anyhow, bail};
use aya::maps::{Map, PerCpuArray};
use hs_common::shared::{Cpu, Opaque, Role};
use hs_common::{Counters, Victim, VictimKey};

use super::pod::Plain;
use super::{Kernel, batch};

impl Kernel {
    /// The totals of all CPUs. Not of one instant: a packet that is counted while they are read may
    /// show in one total and not in another.
    pub fn counters(&self) -> Result<Counters> {
        let map = self.ebpf.map("CPUS").ok_or_else(|| anyhow!("the BPF object has no map CPUS"))?;
        let cpus = PerCpuArray::<_, Plain<Cpu<Opaque>>>::try_from(map)?;
        let mut sum = Counters::ZERO;
        for role in [Role::Packets, Role::Sweeps] {
            for cpu in cpus.get(&(role as u32), 0)?.iter() {
                sum.merge(&cpu.0.counters);
            }
        }
        Ok(sum)
    }

    /// Calls `each` with the totals of every responder.
    pub fn for_each_victim(&self, mut each: impl FnMut(SocketAddr, &Victim)) -> Result<()> {
        let Some(Map::LruHashMap(map)) = self.ebpf.map("VICTIMS") else {
            bail!("the BPF object has no map VICTIMS");
        };
        // SAFETY: both sides take the types from hs-common, and they are plain old data.
        unsafe {
            batch::for_each(map.fd().as_fd(), |key: &VictimKey, victim: &Victim| {
                each(SocketAddr::new(IpAddr::from(key.addr), key.port as u16), victim);
            })
        }
        .context("can't read the responders' totals")?;
        Ok(())
    }
}
