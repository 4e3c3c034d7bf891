//! What can be wrong with a capture, in words for the user.

use std::fmt;
use std::io;

/// Why a capture can't be read, or not to its end.
#[derive(Debug)]
pub enum Error {
    /// There is not a single byte.
    Empty,
    /// It is neither pcap nor pcapng.
    NotACapture {
        /// Its first bytes, four at the most.
        first: Vec<u8>,
    },
    /// It ends in the middle of a packet, or of the compressed stream.
    Truncated {
        /// Whole packets before the cut. All of them were returned.
        packets: u64,
        /// Where the first thing that is not whole begins: byte of the uncompressed capture.
        offset: u64,
    },
    /// Something in it can't be.
    Corrupt {
        /// Packets before the damage. All of them were returned.
        packets: u64,
        /// Where the damage is: byte of the uncompressed capture.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The operating system could not open or read it.
    Io(io::Error),
}

impl Error {
    pub(super) fn new(fault: Fault, packets: u64, offset: u64) -> Error {
        match fault {
            Fault::Cut => Error::Truncated { packets, offset },
            Fault::Corrupt(detail) => Error::Corrupt { packets, offset, detail },
            Fault::Io(error) => Error::Io(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Empty => f.write_str("the capture is empty (0 bytes): check that the capture was written"),
            Error::NotACapture { first } => {
                f.write_str("not a capture: it begins with")?;
                first.iter().try_for_each(|byte| write!(f, " {byte:02x}"))?;
                f.write_str("; ")?;
                f.write_str(next_step(first))
            }
            Error::Truncated { packets, offset } => write!(
                f,
                "the capture is cut short after {packets} whole packets (byte {offset}, uncompressed): \
                 what was reported covers these; copy or capture it again for the rest"
            ),
            Error::Corrupt { packets, offset, detail } => write!(
                f,
                "the capture is corrupt after {packets} packets (byte {offset}, uncompressed): {detail}; \
                 what was reported covers the packets before; copy or capture it again for the rest"
            ),
            Error::Io(error) => write!(f, "{error}"),
        }
    }
}

/// What to do about a file that begins so.
fn next_step(first: &[u8]) -> &'static str {
    match first {
        [0xfd, b'7', b'z', b'X'] => "it is compressed with xz: xz -dc FILE | hs-mon replay -",
        [b'B', b'Z', b'h', _] => "it is compressed with bzip2: bzip2 -dc FILE | hs-mon replay -",
        [0x04, 0x22, 0x4d, 0x18] => "it is compressed with lz4: lz4 -dc FILE | hs-mon replay -",
        [b'P', b'K', ..] => "it is a zip archive: unzip -p FILE | hs-mon replay -",
        _ => "hs-mon reads pcap and pcapng, also compressed with gzip or zstd",
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // What the error says itself is in the text already.
            Error::Io(error) => error.source(),
            _ => None,
        }
    }
}

/// What went wrong, before it is known after how many packets.
#[derive(Debug)]
pub(super) enum Fault {
    /// The input ended too early.
    Cut,
    /// Something can't be.
    Corrupt(String),
    /// The operating system refused.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    /// Decompressors tell of a stream that ends early, or is damaged, by an [`io::Error`] that
    /// carries no code of the operating system.
    fn from(error: io::Error) -> Fault {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Fault::Cut,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => {
                Fault::Corrupt(error.to_string())
            }
            _ => Fault::Io(error),
        }
    }
}
