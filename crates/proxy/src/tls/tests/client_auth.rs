//! Certificates of clients.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::version::TLS13;
use tidegate_core::plan::{Certificate, ClientAuthMode};

use crate::tls::testing::{Authority, demanding, handshake, server};
use crate::tls::{pem, provider};

fn client_with(ca: &Authority, identity: &Certificate) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(pem::authorities(&ca.pem()).unwrap())
        .with_client_auth_cert(
            pem::certificates(&identity.cert).unwrap(),
            pem::private_key(identity.key.expose()).unwrap(),
        );
    Arc::new(config.unwrap())
}

#[tokio::test]
async fn a_required_client_certificate_must_be_shown_and_valid() {
    let (ca, stranger) = (Authority::new(), Authority::new());
    let server = server(&demanding(&ca, &ca.certificate(&["a.example"]), ClientAuthMode::Require));
    let known = client_with(&ca, &ca.certificate(&["client.example"]));
    let session = handshake(&server, &known, "a.example").await.0.unwrap();
    assert!(session.peer.unwrap().contains("CN=test subject"));
    let unknown = client_with(&ca, &stranger.certificate(&["client.example"]));
    for refused in [unknown, Arc::new(ca.client(&TLS13))] {
        let (session, seen) = handshake(&server, &refused, "a.example").await;
        assert!(session.is_err() && seen.is_err());
    }
}

#[tokio::test]
async fn an_optional_client_certificate_may_be_missing_but_not_wrong() {
    let (ca, stranger) = (Authority::new(), Authority::new());
    let server = server(&demanding(&ca, &ca.certificate(&["a.example"]), ClientAuthMode::Optional));
    let without = Arc::new(ca.client(&TLS13));
    assert_eq!(handshake(&server, &without, "a.example").await.0.unwrap().peer, None);
    let known = client_with(&ca, &ca.certificate(&["client.example"]));
    assert!(handshake(&server, &known, "a.example").await.0.unwrap().peer.is_some());
    let unknown = client_with(&ca, &stranger.certificate(&["client.example"]));
    assert!(handshake(&server, &unknown, "a.example").await.0.is_err());
}
