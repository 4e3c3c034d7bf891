//! What is never an anomaly, line by line.

use hs_common::Reason::*;
use hs_common::{HandshakeFlags, Outcome, TcpFlags};

use crate::trace::{A, B, ack, completed, ended, fin, half_open, rst, rst_ack, segment, syn, synack, trace};

#[test]
fn ecn_and_accecn() {
    let (ece, cwr, ae) = (TcpFlags::ECE, TcpFlags::CWR, TcpFlags(0x100));
    trace("ECN")
        .i(syn(A).with(ece).with(cwr))
        .r(synack(B, A + 1).with(ece))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(HandshakeFlags::ECN))
        .run();
    trace("AccECN (RFC 9768): AE, CWR and ECE ask, any combination answers")
        .i(syn(A).with(ece).with(cwr).with(ae))
        .r(synack(B, A + 1).with(cwr))
        .r(synack(B, A + 1).with(ae).with(ece))
        .i(ack(A + 1, B + 1).with(ae).with(cwr))
        .says(completed(Normal).flags(HandshakeFlags::ECN).again(0, 1))
        .run();
    trace("the SYN again without ECN")
        .i(syn(A).with(ece).with(cwr))
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(HandshakeFlags::ECN).again(1, 0))
        .run();
}

#[test]
fn fast_open() {
    let tfo = HandshakeFlags::FAST_OPEN;
    trace("it falls back: the SYN again without the option and data")
        .i(syn(A).tfo().data(10))
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1).data(10))
        .says(completed(Normal).flags(tfo).again(1, 0))
        .run();
    trace("the SYN-ACK again acknowledges less")
        .i(syn(A).tfo().data(10))
        .r(synack(B, A + 11).data(3))
        .r(synack(B, A + 1))
        .i(ack(A + 11, B + 4))
        .says(completed(FastOpen).flags(tfo).again(0, 1))
        .run();
}

#[test]
fn simultaneous_open() {
    trace("everything twice")
        .i(syn(A))
        .r(syn(B))
        .i(syn(A))
        .r(syn(B))
        .i(synack(A, B + 1))
        .i(synack(A, B + 1))
        .r(synack(B, A + 1))
        .says(completed(Simultaneous).again(1, 0))
        .r(synack(B, A + 1))
        .i(synack(A, B + 1))
        .r(syn(B))
        .i(syn(A))
        .i(ack(A + 1, B + 1))
        .r(ack(B + 1, A + 1))
        .run();
}

#[test]
fn retransmissions() {
    let mut macos = trace("macOS repeats its SYN after 1, 1, 1, 1, 1, 2, 4 … s").i(syn(A));
    for pause in [1.0; 4] {
        macos = macos.after(pause).i(syn(A));
    }
    macos
        .after(1.0)
        .says(half_open(NoSynack).again(4, 0))
        .i(syn(A))
        .after(2.0)
        .i(syn(A))
        .after(4.0)
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).flags(HandshakeFlags::LATE).again(7, 0))
        .run();
    trace("SYN-ACK, with the numbers of the first")
        .i(syn(A))
        .r(synack(B, A + 1))
        .after(1.0)
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).again(0, 1))
        .run();
    trace("the SYN again after the SYN-ACK, which was lost behind this point")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).again(1, 1))
        .run();
}

#[test]
fn synack_after_completion() {
    trace("the ACK was lost behind this point")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .after(1.0)
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .after(2.0)
        .r(synack(B, A + 1))
        .run();
    trace("and once more after the port was used again: it answers a SYN that is remembered")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .i(syn(A + 9999))
        .r(synack(B + 5555, A + 10_000))
        .i(ack(A + 10_000, B + 5556))
        .says(completed(Normal).isn(A + 9999).answered(B + 5555))
        .run();
}

#[test]
fn syn_cookies() {
    trace("window 0")
        .i(syn(A))
        .r(synack(B, A + 1).window(0))
        .i(ack(A + 1, B + 1).data(100))
        .says(completed(Normal))
        .run();
}

#[test]
fn challenge_ack() {
    trace("of an older connection, and the RST that answers it")
        .i(syn(A))
        .r(ack(B + 70, A - 900))
        .i(rst(A - 900))
        .after(1.0)
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal).again(1, 0))
        .run();
    trace("the SYN is tried again with another ISN")
        .i(syn(A))
        .r(ack(B + 70, A - 900))
        .i(rst(A - 900))
        .i(syn(A + 5000))
        .says(half_open(Superseded))
        .r(synack(B, A + 5001))
        .i(ack(A + 5001, B + 1))
        .says(completed(Normal).isn(A + 5000))
        .run();
}

#[test]
fn reordering() {
    let reordered = completed(Normal).flags(HandshakeFlags::REORDERED);
    trace("the ACK before the SYN-ACK")
        .i(syn(A))
        .i(ack(A + 1, B + 1))
        .r(synack(B, A + 1))
        .says(reordered)
        .run();
    trace("the ACK and data before the SYN-ACK")
        .i(syn(A))
        .i(ack(A + 1, B + 1))
        .i(ack(A + 1, B + 1).data(100))
        .r(synack(B, A + 1))
        .says(reordered)
        .run();
    trace("Fast Open: the responder's data before its SYN-ACK")
        .i(syn(A).tfo().data(10))
        .r(ack(B + 21, A + 11).data(20))
        .r(ack(B + 1, A + 11).data(20))
        .r(synack(B, A + 11))
        .i(ack(A + 11, B + 41))
        .says(completed(FastOpen).flags(HandshakeFlags::FAST_OPEN).flags(HandshakeFlags::ACK_INFERRED))
        .run();
    trace("a simultaneous open: the responder's SYN after its SYN-ACK, and after data")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1).data(5))
        .says(completed(Normal))
        .r(syn(B))
        .i(synack(A, B + 1))
        .run();
    trace("Fast Open")
        .i(syn(A).tfo().data(10))
        .i(ack(A + 11, B + 1))
        .r(synack(B, A + 11))
        .says(completed(FastOpen).flags(HandshakeFlags::FAST_OPEN).flags(HandshakeFlags::REORDERED))
        .run();
}

#[test]
fn the_final_ack_is_lost() {
    trace("and data takes its place")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1).data(100))
        .says(completed(Normal))
        .run();
    trace("and a FIN takes its place")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(fin(A + 1, B + 1))
        .says(completed(Normal))
        .run();
}

#[test]
fn odd_but_legal_numbers() {
    trace("ack != 0 on a plain SYN")
        .i(segment(TcpFlags::SYN, A, 4711))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .run();
    trace("a RST with payload")
        .i(syn(A))
        .r(rst_ack(0, A + 1).data(30))
        .says(ended(Outcome::Refused, Rst))
        .run();
}

#[test]
fn port_reuse() {
    trace("after the old flow ended")
        .i(syn(A))
        .r(synack(B, A + 1))
        .i(ack(A + 1, B + 1))
        .says(completed(Normal))
        .i(fin(A + 1, B + 1))
        .r(fin(B + 1, A + 2))
        .i(ack(A + 2, B + 2))
        .i(syn(A + 9999))
        .r(synack(B + 5555, A + 10_000))
        .i(ack(A + 10_000, B + 5556))
        .says(completed(Normal).isn(A + 9999).answered(B + 5555))
        .run();
}

#[test]
fn older_than_the_watch() {
    trace("data, FIN and RST of a flow that began before")
        .i(ack(A, B).data(5))
        .r(fin(B, A + 5))
        .i(rst(A + 5))
        .unsolicited(3)
        .run();
}
