//! A slice: what follows from the answer to a request for one.

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tidegate_core::cache::Settings;
use tidegate_core::cache::age::Times;
use tidegate_core::cache::content_range::ContentRange;
use tidegate_core::cache::slice::{self, Slices};
use tidegate_core::cache::storing::{self, NotStored};
use tidegate_core::cache::validator;

use super::fetch::{Answer, Coming, Fetch, Fetched, FirstSlice};
use super::pour::Pouring;
use super::storable::{Begun, begin_with};
use super::wanted::Wanted;
use crate::objects::cache::{Content, Entry, Fill, Sliced, Word};
use crate::objects::under_way::Turn;

impl Fetch {
    /// The bytes to ask for where the slice with this number is wanted, of this object where it is known.
    pub(super) fn slice(&self, number: u64, object: Option<&Entry>) -> Range<u64> {
        match object.and_then(Entry::sliced) {
            Some(sliced) => sliced.slices.range(number),
            None => slice::asked(number, self.slice_size),
        }
    }

    /// Take in what came for the first slice that is asked for of an object. Whether it is of use: a slice of what may
    /// be stored, or no answer to a range at all. Else the origin is asked without slices. Where it has none, that is
    /// remembered.
    pub(super) fn takes_slice(
        &mut self,
        number: u64,
        fetched: &mut Fetched,
        settings: &Settings,
        asked: &HeaderMap,
    ) -> bool {
        let (is_used, is_ranged) = match fetched.response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let said = ContentRange::of(fetched.response.headers());
                let takes = |said| self.takes_part(number, said, fetched, settings, asked);
                let is_used = said.is_some_and(takes);
                (is_used, is_used)
            }
            // There is no such slice: of what was stored there may have been one.
            StatusCode::RANGE_NOT_SATISFIABLE => (number > 0 && self.entry.is_none(), number > 0),
            StatusCode::OK => (true, false),
            _ => (true, true),
        };
        if !is_ranged {
            self.cache.mark_unranged(self.key.hash, fetched.times.arrived);
        }
        is_used
    }

    fn takes_part(
        &mut self,
        number: u64,
        said: ContentRange,
        fetched: &mut Fetched,
        settings: &Settings,
        asked: &HeaderMap,
    ) -> bool {
        let Fetched { response, times, sliced, .. } = fetched;
        if said.range == (0..said.length) {
            // There is no more of it: it is stored as a whole.
            *response.status_mut() = StatusCode::OK;
            said.make_whole(response.headers_mut());
            self.wanted = Wanted::Whole;
            return true;
        }
        let slices = Slices { length: said.length, size: self.slice_size };
        if said.range != slices.range(number) {
            return false;
        }
        let parts = self.parts_of_whole(response, &said, settings, asked, times);
        *sliced = parts.ok().map(|parts| (parts, said));
        sliced.is_some()
    }

    /// Store an object, and the slice that comes of it.
    pub(super) fn settle_first_slice(
        self,
        number: u64,
        fetched: Fetched,
    ) -> (Answer, Option<Pouring>) {
        let Fetched { response, permit, times, sliced } = fetched;
        let validator = validator::strong(response.headers(), times.date);
        let (Some((mut parts, said)), Some(validator)) = (sliced, validator) else {
            return (Answer::Alone { response, permit, reason: NotStored::Part }, None);
        };
        let slices = Slices { length: said.length, size: self.slice_size };
        let sliced = Sliced::new(slices, validator, &parts.vary, self.asked_at.number);
        parts.content = Content::Sliced(sliced);
        let object = Arc::new(Entry::new(parts));
        self.cache.put(object.clone());
        let key = sliced.key(&self.key, number);
        let leading = match self.cache.join(&key) {
            Turn::First(leading) => Some(leading),
            // Another one fetches it for who has the object from before.
            Turn::Behind(_) => None,
        };
        let fill = Fill::new(Some(said.range.end - said.range.start));
        let slice = object.slice(
            Arc::new(key.stored()),
            Content::Coming(fill.clone()),
            self.asked_at.number,
        );
        let worker = self.local.index();
        let Begun { entry, headers, body, mut pouring } =
            begin_with(&self.cache, response, slice, fill, self.asked_at, worker);
        if let Some(leading) = &leading {
            leading.tell(Word::Shared(entry.clone()));
        }
        if let Some(leading) = &self.leading {
            leading.tell(Word::Shared(object.clone()));
        }
        (pouring._leading, pouring.permit) = (leading, Some(permit));
        let first = FirstSlice { number, entry, _body: body };
        (Answer::Sliced { object, headers, first }, Some(pouring))
    }

    /// Whether a slice with these fields may be stored. How long it is fresh is its object's to say.
    fn may_keep(
        &self,
        headers: &HeaderMap,
        settings: &Settings,
        asked: &HeaderMap,
        times: &Times,
    ) -> bool {
        let directives = &settings.freshness.directives(headers);
        let judged = storing::Response { status: StatusCode::OK, headers, directives };
        let judged = storing::judge(settings, &self.request(asked), &judged, times);
        matches!(judged, Ok(_) | Err(NotStored::NoFreshness | NotStored::Stale))
    }

    /// Store a slice of `object`, unless that is another one by now.
    pub(super) fn settle_slice(
        self,
        number: u64,
        object: &Arc<Entry>,
        fetched: Fetched,
        settings: &Settings,
        asked: &HeaderMap,
    ) -> (Answer, Option<Pouring>) {
        let Fetched { response, permit, times, .. } = fetched;
        let (status, headers) = (response.status(), response.headers());
        let range = self.slice(number, Some(object));
        let said = ContentRange::of(headers).filter(|said| {
            let validator = validator::strong(headers, times.date);
            validator == object.strong_validator().as_ref()
                && said.range == range
                && Some(said.length) == object.content.length()
        });
        if status != StatusCode::PARTIAL_CONTENT || said.is_none() {
            self.tell(Word::Private);
            if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
                return (Answer::Alone { response, permit, reason: NotStored::Part }, None);
            }
            self.cache.remove(object);
            return (Answer::Changed, None);
        }
        let stores = self.may_keep(headers, settings, asked, &times);
        let fill = Fill::new(Some(range.end - range.start));
        let slice =
            object.slice(self.key.clone(), Content::Coming(fill.clone()), self.asked_at.number);
        let worker = self.local.index();
        let Begun { entry, headers, body, mut pouring } =
            begin_with(&self.cache, response, slice, fill, self.asked_at, worker);
        if !stores {
            pouring.pass();
        }
        if let Some(leading) = &self.leading {
            leading.tell(if stores { Word::Shared(entry.clone()) } else { Word::Private });
        }
        (pouring._leading, pouring.permit) = (self.leading, Some(permit));
        let coming = Coming { body, part: None };
        (Answer::Stored { entry, headers, coming }, Some(pouring))
    }
}
