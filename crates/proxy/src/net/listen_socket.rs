//! Listening sockets: one for each worker, among which the kernel shares out connections.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::net::socket_file::SocketFile;
use crate::net::{Address, RECEIVE_BUFFER, Rights, UdpSockets};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A bound socket that is not yet part of a runtime.
#[derive(Debug)]
pub enum ListenSocket {
    /// TCP.
    Tcp(TcpListener),
    /// Unix domain.
    Unix(UnixListener),
    /// UDP, for QUIC: a worker takes its own of all.
    Udp(Arc<UdpSockets>),
}

/// What is listened on at an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transports {
    /// TCP, or a Unix socket.
    pub stream: bool,
    /// UDP.
    pub datagram: bool,
}

impl Transports {
    /// Those that `others` lack.
    pub fn beyond(self, others: Self) -> Self {
        Self { stream: self.stream && !others.stream, datagram: self.datagram && !others.datagram }
    }

    /// Those of both.
    pub fn and(self, others: Self) -> Self {
        Self { stream: self.stream || others.stream, datagram: self.datagram || others.datagram }
    }

    /// Whether there are any.
    pub fn are_some(self) -> bool {
        self.stream || self.datagram
    }
}

impl ListenSocket {
    /// Another handle of the same socket, for a worker that starts anew.
    pub fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket) => Self::Unix(socket.try_clone()?),
            Self::Udp(sockets) => Self::Udp(sockets.clone()),
        })
    }
}

/// What an address is listened on by.
#[derive(Debug, Default)]
pub struct Binding {
    /// A socket for each worker, of TCP or of a Unix socket.
    pub streams: Vec<ListenSocket>,
    /// Those of UDP.
    pub datagrams: Option<Arc<UdpSockets>>,
    /// Where a Unix socket is found; it goes with the binding.
    _file: Option<SocketFile>,
}

impl Binding {
    /// Handles of the sockets of one worker.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn of_worker(&self, index: usize) -> io::Result<Vec<ListenSocket>> {
        let stream = self.streams.get(index).map(ListenSocket::duplicate);
        let datagrams = self.datagrams.clone().map(|sockets| Ok(ListenSocket::Udp(sockets)));
        stream.into_iter().chain(datagrams).collect()
    }

    /// The sockets of both, but only for these transports.
    pub fn join(mut self, mut other: Self, wanted: Transports) -> Self {
        self.streams.append(&mut other.streams);
        Self {
            streams: if wanted.stream { self.streams } else { Vec::new() },
            datagrams: self.datagrams.or(other.datagrams).filter(|_| wanted.datagram),
            _file: self._file.or(other._file).filter(|_| wanted.stream),
        }
    }
}

/// Bind `address` for these transports once for each of `count` workers. Where its port is `ours` already, it is shared.
/// `rights` are those of a Unix socket.
///
/// # Errors
/// A sentence for the person who configured the address.
pub fn bind(
    address: &Address,
    transports: Transports,
    rights: Rights,
    count: usize,
    ours: Transports,
) -> Result<Binding, String> {
    match address {
        Address::Ip(address) => {
            let told = |error: io::Error| told(*address, &error);
            let count_of = |is_wanted: bool| if is_wanted { count } else { 0 };
            let streams = bind_all(count_of(transports.stream), ours.stream, |shared| {
                tcp(*address, shared).map(ListenSocket::Tcp)
            });
            let datagrams = bind_all(count_of(transports.datagram), ours.datagram, |shared| {
                udp(*address, shared)
            });
            let (streams, datagrams) = (streams.map_err(told)?, datagrams.map_err(told)?);
            let datagrams = transports.datagram.then(|| Arc::new(UdpSockets::new(datagrams)));
            Ok(Binding { streams, datagrams, _file: None })
        }
        Address::Unix(path) => bind_unix(path, rights, count)
            .map_err(|error| format!("unix:{} cannot be listened on: {error}", path.display())),
        Address::Name(host, _) => {
            Err(format!("`{host}` is a name; a listener needs an IP address or unix:/path"))
        }
    }
}

/// Bind so many sockets that share a port.
fn bind_all<S>(
    count: usize,
    ours: bool,
    bind: impl Fn(bool) -> io::Result<S>,
) -> io::Result<Vec<S>> {
    // With SO_REUSEPORT two processes of one user can share a port without noticing. A socket without it
    // is refused where anybody listens already.
    if !ours && count > 0 {
        drop(bind(false)?);
    }
    (0..count).map(|_| bind(true)).collect()
}

/// A socket that listens on UDP. Of several of one process each has its own share of the port's packets.
fn udp(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The system gives what it allows (`net.core.rmem_max`).
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    bind_socket(&socket, address, shared)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_socket(socket: &Socket, address: SocketAddr, shared: bool) -> io::Result<()> {
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != std::net::Ipv6Addr::UNSPECIFIED)?;
    }
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())
}

fn tcp(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    bind_socket(&socket, address, shared)?;
    if shared {
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
    } else {
        socket.listen(1)?;
    }
    Ok(socket.into())
}

fn bind_unix(path: &Path, rights: Rights, count: usize) -> io::Result<Binding> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::at(path)?;
    rights.apply(path).map_err(|error| {
        io::Error::new(error.kind(), format!("mode, owner and group cannot be set: {error}"))
    })?;
    // Not before: until then nothing can connect that the rights would keep out.
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let socket = UnixListener::from(socket);
    let sockets = (0..count).map(|_| socket.try_clone().map(ListenSocket::Unix));
    let streams = sockets.collect::<io::Result<_>>()?;
    Ok(Binding { streams, _file: Some(file), ..Binding::default() })
}

/// Remove a socket that a process which is gone has left behind.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if !is_socket {
        return Ok(());
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn told(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(
                "{address} is in use: another process listens there; stop it or choose another port"
            )
        }
        io::ErrorKind::PermissionDenied => format!(
            "{address} may not be listened on: ports below 1024 need the capability CAP_NET_BIND_SERVICE"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is not an address of this machine")
        }
        _ => format!("{address} cannot be listened on: {error}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const TCP: Transports = Transports { stream: true, datagram: false };
    const NONE: Transports = Transports { stream: false, datagram: false };

    #[test]
    fn a_port_that_is_in_use_is_told() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let error = bind(&Address::Ip(address), TCP, Rights::default(), 2, NONE).unwrap_err();
        assert!(error.contains("in use"), "{error}");
    }

    #[test]
    fn a_port_shared_by_workers_is_still_in_use_for_others() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let held = bind(&Address::Ip(free), TCP, Rights::default(), 2, NONE).unwrap();
        assert_eq!(held.streams.len(), 2);
        assert!(bind(&Address::Ip(free), TCP, Rights::default(), 2, NONE).is_err());
    }

    #[test]
    fn a_port_of_ours_for_tcp_may_be_of_another_process_for_udp() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let _theirs = udp(free, true).unwrap();
        let both = Transports { stream: true, datagram: true };
        let error = bind(&Address::Ip(free), both, Rights::default(), 2, TCP).unwrap_err();
        assert!(error.contains("in use"), "{error}");
    }

    #[test]
    fn a_socket_of_udp_holds_as_much_as_the_system_allows_while_its_worker_is_busy() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let udp = Transports { stream: false, datagram: true };
        let held = bind(&Address::Ip(free), udp, Rights::default(), 1, NONE).unwrap();
        let socket = held.datagrams.unwrap().of_worker(0).unwrap();
        let allowed = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap();
        let given = RECEIVE_BUFFER.min(allowed.trim().parse().unwrap());
        // The kernel counts its own bookkeeping in (socket(7)).
        assert_eq!(socket2::SockRef::from(&socket).recv_buffer_size().unwrap(), 2 * given);
    }

    /// Calls `test` with a path in a folder of its own.
    fn in_a_folder(name: &str, test: impl FnOnce(&Path)) {
        let folder = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        test(&folder.join("s"));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_unix_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        in_a_folder("left", |path| {
            drop(UnixListener::bind(path).unwrap());
            let held = bind_unix(path, Rights::default(), 1).unwrap();
            assert!(bind_unix(path, Rights::default(), 1).is_err());
            drop(held);
            assert!(bind_unix(path, Rights::default(), 1).is_ok());
        });
    }

    #[test]
    fn the_file_of_a_unix_socket_goes_with_it_unless_it_is_anothers() {
        in_a_folder("goes", |path| {
            drop(bind_unix(path, Rights::default(), 1).unwrap());
            assert!(!path.exists());
            let held = bind_unix(path, Rights::default(), 1).unwrap();
            std::fs::remove_file(path).unwrap();
            std::fs::write(path, "of another").unwrap();
            drop(held);
            assert!(path.exists());
        });
    }

    #[test]
    fn a_unix_socket_has_the_rights_that_it_is_to_have() {
        in_a_folder("rights", |path| {
            let rights = Rights { mode: Some(0o600), ..Rights::default() };
            let held = bind_unix(path, rights, 1).unwrap();
            let mode = std::fs::metadata(path).unwrap().permissions().mode();
            assert_eq!((held.streams.len(), mode & 0o777), (1, 0o600));
        });
    }
}
