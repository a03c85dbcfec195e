//! A worker's endpoints that clients connect to. A socket has one at any time: of two, each would take packets of connections
//! that only the other knows.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use quinn::{Endpoint, ServerConfig};
use tokio::task::yield_now;

use super::server::ServerQuic;
use crate::net::UdpSockets;

/// Those of one worker. One goes over from listener to listener with its sockets, and lives on without any until its last
/// connection has ended.
#[derive(Default)]
pub struct ServerEndpoints(RefCell<Vec<Kept>>);

struct Kept {
    sockets: Arc<UdpSockets>,
    endpoint: Endpoint,
    /// Which accepts from it, by its id.
    listener: Option<u64>,
}

impl ServerEndpoints {
    /// The endpoint of `sockets`, from which this listener accepts now; where there is none, that which is begun.
    ///
    /// # Errors
    /// It cannot be begun.
    pub fn take(
        &self,
        sockets: Arc<UdpSockets>,
        listener: u64,
        quic: &ServerQuic,
        begin: impl FnOnce(&UdpSockets) -> io::Result<Endpoint>,
    ) -> io::Result<Endpoint> {
        let mut all = self.0.borrow_mut();
        if let Some(kept) = all.iter_mut().find(|kept| Arc::ptr_eq(&kept.sockets, &sockets)) {
            kept.listener = Some(listener);
            kept.endpoint.set_server_config(Some(ServerConfig::clone(quic.config())));
            return Ok(kept.endpoint.clone());
        }
        let endpoint = begin(&sockets)?;
        all.push(Kept { sockets, endpoint: endpoint.clone(), listener: Some(listener) });
        Ok(endpoint)
    }

    /// Accept nothing more for this listener. An endpoint that no other has taken ends with its last connection, unless one
    /// takes it until then.
    pub async fn leave(&self, listener: u64) {
        let Some((sockets, endpoint)) = self.orphan(listener) else { return };
        endpoint.wait_idle().await;
        self.0
            .borrow_mut()
            .retain(|kept| kept.listener.is_some() || !Arc::ptr_eq(&kept.sockets, &sockets));
        drop(endpoint);
        // Its task, which holds a handle of its socket, ends first: then `sockets` end all at once.
        yield_now().await;
    }

    /// What the listener had that no other has taken.
    fn orphan(&self, listener: u64) -> Option<(Arc<UdpSockets>, Endpoint)> {
        let mut all = self.0.borrow_mut();
        let kept = all.iter_mut().find(|kept| kept.listener == Some(listener))?;
        kept.listener = None;
        kept.endpoint.set_server_config(None);
        Some((kept.sockets.clone(), kept.endpoint.clone()))
    }
}
