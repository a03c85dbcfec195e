//! From a request to the endpoint that it is sent to.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::forecast::Forecast;
use super::narrow::{Narrowing, Outlook, View};
use super::needs::signals;
use super::registry;
use super::{Build, Candidates, Endpoints, Pick, Sticky, Unpicked, needs};
use crate::load::Signals;
use crate::plan::{self, Labels};
use crate::time::Moment;

/// Picks endpoints of one upstream. Shared by all workers.
///
/// A pick reads an outlook of the endpoints, which is made beforehand: [`renew`](Self::renew) makes another where
/// one [is due](Self::is_stale), and picks go by the one that there is.
#[derive(Debug)]
pub struct Balancer {
    endpoints: Endpoints,
    narrowing: Narrowing,
    outlook: ArcSwap<Outlook>,
    /// Where the policy looks ahead.
    forecast: Option<Forecast>,
    /// Changes of the endpoints that the outlook knows of.
    known: AtomicU64,
    /// When outlook or forecast are to be made anew, whatever changes.
    due: AtomicU64,
    /// Held while they are.
    renewing: Mutex<()>,
    sticky: Option<Sticky>,
}

/// What a balancer depends on besides its upstream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The gateway's own zone.
    pub zone: Option<&'a str>,
    /// The labels that routes ask for.
    pub subsets: &'a [Labels],
    /// What sticky cookies are signed with where the configuration has no secret.
    pub secret: &'a [u8],
}

impl Balancer {
    /// A balancer for `endpoints`, which were made from `upstream`, where nothing surrounds it.
    ///
    /// Takes up to tens of milliseconds for ten thousand endpoints: not a worker's business.
    pub fn new(upstream: &plan::Upstream, endpoints: Endpoints) -> Self {
        Self::within(upstream, endpoints, Surroundings::default())
    }

    /// A balancer for `endpoints`, which were made from `upstream`. As quick as [`new`](Self::new).
    pub fn within(
        upstream: &plan::Upstream,
        endpoints: Endpoints,
        around: Surroundings<'_>,
    ) -> Self {
        Self::by(&registry::build, signals(upstream), upstream, endpoints, around)
    }

    /// A balancer that goes by the policies that `build` makes, which read these `signals`, instead of the one that
    /// `upstream` names.
    pub fn by(
        build: &Build,
        signals: Signals,
        upstream: &plan::Upstream,
        endpoints: Endpoints,
        around: Surroundings<'_>,
    ) -> Self {
        let narrowing = Narrowing::new(upstream, build, around.zone, around.subsets);
        let outlook = narrowing.outlook(&endpoints, Moment::default());
        let (known, until) = outlook.valid();
        let looks_ahead = signals.contains(Signals::WORKERS);
        let holds = needs(upstream.balance.policy).signals.contains(Signals::WORKERS)
            && upstream.limits.adaptive.enabled;
        let forecast = looks_ahead.then(|| Forecast::new(holds));
        let due = forecast.as_ref().map_or(until, |forecast| until.min(forecast.due()));
        let sticky = upstream.balance.sticky.as_ref();
        Self {
            sticky: sticky.map(|plan| Sticky::new(plan, upstream, around.secret)),
            endpoints,
            narrowing,
            outlook: ArcSwap::from_pointee(outlook),
            forecast,
            known: AtomicU64::new(known),
            due: AtomicU64::new(due.0),
            renewing: Mutex::default(),
        }
    }

    /// The endpoints; [`pick`](Self::pick) answers with an index into them.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The cookies that keep clients with their endpoints, where the upstream has them.
    pub fn sticky(&self) -> Option<&Sticky> {
        self.sticky.as_ref()
    }

    /// Whether [`renew`](Self::renew) has something to do at `now`. Three loads.
    pub fn is_stale(&self, now: Moment) -> bool {
        now.0 >= self.due.load(Acquire) || self.known.load(Acquire) != self.endpoints.changes()
    }

    /// Let picks go by how the endpoints stand at `now`: what has changed holds when this returns.
    ///
    /// Takes a fraction of a millisecond for ten thousand endpoints. One caller at a time does it: where another
    /// is at it, this returns at once, and the other one also takes in what changed meanwhile.
    pub fn renew(&self, now: Moment) {
        // Once more after letting go: a caller that was turned away may have come too late for this round.
        while self.is_stale(now) {
            let Some(_alone) = self.renewing.try_lock() else { return };
            self.renew_alone(now);
        }
    }

    fn renew_alone(&self, now: Moment) {
        let mut outlook = self.outlook.load_full();
        if outlook.is_stale(&self.endpoints, now) {
            outlook = Arc::new(self.narrowing.outlook(&self.endpoints, now));
            self.outlook.store(Arc::clone(&outlook));
        }
        let (known, mut due) = outlook.valid();
        if let Some(forecast) = &self.forecast {
            if now >= forecast.due() {
                forecast.renew(&self.endpoints, &outlook, now);
            }
            due = due.min(forecast.due());
        }
        self.due.store(due.0, Release);
        self.known.store(known, Release);
    }

    /// The endpoint that a request is to be sent to.
    ///
    /// Resting, ejected and unhealthy endpoints are picked only if there are too few others (panic
    /// mode); those that drain or have weight 0 only for clients that stay with them; those that are in maintenance
    /// or have all the requests they may have never.
    ///
    /// # Errors
    /// If there is none.
    pub fn pick(&self, pick: &mut Pick<'_>) -> Result<usize, Unpicked> {
        let outlook = self.outlook();
        let serves = |&&named: &&usize| self.serves_client(&outlook, named, pick);
        if let Some(&named) = pick.sticky.iter().find(serves) {
            return Ok(named);
        }
        if outlook.tried_all(pick) {
            pick.tried = &[];
        }
        let mut avoid: SmallVec<[usize; 4]> = SmallVec::from_slice(pick.tried);
        let mut last = Err(Unpicked::NoEndpoint);
        while let Some(view) = outlook.draw(pick, &avoid) {
            match self.choose(view, &avoid, pick) {
                Some(chosen) if self.admits(view, chosen, pick.now) => return Ok(chosen),
                Some(chosen) => {
                    avoid.push(chosen);
                    last = Ok(chosen);
                }
                None => {
                    avoid.extend(view.members().iter().map(|&member| member as usize));
                    last = Err(Unpicked::AllBusy);
                }
            }
        }
        last
    }

    /// Whether `endpoint`, which the request's cookie names, can serve it.
    fn serves_client(&self, outlook: &Outlook, endpoint: usize, pick: &Pick<'_>) -> bool {
        match outlook.holding(pick.subset, endpoint) {
            Some(view) => {
                Candidates::new(&self.endpoints, view, pick.tried).allow(endpoint)
                    && self.admits(view, endpoint, pick.now)
            }
            None => self.keeps_client(endpoint, pick),
        }
    }

    /// Whether `endpoint`, to which no new client comes, keeps one that it has.
    fn keeps_client(&self, index: usize, pick: &Pick<'_>) -> bool {
        let endpoint = &self.endpoints[index];
        !endpoint.is_open()
            && self.narrowing.has(pick.subset, index)
            && !pick.tried.contains(&index)
            && endpoint.has_room(self.endpoints.limit())
            && endpoint.health.admit(pick.now)
    }

    /// What the policy of `view` chooses, or another with room; `None` where all are full.
    fn choose(&self, view: &Arc<View>, avoid: &[usize], pick: &mut Pick<'_>) -> Option<usize> {
        let from = Candidates::new(&self.endpoints, view, avoid);
        let chosen = view.policy.choose(&from, pick);
        if from.is_full(chosen) { from.any(pick.random) } else { Some(chosen) }
    }

    /// Whether a request may really go to `endpoint`: one whose rest is over takes only the request that
    /// is first to try it. In panic all may.
    fn admits(&self, view: &View, endpoint: usize, now: Moment) -> bool {
        !view.has_trials() || self.endpoints[endpoint].health.admit(now) || view.is_panic()
    }

    /// Requests that the endpoints together may have: by configuration, and by what is known of how many they
    /// work on at a time. `u32::MAX` where there is none: no request need wait to be refused.
    pub fn room(&self) -> u32 {
        let foreseen = self.forecast.as_ref().map_or(u32::MAX, Forecast::room);
        let limit = self.endpoints.limit();
        if limit == u32::MAX {
            return foreseen;
        }
        match self.outlook().members() {
            0 => u32::MAX,
            members => limit.saturating_mul(members as u32).min(foreseen),
        }
    }

    /// Whether requests that ask for no labels go to endpoints which are not well, because too few are.
    pub fn is_panicking(&self) -> bool {
        self.outlook().is_panic()
    }

    /// The weight that `endpoint` has at `now`, as its neighbours' count: smaller than configured while it
    /// starts slowly, 0 while it gets no requests.
    pub fn effective_weight(&self, endpoint: usize, now: Moment) -> f64 {
        let endpoint = &self.endpoints[endpoint];
        if !endpoint.takes_requests(now) {
            return 0.0;
        }
        f64::from(endpoint.weight()) * self.narrowing.readiness(endpoint, now)
    }

    /// What is foreseen, where the policy looks ahead.
    pub(super) fn forecast(&self) -> Option<&Forecast> {
        self.forecast.as_ref()
    }

    /// Where requests go.
    pub(super) fn outlook(&self) -> Guard<Arc<Outlook>> {
        self.outlook.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::SplitMix64;
    use crate::balance::tests::{balancer, upstream};
    use crate::plan::BalancePolicy;

    const NOW: Moment = Moment(1_000_000_000);

    /// The endpoints that a few picks go to.
    fn picked(balancer: &Balancer) -> Vec<usize> {
        let mut random = SplitMix64::new(1);
        let mut picks: Vec<usize> =
            (0..64).filter_map(|_| balancer.pick(&mut Pick::new(NOW, &mut random)).ok()).collect();
        picks.sort_unstable();
        picks.dedup();
        picks
    }

    #[test]
    fn a_change_holds_for_picks_once_the_balancer_is_renewed() {
        let balancer = balancer(&upstream(BalancePolicy::Random, None, &[1, 1]));
        balancer.renew(NOW);
        assert!(!balancer.is_stale(NOW));
        balancer.endpoints()[1].set_weight(0);
        assert!(balancer.is_stale(NOW));
        assert_eq!(picked(&balancer), [0, 1]);
        balancer.renew(NOW);
        assert_eq!((picked(&balancer), balancer.is_stale(NOW)), (vec![0], false));
    }

    #[test]
    fn while_one_caller_renews_the_others_go_by_what_there_is() {
        let balancer = balancer(&upstream(BalancePolicy::Random, None, &[1, 1]));
        balancer.endpoints()[1].set_weight(0);
        let renewing = balancer.renewing.lock();
        balancer.renew(NOW);
        assert_eq!((picked(&balancer), balancer.is_stale(NOW)), (vec![0, 1], true));
        drop(renewing);
        balancer.renew(NOW);
        assert_eq!(picked(&balancer), [0]);
    }

    #[test]
    fn however_many_change_and_renew_at_once_the_last_change_holds() {
        for _ in 0..50 {
            let balancer = balancer(&upstream(BalancePolicy::Random, None, &[1; 4]));
            std::thread::scope(|scope| {
                for index in 1..4 {
                    let balancer = &balancer;
                    scope.spawn(move || {
                        balancer.endpoints()[index].set_weight(0);
                        balancer.renew(NOW);
                    });
                }
            });
            assert_eq!(picked(&balancer), [0]);
        }
    }
}
