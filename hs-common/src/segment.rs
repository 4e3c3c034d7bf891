//! A TCP segment as the engine sees it: the fields that a handshake is judged by, in host order.

use crate::{Addr, Anomaly};

/// The TCP flags, nine bits: CWR and ECE (RFC 3168), AE above them (RFC 9768).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: TcpFlags = TcpFlags(0x001);
    /// Synchronise sequence numbers.
    pub const SYN: TcpFlags = TcpFlags(0x002);
    /// Reset the connection.
    pub const RST: TcpFlags = TcpFlags(0x004);
    /// Push.
    pub const PSH: TcpFlags = TcpFlags(0x008);
    /// The acknowledgment field is significant.
    pub const ACK: TcpFlags = TcpFlags(0x010);
    /// The urgent pointer is significant.
    pub const URG: TcpFlags = TcpFlags(0x020);
    /// ECN echo.
    pub const ECE: TcpFlags = TcpFlags(0x040);
    /// Congestion window reduced.
    pub const CWR: TcpFlags = TcpFlags(0x080);

    /// Both sets together.
    pub const fn with(self, other: TcpFlags) -> TcpFlags {
        TcpFlags(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    #[inline(always)]
    pub const fn contains(self, other: TcpFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// SYN without ACK.
    #[inline(always)]
    pub const fn is_syn(self) -> bool {
        self.0 & (Self::SYN.0 | Self::ACK.0) == Self::SYN.0
    }

    /// SYN with ACK.
    #[inline(always)]
    pub const fn is_synack(self) -> bool {
        self.contains(TcpFlags(Self::SYN.0 | Self::ACK.0))
    }
}

/// Up to two VLAN tags, outer first: the VLAN identifier with [`VlanTags::PRESENT`], or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct VlanTags(pub [u16; 2]);

impl VlanTags {
    /// Untagged.
    pub const NONE: VlanTags = VlanTags([0; 2]);
    /// Tells a priority tag (identifier 0, IEEE 802.1Q 9.6) from no tag.
    pub const PRESENT: u16 = 0x8000;

    /// One more tag, inside those there are; a third is dropped by the caller as an error.
    #[inline(always)]
    pub const fn push(self, tci: u16) -> VlanTags {
        let tag = tci & 0x0fff | Self::PRESENT;
        if self.0[0] == 0 { VlanTags([tag, 0]) } else { VlanTags([self.0[0], tag]) }
    }

    /// A tag that hardware took off, outside those in the frame.
    #[inline(always)]
    pub const fn push_outer(self, tci: u16) -> VlanTags {
        VlanTags([tci & 0x0fff | Self::PRESENT, self.0[0]])
    }

    /// The identifiers, outer first.
    pub fn ids(self) -> impl Iterator<Item = u16> {
        self.0.into_iter().filter(|tag| tag & Self::PRESENT != 0).map(|tag| tag & 0x0fff)
    }
}

/// One TCP segment. Of a truncated header (`fault`), the fields that did not fit are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number, as it stands there even without ACK.
    pub ack: u32,
    /// Bytes of payload.
    pub payload: u32,
    /// Advertised window, unscaled, in bytes.
    pub window: u16,
    /// Flags.
    pub flags: TcpFlags,
    /// VLAN tags of the packet.
    pub vlan: VlanTags,
    /// TTL (IPv4) or hop limit (IPv6).
    pub ttl: u8,
    /// On a SYN: 1 if it carries a TCP Fast Open option (RFC 7413), with or without cookie.
    pub fast_open: u8,
    /// Code of the anomaly found in the header or the options, or 0.
    pub fault: u8,
}

impl Segment {
    /// All zero: a place to start from.
    pub const EMPTY: Segment = Segment {
        src: Addr { high: 0, low: 0 },
        dst: Addr { high: 0, low: 0 },
        src_port: 0,
        dst_port: 0,
        seq: 0,
        ack: 0,
        payload: 0,
        window: 0,
        flags: TcpFlags(0),
        vlan: VlanTags::NONE,
        ttl: 0,
        fast_open: 0,
        fault: 0,
    };

    /// The anomaly found while parsing.
    pub const fn fault(&self) -> Option<Anomaly> {
        Anomaly::from_code(self.fault)
    }
}

/// Why a packet holds no segment for the engine. Counted by reason, so that nothing is lost unseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Unparsed {
    /// Neither IPv4 nor IPv6 (ARP, LLDP, …).
    NotIp = 1,
    /// IP, but not TCP.
    NotTcp = 2,
    /// A fragment other than the first: the TCP header is elsewhere.
    LaterFragment = 3,
    /// A tunnel (GRE, IP in IP, VXLAN, Geneve): counted, not opened.
    Tunnel = 4,
    /// The frame ends inside the link-layer header.
    ShortFrame = 5,
    /// More than two VLAN tags.
    VlanTooDeep = 6,
    /// The IP version does not match, or the header length is impossible.
    BadIpHeader = 7,
    /// The frame ends before the IP header or the bytes that it promises for the TCP header.
    IpTruncated = 8,
    /// More IPv6 extension headers than are followed.
    TooManyExtensionHeaders = 9,
    /// The headers lie outside the linear part of the packet.
    NotLinear = 10,
}

impl Unparsed {
    /// All reasons.
    pub const ALL: &[Unparsed] = &[
        Unparsed::NotIp,
        Unparsed::NotTcp,
        Unparsed::LaterFragment,
        Unparsed::Tunnel,
        Unparsed::ShortFrame,
        Unparsed::VlanTooDeep,
        Unparsed::BadIpHeader,
        Unparsed::IpTruncated,
        Unparsed::TooManyExtensionHeaders,
        Unparsed::NotLinear,
    ];
    /// Codes run from 1 to this.
    pub const MAX_CODE: usize = Unparsed::ALL.len();

    /// The index into the totals.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether the packet is broken or beyond the parser, and not just of no interest.
    pub const fn is_error(self) -> bool {
        self.code() >= Unparsed::ShortFrame.code()
    }

    /// The identifier, as it stands in `stats`.
    pub const fn name(self) -> &'static str {
        match self {
            Unparsed::NotIp => "not_ip",
            Unparsed::NotTcp => "not_tcp",
            Unparsed::LaterFragment => "later_fragment",
            Unparsed::Tunnel => "tunnel",
            Unparsed::ShortFrame => "short_frame",
            Unparsed::VlanTooDeep => "vlan_too_deep",
            Unparsed::BadIpHeader => "bad_ip_header",
            Unparsed::IpTruncated => "ip_truncated",
            Unparsed::TooManyExtensionHeaders => "too_many_extension_headers",
            Unparsed::NotLinear => "not_linear",
        }
    }
}
