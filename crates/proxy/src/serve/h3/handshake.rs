//! A handshake that is under way.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::account::metrics::QuicEvent;
use crate::client::{Admitted, Client};
use crate::snapshot::Listener;

/// A handshake that is half done; one that is dropped so has failed.
pub struct Handshake {
    listener: Arc<Listener>,
    worker: usize,
    is_complete: bool,
}

impl Handshake {
    /// One more begins.
    pub fn begin(admitted: &Admitted) -> Self {
        let (listener, worker) = (admitted.listener.clone(), admitted.worker());
        listener.half_done.fetch_add(1, Relaxed);
        listener.metrics.quic.count(worker, QuicEvent::HandshakeBegun);
        Self { listener, worker, is_complete: false }
    }

    /// It came to its end, with this client.
    pub fn complete(mut self, client: &Client) {
        self.is_complete = true;
        self.listener.count_handshake(self.worker, client.tls.as_ref());
        self.listener.metrics.quic.count(self.worker, QuicEvent::HandshakeCompleted);
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.listener.half_done.fetch_sub(1, Relaxed);
        if !self.is_complete {
            self.listener.count_handshake(self.worker, None);
            self.listener.metrics.quic.count(self.worker, QuicEvent::HandshakeFailed);
        }
    }
}
