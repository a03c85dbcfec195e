//! Client certificate: the upstream is told which one the client showed (RFC 9440).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use tidegate_core::failure::Failure;

use crate::call::Call;
use crate::client::Client;
use crate::upstream::Upstream;

/// The certificate that a client showed.
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// Tell `upstream` of the certificate, if it wants to know.
///
/// # Errors
/// If it cannot be written as a field.
pub fn before(upstream: &Upstream, call: &mut Call<'_>) -> Result<(), Failure> {
    tell(upstream, call.client, &mut call.head.headers)
}

/// Write `Client-Cert` for an upstream that asks for it. The word of a proxy that is trusted counts more than the
/// certificate by which it proved itself; of all others the field was taken off as the request was read.
///
/// # Errors
/// If it cannot be written as a field.
pub fn tell(upstream: &Upstream, client: &Client, headers: &mut HeaderMap) -> Result<(), Failure> {
    if !upstream.plan.client_cert_header || headers.contains_key(CLIENT_CERT) {
        return Ok(());
    }
    if let Some(certificate) = client.certificate() {
        // A byte sequence (RFC 9651 §3.3.5).
        let value = format!(":{}:", BASE64_STANDARD.encode(certificate.der()));
        let value = HeaderValue::try_from(value).map_err(|_| Failure::Internal)?;
        headers.insert(CLIENT_CERT, value);
    }
    Ok(())
}
