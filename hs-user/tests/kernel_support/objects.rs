//! The programs, maps and links that a process holds, as the kernel numbers them.

#![allow(dead_code, reason = "its users include all of it, and none of them uses all of it")]

use std::collections::BTreeSet;
use std::{fs, iter};

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
        let programs = programs.filter(|id| self.programs.contains(id));
        let maps = iter::successors(map_after(0), |id| map_after(*id)).filter(|id| self.maps.contains(id));
        programs.chain(maps).chain(self.left_links()).collect()
    }
}

/// The map with the next number. Maps are not opened, as `aya::maps::loaded_maps` does: to close a table of jumps again
/// while it is on its way out makes the kernel forget to free it (`prog_array_map_clear` of kernel/bpf/arraymap.c counts a
/// reference for work that is queued already).
fn map_after(id: u32) -> Option<u32> {
    const BPF_MAP_GET_NEXT_ID: i32 = 12;
    // `start_id`, `next_id` and `open_flags` of `union bpf_attr`.
    let mut request = [id, 0, 0];
    // SAFETY: the kernel reads and writes the request, whose size goes with it.
    let found = unsafe {
        libc::syscall(libc::SYS_bpf, BPF_MAP_GET_NEXT_ID, request.as_mut_ptr(), size_of_val(&request))
    };
    (found == 0).then_some(request[1])
}
