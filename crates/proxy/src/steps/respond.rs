//! Respond: answer with a fixed response.

use http::Response;
use tidegate_core::failure::Failure;

use super::Flow;
use crate::http::body::Body;
use crate::snapshot::Fixed;

/// Answer with `fixed`.
///
/// # Errors
/// None.
pub fn before(fixed: &Fixed) -> Result<Flow, Failure> {
    let mut response = Response::new(Body::full(fixed.body.clone()));
    *response.status_mut() = fixed.status;
    *response.headers_mut() = fixed.headers.clone();
    Ok(Flow::Answer(response))
}
