//! Finds what compiles Rust to BPF on this machine.
//!
//! Shared by `cargo xtask` and by `hs-user/build.rs`, so that both see the same toolchain; it therefore
//! uses nothing but `std`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rustc target of the kernel side.
pub const TARGET: &str = "bpfel-unknown-none";
/// The bpf-linker that `cargo xtask setup` builds.
pub const BPF_LINKER_VERSION: &str = "0.13.0";

/// What names a toolchain or profile in the environment of a build script, beside `CARGO_*` and `RUST*`.
const OF_BUILD_SCRIPTS: &[&str] = &["TARGET", "HOST", "OUT_DIR", "OPT_LEVEL", "PROFILE", "DEBUG", "NUM_JOBS"];
/// What stays of `CARGO_*`: where the crates come from, and the outer cargo's job tokens.
const KEPT_PREFIXES: &[&str] =
    &["CARGO_HOME", "CARGO_NET_", "CARGO_HTTP_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_MAKEFLAGS"];

/// Where Debian's Rust for web browsers (`rustc-web`) lives: rustc, cargo and `core` for BPF.
const DEBIAN_PREFIX: &str = "/usr";

/// A compiler, its cargo and a linker that together make BPF objects.
pub struct BpfToolchain {
    /// The compiler and its cargo.
    pub compiler: Compiler,
    /// Absolute path of bpf-linker.
    pub linker: PathBuf,
}

/// A Rust compiler that can compile for [`TARGET`].
pub struct Compiler {
    /// Where it comes from, and so how it has to be called.
    pub kind: Kind,
    prefix: PathBuf,
}

/// The two ways to a compiler for BPF.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Debian's rustc-web: a stable compiler with a prebuilt `core`; needs `RUSTC_BOOTSTRAP=1`.
    DebianWeb,
    /// A nightly of rustup with rust-src: builds `core` itself (`-Z build-std`).
    Nightly,
}

/// What is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Neither Debian's compiler nor a nightly with rust-src.
    Compiler,
    /// A compiler, but no bpf-linker.
    Linker,
}

/// The target feature by which a word may lie anywhere. rustc passes it on, with a warning that its name is
/// LLVM's own.
pub const MISALIGNED: &str = "allows-misaligned-mem-access";

impl BpfToolchain {
    /// The toolchain to use: Debian's first, because it is the one that CI has.
    pub fn find() -> Result<Self, Missing> {
        let compiler = Compiler::find().ok_or(Missing::Compiler)?;
        let linker = find_linker(compiler.kind).ok_or(Missing::Linker)?;
        Ok(Self { compiler, linker })
    }

    /// A cargo of this toolchain (`program` may be its cargo-clippy), in the workspace at `root`, for
    /// hosts of architecture `arch`; cleared of another cargo's settings, inside of which it may be started.
    pub fn command(&self, program: &Path, root: &Path, arch: &str) -> Command {
        let mut cargo = Command::new(program);
        forget_outer_cargo(&mut cargo);
        cargo
            .current_dir(root)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO", self.compiler.cargo())
            .env("RUSTC", self.compiler.rustc())
            // Not in the rustflags, whose hash goes into every symbol: the object must not depend on it.
            .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &self.linker)
            .env("CARGO_ENCODED_RUSTFLAGS", self.rustflags(root, arch));
        if self.compiler.kind == Kind::DebianWeb {
            // aya-ebpf uses `asm_experimental_arch`, which a stable compiler only takes with this switch.
            cargo.env("RUSTC_BOOTSTRAP", "1");
        }
        cargo
    }

    /// What cargo has to be told of the target.
    pub fn arguments(&self) -> Vec<&'static str> {
        match self.compiler.kind {
            Kind::DebianWeb => vec!["--target", TARGET],
            Kind::Nightly => vec!["--target", TARGET, "-Z", "build-std=core"],
        }
    }

    /// The flags of the BPF crates: BTF needs debug information, and the paths in it are made the same on
    /// every machine, so that the same source gives the same object.
    fn rustflags(&self, root: &Path, arch: &str) -> OsString {
        let mut flags = vec![
            format!("--cfg=bpf_target_arch=\"{arch}\""),
            "--check-cfg=cfg(bpf_target_arch,values(any()))".to_owned(),
            "-Cdebuginfo=2".to_owned(),
            "-Clink-arg=--btf".to_owned(),
            // Else LLVM sets no memory itself, not five bytes of it, and calls a loop that goes byte by byte.
            "-Clink-arg=--disable-expand-memcpy-in-order".to_owned(),
            // Version 3 of the instruction set has atomics and 32-bit arithmetic (Linux 5.12). Headers lie at
            // odd offsets, and the machines that have eBPF's JIT load a word from there at once.
            "-Ctarget-cpu=v3".to_owned(),
            format!("-Ctarget-feature=+{MISALIGNED}"),
        ];
        flags.extend(remapped(root, "/hs-mon"));
        flags.extend(cargo_home().iter().flat_map(|home| remapped(home, "/cargo")));
        flags.extend(remapped(&self.compiler.library_source(), "/rust"));
        flags.join("\x1f").into()
    }
}

/// Removes what cargo and rustup set for the programs they start; it speaks of the host's toolchain.
fn forget_outer_cargo(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let toolchain = name.starts_with("CARGO") || (name.starts_with("RUST") && name != "RUSTUP_HOME");
        let kept = KEPT_PREFIXES.iter().any(|kept| name.starts_with(kept));
        if OF_BUILD_SCRIPTS.contains(&name) || (toolchain && !kept) {
            command.env_remove(name);
        }
    }
}

/// rustc sees some paths as they were given and some with their symbolic links resolved.
fn remapped(path: &Path, name: &str) -> Vec<String> {
    let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    [path, &resolved].map(|path| format!("--remap-path-prefix={}={name}", path.display())).into()
}

impl Compiler {
    fn find() -> Option<Self> {
        Self::debian().or_else(Self::nightly)
    }

    fn debian() -> Option<Self> {
        let prefix = PathBuf::from(DEBIAN_PREFIX);
        let core = prefix.join("lib/rustlib").join(TARGET).join("lib");
        Self { kind: Kind::DebianWeb, prefix }.if_complete(&core)
    }

    /// Looks into rustup's directory instead of asking rustup, which could start a download.
    fn nightly() -> Option<Self> {
        let toolchains = rustup_home()?.join("toolchains");
        let mut names: Vec<PathBuf> = toolchains
            .read_dir()
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| file_name_starts_with(path, "nightly-"))
            .collect();
        // The undated nightly is the one that `rustup update` keeps current; it sorts after dated ones.
        names.sort();
        names.into_iter().rev().find_map(|prefix| {
            let compiler = Self { kind: Kind::Nightly, prefix };
            let core = compiler.library_source().join("library/core");
            compiler.if_complete(&core)
        })
    }

    fn if_complete(self, core: &Path) -> Option<Self> {
        (core.exists() && self.rustc().exists() && self.cargo().exists()).then_some(self)
    }

    /// The compiler itself, not rustup's proxy.
    pub fn rustc(&self) -> PathBuf {
        self.program("rustc")
    }

    /// The cargo that belongs to the compiler.
    pub fn cargo(&self) -> PathBuf {
        self.program("cargo")
    }

    /// Another of the compiler's own programs, whether it is there or not.
    pub fn program(&self, name: &str) -> PathBuf {
        self.prefix.join("bin").join(name)
    }

    /// Where the source of `core` lies, if it is installed.
    fn library_source(&self) -> PathBuf {
        self.prefix.join("lib/rustlib/src/rust")
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::DebianWeb => "Debian's rustc-web",
            Kind::Nightly => "rustup's nightly",
        };
        write!(f, "{name} ({})", self.rustc().display())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compiler => {
                "no Rust compiler for BPF: neither Debian's rustc-web nor a nightly with rust-src"
            }
            Self::Linker => "no bpf-linker, neither in the cache of hs-mon nor on PATH",
        })
    }
}

/// Debian's compiler goes with the bpf-linker built here against the same LLVM. A nightly's LLVM may be
/// newer, so there the user's own bpf-linker comes first.
fn find_linker(kind: Kind) -> Option<PathBuf> {
    let own = cached_linker().filter(|path| path.exists());
    match kind {
        Kind::DebianWeb => own.or_else(installed_linker),
        Kind::Nightly => installed_linker().or(own),
    }
}

fn installed_linker() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_bin = cargo_home().map(|home| home.join("bin"));
    env::split_paths(&path).chain(cargo_bin).map(|dir| dir.join("bpf-linker")).find(|path| path.is_file())
}

/// The bpf-linker in the project's own cache, whether it is there or not.
pub fn cached_linker() -> Option<PathBuf> {
    Some(cache_dir()?.join(format!("bpf-linker-{BPF_LINKER_VERSION}/bin/bpf-linker")))
}

/// `$HS_MON_CACHE`, or `hs-mon` in the user's cache directory.
pub fn cache_dir() -> Option<PathBuf> {
    let explicit = env_path("HS_MON_CACHE").and_then(|path| std::path::absolute(path).ok());
    explicit.or_else(|| Some(user_cache()?.join("hs-mon")))
}

fn user_cache() -> Option<PathBuf> {
    match sudo_home() {
        Some(home) => Some(home.join(".cache")),
        None => env_path("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache"))),
    }
}

/// Where cargo keeps its registry and the crates' sources.
pub fn cargo_home() -> Option<PathBuf> {
    env_path("CARGO_HOME").or_else(|| Some(home()?.join(".cargo")))
}

fn rustup_home() -> Option<PathBuf> {
    env_path("RUSTUP_HOME").or_else(|| Some(home()?.join(".rustup")))
}

/// The home of the person at the keyboard: under sudo, `$HOME` may be root's.
fn home() -> Option<PathBuf> {
    sudo_home().or_else(|| env_path("HOME"))
}

fn sudo_home() -> Option<PathBuf> {
    let user = env::var_os("SUDO_USER").filter(|user| user != "root")?;
    let entry = Command::new("getent").arg("passwd").arg(user).output().ok()?;
    let line = String::from_utf8(entry.stdout).ok()?;
    line.split(':').nth(5).filter(|home| !home.is_empty()).map(PathBuf::from)
}

fn env_path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}

fn file_name_starts_with(path: &Path, start: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(start))
}
