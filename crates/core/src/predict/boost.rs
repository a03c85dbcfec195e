//! How far a request may go before others.
//!
//! Requests are served by arrival − boost. The boost is γ-Boost's (Yu and Scully, *Strongly Tail-Optimal
//! Scheduling in the Light-Tailed M/G/1*, SIGMETRICS 2024): b(c) = ln(x / (x − 1)) / γ with x = e^(γc/k), for a cost c and k
//! workers. γ is how fast the tail of the delay decays where requests are served in turn: the root of
//! γ = λ (E[e^(γS/k)] − 1), for λ requests a second whose costs are S. The lighter a request, the larger its boost; and the higher the
//! load, the more so. A request is overtaken only by those that come less than the difference of the boosts after it: so none waits
//! for ever, as it may where the shortest always goes first.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// Buckets of costs, two to each power of two, from a microsecond to half an hour.
const BUCKETS: usize = 64;
const SMALLEST: f32 = 1e-6;
/// Answers after which all counts are halved, so that the past fades.
const REMEMBERED: u32 = 8_192;
/// Answers that it takes to know a distribution.
const FEWEST: u32 = 100;
/// How often γ is found anew.
const EVERY: Duration = Duration::from_millis(100);
/// τ of the rate of requests.
const RATE_DECAY: f64 = 5.0;
/// γ is no smaller, in 1/s. At a load near 1 it falls to 0, and boosts with it grow beyond any bound; by this costs that
/// are a hundred times apart differ in their boost by less than a second.
const LEAST: f64 = 1.0 / 0.2;
/// It is no larger: the rate is one of the last seconds, and a burst after a calm is not to meet boosts of nothing.
const MOST: f64 = 1.0 / 0.1;
/// Halvings that find the root.
const HALVINGS: usize = 40;
/// No request goes before one that came so much earlier.
const FARTHEST: f64 = 1.0;

/// The boosts of an upstream's requests, by their cost.
#[derive(Debug)]
pub struct Boosts {
    /// How often each cost was seen.
    costs: [AtomicU32; BUCKETS],
    seen: AtomicU32,
    /// Requests since γ was found.
    ended: AtomicU32,
    renewed: AtomicU64,
    /// Requests a second, γ ÷ k and γ in 1/s, the boost of the dearest requests in seconds, and the mean cost: the bits
    /// of `f64`.
    rate: AtomicU64,
    per_cost: AtomicU64,
    gamma: AtomicU64,
    least: AtomicU64,
    mean: AtomicU64,
}

impl Default for Boosts {
    fn default() -> Self {
        Self {
            costs: [const { AtomicU32::new(0) }; BUCKETS],
            seen: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            renewed: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            per_cost: AtomicU64::new(0),
            gamma: AtomicU64::new(0),
            least: AtomicU64::new(0),
            mean: AtomicU64::new(0),
        }
    }
}

impl Boosts {
    /// A request ended, whose cost is not known.
    pub fn count(&self) {
        self.ended.fetch_add(1, Relaxed);
    }

    /// A request ended that cost so much.
    pub fn record(&self, cost: Duration) {
        self.count();
        self.costs[bucket(cost)].fetch_add(1, Relaxed);
        if self.seen.fetch_add(1, Relaxed) + 1 == REMEMBERED {
            self.seen.store(REMEMBERED / 2, Relaxed);
            for count in &self.costs {
                count.store(count.load(Relaxed) / 2, Relaxed);
            }
        }
    }

    /// Whether it is time to [`renew`](Self::renew).
    pub fn is_stale(&self, now: Moment) -> bool {
        now.since(Moment(self.renewed.load(Relaxed))) >= EVERY
    }

    /// Find γ anew, for endpoints that together work on `workers` requests at a time. Takes some ten microseconds.
    pub fn renew(&self, workers: f64, now: Moment) {
        let before = Moment(self.renewed.swap(now.0, Relaxed));
        let rate = self.renew_rate(now.since(before).as_secs_f64());
        let shares = self.shares();
        let Some(dearest) = shares.iter().rposition(|&share| share > 0.0) else { return };
        let mean = expectation(&shares, |cost| cost);
        let gamma = root(&shares, rate, workers);
        self.mean.store(mean.to_bits(), Relaxed);
        self.gamma.store(gamma.to_bits(), Relaxed);
        self.per_cost.store((gamma / workers).to_bits(), Relaxed);
        self.least.store(whole(gamma / workers, gamma, middle(dearest)).to_bits(), Relaxed);
    }

    /// How much earlier than it came a request of this `cost` counts. Only differences matter: for the dearest it is 0.
    pub fn boost(&self, cost: Duration) -> Duration {
        let [gamma, per_cost, least] = [&self.gamma, &self.per_cost, &self.least]
            .map(|word| f64::from_bits(word.load(Relaxed)));
        if gamma == 0.0 {
            return Duration::ZERO;
        }
        let boost = whole(per_cost, gamma, cost.as_secs_f64()) - least;
        Duration::try_from_secs_f64(boost.clamp(0.0, FARTHEST)).unwrap_or_default()
    }

    /// The mean cost; `None` where too little is known.
    pub fn mean(&self) -> Option<Duration> {
        let mean = f64::from_bits(self.mean.load(Relaxed));
        Duration::try_from_secs_f64(mean).ok().filter(|mean| !mean.is_zero())
    }

    fn renew_rate(&self, span: f64) -> f64 {
        let ended = f64::from(self.ended.swap(0, Relaxed));
        let before = f64::from_bits(self.rate.load(Relaxed));
        let latest = 1.0 - (-span / RATE_DECAY).exp();
        let rate = if span > 0.0 { before + latest * (ended / span - before) } else { before };
        self.rate.store(rate.to_bits(), Relaxed);
        rate
    }

    /// The distribution of costs; all 0 where too little is known.
    fn shares(&self) -> [f64; BUCKETS] {
        let counts = self.costs.each_ref().map(|count| count.load(Relaxed));
        let sum: u32 = counts.iter().sum();
        if sum < FEWEST {
            [0.0; BUCKETS]
        } else {
            counts.map(|count| f64::from(count) / f64::from(sum))
        }
    }
}

/// b(c), with the γ ÷ k that it goes by.
fn whole(per_cost: f64, gamma: f64, cost: f64) -> f64 {
    // ln(x / (x − 1)) = −ln(1 − 1/x).
    -(-(-per_cost * cost).exp_m1()).max(f64::MIN_POSITIVE).ln() / gamma
}

/// The γ of these costs at `rate` requests a second.
fn root(shares: &[f64; BUCKETS], rate: f64, workers: f64) -> f64 {
    let exceeds =
        |gamma: f64| rate * expectation(shares, |cost| (gamma / workers * cost).exp_m1()) > gamma;
    let (mut low, mut high) = (LEAST, MOST);
    if exceeds(low) {
        return low;
    }
    for _ in 0..HALVINGS {
        let between = (low * high).sqrt();
        if exceeds(between) {
            high = between;
        } else {
            low = between;
        }
    }
    low
}

fn expectation(shares: &[f64; BUCKETS], of: impl Fn(f64) -> f64) -> f64 {
    let seen = shares.iter().enumerate().filter(|(_, share)| **share > 0.0);
    seen.map(|(bucket, share)| share * of(middle(bucket))).sum()
}

fn bucket(cost: Duration) -> usize {
    // Two to each power of two: by the exponent of the square.
    let squared = (cost.as_secs_f32() / SMALLEST).powi(2).max(1.0);
    ((squared.to_bits() >> 23) as usize - 127).min(BUCKETS - 1)
}

/// The middle of a bucket, in seconds.
fn middle(bucket: usize) -> f64 {
    f64::from(SMALLEST) * ((bucket as f64 + 0.5) / 2.0).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// The classes of 4, 12, 60 and 400 ms at so many a second, for a while.
    fn at_rate(rate: u64) -> Boosts {
        let boosts = Boosts::default();
        for tenth in 1..=400_u64 {
            for turn in 0..rate / 10 {
                boosts.record(millis(
                    [4, 12, 4, 60, 4, 12, 4, 12, 4, 400, 4, 12, 4, 12, 4, 60, 4, 12, 4, 60]
                        [turn as usize % 20],
                ));
            }
            boosts.renew(32.0, Moment::default().after(millis(100) * tenth as u32));
        }
        boosts
    }

    #[test]
    fn costs_are_told_apart_by_a_third() {
        for cost in [millis(1), millis(40), Duration::from_secs(20)] {
            let found = middle(bucket(cost)) / cost.as_secs_f64();
            assert!((0.8..1.25).contains(&found), "{found}");
        }
        assert_eq!((bucket(Duration::ZERO), bucket(Duration::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn the_lighter_a_request_the_farther_it_goes_and_the_dearest_goes_in_turn() {
        let boosts = at_rate(800);
        let [light, medium, heavy] = [4, 60, 400].map(|cost| boosts.boost(millis(cost)));
        assert!(
            light > medium && medium > heavy && heavy < millis(20),
            "{light:?} {medium:?} {heavy:?}"
        );
        assert!(boosts.boost(Duration::from_secs(60)).is_zero());
    }

    #[test]
    fn boosts_grow_with_the_load_up_to_a_second() {
        let light = [400, 800, 900, 2_000].map(|rate| at_rate(rate).boost(millis(4)));
        assert!(light.is_sorted(), "{light:?}");
        assert!(light[3] > 2 * light[0] && light[3] <= Duration::from_secs(1), "{light:?}");
    }

    #[test]
    fn gamma_is_the_root_of_its_equation() {
        // M/M/1 with a mean of 100 ms: γ = μ − λ.
        let mut shares = [0.0; BUCKETS];
        for (bucket, share) in shares.iter_mut().enumerate() {
            let edge = |n: usize| (-f64::from(SMALLEST) * (n as f64 / 2.0).exp2() / 0.1).exp();
            *share = edge(bucket) - edge(bucket + 1);
        }
        let gamma = root(&shares, 3.0, 1.0);
        assert!((gamma / 7.0 - 1.0).abs() < 0.1, "{gamma}");
    }

    #[test]
    fn before_anything_is_known_all_go_in_turn() {
        let boosts = Boosts::default();
        boosts.renew(32.0, Moment(1));
        assert_eq!((boosts.boost(millis(1)), boosts.mean()), (Duration::ZERO, None));
    }
}
