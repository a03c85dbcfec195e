//! Handshakes between the two sides, in memory.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tidegate_core::plan::{
    Certificate, ClientAuth, ClientAuthMode, HttpVersion, ListenerTls, TlsVersion,
    UpstreamProtocol, UpstreamTls,
};
use tokio::io::duplex;

use super::testing::{Authority, BOTH, LIMIT, handshake, leaf, listener, serve_one_byte, server};
use super::{ClientTls, HandshakeError, ServerTls, Session, pem, stream};

fn paths(issues: &[tidegate_core::plan::Issue]) -> Vec<&str> {
    issues.iter().map(|issue| issue.path.as_str()).collect()
}

/// The certificate that a client which asks for `name` is shown.
async fn shown(server: &ServerTls, client: ClientConfig, name: &str) -> CertificateDer<'static> {
    handshake(server, &Arc::new(client), name).await.1.unwrap().certificate
}

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
    assert_eq!(super::sni::host_names(&der).unwrap(), ["test subject"]);
    let with_alternatives = leaf(&ca.certificate(&["a.example"]));
    assert_eq!(super::sni::host_names(&with_alternatives).unwrap(), ["a.example"]);
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
    assert!(session.cipher().starts_with("TLS_ECDHE_ECDSA_"), "{}", session.cipher());
    assert_eq!(session.server_name.as_deref(), Some("a.example"));
    assert_eq!(session.peer, None);
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

// Client certificates.

fn demanding(ca: &Authority, certificate: &Certificate, mode: ClientAuthMode) -> ListenerTls {
    let client_auth = Some(ClientAuth { ca: ca.pem(), mode });
    ListenerTls { client_auth, ..listener(&[certificate]) }
}

fn client_with(ca: &Authority, identity: &Certificate) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(super::provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(pem::authorities(&ca.pem()).unwrap())
        .with_client_auth_cert(
            pem::certificates(&identity.cert).unwrap(),
            pem::private_key(&identity.key).unwrap(),
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

// Resumption.

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

// Mistakes in the plan.

#[test]
fn every_mistake_of_a_listener_is_reported_at_its_place() {
    let ca = Authority::new();
    let good = ca.certificate(&["a.example"]);
    let swapped = Certificate { key: ca.certificate(&["b.example"]).key, ..good.clone() };
    let no_pem = Certificate { cert: "hello".into(), key: good.cert.clone(), ocsp: None };
    let broken = Certificate {
        cert: "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n".into(),
        key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
            .into(),
        ocsp: Some("%".into()),
    };
    let no_host = ca.certificate(&["127.0.0.1"]);
    let tls = ListenerTls {
        client_auth: Some(ClientAuth { ca: good.key.clone(), mode: ClientAuthMode::Require }),
        ..listener(&[&good, &swapped, &no_pem, &broken, &no_host])
    };
    let issues = ServerTls::build(&tls, &BOTH, "listeners.0.tls").unwrap_err();
    assert_eq!(
        paths(&issues),
        [
            "listeners.0.tls.certificates.1.key",
            "listeners.0.tls.certificates.2.cert",
            "listeners.0.tls.certificates.2.key",
            "listeners.0.tls.certificates.3.cert",
            "listeners.0.tls.certificates.3.key",
            "listeners.0.tls.certificates.3.ocsp",
            "listeners.0.tls.certificates.4.cert",
            "listeners.0.tls.client_auth.ca",
        ]
    );
    assert!(issues[0].message.contains("does not belong to the certificate"));
    assert!(issues[4].message.contains("passphrase"));
}

#[test]
fn a_listener_without_certificates_is_a_mistake() {
    let issues = ServerTls::build(&listener(&[]), &BOTH, "tls").unwrap_err();
    assert_eq!(paths(&issues), ["tls.certificates"]);
}

#[test]
fn every_mistake_of_an_upstream_is_reported_at_its_place() {
    let ca = Authority::new();
    let (one, other) = (ca.certificate(&["one"]), ca.certificate(&["other"]));
    let build = |tls: UpstreamTls| {
        ClientTls::build(&tls, UpstreamProtocol::Auto, "upstreams.0.tls").unwrap_err()
    };
    let issues = build(UpstreamTls {
        ca: Some("hello".into()),
        server_name: Some("not a name".into()),
        cert: Some(one.cert.clone()),
        ..trusting(&ca)
    });
    assert_eq!(
        paths(&issues),
        ["upstreams.0.tls.ca", "upstreams.0.tls.key", "upstreams.0.tls.server_name"]
    );
    let issues = build(UpstreamTls { cert: Some(one.cert), key: Some(other.key), ..trusting(&ca) });
    assert_eq!(paths(&issues), ["upstreams.0.tls.key"]);
}

// The upstream's side.

fn trusting(ca: &Authority) -> UpstreamTls {
    UpstreamTls { verify: true, ca: Some(ca.pem()), server_name: None, cert: None, key: None }
}

/// Connects to `server` as to an endpoint with this host.
async fn connect(
    server: &ServerTls,
    client: &ClientTls,
    host: &str,
) -> (Result<Session, HandshakeError>, Result<Session, HandshakeError>) {
    let (near, far) = duplex(64 * 1024);
    tokio::join!(serve_one_byte(server, near), async {
        let name = client.server_name_for(host).unwrap();
        let (mut stream, session) = stream::connect(client, name, far, LIMIT).await?;
        tokio::io::AsyncReadExt::read_u8(&mut stream).await?;
        Ok(session)
    })
}

fn upstream(tls: UpstreamTls, protocol: UpstreamProtocol) -> Arc<ClientTls> {
    ClientTls::build(&tls, protocol, "tls").unwrap()
}

#[tokio::test]
async fn an_endpoint_must_prove_its_own_host_or_the_configured_name() {
    let ca = Authority::new();
    let server = server(&listener(&[&ca.certificate(&["a.example", "192.0.2.1", "2001:db8::1"])]));
    let own = upstream(trusting(&ca), UpstreamProtocol::Auto);
    for host in ["a.example", "192.0.2.1", "[2001:db8::1]"] {
        assert!(connect(&server, &own, host).await.1.is_ok(), "{host}");
    }
    assert!(connect(&server, &own, "b.example").await.1.is_err());
    assert!(own.server_name_for("/run/app.sock").is_err());
    let named = UpstreamTls { server_name: Some("a.example".into()), ..trusting(&ca) };
    let named = upstream(named, UpstreamProtocol::Auto);
    let (session, _) = connect(&server, &named, "192.0.2.99").await;
    assert_eq!(session.unwrap().server_name.as_deref(), Some("a.example"));
}

#[tokio::test]
async fn an_endpoint_of_an_unknown_authority_is_taken_only_without_verification() {
    let (ca, stranger) = (Authority::new(), Authority::new());
    let server = server(&listener(&[&stranger.certificate(&["a.example"])]));
    let strict = upstream(trusting(&ca), UpstreamProtocol::Auto);
    assert!(connect(&server, &strict, "a.example").await.1.is_err());
    let lax = UpstreamTls { verify: false, ..trusting(&ca) };
    let lax = upstream(lax, UpstreamProtocol::Auto);
    assert!(connect(&server, &lax, "b.example").await.1.is_ok());
}

#[tokio::test]
async fn an_upstream_shows_its_certificate_and_agrees_on_its_protocol() {
    let ca = Authority::new();
    let server = server(&demanding(&ca, &ca.certificate(&["a.example"]), ClientAuthMode::Require));
    let identity = ca.certificate(&["gateway.example"]);
    let cases = [
        (UpstreamProtocol::Http1, HttpVersion::Http1),
        (UpstreamProtocol::Http2, HttpVersion::Http2),
        (UpstreamProtocol::Auto, HttpVersion::Http2),
    ];
    for (protocol, agreed) in cases {
        let tls = UpstreamTls {
            cert: Some(identity.cert.clone()),
            key: Some(identity.key.clone()),
            ..trusting(&ca)
        };
        let (far, near) = connect(&server, &upstream(tls, protocol), "a.example").await;
        assert!(far.unwrap().peer.is_some());
        assert_eq!(near.unwrap().alpn, Some(agreed));
    }
}

#[tokio::test]
async fn an_upstream_resumes_its_sessions() {
    let ca = Authority::new();
    let server = server(&listener(&[&ca.certificate(&["a.example"])]));
    let client = upstream(trusting(&ca), UpstreamProtocol::Auto);
    assert!(!connect(&server, &client, "a.example").await.1.unwrap().resumed);
    assert!(connect(&server, &client, "a.example").await.1.unwrap().resumed);
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
