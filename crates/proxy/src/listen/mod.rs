//! Accepting connections.

mod datagram;
mod stream;

use std::rc::Rc;
use std::sync::Arc;

use tokio::task::JoinSet;

use self::stream::Acceptor;
use crate::local::Local;
use crate::net::ListenSocket;
use crate::snapshot::Listener;

/// Accept connections from a worker's sockets until the task is aborted. They are taken over at once, before the listener
/// that had them leaves them.
pub fn accept(
    local: Rc<Local>,
    listener: Arc<Listener>,
    sockets: Vec<ListenSocket>,
) -> impl Future<Output = ()> {
    let mut acceptors = JoinSet::new();
    for socket in sockets {
        let (local, listener) = (local.clone(), listener.clone());
        match socket {
            ListenSocket::Tcp(socket) => {
                acceptors.spawn_local(stream::accept(local, listener, Acceptor::tcp(socket)))
            }
            ListenSocket::Unix(socket) => {
                acceptors.spawn_local(stream::accept(local, listener, Acceptor::unix(socket)))
            }
            ListenSocket::Udp(sockets) => {
                acceptors.spawn_local(datagram::accept(local, listener, sockets))
            }
        };
    }
    // They end with this task.
    async move { while acceptors.join_next().await.is_some() {} }
}
