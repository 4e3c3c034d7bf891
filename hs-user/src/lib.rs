//! The user side of hs-mon, in the order of the data path:
//!
//! [`cli`] → [`live`] → [`kernel`] (loader, maps, ring buffer) → [`desk`] → [`detect`] → [`report`];
//! or, for captures, [`capture`] → [`replay`] → the same engine → the same desk.
//!
//! As a library it reads captures, of any format that `hs-mon replay` takes, for the engine in `hs_common`:
//!
//! ```
//! use hs_common::memory::Tracker;
//! use hs_common::packet::Captured;
//! use hs_common::track::Place;
//! use hs_common::{Config, Counter};
//! use hs_mon::capture::Reader;
//!
//! let mut reader = Reader::open("../docs/handshake.pcap".as_ref())?;
//! let mut tracker = Tracker::new(Config::DEFAULT);
//! while let Some(batch) = reader.next_batch()? {
//!     for packet in batch.packets() {
//!         let bytes = Captured { data: packet.data, on_wire: packet.wire_len as usize };
//!         if let Some(link) = packet.link.header() {
//!             tracker.track(&bytes, link, Place::CAPTURE, packet.time_ns);
//!         }
//!     }
//! }
//! assert_eq!(tracker.drain().filter_map(|event| event.outcome()).count(), 4);
//! assert_eq!(tracker.counters().get(Counter::Packets), 24);
//! # Ok::<(), hs_mon::capture::Error>(())
//! ```
//!
//! `examples/servers.rs` and `examples/numbers.rs` are whole programs.

pub mod capture;
pub mod cli;
pub mod clock;
pub mod config_file;
pub mod dashboard;
pub mod desk;
pub mod detect;
pub mod doctor;
pub mod host;
mod journal;
pub mod kernel;
mod kernel_log;
pub mod live;
pub mod metrics;
pub mod netns;
pub mod notices;
pub mod open_alerts;
pub mod privilege;
pub mod process;
pub mod progress;
pub mod replay;
pub mod report;
pub mod responders;
mod service;
