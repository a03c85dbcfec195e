//! The result of a probe.

use crate::time::Moment;

/// What a probe found.
#[derive(Debug, Clone, Copy)]
pub(super) struct ProbeResult {
    /// The endpoint.
    pub(super) endpoint: u32,
    /// When.
    pub(super) at: Moment,
    /// Requests in flight with one more, by strength; infinite if it takes no more.
    pub(super) burden: f32,
    /// Seconds, by strength.
    pub(super) latency: f32,
    /// What one request adds to the burden.
    pub(super) step: f32,
}
