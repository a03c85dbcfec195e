//! What passes the cache by may change what is stored: an unsafe request invalidates (RFC 9111 §4.4), a response to HEAD
//! freshens (§4.3.5).

use std::sync::Arc;
use std::time::SystemTime;

use http::{Method, Response, request};
use tidegate_core::cache::age::Times;
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::freshening::{freshen, head_agrees};
use tidegate_core::cache::invalidation::{invalidates, places};
use tidegate_core::cache::key::Url;
use tidegate_core::cache::storing;

use super::Asking;
use crate::account::metrics::PurgeKind;
use crate::call::Call;
use crate::http::body::Body;
use crate::net::clock;

/// Take in the `response` to a request that passed the cache by, for this reason.
pub fn after(asking: &Asking<'_>, why: Why, call: &Call<'_>, response: &mut Response<Body>) {
    if invalidates(&call.head.method, response.status()) {
        asking.invalidate(call, response);
    } else if call.head.method == Method::HEAD {
        asking.freshen(call.head, response);
    }
    asking.pass(why, None, call, response);
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
        self.of.cache.metrics.purged(local.index(), PurgeKind::Invalidation);
        if is_due {
            let cache = self.of.cache.clone();
            // Where that is not possible now, the next one will.
            let _ = local.outbound.long_work.submit(move || cache.sweep(clock::now()));
        }
    }

    /// What is stored gets what the response to HEAD tells of it, or goes where that is about another one.
    fn freshen(&self, asked: &request::Parts, response: &Response<Body>) {
        let (cache, now) = (&self.of.cache, clock::now());
        let Some(variants) = cache.find(&self.key) else { return };
        let found = cache.select(&variants, self.settings, &self.key, &asked.headers, now);
        let Some(entry) = found.filter(|entry| entry.status == response.status()) else { return };
        let length = entry.content.length().unwrap_or(0);
        if !head_agrees(&entry.headers, length, response.headers()) {
            cache.remove(entry);
            return;
        }
        let newer = storing::fields(self.settings, response.headers());
        let headers = freshen(&entry.headers, &newer);
        let judged = storing::Response { status: entry.status, headers: &headers };
        let request = storing::Request {
            method: &Method::GET,
            headers: &asked.headers,
            has_body: false,
            url: entry.url(),
        };
        // The response is not older than its request; how long that took is not known here.
        let times = Times { sent: now, arrived: now, date: SystemTime::now() };
        match storing::judge(self.settings, &request, &judged, &times) {
            Ok(terms) => {
                let renewed = entry.renewed(headers, terms, times.date, entry.asked_at);
                cache.put(Arc::new(renewed));
            }
            Err(_) => cache.remove(entry),
        }
    }
}
