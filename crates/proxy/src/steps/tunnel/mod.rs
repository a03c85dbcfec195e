//! Tunnel: a WebSocket that was asked for by extended CONNECT becomes the upgrade that it stands for, and whatever
//! protocol an endpoint changes over to gets its limits and is counted.

mod counted;
mod limited;

use std::rc::Rc;

use http::header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Response, StatusCode};
use tidegate_core::failure::Failure;
use tidegate_core::websocket::{handshake, is_websocket};
use tokio::time::Instant;

use self::counted::Counted;
use self::limited::Limited;
use crate::account::event::Event;
use crate::account::metrics::OpenTunnel;
use crate::call::Call;
use crate::http::body::Body;
use crate::http::duplex::{Duplex, Holding};
use crate::local::TunnelPlace;
use crate::snapshot::Route;

/// Give a request for a WebSocket the key that it has over HTTP/1 alone (RFC 8441 §5.1).
pub fn before(call: &mut Call<'_>) {
    if call.is_extended_connect() {
        let mut random = call.client.local.outbound.random.borrow_mut();
        let key = u128::from(random.next()) << 64 | u128::from(random.next());
        call.head.headers.insert(SEC_WEBSOCKET_KEY, handshake::key(key.to_ne_bytes()));
    }
}

/// Have a tunnel last no longer than its route allows, and count it.
///
/// # Errors
/// By extended CONNECT a WebSocket was asked for, and the response would say that it begins though it does not.
pub fn after(call: &Call<'_>, response: &mut Response<Body>) -> Result<(), Failure> {
    match (call.upgrade, call.route) {
        (Some(_), Some(route)) => begin(call, route, response),
        _ => Ok(()),
    }
}

#[inline(never)]
fn begin(call: &Call<'_>, route: &Route, response: &mut Response<Body>) -> Result<(), Failure> {
    let endpoint = match std::mem::take(response.body_mut()) {
        Body::Upgraded(endpoint) => endpoint,
        _ if call.is_extended_connect() && response.status().is_success() => {
            return Err(Failure::NotSwitched);
        }
        body => {
            *response.body_mut() = body;
            return Ok(());
        }
    };
    let protocol = response.headers().get(UPGRADE);
    let is_websocket = protocol.is_some_and(|protocol| is_websocket(protocol.as_bytes()));
    *response.body_mut() = Body::Upgraded(watched(call, route, endpoint, is_websocket));
    settle(call, response);
    Ok(())
}

/// The `endpoint`'s end of a tunnel, which is counted, and ends in time.
fn watched(
    call: &Call<'_>,
    route: &Route,
    endpoint: Box<dyn Duplex>,
    is_websocket: bool,
) -> Box<dyn Duplex> {
    let (client, now) = (call.client, Instant::now());
    let place = TunnelPlace::enter(&client.local, client.listener.id);
    let (limits, signal) = (&route.plan.tunnel, place.signal.clone());
    let endpoint = Limited::new(endpoint, limits, is_websocket, signal, now);
    let counts = OpenTunnel::begin(route.metrics.clone(), client.local.index(), now);
    let received = Rc::default();
    call.tell(&Event::BodyExpected(&received));
    Box::new(Holding::new(Counted { endpoint, counts, received }, place))
}

/// Bring the head behind which the tunnel begins into the form that the client's version has.
fn settle(call: &Call<'_>, response: &mut Response<Body>) {
    // RFC 9110 §8.6, §9.3.6: neither form has content.
    response.headers_mut().remove(CONTENT_LENGTH);
    if call.is_extended_connect() {
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().remove(UPGRADE);
        response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
    }
}
