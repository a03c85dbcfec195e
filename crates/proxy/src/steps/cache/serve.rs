//! Serving: a response is made of what is stored.

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{ACCEPT_RANGES, AGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tidegate_core::cache::cache_status::{CacheStatus, Outcome};
use tidegate_core::cache::conditional::{is_not_modified, not_modified};
use tidegate_core::cache::range::{self, Selected};
use tidegate_core::cache::reuse::Stale;
use tidegate_core::time::Moment;

use super::Asking;
use crate::account::metrics::CacheResult;
use crate::call::Call;
use crate::http::body::Body;
use crate::objects::cache::{Content, Entry};

impl Asking<'_> {
    /// Answer with `entry`, as what is said by `outcome`; `None` where its beginning is gone.
    pub(super) fn serve(
        &self,
        entry: &Arc<Entry>,
        result: CacheResult,
        stale: Option<Stale>,
        now: Moment,
        call: &Call<'_>,
    ) -> Option<Response<Body>> {
        let terms = entry.terms_now();
        let mut response = respond(entry, entry.headers.clone(), entry.content.body()?, call);
        response.headers_mut().insert(AGE, seconds(terms.age(now).as_secs()));
        let outcome = match result {
            CacheResult::Collapsed => Outcome::collapsed(terms.ttl(now)),
            _ => Outcome::Hit { ttl: terms.ttl(now) },
        };
        self.say(outcome, stale.map(Stale::label), call, &mut response);
        let saved = if response.body().is_end() { 0 } else { entry.content.length().unwrap_or(0) };
        self.tell(result, call, Some(saved), &|| {
            let mut decision = self.decision_on(result, &terms, now);
            decision.reason = stale.map(Stale::label);
            decision
        });
        Some(response)
    }

    /// Say in `Cache-Status` what became of the request.
    pub(super) fn say(
        &self,
        outcome: Outcome,
        detail: Option<&'static str>,
        call: &Call<'_>,
        response: &mut Response<Body>,
    ) {
        let gateway = &call.snapshot.plan.name;
        CacheStatus { gateway, outcome, detail, key: None }.write(response.headers_mut());
    }
}

/// The response to a request for what is stored in `entry`, with these fields and this body of its: all of it, those
/// parts that are asked for, or that the client has it already.
pub(super) fn respond(
    entry: &Entry,
    headers: HeaderMap,
    body: Body,
    call: &Call<'_>,
) -> Response<Body> {
    let (mut response, body) = (Response::new(Body::Empty), body);
    *response.status_mut() = entry.status;
    let asked = &call.head.headers;
    if is_not_modified(asked, &call.head.method, entry.status, &entry.headers, entry.arrived) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.headers_mut() = not_modified(headers);
        return response;
    }
    *response.headers_mut() = headers;
    if call.head.method == Method::HEAD {
        return response;
    }
    match parts(entry, asked) {
        Some((pieces, Selected::Parts(parts))) => {
            let length = pieces.length();
            match &*parts {
                [part] => {
                    let headers = response.headers_mut();
                    headers.insert(CONTENT_RANGE, range::content_range(part, length));
                    headers.insert(CONTENT_LENGTH, seconds(part.end - part.start));
                    *response.body_mut() = pieces.part(part.clone());
                }
                several => multipart(&mut response, pieces, several, call),
            }
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Some((pieces, Selected::Unsatisfiable)) => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let headers = response.headers_mut();
            headers.insert(CONTENT_RANGE, range::unsatisfied(pieces.length()));
            headers.insert(CONTENT_LENGTH, seconds(0));
            headers.remove(CONTENT_TYPE);
        }
        _ => *response.body_mut() = body,
    }
    response
}
