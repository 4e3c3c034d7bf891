//! The maps of the responders' totals and of the watches.

use std::os::fd::AsFd;

use anyhow::{Context, Result, anyhow, bail};
use aya::maps::{Array, Map, MapData};
use hs_common::VictimSet;
use hs_common::victim::table::Layout;
use hs_common::victim::watch::{WatchHead, WatchIndex, Watched};

use super::pod::{Plain, PlainOldData};
use super::{Kernel, batch};
use crate::responders::{Responders, WatchList};

/// Sets of the ports in each CPU's table, as long as there are few CPUs.
const MOST_SETS: u32 = 1024;
/// Never fewer.
const FEWEST_SETS: u32 = 128;
/// Up to this number of CPUs each has [`MOST_SETS`]; beyond, memory grows only where that would be too few.
const FEW_CPUS: u32 = 8;

/// Sets of the ports in each CPU's table.
pub(super) fn sets_for(cpus: u32) -> u32 {
    let crowding = cpus.div_ceil(FEW_CPUS).next_power_of_two();
    (MOST_SETS / crowding).max(FEWEST_SETS)
}

/// Sets of all tables.
pub(super) fn all_sets(cpus: u32) -> u32 {
    Layout::total(sets_for(cpus)) * cpus
}

impl Kernel {
    fn array<T: PlainOldData>(&self, name: &str) -> Result<Array<&MapData, Plain<T>>> {
        let map = self.ebpf.map(name).ok_or_else(|| anyhow!("the BPF object has no map {name}"))?;
        Ok(Array::try_from(map)?)
    }

    fn array_mut<T: PlainOldData>(&mut self, name: &str) -> Result<Array<&mut MapData, Plain<T>>> {
        let map = self.ebpf.map_mut(name).ok_or_else(|| anyhow!("the BPF object has no map {name}"))?;
        Ok(Array::try_from(map)?)
    }
}

impl Responders for Kernel {
    fn seed(&self) -> u64 {
        self.seed
    }

    fn for_each_set(&self, each: &mut dyn FnMut(&VictimSet)) -> Result<()> {
        let Some(Map::Array(map)) = self.ebpf.map("VICTIMS") else {
            bail!("the BPF object has no map VICTIMS");
        };
        // SAFETY: both sides take the type from hs-common, and it is plain old data; an array's key is u32.
        unsafe { batch::for_each(map.fd().as_fd(), |_: &u32, set: &VictimSet| each(set)) }
            .context("can't read the responders' totals")?;
        Ok(())
    }

    fn set_watches(&mut self, list: &WatchList) -> Result<()> {
        let mut heads = self.array_mut::<WatchHead>("WATCH_HEADS")?;
        for (slot, head) in (0..).zip(&list.heads) {
            heads.set(slot, Plain(*head), 0)?;
        }
        self.array_mut::<WatchIndex>("WATCH_INDEX")?.set(0, Plain(list.index), 0)?;
        Ok(())
    }

    fn clear_watch(&mut self, number: u32) -> Result<()> {
        Ok(self.array_mut::<Watched>("WATCHED")?.set(number - 1, Plain(Watched::EMPTY), 0)?)
    }

    fn watched(&self, number: u32, each: &mut dyn FnMut(&Watched)) -> Result<()> {
        each(&self.array::<Watched>("WATCHED")?.get(&(number - 1), 0)?.0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_slowly_with_cpus() {
        let bytes = |cpus| all_sets(cpus) as usize * size_of::<VictimSet>();
        assert!(bytes(2) < 2 << 20, "{}", bytes(2));
        assert!(bytes(64) < 8 << 20, "{}", bytes(64));
        assert!((1..=512).all(|cpus| sets_for(cpus).is_power_of_two()));
    }
}
