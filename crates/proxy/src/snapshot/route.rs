//! What is done with a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use tidegate_core::access::AddressRules;
use tidegate_core::auth::IdentityHeaders;
use tidegate_core::cache;
use tidegate_core::cors::Cors;
use tidegate_core::csrf::Csrf;
use tidegate_core::hedge::Hedge;
use tidegate_core::plan::{self, Priority};
use tidegate_core::retry::Policy;
use tidegate_core::rewrite::{HeaderEdits, Redirect, Target};
use tidegate_core::security_headers::SecurityHeaders;

use super::access::Access;
use super::fixed::Fixed;
use crate::account::metrics::RouteMetrics;
use crate::account::rpc::RpcCounts;
use crate::upstream::cost::CostRoute;

/// What is done with the requests of a route.
#[derive(Debug)]
pub struct Route {
    /// What was asked for.
    pub plan: Arc<plan::Route>,
    /// Unique for the life of the process.
    pub id: u64,
    /// Bytes of a request's body.
    pub body_limit: Option<u64>,
    /// What the addresses of its clients must be like.
    pub address_rules: Option<Box<AddressRules>>,
    /// Which pages of other origins may read the responses.
    pub cors: Option<Box<Cors>>,
    /// What refuses requests that pages of other origins make a browser send.
    pub csrf: Option<Csrf>,
    /// Whether requests in gRPC-Web are made ones in gRPC.
    pub grpc_web: bool,
    /// How its RPCs are counted; `None`: they are not.
    pub rpc_counts: Option<Box<RpcCounts>>,
    /// Who may use it; `None`: all.
    pub access: Option<Access>,
    /// What answers.
    pub action: Action,
    /// Changes of the response's fields.
    pub response_headers: HeaderEdits,
    /// Fields that tell browsers to be careful.
    pub security_headers: Option<Box<SecurityHeaders>>,
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
    /// What the costs of its requests are told apart by.
    pub cost: CostRoute,
    /// The shares of its upstreams, where there are several.
    pub split: Option<Split>,
    /// What of the responses is stored, and what is answered from that.
    pub cache: Option<Box<cache::Settings>>,
    /// Changes of the target.
    pub rewrite: Option<Target>,
    /// Changes of the request's fields.
    pub request_headers: HeaderEdits,
    /// Fields that tell of the identity.
    pub identity_headers: IdentityHeaders,
    /// How many of a million requests are copied, if any.
    pub mirrored_millionths: Option<u64>,
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
