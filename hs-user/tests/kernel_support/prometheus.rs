//! Prometheus as a child process, and its tool.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use serde_json::Value;

use crate::lab::http::get;
use crate::lab::netns::Netns;
use crate::scene::wait_until;
use crate::watch::json;

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// Where prometheus and promtool are: `cargo xtask test` says it.
fn program(name: &str) -> PathBuf {
    match env::var_os("HS_MON_PROMETHEUS") {
        Some(directory) => Path::new(&directory).join(name),
        None => PathBuf::from(name),
    }
}

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/prometheus")
}

/// Runs promtool beside the rules; it must be content with what it is given.
pub fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new(program("promtool"));
    command
        .args(args)
        .current_dir(packaging())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts (of Debian's package prometheus)");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It reads none of it if it needs none.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {}: {said}", args.join(" "));
}

/// A running Prometheus with the rules that are shipped; ends with the value.
pub struct Prometheus<'a> {
    child: Child,
    ns: &'a Netns,
    home: PathBuf,
}

impl Prometheus<'_> {
    /// Starts it in a namespace; it scrapes these every second.
    pub fn start<'a>(ns: &'a Netns, targets: &[SocketAddr]) -> Prometheus<'a> {
        let home = env::temp_dir().join(format!("hs-mon-prometheus-{}", ns.name()));
        fs::create_dir_all(&home).expect("a directory of its own");
        let targets: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [\"{}/hs-mon.rules.yml\"]\n\
             scrape_configs: [{{job_name: hs-mon, static_configs: [{{targets: [{}]}}]}}]\n",
            packaging().display(),
            targets.join(", ")
        );
        fs::write(home.join("prometheus.yml"), config).expect("its configuration is written");
        let mut command = ns.command(program("prometheus"));
        command.arg(format!("--config.file={}", home.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", home.join("data").display()));
        command.args([&format!("--web.listen-address={LISTEN}"), "--log.level=error"]);
        let log = fs::File::create(home.join("log")).expect("its log can be written");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let prometheus = Prometheus { child: child.expect("Prometheus starts"), ns, home };
        wait_until("Prometheus is ready", || get(ns, LISTEN, "/-/ready").is_ok());
        prometheus
    }

    /// The value of an expression, if it has one.
    pub fn value(&self, query: &str) -> Option<f64> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric();
        let encoded: String = query
            .bytes()
            .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect();
        let answer = get(self.ns, LISTEN, &format!("/api/v1/query?query={encoded}"));
        let answer = json(&answer.unwrap_or_else(|error| panic!("{query}: {error}; {}", self.log())));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let value: &Value = &answer["data"]["result"][0]["value"][1];
        value.as_str().and_then(|value| value.parse().ok())
    }

    /// Waits until an expression has such a value.
    pub fn wait_for(&self, query: &str, wanted: impl Fn(f64) -> bool) {
        wait_until(query, || self.value(query).is_some_and(&wanted));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        // Both fail if it has ended already, and then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.home);
    }
}
