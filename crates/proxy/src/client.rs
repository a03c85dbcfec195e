//! A client's connection, as its requests know it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;

use http::HeaderMap;
use tidegate_core::message::head_rules::HeadRules;
use tidegate_core::rate::Subject;

use crate::account::origin::Origin;
use crate::http::forwarded::{ForwardedElement, Peer};
use crate::local::{DrainSignal, Local};
use crate::net::clock;
use crate::objects::rate;
use crate::snapshot::{Listener, Settings};
use crate::tls::Negotiated;
use crate::tls::peer_certificate::PeerCertificate;

/// A connection that was let in; it gives its place back when dropped.
pub struct Admitted {
    local: Rc<Local>,
    /// Where it came in.
    pub listener: Arc<Listener>,
    address: Option<IpAddr>,
    /// Tells it to end.
    pub signal: Rc<DrainSignal>,
}

/// Why a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnedAway {
    /// Its address may not connect.
    Denied,
    /// There are too many, or they come too often.
    TooMany,
}

impl Admitted {
    /// Let a connection from `address` in, unless it may not connect, or the listener or the client has too many, or they
    /// come too often.
    ///
    /// # Errors
    /// Which of both.
    pub fn new(
        local: Rc<Local>,
        listener: Arc<Listener>,
        address: Option<IpAddr>,
    ) -> Result<Self, TurnedAway> {
        let networks = &listener.settings.load().networks;
        if networks.as_ref().is_some_and(|networks| networks.check(address).is_err()) {
            listener.metrics.denied(local.index());
            return Err(TurnedAway::Denied);
        }
        let before = listener.open.fetch_add(1, Relaxed);
        if let Err(limit) = let_in(&local, &listener, before, address) {
            listener.open.fetch_sub(1, Relaxed);
            listener.metrics.refused(local.index());
            if let Some(refused) = listener.refusals.count(clock::now()) {
                tracing::warn!(listener = listener.name, limit, refused, "connections are refused");
            }
            return Err(TurnedAway::TooMany);
        }
        listener.metrics.accepted(local.index());
        let signal = DrainSignal::new(listener.id);
        Ok(Self { local, listener, address, signal })
    }
}

/// Let a connection in, beside so many that are open.
///
/// # Errors
/// The option of the limit that it is over.
fn let_in(
    local: &Local,
    listener: &Listener,
    open: u32,
    address: Option<IpAddr>,
) -> Result<(), &'static str> {
    let plan = &listener.settings.load().plan;
    if open >= plan.limits.connections.get() {
        return Err("limits.connections");
    }
    if !plan.rate.is_empty() {
        let snapshot = local.snapshot();
        let limits = snapshot.limits_of_listeners.get(&listener.name);
        let connection = Subject {
            client: address,
            head: None,
            route: None,
            listener: &listener.name,
            whereabouts: &*snapshot.geoip,
            identity: None,
            certificate: None,
        };
        if limits.is_some_and(|limits| !rate::let_in(limits, &connection, local.index())) {
            return Err("rate");
        }
    }
    let of_one = plan.limits.connections_per_client.get();
    let few = address.is_none_or(|address| listener.clients.admit(address, of_one));
    few.then_some(()).ok_or("limits.connections_per_client")
}

impl Admitted {
    /// The worker that it came to.
    pub fn worker(&self) -> usize {
        self.local.index()
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

    /// The certificate that it showed.
    pub fn certificate(&self) -> Option<&PeerCertificate> {
        self.tls.as_ref().and_then(|tls| tls.peer.as_deref())
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
