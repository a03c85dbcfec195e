//! Copies of requests for a second upstream, whose answers are dropped.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use http::request;
use tidegate_core::retry::Policy;
use tokio::task::spawn_local;
use tokio::time::Instant;

use crate::http::body::Body;
use crate::http::time_left::TimeLeft;
use crate::local::Local;
use crate::upstream::Upstream;
use crate::upstream::send::{self, Dispatch};

/// Pieces of a body that the copy may be behind.
const MAX_BEHIND: usize = 16;
/// Copies that one worker has under way; beyond, requests are not copied.
const MAX_COPIES: usize = 1024;

/// Send a copy of a request whose body is `body`, which becomes one that is copied on its way.
pub fn send(
    local: &Rc<Local>,
    upstream: &Arc<Upstream>,
    head: &request::Parts,
    body: &mut Body,
    now: Instant,
) {
    let under_way = local.mirrored.get();
    if under_way >= MAX_COPIES {
        return;
    }
    // A copy is not worth waiting.
    let Some(permit) = upstream.try_admit(now) else { return };
    local.mirrored.set(under_way + 1);
    let counted = Counted(local.clone());
    let (original, mut copy) = std::mem::take(body).tee(MAX_BEHIND);
    *body = original;
    let (upstream, mut head) = (upstream.clone(), head.clone());
    spawn_local(async move {
        let dispatch = Dispatch {
            upstream: &upstream,
            subset: None,
            retry: &Policy::NEVER,
            hedge: None,
            time_left: TimeLeft::default(),
            upgrade: None,
            interim: &None,
            client: None,
        };
        let mut permit = permit;
        let sent =
            send::send(&counted.0.outbound, &dispatch, &mut head, &mut copy, None, now).await;
        if let Ok(response) = sent {
            permit.answered(response.status(), Instant::now());
            let mut body = response.into_body();
            while let Some(Ok(_)) = poll_fn(|cx| body.poll_frame(cx)).await {}
        }
    });
}

struct Counted(Rc<Local>);

impl Drop for Counted {
    fn drop(&mut self) {
        let mirrored: &Cell<usize> = &self.0.mirrored;
        mirrored.set(mirrored.get() - 1);
    }
}
