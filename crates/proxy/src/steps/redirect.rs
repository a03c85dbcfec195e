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
/// If it leads to what cannot be written as a field.
pub fn before(redirect: &Redirect, call: &Call<'_>) -> Result<Flow, Failure> {
    let requested = Requested {
        scheme: call.client.peer.client_scheme(&call.head.headers),
        host: call.host(),
        path: call.head.uri.path(),
        query: call.head.uri.query(),
    };
    let location = HeaderValue::try_from(redirect.location(&requested, &call.found));
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = redirect.status();
    response.headers_mut().insert(LOCATION, location.map_err(|_| Failure::Internal)?);
    Ok(Flow::Answer(response))
}
