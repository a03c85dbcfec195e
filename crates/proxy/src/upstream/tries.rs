//! A request that is sent: how, and its tries so far.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Response, request};
use smallvec::SmallVec;
use tidegate_core::balance::{Pick, Unpicked};
use tidegate_core::failure::Failure;
use tidegate_core::hedge::Hedge;
use tidegate_core::retry::Policy;
use tidegate_core::time::Moment;
use tokio::time::Instant;

use super::admission::{Permit, RetryPermit};
use super::affinity::Affinity;
use super::cost::{CostOf, CostRoute};
use super::outbound::Outbound;
use super::{Membership, Upstream};
use crate::account::event::{Event, TryOutcome};
use crate::account::explain::{Choice, LimitDecision};
use crate::account::metrics::EndpointMetrics;
use crate::account::relay::Listening;
use crate::http::body::{Body, Content};
use crate::http::broken::Broken;
use crate::http::interim::InterimSink;
use crate::http::time_left::TimeLeft;
use crate::net::clock;

/// How a request is sent.
pub struct Dispatch<'a> {
    /// Where to.
    pub upstream: &'a Arc<Upstream>,
    /// Its route, by which its cost is learnt.
    pub route: CostRoute,
    /// The place of the labels that the route asks for.
    pub subset: Option<usize>,
    /// When a try is repeated.
    pub retry: &'a Policy,
    /// When a second try is made beside one that takes long.
    pub hedge: Option<&'a Hedge>,
    /// Until when all tries must be over, and how endpoints are told.
    pub time_left: TimeLeft<'a>,
    /// The protocol the client wants to switch to.
    pub upgrade: Option<&'a HeaderValue>,
    /// Where interim responses go.
    pub interim: &'a InterimSink,
    /// The client's address, where it is hashed.
    pub client: Option<IpAddr>,
    /// Its place among the requests that the upstream is busy with.
    pub permit: &'a Permit,
    /// What is told how it goes.
    pub listening: Listening<'a>,
}

impl Dispatch<'_> {
    /// The request, by which its cost is predicted and learnt.
    pub(super) fn cost_of<'r>(&self, head: &'r request::Parts) -> CostOf<'r> {
        CostOf { route: self.route, priority: self.permit.arrival().priority, head }
    }

    /// What the request is predicted to cost, where that decides where it goes.
    pub(super) fn cost_to_pick_by(
        &self,
        head: &request::Parts,
        outbound: &Outbound,
        now: Instant,
    ) -> Option<Duration> {
        let picks = self.upstream.picks_by_cost();
        picks.then(|| self.foresee_to_pick(head, outbound, clock::moment(now))).flatten()
    }

    /// By itself: most upstreams pick without.
    #[inline(never)]
    fn foresee_to_pick(
        &self,
        head: &request::Parts,
        outbound: &Outbound,
        now: Moment,
    ) -> Option<Duration> {
        let Self { upstream, permit, listening, .. } = self;
        // Of one that waited it is foreseen already.
        if let Some(foreseen) = &*permit.foreseen() {
            return foreseen.prediction.map(|it| it.cost);
        }
        let of = self.cost_of(head);
        let foreseen = upstream.foresee(&of, permit.arrival().arm, outbound, now);
        if listening.takes_notes()
            && foreseen.prediction.is_some()
            && let Some(decision) = upstream.prediction_decision(&of, &foreseen, now)
        {
            listening.tell(&Event::CostPredicted { decision: &|| decision.clone() });
        }
        let cost = foreseen.prediction.map(|it| it.cost);
        if foreseen.observation.is_some() {
            permit.foresee(foreseen);
        }
        cost
    }

    /// Bytes of the request's body that are kept for another try: none where only a try that never took any
    /// of it could be repeated.
    pub(super) fn kept(&self, head: &request::Parts) -> usize {
        let repeats = self.retry.repeats(&head.method);
        let refuses = self.retry.attempts > 1 && self.upstream.may_refuse();
        if repeats || refuses { self.retry.buffer } else { 0 }
    }
}

/// The head of a response came.
pub struct Answered {
    /// The response.
    pub response: Response<Body>,
    /// The endpoint that gave it.
    pub member: usize,
    /// When the try began.
    pub began: Instant,
    /// Time since then.
    pub took: Duration,
}

/// What a try comes to.
pub type Outcome = Result<Answered, Broken>;

/// A request that is sent, and its tries so far.
pub struct Tries<'a> {
    /// What it is sent with.
    pub outbound: &'a Outbound,
    /// How it is sent.
    pub dispatch: &'a Dispatch<'a>,
    /// The endpoints that there are for it.
    pub membership: &'a Arc<Membership>,
    /// Its body.
    pub content: Content,
    /// What decides where it goes, by hashing.
    pub(super) hash: Option<u64>,
    /// What it is predicted to cost, where that decides where it goes.
    pub(super) cost: Option<Duration>,
    /// The endpoints that its client's requests stay with.
    pub(super) affinity: Affinity<'a>,
    /// The endpoints it was sent to.
    pub(super) tried: RefCell<SmallVec<[usize; 4]>>,
    /// Held while a retry is under way.
    pub(super) retry_permit: RefCell<Option<RetryPermit>>,
}

impl Tries<'_> {
    /// An endpoint that is not tried yet, while there is one.
    ///
    /// # Errors
    /// Why there is none.
    pub fn pick(&self, now: Instant) -> Result<usize, Failure> {
        let balancer = &self.membership.balancer;
        let now = clock::moment(now);
        self.membership.renew(now, &self.outbound.long_work);
        let tried = self.tried.borrow();
        let mut pick = Pick {
            now,
            random: &mut self.outbound.random.borrow_mut(),
            hash: self.hash,
            subset: self.dispatch.subset,
            sticky: &self.affinity.endpoints,
            tried: &tried,
            cost: self.cost,
        };
        let picked = balancer.pick(&mut pick);
        let choice = || self.choice(&pick, picked.ok());
        self.tell(&Event::EndpointChosen { found: picked.is_ok(), choice: &choice });
        picked.map_err(|unpicked| match unpicked {
            Unpicked::NoEndpoint => Failure::NoEndpoint,
            Unpicked::AllBusy => Failure::RequestLimit,
        })
    }

    /// How the endpoints stood for a pick, for people.
    fn choice(&self, pick: &Pick<'_>, picked: Option<usize>) -> Choice {
        let Membership { balancer, plan, members, .. } = &**self.membership;
        let candidates = balancer.explain(pick, picked);
        Choice {
            policy: plan.balance.policy,
            sticky: picked.is_some_and(|picked| pick.sticky.contains(&picked)),
            left_out: members.len() - candidates.len(),
            panic_mode: picked.is_some_and(|picked| balancer.was_panic(pick, picked)),
            candidates,
        }
    }

    /// A try on `member` begins.
    pub fn begin(&self, member: usize, now: Instant) {
        self.tried.borrow_mut().push(member);
        self.tell_at(now, &Event::TryBegan(self.counts(member)));
    }

    /// The try on `member` has a connection.
    pub fn connected(&self, member: usize) {
        self.tell(&Event::TryConnected(self.counts(member)));
    }

    /// The try on `member` failed, or got a response that is not passed on.
    pub fn failed(&self, member: usize, outcome: &Outcome) {
        let outcome = match outcome {
            Ok(answer) => TryOutcome::Answered(answer.response.status()),
            Err(broken) => TryOutcome::Failed(broken.failure),
        };
        let endpoint = self.counts(member);
        self.tell_at(Instant::now(), &Event::TryFailed { endpoint, outcome });
    }

    /// A limit on further tries decided.
    pub(super) fn decided(&self, limit: &'static str, allowed: bool) {
        self.tell(&Event::LimitDecided(LimitDecision::plain(limit, allowed)));
    }

    #[inline(always)]
    fn tell(&self, event: &Event<'_>) {
        self.dispatch.listening.tell(event);
    }

    #[inline(always)]
    pub(super) fn tell_at(&self, at: Instant, event: &Event<'_>) {
        self.dispatch.listening.tell_at(at, event);
    }

    pub(super) fn counts(&self, member: usize) -> &Arc<EndpointMetrics> {
        &self.membership.members[member].metrics
    }

    /// Whether `member` was tried.
    pub fn has_tried(&self, member: usize) -> bool {
        self.tried.borrow().contains(&member)
    }

    /// Tries so far.
    pub(super) fn tries(&self) -> u32 {
        self.tried.borrow().len() as u32
    }

    /// Whether the try that is under way may be followed by another.
    pub fn may_go_on(&self) -> bool {
        self.tries() < self.dispatch.retry.attempts && self.content.is_left()
    }
}
