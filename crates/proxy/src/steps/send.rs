//! Send: the request goes to an endpoint of its upstream.

use tidegate_core::failure::Failure;

use super::Flow;
use crate::call::Call;
use crate::snapshot::{Destination, Forward};
use crate::upstream::admission::Permit;
use crate::upstream::send::send;
use crate::upstream::tries::Dispatch;

/// Send the request, and answer with the response.
///
/// # Errors
/// Why there is no response.
pub async fn before(
    forward: &Forward,
    destination: &Destination,
    permit: &Permit,
    call: &mut Call<'_>,
) -> Result<Flow, Failure> {
    let dispatch = Dispatch {
        upstream: &destination.upstream,
        subset: destination.subset,
        retry: &forward.retry,
        hedge: forward.hedge.as_deref(),
        time_left: call.time_left,
        upgrade: call.upgrade,
        interim: call.interim,
        client: call.address,
        permit,
        witnesses: Some(&call.transaction.witnesses),
    };
    let outbound = &call.client.local.outbound;
    send(outbound, &dispatch, call.head, call.body).await.map(Flow::Answer)
}
