//! Attaches the programs to an interface: the best ingress hook that it has, and egress.

use std::collections::HashMap;
use std::fmt;

use anyhow::{Context, Result, anyhow, bail};
use aya::programs::links::FdLink;
use aya::programs::tc::TcAttachType;
use aya::programs::xdp::XdpMode;
use aya::programs::{ProgramError, SchedClassifier, Xdp, loaded_programs};
use aya::util::KernelVersion;
use caps::Capability;

use super::object::{Link, TakesNone};
use super::place::Places;
use super::{Interface, Kernel, LinkLayer, clsact};
use crate::cli::Mode;

/// The program of both kinds of XDP.
const XDP: &str = "hs_xdp";
/// The programs of all hooks.
const PROGRAMS: [&str; 5] = [XDP, "hs_tc_ingress", "hs_tc_egress", "hs_tc_ingress_l3", "hs_tc_egress_l3"];

/// At so many interfaces at the most places are held: the verifier is not busy for longer.
const MOST_HELD: usize = 4;

/// Where ingress is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// XDP in the driver, before the kernel has made an skb.
    Native,
    /// XDP in the stack, for drivers without it.
    Generic,
    /// tc, by tcx on Linux 6.6 and later, else by a clsact filter.
    Tc,
}

impl fmt::Display for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ingress::Native => "native XDP",
            Ingress::Generic => "generic XDP",
            Ingress::Tc => "tc",
        })
    }
}

/// What is attached to one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The interface.
    pub interface: Interface,
    /// How ingress is watched.
    pub ingress: Ingress,
    /// Why so, if hs-mon chose.
    pub why: Option<&'static str>,
    /// Whether egress is watched too. On loopback it is not: each packet passes both hooks.
    pub egress: bool,
    /// What was tried before and why it did not work.
    pub fallbacks: Vec<String>,
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ingress by {}", self.interface.name, self.ingress)?;
        if let Some(why) = self.why {
            write!(f, " ({why})")?;
        }
        if self.egress {
            write!(f, ", egress by tc")
        } else {
            write!(f, " only: on loopback each packet passes egress and ingress")
        }
    }
}

impl Kernel {
    /// Loads what it will take to watch the interfaces, all of it at once: the verifier has most of the work of
    /// a start, and a CPU for each program. With `others`, interfaces of any kind may come later, when nothing
    /// can be loaded any more. Meanwhile their places are held. What the kernel refuses is asked for again, and told, where
    /// it is needed.
    pub fn prepare(&mut self, interfaces: &[Interface], others: bool, mode: Mode) {
        let mut names = Vec::new();
        for interface in interfaces {
            names.extend(
                candidates(interface, mode).first().map(|ingress| ingress_program(*ingress, interface)),
            );
            if interface.link_layer != LinkLayer::Loopback {
                names.push(egress_program(interface));
            }
        }
        if others {
            names.extend(PROGRAMS);
        }
        let mut places = HashMap::new();
        self.load_at_once(&names, |xdp, tc| {
            if xdp.load().and_then(|()| tc.load()).is_ok() {
                let first = interfaces.iter().take(MOST_HELD);
                places = first.map(|at| (at.index, hold(at, mode, xdp, tc))).collect();
            }
        });
        self.places = places;
    }

    /// Lets go of the places that nobody has taken.
    pub fn release_places(&mut self) {
        self.places.clear();
    }

    /// Attaches to an interface, by `mode` or, with [`Mode::Auto`], by the cheapest way that works.
    ///
    /// # Errors
    /// None of the ways works; or the one that `mode` forces does not.
    pub fn attach(&mut self, interface: &Interface, mode: Mode) -> Result<Attachment> {
        // What is not taken in the end is let go.
        let mut places = self.places.remove(&interface.index).unwrap_or_default();
        interface.must_be_readable()?;
        let mut fallbacks = Vec::new();
        let sign = if has_tcx() { None } else { Some(clsact::Sign::put_up(interface.index, self.seed)?) };
        let (ingress, link) =
            self.attach_ingress(interface, mode, sign.as_ref(), &mut places, &mut fallbacks)?;
        let mut links = vec![link];
        let egress = interface.link_layer != LinkLayer::Loopback;
        if egress {
            let link = self.attach_tc(interface, TcAttachType::Egress, sign.as_ref(), &mut places);
            links.push(link.with_context(|| format!("can't watch what {} sends", interface.name))?);
        }
        links.extend(sign.map(|sign| Box::new(sign) as Link));
        self.links.insert(interface.index, links);
        let why = if mode == Mode::Auto { why(ingress, interface) } else { None };
        Ok(Attachment { interface: interface.clone(), ingress, why, egress, fallbacks })
    }

    fn attach_ingress(
        &mut self,
        interface: &Interface,
        mode: Mode,
        sign: Option<&clsact::Sign>,
        places: &mut Places,
        fallbacks: &mut Vec<String>,
    ) -> Result<(Ingress, Link)> {
        let candidates = candidates(interface, mode);
        for ingress in candidates {
            match self.attach_one(interface, *ingress, sign, places) {
                Ok(link) => return Ok((*ingress, link)),
                // No other program would be taken either.
                Err(error) if candidates.len() == 1 || error.is::<TakesNone>() => {
                    return Err(error)
                        .with_context(|| format!("can't attach to {} by {ingress}", interface.name));
                }
                Err(error) => fallbacks.push(format!("{ingress}: {error:#}")),
            }
        }
        bail!("can't attach to {}: {}", interface.name, fallbacks.join("; "))
    }

    fn attach_one(
        &mut self,
        interface: &Interface,
        ingress: Ingress,
        sign: Option<&clsact::Sign>,
        places: &mut Places,
    ) -> Result<Link> {
        match xdp_mode(ingress) {
            Some(mode) => self.attach_xdp(interface, mode, places),
            None => self.attach_tc(interface, TcAttachType::Ingress, sign, places),
        }
    }

    fn attach_xdp(&mut self, interface: &Interface, mode: XdpMode, places: &mut Places) -> Result<Link> {
        if interface.link_layer == LinkLayer::None {
            bail!("XDP needs an Ethernet header, which {} has not; use --mode tc", interface.name);
        }
        let place = places.take_xdp(mode);
        if place.is_none()
            && let Some(holder) = xdp_holder(interface)?
        {
            let name = &interface.name;
            bail!(
                "{name} is held by the XDP program {holder}; detach it (`ip link set dev {name} xdp off`), or use \
                 --mode tc"
            );
        }
        let program = self.xdp(XDP)?;
        let link = match place {
            Some(place) => program.attach_to_link(place),
            None => program.attach_to_if_index(interface.index, mode),
        };
        let link = link.map_err(explain)?;
        // A link by file descriptor goes with the process, whatever ends it. Kernels before 5.9 have none.
        let link = program.take_link(link)?;
        Ok(Box::new(FdLink::try_from(link).context("this kernel has no XDP links (Linux 5.9)")?))
    }

    /// `sign` is up where filters are no links.
    fn attach_tc(
        &mut self,
        interface: &Interface,
        side: TcAttachType,
        sign: Option<&clsact::Sign>,
        places: &mut Places,
    ) -> Result<Link> {
        let name = match side {
            TcAttachType::Ingress => ingress_program(Ingress::Tc, interface),
            _ => egress_program(interface),
        };
        let program = self.tc(name)?;
        if let Some(sign) = sign {
            clsact::prepare(&interface.name, side, name, sign)?;
        }
        let link = match places.take_tc(side) {
            Some(place) => program.attach_to_link(place),
            None => program.attach(&interface.name, side),
        };
        let link = link.map_err(explain)?;
        Ok(Box::new(program.take_link(link)?))
    }

    /// The capabilities without which an interface that comes can't be attached to. By links, which the kernel has
    /// for XDP since 5.9 and for tc since 6.6, whoever holds a program may attach it.
    pub fn needs_to_attach() -> &'static [Capability] {
        if has_tcx() { &[] } else { &[Capability::CAP_NET_ADMIN] }
    }

    /// Detaches from the interface of this number. One that was moved to another network namespace keeps what is
    /// attached to it until then.
    pub fn detach_from(&mut self, index: u32) {
        self.links.remove(&index);
    }

    /// Detaches from all interfaces; the totals stand still from then on.
    pub fn detach(&mut self) {
        self.links.clear();
        wait_for_running_programs();
    }
}

/// What is detached is called no more, but another CPU may be in the middle of it. Programs run under RCU, and this
/// call returns after an RCU grace period:
/// <https://github.com/torvalds/linux/blob/v6.18/kernel/sched/membarrier.c#L648>. It is refused where CPUs are kept
/// free of ticks (`nohz_full`); there a packet may still be counted while the last totals are read.
fn wait_for_running_programs() {
    // SAFETY: it takes numbers and no memory.
    unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
}

/// The ways to watch ingress in the order in which [`Kernel::attach`] tries them, each with the reason why it is the
/// best one, if it is.
pub fn ways(interface: &Interface, mode: Mode) -> impl Iterator<Item = (Ingress, Option<&'static str>)> {
    candidates(interface, mode).iter().map(|ingress| (*ingress, why(*ingress, interface)))
}

/// The ways to watch ingress, the best one first. A driver that runs XDP on what its device has received
/// spares the making of an skb; where there is an skb already, tc costs less than XDP, which has it converted:
/// on veth 52 to 76 ns, generic XDP 223 to 258, native XDP 648 to 673 (Linux 6.18, see docs/performance.md).
fn candidates(interface: &Interface, mode: Mode) -> &'static [Ingress] {
    match (mode, interface.link_layer) {
        (Mode::Auto, LinkLayer::None | LinkLayer::Other(_)) => &[Ingress::Tc],
        (Mode::Auto, LinkLayer::Loopback) => &[Ingress::Tc, Ingress::Generic],
        (Mode::Auto, LinkLayer::Ethernet) if interface.is_veth() => {
            &[Ingress::Tc, Ingress::Generic, Ingress::Native]
        }
        (Mode::Auto, LinkLayer::Ethernet) => &[Ingress::Native, Ingress::Tc, Ingress::Generic],
        (Mode::Native, _) => &[Ingress::Native],
        (Mode::Generic, _) => &[Ingress::Generic],
        (Mode::Tc, _) => &[Ingress::Tc],
    }
}

/// The kind of XDP, unless it is tc.
fn xdp_mode(ingress: Ingress) -> Option<XdpMode> {
    match ingress {
        Ingress::Native => Some(XdpMode::Driver),
        Ingress::Generic => Some(XdpMode::Skb),
        Ingress::Tc => None,
    }
}

/// Holds the places at an interface that [`Kernel::attach`] will take first. What is not to be had is left to it, which
/// tells; and so are filters that are no links, where somebody may have to be told about them first.
fn hold(interface: &Interface, mode: Mode, xdp: &mut Xdp, tc: &mut SchedClassifier) -> Places {
    let mut places = Places::default();
    if !has_tcx() {
        return places;
    }
    let ingress = candidates(interface, mode).first().copied();
    let held = match ingress.and_then(xdp_mode) {
        Some(mode) => places.hold_xdp(xdp, interface, mode),
        None => places.hold_tc(tc, interface, TcAttachType::Ingress),
    };
    if held.is_ok() && interface.link_layer != LinkLayer::Loopback {
        let _ = places.hold_tc(tc, interface, TcAttachType::Egress);
    }
    places
}

/// Why this way is the best one; if it is not, what was tried before tells why.
fn why(ingress: Ingress, interface: &Interface) -> Option<&'static str> {
    match (ingress, interface.link_layer) {
        (Ingress::Native, _) => Some("the driver has it"),
        (Ingress::Tc, LinkLayer::None) => Some("XDP needs Ethernet"),
        (Ingress::Tc, LinkLayer::Loopback) => Some("loopback has no native XDP"),
        (Ingress::Tc, LinkLayer::Ethernet) if interface.is_veth() => Some("cheaper than XDP on veth"),
        _ => None,
    }
}

fn ingress_program(ingress: Ingress, interface: &Interface) -> &'static str {
    match (ingress, interface.link_layer) {
        (Ingress::Tc, LinkLayer::None) => "hs_tc_ingress_l3",
        (Ingress::Tc, _) => "hs_tc_ingress",
        _ => XDP,
    }
}

fn egress_program(interface: &Interface) -> &'static str {
    if interface.link_layer == LinkLayer::None { "hs_tc_egress_l3" } else { "hs_tc_egress" }
}

/// Whether tc programs are attached by links that go with the process (Linux 6.6).
pub fn has_tcx() -> bool {
    KernelVersion::current().is_ok_and(|version| version >= KernelVersion::new(6, 6, 0))
}

/// The kernel's word, in the user's terms.
fn explain(error: ProgramError) -> anyhow::Error {
    if clsact::lacks_bpf_filters(&error) {
        return anyhow!("this kernel has no BPF filters for tc; load their module: modprobe cls_bpf");
    }
    let number = match &error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        _ => None,
    };
    match number {
        Some(libc::EOPNOTSUPP) => anyhow!("the driver does not support it"),
        Some(libc::EBUSY | libc::EEXIST) => anyhow!("another program is attached there"),
        Some(libc::EPERM) => anyhow!("not permitted; run hs-mon as root"),
        _ => error.into(),
    }
}

/// The XDP program that the interface carries, by name and number.
///
/// # Errors
/// The kernel does not answer.
pub fn xdp_holder(interface: &Interface) -> Result<Option<String>> {
    Ok(interface.xdp_program()?.map(describe_program))
}

/// Name and number of a loaded program.
fn describe_program(id: u32) -> String {
    let info = loaded_programs().flatten().find(|info| info.id() == id);
    match info.as_ref().and_then(|info| info.name_as_str()) {
        Some(name) if !name.is_empty() => format!("`{}` (id {id})", name.escape_default()),
        _ => format!("with id {id}"),
    }
}
