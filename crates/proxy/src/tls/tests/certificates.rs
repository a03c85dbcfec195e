//! Which certificate a client is shown, and what a handshake agrees on.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tidegate_core::plan::{HttpVersion, ListenerTls, TlsVersion};
use tokio::io::duplex;

use crate::tls::sni::host_names;
use crate::tls::stream::HandshakeError;
use crate::tls::testing::{Authority, BOTH, LIMIT, handshake, leaf, listener, server, shown};
use crate::tls::{ServerTls, stream};

#[tokio::test]
async fn the_certificate_is_chosen_by_the_name_asked_for() {
    let ca = Authority::new();
    let (first, exact, wild) = (
        ca.certificate(&["first.example"]),
        ca.certificate(&["Other.example", "a.wild.example"]),
        ca.certificate(&["*.wild.example"]),
    );
    let server = server(&listener(&[&first, &exact, &wild]));
    let client = || ca.client(&TLS13);
    assert_eq!(shown(&server, client(), "first.example").await, leaf(&first));
    assert_eq!(shown(&server, client(), "OTHER.example").await, leaf(&exact));
    assert_eq!(shown(&server, client(), "a.wild.example").await, leaf(&exact));
    assert_eq!(shown(&server, client(), "b.wild.example").await, leaf(&wild));
}

#[tokio::test]
async fn clients_that_name_no_known_host_are_shown_the_first_certificate() {
    let ca = Authority::new();
    let first = ca.certificate(&["first.example"]);
    let wild = ca.certificate(&["*.wild.example"]);
    let server = server(&listener(&[&first, &wild]));
    for name in ["unknown.example", "wild.example", "a.b.wild.example", "127.0.0.1"] {
        let client = accepting_anything(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        assert_eq!(shown(&server, client, name).await, leaf(&first), "{name}");
    }
}

#[tokio::test]
async fn of_two_certificates_for_a_name_the_client_gets_the_one_it_can_check() {
    let ca = Authority::new();
    let rsa = ca.certificate_with(&["a.example"], &rcgen::PKCS_RSA_SHA256);
    let ec = ca.certificate(&["a.example"]);
    let server = server(&listener(&[&rsa, &ec]));
    for name in ["a.example", "unknown.example"] {
        let only_rsa = accepting_anything(&[SignatureScheme::RSA_PSS_SHA256]);
        assert_eq!(shown(&server, only_rsa, name).await, leaf(&rsa));
        let only_ec = accepting_anything(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
        assert_eq!(shown(&server, only_ec, name).await, leaf(&ec));
        let either = accepting_anything(&[
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
        ]);
        assert_eq!(shown(&server, either, name).await, leaf(&ec));
    }
}

#[tokio::test]
async fn a_certificate_without_alternative_names_serves_its_common_name() {
    let ca = Authority::new();
    let common_name = ca.certificate(&[]);
    let der = leaf(&common_name);
    assert_eq!(host_names(&der).unwrap(), ["test subject"]);
    let with_alternatives = leaf(&ca.certificate(&["a.example"]));
    assert_eq!(host_names(&with_alternatives).unwrap(), ["a.example"]);
}

#[tokio::test]
async fn a_stapled_ocsp_response_reaches_the_client() {
    let ca = Authority::new();
    let mut certificate = ca.certificate(&["a.example"]);
    certificate.ocsp = Some("c3RhcGxlZA==\n".into());
    let server = server(&listener(&[&certificate]));
    let verifier = Arc::new(Anything::default());
    let mut client = ca.client(&TLS13);
    client.dangerous().set_certificate_verifier(verifier.clone());
    handshake(&server, &Arc::new(client), "a.example").await.1.unwrap();
    assert_eq!(*verifier.ocsp.lock(), b"stapled");
}

#[tokio::test]
async fn alpn_agrees_on_the_best_version_that_both_speak() {
    let ca = Authority::new();
    let certificate = ca.certificate(&["a.example"]);
    let tls = listener(&[&certificate]);
    let cases: [(&[HttpVersion], &[&str], Option<HttpVersion>); 4] = [
        (&BOTH, &["http/1.1", "h2"], Some(HttpVersion::Http2)),
        (&BOTH, &["http/1.1"], Some(HttpVersion::Http1)),
        (&[HttpVersion::Http1], &["h2", "http/1.1"], Some(HttpVersion::Http1)),
        (&BOTH, &[], None),
    ];
    for (protocols, offered, agreed) in cases {
        let server = ServerTls::build(&tls, protocols, "tls").unwrap();
        let mut client = ca.client(&TLS13);
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let (session, seen) = handshake(&server, &Arc::new(client), "a.example").await;
        assert_eq!(session.unwrap().alpn, agreed);
        assert_eq!(seen.unwrap().alpn.is_some(), agreed.is_some());
    }
}

#[tokio::test]
async fn a_session_tells_what_was_agreed() {
    let ca = Authority::new();
    let server = server(&listener(&[&ca.certificate(&["a.example"])]));
    let (session, _) = handshake(&server, &Arc::new(ca.client(&TLS12)), "a.example").await;
    let session = session.unwrap();
    assert_eq!(session.version(), "TLSv1.2");
    assert_eq!(session.server_name.as_deref(), Some("a.example"));
    assert!(session.peer.is_none());
    assert!(!session.resumed);
}

#[tokio::test]
async fn clients_older_than_the_minimum_version_are_refused() {
    let ca = Authority::new();
    let certificate = ca.certificate(&["a.example"]);
    let tls = ListenerTls { min_version: TlsVersion::V1_3, ..listener(&[&certificate]) };
    let (session, seen) = handshake(&server(&tls), &Arc::new(ca.client(&TLS12)), "a.example").await;
    assert!(matches!(session, Err(HandshakeError::Failed(_))));
    assert!(seen.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_given_up_when_its_time_is_over() {
    let ca = Authority::new();
    let server = server(&listener(&[&ca.certificate(&["a.example"])]));
    let (near, _far) = duplex(1024);
    let result = stream::accept(&server, near, LIMIT).await;
    assert!(matches!(result, Err(HandshakeError::TimedOut(limit)) if limit == LIMIT));
}

/// Checks nothing, and remembers the OCSP response it was shown.
#[derive(Debug, Default)]
struct Anything {
    schemes: Option<Vec<SignatureScheme>>,
    ocsp: parking_lot::Mutex<Vec<u8>>,
}

fn accepting_anything(schemes: &[SignatureScheme]) -> ClientConfig {
    let mut client = Authority::new().client(&TLS13);
    let verifier = Anything { schemes: Some(schemes.to_vec()), ..Anything::default() };
    client.dangerous().set_certificate_verifier(Arc::new(verifier));
    client
}

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.ocsp.lock() = ocsp.to_vec();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone().unwrap_or_else(|| vec![SignatureScheme::ECDSA_NISTP256_SHA256])
    }
}
