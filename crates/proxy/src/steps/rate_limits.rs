//! Rate limits: whether what the request has in common with others may come so often.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use smallvec::SmallVec;
use tidegate_core::failure::Failure;
use tidegate_core::rate::{
    Demand, Ended, Fields, Mode, Pass, Service, Standing, Subject, Unkeyed, Verdict, retry_after,
};
use tidegate_core::time::Moment;
use tokio::time::Instant;

use crate::account::event::Event;
use crate::account::explain::{LimitDecision, RateStanding};
use crate::account::metrics::Held;
use crate::call::Call;
use crate::client::Client;
use crate::http::body::Body;
use crate::http::quota::Exceeded;
use crate::net::clock;
use crate::objects::rate::{Direction, Due, Place, RateLimit};

/// Limits that a request has a key for.
#[derive(Default)]
struct Asked<'a> {
    limits: SmallVec<[&'a Arc<RateLimit>; 4]>,
    /// What it asks of each.
    demands: SmallVec<[Demand<'a>; 4]>,
    /// By the places of those that bound how many are under way: how many more of its key may follow.
    left: SmallVec<[(usize, u32); 2]>,
}

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

/// Ask these limits of the request's route, and charge it to all of them, or to none. The turn is that of a request
/// that may wait for it. Of a route that has limits by identity too this is done twice; what the first pass has charged
/// stays charged whatever follows.
///
/// # Errors
/// If one of them refuses it.
pub fn before<'a>(
    limits: &'a [Arc<RateLimit>],
    call: &mut Call<'a>,
) -> Result<Option<Turn>, Failure> {
    let mut asked = Asked::default();
    find_keys(limits, &mut asked, call)?;
    enter(&mut asked, call)?;
    let at = call.transaction.witnesses.coarse_now();
    let now = clock::moment(at);
    let mut pass = Pass::new(&asked.demands, now);
    let mut turn = None;
    if let Verdict::Wait(wait) = pass.verdict {
        turn = turn_in(wait, at, &asked, &pass, call);
        if turn.is_none() {
            pass.deny_turn(&asked.demands, now);
        }
    }
    tell(&asked, &pass, now, call);
    let quotas = call.quotas.get_or_insert_default();
    tell_client(&asked, &pass, now, &mut quotas.fields);
    if pass.verdict.denies() {
        call.transaction.give_back_places();
        quotas.exceeded = Some(exceeded(&asked, &pass, call.client));
        return Err(Failure::RateLimited);
    }
    let worker = call.client.local.outbound.worker;
    for (place, limit) in asked.limits.iter().enumerate() {
        let key = asked.demands[place].key;
        if limit.limit.terms().cost.is_known_later() {
            let due = Due { limit: Arc::clone(limit), key, told: None };
            call.transaction.owes(|dues| dues.costs.push(due));
        }
        if let Some(pace) = limit.pace(Direction::Request, key, worker) {
            *call.body = std::mem::take(call.body).paced(pace);
        }
        quotas.paces.extend(limit.pace(Direction::Response, key, worker));
    }
    Ok(turn)
}

/// Tell the client of its quotas, take off what the response tells of its cost, and pace its body.
pub fn after(call: &mut Call<'_>, response: &mut Response<Body>) {
    let Some(quotas) = &mut call.quotas else { return };
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
    for pace in quotas.paces.drain(..) {
        let body = response.body_mut();
        *body = std::mem::take(body).paced(pace);
    }
}

/// The limit refuses the request for `what`, which is no window of its.
///
/// # Errors
/// If the limit is in force.
fn refused<'a>(
    limit: &RateLimit,
    what: &str,
    service: Option<Service<'a>>,
    failure: Failure,
    call: &mut Call<'a>,
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
    limit.count(call.client.local.outbound.worker, true);
    call.transaction.give_back_places();
    let quotas = call.quotas.get_or_insert_default();
    if let Some(service) = service {
        quotas.fields.tell(limit.limit.terms().style, service);
    }
    let policies = vec![limit.plan.name.as_str().into()];
    quotas.exceeded = Some(Exceeded { retry_after: None, policies });
    Err(failure)
}

/// What of the request may be part of a key.
pub(super) fn subject<'a>(call: &'a Call<'_>) -> Subject<'a> {
    Subject {
        client: call.address,
        head: Some(call.head),
        route: call.route.map(|route| &*route.plan.name),
        listener: &call.client.listener.name,
        whereabouts: &*call.snapshot.geoip,
        identity: call.proof.as_ref().map(|proof| &*proof.identity),
        certificate: call.client.certificate().map(|peer| &*peer.names().subject),
    }
}

/// Which of `limits` are for the request.
///
/// # Errors
/// If one refuses it because it has no key.
fn find_keys<'a>(
    limits: &'a [Arc<RateLimit>],
    asked: &mut Asked<'a>,
    call: &mut Call<'a>,
) -> Result<(), Failure> {
    for limit in limits {
        let subject = subject(call);
        match limit.key(&subject) {
            Ok(key) => {
                limit.remember(key, &subject);
                let cost = limit.limit.terms().cost.ahead();
                asked.limits.push(limit);
                asked.demands.push(Demand { limit: &limit.limit, key, cost });
            }
            Err(Unkeyed::Skip) => {}
            Err(Unkeyed::Deny) => {
                refused(limit, "key", None, Failure::RateLimited, call)?;
                limit.count(call.client.local.outbound.worker, true);
            }
        }
    }
    Ok(())
}

/// Enter among the requests that are under way, where they are bounded.
///
/// # Errors
/// If there are as many as may be.
fn enter<'a>(asked: &mut Asked<'a>, call: &mut Call<'a>) -> Result<(), Failure> {
    for (place, (&limit, demand)) in asked.limits.iter().zip(&asked.demands).enumerate() {
        let Some(flights) = &limit.flights else { continue };
        match flights.enter(demand.key) {
            Some((flight, more)) => {
                asked.left.push((place, more));
                call.transaction.owes(|dues| dues.flights.push(flight));
            }
            None => {
                let full = Some(flights.service(0));
                refused(limit, "in_flight", full, Failure::TooManyInFlight, call)?;
            }
        }
    }
    Ok(())
}

/// A turn at the limit that lets the request wait the longest, unless that is beyond its time.
fn turn_in(
    wait: Duration,
    at: Instant,
    asked: &Asked<'_>,
    pass: &Pass,
    call: &Call<'_>,
) -> Option<Turn> {
    let longest = pass.standings.iter().find(|standing| standing.verdict == Verdict::Wait(wait))?;
    let limit = asked.limits[longest.demand];
    let place = limit.place().filter(|_| call.time_left.allows(at + wait))?;
    limit.metrics.delayed(call.client.local.outbound.worker, Held::Request, wait);
    Some(Turn { wait, place })
}

/// Count what each limit said, and let it be explained.
fn tell(asked: &Asked<'_>, pass: &Pass, now: Moment, call: &Call<'_>) {
    for (place, limit) in asked.limits.iter().enumerate() {
        let has_place = || asked.left.iter().any(|(entered, _)| *entered == place);
        let is_full = limit.flights.is_some() && !has_place();
        limit.count(call.client.local.outbound.worker, is_full || pass.exceeds(place));
    }
    for standing in &pass.standings {
        let decision = || {
            let left = standing.service(&asked.demands, now).left;
            decision(asked.limits[standing.demand], standing, left)
        };
        let denies = standing.verdict.denies();
        call.tell(&Event::RateLimitAsked { denies, decision: &decision });
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

/// Tell the client what it has left.
fn tell_client<'a>(asked: &Asked<'a>, pass: &Pass, now: Moment, fields: &mut Fields<'a>) {
    pass.tell(&asked.demands, now, fields);
    for &(place, more) in &asked.left {
        let limit = asked.limits[place];
        if let (Some(style), Some(flights)) = (limit.limit.terms().told(), &limit.flights) {
            fields.tell(style, flights.service(more));
        }
    }
}

/// Why the request is refused, as its client is told.
fn exceeded(asked: &Asked<'_>, pass: &Pass, client: &Client) -> Exceeded {
    let retry_after = match pass.verdict {
        Verdict::Deny(wait) => {
            let random = client.local.outbound.random.borrow_mut().fraction();
            Some(retry_after(wait, random))
        }
        _ => None,
    };
    Exceeded {
        retry_after,
        policies: pass.denying(&asked.demands).map(|policy| policy.name().into()).collect(),
    }
}
