//! Interim responses (1xx, RFC 9110 §15.2), passed on while the final one is awaited.

use std::rc::Rc;

use http::{HeaderMap, StatusCode};

/// Takes interim responses to a client.
pub trait Interim {
    /// Send one, as soon as the connection takes it.
    fn send(&self, status: StatusCode, headers: HeaderMap);
}

/// Where a request's interim responses go; absent: the client cannot take any (HTTP/1.0).
pub type InterimSink = Option<Rc<dyn Interim>>;
