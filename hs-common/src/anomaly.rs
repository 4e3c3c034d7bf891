//! Anomalies of a handshake: stable identifiers, meaning, source and an example, in one table.
//!
//! The order is the order of precedence: a packet is reported under the first rule that applies.

macro_rules! anomalies {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $name:literal, $meaning:literal, $source:literal, $example:literal;)+) => {
        /// A violation of the rules of the three-way handshake, seen in one packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Anomaly {
            $(#[doc = $meaning] $variant = $code,)+
        }

        impl Anomaly {
            /// All anomalies, in order of precedence.
            pub const ALL: &[Anomaly] = &[$(Anomaly::$variant,)+];

            /// The stable identifier, as it stands in `anomaly.event` and `handshake.anomalies`.
            pub const fn name(self) -> &'static str {
                match self { $(Anomaly::$variant => $name,)+ }
            }

            /// What it means, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Anomaly::$variant => $meaning,)+ }
            }

            /// The rule that it breaks: RFC and section.
            pub const fn source(self) -> &'static str {
                match self { $(Anomaly::$variant => $source,)+ }
            }

            /// The shortest trace that shows it (I: initiator, R: responder, A and B: their ISNs).
            pub const fn example(self) -> &'static str {
                match self { $(Anomaly::$variant => $example,)+ }
            }

            /// The anomaly of this code, as it stands in a record from the kernel.
            pub const fn from_code(code: u8) -> Option<Anomaly> {
                match code { $($code => Some(Anomaly::$variant),)+ _ => None }
            }
        }
    };
}

anomalies! {
    TruncatedHeader = 1, "truncated_header",
        "the TCP header does not fit into the IP payload, or its data offset is impossible",
        "RFC 9293 3.1", "I > R  an IP payload of 12 bytes, or data offset 4";
    BadOptionLength = 2, "bad_option_length",
        "a TCP option of a SYN or SYN-ACK has an impossible length",
        "RFC 9293 3.2, RFC 7323, RFC 2018, RFC 7413", "I > R  SYN seq=A  option MSS with length 3";
    DuplicateOption = 3, "duplicate_option",
        "a SYN or SYN-ACK carries MSS, window scale, SACK-permitted or timestamps twice",
        "RFC 9293 3.2", "I > R  SYN seq=A  options MSS 1460, MSS 536";
    WindowScaleOutOfRange = 4, "window_scale_out_of_range",
        "the window scale of a SYN or SYN-ACK is larger than 14",
        "RFC 7323 2.3", "I > R  SYN seq=A  option window scale 15";
    SynFin = 5, "syn_fin",
        "SYN and FIN in one segment",
        "RFC 9293 3.10.7", "I > R  SYN FIN seq=A";
    SynRst = 6, "syn_rst",
        "SYN and RST in one segment",
        "RFC 9293 3.10.7", "I > R  SYN RST seq=A";
    NullScan = 7, "null_scan",
        "none of SYN, ACK, RST and FIN is set",
        "RFC 9293 3.10.7", "I > R  (no flags) seq=A";
    Xmas = 8, "xmas",
        "FIN, PSH and URG without ACK",
        "RFC 9293 3.10.7", "I > R  FIN PSH URG seq=A";
    FinWithoutAck = 9, "fin_without_ack",
        "FIN without ACK",
        "RFC 9293 3.10.7.4", "I > R  FIN seq=A";
    PortZero = 10, "port_zero",
        "the source or destination port is 0",
        "RFC 6335 6", "I:40000 > R:0  SYN seq=A";
    Land = 11, "land",
        "source and destination, address and port, are the same",
        "RFC 4953 2.1, CERT CA-1997-28", "R:80 > R:80  SYN seq=A";
    BadDestination = 12, "bad_destination",
        "TCP sent to a multicast or broadcast address",
        "RFC 9293 3.9.2.3, RFC 1122 4.2.3.10", "I > 224.0.0.1:80  SYN seq=A";
    SynWithData = 13, "syn_with_data",
        "a SYN carries data without the TCP Fast Open option",
        "RFC 7413 4.2", "I > R  SYN seq=A  5 bytes of data";
    SynIsnChanged = 14, "syn_isn_changed",
        "a new SYN with another sequence number on a handshake that has no outcome yet",
        "RFC 9293 3.4.1", "I > R  SYN seq=A; I > R  SYN seq=A+7777";
    SynFromResponder = 15, "syn_from_responder",
        "a SYN by the responder after its SYN-ACK, which is no simultaneous open",
        "RFC 9293 3.5", "I > R  SYN seq=A; R > I  SYN-ACK seq=B ack=A+1; R > I  SYN seq=C";
    SynackWrongAck = 16, "synack_wrong_ack",
        "a SYN-ACK acknowledges something that no remembered SYN of this flow sent",
        "RFC 9293 3.10.7.3", "I > R  SYN seq=A; R > I  SYN-ACK seq=B ack=A+2";
    SynackIsnChanged = 17, "synack_isn_changed",
        "a second SYN-ACK with another sequence number",
        "RFC 9293 3.4.1", "I > R  SYN seq=A; R > I  SYN-ACK seq=B ack=A+1; R > I  SYN-ACK seq=C ack=A+1";
    SynackFromInitiator = 18, "synack_from_initiator",
        "a SYN-ACK by the side that sent the SYN, which is no simultaneous open",
        "RFC 9293 3.5", "I > R  SYN seq=A; I > R  SYN-ACK seq=A ack=X";
    SynackUnsolicited = 19, "synack_unsolicited",
        "a SYN-ACK that answers no SYN: backscatter of a spoofed flood, or a reflection",
        "RFC 9293 3.10.7.1, RFC 4987 2", "R > I  SYN-ACK seq=B ack=X";
    AckWrongSeq = 20, "ack_wrong_seq",
        "the initiator's ACK after the SYN-ACK has a sequence number outside the responder's window",
        "RFC 9293 3.10.7.4", "I > R  SYN seq=A; R > I  SYN-ACK seq=B ack=A+1; I > R  ACK seq=A+1+100000 ack=B+1";
    AckWrongAck = 21, "ack_wrong_ack",
        "the initiator's ACK after the SYN-ACK acknowledges what the responder has not sent",
        "RFC 9293 3.10.7.4", "I > R  SYN seq=A; R > I  SYN-ACK seq=B ack=A+1; I > R  ACK seq=A+1 ack=B+2";
    AckFromResponder = 22, "ack_from_responder",
        "before the handshake is complete the responder acknowledges what the initiator has not sent",
        "RFC 9293 3.10.7.4", "I > R  SYN seq=A; R > I  SYN-ACK seq=B ack=A+1; R > I  ACK seq=B+1 ack=A+500";
    DataBeforeEstablished = 23, "data_before_established",
        "the initiator sends data before the SYN-ACK, without TCP Fast Open",
        "RFC 9293 3.10.2", "I > R  SYN seq=A; I > R  ACK seq=A+1 ack=X  5 bytes of data";
    RstOutOfWindow = 24, "rst_out_of_window",
        "a RST answers a SYN but does not acknowledge it",
        "RFC 9293 3.10.7.3", "I > R  SYN seq=A; R > I  RST-ACK ack=A+2";
    AckUnsolicited = 25, "ack_unsolicited",
        "an ACK, RST or FIN of a flow that was never seen to begin (counted only, never an event)",
        "RFC 9293 3.10.7.1", "I > R  ACK seq=X ack=Y";
}

impl Anomaly {
    /// Codes run from 1 to this.
    pub const MAX_CODE: usize = Anomaly::ALL.len();

    /// The code that crosses the kernel boundary; 0 is never used.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether it is told as an event. `ack_unsolicited` says no more than that a flow is older than the watch, and
    /// is only counted.
    pub const fn is_event(self) -> bool {
        !matches!(self, Anomaly::AckUnsolicited)
    }

    /// Looks an anomaly up by its identifier.
    pub fn from_name(name: &str) -> Option<Anomaly> {
        Anomaly::ALL.iter().copied().find(|anomaly| anomaly.name() == name)
    }
}

/// A set of anomalies, as it is kept with a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct AnomalySet(pub u32);

impl AnomalySet {
    /// Adds one.
    #[inline(always)]
    pub fn insert(&mut self, anomaly: Anomaly) {
        self.0 |= 1 << anomaly.code();
    }

    /// Whether there is none.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The members, in order of precedence.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL.iter().copied().filter(move |anomaly| self.0 & (1 << anomaly.code()) != 0)
    }
}

const _: () = assert!(Anomaly::MAX_CODE < 32, "AnomalySet has 32 bits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_and_names_unique() {
        for (index, anomaly) in Anomaly::ALL.iter().enumerate() {
            assert_eq!(usize::from(anomaly.code()), index + 1);
            assert_eq!(Anomaly::from_code(anomaly.code()), Some(*anomaly));
            assert_eq!(Anomaly::from_name(anomaly.name()), Some(*anomaly));
        }
        assert_eq!(Anomaly::from_code(0), None);
        assert_eq!(Anomaly::from_name("no_such_anomaly"), None);
    }

    #[test]
    fn a_set_lists_its_members_in_order_of_precedence() {
        let mut set = AnomalySet::default();
        assert!(set.is_empty());
        set.insert(Anomaly::AckWrongAck);
        set.insert(Anomaly::SynFin);
        assert!(set.iter().eq([Anomaly::SynFin, Anomaly::AckWrongAck]));
    }
}
