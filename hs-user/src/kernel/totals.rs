//! Reads what the kernel has counted.

use anyhow::{Result, anyhow};
use aya::maps::PerCpuArray;
use hs_common::Counters;
use hs_common::shared::{Cpu, Opaque, Role};

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
}
