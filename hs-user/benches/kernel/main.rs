//! `cargo xtask bench`, the part that measures programs: nanoseconds for a packet, by `BPF_PROG_TEST_RUN`.
//!
//! A test run repeats its packet, so before every program goes the shuffler of `hs-ebpf/bench`, which makes
//! of it the packets of as many flows as are wanted, and jumps to the program. An empty program behind the
//! same shuffler is measured in every round, and subtracted.

#[path = "../../../hs-ebpf/bench/course.rs"]
#[allow(dead_code, reason = "the shuffler, which includes the file too, uses the rest")]
mod course;

mod anchor;
mod figures;
mod frame;
mod guard;
mod hold;
mod measure;
mod pin;
mod rows;
mod stand;
mod table;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::Value;

use measure::{Effort, Measured, measure};
use rows::{ROWS, Row};
use stand::Hook;

const ROUNDS: u32 = 60;
const QUICK_ROUNDS: u32 = 11;
/// How much of a flood goes before a quick measurement: several times what the tables hold.
const QUICK_FLOOD: u32 = 1 << 20;

/// Measures the BPF programs of hs-mon; needs root.
#[derive(Parser)]
struct Args {
    /// Fewer rounds, and IPv4 only.
    #[arg(long)]
    quick: bool,
    /// Only these rows, by their names in the JSON.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each row is measured.
    #[arg(long)]
    rounds: Option<u32>,
    /// Writes the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only checks ratios against limits; prints what the verifier did.
    #[arg(long)]
    guard: bool,
    /// Only attaches a program to this interface, until it is killed.
    #[arg(long, requires = "place")]
    hold: Option<String>,
    /// Which program.
    #[arg(long, value_enum, default_value = "pass")]
    what: hold::What,
    /// How it is attached.
    #[arg(long, value_enum)]
    place: Option<hold::Where>,
    /// cargo gives it to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let (Some(interface), Some(place)) = (&args.hold, args.place) {
        return hold::run(interface, place, args.what);
    }
    anchor::enter()?;
    pin::hurry();
    if args.guard {
        let core = pin::cores()?.first().copied().unwrap_or(0);
        return guard::run(core);
    }
    let measured = measure_all(&args)?;
    print!("{}", report(&measured));
    if let Some(file) = &args.json {
        let figures: Vec<Value> = measured.iter().map(Measured::json).collect();
        let text = serde_json::to_string_pretty(&figures)?;
        fs::write(file, text).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(())
}

fn measure_all(args: &Args) -> Result<Vec<Measured>> {
    let rounds = args.rounds.unwrap_or(if args.quick { QUICK_ROUNDS } else { ROUNDS });
    let effort = Effort { rounds, most_before: if args.quick { QUICK_FLOOD } else { u32::MAX } };
    let cores = pin::cores()?;
    let (first, wanted) =
        (&cores[..1], |row: &&Row| args.only.is_empty() || args.only.iter().any(|id| id == row.id));
    let families: &[bool] = if args.quick { &[false] } else { &[false, true] };
    let mut measured = Vec::new();
    for hook in [Hook::Xdp, Hook::Tc] {
        for v6 in families {
            for row in ROWS.iter().filter(wanted) {
                progress(row, hook, *v6, 1);
                measured.push(measure(row, hook, *v6, first, effort)?);
            }
        }
        for row in ROWS.iter().filter(wanted).filter(|row| row.on_all_cores && cores.len() > 1) {
            progress(row, hook, false, cores.len());
            measured.push(measure(row, hook, false, &cores, effort)?);
        }
    }
    Ok(measured)
}

fn progress(row: &Row, hook: Hook, v6: bool, cores: usize) {
    eprintln!("bench: {} IPv{} {}, cores: {cores}", hook.name(), if v6 { 6 } else { 4 }, row.id);
}

/// All tables.
fn report(measured: &[Measured]) -> String {
    let mut text = String::new();
    for hook in [Hook::Xdp, Hook::Tc] {
        for v6 in [false, true] {
            let of_one = |row: &&Measured| row.hook == hook && row.v6 == v6 && row.cores == 1;
            let rows: Vec<&Measured> = measured.iter().filter(of_one).collect();
            if !rows.is_empty() {
                let family = if v6 { "IPv6" } else { "IPv4" };
                text += &table::one_core(&format!("{}, {family}, one core", hook.name()), &rows);
            }
        }
        let of_all = measured.iter().filter(|row| row.hook == hook && row.cores > 1);
        let pairs: Vec<(&Measured, &Measured)> =
            of_all.filter_map(|all| Some((alone(measured, all)?, all))).collect();
        if !pairs.is_empty() {
            text += &table::all_cores(&format!("{}, IPv4, all cores at once", hook.name()), &pairs);
        }
    }
    text
}

/// The same on one core.
fn alone<'a>(measured: &'a [Measured], all: &Measured) -> Option<&'a Measured> {
    measured
        .iter()
        .find(|one| one.cores == 1 && one.hook == all.hook && one.v6 == all.v6 && one.row.id == all.row.id)
}
