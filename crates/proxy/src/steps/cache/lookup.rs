//! Looking a request up.

use std::rc::Rc;
use std::sync::Arc;

use http::{Method, Response};
use tidegate_core::cache::Terms;
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::range;
use tidegate_core::cache::reuse::{Decision, Stale, Stored, Trouble, decide, instead_of};
use tidegate_core::failure::Failure;
use tidegate_core::time::Moment;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::ask::{Ask, Found, Place, missing};
use super::fetch::Sending;
use super::serve::lacks;
use super::slices::begun;
use super::wanted::Wanted;
use super::{Asking, Lookup, Passing};
use crate::account::metrics::CacheResult;
use crate::account::relay::Relay;
use crate::call::Call;
use crate::http::body::Body;
use crate::net::clock;
use crate::objects::cache::{Entry, Variants, Word};
use crate::objects::under_way::Turn;
use crate::snapshot::Forward;
use crate::steps::client_cert;

/// How often a request follows another one that comes to nothing before it goes by itself.
const MOST_FOLLOWED: usize = 3;

/// Answer the request as it came, before it is made what the upstream gets, where that comes to the same: what is stored
/// is fresh and was selected by none of its fields.
pub fn at_once(
    asking: Option<&Asking<'_>>,
    forward: &Forward,
    call: &Call<'_>,
) -> Option<Response<Body>> {
    asking.filter(|_| forward.request_headers.is_empty())?.answer_plainly(call)
}

/// Look the request up in memory; `None` where a disk is to be asked.
///
/// # Errors
/// If it wants an answer from the cache only.
pub fn before(asking: &Asking<'_>, call: &Call<'_>) -> Result<Option<Found>, Failure> {
    if asking.is_on_disk(call) {
        return Ok(None);
    }
    asking.find(&Variants::default(), call).map(Some)
}

/// Wait for what lies on disk, and for the response to another request with its key where that is under way; `found` is
/// what is stored in memory.
///
/// # Errors
/// If that other one failed, or if it wants an answer from the cache only.
pub async fn follow(
    asking: &Asking<'_>,
    found: Option<Found>,
    call: &Call<'_>,
) -> Result<Lookup, Failure> {
    let loaded = match found {
        Some(_) => Variants::default(),
        None => asking.of.cache.load(&asking.key).await,
    };
    let mut found = match found {
        Some(found) => found,
        None => asking.find(&loaded, call)?,
    };
    for _ in 0..MOST_FOLLOWED {
        let ask = match found {
            Found::Ask(ask) => ask,
            Found::Sliced(object, response) => match begun(response).await {
                Ok(response) => return Ok(Lookup::Answer(response)),
                Err(failure) if asking.of.cache.has(&object) => return Err(failure),
                Err(_) => {
                    found = asking.find(&Variants::default(), call)?;
                    continue;
                }
            },
            found => return Ok(asking.go_on(found, call)),
        };
        let leader = match ask.place {
            Place::Any => match asking.of.cache.join(&asking.key) {
                Turn::First(_) if asking.is_outdated() => {
                    found = asking.find(&loaded, call)?;
                    continue;
                }
                Turn::First(first) => {
                    // What is not stored is for no other request.
                    let leading = asking.may_store(call).then_some(first);
                    return Ok(asking.fetch(ask, leading, call));
                }
                Turn::Behind(leader) => Some(leader),
            },
            Place::Behind => asking.of.cache.behind(&asking.key),
            Place::Alone => None,
        };
        if leader.is_none() && ask.place == Place::Behind && asking.is_outdated() {
            found = asking.find(&loaded, call)?;
            continue;
        }
        let Some(leader) = leader else { return Ok(asking.go_on(Found::Ask(ask), call)) };
        let answer = match timeout(asking.settings.lock, leader.word()).await {
            Ok(Some(word)) => {
                let answer = asking.answer_by(word, &ask, call);
                answer.inspect_err(|_| asking.tell_forwarded(ask.why, None, call))?
            }
            // It takes too long.
            Err(_) => None,
            // It went away, and another may take its place.
            Ok(None) => {
                found = asking.find(&loaded, call)?;
                continue;
            }
        };
        found = match answer {
            Some(sliced @ Found::Sliced(..)) => sliced,
            Some(answer) => return Ok(asking.go_on(answer, call)),
            None => return Ok(asking.go_on(Found::Ask(ask), call)),
        };
    }
    Ok(asking.go_on(found, call))
}

/// What of a response for a request is stored in `entry`, which may be used on these terms.
fn stored<'t>(entry: &Entry, terms: &'t Terms, call: &Call<'_>) -> Stored<'t> {
    match lacks(entry, call) {
        None => Stored::Found(terms),
        Some(_) => Stored::Partial(terms),
    }
}

/// The answer that a response of `entry` is.
fn answer_of(entry: &Arc<Entry>, response: Response<Body>) -> Found {
    match entry.sliced() {
        Some(_) if !response.body().is_end() => Found::Sliced(entry.clone(), response),
        _ => Found::Answer(response),
    }
}

impl Asking<'_> {
    /// Whether what is stored for the request, if anything is, lies on disk.
    fn is_on_disk(&self, call: &Call<'_>) -> bool {
        let (cache, headers) = (&self.of.cache, &call.head.headers);
        let is_in_memory = || {
            let variants = cache.peek(&self.key)?;
            cache.select(&variants, self.settings, &self.key, headers, clock::now()).map(drop)
        };
        cache.disk().is_some() && is_in_memory().is_none() && cache.is_on_disk(&self.key)
    }

    /// The answer that is stored, fresh, and for any request.
    fn answer_plainly(&self, call: &Call<'_>) -> Option<Response<Body>> {
        let now = clock::now();
        let cache = &self.of.cache;
        let variants = call.client.local.hot.find(cache, &self.key, now)?;
        let headers = &call.head.headers;
        let entry = cache.select(&variants, self.settings, &self.key, headers, now)?;
        let terms = entry.terms_now();
        let is_reachable = || true;
        let stored = stored(entry, &terms, call);
        let decision = decide(stored, &self.asked(call), &is_reachable, now);
        // What is to be asked for slices is the request as the upstream gets it.
        let is_plain = entry.vary.is_nothing() && entry.sliced().is_none();
        let is_served = is_plain && decision == Decision::Serve;
        is_served.then(|| self.serve_fresh(entry, now, call)).flatten()
    }

    /// Whether something has changed under its key since it was looked up: one that led may have stored its response.
    fn is_outdated(&self) -> bool {
        self.of.cache.generation(&self.key) != self.generation.get()
    }

    /// What is stored for the request, and what follows from it.
    fn find(&self, loaded: &Variants, call: &Call<'_>) -> Result<Found, Failure> {
        let now = clock::now();
        let cache = &self.of.cache;
        self.generation.set(cache.generation(&self.key));
        let variants = call.client.local.hot.find(cache, &self.key, now);
        let headers = &call.head.headers;
        let of = |variants| cache.select(variants, self.settings, &self.key, headers, now);
        let entry = variants.as_ref().and_then(of).or_else(|| of(loaded));
        let terms = entry.map(|entry| entry.terms_now());
        let stored = match (entry.zip(terms.as_deref()), &variants) {
            (Some((entry, terms)), _) => stored(entry, terms, call),
            (None, Some(variants)) if !variants.entries().is_empty() => Stored::OtherVariants,
            _ => Stored::Nothing,
        };
        let is_private = variants.as_ref().is_some_and(|variants| variants.is_private(now));
        let is_unranged = variants.as_ref().is_some_and(|variants| variants.is_unranged(now));
        let found = match self.follow_from(stored, entry, now, call)? {
            Found::Ask(ask) if !is_private && !is_unranged => self.by_slices(ask, call),
            found => found,
        };
        match found {
            Found::Ask(ask) if is_private && ask.place == Place::Behind => Ok(Found::Pass(ask.why)),
            Found::Ask(ask) if is_private || matches!(ask.why, Why::Request | Why::Bypass) => {
                Ok(Found::Ask(Ask { place: Place::Alone, ..ask }))
            }
            found => Ok(found),
        }
    }

    /// What follows from what is `stored`, which is `entry`.
    fn follow_from(
        &self,
        stored: Stored<'_>,
        entry: Option<&Arc<Entry>>,
        now: Moment,
        call: &Call<'_>,
    ) -> Result<Found, Failure> {
        let is_reachable = || {
            !entry.is_some_and(|entry| entry.rests(now))
                && self.destination.upstream.membership().is_reachable()
        };
        let served = match (decide(stored, &self.asked(call), &is_reachable, now), entry) {
            (Decision::Serve, Some(entry)) => self.serve_fresh(entry, now, call),
            (Decision::ServeStale(stale), Some(entry)) => {
                if stale == Stale::WhileRevalidate {
                    self.revalidate(entry, call);
                }
                self.serve_stale(entry, stale, now, call)
            }
            (Decision::Refuse, _) => {
                let result = CacheResult::Refused;
                self.tell(result, call, 0, &|| self.decision(result));
                return Err(Failure::NotCached);
            }
            (Decision::Bypass(why), _) => return Ok(Found::Pass(why)),
            (Decision::Validate(why), entry) => {
                let (entry, wanted, place) = (entry.cloned(), Some(Wanted::Whole), Place::Any);
                return Ok(Found::Ask(Ask { why, entry, wanted, place }));
            }
            (Decision::Fetch(why), entry) => {
                let wanted = entry.filter(|_| self.may_store(call));
                let wanted = wanted.and_then(|entry| missing(entry, call)).unwrap_or(Wanted::Whole);
                let (wanted, place) = (Some(wanted), Place::Any);
                return Ok(Found::Ask(Ask { why, entry: None, wanted, place }));
            }
            (Decision::FetchPart(why), entry) => {
                let is_one = self.may_store(call) && range::only(&call.head.headers).is_some();
                let missing = || entry.and_then(|entry| missing(entry, call));
                let wanted = is_one.then(|| missing().unwrap_or(Wanted::Part));
                return Ok(Found::Ask(Ask { why, entry: None, wanted, place: Place::Behind }));
            }
            _ => None,
        };
        match served.zip(entry) {
            Some((response, entry)) => Ok(answer_of(entry, response)),
            // What was to be served has gone meanwhile.
            None => self.follow_from(Stored::Nothing, None, now, call),
        }
    }

    /// The answer to a request behind another one that came to `word`; `None` where that is not for it.
    fn answer_by(&self, word: Word, ask: &Ask, call: &Call<'_>) -> Result<Option<Found>, Failure> {
        let now = clock::now();
        let has_parts =
            |entry: &Entry| ask.place != Place::Behind || entry.content.length().is_some();
        let response = match word {
            Word::Shared(entry)
                if self.may_have(&entry, now, call)
                    && entry.terms_now().is_fresh(now)
                    && has_parts(&entry) =>
            {
                self.serve_collapsed(&entry, now, call).map(|response| answer_of(&entry, response))
            }
            Word::Stale(entry, stale) if self.may_have(&entry, now, call) => self
                .serve_stale(&entry, stale, now, call)
                .map(|response| answer_of(&entry, response)),
            Word::Shared(_) | Word::Stale(..) | Word::Private => None,
            Word::Failed(failure) => {
                let own = ask.entry.as_ref();
                let own = own.filter(|own| self.of.cache.purges.spare(own, now)).ok_or(failure)?;
                let wanted = self.settings.honours_requests.then_some(&self.directives);
                let stale = instead_of(Trouble::Unreachable, &own.terms_now(), wanted, now);
                self.serve_stale(own, stale.ok_or(failure)?, now, call)
                    .map(|response| answer_of(own, response))
            }
        };
        Ok(response)
    }

    /// Whether the request may be answered with `entry`, which another one has asked for.
    fn may_have(&self, entry: &Entry, now: Moment, call: &Call<'_>) -> bool {
        entry.key.is(&self.key)
            && entry.vary.matches(&self.settings.vary, &call.head.headers)
            && self.of.cache.purges.spare(entry, now)
    }

    /// What becomes of the request without another one.
    fn go_on(&self, found: Found, call: &Call<'_>) -> Lookup {
        match found {
            Found::Answer(response) | Found::Sliced(_, response) => Lookup::Answer(response),
            Found::Pass(why) | Found::Ask(Ask { why, wanted: None, .. }) => self.pass_by(why, call),
            Found::Ask(ask) => self.fetch(ask, None, call),
        }
    }

    /// The request passes the cache by.
    fn pass_by(&self, why: Why, call: &Call<'_>) -> Lookup {
        let may_be_stored = call.head.method == Method::POST;
        let asked_at = may_be_stored.then(|| self.of.cache.purges.ask(None));
        Lookup::Pass(Passing { why, asked_at })
    }

    /// Ask the origin in the background whether `entry` still holds, unless that is done already.
    fn revalidate(&self, entry: &Arc<Entry>, call: &Call<'_>) {
        let Turn::First(first) = self.of.cache.join(&self.key) else { return };
        let mut head = call.head.clone();
        if client_cert::tell(&self.destination.upstream, call.client, &mut head.headers).is_err() {
            return;
        }
        let (why, entry, wanted) = (Why::Stale, Some(entry.clone()), Some(Wanted::Whole));
        let ask = Ask { why, entry, wanted, place: Place::Any };
        let fetch = self.fetch_of(ask, Some(first), call);
        let relay = Rc::new(Relay::new(false));
        spawn_local(fetch.run(Sending { head, interim: None, class: None, relay }, None));
    }
}
