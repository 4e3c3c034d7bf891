//! The kernel side as user space sees it: the loaded object with its programs and maps.

mod attach;
mod batch;
mod capabilities;
mod clsact;
mod events;
mod genetlink;
mod interface;
mod jumps;
mod memory;
mod netlink;
mod object;
mod place;
mod pod;
mod readings;
mod replay;
mod sock_diag;
mod totals;
mod victims;

pub use attach::{Attachment, Ingress, has_tcx, ways, xdp_holder};
pub use capabilities::missing_capabilities;
pub use events::Events;
pub use interface::{Interface, LinkLayer};
pub use memory::{map_memory, mib};
pub use netlink::{LinkChange, LinkNews};
pub use object::{Kernel, Options};
pub use readings::{ProgramCost, Readings, Slots};
pub use sock_diag::accept_queue;
