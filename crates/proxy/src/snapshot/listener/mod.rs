//! Listeners: sockets, and what may come in through them.

mod clients;
mod refusals;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use http::HeaderValue;
use tidegate_core::access::Networks;
use tidegate_core::message::forwarding::ForwardingFields;
use tidegate_core::message::head_rules::HeadLimits;
use tidegate_core::plan::{self, HttpVersion, Issue};

use self::clients::Clients;
use self::refusals::Refusals;
use crate::account::metrics::{ListenerMetrics, Metrics};
use crate::net::{Address, Rights, Transports};
use crate::objects::keeper::{Object, is_same};
use crate::quic::{Keys, Secret, ServerQuic};
use crate::tls::{Negotiated, ServerTls};

/// A listener, shared by all workers. It lives as long as its name, address and transports stay.
#[derive(Debug)]
pub struct Listener {
    /// Unique for the life of the process.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What it listens on there.
    pub transports: Transports,
    /// What new connections are served by.
    pub settings: ArcSwap<Settings>,
    /// Its counts.
    pub metrics: Arc<ListenerMetrics>,
    /// Open connections.
    pub open: AtomicU32,
    /// Open connections by client address.
    pub clients: Clients,
    /// Connections that were turned away.
    pub refusals: Refusals,
    /// Handshakes over QUIC that are half done.
    pub half_done: AtomicU32,
}

/// What a connection is served by, for as long as it lives.
#[derive(Debug)]
pub struct Settings {
    /// What was asked for.
    pub plan: Arc<plan::Listener>,
    /// Who may connect, where it is a Unix socket.
    pub rights: Rights,
    /// Limits on a request's head.
    pub head_limits: HeadLimits,
    /// Fields that only trusted proxies may write.
    pub forwarding: ForwardingFields,
    /// Peers that may connect, where not all may.
    pub networks: Option<Networks>,
    /// TLS, where it is spoken.
    pub tls: Option<Arc<ServerTls>>,
    /// QUIC, where HTTP/3 is spoken.
    pub quic: Option<Arc<ServerQuic>>,
    /// What responses over other versions say of HTTP/3.
    pub alt_svc: Option<HeaderValue>,
}

impl Settings {
    /// Build what `plan` asks for at its `address`; `before` is what the listener of the same name has now, `secret` what
    /// keys of QUIC are made of.
    ///
    /// # Errors
    /// Everything that is wrong with its TLS part, with its rights or with its networks.
    pub fn build(
        plan: &Arc<plan::Listener>,
        address: &Address,
        before: Option<&Arc<Settings>>,
        secret: &Secret,
        path: &str,
    ) -> Result<Self, Vec<Issue>> {
        let limits = &plan.limits;
        let head_limits = HeadLimits {
            bytes: limits.header_bytes.bytes(),
            fields: limits.header_count.get() as usize,
            target: limits.uri_length.bytes(),
        };
        let rights =
            rights(plan.unix.as_ref(), &format!("{path}.unix")).map_err(|issue| vec![issue]);
        let tls = build_tls(plan, before, &format!("{path}.tls"));
        let forwarding = ForwardingFields::new(&plan.forwarding_headers);
        let mut issues = Vec::new();
        let networks = plan
            .networks
            .as_ref()
            .map(|networks| Networks::build(networks, &format!("{path}.networks"), &mut issues));
        let (rights, tls) = (rights?, tls?);
        let keys = || match address {
            Address::Ip(address) => secret.keys(address),
            _ => Err(format!("HTTP/3 is spoken over UDP, which {:?} is not", plan.address)),
        };
        let quic =
            build_quic(plan, tls.as_deref(), before, keys, path).map_err(|issue| vec![issue])?;
        if !issues.is_empty() {
            return Err(issues);
        }
        let alt_svc = quic.as_ref().and_then(|_| alt_svc(plan));
        let plan = plan.clone();
        Ok(Self { plan, rights, head_limits, forwarding, networks, tls, quic, alt_svc })
    }
}

/// What is listened on for the protocols of `plan`.
pub fn transports(plan: &plan::Listener) -> Transports {
    let datagram = plan.protocols.contains(&HttpVersion::Http3);
    let stream = plan.protocols.iter().any(|protocol| *protocol != HttpVersion::Http3);
    Transports { stream, datagram }
}

/// What responses say of HTTP/3 (RFC 7838 §3, RFC 9114 §3.1.1).
fn alt_svc(plan: &plan::Listener) -> Option<HeaderValue> {
    let announced = plan.http3.alt_svc.as_ref()?;
    let bound = || plan.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    let port: u16 = announced.port.map(u16::from).or_else(bound)?;
    let seconds = announced.max_age.duration().as_secs();
    HeaderValue::try_from(format!("h3=\":{port}\"; ma={seconds}")).ok()
}

/// QUIC, where HTTP/3 is spoken.
fn build_quic(
    plan: &plan::Listener,
    tls: Option<&ServerTls>,
    before: Option<&Arc<Settings>>,
    keys: impl FnOnce() -> Result<Keys, String>,
    path: &str,
) -> Result<Option<Arc<ServerQuic>>, Issue> {
    if !transports(plan).datagram {
        return Ok(None);
    }
    if plan.http3.early_data && plan.tls.as_ref().is_some_and(|tls| tls.client_auth.is_some()) {
        let path = format!("{path}.http3.early_data");
        let message = "http3.early_data cannot be used with tls.client_auth, as it comes before the \
                       certificate: leave one out";
        return Err(Issue::new(path, message));
    }
    let path = format!("{path}.protocols");
    let Some(tls) = tls else {
        return Err(Issue::new(path, "HTTP/3 is spoken only with TLS: set `tls` of the listener"));
    };
    let before = before.and_then(|before| before.quic.as_deref());
    let keys = keys().map_err(|wrong| Issue::new(path.clone(), wrong))?;
    ServerQuic::build(plan, tls, keys, before, &path).map(Some)
}

/// Who may connect to a Unix socket, out of numbers that the plan has as texts.
fn rights(plan: Option<&plan::UnixSocket>, path: &str) -> Result<Rights, Issue> {
    let Some(plan) = plan else { return Ok(Rights::default()) };
    let number = |option: &str, text: &Option<String>, radix| {
        let number = text.as_ref().map(|text| u32::from_str_radix(text, radix)).transpose();
        number.map_err(|error| Issue::new(format!("{path}.{option}"), error.to_string()))
    };
    Ok(Rights {
        mode: number("mode", &plan.mode, 8)?,
        owner: number("owner", &plan.owner, 10)?,
        group: number("group", &plan.group, 10)?,
    })
}

/// TLS, where it is spoken: what the listener has now as far as it stays.
fn build_tls(
    plan: &plan::Listener,
    before: Option<&Arc<Settings>>,
    path: &str,
) -> Result<Option<Arc<ServerTls>>, Vec<Issue>> {
    let Some(wanted) = &plan.tls else { return Ok(None) };
    let now = before.and_then(|before| Some((&before.plan, before.tls.as_ref()?)));
    let tls = match now {
        None => ServerTls::build(wanted, &plan.protocols, path)?,
        Some((before, now)) => {
            let same = before.tls.as_ref() == Some(wanted) && before.protocols == plan.protocols;
            if same { now.clone() } else { now.rebuild(wanted, &plan.protocols, path)? }
        }
    };
    Ok(Some(tls))
}

impl Object for Settings {
    type Plan<'p> = &'p Arc<plan::Listener>;

    fn name(&self) -> &str {
        &self.plan.name
    }

    fn is_of(&self, plan: &&Arc<plan::Listener>) -> bool {
        is_same(&self.plan, plan)
    }
}

impl Object for Listener {
    type Plan<'p> = &'p (Address, Transports);

    fn name(&self) -> &str {
        &self.name
    }

    fn is_of(&self, (address, transports): &&(Address, Transports)) -> bool {
        self.address == *address && self.transports == *transports
    }
}

impl Listener {
    /// A listener that is not known yet.
    pub fn new(
        name: &str,
        (address, transports): (Address, Transports),
        settings: &Arc<Settings>,
        metrics: &Metrics,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            name: name.to_owned(),
            address,
            transports,
            settings: ArcSwap::new(settings.clone()),
            metrics: metrics.listener(name),
            open: AtomicU32::new(0),
            clients: Clients::default(),
            refusals: Refusals::default(),
            half_done: AtomicU32::new(0),
        }
    }

    /// Serve new connections by `settings` from now on.
    pub fn serve_by(&self, settings: Arc<Settings>) {
        let rights = settings.rights;
        let before = self.settings.swap(settings);
        if before.rights != rights {
            self.put_rights(rights);
        }
    }

    /// Count a TLS handshake with this worker: what it agreed on, or that it failed.
    pub fn count_handshake(&self, worker: usize, negotiated: Option<&Negotiated>) {
        match negotiated {
            Some(negotiated) => self.metrics.handshake(worker, negotiated.resumed),
            None => self.metrics.handshake_failed(worker),
        }
    }

    /// Put `rights` on its file, where it is a Unix socket that is bound.
    pub fn put_rights(&self, rights: Rights) {
        if let Address::Unix(path) = &self.address
            && let Err(error) = rights.apply(path)
        {
            tracing::error!(listener = self.name, %error, "mode, owner and group cannot be set");
        }
    }
}
