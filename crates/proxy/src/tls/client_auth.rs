//! Certificates of clients: which are accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use tidegate_core::plan::{ClientAuth, ClientAuthMode, Issue};

use super::crl::{self, RevocationList};
use super::peer_certificate::MOST_BYTES;
use super::{pem, provider};

/// What judges the certificates of a listener's clients; `path` is the place of `client_auth` in the plan. What is
/// wrong is added to `issues`.
pub(super) fn verifier(
    auth: Option<&ClientAuth>,
    path: &str,
    issues: &mut Vec<Issue>,
) -> Arc<dyn ClientCertVerifier> {
    let Some(auth) = auth else { return Arc::new(NoClientAuth) };
    let roots = pem::authorities(&auth.ca)
        .map_err(|message| issues.push(Issue::new(format!("{path}.ca"), message)));
    let lists = auth.crl.as_ref().map_or(Ok(Vec::new()), |file| crl::read(file));
    let lists = lists.map_err(|message| issues.push(Issue::new(format!("{path}.crl"), message)));
    let (Ok(roots), Ok(lists)) = (roots, lists) else { return Arc::new(NoClientAuth) };
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .with_crls(lists.iter().map(|list| list.der.clone()));
    let builder = match auth.mode {
        ClientAuthMode::Require => builder,
        ClientAuthMode::Optional => builder.allow_unauthenticated(),
    };
    match builder.build() {
        Ok(by_chain) => Arc::new(Verifier { by_chain, outdated: Outdated::among(&lists) }),
        Err(error) => {
            let wrong = format!("cannot be used to check clients: {error}");
            let option = match error {
                VerifierBuilderError::InvalidCrl(_) => "crl",
                _ => "ca",
            };
            issues.push(Issue::new(format!("{path}.{option}"), wrong));
            Arc::new(NoClientAuth)
        }
    }
}

/// Judges chains, revocations and sizes.
#[derive(Debug)]
struct Verifier {
    by_chain: Arc<dyn ClientCertVerifier>,
    outdated: Option<Outdated>,
}

/// When the first of the revocation lists is out of date. It still holds: to refuse every client because a list was
/// not renewed would be an outage, and to accept what it names a hole. So it is told, once.
#[derive(Debug)]
struct Outdated {
    since: UnixTime,
    is_told: AtomicBool,
}

impl Outdated {
    fn among(lists: &[RevocationList]) -> Option<Self> {
        let since = lists.iter().map(|list| list.next_update).min_by_key(UnixTime::as_secs);
        since.map(|since| Self { since, is_told: AtomicBool::new(false) })
    }

    fn look(&self, now: UnixTime) {
        if now.as_secs() > self.since.as_secs() && !self.is_told.swap(true, Relaxed) {
            let since = self.since.as_secs();
            tracing::warn!(since, "a revocation list of clients' certificates is out of date");
        }
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.by_chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.by_chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.by_chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        if let Some(outdated) = &self.outdated {
            outdated.look(now);
        }
        if end_entity.len() > MOST_BYTES {
            let wrong = format!("the client's certificate has more than {MOST_BYTES} bytes");
            return Err(rustls::Error::General(wrong));
        }
        self.by_chain.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.by_chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_chain.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls_pki_types::CertificateRevocationListDer;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn the_first_list_that_is_out_of_date_is_told_once() {
        let list = |seconds| RevocationList {
            der: CertificateRevocationListDer::from(Vec::new()),
            next_update: at(seconds),
        };
        assert!(Outdated::among(&[]).is_none());
        let outdated = Outdated::among(&[list(30), list(20)]);
        let told = |now| {
            outdated.as_ref().map(|outdated| {
                outdated.look(at(now));
                outdated.is_told.load(Relaxed)
            })
        };
        assert_eq!((told(20), told(21), told(22)), (Some(false), Some(true), Some(true)));
    }
}
