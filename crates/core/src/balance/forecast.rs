//! What the endpoints' past says of the next request.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Endpoints;
use super::narrow::Outlook;
use super::spare::is_quick;
use crate::load::{Foreseen, Load, Parallelism, Sample, Sum};
use crate::time::Moment;

/// How often it is made anew, and how much less often for each endpoint: so ten thousand cost no more than a
/// thousand.
const EVERY: Duration = Duration::from_millis(100);
const EVERY_ENDPOINT: Duration = Duration::from_micros(50);
/// An endpoint is quicker or slower than the others if its mean is so many standard errors from theirs.
const SIGNIFICANT: f32 = 2.5;
/// One more request than there are workers is let in for each so many endpoints: else it
/// would go unnoticed that there are more workers than before.
const ENDPOINTS_PER_TRIAL: u32 = 16;
/// One of so many forecasts is a trial. Where requests are ordered by what they cost, only then one more is let in: it
/// waits at its endpoint, behind heavy ones perhaps. And only then an endpoint that was slow, and got nothing since, is
/// trusted to be like the others: where few requests come, each of them might find it forgotten.
const FORECASTS_PER_TRIAL: u32 = 8;

/// For each endpoint how many requests it works on at a time and how quick it is, for all together how many
/// requests they can have before one would wait there.
///
/// It is made beside the outlook when it is due, from what the [`Load`](crate::load::Load) of each
/// endpoint counted. Endpoints learn from each other: one that has not met its own limit yet has that of
/// all, or what it has proved beyond.
#[derive(Debug)]
pub(super) struct Forecast {
    /// Whether requests may be kept waiting for it.
    holds: bool,
    due: AtomicU64,
    room: AtomicU32,
    /// Requests that as many quick endpoints would work on as do what these do: the bits of an `f32`.
    capacity: AtomicU32,
    /// Those that the quick ones of them work on.
    quick: AtomicU32,
    /// Requests that are in flight when all workers are busy; `u32::MAX`: not known.
    workers: AtomicU32,
    /// Whether some endpoints are slow beside the quickest.
    uneven: AtomicBool,
    /// Forecasts that were made.
    made: AtomicU32,
}

impl Forecast {
    /// One that knows nothing yet, and limits nothing unless it `holds` requests back.
    pub(super) fn new(holds: bool) -> Self {
        Self {
            holds,
            due: AtomicU64::new(0),
            room: AtomicU32::new(u32::MAX),
            capacity: AtomicU32::new(0),
            quick: AtomicU32::new(0),
            workers: AtomicU32::new(u32::MAX),
            uneven: AtomicBool::new(false),
            made: AtomicU32::new(0),
        }
    }

    /// Requests that the endpoints can have; `u32::MAX`: as many as come.
    pub(super) fn room(&self) -> u32 {
        self.room.load(Relaxed)
    }

    /// Requests that quick endpoints which do as much together would work on at a time; infinite where that is not known.
    pub(super) fn capacity(&self) -> f32 {
        match self.is_known() {
            true => f32::from_bits(self.capacity.load(Relaxed)),
            false => f32::INFINITY,
        }
    }

    /// Requests that the quick endpoints work on at a time.
    pub(super) fn quick(&self) -> u32 {
        self.quick.load(Relaxed)
    }

    /// Whether it is known how many requests the endpoints work on, and requests may be kept waiting for it.
    pub(super) fn is_known(&self) -> bool {
        self.workers() < u32::MAX
    }

    /// Requests that are in flight when all workers are busy; `u32::MAX`: not known.
    pub(super) fn workers(&self) -> u32 {
        self.workers.load(Relaxed)
    }

    /// Whether some endpoints are slow beside the quickest.
    pub(super) fn is_uneven(&self) -> bool {
        self.uneven.load(Relaxed)
    }

    /// Whether it is one by which what is known is tried.
    pub(super) fn is_trial(&self) -> bool {
        self.made.load(Relaxed).is_multiple_of(FORECASTS_PER_TRIAL)
    }

    /// When it is to be made anew.
    pub(super) fn due(&self) -> Moment {
        Moment(self.due.load(Relaxed))
    }

    /// Make it anew at `now`, for requests that go where `outlook` says.
    pub(super) fn renew(&self, endpoints: &Endpoints, outlook: &Outlook, now: Moment) {
        self.made.fetch_add(1, Relaxed);
        let workers = foresee(endpoints, outlook, self.is_trial().then_some(now));
        let workers = workers.filter(|_| self.holds).unwrap_or(u32::MAX);
        self.workers.store(workers, Relaxed);
        let trials = 1 + outlook.members() as u32 / ENDPOINTS_PER_TRIAL;
        self.room.store(workers.saturating_add(trials), Relaxed);
        let Strength { capacity, quick, uneven } = Strength::of(endpoints, outlook);
        self.quick.store(quick, Relaxed);
        self.capacity.store(capacity.to_bits(), Relaxed);
        self.uneven.store(uneven, Relaxed);
        let next = now.after(EVERY.max(EVERY_ENDPOINT * endpoints.len() as u32));
        self.due.store(next.0, Relaxed);
    }
}

/// Tells each endpoint what is foreseen of it; of its pace, what is `faded` by then counts less, where that is said.
/// Answers with the requests that they have together when all workers are busy; `None`: there are none, or it is not known.
fn foresee(endpoints: &Endpoints, outlook: &Outlook, faded: Option<Moment>) -> Option<u32> {
    let mut all = Sum::default();
    endpoints.iter().for_each(|endpoint| all.add(endpoint.load.overtaking()));
    let common = all.parallelism();
    let pace = |load: &Load| faded.map_or_else(|| load.latest_pace(), |now| load.pace(now));
    let usual = Usual::of(endpoints, outlook, pace);
    let (mut sum, mut members) = (0u32, 0);
    for (index, endpoint) in endpoints.iter().enumerate() {
        let load = &endpoint.load;
        let own = Parallelism::of(load.overtaking());
        let workers = own.limit.or(common.limit.map(|common| common.max(own.at_least)));
        load.foresee(Foreseen { workers, pace: usual.pace_of(pace(load)) });
        let is_member = outlook.holding(None, index).is_some();
        members += u32::from(is_member);
        // Requests that are still with those that get no new ones do not take the place of others.
        let place = if is_member { workers.unwrap_or(u32::MAX) } else { load.in_flight() };
        sum = sum.saturating_add(place);
    }
    (members > 0).then_some(sum)
}

/// What the endpoints that get requests can do together.
struct Strength {
    capacity: f32,
    quick: u32,
    uneven: bool,
}

impl Strength {
    fn of(endpoints: &Endpoints, outlook: &Outlook) -> Self {
        let members = (0..endpoints.len()).filter(|&index| outlook.holding(None, index).is_some());
        let known = members.map(|index| {
            let Foreseen { workers, pace } = endpoints[index].load.foreseen();
            (workers.unwrap_or(u32::MAX), pace.unwrap_or(1.0))
        });
        let quickest = known.clone().map(|(_, pace)| pace).fold(f32::INFINITY, f32::min);
        Self {
            capacity: known.clone().map(|(workers, pace)| workers as f32 * quickest / pace).sum(),
            quick: known
                .clone()
                .filter(|(_, pace)| is_quick(*pace, quickest))
                .fold(0, |sum, (workers, _)| sum.saturating_add(workers)),
            uneven: known.map(|(_, pace)| pace).any(|pace| !is_quick(pace, quickest)),
        }
    }
}

/// The mean pace of the endpoints that get requests; `None` where their weights differ, which the operator set.
struct Usual(Option<f32>);

impl Usual {
    fn of(endpoints: &Endpoints, outlook: &Outlook, pace: impl Fn(&Load) -> Sample) -> Self {
        let (mut sum, mut count, mut weight) = (0.0, 0.0, None);
        for (index, endpoint) in endpoints.iter().enumerate() {
            let Some(view) = outlook.holding(None, index) else { continue };
            let its_weight = view.weight(index);
            if *weight.get_or_insert(its_weight) != its_weight {
                return Self(None);
            }
            let known = pace(&endpoint.load);
            if known.answers >= 1.0 {
                sum += known.mean;
                count += 1.0;
            }
        }
        Self((count > 0.0).then(|| sum / count))
    }

    /// How much longer than usual requests take there; `None` where that does not matter. One that is not
    /// sure to be different is like the others.
    fn pace_of(&self, known: Sample) -> Option<f32> {
        let apart = known.mean - self.0?;
        let sure = apart.abs() * known.answers.sqrt() > SIGNIFICANT;
        Some(if sure { apart.exp() } else { 1.0 })
    }
}
