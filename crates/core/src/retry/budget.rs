//! How many retries there may be.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use crate::plan;
use crate::time::Moment;

/// Time after which what was earned and not spent is worth 1/e of what it was.
const TAU: Duration = Duration::from_secs(10);

/// What a budget earns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allowance {
    /// Retries that one request allows for.
    pub per_request: f64,
    /// Retries that one second allows for.
    pub per_second: f64,
}

impl From<&plan::RetryBudget> for Allowance {
    fn from(plan: &plan::RetryBudget) -> Self {
        Self { per_request: plan.percent.fraction(), per_second: plan.minimum.get() }
    }
}

/// What the requests to one service allow for in further tries, over all workers (after Finagle's
/// `RetryBudget`).
///
/// Each request earns a fraction of a retry, each second a few, and each retry spends one. What is not spent
/// fades with τ = 10 s, so that a quiet day does not pay for a storm. While a service answers nothing at all,
/// its load is therefore at most 1 + `per_request` times what it would be without retries, but for the few a
/// second, and for those that the last seconds before had left.
///
/// To count a request is one atomic addition; only a retry takes the lock.
#[derive(Debug)]
pub struct Budget {
    requests: CachePadded<AtomicU64>,
    ledger: Mutex<Ledger>,
}

#[derive(Debug)]
struct Ledger {
    /// Retries that may be made.
    balance: f64,
    /// When it was last looked at, and the requests up to then.
    at: Moment,
    requests: u64,
}

impl Budget {
    /// The budget of a service that is first used at `now`, with what `allowance` leaves after a while
    /// without requests.
    pub fn new(allowance: Allowance, now: Moment) -> Self {
        let balance = allowance.per_second * TAU.as_secs_f64();
        Self {
            requests: CachePadded::default(),
            ledger: Mutex::new(Ledger { balance, at: now, requests: 0 }),
        }
    }

    /// A request is sent for the first time.
    pub fn earn(&self) {
        self.requests.fetch_add(1, Relaxed);
    }

    /// Spend one retry; false if there is none left.
    pub fn spend(&self, allowance: Allowance, now: Moment) -> bool {
        let requests = self.requests.load(Relaxed);
        let mut ledger = self.ledger.lock();
        ledger.advance(allowance, requests, now);
        let affordable = ledger.balance >= 1.0;
        if affordable {
            ledger.balance -= 1.0;
        }
        affordable
    }
}

impl Ledger {
    /// Take in what was earned since the last look, as if it had come evenly: with income `i` a second, the
    /// balance `b` follows b′ = i − b/τ.
    fn advance(&mut self, allowance: Allowance, requests: u64, now: Moment) {
        let fresh = requests.saturating_sub(self.requests) as f64 * allowance.per_request;
        let passed = now.since(self.at).as_secs_f64() / TAU.as_secs_f64();
        let kept = (-passed).exp();
        // The part of what came evenly over the time that is left at its end; all, of what came just now.
        let left = if passed > 1e-9 { (1.0 - kept) / passed } else { 1.0 };
        let income = fresh + allowance.per_second * passed * TAU.as_secs_f64();
        self.balance = self.balance * kept + income * left;
        self.requests = self.requests.max(requests);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWENTY_PERCENT: Allowance = Allowance { per_request: 0.2, per_second: 0.0 };

    fn at(millis: u64) -> Moment {
        Moment::default().after(Duration::from_millis(millis))
    }

    /// How many of `wanted` retries are granted at once.
    fn granted(budget: &Budget, allowance: Allowance, wanted: usize, now: Moment) -> usize {
        (0..wanted).filter(|_| budget.spend(allowance, now)).count()
    }

    #[test]
    fn requests_allow_for_their_share() {
        let budget = Budget::new(TWENTY_PERCENT, at(0));
        (0..100).for_each(|_| budget.earn());
        assert_eq!(granted(&budget, TWENTY_PERCENT, 100, at(0)), 20);
    }

    #[test]
    fn a_service_that_gets_few_requests_may_still_retry() {
        let allowance = Allowance { per_request: 0.2, per_second: 3.0 };
        let budget = Budget::new(allowance, at(0));
        assert_eq!(granted(&budget, allowance, 100, at(0)), 30);
        assert_eq!(granted(&budget, allowance, 100, at(1_000)), 2);
        assert_eq!(granted(&budget, allowance, 100, at(600_000)), 30);
    }

    #[test]
    fn what_was_earned_long_ago_is_worth_nothing() {
        let budget = Budget::new(TWENTY_PERCENT, at(0));
        (0..1_000).for_each(|_| budget.earn());
        assert_eq!(granted(&budget, TWENTY_PERCENT, 1, at(0)), 1);
        assert_eq!(granted(&budget, TWENTY_PERCENT, 1_000, at(100_000)), 0);
    }

    #[test]
    fn a_steady_hour_is_worth_its_last_seconds() {
        let budget = Budget::new(TWENTY_PERCENT, at(0));
        // A thousand requests a second, looked at only at the end.
        (0..3_600_000).for_each(|_| budget.earn());
        let granted = granted(&budget, TWENTY_PERCENT, 1_000_000, at(3_600_000));
        assert!((1_999..=2_000).contains(&granted), "{granted}");
    }

    #[test]
    fn all_workers_together_spend_what_there_is() {
        let budget = Budget::new(TWENTY_PERCENT, at(0));
        let granted: usize = std::thread::scope(|scope| {
            (0..1_000).for_each(|_| budget.earn());
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| granted(&budget, TWENTY_PERCENT, 100, at(0))))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
        });
        assert_eq!(granted, 200);
    }

    proptest! {
        /// Whatever comes in whatever order, no span of time sees more retries than its own requests and
        /// seconds allow for, beyond what was left at its beginning: at most what τ had earned.
        #[test]
        fn no_span_of_time_sees_more_retries_than_it_allows_for(
            steps in prop::collection::vec((0u64..2_000, 0u64..200, 0usize..200), 1..60),
            per_request in 0.0..1.0f64,
            per_second in 0.0..20.0f64,
        ) {
            let allowance = Allowance { per_request, per_second };
            let budget = Budget::new(allowance, at(0));
            let (mut now, mut requests, mut retries) = (0, 0, 0);
            let mut seen = vec![(0, 0, 0)];
            for (pause, fresh, wanted) in steps {
                now += pause;
                requests += fresh;
                (0..fresh).for_each(|_| budget.earn());
                retries += granted(&budget, allowance, wanted, at(now));
                seen.push((now, requests, retries));
            }
            let income = |since: (u64, u64, usize)| {
                (requests - since.1) as f64 * per_request + (now - since.0) as f64 / 1e3 * per_second
            };
            // From the beginning on, and from each step on.
            let floor = per_second * 10.0;
            prop_assert!(retries as f64 <= floor + income((0, 0, 0)) + 1e-6);
            for &start in &seen {
                let before = start.1 as f64 * per_request + floor;
                prop_assert!((retries - start.2) as f64 <= before + income(start) + 1e-6);
            }
        }

        /// A service that fails every request sees at most its load and the share on top of it.
        #[test]
        fn a_dead_service_sees_its_load_and_the_share(
            bursts in prop::collection::vec((1u64..500, 1usize..300), 1..50),
        ) {
            let budget = Budget::new(TWENTY_PERCENT, at(0));
            let (mut now, mut requests, mut tries) = (0, 0, 0);
            for (pause, burst) in bursts {
                now += pause;
                for _ in 0..burst {
                    budget.earn();
                    requests += 1;
                    tries += 1 + granted(&budget, TWENTY_PERCENT, 2, at(now));
                }
                prop_assert!(tries as f64 <= 1.2 * requests as f64 + 1e-6, "{tries} of {requests}");
            }
        }
    }
}
