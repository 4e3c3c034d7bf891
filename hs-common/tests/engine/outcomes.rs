//! Every outcome with every reason.

use hs_common::Anomaly::*;
use hs_common::Reason::*;
use hs_common::{Config, HandshakeFlags, Outcome, TcpFlags};

use crate::said::Said;
use crate::trace::{A, B, Side, aborted, ack, completed, ended, fin, half_open, malformed};
use crate::trace::{rst, rst_ack, segment, syn, synack, trace};

#[test]
fn completed_normal() {
    let opened = |name| trace(name).i(syn(A)).r(synack(B, A + 1));
    opened("plain").i(ack(A + 1, B + 1)).says(completed(Normal)).run();
    opened("the ACK carries data").i(ack(A + 1, B + 1).data(100)).says(completed(Normal)).run();
    opened("the ACK carries a FIN").i(fin(A + 1, B + 1)).says(completed(Normal)).run();
    opened("nothing after it counts")
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .r(ack(B + 1, A + 1).data(5))
        .i(ack(A + 700_000, B + 700_000))
        .r(fin(B + 6, A + 1))
        .i(rst(A + 1))
        .run();
    trace("ECN")
        .i(syn(A).with(TcpFlags::ECE).with(TcpFlags::CWR))
        .r(synack(B, A + 1).with(TcpFlags::ECE))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(HandshakeFlags::ECN))
        .run();
}

#[test]
fn completed_inferred() {
    let opened = |name| trace(name).i(syn(A)).r(synack(B, A + 1));
    let inferred = completed(Normal).flags(HandshakeFlags::ACK_INFERRED);
    opened("the ACK and the first data are lost").i(ack(A + 101, B + 1).data(5)).says(inferred).run();
    opened("the responder's data explains the ACK")
        .r(ack(B + 1, A + 1).data(20))
        .i(ack(A + 1, B + 21))
        .says(inferred)
        .run();
    opened("the responder's FIN counts as one")
        .r(fin(B + 1, A + 1))
        .i(ack(A + 1, B + 2))
        .says(inferred)
        .run();
    opened("both are past their start").i(ack(A + 101, B + 300)).says(inferred).run();
}

#[test]
fn completed_fast_open() {
    let tfo = HandshakeFlags::FAST_OPEN;
    let opened = |name| trace(name).i(syn(A).tfo().data(10));
    opened("the data is accepted")
        .r(synack(B, A + 11))
        .i(ack(A + 11, B + 1))
        .says(completed(FastOpen).flags(tfo))
        .run();
    opened("a part of the data is accepted")
        .r(synack(B, A + 6))
        .i(ack(A + 6, B + 1).data(5))
        .says(completed(FastOpen).flags(tfo))
        .run();
    opened("the data is not accepted")
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1).data(10))
        .says(completed(Normal).flags(tfo))
        .run();
    trace("a cookie is asked for")
        .i(syn(A).tfo())
        .r(synack(B, A + 1).tfo())
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(tfo))
        .run();
    opened("the SYN-ACK carries data")
        .r(synack(B, A + 11).data(30))
        .i(ack(A + 11, B + 31))
        .says(completed(FastOpen).flags(tfo))
        .run();
    opened("the responder answers at length before the ACK")
        .r(synack(B, A + 11))
        .r(ack(B + 1, A + 11).data(1000))
        .r(ack(B + 1001, A + 11).data(1000))
        .i(ack(A + 11, B + 2001))
        .says(completed(FastOpen).flags(tfo).flags(HandshakeFlags::ACK_INFERRED))
        .run();
    opened("the initiator goes on sending before the SYN-ACK")
        .i(ack(A + 11, 0).data(100))
        .r(synack(B, A + 11))
        .i(ack(A + 111, B + 1).data(100))
        .says(completed(FastOpen).flags(tfo).flags(HandshakeFlags::ACK_INFERRED))
        .run();
}

#[test]
fn completed_simultaneous() {
    trace("RFC 9293 figure 7")
        .i(syn(A))
        .r(syn(B))
        .i(synack(A, B + 1))
        .r(synack(B, A + 1))
        .says(completed(Simultaneous))
        .run();
    trace("the SYN-ACKs the other way round")
        .i(syn(A))
        .r(syn(B))
        .r(synack(B, A + 1))
        .i(synack(A, B + 1))
        .says(completed(Simultaneous))
        .run();
    trace("plain ACKs instead of SYN-ACKs (RFC 793 figure 8)")
        .i(syn(A))
        .r(syn(B))
        .i(ack(A + 1, B + 1))
        .r(ack(B + 1, A + 1))
        .says(completed(Simultaneous))
        .run();
    trace("the responder's SYN-ACK is lost and data takes its place")
        .i(syn(A))
        .r(syn(B))
        .i(synack(A, B + 1))
        .r(ack(B + 1, A + 1).data(7))
        .says(completed(Simultaneous))
        .run();
    trace("the initiator's SYN-ACK is lost and an ACK of data takes its place")
        .i(syn(A))
        .r(syn(B))
        .r(synack(B, A + 1))
        .r(ack(B + 1, A + 1).data(7))
        .i(ack(A + 1, B + 8))
        .says(completed(Simultaneous))
        .run();
}

#[test]
fn completed_split() {
    trace("ACK, then SYN")
        .i(syn(A))
        .r(ack(B, A + 1))
        .r(syn(B))
        .i(synack(A, B + 1))
        .says(completed(Simultaneous))
        .r(ack(B + 1, A + 1))
        .run();
    trace("with Fast Open, and a wrong ACK of the initiator")
        .i(syn(A).tfo().data(9))
        .r(ack(B, A + 1))
        .r(syn(B))
        .i(ack(A + 1, B + 2))
        .says(Said::numbers(AckWrongAck, B + 1, B + 2))
        .i(synack(A, B + 1))
        .says(completed(Simultaneous).flags(HandshakeFlags::FAST_OPEN).noting(&[AckWrongAck]))
        .run();
    trace("SYN alone; its SYN-ACK is answered by an ACK")
        .i(syn(A))
        .r(syn(B))
        .i(synack(A, B + 1))
        .r(ack(B + 1, A + 1))
        .says(completed(Simultaneous))
        .run();
}

#[test]
fn unverified() {
    let unverified = ended(Outcome::Unverified, SynackUnseen);
    trace("one direction")
        .i(syn(A))
        .i(ack(A + 1, B + 1))
        .i(ack(A + 1, B + 1).data(100))
        .i(ack(A + 101, B + 900))
        .after(5.0)
        .says(unverified)
        .run();
    trace("the ACK carries a FIN").i(syn(A)).i(fin(A + 1, B + 1)).after(5.0).says(unverified).run();
    trace("not before the timeout")
        .i(syn(A))
        .i(ack(A + 1, B + 1))
        .after(4.9)
        .r(synack(B, A + 1))
        .says(completed(Normal).flags(HandshakeFlags::REORDERED))
        .run();
    trace("an ACK elsewhere proves nothing")
        .i(syn(A))
        .i(ack(A + 2, B + 1))
        .after(5.0)
        .says(half_open(NoSynack))
        .run();
}

#[test]
fn refused() {
    let refused = ended(Outcome::Refused, Rst);
    trace("RST").i(syn(A)).r(rst_ack(0, A + 1)).says(refused).run();
    trace("RST that acks the SYN's data")
        .i(syn(A).tfo().data(10))
        .r(rst_ack(0, A + 11))
        .says(refused.flags(HandshakeFlags::FAST_OPEN))
        .run();
    trace("a refused one lists its anomalies")
        .i(syn(A).data(10))
        .says(SynWithData)
        .r(rst_ack(0, A + 11))
        .says(refused.noting(&[SynWithData]))
        .run();
}

#[test]
fn aborted_by_rst() {
    let opened = |name| trace(name).i(syn(A)).r(synack(B, A + 1));
    opened("a SYN scan").i(rst(A + 1)).says(aborted(InitiatorRst)).run();
    opened("RST with ACK").i(rst_ack(A + 1, B + 1)).says(aborted(InitiatorRst)).run();
    opened("the responder resets").r(rst_ack(B + 1, A + 1)).says(aborted(ResponderRst)).run();
    opened("the responder resets without ACK").r(rst(B + 1)).says(aborted(ResponderRst)).run();
    trace("a Fast Open server closes at once")
        .i(syn(A).tfo().data(10))
        .r(synack(B, A + 11))
        .r(rst_ack(B + 1, A + 11))
        .says(aborted(ResponderRst).flags(HandshakeFlags::FAST_OPEN))
        .run();
}

#[test]
fn aborted_by_fin() {
    trace("the responder closes and nothing acknowledges it")
        .i(syn(A))
        .r(synack(B, A + 1))
        .r(fin(B + 1, A + 1))
        .after(5.0)
        .says(aborted(Fin))
        .run();
}

#[test]
fn half_open_no_synack() {
    trace("nothing answers")
        .i(syn(A))
        .after(1.0)
        .i(syn(A))
        .after(2.0)
        .i(syn(A))
        .after(2.0)
        .says(half_open(NoSynack).again(2, 0))
        .run();
    trace("not a moment too early").i(syn(A)).after(4.999).after(0.001).says(half_open(NoSynack)).run();
}

#[test]
fn half_open_no_ack() {
    trace("a flood leaves so")
        .i(syn(A))
        .r(synack(B, A + 1))
        .after(1.0)
        .r(synack(B, A + 1))
        .after(4.0)
        .says(half_open(NoAck).again(0, 1))
        .run();
}

#[test]
fn half_open_superseded() {
    trace("another ISN")
        .i(syn(A))
        .i(syn(A + 7777))
        .says(half_open(Superseded))
        .says(Said::numbers(SynIsnChanged, A, A + 7777))
        .r(synack(B, A + 7778))
        .i(ack(A + 7778, B + 1))
        .says(completed(Normal).isn(A + 7777).noting(&[SynIsnChanged]))
        .run();
}

#[test]
fn half_open_evicted() {
    // Eight flows have room. Of those that were not answered the oldest gives way, and what is only
    // remembered does so by its age too.
    let mut full = trace("its place is needed")
        .config(Config { max_flows: 8, ..Config::DEFAULT })
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(syn(A + 5).port(40_001));
    for port in 40_002..40_008 {
        full = full.i(syn(A).port(port));
    }
    full = full
        .i(syn(A).port(40_008))
        .says(half_open(Evicted).isn(A + 5))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .i(syn(A).port(40_009))
        .i(ack(A + 1, B + 1))
        .unsolicited(1)
        .finish();
    for _ in 0..8 {
        full = full.says(half_open(Shutdown));
    }
    full.run();
}

#[test]
fn half_open_shutdown() {
    trace("the capture ends first").i(syn(A)).finish().says(half_open(Shutdown)).run();
    trace("the capture ends before the ACK")
        .i(syn(A))
        .r(synack(B, A + 1))
        .finish()
        .says(half_open(Shutdown))
        .run();
    trace("the capture ends after the timeout, which nothing noticed")
        .i(syn(A))
        .i(syn(A))
        .unwatched(6.0)
        .finish()
        .says(half_open(NoSynack).again(1, 0))
        .run();
}

#[test]
fn malformed_instead() {
    trace("of half-open")
        .i(syn(A))
        .r(synack(B, A + 2))
        .says(Said::numbers(SynackWrongAck, A + 1, A + 2))
        .after(5.0)
        .says(malformed(SynackWrongAck))
        .run();
    trace("of unverified")
        .i(syn(A))
        .i(segment(TcpFlags(0), A, 0))
        .says(NullScan)
        .i(ack(A + 1, B + 1))
        .after(5.0)
        .says(malformed(NullScan))
        .run();
    trace("of aborted")
        .i(syn(A).data(1))
        .says(SynWithData)
        .r(synack(B, A + 1))
        .i(rst(A + 1))
        .says(malformed(SynWithData))
        .run();
    trace("named by the first anomaly, listing all")
        .i(syn(A).data(1))
        .says(SynWithData)
        .r(synack(B, A + 9))
        .says(Said::numbers(SynackWrongAck, A + 1, A + 9))
        .i(segment(TcpFlags::SYN.with(TcpFlags::FIN), A, 0))
        .says(SynFin)
        .after(5.0)
        .says(malformed(SynWithData).noting(&[SynackWrongAck, SynFin]))
        .run();
    trace("but completed stays completed")
        .i(syn(A).data(1))
        .says(SynWithData)
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).noting(&[SynWithData]).by(Side::I))
        .run();
}
