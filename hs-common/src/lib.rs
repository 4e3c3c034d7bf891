//! The pure part of hs-mon, in the order of the data path:
//!
//! bytes → [`packet`] → [`parse`] → [`Segment`] → [`rules`] → [`syn_cache`] → [`handshake`] → [`track`] → [`Event`]
//!
//! The eBPF programs, `hs-mon replay`, the tests and the fuzzers call the same functions. Nothing
//! here knows a clock, a map or an allocator: time and configuration are arguments.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

mod addr;
pub mod anomaly;
pub mod config;
pub mod counters;
pub mod event;
pub mod flow;
pub mod handshake;
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
pub use outcome::{HandshakeFlags, Outcome, Path, Reason};
pub use segment::{Segment, TcpFlags, Unparsed, VlanTags};
pub use victim::{Victim, VictimKey, VictimSet};
