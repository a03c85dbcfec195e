//! The life of a request, from its head to the head of its response: the order of the steps, and nothing else.
//!
//! A step is a file in [`steps`](crate::steps), a line here, and what it is set to in the [`Route`](crate::snapshot::Route).
//! The order is: request id, route, client networks, rate limits by what is known of any client, CORS preflight,
//! authenticate, access, CSRF, rate limits by identity, WAF and threat score, rewrite, cache lookup, mirror, client
//! certificate, admit, send; and on the response cache store, compress, response headers, gRPC, gRPC-Web. Those that there
//! are stand here in it.

use http::Response;
use tidegate_core::failure::Failure;

use crate::call::{Call, Transaction};
use crate::client::Client;
use crate::http::body::Body;
use crate::http::partial_head::PartialHead;
use crate::snapshot::{Action, Destination, Forward, RateLimits};
use crate::steps::cache::{Asking, Found, Lookup};
use crate::steps::time_limit::Steps;
use crate::steps::{
    Flow, access, admit, alt_svc, authenticate, body_limit, cache, client_cert, client_networks,
    cold_keys, cors, csrf, destination, forwarded, grpc, grpc_web, guarded_fields,
    identity_headers, mirror, problem, rate_limits, redirect, request_headers, request_id, respond,
    response_headers, rewrite, route, security_headers, send, time_limit, tunnel,
};
use crate::upstream::affinity;

/// Take a step; where it answers, those after it are not taken.
macro_rules! step {
    ($step:expr) => {
        if let Flow::Answer(response) = $step? {
            return Ok(Flow::Answer(response));
        }
    };
}

/// Answer a call.
pub async fn answer(call: &mut Call<'_>) -> Response<Body> {
    let mut response = match before(call).await {
        Ok(Flow::Answer(mut response)) => match after(call, &mut response) {
            Ok(()) => response,
            Err(failure) => problem::answer(call, failure),
        },
        Ok(Flow::Go) => problem::answer(call, Failure::Internal),
        Err(failure) => problem::answer(call, failure),
    };
    alt_svc::after(call, &mut response);
    security_headers::after(call, &mut response);
    cors::after(call, &mut response);
    rate_limits::after(call, &mut response);
    request_id::after(call.transaction, &mut response);
    grpc::after(call, &mut response);
    grpc_web::after(call, &mut response);
    response
}

/// Answer what could not even be read as a request.
pub fn refuse<'a>(
    client: &'a Client,
    failure: Failure,
    known: &PartialHead<'_>,
) -> (Response<Body>, Transaction<'a>) {
    let snapshot = client.local.snapshot();
    let transaction = Transaction::begin_unread(client, &snapshot, known);
    let mut response = problem::refuse(&snapshot, &transaction, failure);
    request_id::after(&transaction, &mut response);
    grpc::refuse(&transaction, known, &mut response);
    (response, transaction)
}

/// The steps that a request takes, until one answers.
async fn before(call: &mut Call<'_>) -> Result<Flow, Failure> {
    guarded_fields::before(call);
    let route = route::before(call)?;
    grpc_web::before(route.grpc_web, call);
    grpc::before(route.rpc_counts.as_deref(), call);
    cors::note(route.cors.as_deref(), call);
    if let Action::Forward(forward) = &route.action {
        time_limit::before(forward, call);
    }
    client_networks::before(route.address_rules.as_deref(), call)?;
    let limits = &call.snapshot.limits_of_routes[call.found.route];
    pass(&limits.of_any, call).await?;
    step!(cors::before(route.cors.as_deref(), call));
    if let Some(access) = &route.access {
        let authenticators = &call.snapshot.authenticators_of_routes[call.found.route];
        if let Some(pending) = authenticate::before(access, authenticators, call)? {
            let found = pending.await;
            step!(authenticate::resume(found, call));
        }
        access::before(access, call)?;
    }
    csrf::before(route.csrf.as_ref(), call)?;
    pass(&limits.of_identities, call).await?;
    step!(body_limit::before(route.body_limit, call));
    let time_left = call.time_left;
    match &route.action {
        Action::Redirect(redirect) => redirect::before(redirect, call),
        Action::Respond(fixed) => respond::before(fixed),
        Action::Forward(forward) => {
            let destination = destination::before(forward.split.as_ref(), call)?;
            let asking = cache::asking(forward, destination, call);
            if let Some(response) = cache::at_once(asking.as_deref(), forward, call) {
                return Ok(Flow::Answer(response));
            }
            if let Some(asking) = &asking {
                if let Some(purging) = cache::purge(asking, call)? {
                    return time_limit::around(time_left, purging).await.map(Flow::Answer);
                }
                cache::write_host(asking, call);
            }
            forwarding(forward, destination, call)?;
            let steps: Steps<'_> = match asking {
                None => Box::pin(sending(forward, destination, call)),
                Some(asking) => match cache::before(&asking, call)? {
                    Some(Found::Answer(response)) => return Ok(Flow::Answer(response)),
                    found => Box::pin(cached(asking, found, forward, destination, call)),
                },
            };
            time_limit::around(time_left, steps).await.map(Flow::Answer)
        }
    }
}

/// The rate limits of a pass, with what has to be waited for.
async fn pass<'a>(limits: &'a RateLimits, call: &mut Call<'a>) -> Result<(), Failure> {
    if limits.is_empty() {
        return Ok(());
    }
    if let Some(words) = cold_keys::before(limits, call) {
        words.come().await;
    }
    if let Some(turn) = rate_limits::before(limits, call)? {
        turn.come().await;
    }
    Ok(())
}

/// Those that make of a request what the upstream gets.
fn forwarding(
    forward: &Forward,
    destination: &Destination,
    call: &mut Call<'_>,
) -> Result<(), Failure> {
    forwarded::before(&destination.upstream, call)?;
    rewrite::before(forward.rewrite.as_ref(), call)?;
    request_headers::before(&forward.request_headers, call)?;
    identity_headers::before(&forward.identity_headers, call);
    tunnel::before(call);
    Ok(())
}

/// Those of a request that the cache does not answer at once.
async fn cached(
    asking: Box<Asking<'_>>,
    found: Option<Found>,
    forward: &Forward,
    destination: &Destination,
    call: &mut Call<'_>,
) -> Result<Response<Body>, Failure> {
    match cache::follow(&asking, found, call).await? {
        Lookup::Answer(response) => Ok(response),
        Lookup::Fetch(fetch) => {
            mirror::before(forward, call);
            client_cert::before(&destination.upstream, call)?;
            cache::answer(*fetch, &asking, forward, call).await
        }
        Lookup::Pass(passing) => {
            let response = sending(forward, destination, call).await;
            cache::after(&asking, passing, call, response)
        }
    }
}

/// Those of a request that goes to an endpoint.
#[expect(clippy::manual_async_fn, reason = "an async function keeps its arguments twice")]
fn sending<'a>(
    forward: &'a Forward,
    destination: &'a Destination,
    call: &'a mut Call<'_>,
) -> impl Future<Output = Result<Response<Body>, Failure>> {
    async move {
        mirror::before(forward, call);
        client_cert::before(&destination.upstream, call)?;
        let permit = admit::before(forward, &destination.upstream, call).await?;
        send::before(forward, destination, permit, call).await
    }
}

/// The steps that its response takes.
fn after(call: &Call<'_>, response: &mut Response<Body>) -> Result<(), Failure> {
    tunnel::after(call, response)?;
    affinity::tell(response);
    response_headers::after(call, response);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SMALL_BLOCK, size_of_future, unmade};

    #[test]
    fn the_steps_of_a_forwarded_request_are_a_small_block() {
        let size = size_of_future(|| sending(unmade(), unmade(), unmade()));
        assert!(size <= SMALL_BLOCK, "{size}");
    }
}
