//! Every way a request can fail, and what each means.
//!
//! The enum is the only list of failures in the product. One table gives each
//! its status, gRPC status, `Proxy-Status` error type (RFC 9209 §2.3), label in
//! metrics and logs, what is to blame, how it speaks against the endpoint's health, whether
//! another try may help, when the client may come again, and the sentence a
//! person reads. A new failure is a variant and a row.

use strum::VariantArray;

use crate::health::Fault;
use crate::plan::{GrpcStatus, RetryOn};

/// Why a request was not answered by an upstream as it should have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
pub enum Failure {
    /// The request breaks RFC 9112 or RFC 9113.
    MalformedRequest,
    /// The method is one this gateway does not carry out (`CONNECT`).
    MethodNotSupported,
    /// The major version of HTTP is not one that is spoken here.
    VersionNotSupported,
    /// The body is in a transfer coding other than chunked (RFC 9112 §6.1).
    TransferCoding,
    /// The request target is longer than the listener's limit.
    UriTooLong,
    /// The head is larger, or has more fields, than the listener's limit, or larger than the endpoint takes.
    HeaderTooLarge,
    /// The body is larger than the route's limit.
    BodyTooLarge,
    /// The client took too long to send the head.
    HeaderTimeout,
    /// The client took too long to send the body.
    BodyTimeout,
    /// The client went away before its response was complete.
    ClientGone,
    /// The `Expect` field asks for something other than `100-continue`.
    ExpectationFailed,
    /// It came in early data, and its client's handshake is not complete in time (RFC 8470 §5.2).
    TooEarly,
    /// The client has as many streams open as one HTTP/2 connection may.
    StreamLimit,
    /// The client sent more HTTP/2 frames than its requests need.
    TooManyFrames,
    /// The body is said to be gRPC-Web, and is not.
    MalformedGrpcWeb,
    /// No route takes this request.
    NoRoute,
    /// The request would exceed a rate limit of its route.
    RateLimited,
    /// As many requests with the same key are under way as may be.
    TooManyInFlight,
    /// It carries no credential that is believed.
    Unauthenticated,
    /// Where it comes from is known, and it may not use the route.
    Forbidden,
    /// It is to purge what is stored, which its client may not.
    PurgeForbidden,
    /// Whether its credential is right cannot be found out.
    AuthUnavailable,
    /// It wants a stored response only, and there is none (RFC 9111 §5.2.1.7).
    NotCached,
    /// The upstream has no endpoint that may be used.
    NoEndpoint,
    /// The upstream is overloaded: the request waited too long while others did as well.
    Overloaded,
    /// As many requests wait for the upstream as may.
    QueueFull,
    /// The request waited for its turn as long as it may.
    QueueTimeout,
    /// The upstream's endpoints have all the requests they may have.
    RequestLimit,
    /// The endpoint's or the upstream's connections are all in use.
    ConnectionLimit,
    /// The endpoint's name could not be resolved.
    DnsError,
    /// The endpoint refused the connection.
    ConnectRefused,
    /// The endpoint could not be reached.
    ConnectFailed,
    /// Connecting took too long.
    ConnectTimeout,
    /// The TLS handshake with the endpoint failed.
    UpstreamTls,
    /// The response's head did not come in time.
    ResponseTimeout,
    /// The endpoint was found to be down while its response was awaited.
    EndpointDown,
    /// The endpoint stopped taking the request's body.
    UpstreamWriteTimeout,
    /// The endpoint closed or reset the connection before the response was complete.
    UpstreamReset,
    /// The endpoint's answer breaks the protocol.
    UpstreamProtocol,
    /// The WebSocket that was asked for does not begin: what answers well is none, or the endpoint takes no extended CONNECT
    /// (RFC 8441) where nothing else can be sent to it.
    NotSwitched,
    /// The head of the endpoint's response is too large.
    UpstreamHeaderTooLarge,
    /// The route's timeout for the whole request ran out.
    RequestTimeout,
    /// The gateway has sent the request itself, and it came back.
    Loop,
    /// A fault of the gateway itself.
    Internal,
}

/// What a [`Failure`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// HTTP status of the answer.
    pub status: u16,
    /// gRPC status of the answer to an RPC.
    pub grpc: GrpcStatus,
    /// `Proxy-Status` error type (RFC 9209 §2.3).
    pub proxy_status: &'static str,
    /// Value of the label `error` in metrics, logs and problem documents.
    pub label: &'static str,
    /// Whose fault it is.
    pub blame: Blame,
    /// How it speaks against the endpoint's health; absent where it does not, and for failures to connect, which
    /// its health learns of where they are found out.
    pub fault: Option<Fault>,
    /// What it is to a route that repeats failed tries; absent: another try would fail alike.
    pub retry: Option<RetryOn>,
    /// Seconds after which the client may come again (`Retry-After`, RFC 9110 §10.2.3), where there was only
    /// too much to do.
    pub retry_after: Option<u32>,
    /// What a person reads.
    pub detail: &'static str,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The client's: its request, or that it went away.
    Client,
    /// The gateway's: its limits, its configuration, or itself.
    Gateway,
    /// The upstream's: the endpoint that was tried.
    Upstream,
}

use Blame::{Client, Gateway, Upstream};
use Fault::{Broken, Gateway as BadGateway};
use GrpcStatus::{
    Cancelled, DeadlineExceeded, FailedPrecondition, ResourceExhausted, Unimplemented,
};
use RetryOn::{ConnectFailure, EndpointDown, Reset, Timeout};

impl Failure {
    /// Every failure, in the order of their numbers.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The table.
    #[rustfmt::skip]
    pub const fn meaning(self) -> Meaning {
        match self {
            Self::MalformedRequest       => row(400, "http_request_error", "malformed_request", Client, "The request breaks the rules of HTTP."),
            Self::MethodNotSupported     => row(501, "http_request_denied", "method_not_supported", Client, "This gateway does not carry out that method.").in_grpc(Unimplemented),
            Self::VersionNotSupported    => row(505, "http_request_error", "version_not_supported", Client, "This gateway does not speak that version of HTTP.").in_grpc(Unimplemented),
            Self::TransferCoding         => row(501, "http_request_error", "transfer_coding", Client, "The only transfer coding this gateway reads is chunked.").in_grpc(Unimplemented),
            Self::UriTooLong             => row(414, "http_request_error", "uri_too_long", Client, "The request target is longer than this listener takes.").in_grpc(ResourceExhausted),
            Self::HeaderTooLarge         => row(431, "http_request_error", "header_too_large", Client, "The request's header is larger than this listener, or the endpoint, takes.").in_grpc(ResourceExhausted),
            Self::BodyTooLarge           => row(413, "http_request_error", "body_too_large", Client, "The request's body is larger than this route takes.").in_grpc(ResourceExhausted),
            Self::HeaderTimeout          => row(408, "http_request_error", "header_timeout", Client, "The request's header did not arrive in time.").in_grpc(DeadlineExceeded),
            Self::BodyTimeout            => row(408, "http_request_error", "body_timeout", Client, "The request's body did not arrive in time.").in_grpc(DeadlineExceeded),
            Self::ClientGone             => row(499, "http_request_error", "client_gone", Client, "The client closed the connection before the response was complete.").in_grpc(Cancelled),
            Self::ExpectationFailed      => row(417, "http_request_error", "expectation_failed", Client, "The only expectation this gateway knows is 100-continue.").in_grpc(Unimplemented),
            Self::TooEarly               => row(425, "http_request_denied", "too_early", Client, "The request came before the TLS handshake was complete, which then took too long."),
            Self::StreamLimit            => row(503, "connection_limit_reached", "stream_limit", Client, "The client has as many streams open as one connection may."),
            Self::TooManyFrames          => row(429, "http_request_denied", "too_many_frames", Client, "The client sent more HTTP/2 frames than its requests need.").in_grpc(ResourceExhausted),
            Self::MalformedGrpcWeb       => row(400, "http_request_error", "malformed_grpc_web", Client, "The request's body is no gRPC-Web: its base64 or one of its frames is malformed or cut off."),
            Self::NoRoute                => row(404, "destination_not_found", "no_route", Client, "No route takes this request."),
            Self::RateLimited            => row(429, "http_request_denied", "rate_limited", Client, "The request would exceed a quota.").in_grpc(ResourceExhausted),
            Self::TooManyInFlight        => row(429, "http_request_denied", "too_many_in_flight", Client, "As many requests are under way as a quota allows.").in_grpc(ResourceExhausted),
            Self::Unauthenticated        => row(401, "http_request_denied", "unauthenticated", Client, "The request carries no valid credential."),
            Self::Forbidden              => row(403, "http_request_denied", "forbidden", Client, "The request may not be made from there or with this identity."),
            Self::PurgeForbidden         => row(403, "http_request_denied", "purge_forbidden", Client, "PURGE is for clients in the networks of the route's cache.purge_from, and for those with the token of its cache.purge_token_file."),
            Self::AuthUnavailable        => row(503, "destination_unavailable", "auth_unavailable", Gateway, "Credentials cannot be checked at the moment.").come_again_in(1),
            Self::NotCached              => row(504, "http_request_denied", "not_cached", Client, "The request wants a stored response, and there is none for it.").in_grpc(FailedPrecondition),
            Self::NoEndpoint             => row(503, "destination_unavailable", "no_endpoint", Gateway, "No endpoint of the upstream is available."),
            Self::Overloaded             => row(503, "destination_unavailable", "overloaded", Gateway, "The upstream is overloaded.").come_again_in(1),
            Self::QueueFull              => row(503, "connection_limit_reached", "queue_full", Gateway, "Too many requests wait for the upstream.").come_again_in(1),
            Self::QueueTimeout           => row(503, "connection_limit_reached", "queue_timeout", Gateway, "The request waited too long for the upstream.").come_again_in(1),
            Self::RequestLimit           => row(503, "connection_limit_reached", "request_limit", Gateway, "All endpoints have as many requests as they may have.").come_again_in(1),
            Self::ConnectionLimit        => row(503, "connection_limit_reached", "connection_limit", Gateway, "All connections that the endpoint, its upstream or this process may have are in use.").retried_on(ConnectFailure).come_again_in(1),
            Self::DnsError               => row(502, "dns_error", "dns_error", Upstream, "The endpoint's name could not be resolved.").retried_on(ConnectFailure),
            Self::ConnectRefused         => row(502, "connection_refused", "connect_refused", Upstream, "The endpoint refused the connection.").retried_on(ConnectFailure),
            Self::ConnectFailed          => row(502, "destination_ip_unroutable", "connect_failed", Upstream, "The endpoint could not be reached.").retried_on(ConnectFailure),
            Self::ConnectTimeout         => row(504, "connection_timeout", "connect_timeout", Upstream, "Connecting to the endpoint took too long.").retried_on(ConnectFailure),
            Self::UpstreamTls            => row(502, "tls_protocol_error", "upstream_tls", Upstream, "The TLS handshake with the endpoint failed.").retried_on(ConnectFailure),
            Self::ResponseTimeout        => row(504, "http_response_timeout", "response_timeout", Upstream, "The endpoint did not answer in time.").against(BadGateway).retried_on(Timeout).in_grpc(DeadlineExceeded),
            Self::EndpointDown           => row(503, "destination_unavailable", "endpoint_down", Upstream, "The endpoint was found to be down while its answer was awaited.").against(BadGateway).retried_on(EndpointDown),
            Self::UpstreamWriteTimeout   => row(504, "connection_write_timeout", "upstream_write_timeout", Upstream, "The endpoint stopped taking the request's body.").against(BadGateway).retried_on(Timeout).in_grpc(DeadlineExceeded),
            Self::UpstreamReset          => row(502, "connection_terminated", "upstream_reset", Upstream, "The endpoint closed the connection before its response was complete.").against(Broken).retried_on(Reset),
            Self::UpstreamProtocol       => row(502, "http_protocol_error", "upstream_protocol", Upstream, "The endpoint's answer breaks the rules of HTTP.").against(BadGateway).retried_on(Reset).in_grpc(GrpcStatus::Internal),
            Self::NotSwitched            => row(502, "http_upgrade_failed", "not_switched", Upstream, "What answers does not speak the protocol that was asked for."),
            Self::UpstreamHeaderTooLarge => row(502, "http_response_header_section_size", "upstream_header_too_large", Upstream, "The header of the endpoint's response is too large.").against(BadGateway).in_grpc(ResourceExhausted),
            Self::RequestTimeout         => row(504, "http_response_timeout", "request_timeout", Gateway, "The request took longer than its route allows.").in_grpc(DeadlineExceeded),
            Self::Loop                   => row(508, "proxy_loop_detected", "loop", Gateway, "The gateway has sent the request itself: its routes lead in a circle.").in_grpc(GrpcStatus::Internal),
            Self::Internal               => row(500, "proxy_internal_error", "internal", Gateway, "The gateway failed; its log says more.").in_grpc(GrpcStatus::Internal),
        }
    }
}

/// A row without the columns that most rows leave empty; its gRPC status is what gRPC's clients make of the HTTP one.
const fn row(
    status: u16,
    proxy_status: &'static str,
    label: &'static str,
    blame: Blame,
    detail: &'static str,
) -> Meaning {
    let grpc = GrpcStatus::of_http(status);
    let (fault, retry, retry_after) = (None, None, None);
    Meaning { status, grpc, proxy_status, label, blame, fault, retry, retry_after, detail }
}

impl Meaning {
    const fn in_grpc(self, grpc: GrpcStatus) -> Self {
        Self { grpc, ..self }
    }

    const fn against(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    const fn retried_on(self, on: RetryOn) -> Self {
        Self { retry: Some(on), ..self }
    }

    const fn come_again_in(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_failure_has_a_label_of_its_own() {
        let labels: HashSet<_> = Failure::ALL.iter().map(|f| f.meaning().label).collect();
        assert_eq!(labels.len(), Failure::ALL.len());
    }

    #[test]
    fn every_failure_answers_with_an_error_status() {
        for &failure in Failure::ALL {
            assert!((400..600).contains(&failure.meaning().status), "{failure:?}");
        }
    }

    #[test]
    fn only_what_the_upstream_is_to_blame_for_speaks_against_an_endpoint() {
        for &failure in Failure::ALL {
            let meaning = failure.meaning();
            assert!(meaning.fault.is_none() || meaning.blame == Upstream, "{failure:?}");
        }
    }

    #[test]
    fn the_client_is_told_to_come_again_only_where_the_gateway_had_too_much_to_do() {
        for &failure in Failure::ALL {
            let meaning = failure.meaning();
            let busy = meaning.status == 503 && meaning.blame == Gateway;
            assert!(meaning.retry_after.is_none() || busy, "{failure:?}");
        }
    }

    #[test]
    fn an_rpc_is_told_to_come_again_only_where_the_next_may_fare_better() {
        for &failure in Failure::ALL {
            let meaning = failure.meaning();
            let is_unavailable = meaning.grpc == GrpcStatus::Unavailable;
            assert!(!is_unavailable || matches!(meaning.status, 502..=504), "{failure:?}");
            assert!(meaning.retry_after.is_none() || is_unavailable, "{failure:?}");
        }
    }

    #[test]
    fn what_the_client_spent_is_no_fault_of_the_service() {
        for failure in [Failure::RateLimited, Failure::TooManyInFlight, Failure::BodyTooLarge] {
            assert_eq!(failure.meaning().grpc, ResourceExhausted, "{failure:?}");
        }
    }

    #[test]
    fn every_failure_names_a_proxy_status_type_registered_by_rfc_9209() {
        let registered = [
            "dns_timeout",
            "dns_error",
            "destination_not_found",
            "destination_unavailable",
            "destination_ip_prohibited",
            "destination_ip_unroutable",
            "connection_refused",
            "connection_terminated",
            "connection_timeout",
            "connection_read_timeout",
            "connection_write_timeout",
            "connection_limit_reached",
            "tls_protocol_error",
            "tls_certificate_error",
            "tls_alert_received",
            "http_request_error",
            "http_request_denied",
            "http_response_incomplete",
            "http_response_header_section_size",
            "http_response_header_size",
            "http_response_body_size",
            "http_response_trailer_section_size",
            "http_response_trailer_size",
            "http_response_transfer_coding",
            "http_response_content_coding",
            "http_response_timeout",
            "http_upgrade_failed",
            "http_protocol_error",
            "proxy_internal_response",
            "proxy_internal_error",
            "proxy_configuration_error",
            "proxy_loop_detected",
        ];
        for &failure in Failure::ALL {
            assert!(registered.contains(&failure.meaning().proxy_status), "{failure:?}");
        }
    }
}
