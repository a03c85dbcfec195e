//! Where a request will be over soonest, by what it is predicted to cost.
//!
//! A gateway that has a part of the requests sees no endpoint full, and latencies tell it little: of few answers they
//! are the luck of which were heavy. Where costs are predicted, an endpoint is known by how much longer than predicted it
//! takes, for all together (its pace) and for light requests (their wait, which is what other gateways cause as well),
//! and by the work that this gateway has sent there. Light requests go where little waits, heavy ones to quick endpoints.

use std::time::Duration;

use smallvec::SmallVec;

use crate::balance::candidates::Candidates;
use crate::balance::least_cost::{least, sample};
use crate::balance::strength::strength;
use crate::balance::{Pick, SplitMix64};
use crate::load::Sample;
use crate::time::Moment;

/// Endpoints that are compared: not all, so that gateways which know the same do not all send to the same one.
const COMPARED: usize = 24;
/// Endpoints with more in flight than this and twice the mean are for requests that find no other. It is what holds
/// where predictions are wrong, and at an endpoint that answers nothing.
const FEW: f64 = 1.0;
const TIMES_THE_MEAN: f64 = 2.0;
/// What an endpoint costs that has too many in flight: more than any that has not.
const HOT: f64 = 1e9;
/// Usual pace counts as much as so many answers of an endpoint.
const PRIOR: f32 = 2.0;

/// The endpoint where a request of this `cost` is over soonest, of some drawn at random; `None`: none of them may be
/// chosen.
pub(super) fn soonest(from: &Candidates<'_>, cost: Duration, pick: &mut Pick<'_>) -> Option<usize> {
    let drawn = draw(from, pick.random);
    let known: SmallVec<[Known; COMPARED]> =
        drawn.iter().map(|&member| Known::of(from, member, pick.now)).collect();
    let usual = Usual::of(&known);
    let completions = known.iter().map(|one| (one.endpoint, usual.completion(one, cost)));
    least(completions, pick.random)
}

fn draw(from: &Candidates<'_>, random: &mut SplitMix64) -> SmallVec<[usize; COMPARED]> {
    let members = from.view.members();
    let count = (COMPARED + from.avoid.len()).min(members.len());
    let drawn = sample(members.len(), count, random).into_iter();
    drawn.map(|position| members[position] as usize).filter(|&one| from.allow(one)).collect()
}

/// What is known of an endpoint.
struct Known {
    endpoint: usize,
    strength: f64,
    /// Requests in flight, as far as is known those of others included; infinite: it takes no more.
    in_flight: f64,
    /// Requests that it works on at a time; one where that is not known, as a gateway sees only its part of them.
    workers: f64,
    /// The work that this gateway has sent there, in seconds. What others sent is in the wait: by reports, which are
    /// late, gateways herd.
    backlog: f64,
    /// Seconds.
    wait: f64,
    pace: Sample,
}

impl Known {
    fn of(from: &Candidates<'_>, endpoint: usize, now: Moment) -> Self {
        let load = &from.endpoints[endpoint].load;
        let own = f64::from(load.in_flight());
        Self {
            endpoint,
            strength: strength(from, endpoint, now),
            in_flight: load.others(now).map_or(f64::INFINITY, |others| own + f64::from(others)),
            workers: load.foreseen().workers.map_or(1.0, f64::from),
            backlog: load.backlog(),
            wait: load.wait(now),
            pace: load.pace(now),
        }
    }
}

/// How the endpoints of one pick are in the mean.
struct Usual {
    /// Mean logarithm of the latency of a request of usual cost.
    pace: f32,
    /// Requests in flight that are not too many.
    most: f64,
}

impl Usual {
    fn of(all: &[Known]) -> Self {
        let finite = all.iter().filter(|one| one.in_flight.is_finite());
        let (mut in_flight, mut count) = (0.0, 0.0);
        finite.for_each(|one| (in_flight, count) = (in_flight + one.in_flight, count + 1.0));
        let (mut pace, mut answered) = (0.0, 0.0);
        for one in all.iter().filter(|one| one.pace.answers >= 1.0) {
            (pace, answered) = (pace + one.pace.mean, answered + 1.0);
        }
        Self {
            pace: pace / f32::max(answered, 1.0),
            most: FEW + TIMES_THE_MEAN * in_flight / f64::max(count, 1.0),
        }
    }

    /// How long it takes until a request that costs so much is over, in seconds, by strength.
    fn completion(&self, at: &Known, cost: Duration) -> f64 {
        if at.in_flight > self.most {
            return HOT * (at.in_flight + 1.0).min(HOT) / at.strength;
        }
        let work = at.backlog / at.workers + cost.as_secs_f64();
        (self.pace_of(at.pace) * work + at.wait) / at.strength
    }

    /// How many times as long as usual requests take, drawn towards 1 as long as few were answered.
    fn pace_of(&self, Sample { mean, answers }: Sample) -> f64 {
        let known = answers / (answers + PRIOR);
        f64::from(((mean - self.pace) * known).exp())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::balance::Balancer;
    use crate::balance::tests::{balancer, upstream};
    use crate::load::{Outcome, Report};
    use crate::plan::BalancePolicy;

    const NOW: Moment = Moment(60_000_000_000);
    /// What requests cost in the mean of their logarithms.
    const USUAL: f32 = 0.010;

    fn of(n: usize) -> Balancer {
        balancer(&upstream(BalancePolicy::Prequal, None, &vec![1; n]))
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Requests of this cost were answered by `endpoint` after so long.
    fn answered(balancer: &Balancer, endpoint: usize, cost: u64, latency: u64) {
        let load = &balancer.endpoints()[endpoint].load;
        let expected = (millis(cost).as_secs_f32() / USUAL).ln();
        for _ in 0..50 {
            let sent = load.begin_predicted(Some(millis(cost))).expecting(expected);
            load.finish(sent, Outcome::Answered, millis(latency), NOW);
        }
    }

    /// Where a request of this cost goes.
    fn picked(balancer: &Balancer, cost: u64) -> usize {
        let mut random = SplitMix64::new(5);
        let mut pick = Pick { cost: Some(millis(cost)), ..Pick::new(NOW, &mut random) };
        balancer.pick(&mut pick).unwrap()
    }

    #[test]
    fn heavy_requests_go_to_the_quick_endpoint_and_light_ones_where_nothing_waits() {
        let balancer = of(2);
        answered(&balancer, 0, 10, 10);
        answered(&balancer, 1, 10, 20);
        _ = balancer.endpoints()[0].load.begin_predicted(Some(millis(60)));
        _ = balancer.endpoints()[1].load.begin_predicted(Some(millis(4)));
        assert_eq!((picked(&balancer, 400), picked(&balancer, 4)), (0, 1));
    }

    #[test]
    fn what_light_requests_waited_keeps_others_away_though_this_gateway_has_none_there() {
        let balancer = of(2);
        for (endpoint, light) in [(0, 34), (1, 4)] {
            answered(&balancer, endpoint, 4, light);
            answered(&balancer, endpoint, 400, 430);
        }
        assert_eq!(picked(&balancer, 4), 1);
    }

    #[test]
    fn an_endpoint_with_many_in_flight_gets_none_however_light_they_are_said_to_be() {
        let balancer = of(3);
        (0..3).for_each(|endpoint| answered(&balancer, endpoint, 10, 10));
        let load = |endpoint: usize| &balancer.endpoints()[endpoint].load;
        (0..12).for_each(|_| _ = load(0).begin_predicted(Some(Duration::from_micros(1))));
        (1..3).for_each(|endpoint| _ = load(endpoint).begin_predicted(Some(millis(400))));
        assert_ne!(picked(&balancer, 4), 0);
    }

    #[test]
    fn an_endpoint_that_reports_many_in_flight_or_no_room_gets_none() {
        let balancer = of(3);
        (0..3).for_each(|endpoint| answered(&balancer, endpoint, 10, 10));
        for endpoint in 0..3 {
            _ = balancer.endpoints()[endpoint].load.begin_predicted(Some(millis(10)));
        }
        let report = |endpoint: usize, in_flight, utilization| {
            let report = Report { in_flight: Some(in_flight), utilization, ..Report::default() };
            balancer.endpoints()[endpoint].load.report(report, NOW);
        };
        report(0, 30, None);
        report(1, 1, None);
        report(2, 1, Some(1.0));
        assert_eq!(picked(&balancer, 10), 1);
    }

    #[test]
    fn an_endpoint_of_which_nothing_is_known_is_tried_and_not_flooded() {
        let balancer = of(8);
        (1..8).for_each(|endpoint| answered(&balancer, endpoint, 10, 10));
        let mut random = SplitMix64::new(5);
        for _ in 0..24 {
            let cost = Some(millis(10));
            let picked = balancer.pick(&mut Pick { cost, ..Pick::new(NOW, &mut random) }).unwrap();
            _ = balancer.endpoints()[picked].load.begin_predicted(cost);
        }
        let new = balancer.endpoints()[0].load.in_flight();
        assert!((1..=4).contains(&new), "{new}");
    }

    #[test]
    fn idle_endpoints_that_are_alike_get_the_same() {
        let balancer = of(4);
        let mut random = SplitMix64::new(5);
        let mut counts = [0; 4];
        for _ in 0..4_000 {
            let mut pick = Pick { cost: Some(millis(10)), ..Pick::new(NOW, &mut random) };
            counts[balancer.pick(&mut pick).unwrap()] += 1;
        }
        assert!(counts.iter().all(|&count| (850..1_150).contains(&count)), "{counts:?}");
    }
}
