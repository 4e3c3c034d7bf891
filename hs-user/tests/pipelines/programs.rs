//! Runs the small Python programs beside this file, which only pass on what the packages give.

use std::env;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where the Python packages are.
const PLACE: &str = "HS_MON_PIPELINES";

/// Gives a program its input as JSON, and reads its answer.
pub fn python(program: &str, input: &Value) -> Value {
    let place = env::var_os(PLACE).unwrap_or_else(|| panic!("{PLACE} is not set: cargo xtask test does"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pipelines").join(program);
    let mut command = Command::new("python3");
    // -s: nothing of this user's own packages.
    command.args(["-s", "-B"]).arg(path).env("PYTHONPATH", place);
    answer(command, &input.to_string())
}

fn answer(mut command: Command, input: &str) -> Value {
    let text = filter(&mut command, input);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{command:?}: {error}: {text}"))
}

/// What a program writes when it reads this; it must succeed.
pub fn filter(command: &mut Command, input: &str) -> String {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let writer = {
        let input = input.to_owned();
        // A program may end without having read it all.
        std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())))
    };
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("its input was written");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
