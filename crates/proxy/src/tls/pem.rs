//! Certificates and keys from PEM text (RFC 7468), with errors that say what was found instead.

use rustls::RootCertStore;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// All certificates of `text`, in their order.
pub(super) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("is not readable as PEM: {error}"))?;
    if chain.is_empty() {
        return Err("holds no certificate; expected PEM with a CERTIFICATE section".into());
    }
    Ok(chain)
}

/// The first private key of `text`.
pub(super) fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound if text.contains("ENCRYPTED PRIVATE KEY") => {
            "holds an encrypted key; store it without a passphrase (openssl pkey -in … -out …)"
                .into()
        }
        pem::Error::NoItemsFound => {
            "holds no private key; expected PEM with a PRIVATE KEY section".into()
        }
        error => format!("is not readable as PEM: {error}"),
    })
}

/// A store of the certificate authorities in `text`.
pub(super) fn authorities(text: &str) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates(text)?.into_iter().enumerate() {
        store.add(certificate).map_err(|error| {
            format!("certificate {} is not usable as an authority: {error}", index + 1)
        })?;
    }
    Ok(store)
}
