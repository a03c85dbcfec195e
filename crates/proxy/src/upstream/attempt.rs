//! One try of a request on one endpoint.

use std::rc::Rc;
use std::sync::Arc;

use http::request;
use tidegate_core::failure::Failure;
use tokio::time::Instant;

use super::Member;
use super::client::{self, Outgoing, TryTimeouts, Waiter, websocket};
use super::flight::Flight;
use super::learning::Learning;
use super::obtain::{Needs, Switch, obtain};
use super::report::Reports;
use super::tries::{Answered, Dispatch, Outcome, Tries};
use crate::http::body::Content;
use crate::http::broken::Broken;
use crate::net::clock;

/// Try `member`. A pooled connection that turns out to be stale is replaced by a fresh one.
pub async fn attempt(
    tries: &Tries<'_>,
    member: usize,
    head: &request::Parts,
    now: Instant,
) -> Outcome {
    let Tries { outbound, dispatch, content, .. } = tries;
    let upstream = dispatch.upstream;
    let endpoint = &tries.membership.members[member];
    // One that was down already was picked because too few are not.
    let was_down = endpoint.endpoint.health.is_down();
    let gives_up = || !was_down && tries.gives_up(endpoint, head);
    let waiter = Waiter { interim: dispatch.interim, gives_up: &gives_up };
    let pool = outbound.pool(endpoint, &upstream.plan.pool);
    let reports = Reports::of(&upstream.plan.balance);
    let timeouts = dispatch.try_timeouts();
    let idempotent = head.method.is_idempotent();
    let may_repeat = |broken: &Broken| (idempotent || broken.refused) && content.is_left();
    let mut reuse = true;
    loop {
        // From here on it counts, so that others see it while it waits for a connection.
        let learning = tries.learn(head, now);
        let mut flight =
            Flight::begin(endpoint.clone(), now, tries.cost, reports, learning.clone());
        let needs = Needs { reuse, care: !idempotent, switch: tries.switch(head) };
        let link = obtain(outbound.worker, upstream, &pool, needs, now).await;
        let link = link.map_err(|failure| {
            flight.failed(failure);
            Broken::with(failure)
        })?;
        tries.connected(member);
        let body = content.body().ok_or(Broken::with(Failure::Internal))?;
        let request = Outgoing { head, body, upgrade: dispatch.upgrade, timeouts };
        let exchange = link.start(&pool, flight, request);
        match client::response(exchange, &waiter).await {
            Ok((mut response, heard)) => {
                let took = heard.saturating_duration_since(now);
                if let Some(learning) = &learning {
                    let at = clock::moment(heard);
                    upstream.began(learning, &dispatch.cost_of(head), took, at);
                }
                reports.take(&endpoint.endpoint, response.headers_mut());
                upstream.metrics.response_head(outbound.worker, took);
                endpoint.metrics.answered(outbound.worker, response.status().as_u16());
                return Ok(Answered { response, member, began: now, took });
            }
            Err(broken) if broken.stale && reuse && may_repeat(&broken) => reuse = false,
            Err(broken) => return Err(broken),
        }
    }
}

impl Tries<'_> {
    /// Something is learnt of the cost of a request that is sent `now`, where that is asked for.
    fn learn(&self, head: &request::Parts, now: Instant) -> Option<Rc<Learning>> {
        let Dispatch { upstream, permit, .. } = self.dispatch;
        let cost_of = self.dispatch.cost_of(head);
        upstream.learn(&cost_of, permit.arrival(), permit.observation(), self.outbound, now)
    }

    /// The other protocol that the request asks for.
    fn switch(&self, head: &request::Parts) -> Option<Switch> {
        let upgrade = self.dispatch.upgrade?;
        let is_websocket =
            websocket::is_asked(head, Some(upgrade)) && matches!(self.content, Content::Empty);
        Some(if is_websocket { Switch::WebSocket } else { Switch::Other })
    }

    /// Whether a try on `endpoint` is to be given up: it is down, another is available, and the request may
    /// be repeated there.
    fn gives_up(&self, endpoint: &Arc<Member>, head: &request::Parts) -> bool {
        let dispatch = self.dispatch;
        endpoint.endpoint.health.is_down()
            && self.may_go_on()
            && self.membership.is_available()
            && dispatch.retry.after_failure(Failure::EndpointDown, false, &head.method).is_some()
    }
}

impl Dispatch<'_> {
    fn try_timeouts(&self) -> TryTimeouts {
        let timeouts = &self.upstream.plan.timeouts;
        let response = timeouts.response.duration();
        TryTimeouts {
            response: self.retry.per_try_timeout.map_or(response, |limit| limit.min(response)),
            idle: timeouts.idle.duration(),
        }
    }
}
