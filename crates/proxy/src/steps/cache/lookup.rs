//! Looking a request up.

use std::rc::Rc;
use std::sync::Arc;

use http::Method;
use http::header::RANGE;
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::directives::OfRequest;
use tidegate_core::cache::reuse::{Decision, Stale, Stored, Trouble, decide, instead_of};
use tidegate_core::failure::Failure;
use tidegate_core::time::Moment;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::fetch::{Fetch, Sending};
use super::{Asking, Lookup};
use crate::account::metrics::CacheResult;
use crate::account::relay::Relay;
use crate::call::Call;
use crate::net::clock;
use crate::objects::cache::{Entry, Leading, Variants, Word};
use crate::objects::under_way::Turn;
use crate::snapshot::Destination;
use crate::steps::client_cert;

/// How often a request follows another one that comes to nothing before it goes by itself.
const MOST_FOLLOWED: usize = 3;

/// What follows from what is stored, or is just being fetched for another request.
enum Found {
    Answer(Lookup),
    /// The origin is to be asked.
    Ask(Why, Option<Arc<Entry>>),
}

/// Look the request up, and wait for the response to another one with its key where that is under way.
///
/// # Errors
/// If it wants an answer from the cache only, or that other one failed.
pub async fn before(
    asking: &Asking<'_>,
    destination: &Destination,
    call: &Call<'_>,
) -> Result<Lookup, Failure> {
    let loaded = asking.load(call).await;
    for _ in 0..MOST_FOLLOWED {
        let (why, entry) = match asking.find(&loaded, destination, call)? {
            Found::Answer(lookup) => return Ok(lookup),
            Found::Ask(why, entry) => (why, entry),
        };
        if matches!(why, Why::Request | Why::Bypass) || asking.is_private() {
            return Ok(asking.fetch(why, entry, None, destination, call));
        }
        let waiting = match asking.of.cache.join(&asking.key) {
            Turn::First(first) => {
                return Ok(asking.fetch(why, entry, Some(first), destination, call));
            }
            Turn::Behind(waiting) => waiting,
        };
        match timeout(asking.settings.lock, waiting.word()).await {
            // It went away, and another may take its place.
            Ok(None) => {}
            Ok(Some(word)) => {
                if let Some(answer) = asking.follow(word, entry.as_ref(), call)? {
                    return Ok(answer);
                }
                return Ok(asking.fetch(why, entry, None, destination, call));
            }
            Err(_) => return Ok(asking.fetch(why, entry, None, destination, call)),
        }
    }
    match asking.find(&loaded, destination, call)? {
        Found::Answer(lookup) => Ok(lookup),
        Found::Ask(why, entry) => Ok(asking.fetch(why, entry, None, destination, call)),
    }
}

impl Asking<'_> {
    /// What lies on disk, where nothing in memory is for the request.
    async fn load(&self, call: &Call<'_>) -> Variants {
        let (cache, headers) = (&self.of.cache, &call.head.headers);
        let is_in_memory = || {
            let variants = cache.find(&self.key)?;
            cache.select(&variants, self.settings, &self.key, headers, clock::now()).map(drop)
        };
        match cache.disk().is_none() || is_in_memory().is_some() {
            true => Variants::default(),
            false => cache.load(&self.key).await,
        }
    }

    /// What is stored for the request, and what follows from it.
    fn find(
        &self,
        loaded: &Variants,
        destination: &Destination,
        call: &Call<'_>,
    ) -> Result<Found, Failure> {
        let now = clock::now();
        let cache = &self.of.cache;
        let variants = cache.find(&self.key);
        let headers = &call.head.headers;
        let of = |variants| cache.select(variants, self.settings, &self.key, headers, now);
        let entry = variants.as_deref().and_then(of).or_else(|| of(loaded));
        let terms = entry.map(|entry| entry.terms_now());
        let stored = match (&terms, &variants) {
            (Some(terms), _) => Stored::Found(terms),
            (None, Some(variants)) if !variants.entries.is_empty() => Stored::OtherVariants,
            _ => Stored::Nothing,
        };
        let is_reachable = || {
            !entry.is_some_and(|entry| entry.rests(now))
                && destination.upstream.membership().is_reachable()
        };
        let decision = decide(stored, &self.asked(call), &is_reachable, now);
        let served = match (decision, entry) {
            (Decision::Serve, Some(entry)) => self.serve_fresh(entry, now, call),
            (Decision::ServeStale(stale), Some(entry)) => {
                if stale == Stale::WhileRevalidate {
                    self.revalidate(entry, destination, call);
                }
                self.serve_stale(entry, stale, now, call)
            }
            (Decision::Refuse, _) => {
                let result = CacheResult::Refused;
                self.tell(result, call, 0, &|| self.decision(result));
                return Err(Failure::NotCached);
            }
            _ => None,
        };
        Ok(match (served, decision) {
            (Some(response), _) => Found::Answer(Lookup::Answer(response)),
            (None, Decision::Bypass(why)) => Found::Answer(Lookup::Pass(why)),
            (None, Decision::Validate(why) | Decision::Fetch(why)) => {
                let wants_part = headers.contains_key(RANGE) && entry.is_none();
                if call.head.method == Method::HEAD || wants_part {
                    Found::Answer(Lookup::Pass(why))
                } else {
                    Found::Ask(why, entry.cloned())
                }
            }
            // What was to be served is not there any more.
            (None, _) => Found::Ask(Why::UriMiss, None),
        })
    }

    /// Whether the responses of its key were seen not to be for others.
    fn is_private(&self) -> bool {
        let variants = self.of.cache.find(&self.key);
        variants.is_some_and(|variants| variants.is_private(clock::now()))
    }

    /// The answer to a request behind another one that came to `word`; `None` where that is not for it.
    fn follow(
        &self,
        word: Word,
        own: Option<&Arc<Entry>>,
        call: &Call<'_>,
    ) -> Result<Option<Lookup>, Failure> {
        let now = clock::now();
        let response = match word {
            Word::Shared(entry)
                if self.may_have(&entry, now, call) && entry.terms.is_fresh(now) =>
            {
                self.serve_collapsed(&entry, now, call)
            }
            Word::Stale(entry, stale) if self.may_have(&entry, now, call) => {
                self.serve_stale(&entry, stale, now, call)
            }
            Word::Shared(_) | Word::Stale(..) | Word::Private => None,
            Word::Failed(failure) => {
                let own = own.ok_or(failure)?;
                let said = match self.settings.honours_requests {
                    true => self.directives.clone(),
                    false => OfRequest::default(),
                };
                let stale = instead_of(Trouble::Unreachable, &own.terms_now(), &said, now);
                self.serve_stale(own, stale.ok_or(failure)?, now, call)
            }
        };
        Ok(response.map(Lookup::Answer))
    }

    /// Whether the request may be answered with `entry`, which another one has asked for.
    fn may_have(&self, entry: &Entry, now: Moment, call: &Call<'_>) -> bool {
        entry.key.text == self.key.text
            && entry.vary.matches(&self.settings.vary, &call.head.headers)
            && self.of.cache.purges.spare(entry, now)
    }

    /// The fetch of the response, or the validation of `entry`.
    fn fetch(
        &self,
        why: Why,
        entry: Option<Arc<Entry>>,
        leading: Option<Leading>,
        destination: &Destination,
        call: &Call<'_>,
    ) -> Lookup {
        Lookup::Fetch(Box::new(self.fetch_of(why, entry, leading, destination, call)))
    }

    fn fetch_of(
        &self,
        why: Why,
        entry: Option<Arc<Entry>>,
        leading: Option<Leading>,
        destination: &Destination,
        call: &Call<'_>,
    ) -> Fetch {
        let cache = self.of.cache.clone();
        Fetch {
            why,
            asked_at: cache.purges.ask(),
            cache,
            key: Arc::new(self.key.clone()),
            entry,
            leading,
            stores: !self.settings.forbids_storing(call.head),
            local: call.client.local.clone(),
            snapshot: call.snapshot.clone(),
            route: call.found.route,
            upstream: destination.upstream.clone(),
            subset: destination.subset,
            client: call.address,
            is_authenticated: call.proof.is_some(),
        }
    }

    /// Ask the origin in the background whether `entry` still holds, unless that is done already.
    fn revalidate(&self, entry: &Arc<Entry>, destination: &Destination, call: &Call<'_>) {
        let Turn::First(first) = self.of.cache.join(&self.key) else { return };
        let mut head = call.head.clone();
        if client_cert::tell(&destination.upstream, call.client, &mut head.headers).is_err() {
            return;
        }
        let fetch = self.fetch_of(Why::Stale, Some(entry.clone()), Some(first), destination, call);
        let relay = Rc::new(Relay::new(false));
        spawn_local(fetch.run(Sending { head, interim: None, class: None, relay }, None));
    }
}
