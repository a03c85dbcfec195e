//! Settling: what follows from what the origin came to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use tidegate_core::cache::Settings;
use tidegate_core::cache::age::Times;
use tidegate_core::cache::directives::OfRequest;
use tidegate_core::cache::freshening::freshen;
use tidegate_core::cache::reuse::{Trouble, instead_of};
use tidegate_core::cache::storing::{self, NotStored};
use tidegate_core::cache::vary::Vary;
use tidegate_core::failure::Failure;

use super::fetch::{Answer, Coming, Fetch, Fetched};
use super::pour::Pouring;
use super::storable::{Begun, Candidate, begin, content, newer_fields, newer_tags};
use super::wanted::Wanted;
use crate::account::metrics::FillResult;
use crate::http::body::Body;
use crate::net::clock;
use crate::objects::cache::{Content, Entry, Parts, Renewal, Word};
use crate::upstream::admission::Permit;
use crate::upstream::affinity;

/// How long the origin is left alone after it was asked in vain.
const REST: Duration = Duration::from_secs(1);

impl Fetch {
    /// There is no response: what is stored may take its place.
    pub(super) fn failed(
        &self,
        failure: Failure,
        settings: &Settings,
        asked: &HeaderMap,
    ) -> Answer {
        self.instead_of(Trouble::Unreachable, settings, asked).unwrap_or_else(|| {
            self.tell(Word::Failed(failure));
            Answer::Failed(failure)
        })
    }

    /// What is stored in place of `trouble`, where it may be used.
    fn instead_of(
        &self,
        trouble: Trouble,
        settings: &Settings,
        asked: &HeaderMap,
    ) -> Option<Answer> {
        let now = clock::now();
        // It may have been purged while the origin was asked, or have gone from disk.
        let entry = self
            .entry
            .as_ref()
            .filter(|entry| entry.content.is_there() && self.cache.purges.spare(entry, now))?;
        let wanted = settings.honours_requests.then(|| OfRequest::of(asked));
        let stale = instead_of(trouble, &entry.terms_now(), wanted.as_ref(), now)?;
        entry.rest_until(now.after(REST));
        self.tell(Word::Stale(entry.clone(), stale));
        Some(Answer::Stale(entry.clone(), stale))
    }

    /// Tell those behind it.
    pub(super) fn tell(&self, word: Word) {
        if let Some(leading) = &self.leading {
            leading.tell(word);
        }
    }

    /// What follows from a response, which was `asked` for with these fields: the answer, and what is to be stored as it
    /// comes.
    pub(super) fn settle(
        mut self,
        fetched: Fetched,
        settings: &Settings,
        asked: &HeaderMap,
    ) -> (Answer, Option<Pouring>) {
        let is_part = fetched.response.status() == StatusCode::PARTIAL_CONTENT;
        match &self.wanted {
            Wanted::Slice(number, Some(object)) => {
                let (number, object) = (*number, object.clone());
                return self.settle_slice(number, &object, fetched, settings, asked);
            }
            Wanted::Slice(number, None) if fetched.sliced.is_some() => {
                let number = *number;
                return self.settle_first_slice(number, fetched);
            }
            Wanted::Part | Wanted::Missing(..) if is_part => {
                return self.settle_part(fetched, settings, asked);
            }
            Wanted::Whole | Wanted::Part | Wanted::Missing(..) | Wanted::Slice(..) => (),
        }
        let Fetched { mut response, permit, times, .. } = fetched;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED
            && let Some(entry) = self.entry.take()
        {
            return (self.revalidated(&entry, &mut response, settings, asked, &times), None);
        }
        if let Some(answer) = self.instead_of(Trouble::Status(status.as_u16()), settings, asked) {
            return (answer, None);
        }
        let parts = match self.stores {
            true => self.candidate(settings, asked).parts(&mut response, &times),
            false => Err(NotStored::Configured),
        };
        match parts {
            Ok(parts) => match content(&response) {
                Some(content) if content.len() as u64 <= self.cache.plan.max_object.get() => {
                    (self.whole(response, parts, &content), None)
                }
                _ => {
                    let (answer, pouring) = self.begun(response, parts, permit);
                    (answer, Some(pouring))
                }
            },
            Err(reason) => {
                // Those behind a response that is not stored yet, as it was not asked for often enough, ask again.
                if reason != NotStored::MinUses {
                    self.tell(Word::Private);
                }
                if reason.is_of_response() {
                    if let Some(entry) = self.stored().filter(|_| !status.is_server_error()) {
                        // The origin has another one by now.
                        self.cache.remove(entry);
                    }
                    self.cache.mark_private(self.key.hash, times.arrived);
                }
                (Answer::Alone { response, permit, reason }, None)
            }
        }
    }

    /// The response as one that may be stored, which was asked for with these fields.
    pub(super) fn candidate<'a>(
        &'a self,
        settings: &'a Settings,
        asked: &'a HeaderMap,
    ) -> Candidate<'a> {
        let (cache, key, request) = (&self.cache, &self.key, self.request(asked));
        Candidate { cache, settings, key, request, asked_at: &self.asked_at }
    }

    /// The request as rules look at it, which asked with these fields.
    pub(super) fn request<'a>(&'a self, asked: &'a HeaderMap) -> storing::Request<'a> {
        storing::Request {
            method: &Method::GET,
            headers: asked,
            has_body: false,
            url: self.key.asked(),
            is_authenticated: self.is_authenticated,
        }
    }

    /// Store a response that is all there.
    fn whole(self, mut response: Response<Body>, mut parts: Parts, content: &Bytes) -> Answer {
        affinity::tell(&mut response);
        let (head, body) = response.into_parts();
        // As it was read it keeps the whole buffer that it came in.
        parts.content = Content::Whole(Bytes::copy_from_slice(content).into());
        let entry = Arc::new(Entry::new(parts));
        self.cache.put(entry.clone());
        self.tell(Word::Shared(entry.clone()));
        self.cache.metrics.filled(self.local.index(), FillResult::Stored);
        Answer::Stored { entry, headers: head.headers, coming: Coming { body, part: None } }
    }

    /// Begin to store a response.
    fn begun(self, response: Response<Body>, parts: Parts, permit: Permit) -> (Answer, Pouring) {
        let worker = self.local.index();
        let Begun { entry, headers, body, mut pouring } =
            begin(&self.cache, response, parts, self.asked_at, worker);
        if let Some(leading) = &self.leading {
            leading.tell(Word::Shared(entry.clone()));
        }
        (pouring._leading, pouring.permit) = (self.leading, Some(permit));
        let coming = Coming { body, part: None };
        (Answer::Stored { entry, headers, coming }, pouring)
    }

    /// What is stored still holds: it is stored anew with what has changed of its head.
    fn revalidated(
        &self,
        entry: &Arc<Entry>,
        response: &mut Response<Body>,
        settings: &Settings,
        asked: &HeaderMap,
        times: &Times,
    ) -> Answer {
        let tags = newer_tags(settings, response.headers_mut());
        let newer = newer_fields(settings, response.headers(), times);
        let headers = freshen(&entry.fields.map(), &newer);
        let directives = &settings.freshness.directives(&headers);
        let request = self.request(asked);
        let judged = storing::Response { status: entry.status, headers: &headers, directives };
        match storing::judge(settings, &request, &judged, times)
            .and_then(|terms| Ok((terms, tags?)))
        {
            Ok((terms, tags)) => {
                let renewal = Renewal {
                    vary: Vary::of(&settings.vary, &headers, asked),
                    fields: headers.iter().collect(),
                    terms,
                    tags,
                    arrived: times.date,
                    asked_at: self.asked_at.number,
                };
                let fresh = Arc::new(entry.renewed(renewal));
                self.cache.put(fresh.clone());
                self.tell(Word::Shared(fresh.clone()));
                Answer::Revalidated(fresh)
            }
            Err(_) => {
                // It is still good for this request, which has asked the origin.
                self.cache.remove(entry);
                self.tell(Word::Private);
                Answer::Revalidated(entry.clone())
            }
        }
    }
}
