//! Cache: requests are answered with what is stored, and responses are stored.
//!
//! A request is looked up by what it asked for before it was rewritten, after it was let in. What is stored is
//! [served](serve); else a [fetch] is begun, which is a task of its own, or another one is followed.

mod answer;
mod ask;
mod fetch;
mod invalidate;
mod lookup;
mod part;
mod pour;
mod purge;
mod serve;
mod settle;
mod slice;
mod slices;
mod storable;
mod wanted;

use std::borrow::Cow;
use std::cell::Cell;

use http::header::{HOST, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response};
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::conditional::is_for_origin;
use tidegate_core::cache::directives::OfRequest;
use tidegate_core::cache::key::{Key, Url};
use tidegate_core::cache::reuse::Asked;
use tidegate_core::cache::{Settings, Terms};
use tidegate_core::time::Moment;

use self::fetch::Fetch;
use crate::account::event::Event;
use crate::account::explain::CacheDecision;
use crate::account::metrics::CacheResult;
use crate::call::Call;
use crate::http::body::Body;
use crate::net::clock;
use crate::objects::cache::AskedAt;
use crate::snapshot::{CacheOfRoute, Destination, Forward};

pub use self::answer::answer;
pub use self::ask::Found;
pub use self::invalidate::after;
pub use self::lookup::{at_once, before, follow};
pub use self::purge::purge;

/// A request of a route that has a cache, as it was asked.
pub struct Asking<'a> {
    settings: &'a Settings,
    of: &'a CacheOfRoute,
    /// Where it goes if the cache has no answer.
    destination: &'a Destination,
    key: Key,
    /// What it asks for, where its response may change what is stored.
    target: Option<Target>,
    directives: OfRequest,
    bypasses: bool,
    is_for_origin: bool,
    /// What counted the changes under its key when it was looked up.
    generation: Cell<u64>,
}

/// What a request asked for before it was rewritten.
struct Target {
    scheme: Box<str>,
    host: Box<str>,
    path: Box<str>,
    query: Option<Box<str>>,
}

impl Target {
    fn of(url: &Url<'_>) -> Self {
        let Url { scheme, host, path, query } = *url;
        let query = query.map(Into::into);
        Self { scheme: scheme.into(), host: host.into(), path: path.into(), query }
    }

    fn url(&self) -> Url<'_> {
        let query = self.query.as_deref();
        Url { scheme: &self.scheme, host: &self.host, path: &self.path, query }
    }
}

/// What follows from a look-up.
pub enum Lookup {
    /// This is the answer.
    Answer(Response<Body>),
    /// The response is to be fetched.
    Fetch(Box<Fetch>),
    /// The request passes the cache by.
    Pass(Passing),
}

/// A request that passes the cache by.
pub struct Passing {
    /// Why.
    why: Why,
    /// There where its response may be stored all the same, as the one to `GET`: purges take it that come before it.
    asked_at: Option<AskedAt>,
}

/// The request as the cache of its route sees it, where it has one. This comes before it is rewritten.
pub fn asking<'a>(
    forward: &'a Forward,
    destination: &'a Destination,
    call: &Call<'a>,
) -> Option<Box<Asking<'a>>> {
    let settings = forward.cache.as_deref()?;
    let snapshot = call.snapshot;
    let of = snapshot.caches_of_routes[call.found.route].as_ref()?;
    let headers = &call.head.headers;
    // Of the scheme only trusted peers have a say.
    let url = Url {
        scheme: call.client.peer.client_scheme(headers),
        host: call.host(),
        path: call.head.uri.path(),
        query: call.head.uri.query(),
    };
    let is_safe = matches!(call.head.method, Method::GET | Method::HEAD);
    Some(Box::new(Asking {
        settings,
        of,
        destination,
        key: settings.key.key(&url, &fields_of_key(settings, forward, call)),
        target: (!is_safe).then(|| Target::of(&url)),
        directives: OfRequest::of(headers),
        bypasses: settings.bypasses(call.head),
        is_for_origin: !call.body.is_end() || call.upgrade.is_some() || is_for_origin(headers),
        generation: Cell::new(0),
    }))
}

/// Have the upstream asked by the host as it is in the key: what an origin answers to another way to write it is not for
/// those that write it so.
pub fn write_host(asking: &Asking<'_>, call: &mut Call<'_>) {
    let host = asking.key.asked().host;
    if call.host() != host
        && let Ok(host) = HeaderValue::from_str(host)
    {
        call.head.headers.insert(HOST, host);
    }
}

/// The fields that a key may have of: those that the client sent, and those that tell the upstream of its identity, which
/// are written later.
fn fields_of_key<'c>(
    settings: &Settings,
    forward: &Forward,
    call: &'c Call<'_>,
) -> Cow<'c, HeaderMap> {
    let sent = &call.head.headers;
    match &call.proof {
        Some(proof) if forward.identity_headers.names().any(|name| settings.key.counts(name)) => {
            let mut all = sent.clone();
            forward.identity_headers.add_to(&mut all, &proof.identity);
            Cow::Owned(all)
        }
        _ => Cow::Borrowed(sent),
    }
}

impl Asking<'_> {
    fn asked<'r>(&'r self, call: &'r Call<'_>) -> Asked<'r> {
        Asked {
            method: &call.head.method,
            is_for_origin: self.is_for_origin,
            wants_part: call.head.method == Method::GET && call.head.headers.contains_key(RANGE),
            bypasses: self.bypasses,
            directives: &self.directives,
            honoured: self.settings.honours_requests,
        }
    }

    /// Count what became of the request, whose response did not cost the origin so many bytes, and tell it.
    fn tell(
        &self,
        result: CacheResult,
        call: &Call<'_>,
        saved: u64,
        decision: &dyn Fn() -> CacheDecision,
    ) {
        let worker = call.client.local.index();
        self.of.metrics.answered(worker, result);
        self.of.metrics.saved(worker, saved);
        call.tell(&Event::CacheAsked { result, decision });
    }

    /// What explain says of a request.
    fn decision(&self, result: CacheResult) -> CacheDecision {
        CacheDecision {
            cache: self.of.cache.plan.name.as_str().into(),
            result: result.label(),
            forwarded: None,
            reason: None,
            key: format!("{:032x}", self.key.hash).into(),
            age: None,
            ttl: None,
            freshness: None,
            slices: self.settings.slice.map(|_| self.is_ranged()),
        }
    }

    /// Whether the origin may be asked for ranges of what the request asks for.
    fn is_ranged(&self) -> bool {
        let stored = self.of.cache.peek(&self.key);
        !stored.is_some_and(|stored| stored.is_unranged(clock::now()))
    }

    /// The same with what is known of what is stored.
    fn decision_on(&self, result: CacheResult, terms: &Terms, now: Moment) -> CacheDecision {
        CacheDecision {
            age: Some(terms.age(now).as_secs()),
            ttl: Some(terms.ttl(now)),
            freshness: Some(terms.by.label()),
            ..self.decision(result)
        }
    }
}
