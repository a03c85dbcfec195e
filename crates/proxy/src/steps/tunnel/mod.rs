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
use crate::http::duplex::Holding;
use crate::local::TunnelPlace;

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
pub fn after(call: &Call<'_>, response: Response<Body>) -> Result<Response<Body>, Failure> {
    let is_extended_connect = call.is_extended_connect();
    let (mut head, body) = response.into_parts();
    let body = match (body, call.route) {
        (Body::Upgraded(endpoint), Some(route)) => {
            let is_websocket =
                head.headers.get(UPGRADE).is_some_and(|to| is_websocket(to.as_bytes()));
            let (client, now) = (call.client, Instant::now());
            let place = TunnelPlace::enter(&client.local, client.listener.id);
            let (limits, signal) = (&route.plan.tunnel, place.signal.clone());
            let limited = Limited::new(endpoint, limits, is_websocket, signal, now);
            let counts = OpenTunnel::begin(route.metrics.clone(), client.local.index(), now);
            let received = Rc::default();
            call.tell(&Event::BodyExpected(&received));
            let counted = Counted { endpoint: limited, counts, received };
            Body::Upgraded(Box::new(Holding::new(counted, place)))
        }
        (_, _) if is_extended_connect && head.status.is_success() => {
            return Err(Failure::NotSwitched);
        }
        (body, _) => body,
    };
    if let Body::Upgraded(_) = body {
        // RFC 9110 §8.6, §9.3.6: neither form has content.
        head.headers.remove(CONTENT_LENGTH);
        if is_extended_connect {
            head.status = StatusCode::OK;
            head.headers.remove(UPGRADE);
            head.headers.remove(SEC_WEBSOCKET_ACCEPT);
        }
    }
    Ok(Response::from_parts(head, body))
}
