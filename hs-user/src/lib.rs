//! The user side of hs-mon, in the order of the data path:
//!
//! [`cli`] → [`live`] → [`kernel`] (loader, maps, ring buffer) → [`desk`] → [`detect`] → [`report`];
//! or, for captures, [`capture`] → [`replay`] → the same engine → the same desk.

pub mod capture;
pub mod cli;
pub mod clock;
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
pub mod replay;
pub mod report;
pub mod responders;
mod service;
