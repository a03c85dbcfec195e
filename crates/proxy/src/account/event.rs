//! What can happen to a request.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use tidegate_core::auth::Identity;
use tidegate_core::failure::Failure;

use super::explain::{
    AccessDecision, AuthDecision, CacheDecision, Choice, LimitDecision, PredictionDecision,
};
use super::metrics::{CacheResult, EndpointMetrics, RouteMetrics};
use super::origin::Origin;

/// Something that happened to a request. It borrows what it tells; what costs to find out is a function,
/// called only by a witness that writes it down.
pub enum Event<'a> {
    /// A route takes the request.
    RouteChosen {
        /// The route's number.
        id: u64,
        /// Its counts.
        metrics: &'a Arc<RouteMetrics>,
    },
    /// No route takes the request.
    RouteMissing {
        /// The host that it asks for.
        host: Option<&'a HeaderValue>,
    },
    /// It has a body, whose bytes are counted here as they come in.
    BodyExpected(&'a Rc<Cell<u64>>),
    /// A limit stopped it or one of its tries, or let another try go on.
    LimitDecided(LimitDecision),
    /// A window of a rate limit was asked.
    RateLimitAsked {
        /// Whether it has no room for the request.
        denies: bool,
        /// How it stood.
        decision: &'a dyn Fn() -> LimitDecision,
    },
    /// It is refused by this rate limit, or window of one, as clients are told of it.
    RateLimitRefused(&'a str),
    /// An authenticator was asked where it comes from.
    AuthenticatorAsked {
        /// Whether it does not believe the credential.
        denies: bool,
        /// What it made of it.
        decision: &'a dyn Fn() -> AuthDecision,
    },
    /// It is known where it comes from.
    Authenticated(&'a Arc<Identity>),
    /// It may not use its route.
    AccessDenied {
        /// The option that says so, and its rule.
        decision: &'a dyn Fn() -> AccessDecision,
    },
    /// A cache was asked for its response.
    CacheAsked {
        /// What became of it there.
        result: CacheResult,
        /// Why.
        decision: &'a dyn Fn() -> CacheDecision,
    },
    /// Something was predicted of it, that may decide when it is its turn and where it goes. Of one that waited it is
    /// told when that is over; what is told first stands.
    CostPredicted {
        /// What, and what followed.
        decision: &'a dyn Fn() -> PredictionDecision,
    },
    /// Its upstream admitted it.
    UpstreamAdmitted {
        /// What the upstream's limit decided on.
        decision: &'a dyn Fn() -> LimitDecision,
    },
    /// An endpoint was picked for its next try, or none could be.
    EndpointChosen {
        /// Whether there was one.
        found: bool,
        /// How the endpoints stood.
        choice: &'a dyn Fn() -> Choice,
    },
    /// A try on this endpoint began.
    TryBegan(&'a Arc<EndpointMetrics>),
    /// The try on this endpoint has a connection.
    TryConnected(&'a Arc<EndpointMetrics>),
    /// The try on this endpoint failed, or got a response that is not passed on.
    TryFailed {
        /// The endpoint.
        endpoint: &'a Arc<EndpointMetrics>,
        /// What the try came to.
        outcome: TryOutcome,
    },
    /// The head of the response that is passed on came.
    ResponseStarted {
        /// The endpoint that it came from.
        endpoint: &'a Arc<EndpointMetrics>,
        /// Its status.
        status: StatusCode,
        /// The time from the beginning of the try.
        took: Duration,
    },
    /// It failed.
    Failed(Failure),
    /// It is answered with this status.
    Answered(StatusCode),
    /// So many bytes of the response's body were sent.
    BodySent(u64),
    /// Its response was sent to the end or broke off; nothing follows.
    Ended {
        /// Where the request came in.
        origin: &'a Origin<'a>,
    },
}

/// What a try came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryOutcome {
    /// The head of a response.
    Answered(StatusCode),
    /// No response.
    Failed(Failure),
    /// It was given up: another try won, time ran out or the client left.
    GivenUp,
}
