//! The gateways that purge a cache together: each tells the others of its purges by a stream of a store, and reads what
//! they tell from its own place there on.
//!
//! A purge holds where it was made before others are told of it. A gateway that has no place in the stream, or whose place
//! is cut off, may have missed purges: it takes a new one, and purges all that it has stored until then.

mod message;
mod reading;
mod telling;
mod waiting;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidegate_core::balance::SplitMix64;
use tidegate_core::plan::CachePurges;
use tidegate_core::retry::Backoff;
use tokio::sync::watch;
use tokio::time::sleep;

pub use self::waiting::Waiting;

use super::Cache;
use super::disk::{Disk, Past};
use super::purge_request::PurgeRequest;
use super::urls::Urls;
use crate::account::outbox::Outbox;
use crate::long_work::LongWork;
use crate::net::clock;
use crate::objects::store::stream::Id;
use crate::objects::store::{Store, Trouble};

/// How long a purge waits at the most for word that others are told of it.
pub const WORD: Duration = Duration::from_secs(2);

/// Why the stream is not read where that was not tried yet.
const UNTRIED: &str = "not connected yet";

/// The pauses before another connection is tried.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(1_000));

/// The gateways that purge a cache together, as this one knows them.
#[derive(Debug)]
pub struct Fleet {
    /// What was asked for.
    pub plan: CachePurges,
    /// What the others are still to be told.
    pub waiting: Arc<Waiting>,
    reading: Mutex<State>,
}

/// How far the stream was read.
#[derive(Debug, Clone)]
pub struct State {
    /// The message that was applied last.
    pub place: Option<Id>,
    /// Why it cannot be read; `None` where it is read.
    pub cause: Option<String>,
    /// What is known of the time before, where it has no place.
    pub begin: Begin,
}

/// What is known, when a cache takes its place in a stream, of the purges that others have told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// They are read from this place on, which it had before.
    At(Id),
    /// They take nothing: what is stored is younger.
    Empty,
    /// They are not asked for: it is told of purges from now on.
    Now,
    /// Some may be missed that take what is stored.
    Missed,
}

/// A cache as it is served, and how the routes that ask it make keys of URLs.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The cache.
    pub cache: Arc<Cache>,
    /// How its routes make keys; `None`: none asks it.
    pub urls: Option<Arc<Urls>>,
}

impl Fleet {
    /// The fleet of a cache that `begin`s so, in which this `waiting` is still to be told.
    pub fn new(plan: &CachePurges, begin: Begin, waiting: Arc<Waiting>) -> Self {
        let place = match begin {
            Begin::At(place) => Some(place),
            _ => None,
        };
        let cause = Some(UNTRIED.to_owned());
        Self { plan: plan.clone(), waiting, reading: Mutex::new(State { place, cause, begin }) }
    }

    /// How far the stream was read.
    pub fn state(&self) -> State {
        self.reading.lock().clone()
    }

    /// Have the others told of a purge. Returns the number by which it [can be seen](Waiting::is_told) whether they are.
    pub fn tell(&self, request: &PurgeRequest) -> u64 {
        self.waiting.add(request)
    }

    /// The stream is read, and this was applied last.
    fn reach(&self, place: Id) {
        self.reading.lock().place = Some(place);
    }

    /// It is read to its end, or cannot be read for this `cause`; whether that is new.
    fn change(&self, cause: Option<String>) -> bool {
        let mut state = self.reading.lock();
        let changes = match &state.cause {
            Some(known) => cause.is_none() || known == UNTRIED,
            None => cause.is_some(),
        };
        if cause.is_some() && state.place.is_none() {
            // What others purge while no place is taken is missed.
            state.begin = Begin::Missed;
        }
        state.cause = cause;
        changes
    }

    /// The place is not there any more.
    fn lose_place(&self) {
        let mut state = self.reading.lock();
        (state.place, state.begin) = (None, Begin::Missed);
        state.cause = Some("the stream does not go back to the place".to_owned());
    }
}

/// The fleet of a cache: that of the one `before` it, unless it is to be another one or there is more on the disk that it has
/// `opened` than that one knows of.
pub(super) fn of(
    plan: &CachePurges,
    before: Option<&Cache>,
    opened: Option<&Arc<Disk>>,
) -> Arc<Fleet> {
    let known = before.and_then(|before| before.fleet.as_ref());
    let begin = match (opened.map(|disk| disk.past()), before) {
        (Some(Past::Objects(place)), _) => place.map_or(Begin::Missed, Begin::At),
        (_, Some(_)) => Begin::Now,
        (_, None) => Begin::Empty,
    };
    if let (Begin::At(_) | Begin::Missed, Some(disk)) = (begin, opened) {
        disk.distrust();
    }
    match known.filter(|fleet| fleet.plan == *plan && begin == Begin::Now) {
        Some(fleet) => fleet.clone(),
        None => {
            let waiting = known.map(|fleet| fleet.waiting.clone()).unwrap_or_default();
            Arc::new(Fleet::new(plan, begin, waiting))
        }
    }
}

/// What the tasks of a fleet work with.
pub struct Desk {
    /// The cache as it is served now.
    pub shared: watch::Receiver<Shared>,
    /// Where the stream is.
    pub store: Arc<Store>,
    /// What takes long is done there.
    pub long_work: Arc<LongWork>,
    /// What happens is told there.
    pub outbox: Arc<Outbox>,
}

/// Tell the others of a cache's purges, and apply theirs, for ever.
pub async fn run(fleet: Arc<Fleet>, desk: Desk) {
    tokio::join!(reading::run(&fleet, &desk), telling::run(&fleet, &desk));
}

/// Do `work` over one link after another, each to the node of a cluster that is said to have the stream, for ever. It sets
/// the number of failures back once it gets on; why a link ends is `told`.
async fn keep_at(
    mut work: impl AsyncFnMut(Option<&str>, &mut u32) -> Result<Infallible, Trouble>,
    told: impl Fn(&Trouble),
) {
    let (mut random, mut failures, mut node) = (SplitMix64::new(clock::unix_nanos()), 0, None);
    loop {
        let Err(trouble) = work(node.as_deref(), &mut failures).await;
        failures += 1;
        node = match trouble {
            Trouble::Moved(address) => Some(address),
            trouble => {
                told(&trouble);
                None
            }
        };
        sleep(PAUSES.pause(failures, &mut random)).await;
    }
}
