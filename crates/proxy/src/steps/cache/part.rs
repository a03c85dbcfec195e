//! Parts: what follows from a 206 of the origin (RFC 9111 §3.3, §3.4).

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use tidegate_core::cache::Settings;
use tidegate_core::cache::age::Times;
use tidegate_core::cache::content_range::ContentRange;
use tidegate_core::cache::freshening::freshen;
use tidegate_core::cache::storing::NotStored;
use tidegate_core::cache::validator;

use super::fetch::{Answer, Coming, Fetch, Fetched};
use super::pour::Pouring;
use super::storable::{Begun, begin_with};
use super::wanted::Wanted;
use crate::http::body::Body;
use crate::objects::cache::{Content, Entry, Fill, Partial, Parts, Word};
use crate::upstream::admission::Permit;

impl Fetch {
    /// What follows from a part, which was `asked` for with these fields: the answer, and what is to be stored as it
    /// comes.
    pub(super) fn settle_part(
        self,
        fetched: Fetched,
        settings: &Settings,
        asked: &HeaderMap,
    ) -> (Answer, Option<Pouring>) {
        let Fetched { mut response, permit, times, .. } = fetched;
        match (ContentRange::of(response.headers()), &self.wanted) {
            (Some(said), Wanted::Missing(held, _)) => {
                let held = held.clone();
                let (response, parts, stores) =
                    self.completed(response, &held, settings, asked, &times);
                let before = match &held.content {
                    Content::Partial(before) => before.clone(),
                    _ => Partial::nothing(said.length),
                };
                self.store_part(response, parts, stores, (&before, said), permit)
            }
            (Some(said), _) => match self.of_whole(&mut response, &said, settings, asked, &times) {
                Ok(parts) => {
                    let before = Partial::nothing(said.length);
                    self.store_part(response, parts, true, (&before, said), permit)
                }
                Err(reason) => {
                    self.tell(Word::Private);
                    if reason.is_of_response() {
                        self.cache.mark_private(self.key.hash, times.arrived);
                    }
                    (Answer::Alone { response, permit, reason }, None)
                }
            },
            (None, _) => {
                self.tell(Word::Private);
                (Answer::Alone { response, permit, reason: NotStored::Part }, None)
            }
        }
    }

    /// Make the response that of the whole. Returns what is stored of it.
    ///
    /// # Errors
    /// Why nothing is; the response is as it came then.
    fn of_whole(
        &self,
        response: &mut Response<Body>,
        said: &ContentRange,
        settings: &Settings,
        asked: &HeaderMap,
        times: &Times,
    ) -> Result<Parts, NotStored> {
        if said.length > self.cache.plan.max_object.get() {
            return Err(NotStored::TooLarge);
        }
        self.parts_of_whole(response, said, settings, asked, times)
    }

    /// The same, however long the whole is.
    pub(super) fn parts_of_whole(
        &self,
        response: &mut Response<Body>,
        said: &ContentRange,
        settings: &Settings,
        asked: &HeaderMap,
        times: &Times,
    ) -> Result<Parts, NotStored> {
        if validator::strong(response.headers(), times.date).is_none() {
            return Err(NotStored::Part);
        }
        let as_it_came = response.headers().clone();
        *response.status_mut() = StatusCode::OK;
        said.make_whole(response.headers_mut());
        let parts = self.candidate(settings, asked).parts(response, times);
        if parts.is_err() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            *response.headers_mut() = as_it_came;
        }
        parts
    }

    /// The response as that of the whole, of which `held` has parts, what is stored of it, and whether that may be. If
    /// not, what is held is still good for this request, which has asked the origin.
    fn completed(
        &self,
        mut response: Response<Body>,
        held: &Arc<Entry>,
        settings: &Settings,
        asked: &HeaderMap,
        times: &Times,
    ) -> (Response<Body>, Parts, bool) {
        *response.status_mut() = held.status;
        *response.headers_mut() = freshen(&held.fields.map(), response.headers());
        match self.candidate(settings, asked).parts(&mut response, times) {
            Ok(parts) => (response, parts, true),
            Err(_) => {
                self.cache.remove(held);
                self.tell(Word::Private);
                (response, Parts::clone(held), false)
            }
        }
    }

    /// Begin to store what was `said` to come beside what is there before; where it is not `stored`, it is for its request
    /// only.
    fn store_part(
        self,
        response: Response<Body>,
        mut parts: Parts,
        stored: bool,
        (before, said): (&Partial, ContentRange),
        permit: Permit,
    ) -> (Answer, Option<Pouring>) {
        let range = said.range;
        let fill = Fill::new(Some(range.end - range.start));
        parts.content = Content::Partial(before.coming(&range, &fill));
        let worker = self.local.index();
        let Begun { entry, headers, body, mut pouring } =
            begin_with(&self.cache, response, parts, fill, self.asked_at, worker);
        if !stored {
            pouring.pass();
        } else if let Some(leading) = &self.leading {
            leading.tell(Word::Shared(entry.clone()));
        }
        (pouring._leading, pouring.permit) = (self.leading, Some(permit));
        let coming = Coming { body, part: Some(range) };
        (Answer::Stored { entry, headers, coming }, Some(pouring))
    }
}
