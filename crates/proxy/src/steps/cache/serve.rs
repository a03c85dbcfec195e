//! Serving: a response is made of what is stored.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use http::header::{AGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use tidegate_core::cache::cache_status::{CacheStatus, Outcome, Why};
use tidegate_core::cache::conditional::{is_not_modified, not_modified};
use tidegate_core::cache::range::{self, Multipart, Selected};
use tidegate_core::cache::reuse::Stale;
use tidegate_core::time::Moment;

use super::Asking;
use super::fetch::Coming;
use super::slices::ServedSlices;
use crate::account::explain::CacheDecision;
use crate::account::metrics::CacheResult;
use crate::call::Call;
use crate::http::body::Body;
use crate::objects::cache::{Content, Entry};

/// What `entry` lacks of what a request asks for; `None` where it lacks nothing.
pub(super) fn lacks(entry: &Entry, call: &Call<'_>) -> Option<Range<u64>> {
    let Content::Partial(partial) = &entry.content else { return None };
    let (asked, method, stored) = (&call.head.headers, &call.head.method, &entry.fields.map());
    let needs_body = *method != Method::HEAD
        && !is_not_modified(asked, method, entry.status, stored, entry.arrived());
    let selected = || range::select(asked, method, stored, entry.arrived(), partial.length());
    needs_body.then(selected).and_then(|selected| partial.lacks(&selected))
}

/// The first byte of `entry` that a request wants.
pub(super) fn first_byte(entry: &Entry, call: &Call<'_>) -> u64 {
    let Some(length) = entry.content.length() else { return 0 };
    let (asked, method, stored) = (&call.head.headers, &call.head.method, &entry.fields.map());
    match range::select(asked, method, stored, entry.arrived(), length) {
        Selected::Parts(parts) => parts.first().map_or(0, |part| part.start),
        Selected::Whole | Selected::Unsatisfiable => 0,
    }
}

impl Asking<'_> {
    /// Answer with `entry`, which is fresh; `None` where the beginning of its body is gone.
    pub(super) fn serve_fresh(
        &self,
        entry: &Arc<Entry>,
        now: Moment,
        call: &Call<'_>,
    ) -> Option<Response<Body>> {
        let outcome = Outcome::Hit { ttl: entry.terms_now().ttl(now) };
        self.serve(entry, CacheResult::Hit, outcome, None, now, call)
    }

    /// Answer with `entry`, which is not fresh any more, for this reason.
    pub(super) fn serve_stale(
        &self,
        entry: &Arc<Entry>,
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
        entry: &Arc<Entry>,
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
        entry: &Arc<Entry>,
        result: CacheResult,
        outcome: Outcome,
        detail: Option<&'static str>,
        now: Moment,
        call: &Call<'_>,
    ) -> Option<Response<Body>> {
        self.of.cache.serve(entry);
        let terms = entry.terms_now();
        let given = match entry.sliced() {
            None => Given::Stored,
            Some(_) => Given::Slices(self.slices(entry, None, call).ok()?),
        };
        let (mut response, saved) = respond(entry, entry.fields.map(), given, call)?;
        response.headers_mut().insert(AGE, terms.age(now).as_secs().into());
        self.say(outcome, detail, call, &mut response);
        // Those in slices are counted as they are read.
        let saved = if entry.sliced().is_some() { 0 } else { saved };
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

/// Where the bytes are that are given of what is stored.
pub(super) enum Given {
    /// Where the rest of it is.
    Stored,
    /// They come for the request that asked for them.
    Coming(Coming),
    /// In slices.
    Slices(Rc<ServedSlices>),
}

impl Given {
    /// The part of the whole that comes for the request, where it is one.
    fn part(&self) -> Option<Range<u64>> {
        match self {
            Self::Coming(coming) => coming.part.clone(),
            Self::Stored | Self::Slices(_) => None,
        }
    }

    /// These bytes of `content`, which the whole has; `None` where they are not there.
    fn body(&self, content: &Content, range: Range<u64>) -> Option<Body> {
        match self {
            Self::Stored | Self::Coming(_) => content.part(range),
            Self::Slices(slices) => Some(slices.part(range)),
        }
    }

    /// All of it.
    fn whole(self, content: &Content) -> Option<Body> {
        match (self, content) {
            // It may have broken off since its head came. What was there at once is not cut from what is stored.
            (Self::Coming(coming), Content::Coming(_) | Content::Whole(_))
                if coming.part.is_none() =>
            {
                Some(coming.body)
            }
            (Self::Slices(slices), _) => Some(slices.part(0..content.length()?)),
            (_, content) => content.body(),
        }
    }
}

/// The response to a request for what is stored in `entry`, with these fields of its: all of it, those parts that are
/// asked for, or that the client has it already; and how many bytes that are stored it has, as far as is known. Where
/// it lacks what is asked for, the part that is coming for this request. `None` where that is not there either.
pub(super) fn respond(
    entry: &Entry,
    headers: HeaderMap,
    given: Given,
    call: &Call<'_>,
) -> Option<(Response<Body>, u64)> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = entry.status;
    let (asked, method) = (&call.head.headers, &call.head.method);
    if is_not_modified(asked, method, entry.status, &headers, entry.arrived()) {
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
        Some(length) => range::select(asked, method, response.headers(), entry.arrived(), length),
        None => Selected::Whole,
    };
    let length = length.unwrap_or(0);
    let selected = match (given.part(), &entry.content) {
        (Some(part), Content::Partial(partial)) if partial.lacks(&selected).is_some() => {
            Selected::Parts([part].into())
        }
        _ => selected,
    };
    match selected {
        Selected::Whole => {
            *response.body_mut() = given.whole(&entry.content)?;
            Some((response, length))
        }
        Selected::Parts(parts) => {
            let part_of = |range| given.body(&entry.content, range);
            make_partial(&mut response, &part_of, length, &parts, call)?;
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

/// Make it a response that has these parts only of a body of this length; `None` where one of them is gone.
fn make_partial(
    response: &mut Response<Body>,
    part_of: &dyn Fn(Range<u64>) -> Option<Body>,
    length: u64,
    parts: &[Range<u64>],
    call: &Call<'_>,
) -> Option<()> {
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    if let [part] = parts {
        *response.body_mut() = part_of(part.clone())?;
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
            bodies.extend([Body::full(framing.head(part)), part_of(part.clone())?]);
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
