//! Listeners: sockets that accept client connections, and what a client may cost.

use std::num::NonZeroU32;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::unit::{LARGEST, Size, bounded};
use super::{Http3, Networks, Secret, Timeout};

/// A socket that accepts client connections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Unique name; the identity that survives a reload.
    pub name: String,
    /// `ip:port`, `[ipv6]:port` or `unix:/path`.
    pub address: String,
    /// The file of a Unix socket; absent: as the process makes files.
    pub unix: Option<UnixSocket>,
    /// Versions of HTTP that are spoken; over TLS they are what ALPN offers.
    pub protocols: Vec<HttpVersion>,
    /// TLS settings; absent: plain text.
    pub tls: Option<ListenerTls>,
    /// HTTP/3, where the protocols name it.
    pub http3: Http3,
    /// Peers whose `X-Forwarded-*` and `Forwarded` fields are believed.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// More header fields that only trusted proxies may write.
    pub forwarding_headers: Vec<String>,
    /// Peers that may connect; absent: any.
    pub networks: Option<Networks>,
    /// What one client may cost.
    pub limits: ListenerLimits,
    /// Names of the rate limits that its connections must all pass as they are accepted.
    pub rate: Vec<String>,
    /// How long a client may take.
    pub timeouts: ListenerTimeouts,
}

/// Who may connect to a Unix socket, as its file says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnixSocket {
    /// Permissions, in octal digits; absent: what the umask leaves.
    pub mode: Option<String>,
    /// The number of the user that it belongs to; absent: the process's own.
    pub owner: Option<String>,
    /// The number of the group that it belongs to; absent: the process's own.
    pub group: Option<String>,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpVersion {
    /// HTTP/1.0 and HTTP/1.1 (RFC 9112).
    Http1,
    /// HTTP/2 (RFC 9113), in plain text by prior knowledge.
    Http2,
    /// HTTP/3 (RFC 9114), over UDP; only with TLS.
    Http3,
}

/// TLS on a listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTls {
    /// Certificates, chosen by SNI; the first serves clients that name no known host.
    pub certificates: Vec<Certificate>,
    /// The oldest version that is accepted.
    pub min_version: TlsVersion,
    /// Whether clients are asked for a certificate.
    pub client_auth: Option<ClientAuth>,
    /// Whether session tickets are issued, so that a session can be resumed (RFC 8446 §2.2).
    pub session_tickets: bool,
}

/// A certificate chain with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The chain, leaf first, as PEM text.
    pub cert: String,
    /// The leaf's private key, as PEM text.
    pub key: Secret,
    /// A stapled OCSP response (RFC 6960): DER, in base64.
    pub ocsp: Option<String>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    V1_3,
}

/// Mutual TLS: which client certificates are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuth {
    /// Certificate authorities that clients' certificates must chain to, as PEM text.
    pub ca: String,
    /// Whether a client without a certificate is let in.
    pub mode: ClientAuthMode,
    /// Lists of certificates that are no longer valid (RFC 5280 §5), in PEM, or one in DER: the file in base64.
    pub crl: Option<String>,
}

/// Whether a client without a certificate is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMode {
    /// No certificate, no connection.
    Require,
    /// A certificate that is shown must be valid.
    Optional,
}

/// What one client may cost. Each limit answers with its own error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerLimits {
    /// Open connections on this listener, over all workers.
    pub connections: NonZeroU32,
    /// Open connections of one client address on this listener.
    pub connections_per_client: NonZeroU32,
    /// Bytes of a request's head: request line and all fields.
    pub header_bytes: HeadSize,
    /// Number of fields in a request.
    pub header_count: NonZeroU32,
    /// Bytes of a request target.
    pub uri_length: TargetSize,
    /// Concurrent streams of one HTTP/2 connection.
    pub streams: NonZeroU32,
    /// Bytes of an HTTP/1 request that are still read, and dropped, after its response.
    pub linger_bytes: Size,
}

/// How long a client may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerTimeouts {
    /// TLS handshake, and the first bytes that tell the protocol.
    pub handshake: Timeout,
    /// From a request's first byte to the end of its head.
    pub header_read: Timeout,
    /// Longest silence while a request's body is read.
    pub request_body: Timeout,
    /// Longest time that a client takes none of a response.
    pub write: Timeout,
    /// How long a connection may stay open without a request.
    pub idle: Timeout,
    /// How long the rest of an HTTP/1 request is read after its response, so that a client that sends all of
    /// it first gets to read the response.
    pub linger: Timeout,
}

bounded! {
    /// A size of a request's head in bytes.
    #[derive(Eq, Ord)]
    HeadSize(bytes): u64 from 1024 to LARGEST
}

bounded! {
    /// A size of a request's target in bytes.
    #[derive(Eq, Ord)]
    TargetSize(bytes): u64 from 64 to LARGEST
}
