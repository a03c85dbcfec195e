//! Mirror: copies of requests for a second upstream, whose answers are dropped.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;

use tidegate_core::retry::Policy;
use tokio::task::spawn_local;

use super::client_cert;
use crate::account::relay::Listening;
use crate::call::Call;
use crate::http::time_left::TimeLeft;
use crate::local::Local;
use crate::snapshot::Forward;
use crate::upstream::cost::CostRoute;
use crate::upstream::send::send;
use crate::upstream::tries::Dispatch;

/// Pieces of a body that the copy may be behind.
const MAX_BEHIND: usize = 16;
/// Copies that one worker has under way; beyond, requests are not copied.
const MAX_COPIES: usize = 1024;

/// Send a copy of some requests, whose bodies are copied on their way. A copy that cannot be sent is not sent.
pub fn before(forward: &Forward, call: &mut Call<'_>) {
    let Some(millionths) = forward.mirrored_millionths else { return };
    let local = &call.client.local;
    if local.outbound.random.borrow_mut().below(1_000_000) < millionths {
        copy(forward.cost, call);
    }
}

fn copy(route: CostRoute, call: &mut Call<'_>) {
    let Some(upstream) = &call.snapshot.destinations[call.found.route].mirror else { return };
    let local = &call.client.local;
    let under_way = local.mirrored.get();
    if under_way >= MAX_COPIES {
        return;
    }
    let upstream = upstream.clone();
    let now = call.transaction.witnesses.coarse_now();
    // A copy is not worth waiting.
    let Some(permit) = upstream.try_admit(&local.outbound, now) else { return };
    local.mirrored.set(under_way + 1);
    let copy = UnderWay(local.clone());
    let (original, mut body) = std::mem::take(call.body).tee(MAX_BEHIND);
    *call.body = original;
    let mut head = call.head.clone();
    if client_cert::tell(&upstream, call.client, &mut head.headers).is_err() {
        return;
    }
    spawn_local(async move {
        let dispatch = Dispatch {
            upstream: &upstream,
            route,
            subset: None,
            retry: &Policy::NEVER,
            hedge: None,
            time_left: TimeLeft::default(),
            upgrade: None,
            interim: &None,
            client: None,
            permit: &permit,
            listening: Listening::Nothing,
        };
        let outbound = &copy.0.outbound;
        if let Ok(response) = send(outbound, dispatch, &mut head, &mut body).await {
            let mut body = response.into_body();
            while let Some(Ok(_)) = poll_fn(|cx| body.poll_frame(cx)).await {}
        }
    });
}

/// A copy that is under way, and counted as that.
struct UnderWay(Rc<Local>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mirrored: &Cell<usize> = &self.0.mirrored;
        mirrored.set(mirrored.get() - 1);
    }
}
