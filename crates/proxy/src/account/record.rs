//! What becomes of a request: counted, and logged where that is asked for, when its response ends.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, REFERER, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, request};
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use crate::account::access_log::{AccessLog, Entry};
use crate::account::explain::{Choice, Ending, Notes, Phases, Reason, Said, Story, bounded};
use crate::client::Client;
use crate::http::ids::TRACEPARENT;
use crate::net::clock;
use crate::snapshot::{Route, Snapshot};
use crate::upstream::Member;
use crate::upstream::admission::Permit;

/// One request's account. It is settled when dropped; a request that nobody finished was given up
/// by its client.
pub struct Record {
    client: Rc<Client>,
    began: Instant,
    request_id: HeaderValue,
    method: Method,
    target: Option<PathAndQuery>,
    route: Option<Arc<Route>>,
    status: u16,
    received: Option<Rc<Cell<u64>>>,
    sent: u64,
    tries: u32,
    /// Where and when it was tried last.
    last_try: Option<(Arc<Member>, Instant)>,
    /// How long the last try took to the head of its response.
    head: Option<Duration>,
    failure: Option<Failure>,
    complete: bool,
    /// When it ended, once it has.
    ended: Option<Instant>,
    /// Held until the response's end.
    permit: Option<Permit>,
    line: Option<Box<Line>>,
    /// Only where it is sampled or something went wrong.
    notes: Option<Box<Notes>>,
}

/// What only the access log wants to know.
struct Line {
    log: Arc<AccessLog>,
    time: u64,
    /// By the word of trusted proxies.
    address: Option<IpAddr>,
    version: Version,
    host: Option<HeaderValue>,
    trace: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
}

impl Record {
    /// A request begins.
    pub fn begin(
        client: &Rc<Client>,
        snapshot: &Snapshot,
        request: Option<&request::Parts>,
        request_id: HeaderValue,
    ) -> Self {
        let line = snapshot.access_log.as_ref().map(|log| {
            let field = |name| request.and_then(|r| r.headers.get(name).cloned());
            Box::new(Line {
                log: log.clone(),
                time: clock::unix_nanos(),
                address: request.map_or(client.peer.address, |r| {
                    client.peer.client(&r.headers, &client.settings.plan.trusted_proxies)
                }),
                version: request.map_or(Version::HTTP_11, |r| r.version),
                host: field(HOST),
                trace: field(TRACEPARENT),
                user_agent: field(USER_AGENT),
                referer: field(REFERER),
            })
        });
        let explain = &snapshot.plan.explain;
        let sampled = explain.keep > 0
            && client.local.outbound.random.borrow_mut().fraction() < explain.sample;
        let notes = sampled.then(|| {
            let host = request.and_then(|r| host(&r.headers));
            Box::new(Notes { sampled, host, ..Notes::default() })
        });
        Self {
            client: client.clone(),
            began: Instant::now(),
            request_id,
            method: request.map_or(Method::GET, |r| r.method.clone()),
            target: request.and_then(|r| r.uri.path_and_query().cloned()),
            route: None,
            status: 0,
            received: None,
            sent: 0,
            tries: 0,
            last_try: None,
            head: None,
            failure: None,
            complete: false,
            ended: None,
            permit: None,
            line,
            notes,
        }
    }

    /// When its upstream is asked: read from the clock where its phases are told, else when it began, which
    /// is some microseconds ago.
    pub fn asks(&self) -> Instant {
        if self.is_noted() { Instant::now() } else { self.began }
    }

    /// Its name.
    pub fn request_id(&self) -> &HeaderValue {
        &self.request_id
    }

    /// The route that takes it.
    pub fn routed(&mut self, route: &Arc<Route>) {
        self.route = Some(route.clone());
        if let Some(notes) = &mut self.notes {
            notes.routed = Some(self.began.elapsed());
        }
    }

    /// No route takes it.
    pub fn unrouted(&mut self, headers: &HeaderMap) {
        self.notes().host = host(headers);
    }

    /// Where the bytes of its body are counted.
    pub fn receives(&mut self, counter: Rc<Cell<u64>>) {
        self.received = Some(counter);
    }

    /// Its upstream takes it; answers with when that was.
    pub fn admitted(&mut self, permit: Permit) -> Instant {
        self.permit.insert(permit).began()
    }

    /// Whether it is worth noting how things stand.
    pub fn is_noted(&self) -> bool {
        self.notes.is_some()
    }

    /// A limit said something worth noting.
    pub fn said(&mut self, said: Said) {
        self.notes().said(said);
    }

    /// An endpoint was chosen for its next try, or none could be.
    pub fn chosen(&mut self, choice: Choice) {
        self.notes().choice = Some(choice);
    }

    /// It is tried on an endpoint.
    pub fn tried(&mut self, member: &Arc<Member>, now: Instant) {
        if self.tries > 0 {
            self.notes();
        }
        self.tries += 1;
        if let Some(notes) = &mut self.notes {
            let at = now.saturating_duration_since(self.began);
            notes.tried(member.id, &member.endpoint.address, at);
        }
        self.last_try = Some((member.clone(), now));
    }

    /// The try on an endpoint has a connection.
    pub fn connected(&mut self, member: &Member) {
        if let Some(notes) = &mut self.notes {
            notes.connected(member.id, self.began.elapsed());
        }
    }

    /// The try on an endpoint came to nothing, or to an answer that is not passed on.
    pub fn vain(&mut self, member: &Member, ending: Ending) {
        let at = self.began.elapsed();
        self.notes().ended(member.id, ending, at);
    }

    /// How often it was tried.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// An endpoint's response began, so long after it was tried, and is passed on.
    pub fn headed(
        &mut self,
        member: &Arc<Member>,
        status: StatusCode,
        began: Instant,
        took: Duration,
    ) {
        let at = began + took;
        if let Some(permit) = &mut self.permit {
            permit.answered(status, at);
        }
        if let Some(notes) = &mut self.notes {
            let at = at.saturating_duration_since(self.began);
            notes.ended(member.id, Ending::Answered(status), at);
        }
        self.head = Some(took);
        // Of two tries at once, the first may have answered.
        if let Some(last) = self.last_try.as_mut().filter(|(last, _)| last.id != member.id) {
            *last = (member.clone(), began);
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

    /// Where the bytes of its response's body are counted as they are sent.
    pub fn sent(&mut self) -> &mut u64 {
        &mut self.sent
    }

    /// Its response was sent to the end.
    pub fn complete(&mut self, now: Instant) {
        self.complete = true;
        self.ended = Some(now);
    }

    /// Its response broke off.
    pub fn broken(&mut self, failure: Failure, now: Instant) {
        self.failure = Some(failure);
        self.complete(now);
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
        let (local, worker) = (&self.client.local, self.client.local.index());
        let now = self.ended.unwrap_or_else(Instant::now);
        let took = now.saturating_duration_since(self.began);
        if let Some(permit) = &mut self.permit {
            permit.ends(now);
        }
        let received = self.received.as_ref().map_or(0, |counter| counter.get());
        let metrics = match &self.route {
            Some(route) => &route.metrics,
            None => &local.accounts.unrouted,
        };
        metrics.finished(worker, self.status, took, received, self.sent);
        self.client.listener.metrics.transferred(worker, received, self.sent);
        if let Some(failure) = self.failure {
            metrics.failed(worker, failure);
        }
        if let Some(line) = &self.line {
            self.log(line, took, received);
        }
        let explain = self.client.local.snapshot().plan.explain;
        if explain.keep > 0
            && let Some(reason) = self.reason(explain.slow.duration())
        {
            let story = self.story(reason, took);
            self.client.local.accounts.stories.keep(self.client.local.index(), story, explain.keep);
        }
    }
}

impl Record {
    /// Its notes, begun now if there are none yet.
    fn notes(&mut self) -> &mut Notes {
        let (last, began, head) = (&self.last_try, self.began, self.head);
        let status = StatusCode::from_u16(self.status);
        self.notes.get_or_insert_with(|| {
            let mut notes = Box::<Notes>::default();
            if let Some((member, at)) = last {
                let at = at.saturating_duration_since(began);
                notes.tried(member.id, &member.endpoint.address, at);
                if let (Some(took), Ok(status)) = (head, status) {
                    notes.ended(member.id, Ending::Answered(status), at + took);
                }
            }
            notes
        })
    }

    /// Why it is to be remembered, if it is.
    fn reason(&self, slow: Duration) -> Option<Reason> {
        if self.failure.is_some() {
            Some(Reason::Failed)
        } else if self.status >= 500 {
            Some(Reason::ServerError)
        } else if self.tries > 1 {
            Some(Reason::Retried)
        } else if self.headed_at().is_some_and(|at| at > slow) {
            Some(Reason::Slow)
        } else {
            self.notes.as_ref().filter(|notes| notes.sampled).map(|_| Reason::Sampled)
        }
    }

    /// When the head of the response came, from its beginning on.
    fn headed_at(&self) -> Option<Duration> {
        let (_, tried) = self.last_try.as_ref()?;
        Some(tried.saturating_duration_since(self.began) + self.head?)
    }

    fn story(&mut self, reason: Reason, took: Duration) -> Story {
        let since = |at: Instant| at.saturating_duration_since(self.began);
        let phases = Phases {
            routed: self.notes.as_ref().and_then(|notes| notes.routed),
            admitted: self.permit.as_ref().map(|permit| since(permit.began())),
            tried: self.last_try.as_ref().map(|(_, at)| since(*at)),
            head: self.headed_at(),
            end: took,
        };
        self.notes();
        let notes = self.notes.take().map(|notes| *notes).unwrap_or_default();
        let meaning = self.failure.map(Failure::meaning);
        Story {
            request_id: String::from_utf8_lossy(self.request_id.as_bytes()).into(),
            time: clock::unix_nanos() as f64 / 1e9 - took.as_secs_f64(),
            reason,
            listener: self.client.listener.name.as_str().into(),
            method: bounded(self.method.as_str()),
            host: notes.host,
            path: bounded(self.target.as_ref().map_or("", PathAndQuery::path)),
            status: self.status,
            error: meaning.map(|meaning| meaning.label),
            detail: meaning.map(|meaning| meaning.detail),
            route: self.route.as_ref().map(|route| route.name.as_str().into()),
            route_taken: self.route.as_ref().map(Arc::downgrade).unwrap_or_default(),
            upstream: self.last_try.as_ref().map(|(member, _)| member.upstream.clone()),
            phases,
            limits: notes.said,
            tries: notes.tries,
            unpicked: notes.choice.filter(|choice| !choice.candidates.iter().any(|c| c.picked)),
        }
    }

    fn log(&self, line: &Line, took: Duration, received: u64) {
        let trace = line.trace.as_ref().and_then(|trace| trace.to_str().ok()?.get(3..35));
        let tls = self.client.tls.as_ref();
        let entry = Entry {
            time: line.time,
            listener: &self.client.listener.name,
            client: line.address,
            request_id: self.request_id.as_bytes(),
            method: self.method.as_str().as_bytes(),
            host: line.host.as_ref().map_or(b"", HeaderValue::as_bytes),
            path: self.target.as_ref().map_or("", PathAndQuery::path).as_bytes(),
            query: self.target.as_ref().and_then(PathAndQuery::query).map(str::as_bytes),
            protocol: protocol(line.version),
            status: self.status,
            request_bytes: received,
            response_bytes: self.sent,
            duration: took,
            route: self.route.as_ref().map(|route| route.name.as_str()),
            upstream: self.last_try.as_ref().map(|(member, _)| &*member.upstream),
            endpoint: self.last_try.as_ref().map(|(member, _)| member.endpoint.address.as_str()),
            tries: self.tries,
            upstream_head: self.head,
            error: self.failure.map(|failure| failure.meaning().label),
            user_agent: line.user_agent.as_ref().map(HeaderValue::as_bytes),
            referer: line.referer.as_ref().map(HeaderValue::as_bytes),
            tls_version: tls.map(|tls| tls.version()),
            tls_server_name: tls.and_then(|tls| tls.server_name.as_deref()),
            tls_client: tls.and_then(|tls| tls.peer.as_deref()),
            trace_id: trace,
        };
        line.log.write(self.client.local.index(), &entry);
    }
}

/// The host that is asked for.
fn host(headers: &HeaderMap) -> Option<Box<str>> {
    Some(bounded(headers.get(HOST)?.to_str().ok()?))
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}
