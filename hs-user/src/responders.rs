//! The responders' totals as user space reads them, and the watches that it sets: the same for the kernel
//! side and for the engine in this program.

use anyhow::Result;
use hs_common::VictimSet;
use hs_common::memory::{SEED, Tracker};
use hs_common::victim::watch::{WATCHES, WatchHead, WatchIndex, Watched};

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchList {
    /// Where a SYN finds its watches.
    pub index: WatchIndex,
    /// The watches; number 1 is the first.
    pub heads: [WatchHead; WATCHES],
}

impl Default for WatchList {
    fn default() -> WatchList {
        WatchList { index: WatchIndex::EMPTY, heads: [WatchHead::default(); WATCHES] }
    }
}

/// Where responders are counted.
pub trait Responders {
    /// Key of the hashes of destinations and sources.
    fn seed(&self) -> u64;

    /// Calls `each` with every set of every CPU's table, always in the same order.
    ///
    /// # Errors
    /// The totals can't be read.
    fn for_each_set(&self, each: &mut dyn FnMut(&VictimSet)) -> Result<()>;

    /// Sets what is watched.
    ///
    /// # Errors
    /// The kernel refuses it.
    fn set_watches(&mut self, list: &WatchList) -> Result<()>;

    /// Makes a watch begin anew.
    ///
    /// # Errors
    /// The kernel refuses it.
    fn clear_watch(&mut self, number: u32) -> Result<()>;

    /// Hands out what a watch has seen since it began.
    ///
    /// # Errors
    /// It can't be read.
    fn watched(&self, number: u32, each: &mut dyn FnMut(&Watched)) -> Result<()>;
}

impl Responders for Tracker {
    fn seed(&self) -> u64 {
        SEED
    }

    fn for_each_set(&self, each: &mut dyn FnMut(&VictimSet)) -> Result<()> {
        self.victims().sets().iter().for_each(each);
        Ok(())
    }

    fn set_watches(&mut self, list: &WatchList) -> Result<()> {
        self.victims_mut().set_watches(&list.index, &list.heads);
        Ok(())
    }

    fn clear_watch(&mut self, number: u32) -> Result<()> {
        self.victims_mut().clear(number);
        Ok(())
    }

    fn watched(&self, number: u32, each: &mut dyn FnMut(&Watched)) -> Result<()> {
        if let Some(watched) = self.victims().watched(number) {
            each(watched);
        }
        Ok(())
    }
}
