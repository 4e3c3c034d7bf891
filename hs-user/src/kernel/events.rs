//! The events on their way from the kernel: a ring buffer for each CPU, so that none waits for another to write, read as one.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::{io, thread};

use anyhow::{Context, Result, bail};
use aya::Ebpf;
use aya::maps::{Map, MapData, RingBuf};
use aya_obj::generated::bpf_map_type::BPF_MAP_TYPE_RINGBUF;
use hs_common::Event;
use hs_common::shared::ring_bytes;
use rustix::event::epoll;

use super::batch;

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
    pub(super) fn make(ebpf: &Ebpf, cpus: u32, in_order: bool) -> Result<(Events, Table)> {
        let Some(Map::ArrayOfMaps(table)) = ebpf.map("EVENTS") else {
            bail!("the BPF object has no table EVENTS");
        };
        let writers = if in_order { cpus } else { 1 };
        let (mut rings, mut entries) = (Vec::new(), Vec::new());
        for _ in (0..cpus).step_by(writers as usize) {
            let map = ring_buffer(ring_bytes(cpus / writers) as u32).context("no ring buffer of events")?;
            let buffer = RingBuf::try_from(Map::RingBuf(map))?;
            entries.push(buffer.as_fd().try_clone_to_owned()?);
            rings.push(Ring { buffer, head: None });
        }
        let table = Table::fill(table.fd().as_fd().try_clone_to_owned()?, entries, writers as usize)?;
        let readable = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for ring in &rings {
            epoll::add(&readable, &ring.buffer, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        Ok((Events { rings, readable }, table))
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

/// The table in which programs find the ring buffers. To fill it takes 10 ms, which the kernel spends waiting for an RCU grace
/// period (`maybe_wait_bpf_programs`), so a thread does it.
pub(super) struct Table(Option<thread::JoinHandle<io::Result<()>>>);

impl Table {
    /// Each entry is that of so many CPUs in turn.
    fn fill(table: OwnedFd, entries: Vec<OwnedFd>, writers: usize) -> io::Result<Table> {
        let fill = Arc::new(move || {
            let each = entries.iter().flat_map(|entry| std::iter::repeat_n(entry.as_raw_fd(), writers));
            batch::fill_array(table.as_fd(), &each.collect::<Vec<RawFd>>())
        });
        let fills = Arc::clone(&fill);
        match thread::Builder::new().name("rings".to_owned()).spawn(move || fills()) {
            Ok(thread) => Ok(Table(Some(thread))),
            // There may be none.
            Err(_) => fill().map(|()| Table(None)),
        }
    }

    /// Waits until it is filled: before any program that writes events.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&mut self) -> Result<()> {
        let filled = self.0.take().map_or(Ok(Ok(())), thread::JoinHandle::join);
        filled.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())).context("can't hand out the ring buffers")
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
