//! A real Prometheus: it scrapes live watches, its own tools judge what is exposed and the rules that are shipped,
//! and its rules see a flood that no single host can see.

#[path = "../../xtask/src/documents.rs"]
mod documents;
#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/prometheus.rs"]
mod prometheus;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs};

use documents::blocks_of;
use lab::Lab;
use lab::clients::{Clients, connect_tally};
use lab::flood::Flood;
use lab::frame::{Prefix, Segment, flag};
use lab::http::get;
use lab::netns::Netns;
use lab::server::Server;
use lab::wire::Wire;
use prometheus::{Prometheus, promtool};
use scene::{PORT, connect, lab, wait_until};
use serde_json::Value;
use watch::Watch;

const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9435);
const DASHBOARD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/grafana/hs-mon.json"));
/// Has nothing to show where the kernel does not measure programs.
const MEASURED_ON_REQUEST: &str = "hsmon_bpf_";
/// Hosts of the fleet, and SYNs a second on each: too few for any of them.
const FLEET: usize = 4;
const LITTLE: u32 = 2;

#[test]
fn promtool_finds_no_fault_with_the_rules() {
    promtool(&["check", "rules", "hs-mon.rules.yml"], "");
    promtool(&["test", "rules", "hs-mon.rules.test.yml"], "");
}

#[test]
fn promtool_finds_no_fault_with_the_configurations_that_the_documents_show() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let directory = env::temp_dir().join(format!("hs-mon-documents-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory of ours");
    // Configurations may name them.
    fs::copy(root.join("packaging/prometheus/hs-mon.rules.yml"), directory.join("hs-mon.rules.yml"))
        .expect("the rules are there");
    let blocks = blocks_of(&root, "yaml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let file = directory.join(format!("{}-{}.yml", block.document.replace('/', "-"), block.line));
        // Debian's Prometheus is built without what asks Kubernetes.
        let known = block.text.lines().filter(|line| !line.contains("kubernetes_sd_configs"));
        let known: String = known.flat_map(|line| [line, "\n"]).collect();
        fs::write(&file, known).expect("a file of ours");
        promtool(&["check", "config", &file.display().to_string()], "");
    }
    fs::remove_dir_all(&directory).expect("it is ours");
}

#[test]
fn it_scrapes_a_live_watch() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --metrics 9435");
    connect(&lab, 30);
    let refused = connect_tally(&lab.client.ns, 10, lab.server.plan.v4_at(81)).expect("clients run");
    assert_eq!(refused.refused, 10, "{refused:?}");
    watch.wait_for_total("refused", 10);

    let text = get(&lab.server.ns, METRICS, "/metrics").expect("hs-mon answers");
    promtool(&["check", "metrics"], &text);

    let prometheus = Prometheus::start(&lab.server.ns, &[METRICS]);
    prometheus.wait_for("up", |value| value > 0.5);
    prometheus.wait_for("hsmon_handshakes_total{outcome=\"completed\"}", |value| value > 29.5);
    for (query, expected) in [
        ("hsmon_handshakes_total{outcome=\"completed\"}", 30.0),
        ("hsmon_handshakes_total{outcome=\"refused\"}", 10.0),
        ("hsmon_handshakes_begun_total", 40.0),
        ("hsmon_handshake_rtt_seconds_count{part=\"synack\"}", 30.0),
        ("hsmon_events_lost_total", 0.0),
        ("hsmon_alerts_active{signature=\"syn_flood\"}", 0.0),
    ] {
        let value = prometheus.value(query);
        assert!(
            value.is_some_and(|value| (value - expected).abs() < 0.5),
            "{query}: {value:?}, not {expected}"
        );
    }
    let median = "histogram_quantile(0.5, hsmon_handshake_rtt_seconds_bucket{part=\"synack\"})";
    assert!(prometheus.value(median).is_some_and(|seconds| seconds > 0.0 && seconds < 1.0));
    watch.stop();
    prometheus.wait_for("ALERTS{alertname=\"HsMonDown\",alertstate=\"pending\"}", |value| value > 0.5);
}

/// The expressions of the dashboard's panels, as Grafana sends them: with its variables' values.
fn expressions(node: &Value) -> Vec<String> {
    match node {
        Value::Object(map) => {
            let own = map.get("expr").and_then(Value::as_str).map(|expression| {
                let all = [("$job", "hs-mon"), ("$instance", ".+"), ("$__rate_interval", "1m")];
                all.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value))
            });
            own.into_iter().chain(map.values().flat_map(expressions)).collect()
        }
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

/// What breaks a rule, and what is no whole packet.
fn send_bad_frames(lab: &Lab, wire: &Wire) {
    let (client, server) = (lab.client.plan.v4_at(40_000), lab.server.plan.v4_at(PORT));
    let wrong = wire.frame(&Segment::new(client, server, flag::SYN | flag::FIN, 1, 0));
    let cut = wrong[..30].to_vec();
    wire.send_frames(&[wrong, cut]).expect("frames are sent");
}

#[test]
fn every_panel_of_the_dashboard_shows_something_of_a_flooded_host() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --half-open-after 1s --metrics 9435");
    let prometheus = Prometheus::start(&lab.server.ns, &[METRICS]);
    prometheus.wait_for("up", |value| value > 0.5);

    let victim = lab.server.plan.v4_at(PORT);
    let clients = Clients::start(&lab.client.ns, &[victim], 20.0).expect("clients run");
    let sources = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
    let flood = Flood { sources, victim, count: u64::MAX, rate: 1000, seed: 1 };
    let stop = Arc::new(AtomicBool::new(false));
    let attack = {
        let (wire, stop) = (Wire::open(&lab.client).expect("a wire"), Arc::clone(&stop));
        std::thread::spawn(move || flood.send(&wire, &stop).expect("the flood is sent"))
    };
    let wire = Wire::open(&lab.client).expect("a wire");
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let expressions = expressions(&dashboard);
    assert!(expressions.len() > 20, "{expressions:?}");
    for expression in &expressions {
        if expression.contains(MEASURED_ON_REQUEST) {
            // It must be understood all the same.
            prometheus.value(expression);
            continue;
        }
        wait_until(expression, || {
            send_bad_frames(&lab, &wire);
            prometheus.value(expression).is_some_and(|value| !value.is_nan())
        });
    }
    let flooded = prometheus.value("sum(hsmon_alerts_active{signature=\"syn_flood\"})");
    assert!(flooded.is_some_and(|floods| floods > 0.5), "{flooded:?}");
    stop.store(true, Ordering::Relaxed);
    attack.join().expect("it was sent");
    clients.stop().expect("clients end");
    watch.stop();
}

/// A member of the fleet: a host under observation, and its own way to Prometheus.
struct Member {
    lab: Lab,
    watch: Watch,
    _server: Server,
    metrics: SocketAddr,
}

impl Member {
    fn join(collector: &Netns, number: u8) -> Member {
        let (lab, server) = lab();
        let (own, others) =
            (Ipv4Addr::new(198, 18, 100 + number, 1), Ipv4Addr::new(198, 18, 100 + number, 2));
        let ns = &lab.server.ns;
        let cable =
            format!("link add hsm-own type veth peer name hsm-far{number} netns {}", collector.name());
        ns.ip(&cable).expect("a cable");
        for line in [format!("address add {own}/30 dev hsm-own"), "link set hsm-own up".to_owned()] {
            ns.ip(&line).expect("this end is set up");
        }
        for line in
            [format!("address add {others}/30 dev hsm-far{number}"), format!("link set hsm-far{number} up")]
        {
            collector.ip(&line).expect("the other end is set up");
        }
        let metrics = SocketAddr::new(own.into(), 9435);
        let args = format!("--iface hsm-server --half-open-after 1s --metrics {metrics}");
        let watch = Watch::start(ns, &args);
        Member { lab, watch, metrics, _server: server }
    }

    fn flood(&self, seed: u64) -> Flood {
        let sources = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
        Flood { sources, victim: self.lab.server.plan.v4_at(PORT), count: 120, rate: LITTLE, seed }
    }
}

#[test]
fn a_flood_that_no_single_host_sees_is_seen_by_the_fleet() {
    let collector = Netns::create(format!("{}{}-p", lab::netns::NAME_START, std::process::id()));
    let collector = collector.expect("a network namespace (root is needed)");
    collector.ip("link set lo up").expect("loopback");
    let members: Vec<Member> = (0..FLEET as u8).map(|number| Member::join(&collector, number)).collect();
    let targets: Vec<SocketAddr> = members.iter().map(|member| member.metrics).collect();
    let prometheus = Prometheus::start(&collector, &targets);
    prometheus.wait_for("sum(up)", |up| up > FLEET as f64 - 0.5);

    let stop = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..)
        .zip(&members)
        .map(|(seed, member)| {
            let (flood, stop) = (member.flood(seed), Arc::clone(&stop));
            let wire = Wire::open(&member.lab.client).expect("a wire");
            std::thread::spawn(move || flood.send(&wire, &stop).expect("the flood is sent"))
        })
        .collect();
    prometheus.wait_for("ALERTS{alertname=\"HsMonFleetFlood\",alertstate=\"firing\"}", |value| value > 0.5);
    assert!(prometheus.value("sum(hsmon_alerts_total)").is_some_and(|alerts| alerts < 0.5));
    stop.store(true, Ordering::Relaxed);
    let sent: u64 = floods.into_iter().map(|flood| flood.join().expect("it was sent")).sum();
    let mut begun = 0;
    for member in members {
        let said = member.watch.stop();
        assert_eq!(said.totals.get("alerts"), 0, "{:?}", said.totals);
        begun += said.totals.get("begun");
    }
    assert_eq!(begun, sent);
}
