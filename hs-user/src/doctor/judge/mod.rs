//! What facts mean for hs-mon. Pure: facts in, lines out.

mod interface;
mod machine;

pub use interface::{interface, no_interface, no_such_interface};
pub use machine::machine;
