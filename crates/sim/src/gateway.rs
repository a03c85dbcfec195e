//! A gateway: core's balancer and gate with what this gateway alone knows.

use std::sync::Arc;
use std::time::Duration;

use tidegate_core::admission::{Gate, Place, Woken};
use tidegate_core::balance::{Balancer, Endpoints, Pick, SplitMix64, needs};
use tidegate_core::health::Fault;
use tidegate_core::load::{Outcome, Report, Sent};
use tidegate_core::plan::{PredictMode, Priority};
use tidegate_core::predict::Prediction;
use tidegate_core::time::Moment;

use crate::arrivals::Request;
use crate::c3;
use crate::predictor::{Predictor, Prospect};
use crate::scenario::{C3, Scenario};
use crate::server::ServerLoad;

/// How a try ended, as a gateway sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an answer.
    Answered,
    /// With an error that the server answered.
    Error,
    /// Without a connection.
    Unreachable,
    /// Without any word in time.
    TimedOut,
    /// Without any word when an answer was of no use any more.
    Late,
}

/// A try that ended.
#[derive(Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) server: usize,
    pub(crate) sent: Sent,
    pub(crate) prospect: Option<&'a Prospect>,
    pub(crate) ending: Ending,
    /// Since it was sent.
    pub(crate) latency: u64,
    /// Since its request came.
    pub(crate) took: u64,
    pub(crate) now: u64,
}

/// What becomes of a request that has come to a gateway. A request is named by the number of its try.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is in.
    In,
    /// It waits, and is named here or by a later call.
    Waits(Place, Woken<u32>),
    /// As many wait as may.
    Refused,
}

/// One gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    balancer: Arc<Balancer>,
    gate: Gate<u32>,
    predictor: Option<Predictor>,
    /// Whether servers are picked by what is predicted.
    reads_cost: bool,
    /// Whether a request that has waited as long as it may is sent on if only the servers' room keeps it.
    admits_late: bool,
    random: SplitMix64,
}

impl Gateway {
    pub(crate) fn new(scenario: &Scenario, random: SplitMix64, predicting: SplitMix64) -> Self {
        let mut upstream = scenario.upstream.clone();
        if scenario.predict.is_some() {
            upstream.predict.mode = PredictMode::Auto;
        }
        let upstream = &upstream;
        let balancer = match scenario.c3 {
            Some(C3 { clients }) => c3::balancer(upstream, clients),
            None => Balancer::new(upstream, Endpoints::new(upstream, None, Moment(0))),
        };
        let (balancer, gate) = (Arc::new(balancer), Gate::new(&upstream.limits));
        let predict = scenario.predict.as_ref();
        let predictor = predict.map(|plan| Predictor::new(plan, scenario, predicting));
        if let Some(predictor) = &predictor {
            gate.hold_by(Some(predictor.supply(balancer.clone())));
        }
        Self {
            balancer,
            gate,
            predictor,
            reads_cost: needs(upstream.balance.policy).cost && scenario.c3.is_none(),
            admits_late: upstream.limits.endpoint_requests.is_none(),
            random,
        }
    }

    /// What a request that comes now is, for predictions.
    pub(crate) fn prospect(&mut self, request: &Request, now: u64) -> Option<Prospect> {
        self.predictor.as_mut().map(|predictor| predictor.prospect(request, Moment(now)))
    }

    /// A request was not let in, or gave up its place.
    pub(crate) fn refused(&self, prospect: Option<&Prospect>) {
        if let Some((predictor, prospect)) = self.predictor.as_ref().zip(prospect) {
            predictor.refused(prospect);
        }
    }

    /// When its predictions were first turned off; `None`: never.
    pub(crate) fn predictions_off_at(&self) -> Option<Moment> {
        self.predictor.as_ref()?.off_at()
    }

    /// Request `id` has come, and may take until `deadline`.
    pub(crate) fn admit(
        &mut self,
        id: u32,
        prospect: Option<&Prospect>,
        deadline: u64,
        now: u64,
    ) -> Admission {
        let (left, now) = (Duration::from_nanos(deadline - now), Moment(now));
        self.balancer.renew(now);
        self.gate.fit(self.balancer.room());
        if let Some(predictor) = &self.predictor {
            let limit = self.gate.limit().map_or(f32::INFINITY, |limit| limit as f32);
            predictor.renew(|| self.balancer.capacity().min(limit).into(), now);
        }
        if self.gate.enter() {
            return Admission::In;
        }
        let prediction = self.predict(prospect, now);
        if self.gate.is_hopeless(prediction, left) {
            return Admission::Refused;
        }
        match self.gate.wait(Priority::Normal, prediction, now, id) {
            Ok((place, woken)) => Admission::Waits(place, woken),
            Err(_) => Admission::Refused,
        }
    }

    /// What is predicted of a request, as far as it counts.
    fn predict(&mut self, prospect: Option<&Prospect>, now: Moment) -> Option<Prediction> {
        let (predictor, prospect) = self.predictor.as_mut().zip(prospect)?;
        predictor.predict(prospect, now)
    }

    /// A request has waited as long as it may; whether it is in after all, which only one is that `may_be_late`.
    pub(crate) fn tire(&self, place: Place, may_be_late: bool) -> bool {
        self.gate.give_up(place);
        may_be_late && self.admits_late && self.gate.enter_late()
    }

    /// A request that went in `held` ago is over, answered well or not.
    pub(crate) fn leave(&self, held: u64, answered: bool, now: u64) -> Woken<u32> {
        let (held, now) = (Duration::from_nanos(held), Moment(now));
        let mut woken = match answered {
            true => self.gate.answered(held, now),
            false => self.gate.unanswered(held, now),
        };
        self.gate.record_residence(held);
        woken.extend(self.gate.leave(now));
        woken
    }

    /// Pick a server and count the request as in flight there; `None`: there is none.
    pub(crate) fn send(
        &mut self,
        hash: Option<u64>,
        tried: &[usize],
        prospect: Option<&Prospect>,
        now: u64,
    ) -> Option<(usize, Sent)> {
        self.balancer.renew(Moment(now));
        let cost = match self.reads_cost {
            true => self.predict(prospect, Moment(now)).map(|prediction| prediction.cost),
            false => None,
        };
        let pick = Pick::new(Moment(now), &mut self.random);
        let mut pick = Pick { hash, tried, cost, ..pick };
        let picked = self.balancer.pick(&mut pick).ok()?;
        let sent = self.balancer.endpoints()[picked].load.begin_predicted(cost);
        Some((picked, sent))
    }

    /// `server` has told how loaded it is.
    pub(crate) fn hear(&self, server: usize, told: ServerLoad, now: u64) {
        let latency = (!told.latency.is_nan()).then(|| f64::from(told.latency));
        let report = Report { in_flight: Some(told.in_flight), latency, ..Report::default() };
        self.balancer.endpoints()[server].load.report(report, Moment(now));
    }

    /// A try at `server` ended `latency` after it was sent.
    pub(crate) fn finish(&mut self, ended: Ended<'_>) {
        let Ended { server, sent, prospect, ending, latency, took, now } = ended;
        let endpoint = &self.balancer.endpoints()[server];
        let (now, latency) = (Moment(now), Duration::from_nanos(latency));
        let outcome = match ending {
            Ending::Answered => Outcome::Answered,
            Ending::Error | Ending::Unreachable | Ending::TimedOut => Outcome::Failed,
            Ending::Late => Outcome::Abandoned,
        };
        let is_answered = ending == Ending::Answered;
        let cost = endpoint.load.cost(sent, latency).filter(|_| is_answered);
        let took = is_answered.then_some(Duration::from_nanos(took));
        let predictor = self.predictor.as_mut().zip(prospect);
        let expected = predictor.map_or(0.0, |(one, of)| one.ended(of, cost, took, now));
        endpoint.load.finish(sent.expecting(expected), outcome, latency, now);
        _ = match ending {
            Ending::Answered => endpoint.health.succeeded(now),
            // The simulator's errors are those of a server in trouble: 503.
            Ending::Error | Ending::TimedOut => endpoint.health.failed(Fault::Gateway, now),
            Ending::Unreachable => endpoint.health.connect_failed(now),
            Ending::Late => None,
        };
    }
}
