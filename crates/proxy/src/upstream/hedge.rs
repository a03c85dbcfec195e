//! Two tries at once: a second endpoint is asked where the first takes long, and the first good answer wins.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use http::request;
use tidegate_core::hedge::Hedge;
use tokio::time::{Instant, timeout};

use super::attempt::attempt;
use super::tries::{Dispatch, Outcome, Tries};
use crate::net::clock;

/// How the requests of `dispatch` are hedged, if this one may be sent to two endpoints at all.
pub fn of<'a>(dispatch: &Dispatch<'a>, head: &request::Parts) -> Option<&'a Hedge> {
    dispatch.hedge.filter(|_| dispatch.retry.covers(&head.method) && dispatch.upgrade.is_none())
}

/// Try `member`, and another beside it if there is no answer in time. The one that does not win is cancelled.
pub async fn race(
    tries: &Tries<'_>,
    hedge: &Hedge,
    member: usize,
    head: &request::Parts,
    now: Instant,
) -> Outcome {
    let cost_of = tries.dispatch.cost_of(head);
    let Dispatch { upstream, permit, .. } = tries.dispatch;
    let arm = permit.arrival().arm;
    let quantile = |deviations| upstream.quantile(&cost_of, arm, deviations, clock::moment(now));
    let predicted = hedge.deviations().and_then(quantile);
    let mut first = pin!(attempt(tries, member, head, now));
    let early = match hedge.begin(predicted) {
        Some(after) => timeout(after, first.as_mut()).await.ok(),
        None => Some(first.as_mut().await),
    };
    let outcome = match early {
        Some(outcome) => outcome,
        None => match second(tries, hedge) {
            Some(other) => beside(tries, first, [member, other], head).await,
            None => first.await,
        },
    };
    if outcome.is_ok() {
        hedge.answered(now.elapsed(), predicted);
    }
    outcome
}

/// The endpoint of a second try, if there may be one. It is paid for.
fn second(tries: &Tries<'_>, hedge: &Hedge) -> Option<usize> {
    if !tries.content.is_whole() {
        return None;
    }
    let now = Instant::now();
    let other = tries.pick(now).ok().filter(|other| !tries.has_tried(*other))?;
    hedge.spend(clock::moment(now)).then_some(other)
}

/// Try `other` beside the first try.
async fn beside(
    tries: &Tries<'_>,
    mut first: Pin<&mut impl Future<Output = Outcome>>,
    [member, other]: [usize; 2],
    head: &request::Parts,
) -> Outcome {
    let (worker, dispatch) = (tries.outbound.worker, tries.dispatch);
    let now = Instant::now();
    // The first try has the head's own; this one is told that there is less time left.
    let mut head = head.clone();
    dispatch.time_left.announce(&mut head.headers);
    tries.begin(other, now);
    let metrics = &dispatch.upstream.metrics;
    metrics.hedged(worker);
    let mut second = pin!(attempt(tries, other, &head, now));
    let good = |outcome: &Outcome| match outcome {
        Ok(answer) => dispatch
            .retry
            .after_response(answer.response.status(), answer.response.headers(), &head.method)
            .is_none(),
        Err(_) => false,
    };
    let mut bad: Option<Outcome> = None;
    let mut done = [false; 2];
    let outcome = poll_fn(|cx: &mut Context<'_>| {
        for (index, done) in done.iter_mut().enumerate().filter(|(_, done)| !**done) {
            let polled = match index {
                0 => first.as_mut().poll(cx),
                _ => second.as_mut().poll(cx),
            };
            let Poll::Ready(outcome) = polled else { continue };
            *done = true;
            if good(&outcome) {
                return Poll::Ready(outcome);
            }
            tries.failed([member, other][index], &outcome);
            // Of two that are no good, an answer is better than none.
            bad = bad.take().filter(Outcome::is_ok).or(Some(outcome));
        }
        match bad.take_if(|_| done == [true; 2]) {
            Some(outcome) => Poll::Ready(outcome),
            None => Poll::Pending,
        }
    })
    .await;
    if outcome.as_ref().is_ok_and(|answer| answer.member == other) {
        metrics.hedge_won(worker);
    }
    outcome
}
