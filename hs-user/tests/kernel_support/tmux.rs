//! A terminal to look at: a pane of tmux, with a shell in a network namespace.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::lab::netns::Netns;
use crate::scene::wait_until;

/// Ends with the value, and all that runs in it.
pub struct Pane {
    socket: String,
    home: PathBuf,
}

impl Pane {
    /// A pane of 80 by 24.
    pub fn open(ns: &Netns) -> Pane {
        let socket = ns.name().to_owned();
        let home = env::temp_dir().join(format!("hs-mon-pane-{socket}"));
        fs::create_dir_all(&home).expect("a directory of its own");
        let pane = Pane { socket, home };
        pane.tmux(&["new-session", "-d", "-x", "80", "-y", "24", "ip", "netns", "exec", ns.name(), "sh"]);
        pane
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.socket, "-f", "/dev/null"]).args(args);
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX").env_remove("NO_COLOR");
        let output = command.output().expect("tmux starts (of Debian's package tmux)");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {}: {said}", args.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs a command line. Its process is in `pid`, its status comes as `status=`, and what the terminal's settings
    /// are before and after it is kept.
    pub fn run(&self, line: &str) {
        fs::remove_file(self.file("after")).ok();
        let script = format!(
            "stty -g > {before}\nsh -c 'echo $$ > {pid}; exec {line}'\necho status=$?\nstty -g > {after}\n",
            before = self.file("before").display(),
            pid = self.file("pid").display(),
            after = self.file("after").display()
        );
        fs::write(self.file("script"), script).expect("the script is written");
        self.keys(&["clear; . ", &self.file("script").display().to_string(), "\n"]);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// Types these.
    pub fn keys(&self, keys: &[&str]) {
        for key in keys {
            match *key {
                "\n" => self.tmux(&["send-keys", "Enter"]),
                text => self.tmux(&["send-keys", "-l", text]),
            };
        }
    }

    /// The process of the line that runs.
    pub fn pid(&self) -> i32 {
        let pid = fs::read_to_string(self.file("pid")).expect("the line runs");
        pid.trim().parse().expect("a number")
    }

    pub fn resize(&self, width: u16, height: u16) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// What is to be seen.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The same, with the escape sequences of its colours.
    pub fn coloured(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    pub fn wait_for(&self, part: &str) {
        self.wait_until(part, |text| text.contains(part));
    }

    pub fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let seen = std::panic::AssertUnwindSafe(|| wait_until(what, || is_so(&self.text())));
        if std::panic::catch_unwind(seen).is_err() {
            panic!("{what} is not to be seen:\n{}", self.text());
        }
    }

    /// Whether a program has taken the whole screen, as an editor does.
    pub fn is_taken(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{alternate_on}"]).trim() == "1"
    }

    /// The program has ended with this status, and the terminal is as it was.
    pub fn is_given_back(&self, status: u8) {
        self.wait_for(&format!("status={status}"));
        wait_until("the shell has gone on", || read(&self.file("after")).ends_with('\n'));
        assert!(!self.is_taken(), "{}", self.text());
        assert_eq!(read(&self.file("before")), read(&self.file("after")), "the terminal's settings");
        assert_eq!(self.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim(), "1", "the cursor");
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

impl Drop for Pane {
    fn drop(&mut self) {
        // Without a server there is nothing to end.
        let _ = Command::new("tmux").args(["-L", &self.socket, "kill-server"]).output();
        let _ = fs::remove_dir_all(&self.home);
    }
}
