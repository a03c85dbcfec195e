//! From a request to the endpoint that it is sent to.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use smallvec::SmallVec;

use super::candidates::Candidates;
use super::forecast::Forecast;
use super::narrow::{Narrowing, Outlet, Outlets, Outlook};
use super::{Endpoints, Pick, Sticky, Unpicked};
use crate::plan::{self, BalancePolicy, Labels};
use crate::time::Moment;

/// Picks endpoints of one upstream. Shared by all workers.
#[derive(Debug)]
pub struct Balancer {
    endpoints: Endpoints,
    narrowing: Narrowing,
    outlook: ArcSwap<Outlook>,
    /// Where the policy looks ahead.
    forecast: Option<Forecast>,
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
        let narrowing = Narrowing::new(upstream, around.zone, around.subsets);
        let outlook = ArcSwap::from_pointee(narrowing.outlook(&endpoints, Moment::default()));
        let sticky = upstream.balance.sticky.as_ref();
        let sticky = sticky.map(|plan| Sticky::new(plan, upstream, around.secret));
        let foresees = upstream.balance.policy == BalancePolicy::FastestFree;
        let forecast = foresees.then(|| Forecast::new(upstream.limits.adaptive.enabled));
        Self { endpoints, narrowing, outlook, forecast, sticky }
    }

    /// The endpoints; [`pick`](Self::pick) answers with an index into them.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The cookies that keep clients with their endpoints, where the upstream has them.
    pub fn sticky(&self) -> Option<&Sticky> {
        self.sticky.as_ref()
    }

    /// The endpoint that a request is to be sent to.
    ///
    /// Resting, ejected and unhealthy endpoints are picked only if there are too few others (panic
    /// mode); those that are not in service, have weight 0 or have all the requests they may have never.
    ///
    /// # Errors
    /// If there is none.
    pub fn pick(&self, pick: &mut Pick<'_>) -> Result<usize, Unpicked> {
        let outlook = self.outlook(pick.now);
        if let Some(forecast) = &self.forecast {
            forecast.renew(&self.endpoints, outlook.of(None), pick.now);
        }
        let outlets = outlook.of(pick.subset);
        if let Some(named) = self.named(outlets, pick) {
            return Ok(named);
        }
        if outlets.avoids_all(pick.tried) {
            pick.tried = &[];
        }
        let mut avoid: SmallVec<[usize; 4]> = SmallVec::from_slice(pick.tried);
        let mut last = Err(Unpicked::NoEndpoint);
        while let Some(outlet) = outlets.draw(pick, &avoid) {
            match self.choose(outlet, &avoid, pick) {
                Some(chosen) if self.admits(outlet, chosen, pick.now) => return Ok(chosen),
                Some(chosen) => {
                    avoid.push(chosen);
                    last = Ok(chosen);
                }
                None => {
                    avoid.extend(outlet.view.members().iter().map(|&member| member as usize));
                    last = Err(Unpicked::AllBusy);
                }
            }
        }
        last
    }

    /// The endpoint that the request's cookie names, if it may be picked.
    fn named(&self, outlets: &Outlets, pick: &Pick<'_>) -> Option<usize> {
        let named = pick.sticky?;
        let outlet = outlets.holding(named)?;
        let free = self.candidates(outlet, pick.tried).allow(named);
        (free && self.admits(outlet, named, pick.now)).then_some(named)
    }

    /// What the policy of `outlet` chooses, or another with room; `None` where all are full.
    fn choose(&self, outlet: &Outlet, avoid: &[usize], pick: &mut Pick<'_>) -> Option<usize> {
        let from = self.candidates(outlet, avoid);
        let chosen = outlet.policy.choose(&from, pick);
        if from.is_full(chosen) { from.any(pick.random) } else { Some(chosen) }
    }

    /// Whether a request may really go to `endpoint`: one whose rest is over takes only the request that
    /// is first to try it. In panic all may.
    fn admits(&self, outlet: &Outlet, endpoint: usize, now: Moment) -> bool {
        let view = &outlet.view;
        !view.has_trials() || self.endpoints[endpoint].health.admit(now) || view.is_panic()
    }

    /// The members of `outlet`, of which a request is not to go to those in `avoid`.
    pub(super) fn candidates<'a>(
        &'a self,
        outlet: &'a Outlet,
        avoid: &'a [usize],
    ) -> Candidates<'a> {
        let (endpoints, view) = (&self.endpoints, &outlet.view);
        Candidates { endpoints, view, avoid, limit: endpoints.limit() }
    }

    /// Whether `endpoint` has all the requests it may have.
    pub(super) fn is_full(&self, endpoint: usize) -> bool {
        self.endpoints[endpoint].load.in_flight() >= self.endpoints.limit()
    }

    /// Requests that the endpoints together may have at `now`: by configuration, and by what is known of how
    /// many they work on at a time. `u32::MAX` where there is none: no
    /// request need wait to be refused.
    pub fn room(&self, now: Moment) -> u32 {
        let foreseen = self.forecast.as_ref().map_or(u32::MAX, Forecast::room);
        let limit = self.endpoints.limit();
        if limit == u32::MAX {
            return foreseen;
        }
        match self.outlook(now).of(None).members() {
            0 => u32::MAX,
            members => limit.saturating_mul(members as u32).min(foreseen),
        }
    }

    /// The weight that `endpoint` has at `now`, as its neighbours' count: smaller than configured while it
    /// starts slowly, 0 while it gets no requests.
    pub fn effective_weight(&self, endpoint: usize, now: Moment) -> f64 {
        let endpoint = &self.endpoints[endpoint];
        if !endpoint.is_open() || !endpoint.health.available(now) {
            return 0.0;
        }
        f64::from(endpoint.weight()) * self.narrowing.readiness(endpoint, now)
    }

    /// Where requests go at `now`.
    pub(super) fn outlook(&self, now: Moment) -> Guard<Arc<Outlook>> {
        let outlook = self.outlook.load();
        if !outlook.is_stale(&self.endpoints, now) {
            return outlook;
        }
        let outlook = Arc::new(self.narrowing.outlook(&self.endpoints, now));
        self.outlook.store(Arc::clone(&outlook));
        Guard::from_inner(outlook)
    }
}
