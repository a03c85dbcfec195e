//! Sessions that go on in a new connection, and across a reload.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use tidegate_core::plan::{Certificate, ClientAuthMode, ListenerTls};

use crate::tls::ServerTls;
use crate::tls::testing::{Authority, BOTH, demanding, handshake, leaf, listener, server, shown};

/// Whether a client that was connected to `before` can resume its session with `after`.
async fn resumes(before: &ServerTls, after: &ServerTls, client: ClientConfig) -> bool {
    let client = Arc::new(client);
    let first = handshake(before, &client, "a.example").await.0.unwrap();
    assert!(!first.resumed);
    handshake(after, &client, "a.example").await.0.unwrap().resumed
}

#[tokio::test]
async fn sessions_are_resumed_with_and_without_tickets_in_both_versions() {
    let ca = Authority::new();
    let certificate = ca.certificate(&["a.example"]);
    for session_tickets in [true, false] {
        let server = server(&ListenerTls { session_tickets, ..listener(&[&certificate]) });
        for version in [&TLS12, &TLS13] {
            assert!(
                resumes(&server, &server, ca.client(version)).await,
                "tickets: {session_tickets}, {version:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_new_certificate_ends_no_session() {
    let ca = Authority::new();
    for session_tickets in [true, false] {
        let tls =
            |certificate: Certificate| ListenerTls { session_tickets, ..listener(&[&certificate]) };
        let before = server(&tls(ca.certificate(&["a.example"])));
        let renewed = ca.certificate(&["a.example"]);
        let after = before.rebuild(&tls(renewed.clone()), &BOTH, "tls").unwrap();
        for version in [&TLS12, &TLS13] {
            assert!(resumes(&before, &after, ca.client(version)).await);
            assert_eq!(shown(&after, ca.client(version), "a.example").await, leaf(&renewed));
        }
    }
}

#[tokio::test]
async fn new_demands_on_client_certificates_end_all_sessions() {
    let ca = Authority::new();
    let certificate = ca.certificate(&["a.example"]);
    let before = server(&listener(&[&certificate]));
    let demanding = demanding(&ca, &certificate, ClientAuthMode::Optional);
    let after = before.rebuild(&demanding, &BOTH, "tls").unwrap();
    assert!(!resumes(&before, &after, ca.client(&TLS13)).await);
}
