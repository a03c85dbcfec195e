//! What a route repeats.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method, StatusCode};
use strum::VariantArray;

use super::{Backoff, Reason, retry_after};
use crate::failure::Failure;
use crate::grpc::read_status;
use crate::plan::{self, Issue, RetryOn};

/// When a route's tries are repeated.
#[derive(Debug)]
pub struct Policy {
    /// Tries in all.
    pub attempts: u32,
    /// Longest wait for a try's response, where it is shorter than the upstream's own.
    pub per_try_timeout: Option<Duration>,
    /// Bytes of a request's body that are kept to be sent again.
    pub buffer: usize,
    /// The pause before a try is repeated.
    pub backoff: Backoff,
    max_retry_after: Duration,
    /// Bit `n` stands for the `n`th [`RetryOn`].
    on: u8,
    statuses: Vec<StatusCode>,
    /// Bit `n` stands for gRPC status `n`.
    grpc: u32,
    /// Empty: the idempotent ones.
    methods: Vec<Method>,
}

impl Policy {
    /// Repeats nothing.
    pub const NEVER: Self = Self {
        attempts: 1,
        per_try_timeout: None,
        buffer: 0,
        backoff: Backoff::NONE,
        max_retry_after: Duration::ZERO,
        on: 0,
        statuses: Vec::new(),
        grpc: 0,
        methods: Vec::new(),
    };

    /// Reads the option `plan`, which stands at `at` (like `routes.3.retry`). What is wrong is added to
    /// `issues` and left out.
    pub fn build(plan: &plan::Retry, at: &str, issues: &mut Vec<Issue>) -> Self {
        let mut methods = Vec::with_capacity(plan.methods.len());
        for (index, method) in plan.methods.iter().enumerate() {
            match Method::from_bytes(method.as_bytes()) {
                Ok(method) => methods.push(method),
                Err(_) => {
                    let at = format!("{at}.methods.{index}");
                    issues.push(Issue::new(at, format!("`{method}` is no method")));
                }
            }
        }
        Self {
            attempts: plan.attempts.get(),
            per_try_timeout: plan.per_try_timeout.map(plan::Timeout::duration),
            buffer: plan.buffer.bytes(),
            backoff: (&plan.backoff).into(),
            max_retry_after: plan.max_retry_after.duration(),
            on: plan.on.iter().fold(0, |set, &on| set | bit(on)),
            statuses: plan.statuses.iter().map(|&status| status.into()).collect(),
            grpc: plan.grpc.iter().fold(0, |set, &status| set | 1 << status.number()),
            methods,
        }
    }

    /// Whether requests of this method may be carried out twice.
    pub fn covers(&self, method: &Method) -> bool {
        match self.methods.as_slice() {
            [] => method.is_idempotent(),
            methods => methods.contains(method),
        }
    }

    /// Whether a request of this method may be repeated after an endpoint took it.
    pub fn repeats(&self, method: &Method) -> bool {
        self.attempts > 1 && (self.covers(method) || self.grpc != 0)
    }

    /// Why a request of this method is worth another try after `failure`; `refused`: the endpoint said that
    /// it did not carry the request out.
    pub fn after_failure(
        &self,
        failure: Failure,
        refused: bool,
        method: &Method,
    ) -> Option<Reason> {
        let reason = Reason::of(failure, refused)?;
        let Reason::On(on) = reason else { return None };
        (self.on & bit(on) != 0 && (reason.is_harmless() || self.covers(method))).then_some(reason)
    }

    /// Why a request of this method is worth another try after a response with this head.
    pub fn after_response(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        method: &Method,
    ) -> Option<Reason> {
        if self.grpc != 0 && status == StatusCode::OK {
            return (self.grpc & grpc_status(headers)? != 0).then_some(Reason::Grpc);
        }
        let gateway = matches!(status.as_u16(), 502..=504);
        let reason = match () {
            () if gateway && self.on & bit(RetryOn::GatewayError) != 0 => {
                Reason::On(RetryOn::GatewayError)
            }
            () if self.statuses.contains(&status) => Reason::Status,
            () => return None,
        };
        self.covers(method).then_some(reason)
    }

    /// How long a response asks to wait before its request is repeated (503 and 429 only).
    ///
    /// # Errors
    /// If that is too long to be waited for.
    pub fn wait_asked(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Duration>, TooLong> {
        if !matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            return Ok(None);
        }
        match retry_after(headers, now) {
            Some(wait) if wait > self.max_retry_after => Err(TooLong),
            wait => Ok(wait),
        }
    }
}

/// An endpoint asks to be left alone for longer than a route waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// The bit of `on` in a set.
const fn bit(on: RetryOn) -> u8 {
    const { assert!(RetryOn::VARIANTS.len() <= u8::BITS as usize, "a set has a bit for each") };
    1 << on as u8
}

/// The bit of the gRPC status that a response without messages has in its head (*gRPC over HTTP2*,
/// Trailers-Only).
fn grpc_status(headers: &HeaderMap) -> Option<u32> {
    read_status(headers).map(|status| 1 << status)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use http::HeaderValue;
    use serde_json::{Value, json};

    use super::*;

    fn policy(options: Value) -> Policy {
        let mut whole = json!({
            "attempts": 3, "on": ["connect_failure", "refused_stream", "reset", "gateway_error", "timeout"],
            "statuses": [], "grpc": [], "methods": [], "backoff": {"base": 25, "max": 250},
            "max_retry_after": 1000, "buffer": 65536,
        });
        whole.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        let mut issues = Vec::new();
        let policy =
            Policy::build(&serde_json::from_value(whole).unwrap(), "routes.0.retry", &mut issues);
        assert_eq!(issues, []);
        policy
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value): &(&'static str, &'static str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(field).collect()
    }

    #[test]
    fn what_an_endpoint_may_have_carried_out_is_repeated_for_idempotent_methods_only() {
        let policy = policy(json!({}));
        let reset = |method| policy.after_failure(Failure::UpstreamReset, false, &method);
        assert_eq!(reset(Method::GET), Some(Reason::On(RetryOn::Reset)));
        assert_eq!(reset(Method::PUT), Some(Reason::On(RetryOn::Reset)));
        assert_eq!(reset(Method::POST), None);
        let refused = |method| policy.after_failure(Failure::UpstreamReset, true, &method);
        assert_eq!(refused(Method::POST), Some(Reason::On(RetryOn::RefusedStream)));
        let unreachable = policy.after_failure(Failure::ConnectRefused, false, &Method::POST);
        assert_eq!(unreachable, Some(Reason::On(RetryOn::ConnectFailure)));
    }

    #[test]
    fn methods_that_are_named_take_the_place_of_the_idempotent_ones() {
        let policy = policy(json!({"methods": ["POST"]}));
        assert!(policy.after_failure(Failure::UpstreamReset, false, &Method::POST).is_some());
        assert_eq!(policy.after_failure(Failure::UpstreamReset, false, &Method::GET), None);
    }

    #[test]
    fn what_is_not_named_is_not_repeated() {
        let policy = policy(json!({"on": ["reset"]}));
        assert_eq!(policy.after_failure(Failure::ConnectRefused, false, &Method::GET), None);
        assert_eq!(
            policy.after_response(StatusCode::BAD_GATEWAY, &headers(&[]), &Method::GET),
            None
        );
    }

    #[test]
    fn a_failure_that_would_happen_again_is_never_repeated() {
        let policy = policy(json!({}));
        for failure in [Failure::ClientGone, Failure::BodyTooLarge, Failure::UpstreamHeaderTooLarge]
        {
            assert_eq!(policy.after_failure(failure, false, &Method::GET), None);
        }
    }

    #[test]
    fn gateway_errors_and_named_statuses_are_repeated() {
        let policy = policy(json!({"statuses": [500, 429]}));
        let after = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            policy.after_response(status, &headers(&[]), &Method::GET)
        };
        for status in [502, 503, 504] {
            assert_eq!(after(status), Some(Reason::On(RetryOn::GatewayError)));
        }
        assert_eq!((after(500), after(429)), (Some(Reason::Status), Some(Reason::Status)));
        assert_eq!((after(200), after(404), after(501)), (None, None, None));
    }

    #[test]
    fn named_grpc_statuses_are_repeated_whatever_the_method() {
        let policy = policy(json!({"grpc": ["unavailable", "resource_exhausted"]}));
        let after = |status| {
            policy.after_response(
                StatusCode::OK,
                &headers(&[("grpc-status", status)]),
                &Method::POST,
            )
        };
        assert_eq!((after("14"), after("8")), (Some(Reason::Grpc), Some(Reason::Grpc)));
        for other in ["0", "1", "13", "16", "32", "99", "x"] {
            assert_eq!(after(other), None, "{other}");
        }
        assert_eq!(policy.after_response(StatusCode::OK, &headers(&[]), &Method::POST), None);
    }

    #[test]
    fn a_short_retry_after_is_waited_for_and_a_long_one_is_not() {
        let policy = policy(json!({}));
        let asked = |status, value| {
            policy.wait_asked(status, &headers(&[("retry-after", value)]), SystemTime::UNIX_EPOCH)
        };
        let busy = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(asked(busy, "1"), Ok(Some(Duration::from_secs(1))));
        assert_eq!(asked(busy, "2"), Err(TooLong));
        assert_eq!(asked(StatusCode::TOO_MANY_REQUESTS, "2"), Err(TooLong));
        assert_eq!(asked(StatusCode::BAD_GATEWAY, "2"), Ok(None));
        assert_eq!(policy.wait_asked(busy, &headers(&[]), SystemTime::UNIX_EPOCH), Ok(None));
    }

    #[test]
    fn mistakes_are_named_by_their_place() {
        let plan = json!({
            "attempts": 3, "on": [], "statuses": [429], "grpc": [], "methods": ["GET", "G T"],
            "backoff": {"base": 25, "max": 250}, "max_retry_after": 0, "buffer": 0,
        });
        let mut issues = Vec::new();
        Policy::build(&serde_json::from_value(plan).unwrap(), "routes.0.retry", &mut issues);
        let places: Vec<_> = issues.iter().map(|issue| issue.path.as_str()).collect();
        assert_eq!(places, ["routes.0.retry.methods.1"]);
    }
}
