//! Decompresses on the way, if the first bytes say that it is needed.

use std::error::Error as StdError;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const BUFFER: usize = 64 << 10;
/// The largest window that zstd itself takes unless told otherwise (its `--long=27`).
const MAX_WINDOW: u64 = 128 << 20;
/// An empty raw block that is the last one of its frame (RFC 8878 3.1.1.2), and room for a checksum.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

type Source = BufReader<Chain<Cursor<Vec<u8>>, Box<dyn Read>>>;

/// The uncompressed bytes of `source`. Damage in a compressed stream comes as `InvalidInput` or
/// `InvalidData`, its early end as `UnexpectedEof`, each after all that could be decompressed.
pub(super) fn recognise(mut source: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut first = Vec::with_capacity(4);
    source.by_ref().take(4).read_to_end(&mut first)?;
    let magic = first.clone();
    let whole = Cursor::new(first).chain(source);
    Ok(match magic[..] {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, whole))),
        // A frame, or a skippable frame, with which pzstd begins (RFC 8878 3.1.2).
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            Box::new(Zstd::new(BufReader::with_capacity(BUFFER, whole)))
        }
        _ => Box::new(whole),
    })
}

/// A zstd stream of any number of frames.
struct Zstd {
    source: Source,
    frame: Option<FrameDecoder>,
    failure: Option<io::Error>,
}

impl Zstd {
    fn new(source: Source) -> Zstd {
        Zstd { source, frame: None, failure: None }
    }

    /// The next frame that is not a skippable one, or none at the end.
    fn begin_frame(&mut self) -> io::Result<Option<FrameDecoder>> {
        while !self.source.fill_buf()?.is_empty() {
            let mut head = [0; 6];
            self.source.read_exact(&mut head)?;
            let mut decoder = FrameDecoder::new();
            match decoder.init((&head[..]).chain(&mut self.source)) {
                Ok(()) => {
                    check_window(head, decoder.content_size())?;
                    return Ok(Some(decoder));
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    self.skip(u64::from(length))?;
                }
                Err(error) => return Err(io_error(error)),
            }
        }
        Ok(None)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
        if skipped == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Decompresses into `buffer`; 0 at the frame's end.
    fn read_frame(&mut self, decoder: &mut FrameDecoder, buffer: &mut [u8]) -> io::Result<usize> {
        while decoder.can_collect() == 0 && !decoder.is_finished() {
            let Err(error) = decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
            else {
                continue;
            };
            self.failure = Some(io_error(error));
            // The decoder holds a whole window back for the blocks to come, which will not come.
            decoder.decode_blocks(&LAST_BLOCK[..], BlockDecodingStrategy::All).map_err(io_error)?;
        }
        decoder.read(buffer)
    }

    /// After a frame's last byte.
    fn end_frame(&mut self, decoder: &FrameDecoder) -> io::Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let told = decoder.get_checksum_from_data();
        if told.is_some() && told != decoder.get_calculated_checksum() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "wrong checksum of a zstd frame"));
        }
        Ok(())
    }
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut decoder = match self.frame.take() {
                Some(decoder) => decoder,
                None => match self.begin_frame()? {
                    Some(decoder) => decoder,
                    None => return Ok(0),
                },
            };
            let count = self.read_frame(&mut decoder, buffer)?;
            if count > 0 || buffer.is_empty() {
                self.frame = Some(decoder);
                return Ok(count);
            }
            self.end_frame(&decoder)?;
        }
    }
}

/// Refuses a window that would take too much memory. `head` are the first bytes of the frame
/// (RFC 8878 3.1.1.1): four of magic, the descriptor, and the window unless the content is one segment.
fn check_window(head: [u8; 6], content_size: u64) -> io::Result<()> {
    let [_, _, _, _, descriptor, window] = head;
    let single_segment = descriptor & 0x20 != 0;
    let base = 1_u64 << (10 + (window >> 3));
    let window = if single_segment { content_size } else { base + base / 8 * u64::from(window & 7) };
    if window <= MAX_WINDOW {
        return Ok(());
    }
    let why = format!(
        "its zstd window is {} MiB, more than {}; decompress it first: zstd -dc --long=31 FILE | hs-mon replay -",
        window >> 20,
        MAX_WINDOW >> 20
    );
    Err(io::Error::new(io::ErrorKind::Unsupported, why))
}

/// What lies below a decoder's error: an early end, the operating system, or else damage.
fn io_error(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<io::Error>() {
            return match io.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io.kind().into(),
            };
        }
        cause = current.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged zstd frame: {error}"))
}
