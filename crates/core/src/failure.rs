//! Every way a request can fail, and what each means to the outside.
//!
//! The enum is the only list of failures in the product. One table gives each
//! its status, `Proxy-Status` error type (RFC 9209 §2.3), label in metrics and
//! logs, whether another try may help, and the sentence a person reads.

/// Why a request was not answered by an upstream as it should have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The head is larger, or has more fields, than the listener's limit.
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
    /// The client has as many streams open as one HTTP/2 connection may.
    StreamLimit,
    /// The client sent more HTTP/2 frames than its requests need.
    TooManyFrames,
    /// No route takes this request.
    NoRoute,
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
    /// The head of the endpoint's response is too large.
    UpstreamHeaderTooLarge,
    /// The route's timeout for the whole request ran out.
    RequestTimeout,
    /// A fault of the gateway itself.
    Internal,
}

/// What a [`Failure`] means to the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// HTTP status of the answer.
    pub status: u16,
    /// `Proxy-Status` error type (RFC 9209 §2.3).
    pub proxy_status: &'static str,
    /// Value of the label `error` in metrics, logs and problem documents.
    pub label: &'static str,
    /// Whether another try, on another endpoint, may help.
    pub retry: Retryable,
    /// What a person reads.
    pub detail: &'static str,
}

/// Whether a failed try may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retryable {
    /// No: the next try would fail alike.
    Never,
    /// Yes: nothing of the request was carried out.
    Always,
    /// Only where carrying the request out twice does no harm (RFC 9110 §9.2.2).
    IfIdempotent,
}

use Retryable::{Always, IfIdempotent, Never};

impl Failure {
    /// Every failure, for the tests and for metrics that list them all.
    pub const ALL: [Failure; 33] = [
        Failure::MalformedRequest,
        Failure::MethodNotSupported,
        Failure::VersionNotSupported,
        Failure::TransferCoding,
        Failure::UriTooLong,
        Failure::HeaderTooLarge,
        Failure::BodyTooLarge,
        Failure::HeaderTimeout,
        Failure::BodyTimeout,
        Failure::ClientGone,
        Failure::ExpectationFailed,
        Failure::StreamLimit,
        Failure::TooManyFrames,
        Failure::NoRoute,
        Failure::NoEndpoint,
        Failure::Overloaded,
        Failure::QueueFull,
        Failure::QueueTimeout,
        Failure::RequestLimit,
        Failure::ConnectionLimit,
        Failure::DnsError,
        Failure::ConnectRefused,
        Failure::ConnectFailed,
        Failure::ConnectTimeout,
        Failure::UpstreamTls,
        Failure::ResponseTimeout,
        Failure::EndpointDown,
        Failure::UpstreamWriteTimeout,
        Failure::UpstreamReset,
        Failure::UpstreamProtocol,
        Failure::UpstreamHeaderTooLarge,
        Failure::RequestTimeout,
        Failure::Internal,
    ];

    /// Whether the endpoint is to blame, and not the client or the gateway.
    pub const fn is_upstreams(self) -> bool {
        matches!(
            self,
            Self::DnsError
                | Self::ConnectRefused
                | Self::ConnectFailed
                | Self::ConnectTimeout
                | Self::UpstreamTls
                | Self::ResponseTimeout
                | Self::EndpointDown
                | Self::UpstreamWriteTimeout
                | Self::UpstreamReset
                | Self::UpstreamProtocol
                | Self::UpstreamHeaderTooLarge
        )
    }

    /// Seconds after which the client may come again (`Retry-After`, RFC 9110 §10.2.3), where there was only
    /// too much to do.
    pub const fn retry_after(self) -> Option<u32> {
        match self {
            Self::Overloaded
            | Self::QueueFull
            | Self::QueueTimeout
            | Self::RequestLimit
            | Self::ConnectionLimit => Some(1),
            _ => None,
        }
    }

    /// The table.
    #[rustfmt::skip]
    pub const fn meaning(self) -> Meaning {
        match self {
            Self::MalformedRequest       => row(400, "http_request_error", "malformed_request", Never, "The request breaks the rules of HTTP."),
            Self::MethodNotSupported     => row(501, "http_request_denied", "method_not_supported", Never, "This gateway does not carry out that method."),
            Self::VersionNotSupported    => row(505, "http_request_error", "version_not_supported", Never, "This gateway does not speak that version of HTTP."),
            Self::TransferCoding         => row(501, "http_request_error", "transfer_coding", Never, "The only transfer coding this gateway reads is chunked."),
            Self::UriTooLong             => row(414, "http_request_error", "uri_too_long", Never, "The request target is longer than this listener takes."),
            Self::HeaderTooLarge         => row(431, "http_request_error", "header_too_large", Never, "The request's header is larger than this listener takes."),
            Self::BodyTooLarge           => row(413, "http_request_error", "body_too_large", Never, "The request's body is larger than this route takes."),
            Self::HeaderTimeout          => row(408, "http_request_error", "header_timeout", Never, "The request's header did not arrive in time."),
            Self::BodyTimeout            => row(408, "http_request_error", "body_timeout", Never, "The request's body did not arrive in time."),
            Self::ClientGone             => row(499, "http_request_error", "client_gone", Never, "The client closed the connection before the response was complete."),
            Self::ExpectationFailed      => row(417, "http_request_error", "expectation_failed", Never, "The only expectation this gateway knows is 100-continue."),
            Self::StreamLimit            => row(503, "connection_limit_reached", "stream_limit", Never, "The client has as many streams open as one connection may."),
            Self::TooManyFrames          => row(429, "http_request_denied", "too_many_frames", Never, "The client sent more HTTP/2 frames than its requests need."),
            Self::NoRoute                => row(404, "destination_not_found", "no_route", Never, "No route takes this request."),
            Self::NoEndpoint             => row(503, "destination_unavailable", "no_endpoint", Never, "No endpoint of the upstream is available."),
            Self::Overloaded             => row(503, "destination_unavailable", "overloaded", Never, "The upstream is overloaded."),
            Self::QueueFull              => row(503, "connection_limit_reached", "queue_full", Never, "Too many requests wait for the upstream."),
            Self::QueueTimeout           => row(503, "connection_limit_reached", "queue_timeout", Never, "The request waited too long for the upstream."),
            Self::RequestLimit           => row(503, "connection_limit_reached", "request_limit", Never, "All endpoints have as many requests as they may have."),
            Self::ConnectionLimit        => row(503, "connection_limit_reached", "connection_limit", Always, "All connections that the endpoint, its upstream or this process may have are in use."),
            Self::DnsError               => row(502, "dns_error", "dns_error", Always, "The endpoint's name could not be resolved."),
            Self::ConnectRefused         => row(502, "connection_refused", "connect_refused", Always, "The endpoint refused the connection."),
            Self::ConnectFailed          => row(502, "destination_ip_unroutable", "connect_failed", Always, "The endpoint could not be reached."),
            Self::ConnectTimeout         => row(504, "connection_timeout", "connect_timeout", Always, "Connecting to the endpoint took too long."),
            Self::UpstreamTls            => row(502, "tls_protocol_error", "upstream_tls", Always, "The TLS handshake with the endpoint failed."),
            Self::ResponseTimeout        => row(504, "http_response_timeout", "response_timeout", IfIdempotent, "The endpoint did not answer in time."),
            Self::EndpointDown           => row(503, "destination_unavailable", "endpoint_down", IfIdempotent, "The endpoint was found to be down while its answer was awaited."),
            Self::UpstreamWriteTimeout   => row(504, "connection_write_timeout", "upstream_write_timeout", IfIdempotent, "The endpoint stopped taking the request's body."),
            Self::UpstreamReset          => row(502, "connection_terminated", "upstream_reset", IfIdempotent, "The endpoint closed the connection before its response was complete."),
            Self::UpstreamProtocol       => row(502, "http_protocol_error", "upstream_protocol", IfIdempotent, "The endpoint's answer breaks the rules of HTTP."),
            Self::UpstreamHeaderTooLarge => row(502, "http_response_header_section_size", "upstream_header_too_large", Never, "The header of the endpoint's response is too large."),
            Self::RequestTimeout         => row(504, "http_response_timeout", "request_timeout", Never, "The request took longer than its route allows."),
            Self::Internal               => row(500, "proxy_internal_error", "internal", Never, "The gateway failed; its log says more."),
        }
    }
}

const fn row(
    status: u16,
    proxy_status: &'static str,
    label: &'static str,
    retry: Retryable,
    detail: &'static str,
) -> Meaning {
    Meaning { status, proxy_status, label, retry, detail }
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
        for failure in Failure::ALL {
            assert!((400..600).contains(&failure.meaning().status), "{failure:?}");
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
        for failure in Failure::ALL {
            assert!(registered.contains(&failure.meaning().proxy_status), "{failure:?}");
        }
    }
}
