//! The programs, maps and links that a process holds, as the kernel numbers them.

#![allow(dead_code, reason = "its users include all of it, and none of them uses all of it")]

use std::collections::BTreeSet;
use std::fs;

use aya::maps::loaded_maps;
use aya::programs::{loaded_links, loaded_programs};

/// Numbers by kind.
#[derive(Debug)]
pub struct Objects {
    programs: BTreeSet<u32>,
    maps: BTreeSet<u32>,
    links: BTreeSet<u32>,
}

impl Objects {
    /// Those of a running hs-mon.
    pub fn of(pid: u32) -> Objects {
        let mut objects =
            Objects { programs: BTreeSet::new(), maps: BTreeSet::new(), links: BTreeSet::new() };
        let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("the process is there");
        for entry in entries {
            // A descriptor may be closed while we look.
            let info = fs::read_to_string(entry.expect("an entry").path()).unwrap_or_default();
            let number = |name: &str| {
                let value = info.lines().find_map(|line| line.strip_prefix(name));
                value.map(|value| value.trim().parse::<u32>().expect("a number"))
            };
            // A link tells the number of its program too.
            match (number("link_id:"), number("prog_id:"), number("map_id:")) {
                (Some(link), ..) => objects.links.insert(link),
                (None, Some(program), _) => objects.programs.insert(program),
                (None, None, Some(map)) => objects.maps.insert(map),
                (None, None, None) => false,
            };
        }
        assert!(!objects.programs.is_empty() && !objects.maps.is_empty(), "{objects:?}");
        objects
    }

    /// Whether it holds any link.
    pub fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    /// Those of its links that are still there.
    pub fn left_links(&self) -> Vec<u32> {
        loaded_links().flatten().map(|link| link.id()).filter(|id| self.links.contains(id)).collect()
    }

    /// All of it that is still there.
    pub fn left(&self) -> Vec<u32> {
        let programs = loaded_programs().flatten().map(|program| program.id());
        let maps = loaded_maps().flatten().map(|map| map.id());
        let programs = programs.filter(|id| self.programs.contains(id));
        let maps = maps.filter(|id| self.maps.contains(id));
        programs.chain(maps).chain(self.left_links()).collect()
    }
}
