//! What becomes of a request: counted, and logged where that is asked for, when its response ends.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, REFERER, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::clock;
use crate::http::body::Body;
use crate::http::ids::TRACEPARENT;
use crate::listen::client::Client;
use crate::snapshot::{Route, Snapshot};
use crate::telemetry::access_log::{AccessLog, Entry};
use crate::upstream::admission::Permit;
use crate::upstream::{Member, Upstream};

/// One request's account. It is settled when dropped; a request that nobody finished was given up
/// by its client.
pub struct Record {
    client: Rc<Client>,
    began: Instant,
    route: Option<Arc<Route>>,
    status: u16,
    received: Option<Rc<Cell<u64>>>,
    sent: u64,
    tries: u32,
    failure: Option<Failure>,
    complete: bool,
    /// Held until the response's end.
    permit: Option<Permit>,
    line: Option<Box<Line>>,
}

/// What only the access log wants to know.
struct Line {
    log: Arc<AccessLog>,
    time: u64,
    /// By the word of trusted proxies.
    address: Option<IpAddr>,
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<HeaderValue>,
    request_id: HeaderValue,
    trace: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    upstream: Option<Arc<Upstream>>,
    member: Option<Arc<Member>>,
    head: Option<Duration>,
}

impl Record {
    /// A request begins.
    pub fn begin(
        client: &Rc<Client>,
        snapshot: &Snapshot,
        request: Option<&Request<Body>>,
        request_id: &HeaderValue,
    ) -> Self {
        let line = snapshot.access_log.as_ref().map(|log| {
            let field = |name| request.and_then(|r| r.headers().get(name).cloned());
            Box::new(Line {
                log: log.clone(),
                time: clock::unix_nanos(),
                address: request.map_or(client.peer.address, |r| {
                    client.peer.client(r.headers(), &client.settings.plan.trusted_proxies)
                }),
                method: request.map_or(Method::GET, |r| r.method().clone()),
                uri: request.map_or_else(Uri::default, |r| r.uri().clone()),
                version: request.map_or(Version::HTTP_11, Request::version),
                host: field(HOST),
                request_id: request_id.clone(),
                trace: field(TRACEPARENT),
                user_agent: field(USER_AGENT),
                referer: field(REFERER),
                upstream: None,
                member: None,
                head: None,
            })
        });
        Self {
            client: client.clone(),
            began: Instant::now(),
            route: None,
            status: 0,
            received: None,
            sent: 0,
            tries: 0,
            failure: None,
            complete: false,
            permit: None,
            line,
        }
    }

    /// The route that takes it.
    pub fn routed(&mut self, route: &Arc<Route>) {
        self.route = Some(route.clone());
    }

    /// Where the bytes of its body are counted.
    pub fn receives(&mut self, counter: Rc<Cell<u64>>) {
        self.received = Some(counter);
    }

    /// Its upstream takes it.
    pub fn admitted(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Its upstream answered.
    pub fn served(&mut self, status: StatusCode) {
        if let Some(permit) = &mut self.permit {
            permit.answered(status);
        }
    }

    /// It is tried on an endpoint.
    pub fn tried(&mut self, upstream: &Arc<Upstream>, member: &Arc<Member>) {
        self.tries += 1;
        if let Some(line) = &mut self.line {
            line.upstream = Some(upstream.clone());
            line.member = Some(member.clone());
        }
    }

    /// How often it was tried.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// An endpoint's response began, so long after it was tried.
    pub fn headed(&mut self, member: &Arc<Member>, took: Duration) {
        if let Some(line) = &mut self.line {
            line.member = Some(member.clone());
            line.head = Some(took);
        }
    }

    /// The status that it is answered with.
    pub fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// Why it failed.
    pub fn failed(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    /// Bytes of the response's body that were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Its response was sent to the end.
    pub fn complete(mut self) {
        self.complete = true;
    }

    /// Its response broke off.
    pub fn broken(mut self, failure: Failure) {
        self.failure = Some(failure);
        self.complete = true;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.complete && self.failure.is_none() {
            self.failure = Some(Failure::ClientGone);
        }
        if self.status == 0 {
            self.status = self.failure.map_or(0, |failure| failure.meaning().status);
        }
        let worker = &self.client.worker;
        let took = self.began.elapsed();
        let received = self.received.as_ref().map_or(0, |counter| counter.get());
        let metrics = match &self.route {
            Some(route) => &route.metrics,
            None => &worker.shared.unrouted,
        };
        metrics.finished(worker.index, self.status, took, received, self.sent);
        self.client.listener.metrics.transferred(worker.index, received, self.sent);
        if let Some(failure) = self.failure {
            metrics.failed(worker.index, failure);
        }
        if let Some(line) = &self.line {
            self.log(line, took, received);
        }
    }
}

impl Record {
    fn log(&self, line: &Line, took: Duration, received: u64) {
        let trace = line.trace.as_ref().and_then(|trace| trace.to_str().ok()?.get(3..35));
        let tls = self.client.tls.as_ref();
        let entry = Entry {
            time: line.time,
            listener: &self.client.listener.name,
            client: line.address,
            request_id: line.request_id.as_bytes(),
            method: line.method.as_str().as_bytes(),
            host: line.host.as_ref().map_or(b"", HeaderValue::as_bytes),
            path: line.uri.path().as_bytes(),
            query: line.uri.query().map(str::as_bytes),
            protocol: protocol(line.version),
            status: self.status,
            request_bytes: received,
            response_bytes: self.sent,
            duration: took,
            route: self.route.as_ref().map(|route| route.name.as_str()),
            upstream: line.upstream.as_ref().map(|upstream| upstream.plan.name.as_str()),
            endpoint: line.member.as_ref().map(|member| member.endpoint.address.as_str()),
            tries: self.tries,
            upstream_head: line.head,
            error: self.failure.map(|failure| failure.meaning().label),
            user_agent: line.user_agent.as_ref().map(HeaderValue::as_bytes),
            referer: line.referer.as_ref().map(HeaderValue::as_bytes),
            tls_version: tls.map(|tls| tls.version()),
            tls_server_name: tls.and_then(|tls| tls.server_name.as_deref()),
            tls_client: tls.and_then(|tls| tls.peer.as_deref()),
            trace_id: trace,
        };
        line.log.write(self.client.worker.index, &entry);
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
