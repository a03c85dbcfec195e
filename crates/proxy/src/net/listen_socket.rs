//! Listening sockets: one for each worker, among which the kernel shares out connections.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::Address;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A bound socket that is not yet part of a runtime.
#[derive(Debug)]
pub enum ListenSocket {
    /// TCP.
    Tcp(TcpListener),
    /// Unix domain.
    Unix(UnixListener),
}

impl ListenSocket {
    /// Another handle of the same socket, for a worker that starts anew.
    pub fn duplicate(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(socket) => Self::Tcp(socket.try_clone()?),
            Self::Unix(socket) => Self::Unix(socket.try_clone()?),
        })
    }
}

/// Bind `address` once for each of `count` workers. If its port is `ours` already, it is shared.
///
/// # Errors
/// A sentence for the person who configured the address.
pub fn bind(address: &Address, count: usize, ours: bool) -> Result<Vec<ListenSocket>, String> {
    match address {
        Address::Ip(address) => {
            bind_tcp(*address, count, ours).map_err(|error| told(*address, &error))
        }
        Address::Unix(path) => bind_unix(path, count)
            .map_err(|error| format!("unix:{} cannot be listened on: {error}", path.display())),
        Address::Name(host, _) => {
            Err(format!("`{host}` is a name; a listener needs an IP address or unix:/path"))
        }
    }
}

fn bind_tcp(address: SocketAddr, count: usize, ours: bool) -> io::Result<Vec<ListenSocket>> {
    // With SO_REUSEPORT two processes of one user can share a port without noticing. A socket without it
    // is refused where anybody listens already.
    if !ours {
        drop(tcp(address, false)?);
    }
    (0..count).map(|_| tcp(address, true).map(ListenSocket::Tcp)).collect()
}

fn tcp(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(address.ip() != std::net::Ipv6Addr::UNSPECIFIED)?;
    }
    socket.set_reuse_port(shared)?;
    socket.bind(&address.into())?;
    if shared {
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
    } else {
        socket.listen(1)?;
    }
    Ok(socket.into())
}

fn bind_unix(path: &Path, count: usize) -> io::Result<Vec<ListenSocket>> {
    remove_stale(path)?;
    let socket = UnixListener::bind(path)?;
    socket.set_nonblocking(true)?;
    (0..count).map(|_| socket.try_clone().map(ListenSocket::Unix)).collect()
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
    use super::*;

    #[test]
    fn a_port_that_is_in_use_is_told() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = held.local_addr().unwrap();
        let error = bind(&Address::Ip(address), 2, false).unwrap_err();
        assert!(error.contains("in use"), "{error}");
    }

    #[test]
    fn a_port_shared_by_workers_is_still_in_use_for_others() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let held = bind(&Address::Ip(free), 2, false).unwrap();
        assert_eq!(held.len(), 2);
        assert!(bind(&Address::Ip(free), 2, false).is_err());
    }

    #[test]
    fn a_unix_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = std::env::temp_dir().join(format!("tidegate-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("s");
        let held = bind_unix(&path, 1).unwrap();
        assert!(bind_unix(&path, 1).is_err());
        drop(held);
        assert!(bind_unix(&path, 1).is_ok());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
