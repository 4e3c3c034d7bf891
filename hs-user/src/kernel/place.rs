//! Places at an interface's hooks, held while the programs that will take them are still being loaded. To attach takes 10 to 20
//! ms a hook, most of it a wait for an RCU grace period (`tcx_entry_sync`), and to load keeps the verifier busy for longer: so
//! both are done at once. What holds a place lets every packet pass.

use aya::programs::tc::{SchedClassifierLink, TcAttachType};
use aya::programs::xdp::{XdpLink, XdpMode};
use aya::programs::{ProgramError, SchedClassifier, Xdp};

use super::Interface;

/// The programs that hold places.
pub(super) const HOLD_XDP: &str = "hs_hold_xdp";
pub(super) const HOLD_TC: &str = "hs_hold_tc";

/// What is held at one interface, until it is taken or dropped.
#[derive(Default)]
pub(super) struct Places {
    xdp: Option<(XdpMode, XdpLink)>,
    tc: Vec<(TcAttachType, SchedClassifierLink)>,
}

impl Places {
    /// Holds the place of an XDP program.
    ///
    /// # Errors
    /// The kernel's: somebody else has it, or the driver has none.
    pub fn hold_xdp(
        &mut self,
        holder: &mut Xdp,
        interface: &Interface,
        mode: XdpMode,
    ) -> Result<(), ProgramError> {
        let link = holder.attach_to_if_index(interface.index, mode)?;
        self.xdp = Some((mode, holder.take_link(link)?));
        Ok(())
    }

    /// Holds a place of tc, where places are links (Linux 6.6).
    ///
    /// # Errors
    /// The kernel's.
    pub fn hold_tc(
        &mut self,
        holder: &mut SchedClassifier,
        interface: &Interface,
        side: TcAttachType,
    ) -> Result<(), ProgramError> {
        let link = holder.attach(&interface.name, side)?;
        self.tc.push((side, holder.take_link(link)?));
        Ok(())
    }

    /// The place of an XDP program, if it is held.
    pub fn take_xdp(&mut self, mode: XdpMode) -> Option<XdpLink> {
        self.xdp.take_if(|(held, _)| *held == mode).map(|(_, link)| link)
    }

    /// A place of tc, if it is held.
    pub fn take_tc(&mut self, side: TcAttachType) -> Option<SchedClassifierLink> {
        let found = self.tc.iter().position(|(held, _)| *held == side)?;
        Some(self.tc.swap_remove(found).1)
    }
}
