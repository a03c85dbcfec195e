//! The sockets of an address of UDP.

use std::io;
use std::net::UdpSocket;

use super::inbox::Inbox;

/// Bytes that wait in a worker's socket of UDP while the worker is busy: what all peers send at once comes there.
pub const RECEIVE_BUFFER: usize = 2 * 1024 * 1024;

/// The sockets of an address of UDP, one for each worker. A filter in the kernel tells them by the order in which they were
/// bound, so that they begin and end together: they are shared by all who need one of them, and end with the last.
#[derive(Debug)]
pub struct UdpSockets {
    sockets: Vec<UdpSocket>,
    inboxes: Vec<Inbox>,
}

impl UdpSockets {
    /// These, in the order in which they were bound.
    pub fn new(sockets: Vec<UdpSocket>) -> Self {
        let inboxes = sockets.iter().map(|_| Inbox::default()).collect();
        Self { sockets, inboxes }
    }

    /// How many workers they are for.
    pub fn workers(&self) -> usize {
        self.sockets.len()
    }

    /// A handle of the socket of one worker.
    ///
    /// # Errors
    /// The process has too many files open, or no such worker.
    pub fn of_worker(&self, index: usize) -> io::Result<UdpSocket> {
        self.sockets.get(index).ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    /// Where one worker finds what came to the others' sockets; none, if there is no such worker.
    pub fn inbox(&self, index: usize) -> Option<&Inbox> {
        self.inboxes.get(index)
    }
}
