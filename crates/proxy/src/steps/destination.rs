//! Destination: which upstream the request goes to.

use tidegate_core::failure::Failure;

use crate::call::Call;
use crate::snapshot::{Destination, Split};

/// Choose the upstream: by share where there are several.
///
/// # Errors
/// If there is none.
pub fn before<'a>(split: Option<&Split>, call: &Call<'a>) -> Result<&'a Destination, Failure> {
    let random = &mut call.client.local.outbound.random.borrow_mut();
    let share = split.map_or(0, |split| split.share(random.below(split.total())));
    let snapshot = call.snapshot;
    snapshot.destinations[call.found.route].shares.get(share).ok_or(Failure::Internal)
}
