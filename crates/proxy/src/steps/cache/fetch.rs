//! Fetching: the origin is asked for a response that may be stored, or whether what is stored still holds.
//!
//! This is a task of its own on the worker of the request that asked first: it goes on when that one's client leaves, for
//! others may follow it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::SystemTime;

use http::header::RANGE;
use http::{HeaderMap, Response, StatusCode, request};
use tidegate_core::cache::Settings;
use tidegate_core::cache::age::Times;
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::conditional::{ask_part, complete, take_off, validate};
use tidegate_core::cache::content_range::ContentRange;
use tidegate_core::cache::freshening::selects;
use tidegate_core::cache::key::StoredKey;
use tidegate_core::cache::range;
use tidegate_core::cache::reuse::Stale;
use tidegate_core::cache::storing::NotStored;
use tidegate_core::failure::Failure;
use tidegate_core::plan::Priority;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::wanted::{Wanted, completes};
use crate::account::event::Event;
use crate::account::relay::{Listening, Relay};
use crate::http::body::Body;
use crate::http::interim::InterimSink;
use crate::http::time_left::TimeLeft;
use crate::local::{HeldSnapshot, Local};
use crate::net::clock;
use crate::objects::cache::{AskedAt, Cache, Entry, Leading, Parts};
use crate::snapshot::{Action, Forward};
use crate::upstream::Upstream;
use crate::upstream::admission::Permit;
use crate::upstream::cost::CostOf;
use crate::upstream::send::send;
use crate::upstream::tries::Dispatch;

/// A response that is to be fetched.
pub struct Fetch {
    /// Why.
    pub why: Why,
    pub cache: Arc<Cache>,
    pub key: Arc<StoredKey>,
    /// What is stored, to be validated.
    pub entry: Option<Arc<Entry>>,
    /// What the origin is asked for.
    pub wanted: Wanted,
    /// Absent: nothing follows it.
    pub leading: Option<Leading>,
    pub asked_at: AskedAt,
    /// Whether the response may be stored, as far as the request says.
    pub stores: bool,
    /// Bytes of a slice, where the route has slices.
    pub slice_size: u64,
    pub local: Rc<Local>,
    pub snapshot: HeldSnapshot,
    pub route: usize,
    pub upstream: Arc<Upstream>,
    pub subset: Option<usize>,
    pub client: Option<IpAddr>,
    /// Whether the request has proven where it comes from.
    pub is_authenticated: bool,
}

/// How the request is sent.
pub struct Sending {
    pub head: request::Parts,
    pub interim: InterimSink,
    /// Absent: it is sent at once or not at all.
    pub class: Option<Priority>,
    pub relay: Rc<Relay>,
}

/// What a fetch came to, for the request that it was begun for.
pub enum Answer {
    /// A response that is being stored, with all of its fields.
    Stored { entry: Arc<Entry>, headers: HeaderMap, coming: Coming },
    /// An object that is stored in slices, with all fields of the response, and the slice that comes.
    Sliced { object: Arc<Entry>, headers: HeaderMap, first: FirstSlice },
    /// The object that a slice is asked for of is another one by now.
    Changed,
    /// What was stored still holds.
    Revalidated(Arc<Entry>),
    /// What was stored takes the place of what the origin came to.
    Stale(Arc<Entry>, Stale),
    /// A response that is not stored.
    Alone { response: Response<Body>, permit: Permit, reason: NotStored },
    /// There is none.
    Failed(Failure),
}

/// What comes of a body, for the request that it was asked for by.
pub struct Coming {
    /// All that comes. Nothing of it is gone as long as this is not read.
    pub body: Body,
    /// Which part of the whole it is; absent: it is the whole.
    pub part: Option<Range<u64>>,
}

/// A slice that comes with its object.
pub struct FirstSlice {
    /// Its number.
    pub number: u64,
    /// What is stored of it.
    pub entry: Arc<Entry>,
    /// All that comes of it, which is not read: it has nothing of it let go until the first part of it is.
    pub _body: Body,
}

/// A response of the origin.
pub(super) struct Fetched {
    pub response: Response<Body>,
    pub permit: Permit,
    pub times: Times,
    /// What it is a slice of, where it is the first one that is asked for, and which bytes it has.
    pub sliced: Option<(Parts, ContentRange)>,
}

impl Fetch {
    /// Fetch the response, tell what it is, and store it as it comes.
    pub async fn run(mut self, mut sending: Sending, told: Option<oneshot::Sender<Answer>>) {
        let snapshot = self.snapshot.clone();
        let Action::Forward(forward) = &snapshot.routes[self.route].action else { return };
        let Some(settings) = &forward.cache else { return };
        let time_left = TimeLeft::of(&sending.head.headers, false, forward.timeout, None);
        let asked = sending.head.headers.clone();
        let outcome = match time_left.deadline() {
            None => self.fetched((forward, settings), &asked, &mut sending, time_left).await,
            Some(deadline) => {
                let fetched = self.fetched((forward, settings), &asked, &mut sending, time_left);
                timeout_at(deadline, fetched).await.unwrap_or(Err(Failure::RequestTimeout))
            }
        };
        let (answer, pouring) = match outcome {
            Err(failure) => (self.failed(failure, settings, &asked), None),
            Ok(mut fetched) => {
                let body = fetched.response.body_mut();
                // Most are short and came with their head.
                *body = poll_fn(|cx| Poll::Ready(std::mem::take(body).read_ahead(cx))).await;
                if let Some(deadline) = time_left.deadline() {
                    let late = Failure::RequestTimeout;
                    fetched.response = fetched.response.map(|body| body.timed(deadline, late));
                }
                self.settle(fetched, settings, &asked)
            }
        };
        if let Some(told) = told {
            // Its client may have left.
            drop(told.send(answer));
        }
        // A body may take long, and needs nothing of these.
        drop((sending, snapshot));
        if let Some(pouring) = pouring {
            pouring.run().await;
        }
    }

    /// The origin's response; where it is about something that is not stored, or not any more, it is asked for again.
    async fn fetched(
        &mut self,
        (forward, settings): (&Forward, &Settings),
        asked: &HeaderMap,
        sending: &mut Sending,
        time_left: TimeLeft<'_>,
    ) -> Result<Fetched, Failure> {
        self.write_conditions(&mut sending.head.headers);
        let mut fetched = self.send(forward, sending, time_left).await?;
        let is_used = match self.wanted {
            Wanted::Slice(number, None) => self.takes_slice(number, &mut fetched, settings, asked),
            _ => true,
        };
        if is_used && self.is_about_stored(&fetched) {
            return Ok(fetched);
        }
        drop(fetched);
        if let Some(gone) = self.stored() {
            self.cache.remove(gone);
        }
        self.entry = None;
        let is_whole = matches!(self.wanted, Wanted::Whole);
        self.wanted = match range::only(asked) {
            Some(_) if !is_whole => {
                // Another one may take its place: it is of no use to those that want something else.
                self.leading = None;
                Wanted::Part
            }
            _ => Wanted::Whole,
        };
        sending.head.headers = asked.clone();
        self.write_conditions(&mut sending.head.headers);
        self.send(forward, sending, time_left).await
    }

    /// What is stored, to be validated or completed.
    pub(super) fn stored(&self) -> Option<&Arc<Entry>> {
        match &self.wanted {
            Wanted::Missing(held, _) => Some(held),
            Wanted::Whole | Wanted::Part | Wanted::Slice(..) => self.entry.as_ref(),
        }
    }

    /// Make the client's request one for what is wanted.
    fn write_conditions(&self, request: &mut HeaderMap) {
        match (&self.wanted, &self.entry) {
            (Wanted::Whole, None) => take_off(request),
            (Wanted::Whole, Some(entry)) => _ = validate(request, &entry.fields.map()),
            (Wanted::Part, _) => ask_part(request),
            (Wanted::Slice(number, object), entry) => {
                match entry {
                    Some(entry) => _ = validate(request, &entry.fields.map()),
                    None => take_off(request),
                }
                request.insert(RANGE, range::request(&self.slice(*number, object.as_deref())));
            }
            (Wanted::Missing(held, missing), _) => match held.strong_validator() {
                Some(validator) => complete(request, missing, &validator),
                None => take_off(request),
            },
        }
    }

    /// Whether a response says nothing of what is stored that does not hold: that a response holds which is there no
    /// more, was purged, or is another one, or what parts of another body are.
    fn is_about_stored(&self, fetched: &Fetched) -> bool {
        let is_spared = |entry: &Entry| self.cache.purges.spare(entry, clock::now());
        match (&self.wanted, &self.entry) {
            (Wanted::Missing(held, missing), _) => {
                is_spared(held) && completes(held, missing, &fetched.response, fetched.times.date)
            }
            (_, Some(entry)) => {
                let response = &fetched.response;
                let selects = || selects(&entry.fields.map(), response.headers());
                response.status() != StatusCode::NOT_MODIFIED
                    || entry.content.is_there() && is_spared(entry) && selects()
            }
            (_, None) => true,
        }
    }

    async fn send(
        &self,
        forward: &Forward,
        sending: &mut Sending,
        time_left: TimeLeft<'_>,
    ) -> Result<Fetched, Failure> {
        let (outbound, upstream) = (&self.local.outbound, &self.upstream);
        let now = Instant::now();
        let admitted = match sending.class {
            Some(priority) => {
                let cost_of = CostOf { route: forward.cost, priority, head: &sending.head };
                let listening = Listening::Relay(&sending.relay);
                upstream.admit(outbound, &cost_of, time_left, listening, now).await
            }
            None => upstream.try_admit(outbound, now).ok_or(Failure::Overloaded),
        };
        let relay = &*sending.relay;
        let permit = match admitted {
            Ok(permit) => permit,
            Err(failure) => {
                let decision = upstream.admission.decision(false);
                relay.tell_at(Instant::now(), &Event::LimitDecided(decision));
                return Err(failure);
            }
        };
        let decision = || upstream.admission.decision(true);
        relay.tell_at(permit.began(), &Event::UpstreamAdmitted { decision: &decision });
        let dispatch = Dispatch {
            upstream,
            route: forward.cost,
            subset: self.subset,
            retry: &forward.retry,
            hedge: forward.hedge.as_deref(),
            time_left,
            upgrade: None,
            interim: &sending.interim,
            client: self.client,
            permit: &permit,
            listening: Listening::Relay(relay),
        };
        let sent = clock::moment(permit.began());
        let response = send(outbound, dispatch, &mut sending.head, &mut Body::Empty).await?;
        let times = Times { sent, arrived: clock::now(), date: SystemTime::now() };
        Ok(Fetched { response, permit, times, sliced: None })
    }
}
