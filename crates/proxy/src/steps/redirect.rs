//! Redirect: answer that the request belongs elsewhere.

use http::header::LOCATION;
use http::{HeaderValue, Response};
use tidegate_core::failure::Failure;
use tidegate_core::rewrite::{Redirect, Requested};

use super::Flow;
use crate::call::Call;
use crate::http::body::Body;

/// Answer with a redirect.
///
/// # Errors
/// If it leads to what cannot be written as a field, or to another scheme of a host that is not known.
pub fn before(redirect: &Redirect, call: &Call<'_>) -> Result<Flow, Failure> {
    let requested = Requested {
        scheme: call.client.peer.client_scheme(&call.head.headers),
        host: Some(call.host()).filter(|host| !host.is_empty()),
        path: call.head.uri.path(),
        query: call.head.uri.query(),
    };
    let location = redirect.location(&requested, &call.found).ok_or(Failure::MalformedRequest)?;
    let location = HeaderValue::try_from(location);
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = redirect.status();
    response.headers_mut().insert(LOCATION, location.map_err(|_| Failure::Internal)?);
    Ok(Flow::Answer(response))
}
