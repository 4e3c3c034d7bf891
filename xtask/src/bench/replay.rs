//! Replay of one million packets, beside other programs that read captures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::capture::{self, PACKETS};
use super::usage::{self, Usage};
use crate::build::{self, Profile};
use crate::{cargo, shell};

/// A way to read the capture. `{}` among the arguments is the file.
struct Reader {
    name: &'static str,
    program: &'static str,
    args: &'static [&'static str],
}

const HS_MON: &str = "hs-mon";

const READERS: &[Reader] = &[
    Reader { name: "hs-mon, text", program: HS_MON, args: &["replay", "{}"] },
    Reader { name: "hs-mon, JSON", program: HS_MON, args: &["replay", "--format", "json", "{}"] },
    Reader {
        name: "hs-mon, JSON of alerts only",
        program: HS_MON,
        args: &["replay", "--format", "json", "--only", "alert", "{}"],
    },
    Reader { name: "tcpdump, copying", program: "tcpdump", args: &["-r", "{}", "-w", "/dev/null"] },
    Reader { name: "softflowd", program: "softflowd", args: &["-r", "{}"] },
    Reader { name: "argus", program: "argus", args: &["-r", "{}", "-w", "/dev/null"] },
    Reader { name: "Suricata", program: "suricata", args: &["-r", "{}", "-l", "/tmp"] },
    Reader { name: "tshark", program: "tshark", args: &["-n", "-r", "{}"] },
];

/// What one reader needed, or nothing if it is not installed.
struct Line {
    reader: &'static Reader,
    usage: Option<Usage>,
}

/// Reads with all of them, and prints the table; returns the figures.
pub fn run(quick: bool) -> Result<Value> {
    let hs_mon = build::build(Profile::Release)?;
    let file = cargo::workspace()?.target_directory.join("bench-1m.pcap");
    capture::ensure(&file)?;
    let rounds = if quick { 3 } else { 9 };
    let lines: Vec<Line> = READERS
        .iter()
        .map(|reader| Ok(Line { reader, usage: best(reader, &hs_mon, &file, rounds)? }))
        .collect::<Result<_>>()?;
    print!("{}", table(&lines));
    Ok(figures(&lines))
}

/// The median by CPU time.
fn best(reader: &Reader, hs_mon: &Path, file: &Path, rounds: usize) -> Result<Option<Usage>> {
    let program = match reader.program {
        HS_MON => Some(hs_mon.to_owned()),
        other => shell::find_program(other),
    };
    let Some(program) = program else { return Ok(None) };
    let first = read(reader, &program, file)?;
    // Slow ones are slow enough to be exact.
    let rounds = if first.cpu > Duration::from_secs(2) { 0 } else { rounds - 1 };
    let mut usages = vec![first];
    for _ in 0..rounds {
        usages.push(read(reader, &program, file)?);
    }
    usages.sort_by_key(|usage| usage.cpu);
    Ok(usages.get(usages.len() / 2).copied())
}

fn read(reader: &Reader, program: &PathBuf, file: &Path) -> Result<Usage> {
    shell::say(&format!("reads one million packets: {}", reader.name));
    let mut command = Command::new(program);
    for arg in reader.args {
        if *arg == "{}" {
            command.arg(file)
        } else {
            command.arg(arg)
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let usage = usage::of(&mut command)?;
    ensure!(usage.status.success(), "`{}` failed ({})", shell::display(&command), usage.status);
    Ok(usage)
}

fn per_cpu_second(usage: &Usage) -> f64 {
    PACKETS as f64 / usage.cpu.as_secs_f64()
}

fn table(lines: &[Line]) -> String {
    let mut text = String::from(
        "\n### Reading a capture of 1,000,000 packets\n\n\
         | program | packets per CPU second | CPU seconds | peak memory |\n|---|--:|--:|--:|\n",
    );
    for Line { reader, usage } in lines {
        // Writing to a string can't fail.
        let _ = match usage {
            Some(usage) => writeln!(
                text,
                "| {} | {:.2} million | {:.3} | {} MB |",
                reader.name,
                per_cpu_second(usage) / 1e6,
                usage.cpu.as_secs_f64(),
                usage.peak_bytes / 1_000_000,
            ),
            None => writeln!(text, "| {} | not installed | | |", reader.name),
        };
    }
    text
}

fn figures(lines: &[Line]) -> Value {
    let figure = |line: &Line| {
        let usage = line.usage.as_ref();
        json!({
            "reader": line.reader.name,
            "installed": usage.is_some(),
            "packets_per_cpu_second": usage.map(per_cpu_second),
            "peak_bytes": usage.map(|usage| usage.peak_bytes),
        })
    };
    lines.iter().map(figure).collect()
}
