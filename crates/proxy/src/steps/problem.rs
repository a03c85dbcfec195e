//! Problem: the answer to a request that failed.

use http::Response;
use http::header::WWW_AUTHENTICATE;
use tidegate_core::failure::Failure;

use crate::account::event::Event;
use crate::call::{Call, Transaction};
use crate::http::body::Body;
use crate::http::problem::{Problem, takes_json};
use crate::http::quota::Exceeded;
use crate::snapshot::Snapshot;

/// Answer that a call failed: in JSON where the client takes it, else in plain text.
pub fn answer(call: &Call<'_>, failure: Failure) -> Response<Body> {
    let mut response = problem_of(call, failure);
    if failure == Failure::Unauthenticated {
        let authenticators = &call.snapshot.authenticators_of_routes[call.found.route];
        for challenge in authenticators.iter().filter_map(|each| each.challenge()) {
            response.headers_mut().append(WWW_AUTHENTICATE, challenge.clone());
        }
    }
    response
}

fn problem_of(call: &Call<'_>, failure: Failure) -> Response<Body> {
    let exceeded = call.quotas.as_ref().and_then(|quotas| quotas.exceeded.as_ref());
    if let Some(policy) = exceeded.and_then(|exceeded| exceeded.policies.first()) {
        call.tell(&Event::RateLimitRefused(policy));
    }
    problem(call.snapshot, call.transaction, failure, takes_json(&call.head.headers), exceeded)
}

/// Answer what could not be read as a request.
pub fn refuse(
    snapshot: &Snapshot,
    transaction: &Transaction<'_>,
    failure: Failure,
) -> Response<Body> {
    problem(snapshot, transaction, failure, false, None)
}

fn problem(
    snapshot: &Snapshot,
    transaction: &Transaction<'_>,
    failure: Failure,
    json: bool,
    exceeded: Option<&Exceeded>,
) -> Response<Body> {
    transaction.witnesses.tell(&Event::Failed(failure));
    let record = transaction.witnesses.record();
    let (gateway, request_id, tries) = (&snapshot.plan.name, &record.request_id, record.tries);
    Problem { failure, gateway, request_id, tries, json, exceeded }.response()
}
