//! The life of a request, from its head to the head of its response.
//!
//! Read it from top to bottom: [`begin`] names the request and opens its account, [`decide`] finds
//! what is to be done, and [`forward`] does it where that means asking an upstream. Steps that come
//! later have their place in this order: authenticate, limit, threat score (before the action), cache
//! lookup (before the upstream), cache store and compress (after it).

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST, LOCATION};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Response, StatusCode, request};
use tidegate_core::failure::Failure;
use tidegate_core::rewrite::Requested;
use tidegate_core::route::{Found, RouteQuery, normalize_path};
use tokio::time::timeout_at;

use crate::account::record::Record;
use crate::client::Client;
use crate::http::body::Body;
use crate::http::interim::InterimSink;
use crate::http::problem::{Problem, takes_json};
use crate::http::time_left::TimeLeft;
use crate::http::{forwarded, ids};
use crate::snapshot::{Action, Destination, Destinations, Fixed, Route, Snapshot};
use crate::steps::mirror;
use crate::upstream::Upstream;
use crate::upstream::send::{self, Dispatch};

/// Name a request and open its account, which is settled when the response was sent.
pub fn begin(client: &Rc<Client>, head: &mut request::Parts) -> Record {
    let id = ids::ensure(&mut head.headers, &mut client.local.outbound.random.borrow_mut());
    Record::begin(client, &client.local.snapshot(), Some(head), id)
}

/// Answer a request that has [begun](begin).
///
/// Head and body are borrowed all the way down: passed on by value, they would be copied at each step.
pub async fn handle(
    client: &Rc<Client>,
    head: &mut request::Parts,
    body: &mut Body,
    upgrade: Option<&HeaderValue>,
    interim: &InterimSink,
    record: &mut Record,
) -> Response<Body> {
    let snapshot = client.local.snapshot();
    let decided = decide(client, &snapshot, head, body, upgrade, interim, record).await;
    let mut response = decided.unwrap_or_else(|failure| {
        record.failed(failure);
        let (gateway, request_id) = (&snapshot.plan.name, record.request_id());
        let (tries, json) = (record.tries(), takes_json(&head.headers));
        Problem { failure, gateway, request_id, tries, json }.response()
    });
    response.headers_mut().insert(ids::REQUEST_ID, record.request_id().clone());
    record.answered(response.status());
    response
}

/// Answer what could not even be read as a request.
pub fn refuse(client: &Rc<Client>, failure: Failure) -> (Response<Body>, Record) {
    let snapshot = client.local.snapshot();
    let id = ids::fresh(&mut client.local.outbound.random.borrow_mut());
    let gateway = &snapshot.plan.name;
    let mut response =
        Problem { failure, gateway, request_id: &id, tries: 0, json: false }.response();
    response.headers_mut().insert(ids::REQUEST_ID, id.clone());
    let mut record = Record::begin(client, &snapshot, None, id);
    record.failed(failure);
    record.answered(response.status());
    (response, record)
}

/// Find the route and do what it says.
async fn decide(
    client: &Rc<Client>,
    snapshot: &Snapshot,
    head: &mut request::Parts,
    body: &mut Body,
    upgrade: Option<&HeaderValue>,
    interim: &InterimSink,
    record: &mut Record,
) -> Result<Response<Body>, Failure> {
    if head.method == Method::CONNECT {
        return Err(Failure::MethodNotSupported);
    }

    // Route
    normalize(head)?;
    let Some(found) = find(client, snapshot, head) else {
        record.unrouted(&head.headers);
        return Err(Failure::NoRoute);
    };
    let route = &snapshot.routes[found.route];
    record.routed(route);

    // Limit
    meter(head, body, route, record)?;

    // Act
    let mut response = match &route.action {
        Action::Respond(fixed) => respond(fixed),
        Action::Redirect(redirect) => {
            let location = redirect.location(&requested(client, head), &found);
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = redirect.status();
            let location = HeaderValue::try_from(location).map_err(|_| Failure::Internal)?;
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Action::Upstream | Action::Split(_) => {
            let destinations = &snapshot.destinations[found.route];
            let to = destination(client, &route.action, destinations).ok_or(Failure::Internal)?;
            let time_left = TimeLeft::of(head, route.timeout, route.deadline_header.as_ref());
            let deadline = time_left.deadline();
            let mirror = &destinations.mirror;
            let forwarding = Forwarding { client, snapshot, route, found, to, mirror, time_left };
            let sent = Box::pin(forwarding.forward(head, body, upgrade, interim, record));
            match deadline {
                None => sent.await?,
                Some(deadline) => {
                    // Boxed, so that requests that may take as long as they like have no room for it.
                    let timely = Box::pin(timeout_at(deadline, sent));
                    let response = timely.await.map_err(|_| Failure::RequestTimeout)??;
                    response.map(|body| body.timed(deadline, Failure::RequestTimeout))
                }
            }
        }
    };

    // Response headers
    route.response_headers.apply(response.headers_mut());
    Ok(response)
}

/// A request whose action is an upstream.
struct Forwarding<'a> {
    client: &'a Rc<Client>,
    snapshot: &'a Snapshot,
    route: &'a Route,
    found: Found,
    to: &'a Destination,
    mirror: &'a Option<Arc<Upstream>>,
    time_left: TimeLeft<'a>,
}

impl Forwarding<'_> {
    /// Rewrite the request, send it, wait for the head of the response.
    async fn forward(
        &self,
        head: &mut request::Parts,
        body: &mut Body,
        upgrade: Option<&HeaderValue>,
        interim: &InterimSink,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure> {
        let client = self.client;
        let address = client.peer.client(&head.headers, &client.settings.plan.trusted_proxies);

        // Rewrite
        client.peer.announce(&mut head.headers, &mut client.forwarded.borrow_mut());
        forwarded::append_via(&mut head.headers, self.snapshot.via.of(head.version));
        if !head.headers.contains_key(HOST) {
            // Only HTTP/1.0 may leave it out; HTTP/1.1 upstreams need one.
            let name = &self.to.upstream.plan.name;
            let host = HeaderValue::from_str(name).map_err(|_| Failure::Internal)?;
            head.headers.insert(HOST, host);
        }
        self.rewrite(head)?;
        self.route.request_headers.apply(&mut head.headers);

        // Mirror
        if let (Some(share), Some(upstream)) = (self.route.mirror, &self.mirror)
            && client.local.outbound.random.borrow_mut().below(1_000_000) < share
        {
            mirror::send(&client.local, upstream, head, body, record.asks());
        }

        // Admit
        let upstream = &self.to.upstream;
        let class = self.route.priority.of(&head.headers, client.peer.trusted);
        let admitted = upstream.admit(client.local.index(), class, record.asks()).await;
        if admitted.is_err() || record.is_noted() {
            record.said(upstream.admission.said(admitted.is_ok()));
        }
        let now = record.admitted(admitted?);

        // Send
        let dispatch = Dispatch {
            upstream,
            subset: self.to.subset,
            retry: &self.route.retry,
            hedge: self.route.hedge.as_deref(),
            time_left: self.time_left,
            upgrade,
            interim,
            client: address,
        };
        send::send(&client.local.outbound, &dispatch, head, body, Some(record), now).await
    }

    fn rewrite(&self, head: &mut request::Parts) -> Result<(), Failure> {
        let Some(target) = &self.route.rewrite else { return Ok(()) };
        let path = target.path(head.uri.path(), &self.found);
        if path != head.uri.path() {
            head.uri = with_path(&head.uri, &path)?;
        }
        if let Some(host) = target.host() {
            head.headers.insert(HOST, host.clone());
        }
        Ok(())
    }
}

/// Bring the path into the form that routes are matched against and upstreams get.
fn normalize(head: &mut request::Parts) -> Result<(), Failure> {
    let path = head.uri.path();
    if path == "*" {
        return Ok(());
    }
    let normal = normalize_path(path).map_err(|_| Failure::MalformedRequest)?;
    if normal != path {
        head.uri = with_path(&head.uri, &normal)?;
    }
    Ok(())
}

fn with_path(uri: &http::Uri, path: &str) -> Result<http::Uri, Failure> {
    let target = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    target.map(http::Uri::from).map_err(|_| Failure::MalformedRequest)
}

fn find(client: &Client, snapshot: &Snapshot, head: &request::Parts) -> Option<Found> {
    let listener = snapshot.listeners.get(client.listener.name.as_str());
    snapshot.table.find(&RouteQuery {
        // A connection of a listener that is gone is served by the routes that serve any.
        listener: listener.copied().unwrap_or(usize::MAX),
        host: host(head),
        path: head.uri.path(),
        query: head.uri.query(),
        method: &head.method,
        headers: &head.headers,
    })
}

fn host(head: &request::Parts) -> &str {
    head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default()
}

fn requested<'a>(client: &'a Client, head: &'a request::Parts) -> Requested<'a> {
    Requested {
        scheme: client.peer.client_scheme(&head.headers),
        host: host(head),
        path: head.uri.path(),
        query: head.uri.query(),
    }
}

/// Count the body and hold it to the route's limit; one that announces too much is refused at once.
fn meter(
    head: &request::Parts,
    body: &mut Body,
    route: &Route,
    record: &mut Record,
) -> Result<(), Failure> {
    if body.is_end() {
        return Ok(());
    }
    let announced =
        head.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if let (Some(limit), Some(length)) = (route.body_limit, announced)
        && length > limit
    {
        return Err(Failure::BodyTooLarge);
    }
    let taken = Rc::new(Cell::new(0));
    record.receives(taken.clone());
    *body = std::mem::take(body).metered(route.body_limit, taken);
    Ok(())
}

fn respond(fixed: &Fixed) -> Response<Body> {
    let mut response = Response::new(Body::full(fixed.body.clone()));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers.clone();
    if fixed.status != StatusCode::NO_CONTENT {
        let length = HeaderValue::from(fixed.body.len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
    }
    response
}

fn destination<'a>(
    client: &Client,
    action: &Action,
    destinations: &'a Destinations,
) -> Option<&'a Destination> {
    let share = match action {
        Action::Split(split) => {
            split.share(client.local.outbound.random.borrow_mut().below(split.total()))
        }
        _ => 0,
    };
    destinations.shares.get(share)
}
