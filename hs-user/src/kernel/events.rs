//! The events on their way from the kernel: a ring buffer for each CPU, so that none waits for another to write, read as one.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use anyhow::{Context, Result, anyhow};
use aya::Ebpf;
use aya::maps::{ArrayOfMaps, Map, MapData, RingBuf};
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_RINGBUF;
use hs_common::Event;
use hs_common::shared::ring_bytes;
use rustix::event::epoll;

/// Its descriptor is readable while one of the ring buffers is.
pub struct Events {
    rings: Vec<Ring>,
    /// An epoll instance that watches all of them.
    readable: OwnedFd,
}

struct Ring {
    buffer: RingBuf<MapData>,
    /// The event at its head, which is out of the buffer.
    head: Option<Event>,
}

impl Events {
    /// Makes the ring buffers of so many CPUs; with `in_order`, one that all CPUs share.
    ///
    /// # Errors
    /// No memory, or the object has no table for them.
    pub(super) fn make(ebpf: &mut Ebpf, cpus: u32, in_order: bool) -> Result<Events> {
        let table = ebpf.map_mut("EVENTS").ok_or_else(|| anyhow!("the BPF object has no map EVENTS"))?;
        let mut table = ArrayOfMaps::<_, MapData>::try_from(table)?;
        let writers = if in_order { cpus } else { 1 };
        let mut rings = Vec::new();
        for first in (0..cpus).step_by(writers as usize) {
            let map = ring_buffer(ring_bytes(cpus / writers) as u32).context("no ring buffer of events")?;
            (first..first + writers).try_for_each(|cpu| table.set(cpu, &map, 0))?;
            rings.push(Ring { buffer: RingBuf::try_from(Map::RingBuf(map))?, head: None });
        }
        let readable = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for ring in &rings {
            epoll::add(&readable, &ring.buffer, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        Ok(Events { rings, readable })
    }

    /// Takes the next event: of those at the heads of the ring buffers the oldest.
    ///
    /// # Errors
    /// What came is no event.
    pub fn take_oldest(&mut self) -> Result<Option<Event>> {
        for ring in &mut self.rings {
            if ring.head.is_none()
                && let Some(record) = ring.buffer.next()
            {
                let event = Event::from_bytes(&record);
                ring.head = Some(event.context("the kernel side sent an unknown record")?);
            }
        }
        let heads = self.rings.iter_mut().map(|ring| &mut ring.head).filter(|head| head.is_some());
        Ok(heads.min_by_key(|head| head.map(|event| event.time_ns)).and_then(Option::take))
    }
}

fn ring_buffer(bytes: u32) -> Result<MapData> {
    let map = aya_obj::Map::new_from_params(BPF_MAP_TYPE_RINGBUF as u32, 0, 0, bytes, 0);
    Ok(MapData::create(map, "EVENTS", None)?)
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.readable.as_fd()
    }
}

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.readable.as_raw_fd()
    }
}
