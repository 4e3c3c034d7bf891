//! Writes the archive that the kernel unpacks as its first file system: cpio's "newc" format
//! (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel's source).

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
const CHARACTER_DEVICE: u32 = 0o020_600;
const TRAILER: &str = "TRAILER!!!";

/// An archive that is being written. Paths are those of the guest, absolute.
pub struct Archive<W> {
    out: W,
    directories: BTreeSet<PathBuf>,
    inode: u32,
}

impl<W: Write> Archive<W> {
    /// An empty archive.
    pub fn new(out: W) -> Self {
        Self { out, directories: BTreeSet::new(), inode: 0 }
    }

    /// A directory, and those above it.
    pub fn directory(&mut self, path: &Path) -> io::Result<()> {
        if path.parent().is_none() || self.directories.contains(path) {
            return Ok(());
        }
        self.parents(path)?;
        self.directories.insert(path.to_owned());
        self.entry(path, DIRECTORY, (0, 0), &[])
    }

    /// A file that may be executed.
    pub fn file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.parents(path)?;
        self.entry(path, PROGRAM, (0, 0), content)
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &Path, target: &str) -> io::Result<()> {
        self.parents(path)?;
        self.entry(path, LINK, (0, 0), target.as_bytes())
    }

    /// A character device.
    pub fn device(&mut self, path: &Path, major_minor: (u32, u32)) -> io::Result<()> {
        self.parents(path)?;
        self.entry(path, CHARACTER_DEVICE, major_minor, &[])
    }

    /// The end of the archive.
    pub fn finish(mut self) -> io::Result<()> {
        self.entry(Path::new(TRAILER), 0, (0, 0), &[])?;
        self.out.flush()
    }

    fn parents(&mut self, path: &Path) -> io::Result<()> {
        path.parent().map_or(Ok(()), |parent| self.directory(parent))
    }

    fn entry(&mut self, path: &Path, mode: u32, device: (u32, u32), content: &[u8]) -> io::Result<()> {
        let name = path.strip_prefix("/").unwrap_or(path).as_os_str().as_encoded_bytes();
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        self.inode += 1;
        // Inode, mode, uid, gid, links, mtime, size, device, device of the node, length of the name, check.
        let (major, minor) = device;
        let header = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name_size, 0];
        self.out.write_all(b"070701")?;
        for field in header {
            write!(self.out, "{field:08x}")?;
        }
        self.out.write_all(name)?;
        self.out.write_all(b"\0")?;
        self.pad(110 + name.len() + 1)?;
        self.out.write_all(content)?;
        self.pad(content.len())
    }

    fn pad(&mut self, written: usize) -> io::Result<()> {
        self.out.write_all(&[0; 3][..written.next_multiple_of(4) - written])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_directories_come_first_and_once() {
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes);
        archive.file(Path::new("/a/b"), b"12345").expect("writing to memory");
        archive.link(Path::new("/a/c"), "b").expect("writing to memory");
        archive.finish().expect("writing to memory");

        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let starts: Vec<usize> = text.match_indices("070701").map(|(at, _)| at).collect();
        assert!(starts.iter().all(|at| at % 4 == 0), "{starts:?}");
        let names: Vec<&str> =
            starts.iter().map(|at| text[at + 110..].split('\0').next().unwrap_or("")).collect();
        assert_eq!(names, ["a", "a/b", "a/c", TRAILER]);
        assert_eq!(&text[starts[1] + 54..starts[1] + 62], "00000005");
    }
}
