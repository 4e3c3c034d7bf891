//! What kind of flood it is, and what speaks for it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use hs_common::victim::watch::Sample;

use super::alert::{Evidence, Kind};

/// Fewer sources than this say nothing by what they have in common.
const MANY: f64 = 16.0;
/// From so many handshakes on, sources that exist come back.
const LONG: f64 = 2_000.0;
/// A share of this is "nearly all".
const NEARLY_ALL: f64 = 0.9;

/// What sampled SYNs have in common.
#[derive(Debug)]
pub(super) struct Marks {
    total: u64,
    ttls: Box<[u64; 256]>,
    windows: HashMap<u16, u64>,
    impossible: u64,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks { total: 0, ttls: Box::new([0; 256]), windows: HashMap::new(), impossible: 0 }
    }
}

impl Marks {
    pub(super) fn note(&mut self, sample: &Sample) {
        self.total += 1;
        self.ttls[usize::from(sample.ttl)] += 1;
        if self.windows.len() < 1024 || self.windows.contains_key(&sample.window) {
            *self.windows.entry(sample.window).or_default() += 1;
        }
        self.impossible += u64::from(is_impossible(sample.source.into()));
    }

    fn share(&self, count: u64) -> f64 {
        count as f64 / self.total.max(1) as f64
    }

    fn uniform_ttl(&self) -> bool {
        self.share(self.ttls.iter().copied().max().unwrap_or(0)) >= NEARLY_ALL
    }

    /// Systems start with 64, 128 or 255 (32 long ago), and hardly any path is longer than 32 hops.
    fn implausible_ttl(&self) -> bool {
        let odd: u64 = (0..256).filter(|ttl| matches!(ttl, 129..=222)).map(|ttl| self.ttls[ttl]).sum();
        self.share(odd) >= 0.1
    }

    fn uniform_window(&self) -> bool {
        self.share(self.windows.values().copied().max().unwrap_or(0)) >= NEARLY_ALL
    }
}

/// Addresses that no packet on the internet comes from (RFC 6890). Private ones are left out: behind a
/// gateway they are clients.
fn is_impossible(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 0 || ip.is_loopback() || ip.octets()[0] >= 224 || is_test(ip),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_multicast(),
    }
}

fn is_test(ip: Ipv4Addr) -> bool {
    ip.is_documentation()
}

/// What is known of a flood.
pub(super) struct Picture<'a> {
    pub(super) marks: &'a Marks,
    /// Distinct sources.
    pub(super) sources: f64,
    /// Handshakes begun in the same time, without those that completed.
    pub(super) begun: f64,
    /// The largest share of one source.
    pub(super) largest_share: f64,
}

/// The kind, and all that speaks for it.
pub(super) fn of(picture: &Picture) -> (Kind, Vec<Evidence>) {
    let Picture { marks, sources, begun, largest_share } = picture;
    if *largest_share >= 0.8 {
        return (Kind::SingleSource, vec![Evidence::NoCompletion]);
    }
    let many = *sources >= MANY;
    let once = many && sources / begun.max(1.0) >= 0.5;
    let found = [
        (Evidence::SourcesSeenOnce, once),
        (Evidence::UniformTtl, many && marks.uniform_ttl()),
        (Evidence::ImplausibleTtl, many && marks.implausible_ttl()),
        (Evidence::UniformWindow, many && marks.uniform_window()),
        (Evidence::ImpossibleSources, many && marks.share(marks.impossible) >= 0.02),
        (Evidence::NoCompletion, true),
    ];
    let evidence: Vec<Evidence> = found.into_iter().filter(|(_, is)| *is).map(|(what, _)| what).collect();
    // Windows are those of the system: many real clients share one.
    let made_up = evidence.iter().any(|what| {
        matches!(what, Evidence::UniformTtl | Evidence::ImplausibleTtl | Evidence::ImpossibleSources)
            || *what == Evidence::SourcesSeenOnce && *begun >= LONG
    });
    (if made_up { Kind::Spoofed } else { Kind::Distributed }, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sketch is read a little later than the samples, so it may know of nobody yet.
    #[test]
    fn who_is_one_source_is_told_by_the_samples() {
        let marks = Marks::default();
        let kind =
            |sources, largest_share| of(&Picture { marks: &marks, sources, begun: 90.0, largest_share }).0;
        assert_eq!(kind(0.0, 0.02), Kind::Distributed);
        assert_eq!(kind(1.0, 1.0), Kind::SingleSource);
    }
}
