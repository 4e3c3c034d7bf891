//! Arguments and configuration files in, settings or an error out.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use hs_common::{Config, Outcome};

use super::*;
use crate::report::{Filter, Format, Kind};

/// What the arguments ask for, with this as the text of any configuration file.
fn parsed_with(file: &str, args: &str) -> Result<Command, clap::Error> {
    let args = ["hs-mon"].into_iter().chain(args.split_whitespace());
    parse(args, |_| Ok(file.to_owned()))
}

fn parsed(args: &str) -> Result<Command, clap::Error> {
    parsed_with("", args)
}

fn live(file: &str, args: &str) -> LiveSettings {
    match parsed_with(file, args) {
        Ok(Command::Live(live)) => live,
        other => panic!("{args}: {other:?}"),
    }
}

fn replay(file: &str, args: &str) -> ReplaySettings {
    match parsed_with(file, args) {
        Ok(Command::Replay(replay)) => replay,
        other => panic!("{args}: {other:?}"),
    }
}

#[test]
fn clap_finds_no_contradiction() {
    Cli::command().debug_assert();
    FileOptions::command().debug_assert();
}

fn names(settings: &LiveSettings) -> Vec<String> {
    settings.interfaces.iter().map(ToString::to_string).collect()
}

#[test]
fn without_options_the_defaults_hold() {
    let settings = live("", "--iface eth0");
    assert_eq!(names(&settings), ["eth0"]);
    assert_eq!(settings.mode, Mode::Auto);
    assert_eq!((settings.duration, settings.stats_interval), (None, None));
    assert_eq!((settings.tui, settings.metrics, settings.metrics_victims), (None, None, 10));
    let common = Settings {
        format: Format::Text,
        filter: Filter::ALL,
        engine: Config::DEFAULT,
        verbosity: Verbosity::Normal,
        detection: Detection::default(),
    };
    assert_eq!(settings.common, common);
    let settings = replay("", "replay a.pcap");
    assert_eq!((settings.common, settings.engine), (common, Engine::Native));
}

#[test]
fn every_option_reaches_its_setting() {
    let settings = live(
        "",
        "--iface eth0 -i eth1 --iface eth0 --netns blue --mode tc --max-flows 1024 --duration 30s --stats-interval 500ms \
         --metrics [::1]:9435 --metrics-victims 0 \
         --format json --half-open-after 2m --only completed,half-open --only alert --port 443,80 --port 443 \
         --vlan-aware -vv",
    );
    assert_eq!(names(&settings), ["eth0", "eth1"]);
    assert_eq!(settings.mode, Mode::Tc);
    assert_eq!(settings.netns, Some("blue".into()));
    assert_eq!(settings.duration.unwrap().as_secs(), 30);
    assert_eq!(settings.stats_interval.unwrap().as_millis(), 500);
    assert_eq!((settings.metrics, settings.metrics_victims), ("[::1]:9435".parse().ok(), 0));
    let outcomes = [Outcome::Completed, Outcome::HalfOpen].map(Kind::Handshake);
    assert_eq!(settings.common.filter, Filter::only(outcomes.into_iter().chain([Kind::Alert])));
    assert_eq!(settings.common.format, Format::Json);
    assert_eq!(settings.common.verbosity, Verbosity::Debug);
    let engine = settings.common.engine;
    assert_eq!((engine.max_flows, engine.half_open_ns, engine.vlan_aware), (1024, 120_000_000_000, 1));
    assert_eq!((engine.ports_used, &engine.ports[..3]), (2, &[443, 80, 0][..]));
}

/// Then nothing but the last totals goes to standard output, as text.
#[test]
fn the_dashboard_takes_the_place_of_lines() {
    let settings = live("", "--iface eth0 --tui --only alert");
    assert_eq!(settings.tui, Some(Tui { filter: Filter::only([Kind::Alert]) }));
    assert_eq!((settings.common.filter, settings.common.format), (Filter::NONE, Format::Text));
    assert_eq!(live("format = 'json'", "--config x --iface eth0 --tui").common.format, Format::Text);
    assert!(live("tui = true", "--config x --iface eth0").tui.is_some());
    assert!(live("tui = false", "--config x --iface eth0").tui.is_none());
}

#[test]
fn options_of_both_ways_may_stand_on_either_side_of_replay() {
    let settings = replay("", "--format json --port 1 replay a - --engine kernel --port 2 -q");
    assert_eq!(settings.files, [Path::new("a"), Path::new("-")]);
    assert_eq!(settings.engine, Engine::Kernel);
    assert_eq!(settings.common.format, Format::Json);
    assert_eq!(settings.common.engine.ports[..2], [2, 0]);
    assert_eq!(settings.common.verbosity, Verbosity::Quiet);
}

#[test]
fn flags_win_over_the_file_and_the_file_over_the_defaults() {
    let file = r#"
        iface = ["eth0", "eth1"]
        format = "json"
        only = "anomaly,alert"
        port = [443, 8443]
        half-open-after = "3s"
        max-flows = 4096
        vlan-aware = true
        metrics = 9435
        engine = "kernel"
        verbose = true
        quiet = false
    "#;
    let settings = live(file, "--config x");
    assert_eq!(names(&settings), ["eth0", "eth1"]);
    assert_eq!(settings.metrics, "127.0.0.1:9435".parse().ok());
    assert_eq!(settings.common.format, Format::Json);
    assert_eq!(settings.common.filter, Filter::only([Kind::Anomaly, Kind::Alert]));
    assert_eq!(settings.common.verbosity, Verbosity::Verbose);
    let engine = settings.common.engine;
    assert_eq!((engine.max_flows, engine.half_open_ns, engine.vlan_aware), (4096, 3_000_000_000, 1));
    assert_eq!(engine.ports[..3], [443, 8443, 0]);

    let settings =
        live(file, "--config x -i lo --format text --port 22 --max-flows 2048 --vlan-aware=false -q");
    assert_eq!(names(&settings), ["lo"]);
    assert_eq!((settings.common.format, settings.common.verbosity), (Format::Text, Verbosity::Quiet));
    let engine = settings.common.engine;
    assert_eq!((engine.max_flows, engine.vlan_aware, engine.ports_used), (2048, 0, 1));

    assert_eq!(replay(file, "replay --config x a").engine, Engine::Kernel);
    assert_eq!(replay(file, "--config x replay a --engine native").engine, Engine::Native);
}

#[test]
fn the_file_says_what_a_flood_is_and_may_say_it_again() {
    let file = "[detection]\nsensitivity = 'low'\n[[detection.except]]\nports = [22]\nignore = true";
    let detection = live(file, "--iface eth0 --config x").common.detection;
    assert!(detection.burst > Detection::default().burst);
    assert_eq!(replay(file, "replay --config x a").common.detection, detection);
    assert_eq!(reload(Path::new("x"), |_| Ok(file.to_owned())).unwrap(), detection);
    let error = reload(Path::new("x.toml"), |_| Ok("[detection]\nfloor = 'a'".to_owned())).unwrap_err();
    assert!(error.to_string().contains("configuration file x.toml: detection: "), "{error}");

    for args in ["check-config --config x", "--config x check-config"] {
        match parsed_with(file, args).unwrap() {
            Command::CheckConfig(path, found) => {
                assert_eq!((path.as_path(), *found), (Path::new("x"), detection.clone()))
            }
            other => panic!("{other:?}"),
        }
    }
    let error = parsed("check-config").unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("which file?"), "{error}");
    let mut out = Vec::new();
    describe_config(Path::new("x.toml"), &detection, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().starts_with("x.toml: right\n"));
}

#[test]
fn other_commands_are_told_apart() {
    assert_eq!(parsed("explain").unwrap(), Command::Explain(None));
    assert_eq!(parsed("explain xmas").unwrap(), Command::Explain(Some(Anomaly::Xmas)));
    assert_eq!(parsed("completions zsh").unwrap(), Command::Completions(Shell::Zsh));
    assert_eq!(parsed("man").unwrap(), Command::Man(None));
    assert_eq!(parsed("man replay").unwrap(), Command::Man(Some("replay".to_owned())));
}

#[test]
fn usage_errors_say_what_is_wrong_and_end_with_status_2() {
    let table = [
        ("", "Usage:"),
        ("--format json", "which interface?"),
        ("--iface a/b", "no interface can have that name"),
        ("--iface eth0 --format xml", "invalid value 'xml'"),
        ("--iface eth0 --only open", "no such kind of event; known: completed,"),
        ("--iface eth0 --half-open-after 5", "with its unit"),
        ("--iface eth0 --half-open-after 0s", "more than 0"),
        ("--iface eth0 --half-open-after 61m", "1h at the most"),
        ("--iface eth0 --max-flows 1023", "1023 is not in 1024..=16777216"),
        ("--iface eth0 --max-flows 16777217", "is not in"),
        ("--iface eth0 --port 1,2,3,4,5,6,7,8,9", "9 ports given, 8 are possible"),
        ("--iface eth0 --port 65536", "not in 0..=65535"),
        ("--iface eth0 --metrics localhost:9435", "expected a port, such as 9435"),
        ("--iface eth0 --metrics-victims 101", "101 is not in 0..=100"),
        ("--iface eth0 --tui --format json", "cannot be used with"),
        ("--iface eth0 -v -q", "cannot be used with"),
        ("--iface eth0 replay a", "--iface: only for watching interfaces, not for `replay`"),
        ("replay", "required arguments"),
        ("replay - -", "once only"),
        ("replay a --mode tc", "unexpected argument '--mode'"),
        ("explain sin_fin", "nearest: syn_fin"),
        ("completions tcsh", "invalid value 'tcsh'"),
    ];
    for (args, message) in table {
        let error = parsed(args).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{args}");
        assert!(error.to_string().contains(message), "{args}: {error}");
    }
}

#[test]
fn errors_of_the_file_name_the_file_and_the_key() {
    let table = [
        ("colour = true", "configuration file x.toml: unknown key `colour`; known: iface, netns, mode,"),
        ("config = 'y'", "unknown key `config`"),
        ("half-open-after = 5", "invalid value '5' for '--half-open-after"),
        ("format = 'xml'", "invalid value 'xml' for '--format"),
        ("port = 1.5", "key `port`: unexpected float"),
        ("[port]\na = 1", "key `port`: unexpected table"),
        ("format = ", "configuration file x.toml: "),
        ("quiet = true\nverbose = true", "cannot be used with"),
    ];
    for (file, message) in table {
        let error = parsed_with(file, "--iface eth0 --config x.toml").unwrap_err();
        assert_eq!(error.exit_code(), 2, "{file}");
        assert!(error.to_string().contains(message), "{file}: {error}");
    }
    let unreadable = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let error = parse(["hs-mon", "--config", "x.toml"], unreadable).unwrap_err();
    assert!(error.to_string().contains("configuration file x.toml: "), "{error}");
}

#[test]
fn help_and_version_are_no_failures() {
    for args in ["--help", "-h", "replay --help", "--version"] {
        assert_eq!(parsed(args).unwrap_err().exit_code(), 0, "{args}");
    }
    let help = parsed("--help").unwrap_err().to_string();
    for heading in [
        "Watching interfaces:",
        "Dashboard:",
        "Metrics:",
        "Events:",
        "Messages:",
        "Examples:",
        "Exit status:",
    ] {
        assert!(help.contains(heading), "{heading} is missing from\n{help}");
    }
}

#[test]
fn packagers_get_completions_and_a_manual_page() {
    let mut script = Vec::new();
    completions(Shell::Bash, &mut script).unwrap();
    assert!(String::from_utf8(script).unwrap().contains("--half-open-after"));
    let mut page = Vec::new();
    man(None, &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    for section in
        ["NAME", "SYNOPSIS", "EXAMPLES", "NOTES", "SIGNALS", "ENVIRONMENT", "FILES", "\"SEE ALSO\""]
    {
        assert!(page.contains(&format!(".SH {section}\n")), "{section} is missing from\n{page}");
    }
    // Each on a line of its own, and what it does below.
    assert!(page.contains("\nhs\\-mon \\-\\-iface eth0\n    watch an interface until Ctrl\\-C\n"), "{page}");
}

#[test]
fn the_doctor_looks_at_each_interface_once_and_takes_no_other_options() {
    let Ok(Command::Doctor(settings)) = parsed("doctor --iface a --iface b --iface a --max-flows 4096")
    else {
        panic!("a doctor was asked for");
    };
    let names: Vec<String> = settings.interfaces.iter().map(Selector::to_string).collect();
    assert_eq!((names, settings.max_flows), (vec!["a".to_owned(), "b".to_owned()], 4096));
    for args in ["doctor --max-flows 1", "doctor --iface a/b", "--mode tc doctor", "doctor --format json"] {
        assert!(parsed(args).is_err(), "{args}");
    }
}
