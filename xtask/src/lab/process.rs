//! What a running process has used until now.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// The time that its main thread was on a core. hs-mon has no other.
pub fn cpu(pid: u32) -> Result<Duration> {
    let text = read(pid, "schedstat")?;
    let ns = text.split_whitespace().next().and_then(|word| word.parse().ok());
    Ok(Duration::from_nanos(ns.context("no time in schedstat")?))
}

/// The most memory that it has had at once, in bytes.
pub fn peak_bytes(pid: u32) -> Result<u64> {
    memory(pid, "VmHWM:")
}

/// The memory that it has now, in bytes.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    memory(pid, "VmRSS:")
}

fn memory(pid: u32, name: &str) -> Result<u64> {
    let text = read(pid, "status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes =
        line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse::<u64>().ok());
    Ok(kilobytes.with_context(|| format!("no {name} in status"))? * 1024)
}

/// The files that it has open.
pub fn descriptors(pid: u32) -> Result<usize> {
    let dir = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&dir).with_context(|| format!("can't read {dir}"))?.count())
}

fn read(pid: u32, name: &str) -> Result<String> {
    let file = format!("/proc/{pid}/{name}");
    fs::read_to_string(&file).with_context(|| format!("can't read {file}"))
}
