//! What heads may cost, and what else those of clients are held to.

use super::forwarding::ForwardingFields;

/// What a request's head may cost.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// Bytes of the whole head.
    pub bytes: usize,
    /// Number of fields.
    pub fields: usize,
    /// Bytes of the target.
    pub target: usize,
}

/// Most fields of an endpoint's response.
pub const MOST_RESPONSE_FIELDS: usize = 200;

/// What the heads of a client's requests are held to.
#[derive(Debug, Clone, Copy)]
pub struct HeadRules<'a> {
    /// What they may cost.
    pub limits: HeadLimits,
    /// Fields that are taken off, because only a proxy that is trusted may write them; absent: the client is one.
    pub taken_off: Option<&'a ForwardingFields>,
}
