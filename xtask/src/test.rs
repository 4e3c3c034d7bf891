//! `cargo xtask test`: every check of the project, in the order in which they fail fastest.

use std::env;
use std::process::ExitCode;

use anyhow::Result;

use crate::busy_host::BusyHost;
use crate::libtest::{self, Counts};
use crate::packages::Need;
use crate::stage::{self, InCi, NotRun, Stage};
use crate::{
    bench, bpf_clippy, captures, cargo, deny, first_steps, fuzz, kernel_tests, leftovers, package, pipelines,
    prometheus, reproducible, setup, shell, vm,
};

/// The feature of hs-user without which the tests that need root are not built.
pub const KERNEL_TESTS: &str = "kernel-tests";
/// The same, as cargo wants it at the workspace's root.
pub const KERNEL_TESTS_FEATURE: &str = "hs-user/kernel-tests";
/// Tests that begin so change the machine, and run in virtual machines only.
const GUEST_TESTS: &str = "guest_";
/// Tests that begin so are about what is the same on every kernel, and run on this one only.
const HOST_TESTS: &str = "host_";
/// Tests that need a Prometheus: a stage of their own.
pub const PROMETHEUS_TEST: &str = "prometheus";
/// Tests that need the programs which events are sent to: a stage of their own.
pub const PIPELINES_TEST: &str = "pipelines";
/// The tests that try the Debian package, which they need installed; a stage of their own.
pub const PACKAGE_TEST: &str = "package";
/// Those that other stages run.
const OF_OTHER_STAGES: [&str; 3] = [PROMETHEUS_TEST, PIPELINES_TEST, PACKAGE_TEST];

/// What the stages have in common.
pub struct Context {
    /// Only tests with this in their name.
    pub filter: Option<String>,
    /// Whether the tests that need root are wanted.
    pub kernel: bool,
    /// What is in the workspace.
    pub workspace: cargo::Workspace,
}

const STAGES: &[Stage<Context>] = &[
    Stage { name: "format", in_ci: InCi::Must, needs: nothing, run: format },
    Stage { name: "clippy", in_ci: InCi::Must, needs: nothing, run: clippy },
    Stage { name: "BPF clippy", in_ci: InCi::Must, needs: bpf_clippy::needs, run: bpf_clippy::run },
    Stage { name: "tests", in_ci: InCi::Must, needs: nothing, run: tests },
    Stage { name: "doc tests", in_ci: InCi::Must, needs: nothing, run: doc_tests },
    Stage { name: "kernel tests", in_ci: InCi::Must, needs: kernel_tests::needs, run: kernel_tests::run },
    Stage { name: "Prometheus", in_ci: InCi::Must, needs: prometheus::needs, run: prometheus::run },
    Stage { name: "pipelines", in_ci: InCi::Must, needs: pipelines::needs, run: pipelines::run },
    Stage { name: "package", in_ci: InCi::Must, needs: package::needs, run: package::run },
    Stage { name: "first steps", in_ci: InCi::Must, needs: kernel_tests::needs, run: first_steps::run },
    Stage { name: "costs", in_ci: InCi::Must, needs: kernel_tests::needs, run: bench::guard::run },
    Stage { name: "other kernels", in_ci: InCi::Must, needs: vm::needs, run: vm::run },
    Stage { name: "reference captures", in_ci: InCi::May, needs: captures::needs, run: captures::run },
    Stage { name: "same object", in_ci: InCi::Must, needs: reproducible::needs, run: reproducible::run },
    Stage { name: "fuzzing", in_ci: InCi::Must, needs: fuzz::needs, run: fuzz::stage },
    Stage { name: "documentation", in_ci: InCi::Must, needs: nothing, run: documentation },
    Stage { name: "dependencies", in_ci: InCi::Must, needs: deny::needs, run: deny::check },
    Stage { name: "advisories", in_ci: InCi::May, needs: deny::advisories_needs, run: deny::advisories },
    Stage { name: "leftovers", in_ci: InCi::Must, needs: nothing, run: leftovers::check },
];

/// The command line. The totals are the last line of standard output.
pub fn command(filter: Option<String>, kernel: bool, busy_host: bool) -> Result<ExitCode> {
    setup::ensure(Need::Build)?;
    if let Err(error) = setup::ensure(Need::Test) {
        // Most tests do without; the stage that does not will say so.
        shell::say(&format!("{error:#}"));
    }
    let context = Context { filter, kernel, workspace: cargo::workspace()? };
    let ci = env::var("CI").is_ok_and(|value| value == "true" || value == "1");

    let _busy = busy_host.then(BusyHost::start).transpose()?;
    let reports: Vec<_> = STAGES.iter().map(|stage| stage.report(&context, ci)).collect();
    println!("{}", stage::summary(&reports));
    let failed = reports.iter().any(stage::Report::failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Context {
    /// The integration tests that run here; those that need root, or those that don't.
    pub fn test_targets(&self, kernel: bool) -> Vec<&str> {
        let here = |target: &&cargo::Target| {
            needs_root(target) == kernel && !needs_guest(target) && !of_other_stage(target)
        };
        self.names_of_tests(here)
    }

    /// The integration tests that run in virtual machines: those that need root, and those that change the
    /// machine too.
    pub fn guest_targets(&self) -> Vec<&str> {
        let host_only =
            |target: &cargo::Target| target.name.starts_with(HOST_TESTS) || of_other_stage(target);
        self.names_of_tests(|target| needs_root(target) && !host_only(target))
    }

    fn names_of_tests(&self, wanted: impl Fn(&&cargo::Target) -> bool) -> Vec<&str> {
        let targets = self.workspace.packages.iter().flat_map(|package| &package.targets);
        let tests = targets.filter(|target| target.kind == ["test"]).filter(wanted);
        tests.map(|target| target.name.as_str()).collect()
    }

    /// The same features in all stages, so that nothing is compiled twice.
    pub fn features(&self) -> Vec<&'static str> {
        let known = self.workspace.packages.iter().any(|package| package.features.contains_key(KERNEL_TESTS));
        if known { vec!["--features", KERNEL_TESTS_FEATURE] } else { Vec::new() }
    }
}

fn needs_root(target: &cargo::Target) -> bool {
    target.required_features.iter().any(|feature| feature == KERNEL_TESTS)
}

fn needs_guest(target: &cargo::Target) -> bool {
    target.name.starts_with(GUEST_TESTS)
}

fn of_other_stage(target: &cargo::Target) -> bool {
    OF_OTHER_STAGES.contains(&target.name.as_str())
}

fn nothing(_: &Context) -> Result<(), NotRun> {
    Ok(())
}

fn format(_: &Context) -> Result<Counts> {
    shell::run(cargo::strict().args(["fmt", "--all", "--check"]))?;
    Ok(Counts::default())
}

fn clippy(context: &Context) -> Result<Counts> {
    let mut clippy = cargo::strict();
    clippy.args(["clippy", "--all-targets"]).args(context.features()).args(["--", "-D", "warnings"]);
    shell::run(&mut clippy)?;
    Ok(Counts::default())
}

/// Unit tests, and the integration tests that need no privilege, by name: the others are built under the
/// same features.
fn tests(context: &Context) -> Result<Counts> {
    let mut tests = cargo::strict();
    tests.args(["test", "--no-fail-fast", "--lib", "--bins"]).args(context.features());
    for target in context.test_targets(false) {
        tests.args(["--test", target]);
    }
    libtest::run(tests.args(&context.filter))
}

fn doc_tests(context: &Context) -> Result<Counts> {
    let mut tests = cargo::strict();
    libtest::run(
        tests.args(["test", "--no-fail-fast", "--doc"]).args(context.features()).args(&context.filter),
    )
}

fn documentation(context: &Context) -> Result<Counts> {
    let mut doc = cargo::strict();
    doc.env("RUSTDOCFLAGS", "-D warnings");
    shell::run(doc.args(["doc", "--no-deps"]).args(context.features()))?;
    Ok(Counts::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_need_root_are_told_from_the_others() {
        let workspace = r#"{"target_directory": "/t", "packages": [{"name": "hs-user", "features": {"kernel-tests": []}, "targets": [
            {"name": "hs_mon", "kind": ["lib"]},
            {"name": "replay", "kind": ["test"]},
            {"name": "host_terminal", "kind": ["test"], "required-features": ["kernel-tests"]},
            {"name": "prometheus", "kind": ["test"], "required-features": ["kernel-tests"]},
            {"name": "pipelines", "kind": ["test"], "required-features": ["kernel-tests"]},
            {"name": "guest_clock", "kind": ["test"], "required-features": ["kernel-tests"]},
            {"name": "kernel_xdp", "kind": ["test"], "required-features": ["kernel-tests"]}]}]}"#;
        let workspace = serde_json::from_str(workspace).expect("the sample is JSON");
        let context = Context { filter: None, kernel: true, workspace };
        assert_eq!(context.test_targets(false), ["replay"]);
        assert_eq!(context.test_targets(true), ["host_terminal", "kernel_xdp"]);
        assert_eq!(context.guest_targets(), ["guest_clock", "kernel_xdp"]);
        assert_eq!(context.features(), ["--features", "hs-user/kernel-tests"]);
    }
}
