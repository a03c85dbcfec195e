//! Rate limits: whether what the request has in common with others may come so often.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use smallvec::SmallVec;
use tidegate_core::failure::Failure;
use tidegate_core::rate::{
    Demand, Ended, Fields, Key, Mode, Pass, Standing, Subject, Unkeyed, Verdict, retry_after,
};
use tidegate_core::time::Moment;

use crate::account::event::Event;
use crate::account::explain::{LimitDecision, RateStanding};
use crate::account::metrics::RateResult;
use crate::call::Call;
use crate::http::body::{Body, Pace};
use crate::http::quota::{Exceeded, Quotas};
use crate::net::clock;
use crate::objects::rate::{Direction, Due, Dues, Place, RateLimit};

/// Room for a field that tells of a few windows.
const FIELD_LENGTH: usize = 128;

/// Limits that a request has a key for, each with it.
type Asked<'a> = SmallVec<[(&'a Arc<RateLimit>, Key); 4]>;
/// How many more requests of its key may follow, by limits on those under way.
type Left<'a> = SmallVec<[(&'a RateLimit, u32); 2]>;

/// A request that has to wait for its turn.
pub struct Turn {
    wait: Duration,
    /// Held while it waits.
    place: Place,
}

impl Turn {
    /// Wait for it. Boxed as a whole, so that requests which need not wait do not carry it around.
    pub fn come(self) -> Pin<Box<impl Future<Output = ()>>> {
        Box::pin(async move {
            let _place = self.place;
            tokio::time::sleep(self.wait).await;
        })
    }
}

/// Ask the limits of the request's route, and charge it to all of them, or to none. The turn is that of a request that
/// may wait for it.
///
/// # Errors
/// If one of them refuses it.
pub fn before(limits: &[Arc<RateLimit>], call: &mut Call<'_>) -> Result<Option<Turn>, Failure> {
    if limits.is_empty() {
        return Ok(None);
    }
    let asked = asked(limits, call)?;
    let (mut dues, mut left) = (Dues::default(), Left::new());
    for &(limit, key) in &asked {
        let Some(flights) = &limit.flights else { continue };
        match flights.enter(key) {
            Some((flight, more)) => {
                left.push((limit, more));
                dues.flights.push(flight);
            }
            None => {
                let style = limit.limit.terms().style;
                let fields = Fields::new(style, &[flights.service(0)], &mut String::new());
                refused(limit, "in_flight", Failure::TooManyInFlight, fields, call)?;
            }
        }
    }
    let at = call.transaction.witnesses.coarse_now();
    let now = clock::moment(at);
    let demands: SmallVec<[_; 4]> = asked.iter().map(|&(limit, key)| demand(limit, key)).collect();
    let mut pass = Pass::new(&demands, now);
    let mut turn = None;
    if let Verdict::Wait(wait) = pass.verdict {
        turn = turn_in(wait, &asked, &pass).filter(|_| call.time_left.allows(at + wait));
        if turn.is_none() {
            pass.deny_turn(&demands, now);
        }
    }
    tell(&asked, &demands, &pass, &left, now, call);
    let fields = fields(&asked, &demands, &pass, &left, now);
    if pass.verdict.denies() {
        let exceeded = Some(exceeded(&demands, &pass, call));
        return Err(refuse(
            Failure::RateLimited,
            Quotas { fields, exceeded, ..Quotas::default() },
            call,
        ));
    }
    let owing = asked.iter().filter(|(limit, _)| limit.limit.terms().cost.is_known_later());
    dues.costs.extend(owing.map(|&(limit, key)| Due { limit: limit.clone(), key, told: None }));
    if !dues.is_empty() {
        call.transaction.owes(dues);
    }
    for pace in paces(&asked, Direction::Request) {
        *call.body = std::mem::take(call.body).paced(pace);
    }
    let paces = paces(&asked, Direction::Response).collect();
    call.quotas = Some(Box::new(Quotas { fields, exceeded: None, paces }));
    Ok(turn)
}

/// Tell the client of its quotas, take off what the response tells of its cost, and pace its body.
pub fn after(call: &mut Call<'_>, response: &mut Response<Body>) {
    let Some(quotas) = call.quotas.take() else { return };
    let status = response.status();
    let headers = response.headers_mut();
    call.transaction.retain_costs(|due| {
        let cost = &due.limit.limit.terms().cost;
        due.told = cost.told(headers);
        if let Some(name) = &cost.header {
            headers.remove(name);
        }
        // Before the client learns of the response, which it may follow up with the next request at once.
        if !cost.counts_bytes() {
            let ended = Ended { status: Some(status), told: due.told, ..Ended::default() };
            due.limit.limit.settle(due.key, &ended, clock::now());
        }
        cost.counts_bytes()
    });
    quotas.fields.add_to(headers);
    for pace in quotas.paces {
        let body = response.body_mut();
        *body = std::mem::take(body).paced(pace);
    }
}

fn refuse(failure: Failure, quotas: Quotas, call: &mut Call<'_>) -> Failure {
    call.quotas = Some(Box::new(quotas));
    failure
}

/// The limit refuses the request for `what`, which is no window of its.
///
/// # Errors
/// If the limit is in force.
fn refused(
    limit: &RateLimit,
    what: &str,
    failure: Failure,
    fields: Fields,
    call: &mut Call<'_>,
) -> Result<(), Failure> {
    let standing = || {
        LimitDecision::rate(RateStanding {
            name: limit.plan.name.as_str().into(),
            window: what.into(),
            cost: 1,
            left: 0,
            wait: None,
            verdict: "deny",
            mode: limit.limit.terms().mode.label(),
        })
    };
    call.tell(&Event::RateLimitAsked { denies: true, decision: &standing });
    if limit.limit.terms().mode == Mode::Shadow {
        return Ok(());
    }
    limit.metrics.asked(call.client.local.outbound.worker, RateResult::Denied);
    let exceeded = Exceeded { retry_after: None, policies: vec![limit.plan.name.as_str().into()] };
    Err(refuse(failure, Quotas { fields, exceeded: Some(exceeded), ..Quotas::default() }, call))
}

/// How fast the bodies of this direction may pass, by the limits that hold them back.
fn paces(asked: &Asked<'_>, direction: Direction) -> impl Iterator<Item = Pace> {
    let enforced = asked.iter().filter(|(limit, _)| limit.limit.terms().mode == Mode::Enforce);
    enforced.filter_map(move |(limit, key)| limit.pace(direction, *key))
}

/// Those of `limits` that are for the request.
///
/// # Errors
/// If one refuses it because it has no key.
fn asked<'a>(limits: &'a [Arc<RateLimit>], call: &mut Call<'_>) -> Result<Asked<'a>, Failure> {
    let mut asked = Asked::new();
    for limit in limits {
        let subject = Subject {
            client: call.address,
            head: call.head,
            route: call.route.map_or("", |route| &route.plan.name),
            listener: &call.client.listener.name,
            whereabouts: &*call.snapshot.geoip,
        };
        match limit.key(&subject) {
            Ok(key) => asked.push((limit, key)),
            Err(Unkeyed::Skip) => {}
            Err(Unkeyed::Deny) => {
                refused(limit, "key", Failure::RateLimited, Fields::default(), call)?;
                limit.metrics.asked(call.client.local.outbound.worker, RateResult::WouldDeny);
            }
        }
    }
    Ok(asked)
}

fn demand(limit: &RateLimit, key: Key) -> Demand<'_> {
    Demand { limit: &limit.limit, key, cost: limit.limit.terms().cost.ahead() }
}

/// A turn at the limit that lets the request wait the longest.
fn turn_in(wait: Duration, asked: &Asked<'_>, pass: &Pass) -> Option<Turn> {
    let longest = pass.standings.iter().find(|standing| standing.verdict == Verdict::Wait(wait))?;
    let place = asked[longest.demand].0.place()?;
    Some(Turn { wait, place })
}

/// Count what each limit said, and let it be explained.
fn tell(
    asked: &Asked<'_>,
    demands: &[Demand<'_>],
    pass: &Pass,
    left: &Left<'_>,
    now: Moment,
    call: &Call<'_>,
) {
    for (index, (limit, _)) in asked.iter().enumerate() {
        let standings = pass.standings.iter().filter(|standing| standing.demand == index);
        let has_place = left.iter().any(|(entered, _)| std::ptr::eq(*entered, limit.as_ref()));
        let is_full = limit.flights.is_some() && !has_place;
        let denies = is_full || pass.exceeds(index);
        let result = match (denies, limit.limit.terms().mode) {
            (false, _) => RateResult::Allowed,
            (true, Mode::Enforce) => RateResult::Denied,
            (true, Mode::Shadow) => RateResult::WouldDeny,
        };
        limit.metrics.asked(call.client.local.outbound.worker, result);
        for standing in standings {
            let decision = || decision(limit, standing, standing.service(demands, now).left);
            call.tell(&Event::RateLimitAsked {
                denies: standing.verdict.denies(),
                decision: &decision,
            });
        }
    }
}

/// How a window stood that has so many units left.
fn decision(limit: &RateLimit, standing: &Standing, left: u64) -> LimitDecision {
    let terms = limit.limit.terms();
    let wait = match standing.verdict {
        Verdict::Allow | Verdict::TooCostly => None,
        Verdict::Wait(wait) | Verdict::Deny(wait) => Some(wait),
    };
    LimitDecision::rate(RateStanding {
        name: limit.plan.name.as_str().into(),
        window: limit.limit.policy(standing.window).map_or("", |policy| policy.name()).into(),
        cost: terms.cost.ahead(),
        left,
        wait,
        verdict: standing.verdict.label(),
        mode: terms.mode.label(),
    })
}

/// The fields that tell the client of its limits.
fn fields(
    asked: &Asked<'_>,
    demands: &[Demand<'_>],
    pass: &Pass,
    left: &Left<'_>,
    now: Moment,
) -> Fields {
    let Some(style) = asked.iter().find_map(|(limit, _)| limit.limit.terms().told()) else {
        return Fields::default();
    };
    let flights = left.iter().filter(|(limit, _)| limit.limit.terms().told().is_some());
    let flights = flights.filter_map(|(limit, more)| Some(limit.flights.as_ref()?.service(*more)));
    let services: SmallVec<[_; 4]> = pass.services(demands, now).chain(flights).collect();
    Fields::new(style, &services, &mut String::with_capacity(FIELD_LENGTH))
}

/// Why the request is refused, as its client is told.
fn exceeded(demands: &[Demand<'_>], pass: &Pass, call: &Call<'_>) -> Exceeded {
    let retry_after = match pass.verdict {
        Verdict::Deny(wait) => {
            let random = call.client.local.outbound.random.borrow_mut().fraction();
            Some(retry_after(wait, random))
        }
        _ => None,
    };
    Exceeded {
        retry_after,
        policies: pass.denying(demands).map(|policy| policy.name().into()).collect(),
    }
}
