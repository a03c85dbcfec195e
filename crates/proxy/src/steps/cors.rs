//! CORS: pages of other origins learn what they may do, and read the responses that they may.

use http::header::ORIGIN;
use http::{Response, StatusCode};
use tidegate_core::cors::Cors;
use tidegate_core::failure::Failure;

use super::Flow;
use crate::call::Call;
use crate::http::body::Body;

/// Note the origin of the page that sent the request: the route may change its fields.
pub fn note(cors: Option<&Cors>, call: &mut Call<'_>) {
    if cors.is_some() {
        call.origin = call.head.headers.get(ORIGIN).cloned();
    }
}

/// Answer a preflight: browsers send it without credentials, so it comes before any are asked for.
///
/// # Errors
/// None.
pub fn before(cors: Option<&Cors>, call: &mut Call<'_>) -> Result<Flow, Failure> {
    let Some(fields) = cors.and_then(|cors| cors.preflight(call.head)) else {
        return Ok(Flow::Go);
    };
    call.is_preflight = true;
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = fields;
    Ok(Flow::Answer(response))
}

/// Let the page read the response, whichever it is, if it may.
pub fn after(call: &Call<'_>, response: &mut Response<Body>) {
    if call.is_preflight {
        return;
    }
    if let Some(cors) = call.route.and_then(|route| route.cors.as_deref()) {
        cors.apply(call.origin.as_ref(), response.headers_mut());
    }
}
