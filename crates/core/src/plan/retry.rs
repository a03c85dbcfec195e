//! Retries and hedges: when a request is sent more than once.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::bounded;
use super::{Millis, Percent, Size, Status, Timeout};

/// When a failed try is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Tries in all, the first included; 1: never repeat.
    pub attempts: NonZeroU32,
    /// Longest time from sending a try to its response's head; absent: the upstream's `response` timeout alone.
    pub per_try_timeout: Option<Timeout>,
    /// What is repeated.
    pub on: Vec<RetryOn>,
    /// Status codes of responses that are repeated too.
    pub statuses: Vec<Status>,
    /// gRPC status codes of responses that are repeated too, whatever the method.
    pub grpc: Vec<GrpcStatus>,
    /// Methods that may be carried out twice; empty: the idempotent ones.
    pub methods: Vec<String>,
    /// The pause before a try is repeated.
    pub backoff: Backoff,
    /// Longest `Retry-After` that is waited for; a longer one ends retrying.
    pub max_retry_after: Millis,
    /// Bytes of a request's body that are kept to be sent again.
    pub buffer: Size,
}

/// What may come of a try that is worth another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// No connection came about.
    ConnectFailure,
    /// The endpoint said that it did not look at the request.
    RefusedStream,
    /// The connection ended, or its protocol broke, before the response's head.
    Reset,
    /// The response's status is 502, 503 or 504.
    GatewayError,
    /// The response's head did not come in time.
    Timeout,
    /// The endpoint was found to be down while its response was awaited.
    EndpointDown,
}

/// The status codes of gRPC that mean a failure.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
pub enum GrpcStatus {
    /// 1.
    Cancelled,
    /// 2.
    Unknown,
    /// 3.
    InvalidArgument,
    /// 4.
    DeadlineExceeded,
    /// 5.
    NotFound,
    /// 6.
    AlreadyExists,
    /// 7.
    PermissionDenied,
    /// 8.
    ResourceExhausted,
    /// 9.
    FailedPrecondition,
    /// 10.
    Aborted,
    /// 11.
    OutOfRange,
    /// 12.
    Unimplemented,
    /// 13.
    Internal,
    /// 14.
    Unavailable,
    /// 15.
    DataLoss,
    /// 16.
    Unauthenticated,
}

/// The pause before a try is repeated: random, up to a bound that doubles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backoff {
    /// Bound of the first pause.
    pub base: Millis,
    /// Bound of any pause.
    pub max: Millis,
}

/// How many retries an upstream's requests allow for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryBudget {
    /// Retries that 100 requests allow for.
    pub percent: Percent,
    /// Retries a second that are allowed for whatever the requests.
    pub minimum: RetryRate,
}

/// When a request that takes long is sent a second time. Exactly one of `after` and `percentile` is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hedge {
    /// After this time without a response.
    pub after: Option<Timeout>,
    /// After the time in which this share of the route's requests is answered, in percent.
    pub percentile: Option<HedgePercentile>,
    /// Hedges that 100 requests allow for.
    pub budget: Percent,
}

bounded! {
    /// Retries a second.
    RetryRate: f64 from 0.0 to 1_000_000.0
}

bounded! {
    /// A share of requests, in percent, that leaves few to be hedged.
    HedgePercentile(percent): f64 from 50.0 to 99.9
}
