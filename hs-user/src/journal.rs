//! systemd's journal, where standard error leads to it: each line begins with its level (sd-daemon(3)).

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::OnceLock;

/// Whether standard error goes to the journal, and not through a pipe or to a file of somebody else.
pub fn is_stderr() -> bool {
    static IS_STDERR: OnceLock<bool> = OnceLock::new();
    *IS_STDERR.get_or_init(|| {
        let file = fs::metadata("/proc/self/fd/2").ok().map(|file| (file.dev(), file.ino()));
        leads_to(env::var("JOURNAL_STREAM").ok().as_deref(), file)
    })
}

/// `JOURNAL_STREAM` holds device and inode of the journal's socket; a child inherits it, whatever its own output is.
fn leads_to(journal: Option<&str>, file: Option<(u64, u64)>) -> bool {
    let journal = journal.and_then(|journal| {
        let (device, inode) = journal.split_once(':')?;
        Some((device.parse().ok()?, inode.parse().ok()?))
    });
    journal.is_some() && journal == file
}

/// The level of a message.
pub fn level(text: &str) -> &'static str {
    if text.starts_with("warning: ") { "<4>" } else { "<6>" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_for_the_journal_alone() {
        assert!(leads_to(Some("8:12345"), Some((8, 12345))));
        for (journal, file) in
            [(None, Some((8, 12345))), (Some("8:12345"), Some((8, 1))), (Some("8:"), None), (None, None)]
        {
            assert!(!leads_to(journal, file), "{journal:?} {file:?}");
        }
        assert_eq!((level("warning: x"), level("watching x")), ("<4>", "<6>"));
    }
}
