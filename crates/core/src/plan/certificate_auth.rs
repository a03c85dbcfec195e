//! Certificates of clients as credentials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Takes the certificate that a client showed in its handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateAuth {
    /// What the certificate must be: any of these; empty: whatever the listener takes.
    #[serde(rename = "match")]
    pub matches: Vec<CertificateMatch>,
    /// Which of its names the identity's subject is.
    pub subject: CertificateSubject,
}

/// What one of a certificate's names must be: exactly one field is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateMatch {
    /// Its subject.
    pub subject: Option<String>,
    /// A URI among its alternative names; `*` at the end stands for any characters.
    pub uri: Option<String>,
    /// A host name among them, in lower case; `*` at the beginning stands for any characters.
    pub dns: Option<String>,
    /// A mail address among them; `*` at the beginning stands for any characters.
    pub email: Option<String>,
    /// Its serial number: hexadecimal, in lower case, without leading zeros.
    pub serial: Option<String>,
    /// SHA-256 of its DER: hexadecimal, in lower case.
    pub sha256: Option<String>,
}

/// A name of a certificate that tells whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSubject {
    /// The whole subject.
    Subject,
    /// A URI among the alternative names.
    Uri,
    /// A host name among them.
    Dns,
    /// A mail address among them.
    Email,
}
