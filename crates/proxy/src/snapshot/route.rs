//! What is done with a request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use tidegate_core::hedge::Hedge;
use tidegate_core::plan::{self, Priority};
use tidegate_core::retry::Policy;
use tidegate_core::rewrite::{HeaderEdits, Redirect, Target};

use crate::account::metrics::RouteMetrics;

/// What is done with the requests of a route.
#[derive(Debug)]
pub struct Route {
    /// What was asked for.
    pub plan: Arc<plan::Route>,
    /// What answers.
    pub action: Action,
    /// Changes of the target.
    pub rewrite: Option<Target>,
    /// Changes of the request's fields.
    pub request_headers: HeaderEdits,
    /// Changes of the response's fields.
    pub response_headers: HeaderEdits,
    /// How many of a million requests are copied.
    pub mirror: Option<u64>,
    /// Longest time for the whole request.
    pub timeout: Option<Duration>,
    /// The field that says how long a request may still take.
    pub deadline_header: Option<HeaderName>,
    /// When a try is repeated.
    pub retry: Policy,
    /// When a second try is made beside one that takes long; what it learned survives a reload.
    pub hedge: Option<Arc<Hedge>>,
    /// Bytes of a request's body.
    pub body_limit: Option<u64>,
    /// How important its requests are.
    pub priority: RoutePriority,
    /// Its counts.
    pub metrics: Arc<RouteMetrics>,
}

/// What answers a request.
#[derive(Debug)]
pub enum Action {
    /// One upstream.
    Upstream,
    /// One of several upstreams.
    Split(Split),
    /// A redirect.
    Redirect(Redirect),
    /// A fixed response.
    Respond(Fixed),
}

/// How important a route's requests are.
#[derive(Debug)]
pub struct RoutePriority {
    /// The class of requests that ask for none.
    pub(super) level: Priority,
    /// The field that asks for one.
    pub(super) header: Option<HeaderName>,
    /// Whether clients may ask that are not trusted.
    pub(super) from_anyone: bool,
}

impl RoutePriority {
    /// The class of a request with these fields, from a peer that is `trusted` or not.
    pub fn of(&self, headers: &HeaderMap, trusted: bool) -> Priority {
        let asked = self.header.as_ref().filter(|_| trusted || self.from_anyone);
        let named = asked.and_then(|name| Priority::named(headers.get(name)?.as_bytes()));
        named.unwrap_or(self.level)
    }
}

/// Shares between upstreams.
#[derive(Debug)]
pub struct Split {
    /// Upper bound of each share, ascending.
    bounds: Vec<u64>,
}

impl Split {
    /// Shares of these upper bounds, which ascend.
    pub(super) fn new(bounds: Vec<u64>) -> Self {
        Self { bounds }
    }

    /// The sum of all weights.
    pub fn total(&self) -> u64 {
        self.bounds.last().copied().unwrap_or(0)
    }

    /// The share that `point`, which is below [`total`](Self::total), falls into.
    pub fn share(&self, point: u64) -> usize {
        self.bounds.partition_point(|bound| *bound <= point)
    }
}

/// A fixed response.
#[derive(Debug)]
pub struct Fixed {
    /// Status.
    pub status: StatusCode,
    /// Fields.
    pub headers: HeaderMap,
    /// Content.
    pub body: Bytes,
}
