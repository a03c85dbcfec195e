//! Send: the request goes to an endpoint of its upstream.

use http::Response;
use tidegate_core::failure::Failure;

use crate::account::relay::Listening;
use crate::call::Call;
use crate::http::body::Body;
use crate::snapshot::{Destination, Forward};
use crate::upstream::admission::Permit;
use crate::upstream::send::send;
use crate::upstream::tries::Dispatch;

/// Send the request; its response is the answer.
///
/// # Errors
/// Why there is no response.
pub fn before<'a>(
    forward: &'a Forward,
    destination: &'a Destination,
    permit: &'a Permit,
    call: &'a mut Call<'_>,
) -> impl Future<Output = Result<Response<Body>, Failure>> {
    let dispatch = Dispatch {
        upstream: &destination.upstream,
        route: forward.cost,
        subset: destination.subset,
        retry: &forward.retry,
        hedge: forward.hedge.as_deref(),
        time_left: call.time_left,
        upgrade: call.upgrade,
        interim: call.interim,
        client: call.address,
        permit,
        listening: Listening::Witnesses(&call.transaction.witnesses),
    };
    let outbound = &call.client.local.outbound;
    send(outbound, dispatch, call.head, call.body)
}
