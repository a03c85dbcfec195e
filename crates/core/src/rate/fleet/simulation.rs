//! Several gateways and one store, with time between them: what the fleet admits.
//!
//! The gateways' side is the product's own ([`Limit`], [`Pass`]); the store is a [`Bucket`], which does what the script
//! does. Requests come at random (Poisson). Time is simulated, in nanoseconds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::balance::SplitMix64;
use crate::rate::testing::{key, window};
use crate::rate::{Cost, Demand, Limit, Mode, Pass, SharedKey, Style, Terms, Verdict, Window};
use crate::time::Moment;

const SYNC: Duration = Duration::from_millis(10);
const LEASE: Duration = Duration::from_millis(250);
const COLD_WAIT: Duration = Duration::from_millis(25);
const SECOND: Duration = Duration::from_secs(1);

/// A fleet and what is asked of it.
#[derive(Debug, Clone)]
struct Scenario {
    windows: Vec<Window>,
    /// Requests per second, by gateway.
    rates: Vec<f64>,
    /// Each way.
    delay: Duration,
    /// When the store does not answer.
    away: std::ops::Range<Duration>,
    /// Whether it knows nothing when it is back.
    forgets: bool,
    on_failure: OnFailure,
    seed: u64,
    length: Duration,
}

impl Scenario {
    fn of(quota: u64, per: Duration, burst: u64, shares: &[f64]) -> Self {
        let demand = 3.0 * quota as f64 / per.as_secs_f64();
        Self {
            windows: vec![window(quota, per, burst)],
            rates: shares.iter().map(|share| share * demand).collect(),
            delay: Duration::from_micros(200),
            away: Duration::MAX..Duration::MAX,
            forgets: false,
            on_failure: OnFailure::Local,
            seed: 1,
            length: Duration::from_secs(16),
        }
    }

    fn run(&self) -> Run {
        let gateways = self.rates.len();
        let mut fleet = Fleet {
            scenario: self,
            random: SplitMix64::new(self.seed),
            gateways: (0..gateways).map(|_| Gateway::new(self)).collect(),
            alone: self.limit(None),
            bucket: Bucket::default(),
            has_forgotten: false,
            events: BinaryHeap::new(),
            contents: BTreeMap::new(),
            run: Run {
                admitted: Vec::new(),
                alone: Vec::new(),
                refused: 0,
                waited: Vec::new(),
                trips: vec![0; gateways],
            },
        };
        for gateway in 0..gateways {
            fleet.next_request(gateway, Duration::ZERO);
            // The gateways do not run in step.
            fleet.after(
                Duration::ZERO,
                SYNC.mul_f64(gateway as f64 / gateways as f64),
                Event::Sync(gateway),
            );
        }
        fleet.go();
        fleet.run
    }

    fn limit(&self, shared: Option<SharedTerms>) -> Limit {
        let terms = Terms {
            name: "shared".into(),
            windows: self.windows.clone().into(),
            mode: Mode::Enforce,
            patience: Duration::ZERO,
            cost: Cost::default(),
            style: Style::None,
            keys: NonZeroUsize::new(100).unwrap(),
            shared,
        };
        Limit::new(terms, None).unwrap()
    }
}

/// What came of it.
#[derive(Debug)]
struct Run {
    /// When, in order.
    admitted: Vec<Duration>,
    /// The same, had all requests come to one gateway alone.
    alone: Vec<Duration>,
    refused: usize,
    /// Requests that waited for the store: when they came, and how long they waited.
    waited: Vec<(Duration, Duration)>,
    /// Round trips, by gateway.
    trips: Vec<usize>,
}

impl Run {
    fn between(&self, from: Duration, to: Duration) -> usize {
        count(&self.admitted, from, to)
    }

    /// How many were admitted in each ten seconds between, at the least and the most.
    fn extremes(&self, from: Duration, to: Duration) -> (usize, usize) {
        let tenths = (from.as_millis() / 100)..=((to.as_millis().saturating_sub(10_000)) / 100);
        let counts = tenths.map(|tenth| {
            let begin = Duration::from_millis(tenth as u64 * 100);
            self.between(begin, begin + 10 * SECOND)
        });
        counts.fold((usize::MAX, 0), |(least, most), count| (least.min(count), most.max(count)))
    }
}

fn count(times: &[Duration], from: Duration, to: Duration) -> usize {
    let before = |time| times.partition_point(|at| *at < time);
    before(to) - before(from)
}

struct Gateway {
    limit: Limit,
    is_waiting_for_store: bool,
    /// Requests that wait for a word on the key, and until when.
    waiting: VecDeque<(Duration, Duration)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Request(usize),
    Sync(usize),
    /// What a gateway said arrives at the store: its content is this.
    Said(usize, u64),
    /// The answer arrives at the gateway.
    Heard(usize, u64),
    /// No answer has come.
    TimedOut(usize, u64),
    WaitedEnough(usize),
}

type Content = (Vec<Placed>, Vec<Grant>);

struct Fleet<'a> {
    scenario: &'a Scenario,
    random: SplitMix64,
    gateways: Vec<Gateway>,
    /// The limit as one gateway would have it that gets all requests.
    alone: Limit,
    bucket: Bucket,
    has_forgotten: bool,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    contents: BTreeMap<u64, Content>,
    run: Run,
}

fn moment(at: Duration) -> Moment {
    // Not at the origin, where an arrival time of nothing and of now would be the same.
    Moment(1_000_000_000).after(at)
}

fn micros(at: Duration) -> f64 {
    1e15 + at.as_secs_f64() * 1e6
}

impl Gateway {
    fn new(scenario: &Scenario) -> Self {
        let limit = scenario.limit(Some(SharedTerms {
            store: "store".into(),
            on_failure: scenario.on_failure,
            lease: LEASE,
            gateways: scenario.rates.len() as u32,
        }));
        limit.shared().unwrap().set_up(true);
        Self { limit, is_waiting_for_store: false, waiting: VecDeque::new() }
    }

    fn shared(&self) -> &SharedLimit {
        self.limit.shared().unwrap()
    }
}

impl Fleet<'_> {
    fn after(&mut self, now: Duration, delay: Duration, event: Event) {
        let number = self.random.next();
        self.events.push(Reverse((now + delay, number, event)));
    }

    fn next_request(&mut self, gateway: usize, now: Duration) {
        let rate = self.scenario.rates[gateway];
        if rate > 0.0 {
            let gap = Duration::from_secs_f64(-self.random.fraction().ln() / rate);
            self.after(now, gap, Event::Request(gateway));
        }
    }

    fn go(&mut self) {
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            if now > self.scenario.length {
                return;
            }
            match event {
                Event::Request(gateway) => {
                    self.next_request(gateway, now);
                    self.asked(gateway, now);
                }
                Event::Sync(gateway) => self.sync(gateway, now),
                Event::Said(gateway, content) => self.serve(gateway, content, now),
                Event::Heard(gateway, content) => self.heard(gateway, content, now),
                Event::TimedOut(gateway, content) => self.timed_out(gateway, content, now),
                Event::WaitedEnough(gateway) => self.wake(gateway, now),
            }
        }
    }

    fn asked(&mut self, gateway: usize, now: Duration) {
        let demand = Demand { limit: &self.alone, key: key(1), cost: 1 };
        if Pass::new(&[demand], moment(now)).verdict == Verdict::Allow {
            self.run.alone.push(now);
        }
        let Gateway { limit, waiting, .. } = &mut self.gateways[gateway];
        match limit.open(key(1), moment(now), || SharedKey([1; 16])) {
            Opening::Ready => self.pass(gateway, now),
            Opening::Unheard => {
                waiting.push_back((now, now + COLD_WAIT));
                self.after(now, COLD_WAIT, Event::WaitedEnough(gateway));
            }
        }
    }

    /// Decide the requests that waited for what is known now.
    fn wake(&mut self, gateway: usize, now: Duration) {
        for (came, until) in std::mem::take(&mut self.gateways[gateway].waiting) {
            if self.gateways[gateway].shared().is_heard(key(1), 1, moment(now)) || until <= now {
                self.run.waited.push((came, now - came));
                self.pass(gateway, now);
            } else {
                self.gateways[gateway].waiting.push_back((came, until));
            }
        }
    }

    fn pass(&mut self, gateway: usize, now: Duration) {
        let limit = &self.gateways[gateway].limit;
        let pass = Pass::new(&[Demand { limit, key: key(1), cost: 1 }], moment(now));
        match pass.verdict {
            Verdict::Allow => self.run.admitted.push(now),
            _ => self.run.refused += 1,
        }
    }

    fn sync(&mut self, gateway: usize, now: Duration) {
        self.after(now, SYNC, Event::Sync(gateway));
        if self.gateways[gateway].is_waiting_for_store {
            return;
        }
        let orders = self.gateways[gateway].limit.orders(2_048, moment(now));
        if orders.is_empty() {
            return;
        }
        self.gateways[gateway].is_waiting_for_store = true;
        self.run.trips[gateway] += 1;
        let content = self.random.next();
        self.contents.insert(content, (orders, Vec::new()));
        self.after(now, self.scenario.delay, Event::Said(gateway, content));
        self.after(now, LEASE, Event::TimedOut(gateway, content));
    }

    fn serve(&mut self, gateway: usize, content: u64, now: Duration) {
        if self.scenario.away.contains(&now) {
            return;
        }
        let Some((orders, grants)) = self.contents.get_mut(&content) else { return };
        let quotas = self.gateways[gateway].shared().quotas();
        if self.scenario.forgets
            && now >= self.scenario.away.end
            && !std::mem::replace(&mut self.has_forgotten, true)
        {
            self.bucket = Bucket::default();
        }
        for Placed { order, ahead, .. } in orders {
            let lease = LEASE.as_micros() as f64;
            grants.push(self.bucket.serve(order, ahead, gateway, quotas, lease, micros(now)));
        }
        self.after(now, self.scenario.delay, Event::Heard(gateway, content));
    }

    fn heard(&mut self, gateway: usize, content: u64, now: Duration) {
        let Some((orders, grants)) = self.contents.remove(&content) else { return };
        let it = &mut self.gateways[gateway];
        it.is_waiting_for_store = false;
        it.shared().set_up(true);
        for (placed, grant) in orders.iter().zip(&grants) {
            it.limit.hear(placed.key, &placed.order, grant, moment(now));
        }
        self.wake(gateway, now);
    }

    fn timed_out(&mut self, gateway: usize, content: u64, now: Duration) {
        let Some((orders, _)) = self.contents.remove(&content) else { return };
        let it = &mut self.gateways[gateway];
        it.shared().set_up(false);
        it.is_waiting_for_store = false;
        for placed in orders {
            it.shared().unheard(placed.key);
        }
        self.wake(gateway, now);
    }
}

const EVEN: [f64; 3] = [0.34, 0.33, 0.33];
const UNEVEN: [f64; 3] = [0.9, 0.09, 0.01];

/// Within 5 % of what the quota allows in ten seconds, or a request a gateway. Ten seconds that begin anywhere have a
/// request more or less.
fn assert_within(run: &Run, quota: u64, per: Duration, from: Duration, to: Duration, what: &str) {
    let exact = quota as f64 * 10.0 / per.as_secs_f64();
    let tolerance = (0.05 * exact).max(3.0) + 1.0;
    let (least, most) = run.extremes(from, to);
    assert!(
        least as f64 >= exact - tolerance && most as f64 <= exact + tolerance,
        "{what}: {least} to {most} in ten seconds, where {exact} are allowed"
    );
}

#[test]
fn a_fleet_admits_what_the_quota_allows_however_its_load_is_shared() {
    let quotas = [(20, 1, 16), (100, 1, 16), (2_000, 1, 16), (10_000, 1, 13), (5_000, 3_600, 60)];
    for (quota, per, length) in quotas {
        for shares in [EVEN, UNEVEN] {
            let per = Duration::from_secs(per);
            let burst = (quota as f64 / per.as_secs_f64()).ceil().max(3.0) as u64;
            let mut scenario = Scenario::of(quota, per, burst, &shares);
            scenario.length = Duration::from_secs(length);
            let run = scenario.run();
            let what = format!("{quota} per {per:?}, shares {shares:?}");
            assert_within(&run, quota, per, 2 * SECOND, scenario.length, &what);
            let most = length as usize * 100;
            assert!(run.trips.iter().all(|trips| *trips <= most), "{what}: {:?}", run.trips);
        }
    }
}

#[test]
fn a_store_that_is_far_away_changes_nothing_of_it() {
    for quota in [20, 100, 2_000] {
        for shares in [EVEN, UNEVEN] {
            let mut scenario = Scenario::of(quota, SECOND, quota, &shares);
            scenario.delay = Duration::from_millis(100);
            let what = format!("{quota} a second, 100 ms each way, shares {shares:?}");
            assert_within(&scenario.run(), quota, SECOND, 2 * SECOND, scenario.length, &what);
        }
    }
}

#[test]
fn in_the_long_run_a_fleet_spends_no_more_than_the_quota_however_small_it_is() {
    for quota in [1, 2, 5] {
        let mut scenario = Scenario::of(quota, SECOND, 1, &[1.0, 0.9, 0.7, 0.4]);
        (scenario.delay, scenario.length) = (Duration::from_millis(50), 122 * SECOND);
        let (spent, exact) =
            (scenario.run().between(2 * SECOND, 122 * SECOND), 120 * quota as usize);
        assert!(spent <= exact + 5, "{spent} of {exact}");
    }
}

#[test]
fn while_the_store_is_away_each_gateway_has_its_own_part_and_then_goes_on_from_there() {
    for (quota, forgets) in [(20, false), (20, true), (100, true), (2_000, false), (2_000, true)] {
        let mut scenario = Scenario::of(quota, SECOND, quota, &EVEN);
        (scenario.away, scenario.length) = (4 * SECOND..17 * SECOND, 32 * SECOND);
        scenario.forgets = forgets;
        let run = scenario.run();
        for (from, to) in [(6, 17), (19, 32), (6, 32)] {
            let what = format!("{quota} a second, away from 4 s to 17 s, from {from} s");
            assert_within(&run, quota, SECOND, from * SECOND, to * SECOND, &what);
        }
    }
}

#[test]
fn a_request_waits_only_where_the_store_has_not_told_of_its_key() {
    for shares in [EVEN, UNEVEN] {
        let run = Scenario::of(100, SECOND, 100, &shares).run();
        assert!(run.waited.iter().all(|(_, waited)| *waited <= COLD_WAIT));
        let late = run.waited.iter().filter(|(at, _)| *at > 2 * SECOND).count();
        let all = run.admitted.len() + run.refused;
        assert!(late * 200 < all, "{late} of {all} requests waited later");
    }
}

/// Any fleet, at any distance from its store.
fn any_scenario() -> impl Strategy<Value = Scenario> {
    let quota = prop_oneof![1u64..30, 30u64..400];
    let rates = prop::collection::vec(0.0f64..2.0, 1..5);
    (quota, 1u64..40, rates, 0u64..110, any::<u64>()).prop_map(
        |(quota, burst, shares, delay, seed)| {
            let burst = (quota * burst / 20).max(1);
            let mut scenario = Scenario::of(quota, SECOND, burst, &shares);
            scenario.delay = Duration::from_millis(delay);
            (scenario.seed, scenario.length) = (seed, 6 * SECOND);
            scenario
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The bound of docs/concepts/fleet-limits.md: in no time t more than burst + quota · (t + δ) and what gateways may
    /// spend on credit; from the beginning, when the key is cold everywhere and δ at its longest, (1 − 1/gateways) · burst more.
    #[test]
    fn no_interval_admits_more_than_the_bound(scenario in any_scenario()) {
        let (run, gateways) = (scenario.run(), scenario.rates.len() as f64);
        let quota = scenario.windows[0].quota() as f64;
        let burst = scenario.windows[0].burst() as f64;
        let credit = gateways.max(0.05 * quota.min(burst));
        let [delta, cold_delta] = [SYNC + 2 * scenario.delay, SYNC + LEASE].map(|it| it.as_secs_f64());
        let cold = (1.0 - 1.0 / gateways) * burst + gateways;
        for (first, from) in run.admitted.iter().enumerate().step_by(7) {
            for (last, to) in run.admitted.iter().enumerate().skip(first).step_by(11) {
                let (count, time) = ((last - first + 1) as f64, (*to - *from).as_secs_f64());
                let most = burst + quota * (time + cold_delta) + 2.0 * credit + cold;
                prop_assert!(count <= most, "{count} in {time} s from {from:?}, more than {most}");
                let known = burst + quota * (time + delta) + 2.0 * credit;
                prop_assert!(*from < SECOND || count <= known, "{count} in {time} s from {from:?}, more than {known}");
            }
        }
    }

    /// Where twice as much is asked for as the quota allows, and the bucket holds what comes back in a round trip (a
    /// quarter of a second is longer than any here), the fleet spends the quota, to the twentieth. A bucket of one or two
    /// units is often full before the next request comes, wherever it is kept: there the fleet spends what one gateway
    /// alone would.
    #[test]
    fn nothing_of_the_quota_is_lost(mut scenario in any_scenario()) {
        let demand: f64 = scenario.rates.iter().sum();
        let window = scenario.windows[0].clone();
        prop_assume!(demand >= 2.0 * window.quota() as f64 && window.burst() * 4 >= window.quota());
        scenario.length = 12 * SECOND;
        let run = scenario.run();
        let (spent, mut exact) = (run.between(2 * SECOND, 12 * SECOND) as f64, 10.0 * window.quota() as f64);
        if window.burst() < 3 {
            exact = exact.min(count(&run.alone, 2 * SECOND, 12 * SECOND) as f64);
        }
        prop_assert!(spent >= 0.95 * exact - scenario.rates.len() as f64 - 1.0, "{spent} of {exact}");
    }
}
