//! How a handshake ends: outcomes, their reasons, and the flags that qualify them.

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $name:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $type { $($(#[$vdoc])* $variant = $code,)+ }

        impl $type {
            /// All values, in order of their codes.
            pub const ALL: &[$type] = &[$($type::$variant,)+];

            /// The stable identifier, as it stands in the output.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name,)+ }
            }

            /// The code that crosses the kernel boundary; 0 is never used.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value of a code, as it stands in a record from the kernel.
            #[inline(always)]
            pub const fn from_code(code: u8) -> Option<$type> {
                match code { $($code => Some($type::$variant),)+ _ => None }
            }

            /// Looks a value up by its identifier.
            pub fn from_name(name: &str) -> Option<$type> {
                $type::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

codes! {
    /// Every tracked handshake ends in exactly one of these.
    Outcome {
        /// SYN, SYN-ACK and ACK passed, and the numbers prove it.
        Completed = 1, "completed";
        /// SYN and the initiator's ACK passed, but no SYN-ACK: only one direction is visible.
        Unverified = 2, "unverified";
        /// The responder answered the SYN with a RST that acknowledges it.
        Refused = 3, "refused";
        /// RST or FIN after the SYN-ACK and before the completing ACK.
        Aborted = 4, "aborted";
        /// The timeout passed, or the state was lost.
        HalfOpen = 5, "half_open";
        /// Would be half-open, unverified or aborted, but an anomaly was seen on the flow.
        Malformed = 6, "malformed";
    }
}

codes! {
    /// Why a handshake ended as it did.
    Reason {
        /// Completed by the plain exchange.
        Normal = 1, "normal";
        /// Completed with data in the SYN, accepted by the responder (RFC 7413).
        FastOpen = 2, "fast_open";
        /// Completed as a simultaneous open (RFC 9293 fig. 7).
        Simultaneous = 3, "simultaneous";
        /// No SYN-ACK passed here, though the initiator acknowledged one.
        SynackUnseen = 4, "synack_unseen";
        /// Refused by a RST.
        Rst = 5, "rst";
        /// Aborted by the initiator's RST.
        InitiatorRst = 6, "initiator_rst";
        /// Aborted by the responder's RST.
        ResponderRst = 7, "responder_rst";
        /// Aborted by a FIN.
        Fin = 8, "fin";
        /// Nothing answered the SYN.
        NoSynack = 9, "no_synack";
        /// The SYN-ACK was never acknowledged: what a SYN flood leaves.
        NoAck = 10, "no_ack";
        /// A SYN with a new ISN on the same tuple began another handshake.
        Superseded = 11, "superseded";
        /// The flow table was full and this was its oldest handshake.
        Evicted = 12, "evicted";
        /// hs-mon or the capture ended first.
        Shutdown = 13, "shutdown";
        /// Malformed: the first anomaly's name takes the place of the reason.
        FirstAnomaly = 14, "first_anomaly";
    }
}

codes! {
    /// Where the handshake came from, as seen by the watched host.
    Path {
        /// The SYN came in by the interface.
        Inbound = 1, "inbound";
        /// The SYN went out by the interface.
        Outbound = 2, "outbound";
        /// Both directions were seen at the same hook: a mirror port, a bridge, loopback, a capture.
        Transit = 3, "transit";
    }
}

macro_rules! flags {
    ($($(#[$doc:meta])* $const:ident = $bit:literal, $name:literal;)+) => {
        impl HandshakeFlags {
            $($(#[$doc])* pub const $const: HandshakeFlags = HandshakeFlags(1 << $bit);)+
            /// All flags with their identifiers, in the order in which they are printed.
            pub const NAMES: &[(HandshakeFlags, &str)] = &[$((HandshakeFlags::$const, $name),)+];
        }
    };
}

/// What qualifies an outcome: a set of the constants below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct HandshakeFlags(pub u16);

flags! {
    /// Completed after it was reported half-open.
    LATE = 0, "late";
    /// The SYN carried a TCP Fast Open option.
    FAST_OPEN = 1, "fast_open";
    /// The SYN negotiated ECN (ECE and CWR, RFC 3168 6.1.1).
    ECN = 2, "ecn";
    /// The completing ACK itself was not seen; a later segment proves it.
    ACK_INFERRED = 3, "ack_inferred";
    /// The completing ACK passed here before the SYN-ACK did.
    REORDERED = 4, "reordered";
}

impl HandshakeFlags {
    /// Whether all of `flags` are set.
    #[inline(always)]
    pub const fn contains(self, flags: HandshakeFlags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Sets `flags`.
    #[inline(always)]
    pub fn insert(&mut self, flags: HandshakeFlags) {
        self.0 |= flags.0;
    }

    /// The identifiers of the flags that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_map_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_code(outcome.code()), Some(*outcome));
            assert_eq!(Outcome::from_name(outcome.name()), Some(*outcome));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!(Outcome::from_code(0), None);
        assert_eq!(Path::from_code(9), None);
    }

    #[test]
    fn flags_are_printed_by_name() {
        let mut flags = HandshakeFlags::default();
        flags.insert(HandshakeFlags::ECN);
        flags.insert(HandshakeFlags::LATE);
        assert!(flags.names().eq(["late", "ecn"]));
    }
}
