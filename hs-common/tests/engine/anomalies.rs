//! Anomalies of a segment's numbers and place: the shortest trace that shows each, and the nearest
//! legal ones, which must not.

use hs_common::Anomaly::*;
use hs_common::Reason::*;
use hs_common::{HandshakeFlags, Outcome, TcpFlags};

use crate::said::Said;
use crate::trace::{A, B, Trace, aborted, ack, completed, ended, fin, half_open, malformed};
use crate::trace::{rst, rst_ack, segment, syn, synack, trace};

/// SYN and SYN-ACK have passed.
fn answered(name: &'static str) -> Trace {
    trace(name).i(syn(A)).r(synack(B, A + 1))
}

#[test]
fn syn_isn_changed() {
    let changed = Said::numbers(SynIsnChanged, A, A + 1);
    trace("before the answer")
        .i(syn(A))
        .i(syn(A + 1))
        .says(half_open(Superseded))
        .says(changed)
        .after(5.0)
        .says(malformed(SynIsnChanged).isn(A + 1))
        .run();
    answered("before the ACK")
        .i(syn(A + 1))
        .says(half_open(Superseded))
        .says(changed)
        .after(5.0)
        .says(malformed(SynIsnChanged).isn(A + 1))
        .run();
    trace("the same ISN").i(syn(A)).i(syn(A)).after(5.0).says(half_open(NoSynack).again(1, 0)).run();
    trace("after the timeout")
        .i(syn(A))
        .after(5.0)
        .says(half_open(NoSynack))
        .i(syn(A + 1))
        .after(5.0)
        .says(half_open(NoSynack).isn(A + 1))
        .run();
    trace("after a refusal")
        .i(syn(A))
        .r(rst_ack(0, A + 1))
        .says(ended(Outcome::Refused, Rst))
        .i(syn(A + 1))
        .r(rst_ack(0, A + 2))
        .says(ended(Outcome::Refused, Rst).isn(A + 1))
        .run();
    trace("on another port")
        .i(syn(A))
        .after(1.0)
        .i(syn(A + 1).port(40_001))
        .after(4.0)
        .says(half_open(NoSynack))
        .after(1.0)
        .says(half_open(NoSynack).isn(A + 1))
        .run();
}

#[test]
fn syn_from_responder() {
    answered("a SYN with a third ISN")
        .r(syn(B + 9))
        .says(Said::numbers(SynFromResponder, B, B + 9))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).noting(&[SynFromResponder]))
        .run();
    answered("its own SYN, late: a simultaneous open")
        .r(syn(B))
        .i(synack(A, B + 1))
        .says(completed(Simultaneous))
        .run();
    trace("before its SYN-ACK: a simultaneous open")
        .i(syn(A))
        .r(syn(B))
        .after(5.0)
        .says(half_open(NoAck))
        .run();
}

#[test]
fn synack_wrong_ack() {
    let shows = malformed(SynackWrongAck);
    for wrong in [A, A + 2, A.wrapping_sub(1), A + 64_001] {
        trace("none of the SYN's numbers")
            .i(syn(A))
            .r(synack(B, wrong))
            .says(Said::numbers(SynackWrongAck, A + 1, wrong))
            .after(5.0)
            .says(shows)
            .run();
    }
    trace("more than the SYN's data")
        .i(syn(A).tfo().data(10))
        .r(synack(B, A + 12))
        .says(Said::numbers(SynackWrongAck, A + 1, A + 12))
        .r(synack(B, A + 11))
        .i(ack(A + 11, B + 1))
        .says(completed(FastOpen).flags(HandshakeFlags::FAST_OPEN).noting(&[SynackWrongAck]))
        .run();
    for right in [A + 1, A + 5, A + 11] {
        let reason = if right == A + 1 { Normal } else { FastOpen };
        trace("within the SYN's data")
            .i(syn(A).tfo().data(10))
            .r(synack(B, right))
            .i(ack(right, B + 1))
            .says(completed(reason).flags(HandshakeFlags::FAST_OPEN))
            .run();
    }
    answered("after the end, too")
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .r(synack(B, A + 7))
        .says(Said::numbers(SynackWrongAck, A + 1, A + 7))
        .run();
}

#[test]
fn synack_isn_changed() {
    let changed = Said::numbers(SynackIsnChanged, B, B + 5);
    answered("before the ACK")
        .r(synack(B + 5, A + 1))
        .says(changed)
        .i(ack(A + 1, B + 6))
        .says(completed(Normal).answered(B + 5).noting(&[SynackIsnChanged]))
        .run();
    answered("the initiator took the first")
        .r(synack(B + 5, A + 1))
        .says(changed)
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).noting(&[SynackIsnChanged]))
        .run();
    answered("after the ACK")
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .r(synack(B + 5, A + 1))
        .says(changed)
        .run();
    answered("both again")
        .r(synack(B + 5, A + 1))
        .says(changed)
        .r(synack(B, A + 1))
        .r(synack(B + 5, A + 1))
        .after(5.0)
        .says(malformed(SynackIsnChanged).again(0, 1))
        .run();
    answered("the same").r(synack(B, A + 1)).i(ack(A + 1, B + 1)).says(completed(Normal).again(0, 1)).run();
}

#[test]
fn synack_from_initiator() {
    trace("before an answer")
        .i(syn(A))
        .i(synack(A, B + 1))
        .says(SynackFromInitiator)
        .after(5.0)
        .says(malformed(SynackFromInitiator))
        .run();
    answered("after the answer")
        .i(synack(A, B + 1))
        .says(SynackFromInitiator)
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).noting(&[SynackFromInitiator]))
        .run();
    trace("in a simultaneous open")
        .i(syn(A))
        .r(syn(B))
        .i(synack(A, B + 1))
        .r(synack(B, A + 1))
        .says(completed(Simultaneous))
        .i(synack(A, B + 1))
        .run();
    trace("in a simultaneous open, with a wrong ack")
        .i(syn(A))
        .r(syn(B))
        .i(synack(A, B + 2))
        .says(Said::numbers(SynackWrongAck, B + 1, B + 2))
        .after(5.0)
        .says(malformed(SynackWrongAck))
        .run();
    trace("in a simultaneous open, with another ISN")
        .i(syn(A))
        .r(syn(B))
        .i(synack(A + 4, B + 1))
        .says(Said::numbers(SynackIsnChanged, A, A + 4))
        .after(5.0)
        .says(malformed(SynackIsnChanged))
        .run();
}

#[test]
fn synack_unsolicited() {
    trace("no SYN").r(synack(B, A + 1)).says(SynackUnsolicited).run();
    trace("a SYN of another port")
        .i(syn(A).port(40_001))
        .r(synack(B, A + 1))
        .says(SynackUnsolicited)
        .after(5.0)
        .says(half_open(NoSynack))
        .run();
    answered("a handshake within the linger time")
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .after(62.9)
        .r(synack(B, A + 1))
        .run();
    answered("the linger time is over")
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .after(63.0)
        .r(synack(B, A + 1))
        .says(SynackUnsolicited)
        .run();
}

#[test]
fn ack_wrong_seq() {
    let wrong = |actual| Said::numbers(AckWrongSeq, A + 1, actual);
    for seq in [A, A - 5, A + 64_002] {
        answered("outside the window")
            .i(ack(seq, B + 1))
            .says(wrong(seq))
            .after(5.0)
            .says(malformed(AckWrongSeq))
            .run();
    }
    for (seq, flags) in [(A + 1, HandshakeFlags(0)), (A + 64_001, HandshakeFlags::ACK_INFERRED)] {
        answered("at the edges of the window").i(ack(seq, B + 1)).says(completed(Normal).flags(flags)).run();
    }
    trace("the window is the SYN-ACK's")
        .i(syn(A))
        .r(synack(B, A + 1).window(10))
        .i(ack(A + 12, B + 1))
        .says(wrong(A + 12))
        .i(ack(A + 11, B + 1))
        .says(completed(Normal).flags(HandshakeFlags::ACK_INFERRED).noting(&[AckWrongSeq]))
        .run();
    trace("Fast Open: the window begins behind what the SYN-ACK acknowledged")
        .i(syn(A).tfo().data(1000))
        .r(synack(B, A + 1001).window(100))
        .i(ack(A + 1101, B + 1))
        .says(completed(FastOpen).flags(HandshakeFlags::FAST_OPEN).flags(HandshakeFlags::ACK_INFERRED))
        .run();
}

#[test]
fn ack_wrong_ack() {
    let wrong = |actual| Said::numbers(AckWrongAck, B + 1, actual);
    for number in [B, B + 2, B - 900, B + 64_000] {
        answered("neither B+1 nor explained")
            .i(ack(A + 1, number))
            .says(wrong(number))
            .i(ack(A + 1, B + 1))
            .says(completed(Normal).noting(&[AckWrongAck]))
            .run();
    }
    answered("more than the responder's data explains")
        .r(ack(B + 1, A + 1).data(20))
        .i(ack(A + 1, B + 22))
        .says(wrong(B + 22))
        .after(5.0)
        .says(malformed(AckWrongAck))
        .run();
    answered("a part of the responder's data")
        .r(ack(B + 1, A + 1).data(20))
        .i(ack(A + 1, B + 11))
        .says(completed(Normal).flags(HandshakeFlags::ACK_INFERRED))
        .run();
    trace("the SYN-ACK's data may be left unread")
        .i(syn(A))
        .r(synack(B, A + 1).data(4))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .run();
}

#[test]
fn ack_from_responder() {
    let wrong = |actual| Said::numbers(AckFromResponder, A + 1, actual);
    for number in [A, A + 2, A + 500] {
        answered("what the initiator has not sent")
            .r(ack(B + 1, number))
            .says(wrong(number))
            .i(ack(A + 1, B + 1))
            .says(completed(Normal).noting(&[AckFromResponder]))
            .run();
    }
    answered("a FIN, too")
        .r(fin(B + 1, A + 3))
        .says(wrong(A + 3))
        .after(5.0)
        .says(malformed(AckFromResponder))
        .run();
    answered("what the initiator has sent")
        .r(ack(B + 1, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .run();
    answered("what came with a wrong ACK was sent, too")
        .i(ack(A + 1, B + 9).data(120))
        .says(Said::numbers(AckWrongAck, B + 1, B + 9))
        .r(ack(B + 1, A + 121))
        .r(ack(B + 1, A + 122))
        .says(wrong(A + 122))
        .after(5.0)
        .says(malformed(AckWrongAck).noting(&[AckFromResponder]))
        .run();
    trace("Fast Open: within the SYN's data")
        .i(syn(A).tfo().data(10))
        .r(synack(B, A + 1))
        .r(ack(B + 1, A + 11))
        .i(ack(A + 11, B + 1))
        .says(completed(Normal).flags(HandshakeFlags::FAST_OPEN))
        .run();
    trace("before the SYN-ACK it may be a challenge ACK")
        .i(syn(A))
        .r(ack(B + 1, A + 500))
        .after(5.0)
        .says(half_open(NoSynack))
        .run();
}

#[test]
fn data_before_established() {
    trace("no SYN-ACK yet")
        .i(syn(A))
        .i(ack(A + 1, B + 1).data(1))
        .says(DataBeforeEstablished)
        .after(5.0)
        .says(malformed(DataBeforeEstablished))
        .run();
    trace("with Fast Open")
        .i(syn(A).tfo())
        .i(ack(A + 1, 0).data(1))
        .after(5.0)
        .says(ended(Outcome::Unverified, SynackUnseen).flags(HandshakeFlags::FAST_OPEN))
        .run();
    answered("after the SYN-ACK").i(ack(A + 1, B + 1).data(1)).says(completed(Normal)).run();
}

#[test]
fn rst_out_of_window() {
    let wrong = |actual| Said::numbers(RstOutOfWindow, A + 1, actual);
    for number in [A, A + 2] {
        trace("another ack")
            .i(syn(A))
            .r(rst_ack(0, number))
            .says(wrong(number))
            .r(synack(B, A + 1))
            .i(ack(A + 1, B + 1))
            .says(completed(Normal).noting(&[RstOutOfWindow]))
            .run();
    }
    trace("no ack")
        .i(syn(A))
        .r(segment(TcpFlags::RST, B, A + 1))
        .says(wrong(A + 1))
        .after(5.0)
        .says(malformed(RstOutOfWindow))
        .run();
    trace("RST that acks the SYN").i(syn(A)).r(rst_ack(0, A + 1)).says(ended(Outcome::Refused, Rst)).run();
    answered("after the SYN-ACK it answers something else")
        .i(ack(A + 1, B + 900))
        .says(Said::numbers(AckWrongAck, B + 1, B + 900))
        .r(rst(B + 900_000))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).noting(&[AckWrongAck]))
        .run();
    answered("the responder resets").r(rst(B + 1)).says(aborted(ResponderRst)).run();
}

#[test]
fn ack_unsolicited() {
    trace("a flow older than hs-mon")
        .i(ack(A + 100, B + 100))
        .r(ack(B + 100, A + 200))
        .r(fin(B + 100, A + 200))
        .i(rst(A + 200))
        .unsolicited(4)
        .run();
    answered("a flow that was seen to begin")
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .i(ack(A + 9, B + 9))
        .run();
}
