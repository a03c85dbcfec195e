//! What is known of a request: about ten numbers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method};
use tidegate_core::auth::Identity;
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::event::Event;
use super::metrics::{CacheResult, EndpointMetrics, RouteMetrics};
use crate::http::partial_head::PartialHead;

/// What is known of a request so far.
pub struct Record {
    /// When its head was read.
    pub began: Instant,
    /// Its name.
    pub request_id: HeaderValue,
    /// Its method; absent where it could not be read.
    pub method: Option<Method>,
    /// Its target; absent where it could not be read.
    pub target: Option<PathAndQuery>,
    /// The route that takes it: its number, and its counts, which have its name.
    pub route: Option<(u64, Arc<RouteMetrics>)>,
    /// The rate limit, or the window of one, that refused it.
    pub limit: Option<Box<str>>,
    /// Where it comes from, as far as that is proven.
    pub identity: Option<Arc<Identity>>,
    /// What became of it in a cache.
    pub cache: Option<CacheResult>,
    /// When its upstream admitted it.
    pub admitted: Option<Instant>,
    /// How often it was tried.
    pub tries: u32,
    /// Where and when it was tried last, or got its response from.
    pub last_try: Option<(Arc<EndpointMetrics>, Instant)>,
    /// From the beginning of that try to the head of the response.
    pub response_head: Option<Duration>,
    /// The status that it is answered with; 0: none yet.
    pub status: u16,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Bytes of the response's body that were sent.
    pub sent: u64,
    /// When its response ended.
    pub ended: Option<Instant>,
    received: Option<Rc<Cell<u64>>>,
}

impl Record {
    /// A request begins `now`.
    pub fn begin(now: Instant, request_id: HeaderValue, head: &PartialHead<'_>) -> Self {
        Self {
            began: now,
            request_id,
            method: head.method.cloned(),
            target: head.target.cloned(),
            route: None,
            limit: None,
            identity: None,
            cache: None,
            admitted: None,
            tries: 0,
            last_try: None,
            response_head: None,
            status: 0,
            failure: None,
            sent: 0,
            ended: None,
            received: None,
        }
    }

    /// Its method; empty where it could not be read.
    pub fn method(&self) -> &str {
        self.method.as_ref().map_or("", Method::as_str)
    }

    /// Its path; empty where it could not be read.
    pub fn path(&self) -> &str {
        self.target.as_ref().map_or("", PathAndQuery::path)
    }

    /// Bytes of its body that came in.
    pub fn received(&self) -> u64 {
        self.received.as_ref().map_or(0, |counter| counter.get())
    }

    /// The time from its beginning to `at`.
    pub fn since(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }

    /// How long it took to its end.
    pub fn took(&self) -> Duration {
        self.ended.map_or(Duration::ZERO, |ended| self.since(ended))
    }

    /// Take in `event`, which happened `at` that time.
    #[inline(always)]
    pub fn event(&mut self, at: Instant, event: &Event<'_>) {
        match event {
            Event::RouteChosen { id, metrics } => self.route = Some((*id, (*metrics).clone())),
            Event::BodyExpected(counter) => self.received = Some((*counter).clone()),
            Event::RateLimitRefused(limit) => self.limit = Some((*limit).into()),
            Event::Authenticated(identity) => self.identity = Some((*identity).clone()),
            Event::CacheAsked { result, .. } => self.cache = Some(*result),
            Event::UpstreamAdmitted { .. } => self.admitted = Some(at),
            Event::TryBegan(endpoint) => {
                self.tries += 1;
                self.last_try = Some(((*endpoint).clone(), at));
            }
            Event::ResponseStarted { endpoint, took, .. } => {
                self.response_head = Some(*took);
                // Of two tries at once, the first may have answered.
                if let Some(last) = &mut self.last_try
                    && !Arc::ptr_eq(&last.0, endpoint)
                {
                    *last = ((*endpoint).clone(), at - *took);
                }
            }
            Event::Failed(failure) => self.failure = Some(*failure),
            Event::Answered(status) => self.status = status.as_u16(),
            Event::BodySent(bytes) => self.sent += bytes,
            Event::Ended { .. } => {
                self.ended = Some(at);
                if self.status == 0 {
                    self.status = self.failure.map_or(0, |failure| failure.meaning().status);
                }
            }
            Event::RouteMissing { .. }
            | Event::LimitDecided(_)
            | Event::RateLimitAsked { .. }
            | Event::AuthenticatorAsked { .. }
            | Event::AccessDenied { .. }
            | Event::CostPredicted { .. }
            | Event::EndpointChosen { .. }
            | Event::TryConnected(_)
            | Event::TryFailed { .. } => {}
        }
    }
}
