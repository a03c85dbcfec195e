//! Sending a request: pick an endpoint, try it, and try again elsewhere where that may help.
//!
//! What is worth another try is the route's policy (`tidegate_core::retry`); that retries do not multiply the
//! load of a service in trouble is its upstream's budget. One try is in `attempt`, two at once in `hedge`; what they
//! share is in `tries`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use http::{Response, request};
use tidegate_core::failure::Failure;
use tidegate_core::plan::RetryOn;
use tidegate_core::retry::Reason;
use tokio::time::{Instant, sleep};

use super::affinity::Affinity;
use super::attempt::attempt;
use super::outbound::Outbound;
use super::tries::{Answered, Dispatch, Outcome, Tries};
use super::{hash, hedge};
use crate::account::event::Event;
use crate::http::body::{Body, Content, Frame};
use crate::net::clock;

/// Most of a response that is read only to use its connection again.
const MOST_DISCARDED: usize = 64 * 1024;

/// Send a request, as soon as it has its permit, and wait for the head of its response.
///
/// # Errors
/// Why there is none.
#[expect(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
pub fn send<'a>(
    outbound: &'a Outbound,
    dispatch: Dispatch<'a>,
    head: &'a mut request::Parts,
    body: &'a mut Body,
) -> impl Future<Output = Result<Response<Body>, Failure>> {
    async move {
        let dispatch = &dispatch;
        dispatch.upstream.budget.earn();
        let hash = dispatch.upstream.plan.balance.hash.as_ref();
        let hash = hash.and_then(|key| hash::of(key, head, dispatch.client));
        let membership = outbound.membership(dispatch.upstream);
        let membership = &*membership;
        let affinity = Affinity::of(membership, &head.headers);
        let content = Content::new(std::mem::take(body), dispatch.kept(head));
        let (tried, retry_permit) = (RefCell::default(), RefCell::default());
        let mut now = dispatch.permit.began();
        let cost = dispatch.cost_to_pick_by(head, outbound, now);
        let tries = Tries {
            outbound,
            dispatch,
            membership,
            content,
            hash,
            cost,
            affinity,
            tried,
            retry_permit,
        };
        // Only the first try is hedged.
        let mut hedge = hedge::of(dispatch, head);
        loop {
            let member = tries.pick(now)?;
            dispatch.time_left.announce(&mut head.headers);
            tries.begin(member, now);
            let outcome = match hedge.take() {
                Some(hedge) => Box::pin(hedge::race(&tries, hedge, member, head, now)).await,
                None => attempt(&tries, member, head, now).await,
            };
            match tries.conclude(member, outcome, head) {
                ControlFlow::Break(answered) => return answered,
                ControlFlow::Continue(pause) => pause.await,
            }
            now = Instant::now();
        }
    }
}

impl Tries<'_> {
    /// What follows from what the try on `member` came to: the answer, or a pause before the next try.
    ///
    /// The pause is boxed, so that requests without retries do not carry it around.
    fn conclude(
        &self,
        member: usize,
        outcome: Outcome,
        head: &request::Parts,
    ) -> ControlFlow<Result<Response<Body>, Failure>, Pin<Box<impl Future<Output = ()> + use<>>>>
    {
        let next = self.pause_before_next(&outcome, head);
        if let (Err(_), _) | (_, Some(_)) = (&outcome, next) {
            self.failed(member, &outcome);
        }
        match (next, outcome) {
            (Some(pause), outcome) => ControlFlow::Continue(Box::pin(rest(outcome, pause))),
            (None, Ok(mut answer)) => {
                self.settle(&mut answer);
                ControlFlow::Break(Ok(answer.response))
            }
            (None, Err(broken)) => ControlFlow::Break(Err(broken.failure)),
        }
    }

    /// There will be no other try: this is the answer.
    fn settle(&self, answer: &mut Answered) {
        self.content.settle();
        self.affinity.answered(answer.member, &mut answer.response);
        let (at, status) = (answer.began + answer.took, answer.response.status());
        self.dispatch.permit.answered(status, at);
        let (endpoint, took) = (self.counts(answer.member), answer.took);
        self.tell_at(at, &Event::ResponseStarted { endpoint, status, took });
    }

    /// How long to pause before the next try; `None` if there is to be none. One that is granted is paid for.
    fn pause_before_next(&self, outcome: &Outcome, head: &request::Parts) -> Option<Duration> {
        let Dispatch { upstream, retry, time_left, .. } = self.dispatch;
        let reason = match outcome {
            Ok(Answered { response, .. }) => {
                retry.after_response(response.status(), response.headers(), &head.method)
            }
            Err(broken) => retry.after_failure(broken.failure, broken.refused, &head.method),
        }?;
        if !self.may_go_on() {
            let used_up = self.tries() >= retry.attempts;
            self.decided(if used_up { "attempts" } else { "body_buffer" }, false);
            return None;
        }
        // An endpoint that took too long most likely still works on it: another would do the same work again in
        // the place of a request that waits.
        if reason == Reason::On(RetryOn::Timeout) && upstream.admission.is_overloaded() {
            self.decided("overload", false);
            return None;
        }
        let asked = match outcome {
            Ok(Answered { response, .. }) => {
                let (status, headers) = (response.status(), response.headers());
                let asked = retry.wait_asked(status, headers, SystemTime::now());
                asked.inspect_err(|_| self.decided("retry_after", false)).ok()?
            }
            Err(_) => None,
        };
        let retries = self.tries();
        // Where nothing was sent, going on at once to an endpoint that did not fail loads nothing.
        let at_once = reason.is_harmless() && retries == 1 && self.membership.members.len() > 1;
        let pause = match asked {
            Some(asked) => asked,
            None if at_once => Duration::ZERO,
            None => retry.backoff.pause(retries, &mut self.outbound.random.borrow_mut()),
        };
        let now = Instant::now();
        if !time_left.allows(now + pause) {
            self.decided("deadline", false);
            return None;
        }
        // The place of the retry that came to nothing is free for this one.
        self.retry_permit.take();
        let Some(permit) = upstream.admit_retry() else {
            self.decided("retries", false);
            return None;
        };
        if !upstream.budget.spend(upstream.allowance, clock::moment(now)) {
            upstream.metrics.retry_denied(self.outbound.worker);
            self.decided("retry_budget", false);
            return None;
        }
        self.decided("retry_budget", true);
        self.retry_permit.replace(Some(permit));
        upstream.metrics.retried(self.outbound.worker, reason);
        Some(pause)
    }
}

/// Let go of an answer that is not passed on, and pause.
async fn rest(outcome: Outcome, pause: Duration) {
    if let Ok(answer) = outcome {
        discard(answer.response).await;
    }
    if !pause.is_zero() {
        sleep(pause).await;
    }
}

/// Read what has arrived of a response, so that its connection can be used again.
async fn discard(response: Response<Body>) {
    let mut body = response.into_body();
    let mut left = MOST_DISCARDED;
    poll_fn(|cx| {
        while let Poll::Ready(Some(Ok(frame))) = body.poll_frame(cx) {
            match frame {
                Frame::Data(data) if data.len() <= left => left -= data.len(),
                _ => break,
            }
        }
        Poll::Ready(())
    })
    .await;
}
