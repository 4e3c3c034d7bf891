//! How much of the kernel's memory the maps take, worked out from the object before any of them is made.
//!
//! It follows what the kernel allocates (`array_map_mem_usage`, `htab_map_mem_usage` and `ringbuf_map_mem_usage` in
//! kernel/bpf/, Linux 6.18); the slack of its allocators is not in it.

use anyhow::{Context, Result, anyhow};
use aya::util::nr_cpus;
use aya_obj::generated::bpf_map_type;
use aya_obj::{Map, Object};
use hs_common::Config;
use hs_common::shared::ring_bytes;

use super::object::{OBJECT, map_sizes};

const PAGE: u64 = 4096;
/// `struct htab_elem`, before the key and the value.
const HASH_ENTRY: u64 = 48;
/// `struct bucket`.
const HASH_BUCKET: u64 = 16;
/// What a ring buffer has beside its data: its own administration, and the positions of both sides.
const RING_PAGES: u64 = 3;
const POINTER: u64 = 8;

/// Bytes that the maps of a watch with this configuration take on this machine.
///
/// # Errors
/// The number of CPUs can't be read, or the embedded object is damaged.
pub fn map_memory(config: &Config) -> Result<u64> {
    let cpus = nr_cpus().map_err(|(file, error)| anyhow!("can't read {file}: {error}"))? as u32;
    let object = Object::parse(OBJECT).context("can't read the BPF object")?;
    let sizes = map_sizes(&config.rounded(), cpus);
    let entries = |name: &str, map: &Map| {
        let size = sizes.iter().find(|(sized, _)| *sized == name);
        u64::from(size.map_or(map.max_entries(), |(_, size)| *size))
    };
    let maps = object.maps.iter().map(|(name, map)| bytes(map, entries(name, map), u64::from(cpus)));
    Ok(maps.sum::<u64>() + u64::from(cpus) * ring(ring_bytes(cpus) as u64))
}

/// As people read it.
pub fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn bytes(map: &Map, entries: u64, cpus: u64) -> u64 {
    const HASH: u32 = bpf_map_type::BPF_MAP_TYPE_HASH as u32;
    const PER_CPU_ARRAY: u32 = bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY as u32;
    const RING: u32 = bpf_map_type::BPF_MAP_TYPE_RINGBUF as u32;

    let value = u64::from(map.value_size()).next_multiple_of(8);
    match map.map_type() {
        HASH => {
            let entry = HASH_ENTRY + u64::from(map.key_size()).next_multiple_of(8) + value;
            (entries + cpus) * entry + entries.next_power_of_two() * HASH_BUCKET
        }
        PER_CPU_ARRAY => entries * (POINTER + value * cpus),
        RING => ring(entries),
        _ => (entries * value).next_multiple_of(PAGE),
    }
}

/// Of a ring buffer with so many bytes of data.
fn ring(data: u64) -> u64 {
    data + (RING_PAGES + (2 * data / PAGE * POINTER).div_ceil(PAGE)) * PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_the_flows_and_with_nothing_else() {
        let of = |max_flows| map_memory(&Config { max_flows, ..Config::DEFAULT }).expect("an object");
        let (small, default, large) = (of(1024), of(131_072), of(262_144));
        let each = (large - default) / 131_072;
        // The SYN cache's word, the first SYN, its rest, and the entry of the flow table.
        assert!((280..400).contains(&each), "{each} bytes for a flow");
        assert!((4 << 20..16 << 20).contains(&small), "{small}");
        assert!((40 << 20..50 << 20).contains(&default), "{default}");
    }
}
