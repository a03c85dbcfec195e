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
        let (mut response, saved) = respond(entry, entry.fields.map(), None, call)?;
        response.headers_mut().insert(AGE, terms.age(now).as_secs().into());
        self.say(outcome, detail, call, &mut response);
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

/// The response to a request for what is stored in `entry`, with these fields of its: all of it, those parts that are
/// asked for, or that the client has it already; and how many bytes of the body it has, as far as is known. A body that
/// comes is read by `own`, where that is there already. `None` where the beginning of the body is gone.
pub(super) fn respond(
    entry: &Entry,
    headers: HeaderMap,
    own: Option<Body>,
    call: &Call<'_>,
) -> Option<(Response<Body>, u64)> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = entry.status;
    let (asked, method) = (&call.head.headers, &call.head.method);
    if is_not_modified(asked, method, entry.status, &headers, entry.arrived) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.headers_mut() = not_modified(headers);
        return Some((response, 0));
    }
    *response.headers_mut() = headers;
    if method == Method::HEAD {
        return Some((response, 0));
    }
    let length = entry.content.length();
    let selected = match length.filter(|_| entry.status == StatusCode::OK) {
        Some(length) => range::select(asked, method, response.headers(), entry.arrived, length),
        None => Selected::Whole,
    };
    let length = length.unwrap_or(0);
    match selected {
        Selected::Whole => {
            *response.body_mut() = own.or_else(|| entry.content.body())?;
            Some((response, length))
        }
        Selected::Parts(parts) => {
            make_partial(&mut response, &entry.content, length, &parts, call)?;
            Some((response, parts.iter().map(|part| part.end - part.start).sum()))
        }
        Selected::Unsatisfiable => {
            *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            let headers = response.headers_mut();
            headers.insert(CONTENT_RANGE, range::unsatisfied(length));
            headers.insert(CONTENT_LENGTH, 0.into());
            headers.remove(CONTENT_TYPE);
            Some((response, 0))
        }
    }
}

/// Make it a response that has these parts only of a content of this length; `None` where one of them is gone.
fn make_partial(
    response: &mut Response<Body>,
    content: &Content,
    length: u64,
    parts: &[Range<u64>],
    call: &Call<'_>,
) -> Option<()> {
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    if let [part] = parts {
        *response.body_mut() = content.part(part.clone())?;
        let headers = response.headers_mut();
        headers.insert(CONTENT_RANGE, range::content_range(part, length));
        headers.insert(CONTENT_LENGTH, (part.end - part.start).into());
        return Some(());
    }
    let mut random = call.client.local.outbound.random.borrow_mut();
    let boundary = u128::from(random.next()) << 64 | u128::from(random.next());
    let (body, content_type, length) = {
        let framing = Multipart::new(boundary, response.headers(), length);
        let mut bodies = Vec::with_capacity(2 * parts.len() + 1);
        for part in parts {
            bodies.extend([Body::full(framing.head(part)), content.part(part.clone())?]);
        }
        bodies.push(Body::full(framing.end()));
        (Body::joined(bodies), framing.content_type(), framing.length(parts))
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, length.into());
    *response.body_mut() = body;
    Some(())
}
