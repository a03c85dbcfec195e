//! Slices: the body of an object that is stored in slices, read one after the other.
//!
//! A slice is served of what is stored, or of what comes for another request, or it is fetched; nothing is fetched before it
//! is read. A slice of another object than the one that the response has begun with breaks it off.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::IpAddr;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Response, request};
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::key::Key;
use tidegate_core::cache::slice::Slices;
use tidegate_core::failure::Failure;
use tidegate_core::plan::Priority;
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::Asking;
use super::fetch::{Answer, Fetch, FirstSlice, Sending};
use super::wanted::Wanted;
use crate::account::metrics::CachedRouteMetrics;
use crate::account::relay::Relay;
use crate::call::Call;
use crate::http::body::{Body, Frame, NextFrame, Source};
use crate::local::{HeldSnapshot, Local};
use crate::net::clock;
use crate::objects::cache::{Cache, Entry, Leading, Sliced, Variants, Word, within};
use crate::objects::under_way::Turn;
use crate::snapshot::Action;
use crate::steps::client_cert;
use crate::upstream::Upstream;

/// An object that is served slice by slice, and how those are fetched that are not there.
pub struct ServedSlices {
    object: Arc<Entry>,
    sliced: Sliced,
    /// The slice that came with the object.
    first: RefCell<Option<FirstSlice>>,
    cache: Arc<Cache>,
    metrics: Arc<CachedRouteMetrics>,
    lock: Duration,
    head: request::Parts,
    class: Option<Priority>,
    local: Rc<Local>,
    snapshot: HeldSnapshot,
    route: usize,
    upstream: Arc<Upstream>,
    subset: Option<usize>,
    client: Option<IpAddr>,
    is_authenticated: bool,
}

/// A response whose body has begun.
///
/// # Errors
/// Why it does not.
pub(super) async fn begun(response: Response<Body>) -> Result<Response<Body>, Failure> {
    let (head, mut body) = response.into_parts();
    let first = match poll_fn(|cx| body.poll_frame(cx)).await {
        Some(Ok(Frame::Data(first))) => Body::full(first),
        Some(Err(failure)) => return Err(failure),
        Some(Ok(Frame::Trailers(_))) | None => Body::Empty,
    };
    let body = if body.is_end() { first } else { Body::joined([first, body]) };
    Ok(Response::from_parts(head, body))
}

impl Asking<'_> {
    /// `object`, which is stored in slices, of which this one may come already.
    ///
    /// # Errors
    /// If it is not stored so, or the upstream cannot be told of the client.
    pub(super) fn slices(
        &self,
        object: &Arc<Entry>,
        first: Option<FirstSlice>,
        call: &Call<'_>,
    ) -> Result<Rc<ServedSlices>, Failure> {
        let sliced = object.sliced().ok_or(Failure::Internal)?;
        let mut head = call.head.clone();
        client_cert::tell(&self.destination.upstream, call.client, &mut head.headers)?;
        let class = match &call.snapshot.routes[call.found.route].action {
            Action::Forward(forward) => {
                Some(forward.priority.of(&call.head.headers, call.client.peer.trusted))
            }
            _ => None,
        };
        Ok(Rc::new(ServedSlices {
            object: object.clone(),
            sliced,
            first: RefCell::new(first),
            cache: self.of.cache.clone(),
            metrics: self.of.metrics.clone(),
            lock: self.settings.lock,
            head,
            class,
            local: call.client.local.clone(),
            snapshot: call.snapshot.clone(),
            route: call.found.route,
            upstream: self.destination.upstream.clone(),
            subset: self.destination.subset,
            client: call.address,
            is_authenticated: call.proof.is_some(),
        }))
    }
}

impl ServedSlices {
    fn slices(&self) -> Slices {
        self.sliced.slices
    }

    /// These bytes of it, as a body.
    pub fn part(self: &Rc<Self>, range: Range<u64>) -> Body {
        match range.is_empty() {
            true => Body::Empty,
            false => Body::stream(Part { of: self.clone(), range, state: State::Between }),
        }
    }

    /// These bytes, which lie in one slice.
    async fn open(self: Rc<Self>, range: Range<u64>) -> Result<Body, Failure> {
        let number = self.slices().number(range.start);
        let wanted = within(&range, self.slices().range(number).start);
        let first = self.first.take().filter(|first| first.number == number);
        if let Some(body) = first.and_then(|first| first.entry.content.part(wanted.clone())) {
            return Ok(body);
        }
        let key = self.sliced.key(&self.object.key, number);
        if let Some(body) = self.stored(&key, &wanted).await {
            return Ok(body);
        }
        match self.cache.join(&key) {
            Turn::First(leading) => match self.in_memory(&key, &wanted) {
                // It was stored just now.
                Some(body) => Ok(body),
                None => self.fetch(number, key, wanted, Some(leading)).await,
            },
            Turn::Behind(leader) => match timeout(self.lock, leader.word()).await {
                Ok(Some(Word::Shared(slice))) => match slice.content.part(wanted.clone()) {
                    Some(body) => {
                        self.save(&wanted);
                        Ok(body)
                    }
                    None => self.fetch(number, key, wanted, None).await,
                },
                Ok(Some(Word::Failed(failure))) => Err(failure),
                _ => self.fetch(number, key, wanted, None).await,
            },
        }
    }

    /// What is stored of the slice with this key, in memory or on disk.
    async fn stored(&self, key: &Key, wanted: &Range<u64>) -> Option<Body> {
        if let Some(body) = self.in_memory(key, wanted) {
            return Some(body);
        }
        if !self.cache.is_on_disk(key) {
            return None;
        }
        let loaded = self.cache.load(key).await;
        self.of(&loaded, key, wanted)
    }

    fn in_memory(&self, key: &Key, wanted: &Range<u64>) -> Option<Body> {
        self.of(&self.cache.find(key)?, key, wanted)
    }

    fn of(&self, stored: &Variants, key: &Key, wanted: &Range<u64>) -> Option<Body> {
        let slice = stored
            .entries()
            .iter()
            .find(|slice| slice.key.is(key) && self.cache.purges.spare(slice, clock::now()))?;
        let body = slice.content.part(wanted.clone())?;
        self.cache.serve(slice);
        self.save(wanted);
        Some(body)
    }

    /// The origin did not have to send these bytes.
    fn save(&self, wanted: &Range<u64>) {
        self.metrics.saved(self.local.index(), wanted.end - wanted.start);
    }

    /// Ask the origin for a slice.
    async fn fetch(
        &self,
        number: u64,
        key: Key,
        wanted: Range<u64>,
        leading: Option<Leading>,
    ) -> Result<Body, Failure> {
        let fetch = Fetch {
            why: Why::Partial,
            asked_at: self.cache.purges.ask(Some(key.url)),
            cache: self.cache.clone(),
            key: Arc::new(key.stored()),
            entry: None,
            wanted: Wanted::Slice(number, Some(self.object.clone())),
            leading,
            stores: true,
            slice_size: self.slices().size,
            local: self.local.clone(),
            snapshot: self.snapshot.clone(),
            route: self.route,
            upstream: self.upstream.clone(),
            subset: self.subset,
            client: self.client,
            is_authenticated: self.is_authenticated,
        };
        let relay = Rc::new(Relay::new(false));
        let sending = Sending { head: self.head.clone(), interim: None, class: self.class, relay };
        let (told, answer) = oneshot::channel();
        spawn_local(fetch.run(sending, Some(told)));
        match answer.await {
            Ok(Answer::Stored { entry, .. }) => {
                entry.content.part(wanted).ok_or(Failure::UpstreamReset)
            }
            Ok(Answer::Failed(failure)) => Err(failure),
            _ => Err(Failure::UpstreamReset),
        }
    }
}

/// Bytes of an object, read slice by slice.
struct Part {
    of: Rc<ServedSlices>,
    /// What is still to be read.
    range: Range<u64>,
    state: State,
}

enum State {
    Between,
    Opening(Pin<Box<dyn Future<Output = Result<Body, Failure>>>>),
    /// To this byte.
    Reading(Body, u64),
}

impl Part {
    /// What of it lies in the next slice.
    fn slice(&self) -> Range<u64> {
        self.of.slices().first_of(&self.range)
    }
}

impl Source for Part {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> NextFrame {
        loop {
            match &mut self.state {
                State::Between if self.range.is_empty() => return Poll::Ready(None),
                State::Between => {
                    let opening = self.of.clone().open(self.slice());
                    self.state = State::Opening(Box::pin(opening));
                }
                State::Opening(opening) => match ready!(opening.as_mut().poll(cx)) {
                    Ok(body) => self.state = State::Reading(body, self.slice().end),
                    Err(failure) => return Poll::Ready(Some(Err(failure))),
                },
                State::Reading(body, end) => match ready!(body.poll_frame(cx)) {
                    Some(Ok(Frame::Data(data))) => {
                        self.range.start += data.len() as u64;
                        return Poll::Ready(Some(Ok(Frame::Data(data))));
                    }
                    // They are of a part of it.
                    Some(Ok(Frame::Trailers(_))) => (),
                    Some(Err(failure)) => return Poll::Ready(Some(Err(failure))),
                    None if self.range.start < *end => {
                        return Poll::Ready(Some(Err(Failure::UpstreamReset)));
                    }
                    None => self.state = State::Between,
                },
            }
        }
    }

    fn is_end(&self) -> bool {
        self.range.is_empty()
    }
}
