//! A client's connection, as its requests know it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;

use http::HeaderMap;
use tidegate_core::message::head_rules::HeadRules;

use crate::account::origin::Origin;
use crate::http::forwarded::{ForwardedElement, Peer};
use crate::local::{DrainSignal, Local};
use crate::snapshot::{Listener, Settings};
use crate::tls::Negotiated;

/// A connection that was let in; it gives its place back when dropped.
pub struct Admitted {
    local: Rc<Local>,
    listener: Arc<Listener>,
    address: Option<IpAddr>,
    /// Tells it to end.
    pub signal: Rc<DrainSignal>,
}

impl Admitted {
    /// Let a connection from `address` in, unless it may not connect, or the listener or the client has too many.
    pub fn new(local: Rc<Local>, listener: Arc<Listener>, address: Option<IpAddr>) -> Option<Self> {
        let settings = listener.settings.load();
        if settings.networks.as_ref().is_some_and(|networks| networks.check(address).is_err()) {
            listener.metrics.denied(local.index());
            return None;
        }
        let limits = &settings.plan.limits;
        let (all, of_one) = (limits.connections.get(), limits.connections_per_client.get());
        let let_in = if listener.open.fetch_add(1, Relaxed) >= all {
            false
        } else {
            address.is_none_or(|address| listener.clients.admit(address, of_one))
        };
        if !let_in {
            listener.open.fetch_sub(1, Relaxed);
            listener.metrics.refused(local.index());
            return None;
        }
        drop(settings);
        listener.metrics.accepted(local.index());
        let signal = DrainSignal::new(listener.id);
        Some(Self { local, listener, address, signal })
    }
}

impl Admitted {
    /// Count a TLS handshake: what it agreed on, or that it failed.
    pub fn handshake(&self, negotiated: Option<&Negotiated>) {
        let metrics = &self.listener.metrics;
        match negotiated {
            Some(negotiated) => metrics.handshake(self.local.index(), negotiated.resumed),
            None => metrics.handshake_failed(self.local.index()),
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.listener.open.fetch_sub(1, Relaxed);
        self.listener.metrics.closed(self.local.index());
        if let Some(address) = self.address {
            self.listener.clients.leave(address);
        }
    }
}

/// A connection on which requests are read.
pub struct Client {
    /// The worker that serves it.
    pub local: Rc<Local>,
    /// Where it came in.
    pub listener: Arc<Listener>,
    /// What it is served by.
    pub settings: Arc<Settings>,
    /// Its other end.
    pub peer: Peer,
    /// What its TLS handshake agreed on.
    pub tls: Option<Negotiated>,
    /// The `Forwarded` element last written.
    pub forwarded: RefCell<ForwardedElement>,
    signal: Rc<DrainSignal>,
    key: usize,
    _admitted: Admitted,
}

impl Client {
    /// Begin to serve an admitted connection.
    pub fn new(admitted: Admitted, settings: Arc<Settings>, tls: Option<Negotiated>) -> Rc<Self> {
        let local = admitted.local.clone();
        let signal = admitted.signal.clone();
        let key = local.connections.borrow_mut().insert(signal.clone());
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let peer = Peer::new(admitted.address, scheme, &settings.plan.trusted_proxies);
        Rc::new(Self {
            listener: admitted.listener.clone(),
            local,
            settings,
            peer,
            tls,
            forwarded: RefCell::default(),
            signal,
            key,
            _admitted: admitted,
        })
    }

    /// Where its requests come in, for their accounts.
    pub fn origin(&self) -> Origin<'_> {
        Origin {
            worker: self.local.index(),
            accounts: &self.local.accounts,
            listener: &self.listener.metrics,
            tls: self.tls.as_ref(),
        }
    }

    /// What the heads of its requests are held to.
    pub fn head_rules(&self) -> HeadRules<'_> {
        let Settings { head_limits, forwarding, .. } = &*self.settings;
        let taken_off = (!self.peer.trusted).then_some(forwarding);
        HeadRules { limits: *head_limits, taken_off }
    }

    /// The address of the client that sent a request with these fields: the peer's own, or what trusted proxies say.
    pub fn address(&self, headers: &HeaderMap) -> Option<IpAddr> {
        self.peer.client(headers, &self.settings.plan.trusted_proxies)
    }

    /// Whether the connection is to end after the request it is busy with.
    pub fn is_draining(&self) -> bool {
        self.signal.is_draining()
    }

    /// Like [`is_draining`](Self::is_draining), and the task is woken when that changes.
    pub fn poll_draining(&self, cx: &Context<'_>) -> bool {
        self.signal.poll_draining(cx)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.local.connections.borrow_mut().remove(self.key);
    }
}
