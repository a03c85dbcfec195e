//! Settling: what follows from what the origin came to.

use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode, request};
use tidegate_core::cache::Settings;
use tidegate_core::cache::age::Times;
use tidegate_core::cache::directives::OfRequest;
use tidegate_core::cache::freshening::freshen;
use tidegate_core::cache::reuse::{Trouble, instead_of};
use tidegate_core::cache::storing::{self, NotStored};
use tidegate_core::cache::tags::Tags;
use tidegate_core::cache::vary::Vary;
use tidegate_core::failure::Failure;

use super::fetch::{Answer, Fetch, Fetched};
use super::pour::Pouring;
use crate::http::body::Body;
use crate::net::clock;
use crate::objects::cache::{Content, Entry, Fill, Parts, Word};
use crate::upstream::admission::Permit;

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
        let (entry, now) = (self.entry.as_ref()?, clock::now());
        let said =
            if settings.honours_requests { OfRequest::of(asked) } else { OfRequest::default() };
        let stale = instead_of(trouble, &entry.terms_now(), &said, now)?;
        entry.rest_until(now.after(REST));
        self.tell(Word::Stale(entry.clone(), stale));
        Some(Answer::Stale(entry.clone(), stale))
    }

    /// Tell those behind it.
    fn tell(&self, word: Word) {
        if let Some(leading) = &self.leading {
            leading.tell(word);
        }
    }

    /// What follows from a response to a request with this head, which was `asked` for with these fields: the answer, and
    /// what is to be stored as it comes.
    pub(super) fn settle(
        &mut self,
        fetched: Fetched,
        settings: &Settings,
        sent: &request::Parts,
        asked: &HeaderMap,
    ) -> (Answer, Option<Pouring>) {
        let Fetched { mut response, permit, times } = fetched;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED
            && let Some(entry) = self.entry.take()
        {
            return (self.revalidated(&entry, &response, settings, sent, &times), None);
        }
        if let Some(answer) = self.instead_of(Trouble::Status(status.as_u16()), settings, asked) {
            return (answer, None);
        }
        match self.parts(&mut response, settings, sent, &times) {
            Ok(parts) => self.stored(response, parts, permit),
            Err(reason) => {
                if let Some(entry) = self.entry.take().filter(|_| !status.is_server_error()) {
                    // The origin has another one by now.
                    self.cache.remove(&entry);
                }
                self.tell(Word::Private);
                if reason.is_of_response() {
                    self.cache.mark_private(&self.key, times.arrived);
                }
                (Answer::Alone { response, permit, reason }, None)
            }
        }
    }

    /// The request as rules look at it.
    fn request<'a>(&'a self, sent: &'a request::Parts) -> storing::Request<'a> {
        let (method, headers) = (&sent.method, &sent.headers);
        storing::Request { method, headers, has_body: false, url: self.key.asked() }
    }

    /// What is stored of a response.
    fn parts(
        &self,
        response: &mut Response<Body>,
        settings: &Settings,
        sent: &request::Parts,
        times: &Times,
    ) -> Result<Parts, NotStored> {
        if !self.stores {
            return Err(NotStored::Configured);
        }
        let request = self.request(sent);
        let status = response.status();
        let judged = storing::Response { status, headers: response.headers() };
        let terms = storing::judge(settings, &request, &judged, times)?;
        let vary = Vary::of(&settings.vary, response.headers(), &sent.headers);
        let vary = vary.ok_or(NotStored::Vary)?;
        if !self.cache.is_wanted(&self.key, settings.min_uses) {
            return Err(NotStored::MinUses);
        }
        let tags = Tags::take(response.headers_mut(), &settings.tags);
        let tags = tags.map_err(|_| NotStored::TooManyTags)?;
        Ok(Parts {
            key: self.key.clone(),
            status,
            headers: storing::fields(settings, response.headers()),
            content: Content::Whole(Default::default()),
            terms,
            vary,
            tags: Arc::new(tags),
            arrived: times.date,
            asked_at: self.asked_at.number,
        })
    }

    /// Begin to store a response.
    fn stored(
        &mut self,
        response: Response<Body>,
        mut parts: Parts,
        permit: Permit,
    ) -> (Answer, Option<Pouring>) {
        let (head, body) = response.into_parts();
        let announced = head.headers.get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        let fill = Fill::new(if body.is_end() { Some(0) } else { announced });
        parts.content = Content::Coming(fill.clone());
        let entry = Arc::new(Entry::new(parts));
        let most = self.cache.plan.max_object.get();
        let taken =
            announced.is_none_or(|length| length <= most).then(|| self.cache.room.nothing());
        if taken.is_none() {
            fill.pass();
        }
        // Before those behind it, so that nothing is gone of it yet.
        let own = entry.content.body().unwrap_or_default();
        self.tell(Word::Shared(entry.clone()));
        let answer = Answer::Stored { entry: entry.clone(), headers: head.headers, body: own };
        let pouring = Pouring {
            cache: self.cache.clone(),
            entry,
            fill,
            body,
            taken,
            _leading: self.leading.take(),
            permit: Some(permit),
            worker: self.local.index(),
        };
        (answer, Some(pouring))
    }

    /// What is stored still holds: it is stored anew with what has changed of its head.
    fn revalidated(
        &self,
        entry: &Arc<Entry>,
        response: &Response<Body>,
        settings: &Settings,
        sent: &request::Parts,
        times: &Times,
    ) -> Answer {
        let newer = storing::fields(settings, response.headers());
        let headers = freshen(&entry.headers, &newer);
        let request = self.request(sent);
        let judged = storing::Response { status: entry.status, headers: &headers };
        match storing::judge(settings, &request, &judged, times) {
            Ok(terms) => {
                let fresh =
                    Arc::new(entry.renewed(headers, terms, times.date, self.asked_at.number));
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
