//! Where a request came in.

use super::Accounts;
use super::metrics::ListenerMetrics;
use crate::tls::stream::Negotiated;

/// Where a request came in.
#[derive(Clone, Copy)]
pub struct Origin<'a> {
    /// The number of the worker that serves it.
    pub worker: usize,
    /// What the worker counts and remembers in.
    pub accounts: &'a Accounts,
    /// The listener's counts.
    pub listener: &'a ListenerMetrics,
    /// What the connection's TLS handshake agreed on.
    pub tls: Option<&'a Negotiated>,
}
