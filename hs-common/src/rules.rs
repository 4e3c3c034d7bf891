//! The rules that need no state: what one segment alone can break.

use crate::{Anomaly, Segment, TcpFlags};

/// What a segment may do after the stateless rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may begin or change a handshake.
    Legal,
    /// It is an anomaly that must never begin or change a handshake.
    Illegal,
}

/// The flags that a handshake is made of.
const CONTROL: u16 = TcpFlags::SYN.0 | TcpFlags::ACK.0 | TcpFlags::RST.0 | TcpFlags::FIN.0;

/// Applies the rules in order of precedence; the first one that is broken stays in `segment.fault`.
#[inline(always)]
pub fn inspect(segment: &mut Segment) -> Verdict {
    if segment.fault == Anomaly::TruncatedHeader.code() {
        return Verdict::Illegal;
    }
    if segment.flags.0 & CONTROL != TcpFlags::ACK.0
        && let Some(anomaly) = illegal_flags(segment.flags)
    {
        return illegal(segment, anomaly);
    }
    if segment.src_port == 0 || segment.dst_port == 0 {
        blame(segment, Anomaly::PortZero);
    }
    if segment.src_port == segment.dst_port && segment.src == segment.dst {
        blame(segment, Anomaly::Land);
    }
    if segment.dst.is_multicast_or_broadcast() {
        blame(segment, Anomaly::BadDestination);
    }
    if segment.flags.is_syn() && segment.payload > 0 && segment.fast_open == 0 {
        blame(segment, Anomaly::SynWithData);
    }
    Verdict::Legal
}

#[inline(always)]
fn illegal_flags(flags: TcpFlags) -> Option<Anomaly> {
    let xmas = TcpFlags::FIN.with(TcpFlags::PSH).with(TcpFlags::URG);
    if flags.contains(TcpFlags::SYN) {
        if flags.contains(TcpFlags::FIN) {
            return Some(Anomaly::SynFin);
        }
        return flags.contains(TcpFlags::RST).then_some(Anomaly::SynRst);
    }
    if flags.0 & CONTROL == 0 {
        return Some(Anomaly::NullScan);
    }
    if flags.contains(TcpFlags::FIN) && !flags.contains(TcpFlags::ACK) {
        return Some(if flags.contains(xmas) { Anomaly::Xmas } else { Anomaly::FinWithoutAck });
    }
    None
}

#[inline(always)]
fn illegal(segment: &mut Segment, anomaly: Anomaly) -> Verdict {
    blame(segment, anomaly);
    Verdict::Illegal
}

#[inline(always)]
fn blame(segment: &mut Segment, anomaly: Anomaly) {
    if segment.fault == 0 {
        segment.fault = anomaly.code();
    }
}
