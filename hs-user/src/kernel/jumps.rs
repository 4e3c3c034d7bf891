//! Programs that others jump to: where a segment that may change its flow goes on.

use anyhow::{Context, Result, anyhow};
use aya::Ebpf;
use aya::maps::{MapData, ProgramArray};
use aya::programs::{Program, ProgramFd};

/// Where XDP programs jump to.
const FOLLOW_XDP: &str = "hs_follow_xdp";
/// Where tc programs do.
const FOLLOW_TC: &str = "hs_follow_tc";

/// A jump from programs of one kind to one program.
pub(super) struct Jump {
    /// The program.
    pub program: &'static str,
    /// Where the others find it. The kernel empties it when its last descriptor is closed.
    table: ProgramArray<MapData>,
    leads: bool,
}

impl Jump {
    /// Whether the program is in the table.
    pub fn leads(&self) -> bool {
        self.leads
    }

    /// Puts the program into the table.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn lead_to(&mut self, program: &ProgramFd) -> Result<()> {
        self.table.set(0, program, 0).with_context(|| format!("can't jump to {}", self.program))?;
        self.leads = true;
        Ok(())
    }
}

/// The jumps of each kind of program.
pub(super) struct Jumps {
    xdp: Jump,
    tc: Jump,
}

impl Jumps {
    /// Those of the loaded object, once.
    ///
    /// # Errors
    /// The object has no such tables.
    pub fn take(ebpf: &mut Ebpf) -> Result<Jumps> {
        let mut jump = |program, name| {
            let map = ebpf.take_map(name).ok_or_else(|| anyhow!("the BPF object has no map {name}"))?;
            anyhow::Ok(Jump { program, table: ProgramArray::try_from(map)?, leads: false })
        };
        Ok(Jumps { xdp: jump(FOLLOW_XDP, "FOLLOW_XDP")?, tc: jump(FOLLOW_TC, "FOLLOW_TC")? })
    }

    /// The jump of a program of this kind. The sweep makes none, and there is no harm in that.
    pub fn of(&mut self, program: &Program) -> Option<&mut Jump> {
        match program {
            Program::Xdp(_) => Some(&mut self.xdp),
            Program::SchedClassifier(_) => Some(&mut self.tc),
            _ => None,
        }
    }
}

/// A program by its descriptor, which it has once it is loaded.
///
/// # Errors
/// It is not loaded, or of a kind that hs-mon has none of.
pub(super) fn descriptor(program: &Program) -> Result<&ProgramFd> {
    match program {
        Program::Xdp(program) => Ok(program.fd()?),
        Program::SchedClassifier(program) => Ok(program.fd()?),
        _ => Err(anyhow!("the BPF object has a program of an unknown kind")),
    }
}
