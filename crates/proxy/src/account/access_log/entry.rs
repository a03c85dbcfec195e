//! What is known about a finished request.

use std::net::IpAddr;
use std::time::Duration;

/// A finished request, as the access log sees it.
///
/// Texts that come from the outside are bytes: they need not be UTF-8.
#[derive(Debug, Clone, Default)]
pub struct Entry<'a> {
    /// When the request's head was complete, in nanoseconds since 1970-01-01T00:00:00Z.
    pub time: u64,
    /// Listener that took it.
    pub listener: &'a str,
    /// The client's address; absent on a Unix socket.
    pub client: Option<IpAddr>,
    /// `X-Request-Id`.
    pub request_id: &'a [u8],
    /// Method; empty where it could not be read, as are host, path and protocol.
    pub method: &'a [u8],
    /// Host asked for, from `:authority` or `Host`.
    pub host: &'a [u8],
    /// Path of the target, as sent.
    pub path: &'a [u8],
    /// Query of the target, without the question mark.
    pub query: Option<&'a [u8]>,
    /// Version of HTTP, like `HTTP/1.1`.
    pub protocol: &'a str,
    /// Status code of the response.
    pub status: u16,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// From the request's head to the end of the response.
    pub duration: Duration,
    /// Route that took it.
    pub route: Option<&'a str>,
    /// Upstream it was sent to.
    pub upstream: Option<&'a str>,
    /// Endpoint that was tried last.
    pub endpoint: Option<&'a str>,
    /// Times it was sent.
    pub tries: u32,
    /// From the last try's start to the head of its response.
    pub upstream_head: Option<Duration>,
    /// Label of the failure, see `tidegate_core::failure`.
    pub error: Option<&'a str>,
    /// Rate limit, or window of one, that refused it.
    pub limit: Option<&'a str>,
    /// Authenticator that proved where it comes from.
    pub authenticator: Option<&'a str>,
    /// What it is called there.
    pub subject: Option<&'a str>,
    /// What became of it in a cache.
    pub cache: Option<&'a str>,
    /// `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
    /// `Referer`.
    pub referer: Option<&'a [u8]>,
    /// Version of TLS, like `TLSv1.3`.
    pub tls_version: Option<&'a str>,
    /// Host named in the TLS handshake.
    pub tls_server_name: Option<&'a str>,
    /// Subject of the client's certificate.
    pub tls_client: Option<&'a str>,
    /// Trace id from `traceparent` (W3C Trace Context).
    pub trace_id: Option<&'a str>,
}
