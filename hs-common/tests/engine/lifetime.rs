//! Late completion, superseding, reopening, lingering, reuse and reversal.

use hs_common::Anomaly::*;
use hs_common::Reason::*;
use hs_common::{HandshakeFlags, Outcome};

use crate::said::Said;
use crate::trace::{A, B, Side, aborted, ack, completed, ended, fin, half_open, malformed};
use crate::trace::{rst, rst_ack, syn, synack, trace};

const LATE: HandshakeFlags = HandshakeFlags::LATE;

#[test]
fn late_completion() {
    trace("the ACK comes after the timeout")
        .i(syn(A))
        .r(synack(B, A + 1))
        .after(5.0)
        .says(half_open(NoAck))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(LATE))
        .run();
    trace("once, not twice")
        .i(syn(A))
        .r(synack(B, A + 1))
        .after(5.0)
        .says(half_open(NoAck))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(LATE))
        .i(ack(A + 1, B + 1))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .run();
    trace("the SYN-ACK and the ACK come after the timeout")
        .i(syn(A))
        .after(5.0)
        .says(half_open(NoSynack))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(LATE))
        .run();
    trace("the SYN-ACK of an unverified one comes after the timeout")
        .i(syn(A))
        .i(ack(A + 1, B + 1))
        .after(5.0)
        .says(ended(Outcome::Unverified, SynackUnseen))
        .r(synack(B, A + 1))
        .says(completed(Normal).flags(LATE).flags(HandshakeFlags::REORDERED))
        .run();
    trace("a malformed one")
        .i(syn(A))
        .r(synack(B, A + 2))
        .says(Said::numbers(SynackWrongAck, A + 1, A + 2))
        .after(5.0)
        .says(malformed(SynackWrongAck))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(LATE).noting(&[SynackWrongAck]))
        .run();
    trace("the responder's FIN and, late, the ACK")
        .i(syn(A))
        .r(synack(B, A + 1))
        .r(fin(B + 1, A + 1))
        .after(5.0)
        .says(aborted(Fin))
        .i(ack(A + 1, B + 2))
        .says(completed(Normal).flags(LATE).flags(HandshakeFlags::ACK_INFERRED))
        .run();
    trace("only a completion is reported again")
        .i(syn(A))
        .r(synack(B, A + 1))
        .after(5.0)
        .says(half_open(NoAck))
        .r(rst(B + 1))
        .i(rst(A + 1))
        .run();
}

#[test]
fn patience_of_63_seconds() {
    trace("after the last SYN-ACK")
        .i(syn(A))
        .after(1.0)
        .r(synack(B, A + 1))
        .after(4.0)
        .says(half_open(NoAck))
        .after(58.9)
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(LATE))
        .run();
    trace("each SYN-ACK begins it anew")
        .i(syn(A))
        .after(5.0)
        .says(half_open(NoSynack))
        .after(50.0)
        .r(synack(B, A + 1))
        .after(50.0)
        .r(synack(B, A + 1))
        .after(62.9)
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(LATE).again(0, 1))
        .run();
    trace("it is over")
        .i(syn(A))
        .r(synack(B, A + 1))
        .after(5.0)
        .says(half_open(NoAck))
        .after(58.0)
        .i(ack(A + 1, B + 1))
        .unsolicited(1)
        .run();
    trace("then the same SYN begins another handshake")
        .i(syn(A))
        .after(5.0)
        .says(half_open(NoSynack))
        .after(58.1)
        .i(syn(A))
        .after(5.0)
        .says(half_open(NoSynack))
        .run();
}

#[test]
fn superseded() {
    let changed = Said::numbers(SynIsnChanged, A, A + 7000);
    let noting = |said: Said| said.noting(&[SynIsnChanged]);
    trace("the answer is to the old SYN, and the initiator takes it")
        .i(syn(A))
        .i(syn(A + 7000))
        .says(half_open(Superseded))
        .says(changed)
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(noting(completed(Normal)))
        .run();
    trace("both are answered, first the old one; the initiator takes the new one")
        .i(syn(A))
        .i(syn(A + 7000))
        .says(half_open(Superseded))
        .says(changed)
        .r(synack(B, A + 1))
        .r(synack(B + 900, A + 7001))
        .i(ack(A + 7001, B + 901))
        .says(noting(completed(Normal)).isn(A + 7000).answered(B + 900))
        .run();
    trace("both are answered, first the new one; the initiator takes it")
        .i(syn(A))
        .i(syn(A + 7000))
        .says(half_open(Superseded))
        .says(changed)
        .r(synack(B + 900, A + 7001))
        .r(synack(B, A + 1))
        .i(ack(A + 7001, B + 901))
        .says(noting(completed(Normal)).isn(A + 7000).answered(B + 900))
        .run();
    trace("the initiator rejects the answer to the old one (RFC 9293 figure 8)")
        .i(syn(A))
        .i(syn(A + 7000))
        .says(half_open(Superseded))
        .says(changed)
        .r(synack(B, A + 1))
        .i(rst(A + 1))
        .r(synack(B + 900, A + 7001))
        .i(ack(A + 7001, B + 901))
        .says(noting(completed(Normal)).isn(A + 7000).answered(B + 900))
        .run();
    trace("a late copy of the old SYN changes nothing")
        .i(syn(A))
        .i(syn(A + 7000))
        .says(half_open(Superseded))
        .says(changed)
        .i(syn(A))
        .r(synack(B, A + 7001))
        .i(ack(A + 7001, B + 1))
        .says(noting(completed(Normal)).isn(A + 7000))
        .run();
    trace("an old connection's duplicate SYN, all of it near the responder (RFC 9293 figure 8)")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(rst(A + 1))
        .says(aborted(InitiatorRst))
        .i(syn(A + 7000))
        .r(synack(B + 900, A + 7001))
        .i(ack(A + 7001, B + 901))
        .says(completed(Normal).isn(A + 7000).answered(B + 900))
        .run();
    trace("the old one is refused, the new one answered")
        .i(syn(A))
        .i(syn(A + 7000))
        .says(half_open(Superseded))
        .says(changed)
        .r(rst_ack(0, A + 1))
        .r(synack(B, A + 7001))
        .i(ack(A + 7001, B + 1))
        .says(noting(completed(Normal)).isn(A + 7000))
        .run();
}

#[test]
fn reopened() {
    let refused = ended(Outcome::Refused, Rst);
    trace("Windows tries a refused SYN twice more")
        .i(syn(A))
        .r(rst_ack(0, A + 1))
        .says(refused)
        .after(0.5)
        .i(syn(A))
        .r(rst_ack(0, A + 1))
        .after(0.5)
        .i(syn(A))
        .r(rst_ack(0, A + 1))
        .run();
    trace("and is heard at last")
        .i(syn(A))
        .r(rst_ack(0, A + 1))
        .says(refused)
        .after(0.5)
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .run();
    trace("heard, but never acknowledged")
        .i(syn(A))
        .r(rst_ack(0, A + 1))
        .says(refused)
        .after(0.5)
        .i(syn(A))
        .after(0.5)
        .r(synack(B, A + 1))
        .after(4.5)
        .says(half_open(NoAck))
        .run();
}

#[test]
fn port_reuse() {
    trace("at once, by another connection")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .i(syn(A + 7000))
        .r(rst_ack(0, A + 7001))
        .says(ended(Outcome::Refused, Rst).isn(A + 7000))
        .i(syn(A + 9000))
        .after(5.0)
        .says(half_open(NoSynack).isn(A + 9000))
        .run();
    trace("after an abort")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(rst(A + 1))
        .says(aborted(InitiatorRst))
        .i(syn(A + 7000))
        .r(synack(B + 7, A + 7001))
        .i(ack(A + 7001, B + 8))
        .says(completed(Normal).isn(A + 7000).answered(B + 7))
        .run();
}

#[test]
fn role_reversal() {
    trace("the other side opens the next connection on the tuple")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).by(Side::I))
        .r(syn(B + 7000))
        .i(synack(A + 9000, B + 7001))
        .r(ack(B + 7001, A + 9001))
        .says(completed(Normal).by(Side::R).isn(B + 7000).answered(A + 9000))
        .run();
    trace("after a refusal")
        .i(syn(A))
        .r(rst_ack(0, A + 1))
        .says(ended(Outcome::Refused, Rst))
        .r(syn(B))
        .i(synack(A + 9000, B + 1))
        .r(ack(B + 1, A + 9001))
        .says(completed(Normal).by(Side::R).isn(B).answered(A + 9000))
        .run();
}

/// The machine was suspended, or a virtual one stood still, and CLOCK_MONOTONIC went on as if nothing had been, or leapt:
/// what waited that long has timed out, and what begins afterwards is judged by its own times.
#[test]
fn a_leap_of_an_hour() {
    trace("between SYN and SYN-ACK: it had ended, and what begins then is as ever")
        .i(syn(A))
        .after(3600.0)
        .says(half_open(NoSynack))
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .run();
    trace("between SYN-ACK and ACK: it had ended, and the ACK comes too late")
        .i(syn(A))
        .r(synack(B, A + 1))
        .after(3600.0)
        .says(half_open(NoAck))
        .i(ack(A + 1, B + 1))
        .unsolicited(1)
        .run();
    trace("after the end: nothing is told twice")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .after(3600.0)
        .i(ack(A + 1, B + 1))
        .run();
}
