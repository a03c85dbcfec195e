//! Certificate revocation lists (RFC 5280 §5).

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateRevocationListDer, UnixTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// How PEM begins (RFC 7468 §2); DER never does.
const PEM: &[u8] = b"-----BEGIN";

/// A list as one authority issued it.
pub(super) struct RevocationList {
    /// The list itself.
    pub(super) der: CertificateRevocationListDer<'static>,
    /// When the authority issues the next one at the latest.
    pub(super) next_update: UnixTime,
}

/// The lists in a file, whose content is given in base64: one in DER, or any number in PEM.
///
/// # Errors
/// It holds none, or one that cannot be read.
pub(super) fn read(base64: &str) -> Result<Vec<RevocationList>, String> {
    let content = BASE64_STANDARD
        .decode(base64)
        .map_err(|error| format!("is not readable as base64: {error}"))?;
    let lists = if content.windows(PEM.len()).any(|window| window == PEM) {
        CertificateRevocationListDer::pem_slice_iter(&content)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("is not readable as PEM: {error}"))?
    } else {
        vec![CertificateRevocationListDer::from(content)]
    };
    if lists.is_empty() {
        return Err("holds no revocation list; expected PEM with an X509 CRL section".into());
    }
    lists.into_iter().map(|der| list(der).ok_or_else(unreadable)).collect()
}

fn unreadable() -> String {
    "is not readable as a revocation list; expected X509 CRL sections in PEM, or one list in DER, with a number and a \
     date of renewal as RFC 5280 demands them"
        .into()
}

fn list(der: CertificateRevocationListDer<'static>) -> Option<RevocationList> {
    let (_, parsed) = CertificateRevocationList::from_der(&der).ok()?;
    let (next_update, _number) = (parsed.next_update()?, parsed.crl_number()?);
    let seconds = u64::try_from(next_update.timestamp()).unwrap_or(0);
    let next_update = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    Some(RevocationList { der, next_update })
}
