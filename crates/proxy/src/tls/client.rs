//! TLS towards endpoints.

use std::sync::{Arc, LazyLock, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    ClientConfig, DigitallySignedStruct, InconsistentKeys, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, UnixTime};
use tidegate_core::plan::{Issue, UpstreamProtocol, UpstreamTls};

use super::{ALPN_HTTP1, ALPN_HTTP2, ALPN_HTTP3, pem, provider};

/// Server names whose sessions are remembered for one upstream.
const CACHED_NAMES: usize = 1024;

/// Everything an upstream needs for its handshakes; shared by all workers.
#[derive(Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    /// The same for connections that are to be switched to another protocol, which HTTP/2 cannot be.
    only_http1: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    /// Sessions over QUIC, which are none over TCP; kept once HTTP/3 is wanted.
    quic_sessions: OnceLock<Resumption>,
}

impl ClientTls {
    /// Builds the TLS side of an upstream that is spoken to by `protocol`.
    ///
    /// `path` is the place of `tls` in the plan, like `upstreams.0.tls`. All mistakes are
    /// reported at once.
    pub fn build(
        tls: &UpstreamTls,
        protocol: UpstreamProtocol,
        path: &str,
    ) -> Result<Arc<Self>, Vec<Issue>> {
        let mut issues = Vec::new();
        let mut note = |field: &str, message: String| {
            issues.push(Issue::new(format!("{path}.{field}"), message));
        };
        let verifier = verifier(tls).map_err(|message| note("ca", message)).ok();
        let identity = identity(tls).map_err(|(field, message)| note(field, message)).ok();
        let server_name = tls.server_name.as_ref().and_then(|name| {
            ServerName::try_from(name.clone())
                .map_err(|error| note("server_name", format!("`{name}`: {error}")))
                .ok()
        });
        let (Some(verifier), Some(identity), true) = (verifier, identity, issues.is_empty()) else {
            return Err(issues);
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| vec![Issue::new(path, error.to_string())])?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                        vec![Issue::new(
                            format!("{path}.key"),
                            "does not belong to the certificate: their public keys differ",
                        )]
                    }
                    error => vec![Issue::new(format!("{path}.cert"), error.to_string())],
                })?
            }
        };
        if !tls.verify {
            tracing::warn!(option = %format!("{path}.verify"), "endpoints' certificates are not checked");
        }
        config.alpn_protocols = alpn(protocol);
        config.resumption = sessions();
        let mut only_http1 = config.clone();
        only_http1.alpn_protocols = alpn(UpstreamProtocol::Http1);
        let (config, only_http1) = (Arc::new(config), Arc::new(only_http1));
        Ok(Arc::new(Self { config, only_http1, server_name, quic_sessions: OnceLock::new() }))
    }

    /// The configuration as rustls reads it: it offers the versions of HTTP that the upstream's protocol stands
    /// for, or HTTP/1 alone.
    pub fn config(&self, only_http1: bool) -> &Arc<ClientConfig> {
        if only_http1 { &self.only_http1 } else { &self.config }
    }

    /// The configuration of handshakes over QUIC (RFC 9001), whose sessions are resumed without early data.
    pub fn quic_config(&self) -> ClientConfig {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = alpn(UpstreamProtocol::Http3);
        config.resumption = self.quic_sessions.get_or_init(sessions).clone();
        config
    }

    /// The name an endpoint is asked for and must prove: the configured one, or its own host
    /// (a name, an IPv4 address, or an IPv6 address with or without brackets).
    pub fn server_name_for(&self, host: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => {
                let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
                ServerName::try_from(bare.unwrap_or(host).to_owned())
            }
        }
    }
}

fn sessions() -> Resumption {
    Resumption::in_memory_sessions(CACHED_NAMES)
}

fn alpn(protocol: UpstreamProtocol) -> Vec<Vec<u8>> {
    match protocol {
        UpstreamProtocol::Http1 => vec![ALPN_HTTP1.to_vec()],
        UpstreamProtocol::Http2 => vec![ALPN_HTTP2.to_vec()],
        UpstreamProtocol::Http3 => vec![ALPN_HTTP3.to_vec()],
        UpstreamProtocol::Auto => vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()],
    }
}

fn verifier(tls: &UpstreamTls) -> Result<Arc<dyn ServerCertVerifier>, String> {
    if !tls.verify {
        return Ok(Arc::new(AnyCertificate(provider().signature_verification_algorithms)));
    }
    let roots = match &tls.ca {
        Some(text) => Arc::new(pem::authorities(text)?),
        None => system_authorities()?,
    };
    WebPkiServerVerifier::builder_with_provider(roots, provider())
        .build()
        .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
        .map_err(|error| format!("cannot be used to check endpoints: {error}"))
}

/// The system's certificate authorities, read once in the life of the process.
fn system_authorities() -> Result<Arc<RootCertStore>, String> {
    static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "some of the system's certificate authorities are unreadable");
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        Arc::new(store)
    });
    if SYSTEM.is_empty() {
        return Err("the system has no certificate authorities: \
                    install ca-certificates, or name a file here"
            .into());
    }
    Ok(SYSTEM.clone())
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The client certificate and its key; the error names the option that is wrong.
fn identity(tls: &UpstreamTls) -> Result<Option<Identity>, (&'static str, String)> {
    match (&tls.cert, &tls.key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(("key", "missing: `cert` is given, and its key is needed".into())),
        (None, Some(_)) => {
            Err(("cert", "missing: `key` is given, and its certificate is needed".into()))
        }
        (Some(cert), Some(key)) => {
            let chain = pem::certificates(cert).map_err(|message| ("cert", message))?;
            let key = pem::private_key(key.expose()).map_err(|message| ("key", message))?;
            Ok(Some((chain, key)))
        }
    }
}

/// Takes any certificate, for upstreams with `verify: false`. That the endpoint holds the
/// certificate's key is still checked.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
