//! What tunnels carry.

use crate::account::sharded::Counter;

/// What one worker counts of the tunnels of a route.
#[derive(Debug, Default)]
pub(super) struct TunnelTraffic {
    pub(super) opened: Counter,
    pub(super) closed: Counter,
    pub(super) to_endpoint: Counter,
    pub(super) to_client: Counter,
    /// How long those were open that are closed.
    pub(super) milliseconds: Counter,
}
