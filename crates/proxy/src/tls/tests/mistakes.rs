//! Mistakes in the plan, each reported at its place.

use tidegate_core::plan::{
    Certificate, ClientAuth, ClientAuthMode, Issue, ListenerTls, UpstreamProtocol, UpstreamTls,
};

use crate::tls::testing::{Authority, BOTH, listener, trusting};
use crate::tls::{ClientTls, ServerTls};

fn paths(issues: &[Issue]) -> Vec<&str> {
    issues.iter().map(|issue| issue.path.as_str()).collect()
}

#[test]
fn every_mistake_of_a_listener_is_reported_at_its_place() {
    let ca = Authority::new();
    let good = ca.certificate(&["a.example"]);
    let swapped = Certificate { key: ca.certificate(&["b.example"]).key, ..good.clone() };
    let no_pem = Certificate { cert: "hello".into(), key: good.cert.as_str().into(), ocsp: None };
    let broken = Certificate {
        cert: "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n".into(),
        key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
            .into(),
        ocsp: Some("%".into()),
    };
    let no_host = ca.certificate(&["127.0.0.1"]);
    let tls = ListenerTls {
        client_auth: Some(ClientAuth {
            ca: good.key.expose().into(),
            mode: ClientAuthMode::Require,
        }),
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
