//! Plain old data of `hs-common` in the form that aya takes.

use aya::Pod;

/// A value that crosses the kernel boundary.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Plain<T>(pub T);

/// What may cross it: integers and arrays of them, for which every bit pattern is a value.
///
/// # Safety
/// The type has no padding, no reference, and no invalid bit pattern.
pub unsafe trait PlainOldData: Copy + 'static {}

// SAFETY: see `PlainOldData`.
unsafe impl<T: PlainOldData> Pod for Plain<T> {}

// SAFETY: `repr(C)` structs of integers with explicit padding; their sizes are asserted beside them.
unsafe impl PlainOldData for hs_common::Config {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::victim::Budget {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::shared::Watch {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::shared::SweepRun {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::syn_cache::HashKey {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::shared::Replay {}
// SAFETY: as above; `Opaque` keeps the working memory as integers.
unsafe impl PlainOldData for hs_common::shared::Cpu<hs_common::shared::Opaque> {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::victim::watch::WatchIndex {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::victim::watch::WatchHead {}
// SAFETY: as above.
unsafe impl PlainOldData for hs_common::victim::watch::Watched {}
