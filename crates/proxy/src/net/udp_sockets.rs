//! The sockets of an address of UDP.

use std::io;
use std::net::UdpSocket;

/// Bytes that wait in a worker's socket of UDP while the worker is busy: what all peers send at once comes there.
pub const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;

/// The sockets of an address of UDP, one for each worker. A filter in the kernel tells them by the order in which they were
/// bound, so that they begin and end together: they are shared by all who need one of them, and end with the last.
#[derive(Debug)]
pub struct UdpSockets(Vec<UdpSocket>);

impl UdpSockets {
    /// These, in the order in which they were bound.
    pub fn new(sockets: Vec<UdpSocket>) -> Self {
        Self(sockets)
    }

    /// How many workers they are for.
    pub fn workers(&self) -> usize {
        self.0.len()
    }

    /// A handle of the socket of one worker.
    ///
    /// # Errors
    /// The process has too many files open, or no such worker.
    pub fn of_worker(&self, index: usize) -> io::Result<UdpSocket> {
        self.0.get(index).ok_or(io::ErrorKind::NotFound)?.try_clone()
    }
}
