//! How much `unsafe` there is: as much as SECURITY.md says, crate by crate, so that more of it is noticed.

use std::fs;
use std::path::Path;

use crate::shell;

const CRATES: [&str; 4] = ["hs-common", "hs-ebpf", "hs-user", "xtask"];
/// What makes code unsafe, each in two pieces lest this file count itself.
const FORMS: [[&str; 2]; 5] =
    [["unsafe", " {"], ["unsafe", " fn"], ["unsafe", " impl"], ["unsafe", " extern"], ["#[unsafe", "("]];

fn count(dir: &Path) -> usize {
    let entries =
        fs::read_dir(dir).expect("the sources are there").map(|entry| entry.expect("an entry").path());
    let count_in = |path: &Path| match path.extension() {
        _ if path.is_dir() => count(path),
        Some(extension) if extension == "rs" => count_forms(&fs::read_to_string(path).expect("UTF-8")),
        _ => 0,
    };
    entries.map(|path| count_in(&path)).sum()
}

fn count_forms(text: &str) -> usize {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.map(|line| FORMS.iter().map(|form| line.matches(&form.concat()).count()).sum::<usize>()).sum()
}

#[test]
fn there_is_as_much_as_security_md_says() {
    let root = shell::workspace_root();
    let told = fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md is there");
    for name in CRATES {
        let number = count(&root.join(name).join("src"));
        let row = format!("| `{name}` | {number} |");
        assert!(told.contains(&row), "SECURITY.md should say {row}: is each one needed?");
    }
}

#[test]
fn each_form_counts_and_a_comment_does_not() {
    let lines = FORMS.map(|form| format!("    {}", form.concat())).join("\n");
    assert_eq!(count_forms(&lines), FORMS.len());
    assert_eq!(count_forms(&lines.replace("    ", "    // ")), 0);
}
