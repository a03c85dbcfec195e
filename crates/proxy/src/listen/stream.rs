//! Accepting connections over TCP and Unix sockets.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::client::Admitted;
use crate::local::Local;
use crate::net::io::Socket;
use crate::serve::connection;
use crate::snapshot::Listener;

/// Pause after the process or the system has run out of something that a connection needs.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// Where connections come in.
pub enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    /// Accept from a socket of TCP.
    pub fn tcp(socket: std::net::TcpListener) -> io::Result<Self> {
        TcpListener::from_std(socket).map(Self::Tcp)
    }

    /// Accept from a Unix socket.
    pub fn unix(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        UnixListener::from_std(socket).map(Self::Unix)
    }

    async fn accept(&self) -> io::Result<(Socket, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Answers must not wait for acknowledgements; a socket without the option still works.
                let _ = stream.set_nodelay(true);
                Ok((Socket::Left(stream), Some(peer.ip().to_canonical())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Socket::Right(stream), None))
            }
        }
    }
}

/// Accept connections until the task is aborted.
pub async fn accept(local: Rc<Local>, listener: Arc<Listener>, acceptor: io::Result<Acceptor>) {
    let acceptor = match acceptor {
        Ok(acceptor) => acceptor,
        Err(error) => {
            tracing::error!(listener = listener.name, %error, "cannot listen");
            return;
        }
    };
    let mut exhausted = false;
    loop {
        match acceptor.accept().await {
            Ok((socket, address)) => {
                exhausted = false;
                let admitted = Admitted::new(local.clone(), listener.clone(), address);
                if let Ok(admitted) = admitted {
                    let settings = listener.settings.load_full();
                    let signal = admitted.signal.clone();
                    let task = spawn_local(connection::serve(admitted, settings, socket));
                    signal.runs_as(task.abort_handle());
                }
            }
            Err(error) if is_the_connections(&error) => {}
            Err(error) => {
                if !exhausted {
                    tracing::error!(listener = listener.name, %error, "cannot accept connections");
                }
                exhausted = true;
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

/// Whether an error concerns one connection only, which was gone before it was accepted.
fn is_the_connections(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
