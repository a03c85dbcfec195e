//! How far a request may go before others.
//!
//! Requests are served by arrival − boost. The boost is γ-Boost's (Yu and Scully, *Strongly Tail-Optimal Scheduling
//! in the Light-Tailed M/G/1*, SIGMETRICS 2024): b(c) = ln(x / (x − 1)) / γ with x = e^(γc/k), for a cost c and k
//! workers. γ is how fast the tail of the delay decays where requests are served in turn: the root of γ = λ
//! (E[e^(γS/k)] − 1), for λ requests a second whose costs are S. The lighter a request, the larger its boost; and the
//! higher the load, the more so. A request is overtaken only by those that come less than the difference of the
//! boosts after it: so none waits for ever, as it may where the shortest always goes first.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// Buckets of costs, two to each power of two, from a microsecond to an hour.
const BUCKETS: usize = 64;
/// The logarithm of the smallest one's seconds.
const SMALLEST: f32 = -6.0 * std::f32::consts::LN_10;
/// Buckets to a power of e.
const FINENESS: f32 = 2.0 * std::f32::consts::LOG2_E;
/// Answers after which all counts are halved, so that the past fades.
const REMEMBERED: u32 = 8_192;
/// Answers that it takes to know a distribution.
const FEWEST: u32 = 100;
/// How often γ is found anew.
const EVERY: Duration = Duration::from_millis(100);
/// τ of the rate of requests.
const RATE_DECAY: f64 = 5.0;
/// γ is no smaller, in 1/s. At a load near 1 it falls to 0, and boosts with it grow beyond any bound; by this costs
/// that are a hundred times apart differ in their boost by less than a second.
const LEAST: f64 = 1.0 / 0.2;
/// It is no larger: the rate is one of the last seconds, and a burst after a calm is not to meet boosts of nothing.
const MOST: f64 = 1.0 / 0.1;
/// Halvings that find the root.
const HALVINGS: usize = 40;
/// No request goes before one that came so much earlier.
const FARTHEST: f64 = 1.0;

/// The boosts of an upstream's requests, by their cost.
///
/// Of requests that end in the same instant, one may not be counted.
#[derive(Debug)]
pub(super) struct Boosts {
    /// How often each cost was seen.
    costs: [AtomicU32; BUCKETS],
    /// Other requests.
    others: AtomicU32,
    /// Requests that had been seen when γ was found, and when that was.
    counted: AtomicU32,
    renewed: AtomicU64,
    /// Requests a second, how much of that is from after the beginning, and the mean cost: the bits of `f64`.
    rate: AtomicU64,
    known: AtomicU64,
    mean: AtomicU64,
    /// In seconds, the bits of `f32`, for the middle of each bucket.
    boosts: [AtomicU32; BUCKETS],
}

impl Default for Boosts {
    fn default() -> Self {
        Self {
            costs: [const { AtomicU32::new(0) }; BUCKETS],
            others: AtomicU32::new(0),
            counted: AtomicU32::new(0),
            renewed: AtomicU64::new(0),
            rate: AtomicU64::new(0),
            known: AtomicU64::new(0),
            mean: AtomicU64::new(0),
            boosts: [const { AtomicU32::new(0) }; BUCKETS],
        }
    }
}

impl Boosts {
    /// So many requests ended whose cost is not known.
    pub(super) fn count(&self, requests: u32) {
        add(&self.others, requests);
    }

    /// A request ended that cost so much: a logarithm of seconds.
    pub(super) fn record(&self, cost: f32) {
        add(&self.costs[bucket(cost)], 1);
    }

    /// Find γ anew where that is due, for endpoints that together work on `workers` requests at a time; answers with the
    /// requests a second then. Takes some ten microseconds, of one thread.
    pub(super) fn renew(&self, workers: impl FnOnce() -> f64, now: Moment) -> Option<f64> {
        let before = Moment(self.renewed.load(Relaxed));
        let is_due = now.since(before) >= EVERY;
        if !is_due || self.renewed.compare_exchange(before.0, now.0, Relaxed, Relaxed).is_err() {
            return None;
        }
        let workers = workers();
        let counts = self.costs.each_ref().map(|count| count.load(Relaxed));
        let sum: u32 = counts.iter().sum();
        let ended = sum.saturating_sub(self.counted.load(Relaxed)) + self.others.swap(0, Relaxed);
        // Before the first time there is nothing to count from.
        let span = if before == Moment::default() { Duration::ZERO } else { now.since(before) };
        let rate = self.renew_rate(f64::from(ended), span.as_secs_f64());
        self.counted.store(self.forget(sum), Relaxed);
        if sum >= FEWEST {
            self.renew_boosts(&counts, rate, workers);
        }
        Some(rate)
    }

    fn renew_boosts(&self, counts: &[u32; BUCKETS], rate: f64, workers: f64) {
        let Some(dearest) = counts.iter().rposition(|&count| count > 0) else { return };
        let sum: u32 = counts.iter().sum();
        let shares = counts.map(|count| f64::from(count) / f64::from(sum));
        self.mean.store(expectation(&shares, |cost| cost).to_bits(), Relaxed);
        let gamma = root(&shares, rate, workers);
        let whole = |bucket| whole(gamma / workers, gamma, middle(bucket));
        let least = whole(dearest);
        for (bucket, boost) in self.boosts.iter().enumerate() {
            let seconds = (whole(bucket) - least).clamp(0.0, FARTHEST) as f32;
            boost.store(seconds.to_bits(), Relaxed);
        }
    }

    /// Halve all counts where there are many. Answers with how many are left of `sum`.
    fn forget(&self, sum: u32) -> u32 {
        if sum < REMEMBERED {
            return sum;
        }
        self.costs.iter().fold(0, |left, count| {
            let half = count.load(Relaxed) / 2;
            count.store(half, Relaxed);
            left + half
        })
    }

    /// How much earlier than it came a request of this `cost`, a logarithm of seconds, counts. Only differences
    /// matter: for the dearest it is 0.
    pub(super) fn boost(&self, cost: f32) -> Duration {
        let place = ((cost - SMALLEST) * FINENESS - 0.5).clamp(0.0, (BUCKETS - 1) as f32);
        let (bucket, beyond) = (place as usize, place.fract());
        let at = |bucket: usize| f32::from_bits(self.boosts[bucket.min(BUCKETS - 1)].load(Relaxed));
        let boost = at(bucket) + beyond * (at(bucket + 1) - at(bucket));
        Duration::from_nanos((boost * 1e9) as u64)
    }

    /// The mean cost; `None` where too little is known.
    pub(super) fn mean(&self) -> Option<Duration> {
        let mean = f64::from_bits(self.mean.load(Relaxed));
        Duration::try_from_secs_f64(mean).ok().filter(|mean| !mean.is_zero())
    }

    /// A mean that forgets, without the zero that it begins with (the bias correction of Kingma and Ba, *Adam*, ICLR 2015).
    fn renew_rate(&self, ended: f64, span: f64) -> f64 {
        let [mut rate, mut known] =
            [&self.rate, &self.known].map(|bits| f64::from_bits(bits.load(Relaxed)));
        if span > 0.0 {
            let latest = 1.0 - (-span / RATE_DECAY).exp();
            rate += latest * (ended / span - rate);
            known += latest * (1.0 - known);
            self.rate.store(rate.to_bits(), Relaxed);
            self.known.store(known.to_bits(), Relaxed);
        }
        if known > 0.0 { rate / known } else { 0.0 }
    }

    /// How often each cost was seen, and the requests a second.
    pub(super) fn known(&self) -> (Vec<u32>, f64) {
        let costs = self.costs.iter().map(|count| count.load(Relaxed)).collect();
        (costs, self.renew_rate(0.0, 0.0))
    }

    /// Go on from what was [known](Self::known) once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn restore(&self, costs: &[u32], rate: f64) -> Result<(), String> {
        if costs.len() != BUCKETS || !rate.is_finite() || rate < 0.0 {
            return Err(format!("expected {BUCKETS} counts of costs and a rate"));
        }
        let mut sum = 0;
        for (count, &seen) in self.costs.iter().zip(costs) {
            let seen = seen.min(REMEMBERED);
            count.store(seen, Relaxed);
            sum += seen;
        }
        self.counted.store(sum, Relaxed);
        self.rate.store(rate.to_bits(), Relaxed);
        self.known.store(1f64.to_bits(), Relaxed);
        Ok(())
    }
}

/// So many more. Not an atomic addition, which takes longer than all else that is done here for a request.
fn add(count: &AtomicU32, more: u32) {
    count.store(count.load(Relaxed).saturating_add(more), Relaxed);
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

/// The bucket of a cost: a logarithm of seconds.
fn bucket(cost: f32) -> usize {
    // What is below the smallest bucket is in it, and so is what is no number.
    (((cost - SMALLEST) * FINENESS) as usize).min(BUCKETS - 1)
}

/// The middle of a bucket, in seconds.
fn middle(bucket: usize) -> f64 {
    f64::from(SMALLEST + (bucket as f32 + 0.5) / FINENESS).exp()
}

#[cfg(test)]
mod tests {
    use super::super::node::logarithm;
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn log(n: u64) -> f32 {
        logarithm(millis(n))
    }

    /// The classes of 4, 12, 60 and 400 ms at so many a second, for a while.
    fn at_rate(rate: u64) -> Boosts {
        let boosts = Boosts::default();
        for tenth in 1..=150_u64 {
            for turn in 0..rate / 10 {
                boosts.record(log([
                    4, 12, 4, 60, 4, 12, 4, 12, 4, 400, 4, 12, 4, 12, 4, 60, 4, 12, 4, 60,
                ][turn as usize % 20]));
            }
            boosts.renew(|| 32.0, Moment::default().after(millis(100) * tenth as u32));
        }
        boosts
    }

    #[test]
    fn costs_are_told_apart_by_a_third() {
        for cost in [1, 40, 20_000] {
            let found = middle(bucket(log(cost))) * 1e3 / cost as f64;
            assert!((0.8..1.25).contains(&found), "{found}");
        }
        let ends = [f32::NEG_INFINITY, f32::NAN, f32::INFINITY].map(bucket);
        assert_eq!(ends, [0, 0, BUCKETS - 1]);
    }

    #[test]
    fn the_lighter_a_request_the_farther_it_goes_and_the_dearest_goes_in_turn() {
        let boosts = at_rate(800);
        let [light, medium, heavy] = [4, 60, 400].map(|cost| boosts.boost(log(cost)));
        assert!(
            light > medium && medium > heavy && heavy < millis(20),
            "{light:?} {medium:?} {heavy:?}"
        );
        assert!(boosts.boost(log(60_000)).is_zero());
    }

    #[test]
    fn boosts_grow_with_the_load_up_to_a_second() {
        let light = [400, 800, 900, 2_000].map(|rate| at_rate(rate).boost(log(4)));
        assert!(light.is_sorted(), "{light:?}");
        assert!(light[3] > 2 * light[0] && light[3] <= Duration::from_secs(1), "{light:?}");
    }

    #[test]
    fn the_rate_is_right_from_the_first_second_on() {
        let boosts = Boosts::default();
        for tenth in 600..610_u32 {
            boosts.renew(|| 32.0, Moment::default().after(millis(100) * tenth));
            boosts.count(80);
        }
        let rate = boosts.known().1;
        assert!((rate / 800.0 - 1.0).abs() < 0.01, "{rate}");
    }

    #[test]
    fn gamma_is_the_root_of_its_equation() {
        // M/M/1 with a mean of 100 ms: γ = μ − λ.
        let mut shares = [0.0; BUCKETS];
        for (bucket, share) in shares.iter_mut().enumerate() {
            let edge = |n: usize| (-1e-6 * (n as f64 / 2.0).exp2() / 0.1).exp();
            *share = edge(bucket) - edge(bucket + 1);
        }
        let gamma = root(&shares, 3.0, 1.0);
        assert!((gamma / 7.0 - 1.0).abs() < 0.1, "{gamma}");
    }

    #[test]
    fn before_anything_is_known_all_go_in_turn() {
        let boosts = Boosts::default();
        boosts.renew(|| 32.0, Moment(1_000_000_000));
        assert_eq!((boosts.boost(log(1)), boosts.mean()), (Duration::ZERO, None));
    }
}
