//! A worker's endpoints that clients connect to. A socket has one at any time: of two, each would take packets of connections
//! that only the other knows.

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, Weak};

use quinn::{Endpoint, ServerConfig};

use super::server::{self, ServerQuic};
use super::strays::{StrayCounter, Strays};
use crate::net::UdpSockets;

/// Those of one worker. One goes over from listener to listener with its sockets, and lives on without any until its last
/// connection has ended.
pub struct ServerEndpoints {
    worker: usize,
    kept: RefCell<Vec<Kept>>,
}

struct Kept {
    /// Which the endpoint itself keeps open.
    sockets: Weak<UdpSockets>,
    endpoint: Endpoint,
    /// Which accepts from it, by its id.
    listener: Option<u64>,
    strays: Strays,
}

impl ServerEndpoints {
    /// None yet, of this worker.
    pub fn new(worker: usize) -> Self {
        Self { worker, kept: RefCell::default() }
    }

    /// The endpoint of `sockets`, from which this listener accepts from now on, and counts its strays.
    ///
    /// # Errors
    /// There is none, and it cannot be begun.
    pub fn take(
        &self,
        sockets: Arc<UdpSockets>,
        listener: u64,
        quic: &ServerQuic,
        counter: StrayCounter,
    ) -> io::Result<Endpoint> {
        let mut all = self.kept.borrow_mut();
        if let Some(kept) =
            all.iter_mut().find(|kept| kept.sockets.as_ptr() == Arc::as_ptr(&sockets))
        {
            kept.listener = Some(listener);
            kept.strays.count_by(counter);
            kept.endpoint.set_server_config(Some(ServerConfig::clone(quic.config())));
            return Ok(kept.endpoint.clone());
        }
        let (strays, known) = (Strays::new(counter), Arc::downgrade(&sockets));
        let endpoint = server::endpoint(sockets, self.worker, quic, strays.clone())?;
        let (kept, listener) = (endpoint.clone(), Some(listener));
        all.push(Kept { sockets: known, endpoint: kept, listener, strays });
        Ok(endpoint)
    }

    /// Accept nothing more for this listener. An endpoint that no other has taken ends with its last connection, unless one
    /// takes it until then.
    pub async fn leave(&self, listener: u64) {
        let Some((sockets, endpoint)) = self.orphan(listener) else { return };
        endpoint.wait_idle().await;
        let is_left = |kept: &Kept| kept.listener.is_none() && kept.sockets.ptr_eq(&sockets);
        self.kept.borrow_mut().retain(|kept| !is_left(kept));
    }

    /// What the listener had that no other has taken.
    fn orphan(&self, listener: u64) -> Option<(Weak<UdpSockets>, Endpoint)> {
        let mut all = self.kept.borrow_mut();
        let kept = all.iter_mut().find(|kept| kept.listener == Some(listener))?;
        kept.listener = None;
        kept.endpoint.set_server_config(None);
        Some((kept.sockets.clone(), kept.endpoint.clone()))
    }
}
