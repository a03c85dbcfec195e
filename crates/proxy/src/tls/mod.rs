//! TLS on both sides: what a listener presents and what an upstream is held to.
//!
//! A [`ServerTls`] or [`ClientTls`] is built once from the plan, with every mistake
//! reported at once, and shared by all workers. [`stream`] carries out the handshakes.

mod client;
mod client_auth;
mod crl;
pub mod peer_certificate;
mod pem;
pub mod secret;
mod server;
mod sni;
pub mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

pub use client::ClientTls;
pub use server::ServerTls;
pub use stream::Negotiated;

/// ALPN names (RFC 7301 §6).
const ALPN_HTTP1: &[u8] = b"http/1.1";
const ALPN_HTTP2: &[u8] = b"h2";
const ALPN_HTTP3: &[u8] = b"h3";

/// The cryptography of the whole process.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    PROVIDER.clone()
}
