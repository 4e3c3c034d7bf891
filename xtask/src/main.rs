//! The project's tasks: `cargo xtask --help`.

mod archive;
mod bench;
mod bpf_clippy;
mod bpf_toolchain;
mod build;
mod busy_host;
mod cache;
mod captures;
mod cargo;
mod demo;
mod deny;
mod detect_eval;
mod dist;
#[cfg(test)]
mod documents;
mod first_steps;
mod fuzz;
mod install;
mod kernel_tests;
mod lab;
mod leftovers;
mod libtest;
mod package;
mod packages;
mod picture;
mod pipelines;
mod privilege;
mod prometheus;
mod reproducible;
mod run;
mod setup;
mod shell;
mod soak;
mod stage;
mod test;
#[cfg(test)]
mod unsafe_code;
mod vm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use build::Profile;

/// Builds, runs and tests hs-mon, and first installs what is missing for it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the BPF toolchain and what the tests use; does nothing where all of it is there.
    Setup,
    /// Build hs-mon with its BPF object inside.
    Build {
        /// Optimised (the default).
        #[arg(long, conflicts_with = "debug")]
        release: bool,
        /// Not optimised, for a debugger.
        #[arg(long)]
        debug: bool,
    },
    /// Build hs-mon and run it, as root where it needs to be.
    Run {
        /// Arguments of hs-mon, such as `--iface eth0`.
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Build hs-mon and install it as PREFIX/bin/hs-mon.
    Install {
        /// Where to install it.
        #[arg(long, default_value = "/usr/local")]
        prefix: PathBuf,
    },
    /// Make what is given to others, in dist/: static program, Debian package, SBOM, checksums.
    Dist,
    /// Run every check: format, clippy, tests, kernel tests as root, documentation, dependencies.
    Test {
        /// Leave out the tests that need root.
        #[arg(long)]
        no_kernel: bool,
        /// Take the processors away at random meanwhile, a quarter of the time; needs root.
        #[arg(long)]
        busy_host: bool,
        /// Only tests with this in their name.
        filter: Option<String>,
    },
    /// Run the kernel tests on other kernels, each in a virtual machine; needs no root.
    Vm(vm::Options),
    /// Fuzz what others send, guided by coverage: packets, captures, configurations, records.
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Under AddressSanitizer, which is slower and sees wrong uses of memory.
        #[arg(long)]
        sanitize: bool,
    },
    /// Let hs-mon count handshakes and floods for long, and see that nothing grows or drifts; needs root.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 10)]
        minutes: u32,
    },
    /// Measure what hs-mon costs, beside programs that do less; needs root.
    Bench(bench::Options),
    /// Evaluate the detector on scenarios, simulated over 20 seeds and live (as root), beside other detectors.
    DetectEval(detect_eval::Options),
    /// Draw the dashboard under a SYN flood as docs/dashboard.svg; needs root.
    Picture,
    /// Show hs-mon at work in a laboratory on this machine: honest clients, broken ones, and a SYN flood.
    Demo(demo::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Setup => setup::command().map(|()| ExitCode::SUCCESS),
        Task::Build { debug, .. } => build::command(profile(debug)).map(|()| ExitCode::SUCCESS),
        Task::Run { args } => run::command(&args).map(|()| ExitCode::SUCCESS),
        Task::Install { prefix } => install::command(&prefix).map(|()| ExitCode::SUCCESS),
        Task::Dist => dist::command().map(|()| ExitCode::SUCCESS),
        Task::Test { no_kernel, busy_host, filter } => test::command(filter, !no_kernel, busy_host),
        Task::Vm(options) => vm::command(&options),
        Task::Fuzz { seconds, sanitize } => fuzz::command(seconds, sanitize).map(|()| ExitCode::SUCCESS),
        Task::Soak { minutes } => soak::command(minutes).map(|()| ExitCode::SUCCESS),
        Task::Bench(options) => bench::command(&options).map(|()| ExitCode::SUCCESS),
        Task::DetectEval(options) => detect_eval::command(&options).map(|()| ExitCode::SUCCESS),
        Task::Picture => picture::command().map(|()| ExitCode::SUCCESS),
        Task::Demo(args) => demo::command(&args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn profile(debug: bool) -> Profile {
    if debug { Profile::Debug } else { Profile::Release }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All but what has a gap (…) that the reader fills.
    #[test]
    fn what_the_documents_tell_to_type_is_understood() {
        let commands =
            documents::all_commands(shell::workspace_root()).into_iter().map(|command| command.text);
        let commands =
            commands.filter(|command| command.starts_with("cargo xtask ") && !command.contains('…'));
        let told: Vec<String> =
            commands.chain(documents::quoted(shell::workspace_root(), "cargo xtask ")).collect();
        assert!(told.len() > 20, "{told:?}");
        for command in told {
            let words = command.split_whitespace().skip(1);
            if let Err(error) = Cli::try_parse_from(words) {
                assert!(!error.use_stderr(), "`{command}`: {error}");
            }
        }
    }
}
