//! TLS towards endpoints.

use std::sync::Arc;

use tidegate_core::plan::{ClientAuthMode, HttpVersion, UpstreamProtocol, UpstreamTls};
use tokio::io::{AsyncReadExt, duplex};

use crate::tls::stream::HandshakeError;
use crate::tls::testing::{
    Authority, LIMIT, demanding, listener, serve_one_byte, server, trusting,
};
use crate::tls::{ClientTls, Negotiated, ServerTls, stream};

/// Connects to `server` as to an endpoint with this host.
async fn connect(
    server: &ServerTls,
    client: &ClientTls,
    host: &str,
) -> (Result<Negotiated, HandshakeError>, Result<Negotiated, HandshakeError>) {
    let (near, far) = duplex(64 * 1024);
    tokio::join!(serve_one_byte(server, near), async {
        let name = client.server_name_for(host).unwrap();
        let (mut stream, session) = stream::connect(client.config(false), name, far, LIMIT).await?;
        stream.read_u8().await?;
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
