//! The certificate that a client showed, and what is read of it.

use std::cell::{OnceCell, RefCell};
use std::fmt::Write;

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use tidegate_core::auth::{CertificateNames, Finding};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Bytes that a client's certificate may have: one is kept for as long as its connection lives.
pub(super) const MOST_BYTES: usize = 16 << 10;

/// A client's certificate, which was found valid in the handshake. What it says is read when something asks for it,
/// so that a connection on which nothing does pays for its bytes alone.
#[derive(Debug)]
pub struct PeerCertificate {
    der: Box<[u8]>,
    names: OnceCell<Box<CertificateNames>>,
    /// What was found of it last, and by which authenticator.
    found: RefCell<Option<(u64, Finding)>>,
}

impl PeerCertificate {
    /// The certificate of this DER.
    pub(super) fn new(der: &CertificateDer<'_>) -> Box<Self> {
        Box::new(Self {
            der: der.as_ref().into(),
            names: OnceCell::new(),
            found: RefCell::default(),
        })
    }

    /// The certificate itself, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What it says of its holder.
    pub fn names(&self) -> &CertificateNames {
        self.names.get_or_init(|| Box::new(read_names(&self.der)))
    }

    /// What the authenticator of this number makes of it: found once while no other one looks at it.
    pub fn found(&self, by: u64, find: impl FnOnce(&CertificateNames) -> Finding) -> Finding {
        if let Some((found_by, found)) = &*self.found.borrow()
            && *found_by == by
        {
            return found.clone();
        }
        let found = find(self.names());
        self.found.replace(Some((by, found.clone())));
        found
    }
}

/// The names in a certificate. One that cannot be read has none, as has an extension that is there twice.
fn read_names(der: &[u8]) -> CertificateNames {
    let sha256 = hexadecimal(&Sha256::digest(der));
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return CertificateNames { sha256, ..CertificateNames::default() };
    };
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let alternatives = alternatives.map_or(&[][..], |extension| &extension.value.general_names[..]);
    let named = |name: fn(&GeneralName<'_>) -> Option<Box<str>>| {
        alternatives.iter().filter_map(name).collect()
    };
    CertificateNames {
        subject: certificate.subject().to_string().into(),
        uris: named(|name| match name {
            GeneralName::URI(uri) => Some((*uri).into()),
            _ => None,
        }),
        dns_names: named(|name| match name {
            GeneralName::DNSName(host) => Some(host.to_ascii_lowercase().into()),
            _ => None,
        }),
        emails: named(|name| match name {
            GeneralName::RFC822Name(address) => Some((*address).into()),
            _ => None,
        }),
        serial: serial(certificate.raw_serial()),
        sha256,
    }
}

/// A serial number without the zeros that DER puts before it.
fn serial(raw: &[u8]) -> Box<str> {
    let text = hexadecimal(raw);
    let digits = text.trim_start_matches('0');
    if digits.is_empty() { "0".into() } else { digits.into() }
}

fn hexadecimal(bytes: &[u8]) -> Box<str> {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        _ = write!(text, "{byte:02x}");
    }
    text.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber};

    use super::*;

    /// What is read of a certificate with these alternative names.
    fn names(serial: &[u8], alternatives: Vec<SanType>) -> CertificateNames {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "device 7");
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.serial_number = Some(SerialNumber::from_slice(serial));
        params.subject_alt_names = alternatives;
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let shown = PeerCertificate::new(certificate.der());
        assert_eq!(shown.der(), certificate.der().as_ref());
        assert_eq!(*shown.names().sha256, *hexadecimal(&Sha256::digest(certificate.der())));
        let PeerCertificate { names, .. } = *shown;
        *names.into_inner().unwrap()
    }

    #[test]
    fn a_certificate_tells_every_name_of_its_holder() {
        let read = names(
            &[0, 0xA1, 0x0B],
            vec![
                SanType::URI("spiffe://example.org/billing".try_into().unwrap()),
                SanType::URI("urn:device:7".try_into().unwrap()),
                SanType::DnsName("Device-7.example.org".try_into().unwrap()),
                SanType::Rfc822Name("device7@example.org".try_into().unwrap()),
                SanType::IpAddress("192.0.2.7".parse().unwrap()),
            ],
        );
        assert!(read.subject.contains("CN=device 7") && read.subject.contains("O=Example"));
        assert_eq!(
            *read.uris,
            ["spiffe://example.org/billing", "urn:device:7"].map(Box::<str>::from)
        );
        assert_eq!(*read.dns_names, ["device-7.example.org"].map(Box::<str>::from));
        assert_eq!(*read.emails, ["device7@example.org"].map(Box::<str>::from));
        assert_eq!((&*read.serial, read.sha256.len()), ("a10b", 64));
    }

    #[test]
    fn what_a_certificate_does_not_say_is_empty() {
        let read = names(&[0], Vec::new());
        assert!(read.uris.is_empty() && read.dns_names.is_empty() && read.emails.is_empty());
        assert_eq!(&*read.serial, "0");
        let unreadable = read_names(b"no certificate");
        assert_eq!((&*unreadable.subject, unreadable.sha256.len()), ("", 64));
    }
}
