//! What is known of a request whose account is opened: of one that was refused, often not all of its head.

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Version, request};

/// As much of a request's head as could be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct PartialHead<'a> {
    /// Its method.
    pub method: Option<&'a Method>,
    /// Path and query.
    pub target: Option<&'a PathAndQuery>,
    /// The version that it is written in.
    pub version: Option<Version>,
    /// Its fields.
    pub headers: Option<&'a HeaderMap>,
}

impl<'a> From<&'a request::Parts> for PartialHead<'a> {
    fn from(head: &'a request::Parts) -> Self {
        Self {
            method: Some(&head.method),
            target: head.uri.path_and_query(),
            version: Some(head.version),
            headers: Some(&head.headers),
        }
    }
}
