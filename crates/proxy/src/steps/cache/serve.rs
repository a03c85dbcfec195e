//! Serving: a response is made of what is stored.

use std::ops::Range;

use http::header::{AGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use tidegate_core::cache::cache_status::{CacheStatus, Outcome, Why};
use tidegate_core::cache::conditional::{is_not_modified, not_modified};
use tidegate_core::cache::range::{self, Multipart, Selected};
use tidegate_core::cache::reuse::Stale;
use tidegate_core::time::Moment;

use super::Asking;
use crate::account::explain::CacheDecision;
use crate::account::metrics::CacheResult;
use crate::call::Call;
use crate::http::body::Body;
use crate::objects::cache::{Content, Entry};

impl Asking<'_> {
    /// Answer with `entry`, which is fresh; `None` where the beginning of its body is gone.
    pub(super) fn serve_fresh(
        &self,
        entry: &Entry,
        now: Moment,
        call: &Call<'_>,
    ) -> Option<Response<Body>> {
        let outcome = Outcome::Hit { ttl: entry.terms_now().ttl(now) };
        self.serve(entry, CacheResult::Hit, outcome, None, now, call)
    }

    /// Answer with `entry`, which is not fresh any more, for this reason.
    pub(super) fn serve_stale(
        &self,
        entry: &Entry,
        stale: Stale,
        now: Moment,
        call: &Call<'_>,
    ) -> Option<Response<Body>> {
        let outcome = Outcome::Hit { ttl: entry.terms_now().ttl(now) };
        self.serve(entry, CacheResult::Stale, outcome, Some(stale.label()), now, call)
    }

    /// Answer with `entry`, which another request has asked for.
    pub(super) fn serve_collapsed(
        &self,
        entry: &Entry,
        now: Moment,
        call: &Call<'_>,
    ) -> Option<Response<Body>> {
        let ttl = Some(entry.terms.ttl(now));
        let (why, status, stored) = (Why::UriMiss, None, false);
        let outcome = Outcome::Forwarded { why, status, stored, collapsed: true, ttl };
        self.serve(entry, CacheResult::Collapsed, outcome, None, now, call)
    }

    /// Answer with `entry`, and tell what became of the request; `None` where the beginning of its body is gone.
    pub(super) fn serve(
        &self,
        entry: &Entry,
        result: CacheResult,
        outcome: Outcome,
        detail: Option<&'static str>,
        now: Moment,
        call: &Call<'_>,
    ) -> Option<Response<Body>> {
        self.of.cache.serve(entry);
        let terms = entry.terms_now();
        let mut response = respond(entry, entry.fields.map(), entry.content.body()?, call);
        response.headers_mut().insert(AGE, terms.age(now).as_secs().into());
        self.say(outcome, detail, call, &mut response);
        let saved = if response.body().is_end() { 0 } else { entry.content.length().unwrap_or(0) };
        self.tell(result, call, saved, &|| {
            let decision = self.decision_on(result, &terms, now);
            CacheDecision { reason: detail, ..decision }
        });
        Some(response)
    }

    /// Say in `Cache-Status` what became of the request. Tags are between the origin and the cache.
    pub(super) fn say(
        &self,
        outcome: Outcome,
        detail: Option<&'static str>,
        call: &Call<'_>,
        response: &mut Response<Body>,
    ) {
        let gateway = &call.snapshot.plan.name;
        for name in &self.settings.tags {
            response.headers_mut().remove(name);
        }
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
    if is_not_modified(asked, &call.head.method, entry.status, &headers, entry.arrived) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.headers_mut() = not_modified(headers);
        return response;
    }
    *response.headers_mut() = headers;
    if call.head.method == Method::HEAD {
        return response;
    }
    let (length, part_of): (_, &dyn Fn(Range<u64>) -> Body) = match &entry.content {
        Content::Whole(pieces) => (pieces.length(), &|range| pieces.part(range)),
        Content::OnDisk(stored) => (stored.length(), &|range| stored.part(range)),
        Content::Coming(_) => {
            *response.body_mut() = body;
            return response;
        }
    };
    let selected =
        range::select(asked, &call.head.method, response.headers(), entry.arrived, length);
    match selected {
        Selected::Parts(parts) if entry.status == StatusCode::OK => {
            partial(&mut response, part_of, length, &parts, call);
        }
        Selected::Unsatisfiable if entry.status == StatusCode::OK => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let headers = response.headers_mut();
            headers.insert(CONTENT_RANGE, range::unsatisfied(length));
            headers.insert(CONTENT_LENGTH, 0.into());
            headers.remove(CONTENT_TYPE);
        }
        _ => *response.body_mut() = body,
    }
    response
}

/// Make it a response that has these parts of the body only.
fn partial(
    response: &mut Response<Body>,
    part_of: &dyn Fn(Range<u64>) -> Body,
    length: u64,
    parts: &[Range<u64>],
    call: &Call<'_>,
) {
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    if let [part] = parts {
        let headers = response.headers_mut();
        headers.insert(CONTENT_RANGE, range::content_range(part, length));
        headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
        *response.body_mut() = part_of(part.clone());
        return;
    }
    let mut random = call.client.local.outbound.random.borrow_mut();
    let boundary = u128::from(random.next()) << 64 | u128::from(random.next());
    let (body, content_type, length) = {
        let framing = Multipart::new(boundary, response.headers(), length);
        let framed =
            parts.iter().flat_map(|part| [Body::full(framing.head(part)), part_of(part.clone())]);
        let body = Body::joined(framed.chain([Body::full(framing.end())]));
        (body, framing.content_type(), framing.length(parts))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, length.into());
    *response.body_mut() = body;
}
