//! First available.

use super::candidates::Candidates;
use super::{Pick, Policy};

/// The first endpoint in the configuration's order that has room takes all requests, so that the later
/// ones can be switched off while they are not needed (HAProxy's `first`). Weights mean nothing.
#[derive(Debug)]
pub(super) struct FirstAvailable;

impl Policy for FirstAvailable {
    fn choose(&self, from: &Candidates<'_>, pick: &mut Pick<'_>) -> usize {
        let mut members = from.view.members().iter().map(|&member| member as usize);
        members.find(|&member| from.allow(member)).unwrap_or_else(|| from.draw(pick.random))
    }
}
