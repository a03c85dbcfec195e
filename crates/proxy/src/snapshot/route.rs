//! What is done with a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use tidegate_core::balance::SplitMix64;
use tidegate_core::hedge::Hedge;
use tidegate_core::plan::Priority;
use tidegate_core::retry::Policy;
use tidegate_core::rewrite::{HeaderEdits, Redirect, Target};

use crate::account::metrics::RouteMetrics;

/// What is done with the requests of a route.
#[derive(Debug)]
pub struct Route {
    /// Unique for the life of the process.
    pub id: u64,
    /// Bytes of a request's body.
    pub body_limit: Option<u64>,
    /// What answers.
    pub action: Action,
    /// Changes of the response's fields.
    pub response_headers: HeaderEdits,
    /// Its counts, which have its name.
    pub metrics: Arc<RouteMetrics>,
}

impl Route {
    /// A number that no other route has.
    pub(super) fn next_id() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        NEXT.fetch_add(1, Relaxed)
    }
}

/// What answers a request.
#[derive(Debug)]
pub enum Action {
    /// An endpoint of an upstream.
    Forward(Box<Forward>),
    /// A redirect.
    Redirect(Redirect),
    /// A fixed response.
    Respond(Fixed),
}

/// How requests are forwarded.
#[derive(Debug)]
pub struct Forward {
    /// Where they go.
    pub destinations: Destinations,
    /// Changes of the target.
    pub rewrite: Option<Target>,
    /// Changes of the request's fields.
    pub request_headers: HeaderEdits,
    /// Where copies go.
    pub mirror: Option<Mirror>,
    /// Longest time for the whole request.
    pub timeout: Option<Duration>,
    /// The field that says how long a request may still take.
    pub deadline_header: Option<HeaderName>,
    /// When a try is repeated.
    pub retry: Policy,
    /// When a second try is made beside one that takes long; what it learned survives a reload.
    pub hedge: Option<Arc<Hedge>>,
    /// How important the requests are.
    pub priority: RoutePriority,
}

/// Where copies of requests go.
#[derive(Debug)]
pub struct Mirror {
    /// The upstream, by index.
    pub upstream: usize,
    /// The share of requests that are copied, in millionths.
    pub millionths: u64,
}

/// Where the requests of a route go.
#[derive(Debug)]
pub enum Destinations {
    /// To one upstream.
    One(Destination),
    /// To several, by shares.
    Split(Split),
}

impl Destinations {
    /// Where the next request goes.
    pub fn choose(&self, random: &mut SplitMix64) -> Option<Destination> {
        match self {
            Self::One(to) => Some(*to),
            Self::Split(split) => split.owner(random.below(split.total())),
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub struct Destination {
    /// The upstream, by index.
    pub upstream: usize,
    /// The labels that its endpoint must carry, by their place in [`Upstream::subsets`].
    pub subset: Option<usize>,
}

/// How important a route's requests are.
#[derive(Debug)]
pub struct RoutePriority {
    /// The class of requests that ask for none.
    pub(super) level: Priority,
    /// The field that asks for one.
    pub(super) header: Option<HeaderName>,
    /// Whether clients may ask for one that are not trusted.
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
    /// Upper bound of each share, and whose it is.
    shares: Vec<(u64, Destination)>,
}

impl Split {
    /// These upper bounds of shares, ascending, and whose they are.
    pub(super) fn new(shares: Vec<(u64, Destination)>) -> Self {
        Self { shares }
    }

    /// The sum of all weights.
    fn total(&self) -> u64 {
        self.shares.last().map_or(0, |(bound, _)| *bound)
    }

    /// Whose `point` is, which is below [`total`](Self::total).
    fn owner(&self, point: u64) -> Option<Destination> {
        let share = self.shares.partition_point(|(bound, _)| *bound <= point);
        self.shares.get(share).map(|(_, owner)| *owner)
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
