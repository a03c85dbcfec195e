//! A worker's socket, as its endpoint has it.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller};

use super::steering::Steering;
use super::strays::{Stray, Strays};
use crate::net::{Datagram, UdpSockets};

/// A handle of one of `UdpSockets`, all of which are open for as long as it is: the filter in the kernel counts on it that
/// they end together. Sending and receiving are the runtime's own, but that workers hand each other what is another's.
///
/// Here and below fields are dropped in the order in which they stand.
#[derive(Debug)]
pub struct SharedSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    all: Arc<UdpSockets>,
    worker: usize,
    steering: Steering,
    strays: Strays,
}

impl SharedSocket {
    /// That of a worker.
    ///
    /// # Errors
    /// There is no such worker, or the process has too many files open.
    pub fn of_worker(
        all: Arc<UdpSockets>,
        worker: usize,
        steering: Steering,
        strays: Strays,
    ) -> io::Result<Self> {
        let socket = TokioRuntime.wrap_udp_socket(all.of_worker(worker)?)?;
        Ok(Self { socket, all, worker, steering, strays })
    }

    /// Take what others have for the worker: at most into half of the buffers, so that what comes to its own socket never waits
    /// for it.
    fn take(
        &self,
        cx: &Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        received: &mut [RecvMeta],
    ) -> usize {
        let half = buffers.len().div_ceil(2);
        let inbox = self.all.inbox(self.worker).zip(buffers.get_mut(..half));
        inbox.map_or(0, |(inbox, buffers)| inbox.take(cx, buffers, received))
    }

    /// The other worker that a datagram is for.
    fn other(&self, datagram: &[u8]) -> Option<usize> {
        self.steering.owner(datagram).filter(|owner| *owner != self.worker)
    }

    /// Let the other workers have what is theirs of the datagrams of one client that came into `buffer`.
    fn hand_over(&self, buffer: &mut [u8], received: &mut RecvMeta) {
        let Some(datagrams) = buffer.get(..received.len) else { return };
        let stride = received.stride.max(1);
        if datagrams.chunks(stride).any(|datagram| self.other(datagram).is_some()) {
            self.sort(buffer, received);
        }
    }

    #[cold]
    fn sort(&self, buffer: &mut [u8], received: &mut RecvMeta) {
        let (all, stride) = (received.len, received.stride.max(1));
        received.len = 0;
        for start in (0..all).step_by(stride) {
            let place = start..(start + stride).min(all);
            let Some(datagram) = buffer.get(place.clone()) else { return };
            if let Some(other) = self.other(datagram) {
                self.strays.count(Stray::OfAnotherWorker);
                let datagram = Datagram { content: datagram.into(), meta: *received };
                if !self.all.inbox(other).is_some_and(|inbox| inbox.put(datagram)) {
                    self.strays.count(Stray::Dropped);
                }
            } else {
                let length = place.len();
                buffer.copy_within(place, received.len);
                received.len += length;
            }
        }
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
        let handed_over = self.take(cx, buffers, received);
        let (_, buffers) = buffers.split_at_mut(handed_over);
        let (_, received) = received.split_at_mut(handed_over);
        let came = match self.socket.poll_recv(cx, buffers, received) {
            Poll::Ready(came) => came?,
            Poll::Pending if handed_over > 0 => 0,
            Poll::Pending => return Poll::Pending,
        };
        // One of which nothing is left says so by its length.
        for (buffer, received) in buffers.iter_mut().zip(received).take(came) {
            self.hand_over(buffer, received);
        }
        Poll::Ready(Ok(handed_over + came))
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
    use std::future::poll_fn;
    use std::net::UdpSocket;

    use tokio::runtime::Builder;
    use tokio::task::yield_now;

    use super::*;
    use crate::net::{Address, Rights, Transports, listen_socket};

    const UDP: Transports = Transports { stream: false, datagram: true };

    fn bind(address: SocketAddr) -> Result<Arc<UdpSockets>, String> {
        let (rights, ours) = (Rights::default(), Transports::default());
        let bound = listen_socket::bind(&Address::Ip(address), UDP, rights, 2, ours)?;
        Ok(bound.datagrams.unwrap())
    }

    fn handle(all: Arc<UdpSockets>, worker: usize) -> io::Result<SharedSocket> {
        SharedSocket::of_worker(all, worker, steering(), Strays::new(Box::new(|_| ())))
    }

    fn steering() -> Steering {
        Steering::new([0x1234_5678, 0x9abc_def0, 0x0fed_cba9], 2)
    }

    /// The next datagrams that come, each with the worker that has them.
    async fn receive(sockets: &[SharedSocket]) -> Vec<(usize, Vec<u8>)> {
        let mut bytes = vec![0; 4_096];
        let mut received = [RecvMeta::default()];
        poll_fn(|cx| {
            let mut came = Vec::new();
            for socket in sockets {
                let mut buffers = [IoSliceMut::new(&mut bytes)];
                if socket.poll_recv(cx, &mut buffers, &mut received).is_ready() {
                    let [RecvMeta { len, stride, .. }] = received;
                    let datagrams = bytes[..len].chunks(stride.max(1));
                    came.extend(datagrams.map(|datagram| (socket.worker, datagram.to_vec())));
                }
            }
            if came.is_empty() { Poll::Pending } else { Poll::Ready(came) }
        })
        .await
    }

    #[tokio::test]
    async fn without_a_filter_each_packet_comes_to_the_worker_whose_connection_it_is_of() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let all = bind(free).unwrap();
        let sockets = [0, 1].map(|worker| handle(all.clone(), worker).unwrap());
        let mut sent = Vec::new();
        for turn in 0..40 {
            // From another port each time: the system shares them out by that.
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            let packet = [&[0x40][..], &[turn; 8], b"sealed"].concat();
            client.send_to(&packet, free).unwrap();
            sent.push((steering().owner(&packet).unwrap(), packet));
        }
        let mut came = Vec::new();
        while came.len() < sent.len() {
            came.extend(receive(&sockets).await);
        }
        sent.sort();
        came.sort();
        assert_eq!(came, sent);
    }

    #[tokio::test]
    async fn what_comes_to_the_socket_does_not_wait_for_what_others_hand_over() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let all = bind(free).unwrap();
        let socket = handle(all.clone(), 0).unwrap();
        let other = all.of_worker(1).unwrap();
        // A packet without an id of ours is for whom it comes to: sent until one comes to this socket.
        let initial = [0xc0; 30];
        let mut ours = 0;
        while ours == 0 {
            UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&initial, free).unwrap();
            ours = usize::from(other.recv(&mut [0; 64]).is_err());
        }
        for _ in 0..1_000 {
            let content = Box::from(&b"handed over"[..]);
            assert!(all.inbox(0).unwrap().put(Datagram { content, meta: RecvMeta::default() }));
        }
        let mut handed_over = 0;
        loop {
            let mut bytes = vec![[0; 64]; 4];
            let mut received = [RecvMeta::default(); 4];
            let came = poll_fn(|cx| {
                let mut buffers: Vec<_> =
                    bytes.iter_mut().map(|each| IoSliceMut::new(each)).collect();
                socket.poll_recv(cx, &mut buffers, &mut received)
            });
            let came = came.await.unwrap();
            if received[..came].iter().any(|received| received.len == initial.len()) {
                break;
            }
            handed_over += came;
            // The runtime looks now and then what came to the socket.
            yield_now().await;
        }
        assert!(handed_over < 1_000, "only when nothing else was left");
    }

    #[tokio::test]
    async fn of_the_datagrams_of_one_client_each_worker_gets_its_own() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let all = bind(free).unwrap();
        let sockets = [0, 1].map(|worker| handle(all.clone(), worker).unwrap());
        let datagrams: Vec<_> = (0..9).map(|turn| [&[0x40][..], &[turn; 9]].concat()).collect();
        let mut bytes = datagrams.concat();
        bytes.truncate(88);
        let mut received = RecvMeta { len: bytes.len(), stride: 10, ..RecvMeta::default() };
        sockets[0].hand_over(&mut bytes, &mut received);
        let mut came = receive(&sockets).await;
        while came.iter().map(|(_, datagram)| datagram.len()).sum::<usize>() + received.len < 88 {
            came.extend(receive(&sockets).await);
        }
        let kept = bytes[..received.len].chunks(10).map(|datagram| (0, datagram.to_vec()));
        came.extend(kept);
        let mut expected: Vec<_> = datagrams.concat()[..88]
            .chunks(10)
            .map(|datagram| (steering().owner(datagram).unwrap_or(0), datagram.to_vec()))
            .collect();
        expected.sort();
        came.sort();
        assert_eq!(came, expected);
    }

    #[test]
    fn all_sockets_of_an_address_end_with_the_last_handle_of_one() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = runtime.enter();
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let all = bind(free).unwrap();
        let known = Arc::downgrade(&all);
        let socket = Arc::new(handle(all, 1).unwrap());
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
        let error = handle(bind(free).unwrap(), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
