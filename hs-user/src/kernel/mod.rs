//! The kernel side as user space sees it: the loaded object with its programs and maps.

mod attach;
mod object;
mod pod;
mod totals;

pub use object::{Kernel, Options};
