//! Send: the request goes to an endpoint of its upstream.

use std::sync::Arc;

use tidegate_core::failure::Failure;

use super::Flow;
use crate::call::Call;
use crate::snapshot::Forward;
use crate::upstream::Upstream;
use crate::upstream::admission::Permit;
use crate::upstream::send::{Dispatch, send};

/// Send the request, and answer with the response.
///
/// # Errors
/// Why there is no response.
pub async fn before(
    forward: &Forward,
    (upstream, subset): (&Arc<Upstream>, Option<usize>),
    permit: &Permit,
    call: &mut Call<'_>,
) -> Result<Flow, Failure> {
    let dispatch = Dispatch {
        upstream,
        subset,
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
