//! Handshakes over any byte stream, and what they agreed on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, CommonState, HandshakeKind, ProtocolVersion};
use rustls_pki_types::ServerName;
use tidegate_core::plan::HttpVersion;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::peer_certificate::PeerCertificate;
use super::{ALPN_HTTP1, ALPN_HTTP2, ServerTls};
use quinn::crypto::rustls::HandshakeData;
use rustls_pki_types::CertificateDer;

/// What a handshake agreed on; small, kept for the life of the connection.
#[derive(Debug)]
pub struct Negotiated {
    /// The version of HTTP that ALPN chose; absent: ALPN was not used.
    pub alpn: Option<HttpVersion>,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
    /// The host the client asked for (SNI), in lower case.
    pub server_name: Option<Box<str>>,
    /// The certificate that the client showed; absent: none, or the peer is an endpoint.
    pub peer: Option<Box<PeerCertificate>>,
    version: Option<ProtocolVersion>,
}

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer took longer than this.
    #[error("TLS handshake not finished within {0:?}")]
    TimedOut(Duration),
    /// The peer closed the connection, broke the protocol, or was refused.
    #[error("TLS handshake failed: {0}")]
    Failed(#[from] io::Error),
}

/// Answers a client's handshake within `limit`.
///
/// The stream is boxed because it is large (over 1 KB), and so is the handshake's own state:
/// neither burdens the future of a connection that has long finished it.
pub async fn accept<IO>(
    tls: &ServerTls,
    io: IO,
    limit: Duration,
) -> Result<(Box<TlsStream<IO>>, Negotiated), HandshakeError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = Box::pin(TlsAcceptor::from(tls.config().clone()).accept(io));
    let stream = timeout(limit, handshake).await.map_err(|_| HandshakeError::TimedOut(limit))??;
    let connection = stream.get_ref().1;
    let shown = connection.peer_certificates().and_then(|chain| chain.first());
    let peer = shown.map(PeerCertificate::new);
    let negotiated = Negotiated { peer, ..Negotiated::of(connection, connection.server_name()) };
    Ok((Box::new(stream.into()), negotiated))
}

/// Starts a handshake with the endpoint `name` (see [`ClientTls`](super::ClientTls)) and finishes
/// it within `limit`.
pub async fn connect<IO>(
    config: &Arc<ClientConfig>,
    name: ServerName<'static>,
    io: IO,
    limit: Duration,
) -> Result<(Box<TlsStream<IO>>, Negotiated), HandshakeError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let asked_for = match &name {
        ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
        _ => None,
    };
    let handshake = Box::pin(TlsConnector::from(config.clone()).connect(name, io));
    let stream = timeout(limit, handshake).await.map_err(|_| HandshakeError::TimedOut(limit))??;
    let negotiated = Negotiated::of(stream.get_ref().1, asked_for.as_deref());
    Ok((Box::new(stream.into()), negotiated))
}

impl Negotiated {
    fn of(connection: &CommonState, server_name: Option<&str>) -> Self {
        Self {
            alpn: connection.alpn_protocol().and_then(|name| match name {
                ALPN_HTTP1 => Some(HttpVersion::Http1),
                ALPN_HTTP2 => Some(HttpVersion::Http2),
                _ => None,
            }),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            server_name: server_name.map(Into::into),
            peer: None,
            version: connection.protocol_version(),
        }
    }

    /// What the handshake of a client's connection over QUIC agreed on.
    pub fn over_quic(connection: &quinn::Connection) -> Self {
        let data =
            connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
        let shown = connection.peer_identity();
        let shown = shown.and_then(|shown| shown.downcast::<Vec<CertificateDer<'static>>>().ok());
        Self {
            alpn: Some(HttpVersion::Http3),
            // `quinn` does not tell.
            resumed: false,
            server_name: data.and_then(|data| data.server_name).map(Into::into),
            peer: shown.as_ref().and_then(|chain| chain.first()).map(PeerCertificate::new),
            version: Some(ProtocolVersion::TLSv1_3),
        }
    }

    /// The version of TLS, as logs write it: `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        match self.version {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        }
    }
}
