//! First available.

use super::candidates::Candidates;
use super::{Pick, Policy};

/// The first endpoint in the configuration's order that is not at its limit takes all requests, so that
/// the later ones can be switched off while they are not needed (HAProxy's `first`). Weights mean nothing.
#[derive(Debug)]
pub(super) struct FirstAvailable {
    limit: u32,
}

impl FirstAvailable {
    /// An endpoint is at its limit with `limit` requests in flight; `None`: never.
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self { limit: limit.unwrap_or(u32::MAX) }
    }
}

impl Policy for FirstAvailable {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let mut allowed =
            from.view.members().iter().map(|&m| m as usize).filter(|&m| from.allow(m));
        let first = allowed.next();
        first
            .into_iter()
            .chain(allowed)
            .find(|&endpoint| from.endpoints[endpoint].load.in_flight() < self.limit)
            .or(first)
            .unwrap_or_else(|| from.draw(pick.random))
    }
}
