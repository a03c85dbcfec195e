//! Certificates made on the spot, and handshakes in memory.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationList,
    CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rustls::{ClientConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};
use tidegate_core::plan::{
    Certificate, ClientAuth, ClientAuthMode, HttpVersion, ListenerTls, TlsVersion, UpstreamTls,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::stream::HandshakeError;
use super::{Negotiated, ServerTls, pem, provider, stream};

pub(super) const LIMIT: Duration = Duration::from_secs(20);
pub(super) const BOTH: [HttpVersion; 2] = [HttpVersion::Http1, HttpVersion::Http2];

/// A certificate authority that lives as long as a test.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        Self::named("test authority")
    }

    pub(super) fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `names` with an elliptic-curve key.
    pub(super) fn certificate(&self, names: &[&str]) -> Certificate {
        self.certificate_with(names, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub(super) fn certificate_with(
        &self,
        names: &[&str],
        algorithm: &'static SignatureAlgorithm,
    ) -> Certificate {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, "test subject");
        let key = KeyPair::generate_for(algorithm).unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap().pem();
        Certificate { cert, key: key.serialize_pem().as_str().into(), ocsp: None }
    }

    /// A list that revokes these certificates, and is to be renewed at the beginning of the year `until`.
    pub(super) fn revokes(
        &self,
        certificates: &[&Certificate],
        until: i32,
    ) -> CertificateRevocationList {
        let this_update = date_time_ymd(2001, 1, 1);
        let revoked = |certificate: &&Certificate| RevokedCertParams {
            serial_number: serial(certificate),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update,
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: certificates.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap()
    }

    /// The configuration of a client that trusts this authority and speaks only `version`.
    pub(super) fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(pem::authorities(&self.pem()).unwrap())
            .with_no_client_auth()
    }
}

fn serial(certificate: &Certificate) -> SerialNumber {
    let der = leaf(certificate);
    let (_, read) = X509Certificate::from_der(&der).unwrap();
    SerialNumber::from_slice(read.raw_serial())
}

/// TLS of a listener with these certificates and nothing special.
pub(super) fn listener(certificates: &[&Certificate]) -> ListenerTls {
    ListenerTls {
        certificates: certificates.iter().map(|&certificate| certificate.clone()).collect(),
        min_version: TlsVersion::V1_2,
        client_auth: None,
        session_tickets: true,
    }
}

/// TLS of a listener that asks clients for a certificate of `ca`.
pub(super) fn demanding(
    ca: &Authority,
    certificate: &Certificate,
    mode: ClientAuthMode,
) -> ListenerTls {
    let client_auth = Some(ClientAuth { ca: ca.pem(), mode, crl: None });
    ListenerTls { client_auth, ..listener(&[certificate]) }
}

/// The same, which refuses what the lists in a file of this content revoke.
pub(super) fn demanding_with(
    ca: &Authority,
    certificate: &Certificate,
    crl: impl AsRef<[u8]>,
) -> ListenerTls {
    let crl = Some(BASE64_STANDARD.encode(crl));
    let client_auth = Some(ClientAuth { ca: ca.pem(), mode: ClientAuthMode::Require, crl });
    ListenerTls { client_auth, ..listener(&[certificate]) }
}

/// TLS of an upstream whose endpoints have certificates of `ca`.
pub(super) fn trusting(ca: &Authority) -> UpstreamTls {
    UpstreamTls { verify: true, ca: Some(ca.pem()), server_name: None, cert: None, key: None }
}

pub(super) fn server(tls: &ListenerTls) -> Arc<ServerTls> {
    ServerTls::build(tls, &BOTH, "tls").unwrap()
}

/// The leaf certificate of a chain in PEM.
pub(super) fn leaf(certificate: &Certificate) -> CertificateDer<'static> {
    pem::certificates(&certificate.cert).unwrap().remove(0)
}

/// What a client saw of its connection.
pub(super) struct Seen {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) alpn: Option<Vec<u8>>,
}

/// Both ends of a handshake and of one byte from the server, which in TLS 1.3 brings the tickets.
pub(super) async fn handshake(
    server: &ServerTls,
    client: &Arc<ClientConfig>,
    name: &str,
) -> (Result<Negotiated, HandshakeError>, std::io::Result<Seen>) {
    let (near, far) = duplex(64 * 1024);
    tokio::join!(serve_one_byte(server, near), async {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut stream = TlsConnector::from(client.clone()).connect(name, far).await?;
        stream.read_u8().await?;
        let connection = stream.get_ref().1;
        Ok(Seen {
            certificate: connection.peer_certificates().unwrap()[0].clone(),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
        })
    })
}

/// Accepts one connection and sends one byte over it.
pub(super) async fn serve_one_byte(
    server: &ServerTls,
    io: DuplexStream,
) -> Result<Negotiated, HandshakeError> {
    let (mut stream, session) = stream::accept(server, io, LIMIT).await?;
    stream.write_u8(b'!').await?;
    stream.flush().await?;
    Ok(session)
}

/// The certificate that a client which asks for `name` is shown.
pub(super) async fn shown(
    server: &ServerTls,
    client: ClientConfig,
    name: &str,
) -> CertificateDer<'static> {
    handshake(server, &Arc::new(client), name).await.1.unwrap().certificate
}
