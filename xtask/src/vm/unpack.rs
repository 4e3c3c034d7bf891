//! Takes out of a kernel's package what a guest needs: the image, and a few modules in a fixed order.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// What the tests use, each after what it depends on: the package has no list of dependencies. What is
/// built into a kernel is left out there.
const MODULES: &[&str] = &[
    // Two network cards with a real driver.
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "failover",
    "net_failover",
    "virtio_net",
    // Devices of software.
    "veth",
    "tun",
    "llc",
    "stp",
    "garp",
    "mrp",
    "8021q",
    "bridge",
    // tc: without sch_ingress there is no clsact, and it is not loaded when it is asked for.
    "sch_ingress",
    "cls_bpf",
    "sch_netem",
    // Packet filters.
    "libcrc32c",
    "nfnetlink",
    "nf_tables",
    "nf_defrag_ipv4",
    "nf_defrag_ipv6",
    "nf_conntrack",
    "nf_reject_ipv4",
    "nf_reject_ipv6",
    "nft_ct",
    "nft_limit",
    "nft_numgen",
    "nft_reject",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nft_reject_inet",
    // What tells of listening sockets.
    "inet_diag",
    "tcp_diag",
];

/// A number for the list of modules: with another list, a package has to be unpacked anew (FNV-1a).
pub fn selection() -> u32 {
    let bytes = MODULES.iter().flat_map(|name| name.bytes());
    bytes.fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// Unpacks a package in `scratch`; returns the directory with what is kept of it.
pub fn unpack(deb: &Path, scratch: &Path) -> Result<PathBuf> {
    let (tree, kept) = (scratch.join("tree"), scratch.join("kept"));
    shell::run(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(&tree))?;
    fs::create_dir_all(modules_dir(&kept))?;
    let found = only_entry(&tree.join("boot"), |name| name.starts_with("vmlinuz-"))?;
    fs::copy(found, image(&kept))?;

    let lib = tree.join("lib/modules");
    let lib = if lib.is_dir() { lib } else { tree.join("usr/lib/modules") };
    let modules = only_entry(&lib, |_| true)?;
    let builtin = fs::read_to_string(modules.join("modules.builtin"))?;
    let files = module_files(&modules)?;
    for (number, name) in MODULES.iter().enumerate() {
        match files.get(*name) {
            Some(file) => decompress(file, &modules_dir(&kept).join(format!("{number:02}-{name}.ko")))?,
            None if builtin.contains(&format!("/{name}.ko")) => {}
            None => shell::say(&format!("{} has no module {name}", modules.display())),
        }
    }
    Ok(kept)
}

/// The kernel of an unpacked package.
pub fn image(kept: &Path) -> PathBuf {
    kept.join("vmlinuz")
}

/// The modules of an unpacked package, in their order.
pub fn modules(kept: &Path) -> Result<Vec<PathBuf>> {
    let dir = modules_dir(kept);
    let entries = dir.read_dir().with_context(|| format!("can't read {}", dir.display()))?;
    let mut modules = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    modules.sort();
    Ok(modules)
}

fn modules_dir(kept: &Path) -> PathBuf {
    kept.join("modules")
}

fn only_entry(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = dir.read_dir().with_context(|| format!("the package has no {}", dir.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let entry = paths.find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted));
    entry.with_context(|| format!("the package has no kernel in {}", dir.display()))
}

/// All modules by their names.
fn module_files(dir: &Path) -> Result<HashMap<String, PathBuf>> {
    let mut files = HashMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in dir.read_dir()? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
            } else if let Some((name, _)) = name.split_once(".ko") {
                files.insert(name.to_owned(), entry.path());
            }
        }
    }
    Ok(files)
}

/// Here rather than in the guest: not every kernel unpacks its modules itself.
fn decompress(file: &Path, target: &Path) -> Result<()> {
    let program = match file.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::copy(file, target).map(drop).context("can't copy a module"),
    };
    let out = File::create(target)?;
    let mut unpack = Command::new(program);
    unpack.args(["--decompress", "--stdout"]).arg(file).stdout(Stdio::from(out));
    let status = unpack.status().with_context(|| shell::cannot_start(&unpack))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shell::display(&unpack));
    }
    Ok(())
}
