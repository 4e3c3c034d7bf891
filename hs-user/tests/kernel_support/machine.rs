//! Changes to the machine that only a guest may suffer: its modules, its clock, its settings, its memory. Each
//! is taken back when its value is dropped.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::guest::is_guest;
use crate::scene::wait_until;

/// Where the guest's init has its modules, as `08-veth.ko`.
const MODULES: &str = "/modules";

/// Ends a test that is about to change somebody's machine.
fn only_in_a_guest() {
    assert!(is_guest(), "this test changes the machine: it runs in the guests of `cargo xtask vm` only");
}

/// Modules that are taken out, and put in again.
pub struct Without(Vec<&'static str>);

impl Without {
    /// In this order.
    pub fn modules(names: &[&'static str]) -> Without {
        only_in_a_guest();
        for name in names {
            // Namespaces of the tests before may still be on their way out, with their qdiscs.
            wait_until(&format!("{name} can be taken out"), || delete_module(name).is_ok());
        }
        Without(names.to_vec())
    }
}

impl Drop for Without {
    fn drop(&mut self) {
        for name in self.0.iter().rev() {
            load_module(name).unwrap_or_else(|error| panic!("{name} can't be put in again: {error}"));
        }
    }
}

fn delete_module(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(io::Error::other)?;
    // SAFETY: the name ends with a zero byte and outlives the call.
    checked(unsafe { libc::syscall(libc::SYS_delete_module, name.as_ptr(), libc::O_NONBLOCK) })
}

fn load_module(name: &str) -> io::Result<()> {
    let ends_so = |path: &PathBuf| path.to_string_lossy().ends_with(&format!("-{name}.ko"));
    let path = Path::new(MODULES).read_dir()?.flatten().map(|entry| entry.path()).find(ends_so);
    let file = File::open(path.ok_or(io::ErrorKind::NotFound)?)?;
    // SAFETY: the file is open, and the parameters are an empty text.
    checked(unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) })
}

fn checked(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A setting below /proc/sys with another value.
pub struct Setting {
    path: PathBuf,
    before: String,
}

impl Setting {
    pub fn change(name: &str, value: &str) -> io::Result<Setting> {
        only_in_a_guest();
        let path = Path::new("/proc/sys").join(name);
        let before = fs::read_to_string(&path)?;
        fs::write(&path, value)?;
        Ok(Setting { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        fs::write(&self.path, &self.before).expect("the setting can be taken back");
    }
}

/// The wall clock, set back by so much.
pub struct ClockSetBack(Duration);

impl ClockSetBack {
    pub fn by(much: Duration) -> ClockSetBack {
        only_in_a_guest();
        shift_clock(-(much.as_secs() as i64));
        ClockSetBack(much)
    }
}

impl Drop for ClockSetBack {
    fn drop(&mut self) {
        shift_clock(self.0.as_secs() as i64);
    }
}

fn shift_clock(seconds: i64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls take a time that outlives them.
    let set = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time);
        time.tv_sec += seconds;
        libc::clock_settime(libc::CLOCK_REALTIME, &raw const time)
    };
    assert_eq!(set, 0, "the clock can be set: {}", io::Error::last_os_error());
}

/// A processor that is taken out.
pub struct ProcessorOff(PathBuf);

impl ProcessorOff {
    pub fn number(number: usize) -> ProcessorOff {
        only_in_a_guest();
        let switch = PathBuf::from(format!("/sys/devices/system/cpu/cpu{number}/online"));
        fs::write(&switch, "0").expect("the processor can be taken out");
        ProcessorOff(switch)
    }
}

impl Drop for ProcessorOff {
    fn drop(&mut self) {
        fs::write(&self.0, "1").expect("the processor can be put in again");
    }
}

/// A control group whose processes may have so much memory.
pub struct Confined(PathBuf);

impl Confined {
    pub fn to_bytes(bytes: u64) -> Confined {
        only_in_a_guest();
        let root = Path::new("/tmp/cgroup");
        if !root.exists() {
            fs::create_dir(root).expect("a place to mount at");
            mount_control_groups(root).expect("control groups can be mounted");
        }
        fs::write(root.join("cgroup.subtree_control"), "+memory").expect("memory can be controlled");
        let group = root.join("confined");
        fs::create_dir(&group).expect("a control group");
        fs::write(group.join("memory.max"), bytes.to_string()).expect("memory can be limited");
        Confined(group)
    }

    /// Has a command run in it.
    pub fn confine(&self, command: &mut Command) {
        let procs = CString::new(self.0.join("cgroup.procs").to_string_lossy().as_bytes());
        let procs = procs.expect("a path without zero bytes");
        // SAFETY: between fork and exec only system calls are made.
        unsafe {
            command.pre_exec(move || {
                let file = libc::open(procs.as_ptr(), libc::O_WRONLY);
                if file >= 0 && libc::write(file, c"0".as_ptr().cast(), 1) == 1 {
                    libc::close(file);
                    return Ok(());
                }
                Err(io::Error::last_os_error())
            });
        }
    }
}

fn mount_control_groups(at: &Path) -> io::Result<()> {
    let at = CString::new(at.to_string_lossy().as_bytes())?;
    let kind = c"cgroup2".as_ptr();
    // SAFETY: the texts end with zero bytes and outlive the call; there is no data.
    checked(unsafe { libc::mount(kind, at.as_ptr(), kind, 0, std::ptr::null()) }.into())
}

impl Drop for Confined {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).expect("the control group is empty");
    }
}
