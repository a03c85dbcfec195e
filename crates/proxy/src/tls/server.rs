//! TLS towards clients.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig};
use tidegate_core::plan::{Certificate, ClientAuth, HttpVersion, Issue, ListenerTls, TlsVersion};

use super::sni::{CertificatesByName, host_names};
use super::{ALPN_HTTP1, ALPN_HTTP2, ALPN_HTTP3, client_auth, pem, provider};

/// Sessions remembered for clients that resume without a ticket, for all workers together.
/// An entry takes a few hundred bytes, more where clients show certificates.
const CACHED_SESSIONS: usize = 20_000;

/// Everything a listener needs for its handshakes; shared by all workers.
#[derive(Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    sessions: Sessions,
    client_auth: Option<ClientAuth>,
    /// Makes none.
    no_tickets: Arc<dyn ProducesTickets>,
}

/// What lets clients resume: the keys of tickets and the remembered sessions.
#[derive(Debug, Clone)]
struct Sessions {
    ticketer: Arc<dyn ProducesTickets>,
    cache: Arc<dyn StoresServerSessions>,
}

impl ServerTls {
    /// Builds the TLS side of a listener that speaks `protocols`.
    ///
    /// `path` is the place of `tls` in the plan, like `listeners.0.tls`. All mistakes are
    /// reported at once.
    pub fn build(
        tls: &ListenerTls,
        protocols: &[HttpVersion],
        path: &str,
    ) -> Result<Arc<Self>, Vec<Issue>> {
        let sessions = Sessions::new().map_err(|message| vec![Issue::new(path, message)])?;
        Self::with_sessions(tls, protocols, path, sessions)
    }

    /// Builds the successor of `self`, whose sessions can still be resumed.
    ///
    /// Only where the demands on clients' certificates have changed, revocations among them, is every client
    /// made to start anew, because a resumed session is not checked again.
    pub fn rebuild(
        &self,
        tls: &ListenerTls,
        protocols: &[HttpVersion],
        path: &str,
    ) -> Result<Arc<Self>, Vec<Issue>> {
        if self.client_auth == tls.client_auth {
            Self::with_sessions(tls, protocols, path, self.sessions.clone())
        } else {
            Self::build(tls, protocols, path)
        }
    }

    fn with_sessions(
        tls: &ListenerTls,
        protocols: &[HttpVersion],
        path: &str,
        sessions: Sessions,
    ) -> Result<Arc<Self>, Vec<Issue>> {
        let mut issues = Vec::new();
        let certificates = certificates(tls, path, &mut issues);
        let asks = tls.client_auth.as_ref();
        let verifier = client_auth::verifier(asks, &format!("{path}.client_auth"), &mut issues);
        let versions = match tls.min_version {
            TlsVersion::V1_2 => &[&TLS13, &TLS12][..],
            TlsVersion::V1_3 => &[&TLS13][..],
        };
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .map_err(|error| vec![Issue::new(format!("{path}.min_version"), error.to_string())]);
        if !issues.is_empty() {
            return Err(issues);
        }
        let mut config = builder?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(CertificatesByName::new(certificates)));
        config.alpn_protocols = alpn(protocols);
        config.session_storage = sessions.cache.clone();
        let no_tickets = config.ticketer.clone();
        if tls.session_tickets {
            config.ticketer = sessions.ticketer.clone();
        }
        let client_auth = tls.client_auth.clone();
        Ok(Arc::new(Self { config: Arc::new(config), sessions, client_auth, no_tickets }))
    }

    /// The configuration as rustls reads it.
    pub fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// The configuration of handshakes over QUIC (RFC 9001), which is TLS 1.3 alone. Early data is taken of the sessions of
    /// `early`, and of no others: those are remembered here, as a ticket could be shown again.
    pub fn quic_config(&self, early: Option<&Arc<dyn StoresServerSessions>>) -> ServerConfig {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = vec![ALPN_HTTP3.to_vec()];
        config.max_early_data_size = 0;
        if let Some(memory) = early {
            config.session_storage = memory.clone();
            config.ticketer = self.no_tickets.clone();
            // The one size that QUIC knows (RFC 9001 §4.6.1).
            config.max_early_data_size = u32::MAX;
        }
        config
    }
}

impl Sessions {
    fn new() -> Result<Self, String> {
        Ok(Self {
            ticketer: Ticketer::new()
                .map_err(|error| format!("no key for session tickets could be made: {error}"))?,
            cache: ServerSessionMemoryCache::new(CACHED_SESSIONS),
        })
    }
}

/// HTTP/2 first, whatever the order in the plan: a client that offers both prefers it.
fn alpn(protocols: &[HttpVersion]) -> Vec<Vec<u8>> {
    [(HttpVersion::Http2, ALPN_HTTP2), (HttpVersion::Http1, ALPN_HTTP1)]
        .into_iter()
        .filter(|(version, _)| protocols.contains(version))
        .map(|(_, name)| name.to_vec())
        .collect()
}

fn certificates(
    tls: &ListenerTls,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Vec<(Vec<String>, Arc<CertifiedKey>)> {
    if tls.certificates.is_empty() {
        issues.push(Issue::new(format!("{path}.certificates"), "expected at least one"));
    }
    let mut usable = Vec::new();
    for (index, certificate) in tls.certificates.iter().enumerate() {
        let path = format!("{path}.certificates.{index}");
        let Some((names, key)) = certified_key(certificate, &path, issues) else { continue };
        if names.is_empty() && index > 0 {
            issues.push(Issue::new(
                format!("{path}.cert"),
                "names no host, so no client would ever be shown it; only the first may",
            ));
        }
        usable.push((names, Arc::new(key)));
    }
    usable
}

/// One certificate with its key and the host names it serves.
fn certified_key(
    certificate: &Certificate,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Option<(Vec<String>, CertifiedKey)> {
    let mut note = |field: &str, message: String| {
        issues.push(Issue::new(format!("{path}.{field}"), message));
    };
    let chain = pem::certificates(&certificate.cert).and_then(|chain| {
        let names = host_names(&chain[0])?;
        Ok((chain, names))
    });
    let chain = chain.map_err(|message| note("cert", message)).ok();
    let key = pem::private_key(certificate.key.expose())
        .and_then(|key| {
            provider()
                .key_provider
                .load_private_key(key)
                .map_err(|error| format!("is not a usable private key: {error}"))
        })
        .map_err(|message| note("key", message))
        .ok();
    let ocsp = match certificate.ocsp.as_ref().map(|text| BASE64_STANDARD.decode(text.trim())) {
        Some(Err(error)) => {
            note("ocsp", format!("is not readable as base64: {error}"));
            None
        }
        Some(Ok(response)) => Some(response),
        None => None,
    };
    let (chain, names) = chain?;
    let mut certified = CertifiedKey::new(chain, key?);
    certified.ocsp = ocsp;
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            note("key", "does not belong to the certificate: their public keys differ".into());
        }
        Err(error) => note("cert", format!("is not usable: {error}")),
    }
    Some((names, certified))
}
