//! Why a try is repeated.

use strum::VariantArray;

use crate::failure::Failure;
use crate::plan::RetryOn;

/// What a try came to that may be worth another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A failure, or a gateway's status.
    On(RetryOn),
    /// A status that the route names.
    Status,
    /// A gRPC status that the route names.
    Grpc,
}

impl Reason {
    /// Every reason, in the order of [`index`](Self::index), for metrics that list them all.
    pub const ALL: [Self; RetryOn::VARIANTS.len() + 2] = {
        let mut all = [Self::Status; RetryOn::VARIANTS.len() + 2];
        let mut at = 0;
        while at < RetryOn::VARIANTS.len() {
            all[at] = Self::On(RetryOn::VARIANTS[at]);
            at += 1;
        }
        all[Self::Grpc.index()] = Self::Grpc;
        all
    };

    /// The reason that lies in `failure`; `None` where another try would fail alike. `refused`: the endpoint
    /// said that it did not carry the request out.
    pub fn of(failure: Failure, refused: bool) -> Option<Self> {
        let on = failure.meaning().retry?;
        Some(Self::On(if refused { RetryOn::RefusedStream } else { on }))
    }

    /// Whether nothing of the request can have been carried out, so that any request may be repeated.
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::On(RetryOn::ConnectFailure | RetryOn::RefusedStream))
    }

    /// Value of the label `reason` in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::On(RetryOn::ConnectFailure) => "connect_failure",
            Self::On(RetryOn::RefusedStream) => "refused_stream",
            Self::On(RetryOn::Reset) => "reset",
            Self::On(RetryOn::GatewayError) => "gateway_error",
            Self::On(RetryOn::Timeout) => "timeout",
            Self::On(RetryOn::EndpointDown) => "endpoint_down",
            Self::Status => "status",
            Self::Grpc => "grpc",
        }
    }

    /// Its place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        match self {
            Self::On(on) => on as usize,
            Self::Status => RetryOn::VARIANTS.len(),
            Self::Grpc => RetryOn::VARIANTS.len() + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_refused_may_always_be_repeated() {
        let refused = Reason::of(Failure::UpstreamReset, true);
        assert_eq!(refused, Some(Reason::On(RetryOn::RefusedStream)));
        assert!(refused.is_some_and(Reason::is_harmless));
    }

    #[test]
    fn every_reason_stands_at_its_place() {
        for (place, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), place, "{reason:?}");
        }
    }
}
