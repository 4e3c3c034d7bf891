//! Frames put onto the cable as they are, past the host's own TCP, and taken from it.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::Host;
use super::frame::{self, Mac, Segment};

/// Frames handed to the kernel at once.
pub const BATCH: usize = 64;
/// Larger than any frame on the cable.
const FRAME_MAX: usize = 65_536;
/// How often a full queue of the interface is tried again, and after how long.
const RETRIES: u32 = 200;
const RETRY_AFTER: Duration = Duration::from_millis(1);

/// A host's end of the cable.
pub struct Wire {
    socket: OwnedFd,
    from: Mac,
    to: Mac,
}

impl Wire {
    /// To send only.
    pub fn open(host: &Host) -> Result<Wire> {
        Wire::of(host, 0)
    }

    /// To send, and to hear all that passes from now on.
    pub fn open_hearing(host: &Host) -> Result<Wire> {
        Wire::of(host, libc::ETH_P_ALL as u16)
    }

    fn of(host: &Host, protocol: u16) -> Result<Wire> {
        let interface = host.plan.interface;
        // Bound to its interface when it is entered, the socket stays there wherever it is used.
        let socket = host.ns.enter(|| packet_socket(interface, protocol))?;
        let socket = socket.with_context(|| format!("can't open a packet socket on {interface}"))?;
        Ok(Wire { socket, from: host.plan.mac, to: host.peer.mac })
    }

    /// The frame that carries this segment to the other end.
    pub fn frame(&self, segment: &Segment) -> Vec<u8> {
        segment.frame(self.from, self.to)
    }

    /// Sends one segment.
    pub fn send(&self, segment: &Segment) -> Result<()> {
        self.send_frames(&[self.frame(segment)]).map(|_| ())
    }

    /// Sends frames in their order, and returns how many: all of them, or it fails.
    pub fn send_frames(&self, frames: &[Vec<u8>]) -> Result<usize> {
        for batch in frames.chunks(BATCH) {
            let mut left = batch;
            let mut retries = 0;
            while !left.is_empty() {
                match self.send_batch(left) {
                    Ok(sent) => left = &left[sent..],
                    Err(error) if is_full(&error) && retries < RETRIES => {
                        retries += 1;
                        thread::sleep(RETRY_AFTER);
                    }
                    Err(error) => return Err(error).context("can't send frames"),
                }
            }
        }
        Ok(frames.len())
    }

    /// One call of sendmmsg; how many frames it took.
    fn send_batch(&self, frames: &[Vec<u8>]) -> io::Result<usize> {
        let mut parts: Vec<libc::iovec> = frames
            .iter()
            .map(|frame| libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() })
            .collect();
        let mut messages: Vec<libc::mmsghdr> = parts.iter_mut().map(message).collect();
        // SAFETY: the messages point to `parts`, these to `frames`; all outlive the call, which reads the
        // frames and writes nothing but the messages' lengths.
        let sent = unsafe {
            libc::sendmmsg(self.socket.as_raw_fd(), messages.as_mut_ptr(), messages.len() as u32, 0)
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// The next frame that passes, or `None` if none does for so long.
    pub fn receive(&self, timeout: Duration) -> Result<Option<Vec<u8>>> {
        let mut ready = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, which lives until the call returns.
        let count = unsafe { libc::poll(&raw mut ready, 1, timeout.as_millis() as i32) };
        if count <= 0 {
            return Ok(None);
        }
        let mut frame = vec![0; FRAME_MAX];
        // SAFETY: the buffer is as long as said, and lives until the call returns.
        let length =
            unsafe { libc::recv(self.socket.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error());
        frame.truncate(length.context("can't receive a frame")?);
        Ok(Some(frame))
    }

    /// Sends a SYN and hears the answer: the responder's ISN. Only on a wire that hears.
    pub fn ask(&self, syn: &Segment, timeout: Duration) -> Result<u32> {
        let deadline = Instant::now() + timeout;
        self.send(syn)?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let frame = self.receive(left)?.with_context(|| format!("no SYN-ACK for {}", syn.src))?;
            if let Some(isn) = frame::isn_of_synack(&frame, syn) {
                return Ok(isn);
            }
        }
    }
}

/// A message that is this part alone.
fn message(part: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: of these structures all bytes zero is a valid value: null pointers, and no lengths.
    let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
    message.msg_hdr.msg_iov = part;
    message.msg_hdr.msg_iovlen = 1;
    message
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN))
}

/// Must be called in the namespace that has the interface.
fn packet_socket(interface: &str, protocol: u16) -> io::Result<OwnedFd> {
    let name = CString::new(interface)?;
    // SAFETY: the name is a C string that outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    // SAFETY: no pointers.
    let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if index == 0 || socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: of this structure all bytes zero is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index as i32;
    // SAFETY: the address is of the type and length that the family asks for.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}
