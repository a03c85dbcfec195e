//! Storable: what of a response is stored, and how that begins.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response};
use tidegate_core::cache::Settings;
use tidegate_core::cache::age::Times;
use tidegate_core::cache::key::StoredKey;
use tidegate_core::cache::storing::{self, NotStored, judge};
use tidegate_core::cache::tags::Tags;
use tidegate_core::cache::vary::Vary;

use super::pour::Pouring;
use crate::http::body::Body;
use crate::objects::cache::disk::clock::nanos;
use crate::objects::cache::{AskedAt, Cache, Content, Entry, Fill, Parts};
use crate::upstream::affinity;

/// A response that may be stored, and its request.
pub struct Candidate<'a> {
    pub cache: &'a Arc<Cache>,
    pub settings: &'a Settings,
    pub key: &'a Arc<StoredKey>,
    pub request: storing::Request<'a>,
    pub asked_at: &'a AskedAt,
}

/// A response that is being stored.
pub struct Begun {
    /// What is stored, with a body that comes.
    pub entry: Arc<Entry>,
    /// All fields of the response.
    pub headers: HeaderMap,
    /// What comes of its body, for the request that it answers: nothing of it is gone as long as this is not read.
    pub body: Body,
    /// What is still to be done.
    pub pouring: Pouring,
}

impl Candidate<'_> {
    /// What is stored of `response`; its tags are taken off.
    ///
    /// # Errors
    /// Why it is not stored.
    pub fn parts(&self, response: &mut Response<Body>, times: &Times) -> Result<Parts, NotStored> {
        let Self { cache, settings, key, request, asked_at } = self;
        let (status, headers) = (response.status(), response.headers());
        let directives = &settings.freshness.directives(headers);
        let judged = storing::Response { status, headers, directives };
        let terms = judge(settings, request, &judged, times)?;
        let vary = Vary::of(&settings.vary, headers, request.headers).ok_or(NotStored::Vary)?;
        if !cache.is_wanted(key.hash, settings.min_uses) {
            return Err(NotStored::MinUses);
        }
        let tags = Tags::take(response.headers_mut(), &settings.tags);
        let tags = tags.map_err(|_| NotStored::TooManyTags)?;
        Ok(Parts {
            key: Arc::clone(key),
            status,
            fields: storing::fields(settings, response.headers(), directives, times.date).collect(),
            content: Content::Whole(Default::default()),
            terms,
            vary,
            tags,
            arrived: nanos(times.date),
            asked_at: asked_at.number,
        })
    }
}

/// What a response without content says anew of how the stored one can be purged; `None` where it says nothing of it. The
/// fields are taken off.
///
/// # Errors
/// If these are more tags than are kept.
pub fn newer_tags(settings: &Settings, headers: &mut HeaderMap) -> Result<Option<Tags>, NotStored> {
    let says = settings.tags.iter().any(|name| headers.contains_key(name));
    let tags = Tags::take(headers, &settings.tags).map_err(|_| NotStored::TooManyTags)?;
    Ok(says.then_some(tags))
}

/// What of the fields of a response without content takes the place of stored ones.
pub fn newer_fields(settings: &Settings, headers: &HeaderMap, times: &Times) -> HeaderMap {
    let directives = settings.freshness.directives(headers);
    storing::fields(settings, headers, &directives, times.date).collect()
}

/// The content of a response, where all of it is there that its head has announced.
pub fn content(response: &Response<Body>) -> Option<Bytes> {
    let content = match response.body() {
        Body::Empty => Bytes::new(),
        Body::Full(content) => content.clone(),
        Body::Stream(_) | Body::Upgraded(_) => return None,
    };
    (announced(response.headers()) == Some(content.len() as u64)).then_some(content)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Begin to store a response, of which these are the parts.
pub fn begin(
    cache: &Arc<Cache>,
    response: Response<Body>,
    mut parts: Parts,
    asked_at: AskedAt,
    worker: usize,
) -> Begun {
    let announced = || announced(response.headers());
    let fill = Fill::new(if response.body().is_end() { Some(0) } else { announced() });
    parts.content = Content::Coming(fill.clone());
    begin_with(cache, response, parts, fill, asked_at, worker)
}

/// The same, with what its body comes into, which is in the content of its parts.
pub fn begin_with(
    cache: &Arc<Cache>,
    mut response: Response<Body>,
    parts: Parts,
    fill: Arc<Fill>,
    asked_at: AskedAt,
    worker: usize,
) -> Begun {
    // Those that follow it are not told.
    affinity::tell(&mut response);
    let (head, body) = response.into_parts();
    let entry = Arc::new(Entry::new(parts));
    let fits = fill.announced().is_none_or(|length| length <= cache.plan.max_object.get());
    if !fits {
        fill.pass();
    }
    // Before all others, so that nothing is gone of it yet.
    let own = fill.reader().map(Body::stream).unwrap_or_default();
    let pouring = Pouring {
        cache: cache.clone(),
        entry: entry.clone(),
        fill,
        body,
        taken: fits.then(|| cache.room.nothing()),
        _asked_at: asked_at,
        _leading: None,
        permit: None,
        worker,
    };
    Begun { entry, headers: head.headers, body: own, pouring }
}
