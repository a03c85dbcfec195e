//! Asking: how the origin is asked for what a request cannot be answered with.

use std::sync::Arc;

use http::Response;
use tidegate_core::cache::cache_status::Why;
use tidegate_core::cache::slice;

use super::fetch::Fetch;
use super::serve::{first_byte, lacks};
use super::wanted::Wanted;
use super::{Asking, Lookup};
use crate::call::Call;
use crate::http::body::Body;
use crate::objects::cache::{Entry, Leading};

/// What is stored for a request.
pub enum Found {
    /// The answer.
    Answer(Response<Body>),
    /// The answer with slices of this object, if that is still the same.
    Sliced(Arc<Entry>, Response<Body>),
    /// Nothing that it may be answered with: the origin is to be asked.
    Ask(Ask),
    /// The request passes the cache by.
    Pass(Why),
}

/// How the origin is to be asked.
pub struct Ask {
    pub why: Why,
    /// What may still hold.
    pub entry: Option<Arc<Entry>>,
    /// Absent: it is not asked for what may be stored; the request passes the cache by.
    pub wanted: Option<Wanted>,
    pub place: Place,
}

/// Where a request stands among those with its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It leads them, or follows the one that does.
    Any,
    /// It follows one that leads, but does not lead: it wants a part.
    Behind,
    /// It goes by itself.
    Alone,
}

/// What is missing of `entry` for a request.
pub(super) fn missing(entry: &Arc<Entry>, call: &Call<'_>) -> Option<Wanted> {
    lacks(entry, call).map(|missing| Wanted::Missing(entry.clone(), missing))
}

impl Asking<'_> {
    /// How the origin is asked by slices, where the route has such and what is wanted may be stored in them.
    pub(super) fn by_slices(&self, ask: Ask, call: &Call<'_>) -> Found {
        let Some(size) = self.settings.slice else { return Found::Ask(ask) };
        let is_sliced = |entry: &Arc<Entry>| entry.sliced().is_some();
        let is_asked_anew = match &ask.wanted {
            Some(Wanted::Whole) => ask.entry.as_ref().is_none_or(is_sliced),
            Some(Wanted::Missing(..)) => false,
            _ => true,
        };
        if !is_asked_anew || !self.may_store(call) {
            return Found::Ask(ask);
        }
        if ask.entry.is_none() && !self.of.cache.is_wanted(self.key.hash, self.settings.min_uses) {
            return Found::Pass(ask.why);
        }
        let number = match &ask.entry {
            Some(object) => first_byte(object, call) / size,
            None => slice::first(&call.head.headers, size),
        };
        Found::Ask(Ask { wanted: Some(Wanted::Slice(number, None)), place: Place::Any, ..ask })
    }

    /// Whether the response may be stored, as far as the request says.
    pub(super) fn may_store(&self, call: &Call<'_>) -> bool {
        !self.settings.forbids_storing(call.head)
    }

    /// Have the origin asked.
    pub(super) fn fetch(&self, ask: Ask, leading: Option<Leading>, call: &Call<'_>) -> Lookup {
        Lookup::Fetch(Box::new(self.fetch_of(ask, leading, call)))
    }

    pub(super) fn fetch_of(&self, ask: Ask, leading: Option<Leading>, call: &Call<'_>) -> Fetch {
        let Ask { why, entry, wanted, place: _ } = ask;
        let (cache, destination) = (self.of.cache.clone(), self.destination);
        Fetch {
            why,
            asked_at: cache.purges.ask(Some(self.key.url)),
            cache,
            key: Arc::new(self.key.stored()),
            entry,
            wanted: wanted.unwrap_or(Wanted::Whole),
            leading,
            stores: self.may_store(call),
            slice_size: self.settings.slice.unwrap_or(u64::MAX),
            local: call.client.local.clone(),
            snapshot: call.snapshot.clone(),
            route: call.found.route,
            upstream: destination.upstream.clone(),
            subset: destination.subset,
            client: call.address,
            is_authenticated: call.proof.is_some(),
        }
    }
}
