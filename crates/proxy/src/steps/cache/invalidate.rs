//! What passes the cache by may change what is stored: an unsafe request invalidates (RFC 9111 §4.4), a response to HEAD
//! freshens (§4.3.5).

use std::sync::Arc;
use std::time::SystemTime;

use http::{Method, Response};
use tidegate_core::cache::age::Times;
use tidegate_core::cache::freshening::{freshen, head_agrees};
use tidegate_core::cache::invalidation::{invalidates, places};
use tidegate_core::cache::key::Url;
use tidegate_core::cache::storing;
use tidegate_core::cache::vary::Vary;
use tidegate_core::failure::Failure;
use tokio::task::spawn_local;

use super::storable::{Begun, Candidate, begin, newer_fields, newer_tags};
use super::{Asking, Passing};
use crate::account::metrics::PurgeKind;
use crate::call::Call;
use crate::http::body::Body;
use crate::net::clock;
use crate::objects::cache::{AskedAt, Renewal};

/// Take in what the origin came to for a request that passed the cache by.
///
/// # Errors
/// If there is no response.
pub fn after(
    asking: &Asking<'_>,
    passing: Passing,
    call: &Call<'_>,
    response: Result<Response<Body>, Failure>,
) -> Result<Response<Body>, Failure> {
    let Passing { why, asked_at } = passing;
    let mut response = response.inspect_err(|_| asking.tell_forwarded(why, None, call))?;
    if invalidates(&call.head.method, response.status()) {
        asking.invalidate(call, &response);
    }
    if call.head.method == Method::HEAD {
        asking.freshen(call, &mut response);
    }
    if let Some(asked_at) = asked_at
        && !asking.settings.forbids_storing(call.head)
    {
        response = asking.store_as_to_get(call, response, asked_at);
    }
    asking.pass(why, None, call, &mut response);
    Ok(response)
}

impl Asking<'_> {
    /// Nothing that is stored for the URL holds any more, and for those that the response names on the same host.
    fn invalidate(&self, call: &Call<'_>, response: &Response<Body>) {
        let Some(target) = &self.target else { return };
        let url = target.url();
        let mut is_due = self.of.invalidate(&url);
        for (path, query) in places(&url, response.headers()) {
            is_due |= self.of.invalidate(&Url { path: &path, query, ..url });
        }
        let local = &call.client.local;
        self.of.cache.metrics.purged(PurgeKind::Invalidation);
        if is_due {
            self.of.cache.have_swept(&local.outbound.long_work);
        }
    }

    /// The request as rules look at it, as one by this method.
    fn request<'r>(&'r self, method: &'r Method, call: &'r Call<'_>) -> storing::Request<'r> {
        storing::Request {
            method,
            headers: &call.head.headers,
            has_body: false,
            url: self.target.as_ref().map_or(self.key.asked(), |target| target.url()),
            is_authenticated: call.proof.is_some(),
        }
    }

    /// Store the response to POST where it says that it is what GET would be answered with (RFC 9110 §9.3.3).
    fn store_as_to_get(
        &self,
        call: &Call<'_>,
        mut response: Response<Body>,
        asked_at: AskedAt,
    ) -> Response<Body> {
        let (cache, key) = (&self.of.cache, Arc::new(self.key.stored()));
        let request = self.request(&Method::POST, call);
        let began = call.transaction.witnesses.record().began;
        let (sent, arrived) = (clock::moment(began), clock::now());
        let times = Times { sent, arrived, date: SystemTime::now() };
        let (settings, asked) = (self.settings, &asked_at);
        let candidate = Candidate { cache, settings, key: &key, request, asked_at: asked };
        let Ok(parts) = candidate.parts(&mut response, &times) else { return response };
        let status = response.status();
        let worker = call.client.local.index();
        let Begun { headers, body, pouring, .. } = begin(cache, response, parts, asked_at, worker);
        spawn_local(pouring.run());
        let mut response = Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        response
    }

    /// What is stored gets what the response to HEAD tells of it, or is stale where that is about another one.
    fn freshen(&self, call: &Call<'_>, response: &mut Response<Body>) {
        let (cache, now) = (&self.of.cache, clock::now());
        let Some(variants) = cache.find(&self.key) else { return };
        let asked = &call.head.headers;
        let found = cache.select(&variants, self.settings, &self.key, asked, now);
        let Some(entry) = found.filter(|entry| entry.status == response.status()) else { return };
        let length = entry.content.length().unwrap_or(0);
        let stored = entry.fields.map();
        if !head_agrees(&stored, length, response.headers()) {
            cache.soften(entry, now);
            return;
        }
        // The response is not older than its request; how long that took is not known here.
        let times = Times { sent: now, arrived: now, date: SystemTime::now() };
        let tags = newer_tags(self.settings, response.headers_mut());
        let headers = freshen(&stored, &newer_fields(self.settings, response.headers(), &times));
        let directives = &self.settings.freshness.directives(&headers);
        let judged = storing::Response { status: entry.status, headers: &headers, directives };
        let terms =
            storing::judge(self.settings, &self.request(&Method::GET, call), &judged, &times);
        match terms.and_then(|terms| Ok((terms, tags?))) {
            Ok((terms, tags)) => {
                let renewal = Renewal {
                    vary: Vary::of(&self.settings.vary, &headers, asked),
                    fields: headers.iter().collect(),
                    terms,
                    tags,
                    arrived: times.date,
                    asked_at: entry.asked_at,
                };
                cache.put(Arc::new(entry.renewed(renewal)));
            }
            Err(_) => cache.remove(entry),
        }
    }
}
