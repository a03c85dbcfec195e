//! A request under way: what its steps work on, and what of it lasts until its response has ended.

use std::cell::{Cell, OnceCell};
use std::net::IpAddr;
use std::sync::Arc;

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode, Uri, Version, request};
use tidegate_core::access::DeniedBy;
use tidegate_core::auth::Identity;
use tidegate_core::failure::Failure;
use tidegate_core::grpc::is_rpc;
use tidegate_core::grpc::web::Format;
use tidegate_core::rate::Ended;
use tidegate_core::route::{Captures, Found};
use tokio::time::Instant;

use crate::account::access_log::Line;
use crate::account::event::Event;
use crate::account::explain::{AccessDecision, Explain};
use crate::account::rpc::CountedRpc;
use crate::account::witness::Witnesses;
use crate::client::Client;
use crate::http::body::Body;
use crate::http::ids;
use crate::http::interim::InterimSink;
use crate::http::partial_head::PartialHead;
use crate::http::quota::Quotas;
use crate::http::time_left::TimeLeft;
use crate::local::HeldSnapshot;
use crate::net::clock;
use crate::objects::rate::{Due, Dues};
use crate::snapshot::{Route, Snapshot};
use crate::upstream::admission::Permit;

/// A request from its head to the head of its response. Head and body are borrowed all the way down: passed on by
/// value, they would be copied at each step.
pub struct Call<'a> {
    /// The connection that it came in on.
    pub client: &'a Client,
    /// What is decided by: the snapshot that it began with.
    pub snapshot: &'a HeldSnapshot,
    /// What lasts longer than the call.
    pub transaction: &'a Transaction<'a>,
    /// Its head.
    pub head: &'a mut request::Parts,
    /// Its body.
    pub body: &'a mut Body,
    /// The protocol that the client wants to switch to.
    pub upgrade: Option<&'a HeaderValue>,
    /// Where interim responses go.
    pub interim: &'a InterimSink,
    /// The client's address: the peer's own, or what trusted proxies say of it.
    pub address: Option<IpAddr>,
    /// The route that takes it, once it is known.
    pub route: Option<&'a Route>,
    /// The origin of the page that sent it, where the route answers to pages of other origins.
    pub origin: Option<HeaderValue>,
    /// Whether it only asked what a page may do, and was told.
    pub is_preflight: bool,
    /// Where it comes from, as far as that is proven.
    pub proof: Option<Proof>,
    /// What its client is told of its quotas, where there are any.
    pub quotas: Option<Box<Quotas<'a>>>,
    /// Whether it is an RPC: as it came, or as it was translated.
    pub is_rpc: bool,
    /// Counts it, where it is an RPC of a route that counts them by method.
    pub rpc: Option<Box<CountedRpc>>,
    /// How its response is written, where it came in gRPC-Web.
    pub web_format: Option<Format>,
    /// What the route's conditions found in its path.
    pub found: Found,
    /// Until when it must be over.
    pub time_left: TimeLeft<'a>,
}

/// What a request has proven of where it comes from.
pub struct Proof {
    /// The identity.
    pub identity: Arc<Identity>,
    /// Whether a page of another site can have had it sent with the credential: see
    /// [`Place::is_ambient`](tidegate_core::auth::Place::is_ambient).
    pub ambient: bool,
}

impl<'a> Call<'a> {
    /// The call of a request that has [begun](Transaction::begin) with `snapshot`.
    pub fn new(
        client: &'a Client,
        snapshot: &'a HeldSnapshot,
        transaction: &'a Transaction<'a>,
        head: &'a mut request::Parts,
        body: &'a mut Body,
        upgrade: Option<&'a HeaderValue>,
        interim: &'a InterimSink,
    ) -> Self {
        Self {
            client,
            snapshot,
            transaction,
            address: client.address(&head.headers),
            is_rpc: is_rpc(&head.method, &head.headers),
            head,
            body,
            upgrade,
            interim,
            route: None,
            origin: None,
            is_preflight: false,
            proof: None,
            quotas: None,
            rpc: None,
            web_format: None,
            found: Found { route: 0, prefix: 0, captures: Captures::default() },
            time_left: TimeLeft::default(),
        }
    }

    /// Whether it asks for a protocol on its own stream, by extended CONNECT (RFC 8441), and not for its connection.
    pub fn is_extended_connect(&self) -> bool {
        self.upgrade.is_some() && self.head.version > Version::HTTP_11
    }

    /// The authority that it asks for; empty if it has none.
    pub fn host(&self) -> &str {
        self.head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
    }

    /// Its target with another path; the query stays.
    ///
    /// # Errors
    /// If that is not the path of a target.
    pub fn target_with_path(&self, path: &str) -> Result<Uri, Failure> {
        let target = match self.head.uri.query() {
            Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
            None => PathAndQuery::try_from(path),
        };
        target.map(Uri::from).map_err(|_| Failure::MalformedRequest)
    }

    /// What it fails with that may not use its route: by this option, and by this rule of its.
    pub fn deny(&self, by: DeniedBy, rule: &dyn Fn() -> Box<str>) -> Failure {
        if let Some(route) = self.route {
            route.metrics.denied(self.client.local.index(), by);
        }
        let decision = || AccessDecision { by: by.label(), rule: rule() };
        self.tell(&Event::AccessDenied { decision: &decision });
        Failure::Forbidden
    }

    /// Tell its witnesses of `event`, which happened just now.
    #[inline(always)]
    pub fn tell(&self, event: &Event<'_>) {
        self.transaction.witnesses.tell(event);
    }
}

/// What of a request lasts until its response has ended. One that is dropped before was given up by its client.
pub struct Transaction<'a> {
    /// Its record, and what is told what happens to it.
    pub witnesses: Witnesses<'a>,
    /// Its place among the requests that its upstream is busy with, once it was admitted.
    pub permit: OnceCell<Permit>,
    /// What it owes rate limits when its response has ended.
    dues: Cell<Option<Box<Dues>>>,
}

impl<'a> Transaction<'a> {
    /// A request begins: it gets its name, and its account is opened.
    pub fn begin(client: &'a Client, snapshot: &Snapshot, head: &mut request::Parts) -> Self {
        let id = ids::ensure(&mut head.headers, &mut client.local.outbound.random.borrow_mut());
        Self::open(client, snapshot, id, &PartialHead::from(&*head))
    }

    /// Something came in that could not be read as a request; this much is known of it.
    pub fn begin_unread(client: &'a Client, snapshot: &Snapshot, head: &PartialHead<'_>) -> Self {
        let id = ids::fresh(&mut client.local.outbound.random.borrow_mut());
        Self::open(client, snapshot, id, head)
    }

    fn open(
        client: &'a Client,
        snapshot: &Snapshot,
        id: HeaderValue,
        head: &PartialHead<'_>,
    ) -> Self {
        let line = snapshot.access_log.as_ref().map(|log| {
            let address = match head.headers {
                Some(headers) => client.address(headers),
                None => client.peer.address,
            };
            Line::begin(log, address, head, snapshot.secret_parameters.as_ref())
        });
        let random = &mut client.local.outbound.random.borrow_mut();
        let explain = Explain::begin(snapshot.plan.explain, random, head.headers);
        let witnesses = Witnesses::begin(client.origin(), id, head, explain, line);
        Self { witnesses, permit: OnceCell::new(), dues: Cell::new(None) }
    }

    /// It owes what is added to its dues when its response has ended.
    pub fn owes(&self, add: impl FnOnce(&mut Dues)) {
        let mut dues = self.dues.take().unwrap_or_default();
        add(&mut dues);
        self.dues.set(Some(dues));
    }

    /// It is refused: it is not under way at any rate limit any more.
    pub fn give_back_places(&self) {
        if let Some(mut dues) = self.dues.take() {
            dues.flights.clear();
            self.dues.set(Some(dues));
        }
    }

    /// Keep owing those costs of which this is true.
    pub fn retain_costs(&self, still_owes: impl FnMut(&mut Due) -> bool) {
        if let Some(mut dues) = self.dues.take() {
            dues.costs.retain(still_owes);
            self.dues.set(Some(dues));
        }
    }

    /// So many bytes of the response's body were sent.
    pub fn sent(&self, bytes: u64) {
        self.witnesses.tell(&Event::BodySent(bytes));
    }

    /// The response was sent to the end.
    pub fn complete(&self, now: Instant) {
        self.give_back_permit(now);
        self.pay_dues(now);
        self.witnesses.complete(now);
    }

    /// The response broke off.
    pub fn broken(&self, failure: Failure, now: Instant) {
        self.give_back_permit(now);
        self.pay_dues(now);
        self.witnesses.broken(failure, now);
    }

    fn pay_dues(&self, now: Instant) {
        if let Some(dues) = self.dues.take() {
            let record = self.witnesses.record();
            let ended = Ended {
                status: StatusCode::from_u16(record.status).ok(),
                request_bytes: record.received(),
                response_bytes: record.sent,
                told: None,
            };
            dues.settle(&ended, clock::moment(now));
        }
    }

    /// The permit is given back when this is dropped, which follows at once.
    fn give_back_permit(&self, now: Instant) {
        if let Some(permit) = self.permit.get() {
            permit.ends(now);
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // What was given up by its client is paid for as far as it came.
        if self.dues.get_mut().is_some() {
            self.pay_dues(Instant::now());
        }
    }
}
