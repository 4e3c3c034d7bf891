//! What hs-mon holds while it reads what attackers send: next to nothing.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::{env, fs, io};

use caps::{CapSet, Capability, CapsHashSet};
use scene::{PORT, connect, failed, has_tcx, lab};
use watch::{Watch, program};

const NOBODY: libc::uid_t = 65_534;
/// Nobody else's processes count towards the limits of this user.
const LONELY: libc::uid_t = 64_123;
/// The bit of CAP_NET_ADMIN.
const NET_ADMIN: u64 = 1 << 12;

/// A field of /proc/PID/status.
fn status(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field}")).trim().to_owned()
}

fn capabilities(pid: u32, set: &str) -> u64 {
    u64::from_str_radix(&status(pid, set), 16).expect("a hexadecimal number")
}

#[test]
fn it_watches_as_nobody_and_without_capabilities() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    connect(&lab, 3);
    watch.wait_for_total("completed", 3);
    let pid = watch.monitor.pid();
    // Filters of tc are no links before Linux 6.6, and who takes them away needs this.
    let kept = if has_tcx() { 0 } else { NET_ADMIN };
    for (set, expected) in [("CapEff", kept), ("CapPrm", kept), ("CapInh", 0), ("CapAmb", 0), ("CapBnd", 0)] {
        assert_eq!(capabilities(pid, set), expected, "{set}");
    }
    assert!(status(pid, "Uid").split_whitespace().all(|user| user != "0"), "{}", status(pid, "Uid"));
    assert!(status(pid, "Gid").split_whitespace().all(|group| group != "0"), "{}", status(pid, "Gid"));
    assert_eq!(status(pid, "Groups"), "");
    assert_eq!((status(pid, "NoNewPrivs").as_str(), status(pid, "Seccomp").as_str()), ("1", "2"));
    // The one that writes standard output has no more than the one that watches.
    let held =
        ["Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd", "NoNewPrivs", "Seccomp"];
    assert_eq!(status(pid, "Threads"), "2");
    for thread in fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there") {
        let thread = thread.expect("an entry").file_name().to_string_lossy().parse().expect("a number");
        held.iter().for_each(|field| assert_eq!(status(thread, field), status(pid, field), "{field}"));
    }
    assert_eq!(watch.stop().totals.get("completed"), 3);
}

/// Handshakes time out, totals are read, the responders are judged: all of it by descriptors that it holds.
#[test]
fn a_flood_is_told_all_the_same() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --half-open-after 1s");
    let wire = lab::wire::Wire::open(&lab.client).expect("a wire");
    let target = lab.server.plan.v4_at(PORT);
    for number in 0..6_000_u32 {
        let [.., high, low] = number.to_be_bytes();
        let source = ([198, 19, high, low], 4000 + (number % 1000) as u16).into();
        wire.send(&lab::frame::Segment::syn(source, target, number)).expect("the SYN is sent");
    }
    let alert = watch.wait_for_event("an alert", |event| event["event_type"] == "alert");
    assert_eq!(alert["synflood"]["victim_ip"], "198.18.0.1", "{alert}");
    watch.wait_for_total("half_open", 6_000);
    assert_eq!(watch.stop().totals.get("half_open"), 6_000);
}

/// A copy of the program where everybody may go: the build directory may be root's own.
struct Copy(std::path::PathBuf);

impl Copy {
    fn make() -> Copy {
        let copy = env::temp_dir().join(format!("hs-mon-{}-p", std::process::id()));
        fs::copy(program(), &copy).expect("the program can be copied");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy may be run by all");
        Copy(copy)
    }

    /// To be run by this user, with these capabilities alone.
    fn command(&self, lab: &lab::Lab, user: libc::uid_t, capabilities: &[Capability]) -> Command {
        let mut command = Command::new(&self.0);
        let namespace = fs::File::open(format!("/run/netns/{}", lab.server.ns.name())).expect("a namespace");
        let wanted: CapsHashSet = capabilities.iter().copied().collect();
        let become_one = move || {
            use std::os::fd::AsRawFd as _;
            // SAFETY: these calls take numbers, and an empty list.
            let done = unsafe {
                libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) == 0
                    && libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0
                    && libc::setgroups(0, std::ptr::null()) == 0
                    && libc::setresgid(user, user, user) == 0
                    && libc::setresuid(user, user, user) == 0
            };
            if !done {
                return Err(io::Error::last_os_error());
            }
            for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted, CapSet::Ambient] {
                caps::set(None, set, &wanted).map_err(io::Error::other)?;
            }
            Ok(())
        };
        // SAFETY: the closure runs in the child before it becomes the program; nothing else runs in it.
        unsafe { command.pre_exec(become_one) };
        command
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn root_is_not_needed_and_three_capabilities_are() {
    use Capability::{CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON};
    let (lab, _server) = lab();
    let copy = Copy::make();
    let run = |capabilities: &[Capability]| {
        let mut command = copy.command(&lab, NOBODY, capabilities);
        command
            .args("--iface hsm-server --duration 200ms --format json".split(' '))
            .output()
            .expect("hs-mon runs")
    };
    let output = run(&[CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.starts_with("hs-mon: watching hsm-server: "), "{stderr}");
    failed(&run(&[CAP_NET_ADMIN, CAP_PERFMON]), &["root", "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"]);
    failed(&run(&[CAP_BPF, CAP_PERFMON]), &["root", "lacks CAP_NET_ADMIN"]);
    failed(&run(&[CAP_BPF, CAP_NET_ADMIN]), &["root", "lacks CAP_PERFMON"]);
}

/// The programs are loaded by several threads where there may be some, and without them where there may not.
#[test]
fn one_thread_beside_the_first_is_enough() {
    use Capability::{CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON};
    let (lab, _server) = lab();
    let copy = Copy::make();
    let run = |processes| {
        let mut command = copy.command(&lab, LONELY, &[CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]);
        let limit = libc::rlimit { rlim_cur: processes, rlim_max: processes };
        // SAFETY: between fork and exec only a system call is made, with a pointer that is valid for it.
        unsafe {
            command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        command.args(["--iface", "hsm-server", "--duration", "200ms"]).output().expect("hs-mon runs")
    };
    let output = run(2);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    failed(&run(1), &["can't start the thread that writes standard output", "ulimit -u"]);
}

/// The configuration can be read again: nothing else of its kind can.
#[test]
fn the_configuration_is_read_again_after_all_is_given_up() {
    let (lab, _server) = lab();
    let directory = env::temp_dir().join(format!("hs-mon-{}-config", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("hs-mon.toml");
    fs::write(&file, "[detection]\n").expect("a file");
    let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --config {}", file.display()));
    // As editors do it: another file takes its place.
    fs::write(directory.join("new"), "[detection]\nno-such-key = 1\n").expect("a file");
    fs::rename(directory.join("new"), &file).expect("it takes its place");
    watch.monitor.signal(libc::SIGHUP).expect("it is there");
    let line = watch.wait_for_message("the old configuration stays");
    assert!(line.contains("no-such-key"), "{line}");
    // What nobody writes to would be waited for without an end, and the watch with it.
    fs::remove_file(&file).expect("it is there");
    let made = Command::new("mkfifo").arg(&file).status().expect("mkfifo runs");
    assert!(made.success());
    watch.monitor.signal(libc::SIGHUP).expect("it is there");
    let line = watch.wait_for_message("the old configuration stays");
    assert!(line.contains("no regular file"), "{line}");
    connect(&lab, 3);
    watch.wait_for_total("completed", 3);
    watch.stop();
    fs::remove_dir_all(&directory).expect("the directory can be removed");
}
