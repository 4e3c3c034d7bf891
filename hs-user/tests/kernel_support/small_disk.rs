//! A file system of a few megabytes, which is soon full. It is nowhere to be seen, and gone with its files.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::thread;

/// A tmpfs in a mount namespace that ended with the thread that made it; its open files keep it.
pub struct SmallDisk {
    pub output: File,
    ballast: File,
    bytes: u64,
}

impl SmallDisk {
    pub fn mount(bytes: u64) -> SmallDisk {
        let made = thread::spawn(move || {
            let flags = libc::MS_REC | libc::MS_PRIVATE;
            let size = CString::new(format!("size={bytes}")).expect("no zero bytes");
            let (root, at, kind) = (c"/".as_ptr(), c"/mnt".as_ptr(), c"tmpfs".as_ptr());
            // SAFETY: the texts end with zero bytes and outlive the calls. This thread alone sees the mounts.
            let mounted = unsafe {
                libc::unshare(libc::CLONE_NEWNS) == 0
                    && libc::mount(kind, root, std::ptr::null(), flags, std::ptr::null()) == 0
                    && libc::mount(kind, at, kind, 0, size.as_ptr().cast()) == 0
            };
            assert!(mounted, "{}", io::Error::last_os_error());
            let make = |name| {
                let mut options = File::options();
                options.read(true).append(true).create(true).open(name).expect("a file")
            };
            SmallDisk { output: make("/mnt/output"), ballast: make("/mnt/ballast"), bytes }
        });
        made.join().expect("a small file system (root is needed)")
    }

    /// Fills it, but for so many bytes; the file is to be emptied when there shall be space again.
    pub fn fill_but(&self, free: u64) -> &File {
        let weight = vec![0; (self.bytes - free) as usize];
        (&self.ballast).write_all(&weight).expect("there is space for that");
        &self.ballast
    }

    /// What was written to the output.
    pub fn written(&self) -> String {
        let mut text = vec![0; self.output.metadata().expect("it is open").len() as usize];
        self.output.read_exact_at(&mut text, 0).expect("it can be read");
        String::from_utf8(text).expect("text")
    }
}
