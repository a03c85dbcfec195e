//! Which worker a packet is for: it can be read off the connection id by a filter in the kernel, and by no observer.
//!
//! A hash of the id's first bytes with a secret of the process gives the worker. An id of our own is random, and drawn until its
//! hash is the worker's that gives it; one that a client chose for its first packets is hashed as well, so that they meet
//! the same worker when they are sent again. So a client keeps its worker wherever it moves (RFC 9000 §9), as the addresses
//! say nothing. Where the kernel does not take the filter, workers hand each other what they find to be another's.

use std::io;
use std::net::UdpSocket;

use aws_lc_rs::rand;
use nix::libc::{
    BPF_ABS, BPF_ALU, BPF_B, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_MISC, BPF_MOD, BPF_MUL, BPF_RET,
    BPF_RSH, BPF_TAX, BPF_W, BPF_X, BPF_XOR, sock_filter, sock_fprog,
};
use nix::sys::socket::{setsockopt, sockopt::AttachReusePortCbpf};
use quinn::ConnectionIdGenerator;
use quinn_proto::{ConnectionId, InvalidCid};

use super::strays::{Stray, Strays};

/// Bytes of an id of ours.
const LENGTH: usize = 8;
/// Where a packet has its destination's id, with a long header and with a short one (RFC 8999 §5).
const LONG: u32 = 6;
const SHORT: u32 = 1;
/// Set in the first byte of a long header.
const IS_LONG: u32 = 0x80;
/// How a packet of a handshake begins, of those bits that tell its type, and of which version (RFC 9000 §17.2.4).
const TYPE: u8 = 0xb0;
const HANDSHAKE: u8 = 0xa0;
const VERSION: [u8; 4] = [0, 0, 0, 1];

/// How the ids of a listener are shared out among workers.
#[derive(Debug, Clone, Copy)]
pub struct Steering {
    secret: [u32; 3],
    workers: u32,
}

impl Steering {
    /// With so many workers.
    pub fn new(secret: [u32; 3], workers: usize) -> Self {
        let [first, second, third] = secret;
        // What is multiplied with is odd, so that nothing of the id is lost.
        let secret = [first, second | 1, third | 1];
        Self { secret, workers: u32::try_from(workers).unwrap_or(1).max(1) }
    }

    /// The worker of the packets with this id.
    fn worker(&self, id: [u8; LENGTH]) -> u32 {
        let [xored, first, second] = self.secret;
        let [a, b, c, d, e, f, g, h] = id;
        let high = (u32::from_be_bytes([a, b, c, d]) ^ xored).wrapping_mul(first);
        let mixed = ((high >> 15) ^ high ^ u32::from_be_bytes([e, f, g, h])).wrapping_mul(second);
        (mixed >> 16) % self.workers
    }

    /// The worker whose connection a datagram is of; none, where it may have an id that its client chose: such a packet is
    /// for the worker that it comes to.
    pub fn owner(&self, datagram: &[u8]) -> Option<usize> {
        let (&first, rest) = datagram.split_first()?;
        let id = if u32::from(first) & IS_LONG == 0 {
            rest
        } else {
            let (version, rest) = rest.split_first_chunk()?;
            let (&length, id) = rest.split_first()?;
            let is_ours = usize::from(length) == LENGTH;
            (first & TYPE == HANDSHAKE && *version == VERSION && is_ours).then_some(id)?
        };
        id.first_chunk().map(|id| self.worker(*id) as usize)
    }

    /// The same for the kernel, which gives each packet that comes to the sockets that share `socket`'s port to one of
    /// them, by its number in the order in which they were bound.
    ///
    /// # Errors
    /// The kernel does not take it.
    pub fn attach(&self, socket: &UdpSocket) -> io::Result<()> {
        let mut program = self.program();
        let length = u16::try_from(program.len()).unwrap_or_default();
        let program = sock_fprog { len: length, filter: program.as_mut_ptr() };
        setsockopt(socket, AttachReusePortCbpf, &program).map_err(io::Error::from)
    }

    fn program(&self) -> Vec<sock_filter> {
        let [xored, first, second] = self.secret;
        let hashed = |offset: u32| {
            [
                statement(BPF_LD | BPF_W | BPF_ABS, offset),
                statement(BPF_ALU | BPF_XOR | BPF_K, xored),
                statement(BPF_ALU | BPF_MUL | BPF_K, first),
                statement(BPF_MISC | BPF_TAX, 0),
                statement(BPF_ALU | BPF_RSH | BPF_K, 15),
                statement(BPF_ALU | BPF_XOR | BPF_X, 0),
                statement(BPF_MISC | BPF_TAX, 0),
                statement(BPF_LD | BPF_W | BPF_ABS, offset + 4),
                statement(BPF_ALU | BPF_XOR | BPF_X, 0),
                statement(BPF_ALU | BPF_MUL | BPF_K, second),
                statement(BPF_ALU | BPF_RSH | BPF_K, 16),
                statement(BPF_ALU | BPF_MOD | BPF_K, self.workers),
                // What the accumulator holds.
                statement(BPF_RET | RETURN_A, 0),
            ]
        };
        let (long, short) = (hashed(LONG), hashed(SHORT));
        let to_short = u8::try_from(long.len()).unwrap_or_default();
        let mut program = vec![statement(BPF_LD | BPF_B | BPF_ABS, 0)];
        program.push(sock_filter {
            code: (BPF_JMP | BPF_JSET | BPF_K) as u16,
            jt: 0,
            jf: to_short,
            k: IS_LONG,
        });
        program.extend(long);
        program.extend(short);
        program
    }
}

/// To return the accumulator (`BPF_A`).
const RETURN_A: u32 = 0x10;

fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Makes the connection ids of one worker, and tells them from others.
pub struct WorkersIds {
    steering: Steering,
    worker: usize,
    strays: Strays,
}

impl WorkersIds {
    /// Those of this worker, which is one of those of `steering`.
    pub fn new(steering: Steering, worker: usize, strays: Strays) -> Self {
        Self { steering, worker, strays }
    }

    fn is_ours(&self, id: [u8; LENGTH]) -> bool {
        self.steering.worker(id) as usize == self.worker
    }
}

impl ConnectionIdGenerator for WorkersIds {
    fn generate_cid(&mut self) -> ConnectionId {
        loop {
            let mut id = [0; LENGTH];
            // Where there are no random numbers there is no TLS, either.
            let drawn = rand::fill(&mut id);
            if drawn.is_err() || self.is_ours(id) {
                return ConnectionId::new(&id);
            }
        }
    }

    /// Asked of each packet that is of no connection here, which is counted. One whose connection another worker may have
    /// must not be answered by a reset, which would end that.
    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        let is_ours = id.first_chunk().is_some_and(|id| self.is_ours(*id));
        self.strays.count(if is_ours { Stray::OfNoConnection } else { Stray::OfAnotherWorker });
        is_ours.then_some(()).ok_or(InvalidCid)
    }

    fn cid_len(&self) -> usize {
        LENGTH
    }

    fn cid_lifetime(&self) -> Option<std::time::Duration> {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use parking_lot::Mutex;
    use tidegate_core::balance::SplitMix64;

    use super::*;
    use crate::net::{Address, Rights, Transports, listen_socket};

    const SECRET: [u32; 3] = [0x1234_5678, 0x9abc_def0, 0x0fed_cba9];

    #[test]
    fn ids_are_shared_out_evenly() {
        let (steering, mut random) = (Steering::new(SECRET, 3), SplitMix64::new(4));
        let mut counts = [0; 3];
        for _ in 0..30_000 {
            counts[steering.worker(random.next().to_be_bytes()) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }

    #[test]
    fn ids_that_follow_each_other_are_shared_out_too() {
        let steering = Steering::new(SECRET, 2);
        let ones = (0..1_000_u64).filter(|id| steering.worker(id.to_be_bytes()) == 1).count();
        assert!((400..600).contains(&ones), "{ones}");
    }

    #[test]
    fn packets_whose_ids_are_ours_have_an_owner() {
        let steering = Steering::new(SECRET, 2);
        let id = *b"eight by";
        let owner = Some(steering.worker(id) as usize);
        let long = |first: u8, version: u8, length: u8| {
            [&[first, 0, 0, 0, version, length][..], &id, b"the rest"].concat()
        };
        assert_eq!(steering.owner(&[&[0x40][..], &id].concat()), owner);
        assert_eq!(steering.owner(&long(0xe0, 1, 8)), owner, "a handshake");
        let client_chose =
            [long(0xc0, 1, 8), long(0xd0, 1, 8), long(0xe0, 2, 8), long(0xe0, 1, 20)];
        for packet in client_chose {
            assert_eq!(steering.owner(&packet), None, "{packet:?}");
        }
        for broken in [&b""[..], &[0x40], &[0x40, 1, 2, 3], &[0xe0, 0, 0, 0, 1, 8, 1]] {
            assert_eq!(steering.owner(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn a_packet_of_another_worker_is_none_to_be_reset() {
        let steering = Steering::new(SECRET, 2);
        let counted = Arc::<Mutex<Vec<Stray>>>::default();
        let counter = counted.clone();
        let strays = Strays::new(Box::new(move |stray| counter.lock().push(stray)));
        let [mut one, other] =
            [0, 1].map(|worker| WorkersIds::new(steering, worker, strays.clone()));
        let id = one.generate_cid();
        assert!(one.validate(&id).is_ok());
        assert!(other.validate(&id).is_err());
        assert_eq!(*counted.lock(), [Stray::OfNoConnection, Stray::OfAnotherWorker]);
    }

    #[test]
    fn the_kernel_gives_each_packet_to_the_worker_of_its_id() {
        let steering = Steering::new(SECRET, 3);
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let udp = Transports { stream: false, datagram: true };
        let (rights, ours) = (Rights::default(), Transports::default());
        let bound = listen_socket::bind(&Address::Ip(free), udp, rights, 3, ours).unwrap();
        let bound = bound.datagrams.unwrap();
        let sockets = [0, 1, 2].map(|worker| bound.of_worker(worker).unwrap());
        steering.attach(&sockets[0]).unwrap();
        for (worker, socket) in sockets.iter().enumerate() {
            socket.set_nonblocking(false).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut ids = WorkersIds::new(steering, worker, Strays::new(Box::new(|_| ())));
            for turn in 0..50 {
                // From another port each time.
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                let id = ids.generate_cid();
                let packet = match turn % 2 {
                    0 => [&[0x40][..], &id, b"short"].concat(),
                    _ => [&[0xc0, 0, 0, 0, 1, 8][..], &id, b"long"].concat(),
                };
                client.send_to(&packet, free).unwrap();
                let mut buffer = [0; 100];
                let length = socket.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..length], packet);
            }
        }
    }
}
