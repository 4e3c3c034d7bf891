//! The user side of hs-mon, in the order of the data path:
//!
//! [`cli`] → loader → ring buffer → [`detect`] → [`report`]; or, for captures, [`capture`] → the
//! same engine → the same reporters.

pub mod capture;
pub mod cli;
pub mod detect;
pub mod kernel;
pub mod report;
