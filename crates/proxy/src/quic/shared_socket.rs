//! A worker's socket, as its endpoint has it.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};

use crate::net::UdpSockets;

/// A handle of one of `UdpSockets`, all of which are open for as long as it is: the filter in the kernel counts on it that
/// they end together. Sending and receiving are the runtime's own.
///
/// Here and below fields are dropped in the order in which they stand.
#[derive(Debug)]
pub struct SharedSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    _all: Arc<UdpSockets>,
}

impl SharedSocket {
    /// That of a worker.
    ///
    /// # Errors
    /// There is no such worker, or the process has too many files open.
    pub fn of_worker(all: Arc<UdpSockets>, worker: usize) -> io::Result<Self> {
        let socket = TokioRuntime.wrap_udp_socket(all.of_worker(worker)?)?;
        Ok(Self { socket, _all: all })
    }
}

impl AsyncUdpSocket for SharedSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(SharedPoller { poller: self.socket.clone().create_io_poller(), _socket: self })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_send(transmit)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_recv(cx, buffers, received)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

/// Tells when it can be sent. The runtime's own has a handle of the socket, too, and may be the last that does.
#[derive(Debug)]
struct SharedPoller {
    poller: Pin<Box<dyn UdpPoller>>,
    _socket: Arc<SharedSocket>,
}

impl UdpPoller for SharedPoller {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poller.as_mut().poll_writable(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::UdpSocket;

    use tokio::runtime::Builder;

    use super::*;
    use crate::net::{Address, Rights, Transports, listen_socket};

    const UDP: Transports = Transports { stream: false, datagram: true };

    fn bind(address: SocketAddr) -> Result<Arc<UdpSockets>, String> {
        let (rights, ours) = (Rights::default(), Transports::default());
        let bound = listen_socket::bind(&Address::Ip(address), UDP, rights, 2, ours)?;
        Ok(bound.datagrams.unwrap())
    }

    #[test]
    fn all_sockets_of_an_address_end_with_the_last_handle_of_one() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let all = bind(free).unwrap();
        let known = Arc::downgrade(&all);
        let socket = Arc::new(SharedSocket::of_worker(all, 1).unwrap());
        let poller = socket.clone().create_io_poller();
        drop(socket);
        assert!(known.upgrade().is_some());
        drop(poller);
        assert!(known.upgrade().is_none());
        assert!(bind(free).is_ok());
    }

    #[test]
    fn a_worker_that_there_is_none_of_has_no_socket() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = SharedSocket::of_worker(bind(free).unwrap(), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
