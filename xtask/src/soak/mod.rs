//! `cargo xtask soak`: hs-mon at work for as long as wanted, and whether anything grows or drifts.

mod course;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::build::{self, Profile};
use crate::packages::Need;
use crate::{privilege, setup};
use course::Round;

/// The command line. The table, in Markdown, is on standard output.
pub fn command(minutes: u32) -> Result<()> {
    ensure!(privilege::is_root(), "a soak makes network namespaces and must be root");
    setup::ensure(Need::Build)?;
    let program = build::build(Profile::Release)?;
    println!("| round | handshakes | SYNs of floods | left out | memory | files | flow slots |");
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    let mut number = 0;
    let rounds = course::run(&program, Duration::from_secs(u64::from(minutes) * 60), |round| {
        number += 1;
        println!("{}", row(number, round));
    })?;
    if let Some(last) = rounds.last() {
        println!(
            "\n{} handshakes and {} SYNs of floods: hs-mon counted each of them once; the ledger adds up; \
             memory and files are as after round {}",
            last.made,
            last.flooded,
            course::WARM_UP
        );
    }
    Ok(())
}

fn row(number: u64, round: &Round) -> String {
    format!(
        "| {number} | {} | {} | {} | {:.1} MiB | {} | {:.0} % |",
        round.made,
        round.flooded,
        round.suppressed,
        round.resident_bytes as f64 / f64::from(1 << 20),
        round.descriptors,
        round.slots_used * 100.0
    )
}
