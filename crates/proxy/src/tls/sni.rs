//! Which certificate a client is shown.
//!
//! The rules, in this order: a certificate that lists the very name the client asks for; one with
//! a wildcard for exactly the first label (RFC 9525 §6.3); else the first certificate. Where
//! several certificates serve one name, the client's signature schemes decide, and a key on an
//! elliptic curve goes before RSA because signing with it costs the server a fraction.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The certificates of one listener, by name.
#[derive(Debug, Default)]
pub(super) struct CertificatesByName {
    exact: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// By the name below the asterisk.
    wildcard: HashMap<String, Vec<Arc<CertifiedKey>>>,
    /// The first certificate and those that share its first name.
    default: Vec<Arc<CertifiedKey>>,
}

impl CertificatesByName {
    /// Sorts certificates by the names each may serve.
    pub(super) fn new(certificates: Vec<(Vec<String>, Arc<CertifiedKey>)>) -> Self {
        let mut table = Self::default();
        for (names, certificate) in &certificates {
            for name in names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut table.wildcard, parent),
                    None => (&mut table.exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_default().push(certificate.clone());
            }
        }
        if let Some((first_names, first)) = certificates.first() {
            table.default = match first_names.first() {
                Some(name) => certificates
                    .iter()
                    .filter(|(names, _)| names.contains(name))
                    .map(|(_, certificate)| certificate.clone())
                    .collect(),
                None => vec![first.clone()],
            };
        }
        let lists = table.exact.values_mut().chain(table.wildcard.values_mut());
        for list in lists.chain([&mut table.default]) {
            list.sort_by_key(|certificate| certificate.key.algorithm() == SignatureAlgorithm::RSA);
        }
        table
    }

    fn candidates(&self, name: Option<&str>) -> &[Arc<CertifiedKey>] {
        name.and_then(|name| {
            self.exact
                .get(name)
                .or_else(|| name.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent)))
        })
        .unwrap_or(&self.default)
    }
}

impl ResolvesServerCert for CertificatesByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let candidates = self.candidates(hello.server_name());
        let (last, others) = candidates.split_last()?;
        others
            .iter()
            .find(|certificate| certificate.key.choose_scheme(hello.signature_schemes()).is_some())
            .or(Some(last))
            .cloned()
    }
}

/// The host names a certificate may serve, in lower case: the DNS names of its subject alternative
/// names, or its common names if that extension is absent.
pub(super) fn host_names(certificate: &[u8]) -> Result<Vec<String>, String> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("is not a valid X.509 certificate: {error}"))?;
    let alternative = certificate
        .subject_alternative_name()
        .map_err(|error| format!("has unreadable subject alternative names: {error}"))?;
    let names: Vec<&str> = match alternative {
        Some(extension) => extension
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some(*name),
                _ => None,
            })
            .collect(),
        None => {
            certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok()).collect()
        }
    };
    Ok(names.into_iter().map(str::to_ascii_lowercase).collect())
}
