//! The steps of a request's life, one file each. Their order is in [`stack`](crate::stack).
//!
//! A step is a function `before`, which works on the [`Call`](crate::call::Call) before it is answered, or `after`, which
//! works on the response, or both. It is handed what it is set to, which is its field of the route; one that waits for
//! something is async. A step that finds what others need gives them that in place of [`Flow::Go`].

use http::Response;

use crate::http::body::Body;

pub mod access;
pub mod admit;
pub mod alt_svc;
pub mod authenticate;
pub mod body_limit;
pub mod cache;
pub mod client_cert;
pub mod client_networks;
pub mod cold_keys;
pub mod cors;
pub mod csrf;
pub mod destination;
pub mod forwarded;
pub mod grpc;
pub mod grpc_web;
pub mod guarded_fields;
pub mod identity_headers;
pub mod mirror;
pub mod problem;
pub mod rate_limits;
pub mod redirect;
pub mod request_headers;
pub mod request_id;
pub mod respond;
pub mod response_headers;
pub mod rewrite;
pub mod route;
pub mod security_headers;
pub mod send;
pub mod time_limit;
pub mod tunnel;

/// What follows from a step that did not fail.
pub enum Flow {
    /// The next step.
    Go,
    /// This is the answer.
    Answer(Response<Body>),
}
