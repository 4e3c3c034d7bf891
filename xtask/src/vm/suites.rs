//! Builds what runs in the guests: init and the kernel tests, static, because the guest has no libraries
//! but those of the few programs that come with it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::image::{Contents, INIT, Suite};
use super::programs::Placed;
use crate::test::{Context, KERNEL_TESTS_FEATURE};
use crate::{cargo, shell};

/// Named although it is the host's own, so that the flags do not reach build scripts and macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const GUEST_INIT: &str = "guest-init";
/// What takes seconds in an emulated machine if it is not optimised: aya reads the kernel's own types at every
/// start of hs-mon. Optimising everything would make the build slow instead.
const OPTIMISED: [&str; 6] = ["aya", "aya-obj", "object", "hs-common", "hs-user", "serde_json"];
/// Tests that a whole run leaves out: their subject is hs-mon's own code, which is the same on every kernel and
/// tested on the host, or they repeat on interfaces what the tables of kernel_test_run show in every program. An
/// emulated machine takes seconds for each. They count as skipped.
pub const LEFT_OUT: &[&str] = &[
    "a_closed_pipe_ends_it_quietly",
    "a_flood_is_told_all_the_same",
    "a_full_ring_buffer_loses_events_and_no_totals",
    "a_flood_that_overflows_the_table_is_counted_exactly",
    "a_mode_that_the_driver_lacks_is_an_error",
    "a_one_sided_view_is_told_once",
    "a_pattern_that_fits_nothing_waits_and_those_that_come_are_watched",
    "a_reload_amid_a_flood_loses_nothing",
    "a_signal_as_soon_as_it_watches_ends_it_with_its_totals",
    "a_time_namespace_changes_nothing",
    "a_watch_that_begins_amid_traffic_tells_nothing_that_is_not_so",
    "an_interface_that_goes_away_takes_no_other_with_it",
    "an_unknown_interface_is_answered_with_those_there_are",
    "another_network_namespace_is_watched_by_name_and_by_path",
    "any_is_all_but_loopback",
    "debug_messages_come_from_the_kernel_side",
    "floods_are_told_and_counted_by_ipv6",
    "hundreds_of_connections_are_counted_exactly",
    "one_that_is_renamed_is_watched_on_under_its_new_name",
    "one_thread_beside_the_first_is_enough",
    "only_the_kinds_that_are_named_are_written",
    "only_the_ports_that_are_named_are_watched",
    "refused_connections_are_counted",
    "replay_by_both_engines_gives_the_same_lines",
    "signals_and_the_duration_end_it_with_its_totals",
    "the_configuration_is_read_again_after_all_is_given_up",
    "the_end_is_an_outcome_too",
    "too_few_file_descriptors_are_told_with_what_to_do",
    "two_interfaces_are_watched_at_once",
    "vlan_tags_are_reported_in_every_mode",
    "vlan_tags_tell_flows_apart_if_wanted",
    "what_passes_two_interfaces_is_counted_once",
    "wrong_numbers_never_complete_a_handshake",
];
/// The suite that checks the guest itself, before others rely on it.
pub const GUEST_SUITE: &str = "guest";

/// The init alone.
pub fn init() -> Result<PathBuf> {
    let programs = build(&[])?;
    let init = programs.into_iter().find(|program| program.name == GUEST_INIT);
    Ok(init.context("cargo built no guest-init")?.path)
}

/// The init and all suites.
pub fn all(context: &Context, arguments: &[String]) -> Result<(Contents, Vec<Suite>)> {
    let targets = context.guest_targets();
    let mut suites = vec![of_init(GUEST_SUITE, &["--checks"])];
    let package = shell::workspace_root().join("hs-user");
    let (mut init, mut files) = (None, read_by_tests(&package.join("tests"))?);
    for program in build(&targets)? {
        if program.name == GUEST_INIT {
            init = Some(program.path);
            continue;
        }
        // At the same place as here: tests know by it where cargo has put hs-mon.
        files.push((program.path.clone(), program.path.clone()));
        if targets.contains(&program.name.as_str()) {
            suites.push(of_tests(program, &package, arguments));
        }
    }
    // cargo tells of them in the order in which they happen to be ready.
    suites[1..].sort_by(|one, other| one.name.cmp(&other.name));
    Ok((Contents { init: init.context("cargo built no guest-init")?, files }, suites))
}

/// A suite that init itself is.
pub fn of_init(name: &str, arguments: &[&str]) -> Suite {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let (name, directory, program) = (name.to_owned(), "/".to_owned(), INIT.to_owned());
    Suite { name, directory, program, arguments }
}

fn of_tests(program: cargo::Executable, package: &Path, arguments: &[String]) -> Suite {
    // What tests print of the verifier's cost would otherwise be kept from the eye when they pass.
    let fixed = ["--test-threads=1", "--show-output"].into_iter();
    // Whoever asks for a test by its name gets it.
    let left_out = if arguments.is_empty() { LEFT_OUT } else { &[] };
    let skips = left_out.iter().flat_map(|test| ["--skip", test]);
    let arguments = fixed.chain(skips).map(str::to_owned).chain(arguments.iter().cloned()).collect();
    let (directory, path) = (package.display().to_string(), program.path.display().to_string());
    Suite { name: program.name, directory, program: path, arguments }
}

/// All that lies with the tests' sources and is none, such as captures.
fn read_by_tests(dir: &Path) -> Result<Vec<Placed>> {
    let mut files = Vec::new();
    for entry in dir.read_dir().with_context(|| format!("can't read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(read_by_tests(&path)?);
        } else if path.extension().is_none_or(|extension| extension != "rs") {
            files.push((path.clone(), path));
        }
    }
    Ok(files)
}

/// Without debug information, which would make the guest's memory twenty times as full.
fn build(targets: &[&str]) -> Result<Vec<cargo::Executable>> {
    let mut build = cargo::strict();
    build.args(["build", "--target", TARGET, "--package", "xtask", "--bin", GUEST_INIT]);
    if !targets.is_empty() {
        build.args(["--package", "hs-user", "--features", KERNEL_TESTS_FEATURE]);
        build.args(targets.iter().flat_map(|target| ["--test", target]));
    }
    for package in OPTIMISED {
        build.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=2"));
    }
    build.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    build.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_PROFILE_DEV_STRIP", "symbols");
    shell::say(&format!("building for the guests: {GUEST_INIT} {}", targets.join(" ")));
    cargo::build_executables(&mut build)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn sources(dir: &Path) -> String {
        let entries = dir.read_dir().expect("the tests are there").flatten().map(|entry| entry.path());
        let text = |path: PathBuf| match path.is_dir() {
            true => sources(&path),
            false => fs::read_to_string(path).unwrap_or_default(),
        };
        entries.map(text).collect()
    }

    /// A name that is none would leave out nothing, and be counted all the same.
    #[test]
    fn what_is_left_out_is_one_test_each() {
        let sources = sources(&shell::workspace_root().join("hs-user/tests"));
        for test in LEFT_OUT {
            assert_eq!(sources.matches(&format!("fn {test}")).count(), 1, "{test}");
        }
    }
}
