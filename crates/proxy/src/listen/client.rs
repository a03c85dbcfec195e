//! A client's connection, as its requests know it.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};

use super::{Listener, Settings};
use crate::http::forwarded::{ForwardedElement, Peer};
use crate::tls::Session;
use crate::worker::Worker;

/// A connection that was let in; it gives its place back when dropped.
pub struct Admitted {
    worker: Rc<Worker>,
    listener: Arc<Listener>,
    address: Option<IpAddr>,
}

impl Admitted {
    /// Let a connection from `address` in, unless the listener or the client has too many.
    pub fn new(
        worker: Rc<Worker>,
        listener: Arc<Listener>,
        address: Option<IpAddr>,
    ) -> Option<Self> {
        let limits = &listener.settings.load().plan.limits;
        let (all, of_one) = (limits.connections.get(), limits.connections_per_client.get());
        let let_in = if listener.open.fetch_add(1, Relaxed) >= all {
            false
        } else {
            address.is_none_or(|address| listener.clients.admit(address, of_one))
        };
        if !let_in {
            listener.open.fetch_sub(1, Relaxed);
            listener.metrics.refused(worker.index);
            return None;
        }
        listener.metrics.accepted(worker.index);
        Some(Self { worker, listener, address })
    }
}

impl Admitted {
    /// Count a TLS handshake: what it agreed on, or that it failed.
    pub fn handshake(&self, session: Option<&Session>) {
        let metrics = &self.listener.metrics;
        match session {
            Some(session) => metrics.handshake(self.worker.index, session.resumed),
            None => metrics.handshake_failed(self.worker.index),
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.listener.open.fetch_sub(1, Relaxed);
        self.listener.metrics.closed(self.worker.index);
        if let Some(address) = self.address {
            self.listener.clients.leave(address);
        }
    }
}

/// A connection on which requests are read.
pub struct Client {
    /// The worker that serves it.
    pub worker: Rc<Worker>,
    /// Where it came in.
    pub listener: Arc<Listener>,
    /// What it is served by.
    pub settings: Arc<Settings>,
    /// Who is at the other end.
    pub peer: Peer,
    /// What its TLS handshake agreed on.
    pub tls: Option<Session>,
    /// The `Forwarded` element last written.
    pub forwarded: RefCell<ForwardedElement>,
    signal: Rc<DrainSignal>,
    key: usize,
    _admitted: Admitted,
}

/// Tells a connection that waits that it should end.
#[derive(Default)]
pub struct DrainSignal {
    listener: u64,
    draining: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl DrainSignal {
    /// The listener that the connection came in through.
    pub fn listener(&self) -> u64 {
        self.listener
    }

    /// The connection is to end after the request it is busy with.
    pub fn drain(&self) {
        self.draining.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Client {
    /// Begin to serve an admitted connection.
    pub fn new(admitted: Admitted, settings: Arc<Settings>, tls: Option<Session>) -> Rc<Self> {
        let worker = admitted.worker.clone();
        let signal =
            Rc::new(DrainSignal { listener: admitted.listener.id, ..DrainSignal::default() });
        let key = worker.connections.borrow_mut().insert(signal.clone());
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let peer = Peer::new(admitted.address, scheme, &settings.plan.trusted_proxies);
        Rc::new(Self {
            listener: admitted.listener.clone(),
            worker,
            settings,
            peer,
            tls,
            forwarded: RefCell::default(),
            signal,
            key,
            _admitted: admitted,
        })
    }

    /// Whether the connection is to end after the request it is busy with.
    pub fn is_draining(&self) -> bool {
        self.signal.draining.get()
    }

    /// Like [`is_draining`](Self::is_draining), and the task is woken when that changes.
    pub fn poll_draining(&self, cx: &Context<'_>) -> bool {
        if self.is_draining() {
            return true;
        }
        let mut waker = self.signal.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        false
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.connections.borrow_mut().remove(self.key);
    }
}
