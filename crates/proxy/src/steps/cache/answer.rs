//! Answering a request whose response was fetched.

use std::rc::Rc;

use http::{Response, StatusCode};
use tidegate_core::cache::cache_status::{Outcome, Why};
use tidegate_core::cache::storing::NotStored;
use tidegate_core::failure::Failure;
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::Asking;
use super::fetch::{Answer, Fetch, Sending};
use super::serve::{Given, respond};
use crate::account::explain::CacheDecision;
use crate::account::metrics::CacheResult;
use crate::account::relay::Relay;
use crate::account::witness::Witnesses;
use crate::call::Call;
use crate::http::body::Body;
use crate::net::clock;
use crate::snapshot::Forward;

/// Have the response fetched, and answer with it.
///
/// # Errors
/// Why there is none.
pub async fn answer(
    fetch: Fetch,
    asking: &Asking<'_>,
    forward: &Forward,
    call: &mut Call<'_>,
) -> Result<Response<Body>, Failure> {
    let witnesses = &call.transaction.witnesses;
    let retelling = Retelling { relay: Rc::new(Relay::new(witnesses.takes_notes())), witnesses };
    let sending = Sending {
        head: call.head.clone(),
        interim: call.interim.clone(),
        class: Some(forward.priority.of(&call.head.headers, call.client.peer.trusted)),
        relay: retelling.relay.clone(),
    };
    let why = fetch.why;
    let (told, answer) = oneshot::channel();
    spawn_local(fetch.run(sending, Some(told)));
    let answer = answer.await.unwrap_or(Answer::Failed(Failure::Internal));
    drop(retelling);
    asking.answer(answer, why, call)
}

/// Tells a request's witnesses what happened to the one that was sent for it, also where it is given up.
struct Retelling<'a> {
    relay: Rc<Relay>,
    witnesses: &'a Witnesses<'a>,
}

impl Drop for Retelling<'_> {
    fn drop(&mut self) {
        self.relay.retell(self.witnesses);
    }
}

impl Asking<'_> {
    /// The response to the request that a fetch was begun for.
    fn answer(
        &self,
        answer: Answer,
        why: Why,
        call: &mut Call<'_>,
    ) -> Result<Response<Body>, Failure> {
        let now = clock::now();
        match answer {
            Answer::Failed(failure) => {
                self.tell_forwarded(why, None, call);
                Err(failure)
            }
            Answer::Revalidated(entry) => {
                let ttl = Some(entry.terms.ttl(now));
                let outcome = forwarded(why, Some(304), true, ttl);
                let served = self.serve(&entry, CacheResult::Revalidated, outcome, None, now, call);
                served.ok_or(Failure::Internal)
            }
            Answer::Stale(entry, stale) => {
                self.serve_stale(&entry, stale, now, call).ok_or(Failure::Internal)
            }
            Answer::Stored { entry, headers, coming } => {
                let (ttl, part) = (Some(entry.terms.ttl(now)), coming.part.clone());
                let made = respond(&entry, headers, Given::Coming(coming), call);
                // A part of what has broken off meanwhile.
                let (mut response, length) = made.ok_or(Failure::UpstreamReset)?;
                let is_part = part.is_some() && response.status() != StatusCode::PARTIAL_CONTENT;
                let status = is_part.then_some(StatusCode::PARTIAL_CONTENT.as_u16());
                self.say(forwarded(why, status, true, ttl), None, call, &mut response);
                let saved = part.map_or(0, |part| length.saturating_sub(part.end - part.start));
                self.tell_forwarded_in_part(why, None, saved, call);
                Ok(response)
            }
            Answer::Sliced { object, headers, first } => {
                let ttl = Some(object.terms.ttl(now));
                let slices = self.slices(&object, Some(first), call)?;
                let made = respond(&object, headers, Given::Slices(slices), call);
                let (mut response, _) = made.ok_or(Failure::Internal)?;
                let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
                let status = (!is_part).then_some(StatusCode::PARTIAL_CONTENT.as_u16());
                self.say(forwarded(why, status, true, ttl), None, call, &mut response);
                self.tell_forwarded(why, None, call);
                Ok(response)
            }
            // Only slices are answered so.
            Answer::Changed => Err(Failure::Internal),
            Answer::Alone { mut response, permit, reason } => {
                // It was not admitted itself.
                let _ = call.transaction.permit.set(permit);
                self.pass(why, Some(reason), call, &mut response);
                Ok(response)
            }
        }
    }

    /// Say that a response is passed on and not stored.
    pub(super) fn pass(
        &self,
        why: Why,
        reason: Option<NotStored>,
        call: &Call<'_>,
        response: &mut Response<Body>,
    ) {
        let outcome = forwarded(why, None, false, None);
        self.say(outcome, reason.map(NotStored::label), call, response);
        self.tell_forwarded(why, reason, call);
    }

    /// What became of a request for which the origin was asked, perhaps in vain.
    pub(super) fn tell_forwarded(&self, why: Why, reason: Option<NotStored>, call: &Call<'_>) {
        self.tell_forwarded_in_part(why, reason, 0, call);
    }

    /// The same, where so many bytes were there all the same.
    fn tell_forwarded_in_part(
        &self,
        why: Why,
        reason: Option<NotStored>,
        saved: u64,
        call: &Call<'_>,
    ) {
        let result = match why {
            Why::Stale => CacheResult::Expired,
            Why::Bypass | Why::Method | Why::Request => CacheResult::Bypass,
            Why::UriMiss | Why::VaryMiss | Why::Partial => CacheResult::Miss,
        };
        self.tell(result, call, saved, &|| CacheDecision {
            forwarded: Some(why.label()),
            reason: reason.map(NotStored::label),
            ..self.decision(result)
        });
    }
}

fn forwarded(why: Why, status: Option<u16>, stored: bool, ttl: Option<i64>) -> Outcome {
    Outcome::Forwarded { why, status, stored, collapsed: false, ttl }
}
