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

/// Who needs more CPU time than this is slow enough to be exact.
const SLOW: Duration = Duration::from_secs(2);

/// A reader, and what each of its runs needed: none if it is not installed.
struct Line {
    reader: &'static Reader,
    program: Option<PathBuf>,
    usages: Vec<Usage>,
}

impl Line {
    fn new(reader: &'static Reader, hs_mon: &Path) -> Line {
        let program = match reader.program {
            HS_MON => Some(hs_mon.to_owned()),
            other => shell::find_program(other),
        };
        Line { reader, program, usages: Vec::new() }
    }

    fn read_once_more(&mut self, file: &Path) -> Result<()> {
        let is_slow = self.usages.first().is_some_and(|usage| usage.cpu > SLOW);
        if let Some(program) = self.program.as_ref().filter(|_| !is_slow) {
            self.usages.push(read(self.reader, program, file)?);
            self.usages.sort_by_key(|usage| usage.cpu);
        }
        Ok(())
    }

    /// By CPU time.
    fn median(&self) -> Option<&Usage> {
        self.usages.get(self.usages.len() / 2)
    }
}

/// Reads with all of them, in turn, so that a machine that becomes slower does so for all, and prints the table; returns the
/// figures.
pub fn run(quick: bool) -> Result<Value> {
    let hs_mon = build::build(Profile::Release)?;
    let file = cargo::workspace()?.target_directory.join("bench-1m.pcap");
    capture::ensure(&file)?;
    let mut lines: Vec<Line> = READERS.iter().map(|reader| Line::new(reader, &hs_mon)).collect();
    for _ in 0..if quick { 7 } else { 15 } {
        lines.iter_mut().try_for_each(|line| line.read_once_more(&file))?;
    }
    print!("{}", table(&lines));
    Ok(figures(&lines))
}

fn read(reader: &Reader, program: &Path, file: &Path) -> Result<Usage> {
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
    for line in lines {
        let name = line.reader.name;
        // Writing to a string can't fail.
        let _ = match line.median() {
            Some(usage) => writeln!(
                text,
                "| {name} | {:.2} million | {:.3} | {} MB |",
                per_cpu_second(usage) / 1e6,
                usage.cpu.as_secs_f64(),
                usage.peak_bytes / 1_000_000,
            ),
            None => writeln!(text, "| {name} | not installed | | |"),
        };
    }
    text
}

fn figures(lines: &[Line]) -> Value {
    let figure = |line: &Line| {
        let usage = line.median();
        json!({
            "reader": line.reader.name,
            "installed": usage.is_some(),
            "packets_per_cpu_second": usage.map(per_cpu_second),
            "peak_bytes": usage.map(|usage| usage.peak_bytes),
        })
    };
    lines.iter().map(figure).collect()
}
