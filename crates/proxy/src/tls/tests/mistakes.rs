//! Mistakes in the plan, each reported at its place.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tidegate_core::plan::{
    Certificate, ClientAuth, ClientAuthMode, Issue, ListenerTls, UpstreamProtocol, UpstreamTls,
};

use crate::tls::testing::{Authority, BOTH, listener, trusting};
use crate::tls::{ClientTls, ServerTls, crl};

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
            crl: Some(BASE64_STANDARD.encode(&good.cert)),
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
            "listeners.0.tls.client_auth.crl",
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

#[test]
fn what_is_no_revocation_list_is_told_as_that() {
    let ca = Authority::new();
    let list = ca.revokes(&[], 2999).pem().unwrap();
    for (content, wrong) in [
        (String::new(), "is not readable as a revocation list"),
        ("hello".into(), "is not readable as a revocation list"),
        (ca.pem(), "holds no revocation list"),
        (list.replace("CRL-----\nM", "CRL-----\nA"), "is not readable as a revocation list"),
        (list.replace("-----END", "----END"), "is not readable as PEM"),
    ] {
        let told = crl::read(&BASE64_STANDARD.encode(&content)).err().unwrap();
        assert!(told.starts_with(wrong), "{told} of {content:?}");
    }
    assert!(crl::read("no base64!").is_err());
}
