//! A gateway: core's balancer with what this gateway alone knows.

use std::collections::VecDeque;
use std::time::Duration;

use tidegate_core::balance::{Balancer, Endpoints, Pick, SplitMix64};
use tidegate_core::health::Fault;
use tidegate_core::load::{Outcome, Report, Sent};
use tidegate_core::time::Moment;

use crate::c3;
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
}

/// One gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    balancer: Balancer,
    random: SplitMix64,
    /// Tries that are kept until there is room for them.
    waiting: VecDeque<u32>,
}

impl Gateway {
    pub(crate) fn new(scenario: &Scenario, random: SplitMix64) -> Self {
        let upstream = &scenario.upstream;
        let balancer = match scenario.c3 {
            Some(C3 { clients }) => c3::balancer(upstream, clients),
            None => Balancer::new(upstream, Endpoints::new(upstream, None, Moment(0))),
        };
        Self { balancer, random, waiting: VecDeque::new() }
    }

    /// Whether one more request can be sent at `now` without waiting at a server, as far as the balancer knows.
    pub(crate) fn has_room(&self, now: u64) -> bool {
        let balancer = self.renewed(now);
        balancer.endpoints().total().in_flight() < u64::from(balancer.room())
    }

    /// The balancer, as the servers stand at `now`.
    fn renewed(&self, now: u64) -> &Balancer {
        self.balancer.renew(Moment(now));
        &self.balancer
    }

    /// Keep a try until there is room for it.
    pub(crate) fn hold(&mut self, id: u32) {
        self.waiting.push_back(id);
    }

    /// The try that has waited longest, if there is room for it.
    pub(crate) fn release(&mut self, now: u64) -> Option<u32> {
        if self.waiting.is_empty() || !self.has_room(now) {
            return None;
        }
        self.waiting.pop_front()
    }

    /// Pick a server and count the request as in flight there; `None`: there is none.
    pub(crate) fn send(
        &mut self,
        hash: Option<u64>,
        tried: &[usize],
        now: u64,
    ) -> Option<(usize, Sent)> {
        self.balancer.renew(Moment(now));
        let pick = Pick::new(Moment(now), &mut self.random);
        let mut pick = Pick { hash, tried, ..pick };
        let picked = self.balancer.pick(&mut pick).ok()?;
        let sent = self.balancer.endpoints()[picked].load.begin();
        Some((picked, sent))
    }

    /// `server` has told how loaded it is.
    pub(crate) fn hear(&self, server: usize, told: ServerLoad, now: u64) {
        let latency = (!told.latency.is_nan()).then(|| f64::from(told.latency));
        let report = Report { in_flight: Some(told.in_flight), latency, ..Report::default() };
        self.balancer.endpoints()[server].load.report(report, Moment(now));
    }

    /// A try at `server` ended `latency` after it was sent.
    pub(crate) fn finish(&self, server: usize, sent: Sent, ending: Ending, latency: u64, now: u64) {
        let endpoint = &self.balancer.endpoints()[server];
        let (now, latency) = (Moment(now), Duration::from_nanos(latency));
        let outcome = match ending {
            Ending::Answered => Outcome::Answered,
            Ending::Error | Ending::Unreachable | Ending::TimedOut => Outcome::Failed,
        };
        endpoint.load.finish(sent, outcome, latency, now);
        _ = match ending {
            Ending::Answered => endpoint.health.succeeded(now),
            // The simulator's errors are those of a server in trouble: 503.
            Ending::Error | Ending::TimedOut => endpoint.health.failed(Fault::Gateway, now),
            Ending::Unreachable => endpoint.health.connect_failed(now),
        };
    }
}
