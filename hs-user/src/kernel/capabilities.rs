//! What loading and attaching take.

use caps::{CapSet, Capability};

/// Without root.
const NEEDED: [Capability; 3] = [Capability::CAP_BPF, Capability::CAP_PERFMON, Capability::CAP_NET_ADMIN];

/// What is missing where `held` are had, as bits (linux/capability.h). CAP_SYS_ADMIN stands for all but CAP_NET_ADMIN
/// (bpf_token_capable, kernel/bpf/token.c).
pub fn missing_capabilities(held: u64) -> Vec<Capability> {
    let has = |one: Capability| held & one.bitmask() != 0;
    let by_admin = |one| one != Capability::CAP_NET_ADMIN && has(Capability::CAP_SYS_ADMIN);
    NEEDED.into_iter().filter(|one| !has(*one) && !by_admin(*one)).collect()
}

/// What this process lacks; nothing, if the kernel does not tell.
pub(super) fn missing() -> Vec<Capability> {
    let held = caps::read(None, CapSet::Effective);
    held.map_or_else(|_| Vec::new(), |held| missing_capabilities(held.iter().map(Capability::bitmask).sum()))
}
