//! The pure part of hs-mon, in the order of the data path:
//!
//! bytes → [`packet`] → [`parse`] → [`Segment`] → [`rules`] → [`syn_cache`] → [`handshake`] → [`track`] → [`Event`]
//!
//! The eBPF programs, `hs-mon replay`, the tests and the fuzzers call the same functions. Nothing
//! here knows a clock, a map or an allocator: time and configuration are arguments.
//!
//! To follow handshakes in a program of your own, take the feature `std` and a [`memory::Tracker`]: feed it packets, or
//! segments, with the time of each, and take the events.
//!
//! ```
//! use hs_common::memory::Tracker;
//! use hs_common::track::Place;
//! use hs_common::{Config, Outcome, Segment, TcpFlags};
//! use std::net::Ipv4Addr;
//!
//! let (client, server) = (Ipv4Addr::new(198, 18, 0, 7).into(), Ipv4Addr::new(198, 18, 0, 1).into());
//! let up = Segment { src: client, dst: server, src_port: 50_000, dst_port: 443, ..Segment::EMPTY };
//! let down = Segment { src: server, dst: client, src_port: 443, dst_port: 50_000, ..Segment::EMPTY };
//! let synack = TcpFlags::SYN.with(TcpFlags::ACK);
//!
//! let mut tracker = Tracker::new(Config::DEFAULT);
//! let second = 1_000_000_000;
//! tracker.track_segment(Segment { flags: TcpFlags::SYN, seq: 1000, ..up }, Place::CAPTURE, second);
//! tracker.track_segment(Segment { flags: synack, seq: 5000, ack: 1001, ..down }, Place::CAPTURE, second + 300);
//! tracker.track_segment(Segment { flags: TcpFlags::ACK, seq: 1001, ack: 5001, ..up }, Place::CAPTURE, second + 400);
//!
//! let outcomes: Vec<_> = tracker.drain().filter_map(|event| event.outcome()).collect();
//! assert_eq!(outcomes, [Outcome::Completed]);
//! ```
//!
//! `examples/three_packets.rs` is a whole program; [`memory::Tracker::track`] takes the bytes of a packet instead. Captures
//! are read by the crate `hs-user` (`hs_mon::capture`).
#![cfg_attr(not(any(test, feature = "std")), no_std)]

mod addr;
pub mod anomaly;
pub mod config;
pub mod counters;
pub mod event;
pub mod flow;
pub mod handshake;
pub mod ledger;
#[cfg(any(test, feature = "std"))]
pub mod memory;
pub mod outcome;
pub mod packet;
pub mod parse;
pub mod rules;
pub mod segment;
pub mod seq;
pub mod shared;
pub mod syn_cache;
pub mod track;
pub mod victim;

pub use addr::Addr;
pub use anomaly::{Anomaly, AnomalySet};
pub use config::Config;
pub use counters::{Counter, Counters, Slot};
pub use event::Event;
pub use ledger::Ledger;
pub use outcome::{HandshakeFlags, Outcome, Path, Reason};
pub use segment::{Segment, TcpFlags, Unparsed, VlanTags};
pub use victim::{Victim, VictimKey, VictimSet};
