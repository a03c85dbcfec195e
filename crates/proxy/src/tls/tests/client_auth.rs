//! Certificates of clients, and their revocation.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};
use tidegate_core::plan::{Certificate, ClientAuthMode, ListenerTls};

use crate::tls::testing::{Authority, BOTH, demanding, demanding_with, handshake, leaf, server};
use crate::tls::{ServerTls, pem, provider};

fn client_with(ca: &Authority, identity: &Certificate) -> Arc<ClientConfig> {
    client_of(ca, identity, &TLS13)
}

fn client_of(
    ca: &Authority,
    identity: &Certificate,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
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
    assert!(session.peer.unwrap().names().subject.contains("CN=test subject"));
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
    assert!(handshake(&server, &without, "a.example").await.0.unwrap().peer.is_none());
    let known = client_with(&ca, &ca.certificate(&["client.example"]));
    assert!(handshake(&server, &known, "a.example").await.0.unwrap().peer.is_some());
    let unknown = client_with(&ca, &stranger.certificate(&["client.example"]));
    assert!(handshake(&server, &unknown, "a.example").await.0.is_err());
}

/// Whether each of these clients is let in.
async fn let_in<const N: usize>(server: &ServerTls, clients: [&Arc<ClientConfig>; N]) -> [bool; N] {
    let mut answers = [false; N];
    for (client, answer) in clients.into_iter().zip(&mut answers) {
        *answer = handshake(server, client, "a.example").await.0.is_ok();
    }
    answers
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_by_a_list_in_pem_or_in_der() {
    let ca = Authority::new();
    let own = ca.certificate(&["a.example"]);
    let (good, bad) = (ca.certificate(&["good.example"]), ca.certificate(&["bad.example"]));
    let list = ca.revokes(&[&bad], 2999);
    let clients = [&client_with(&ca, &good), &client_with(&ca, &bad)];
    let in_pem = format!("\n# renewed daily\n{}", list.pem().unwrap());
    for content in [in_pem.as_bytes(), list.der().as_ref()] {
        let server = server(&demanding_with(&ca, &own, content));
        assert_eq!(let_in(&server, clients).await, [true, false]);
    }
}

#[tokio::test]
async fn every_authority_needs_a_list_and_they_stand_in_one_file() {
    let (ca, other) = (Authority::new(), Authority::named("another authority"));
    let own = ca.certificate(&["a.example"]);
    let (here, there) = (ca.certificate(&["here"]), other.certificate(&["there"]));
    let [list, of_other] =
        [ca.revokes(&[&here], 2999), other.revokes(&[&there], 2999)].map(|l| l.pem().unwrap());
    let demands = |crl: &str| {
        let mut tls = demanding_with(&ca, &own, crl);
        tls.client_auth.as_mut().unwrap().ca.push_str(&other.pem());
        server(&tls)
    };
    let fine = (ca.certificate(&["fine"]), other.certificate(&["fine"]));
    let clients = [&here, &there, &fine.0, &fine.1].map(|identity| client_with(&ca, identity));
    let both = let_in(&demands(&format!("{list}{of_other}")), clients.each_ref()).await;
    assert_eq!(both, [false, false, true, true]);
    let one = let_in(&demands(&list), clients.each_ref()).await;
    assert_eq!(one, [false, false, true, false], "nothing is known of the other's certificates");
}

#[tokio::test]
async fn a_list_that_is_out_of_date_still_holds() {
    let ca = Authority::new();
    let (good, bad) = (ca.certificate(&["good.example"]), ca.certificate(&["bad.example"]));
    let outdated = ca.revokes(&[&bad], 2002).pem().unwrap();
    let server = server(&demanding_with(&ca, &ca.certificate(&["a.example"]), outdated));
    let clients = [&client_with(&ca, &good), &client_with(&ca, &bad)];
    assert_eq!(let_in(&server, clients).await, [true, false]);
}

#[tokio::test]
async fn a_new_revocation_holds_for_sessions_that_could_be_resumed() {
    let ca = Authority::new();
    let own = ca.certificate(&["a.example"]);
    for (session_tickets, version) in
        [(true, &TLS12), (false, &TLS12), (true, &TLS13), (false, &TLS13)]
    {
        let (good, bad) = (ca.certificate(&["good.example"]), ca.certificate(&["bad.example"]));
        let tls = |revoked: &[&Certificate]| ListenerTls {
            session_tickets,
            ..demanding_with(&ca, &own, ca.revokes(revoked, 2999).pem().unwrap())
        };
        let (none, some) = (tls(&[]), tls(&[&bad]));
        let before = server(&none);
        let clients = [&good, &bad].map(|identity| client_of(&ca, identity, version));
        for client in &clients {
            handshake(&before, client, "a.example").await.0.unwrap();
            let resumed = handshake(&before, client, "a.example").await.0.unwrap();
            assert!(resumed.resumed, "tickets: {session_tickets}, {version:?}");
        }
        let same = before.rebuild(&none, &BOTH, "tls").unwrap();
        let resumed = handshake(&same, &clients[1], "a.example").await.0.unwrap();
        assert!(resumed.resumed, "nothing was revoked");
        let after = same.rebuild(&some, &BOTH, "tls").unwrap();
        let known = handshake(&after, &clients[0], "a.example").await.0.unwrap();
        assert!(!known.resumed, "every client is judged anew");
        assert!(handshake(&after, &clients[1], "a.example").await.0.is_err());
    }
}

#[tokio::test]
async fn a_resumed_session_has_the_certificate_of_its_first_handshake() {
    let ca = Authority::new();
    let server = server(&demanding(&ca, &ca.certificate(&["a.example"]), ClientAuthMode::Require));
    let identity = ca.certificate(&["client.example"]);
    for version in [&TLS12, &TLS13] {
        let client = client_of(&ca, &identity, version);
        handshake(&server, &client, "a.example").await.0.unwrap();
        let resumed = handshake(&server, &client, "a.example").await.0.unwrap();
        assert!(resumed.resumed);
        assert_eq!(resumed.peer.unwrap().der(), leaf(&identity).as_ref());
    }
}
