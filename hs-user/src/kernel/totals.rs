//! Reads what the kernel has counted.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Result, anyhow};
use aya::maps::{HashMap, PerCpuArray};
use hs_common::shared::{Cpu, Opaque, Role};
use hs_common::{Counters, Victim, VictimKey};

use super::Kernel;
use super::pod::Plain;

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
        let map = self.ebpf.map("VICTIMS").ok_or_else(|| anyhow!("the BPF object has no map VICTIMS"))?;
        let victims = HashMap::<_, Plain<VictimKey>, Plain<Victim>>::try_from(map)?;
        for entry in victims.iter() {
            let (key, victim) = entry?;
            each(SocketAddr::new(IpAddr::from(key.0.addr), key.0.port as u16), &victim.0);
        }
        Ok(())
    }
}
