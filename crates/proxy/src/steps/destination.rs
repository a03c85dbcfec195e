//! Destination: which upstream the request goes to.

use std::sync::Arc;

use tidegate_core::failure::Failure;

use crate::call::Call;
use crate::snapshot::Destinations;
use crate::upstream::Upstream;

/// Choose the upstream, and the place of the labels that its endpoint must carry.
///
/// # Errors
/// If there is none.
pub fn before<'a>(
    destinations: &Destinations,
    call: &Call<'a>,
) -> Result<(&'a Arc<Upstream>, Option<usize>), Failure> {
    let random = &mut call.client.local.outbound.random.borrow_mut();
    let chosen = destinations.choose(random).ok_or(Failure::Internal)?;
    let snapshot = call.snapshot;
    Ok((&snapshot.upstreams[chosen.upstream], chosen.subset))
}
