//! A window: so much in so long, with a burst.

use std::num::NonZeroU64;
use std::time::Duration;

use super::arrival::{Arrival, PER_NANO, duration, ticks};
use crate::time::Moment;

/// Bits behind the binary point of [`Window::interval`].
const FRACTION: u32 = 32;
/// A unit that takes so many ticks or more takes a whole number of them: that is off by a thousandth at most, and
/// as many charges of one as the burst has take exactly the burst. Of smaller units (bytes), each charge is
/// rounded instead.
const COARSE: u128 = 1_000 << FRACTION;

/// A bucket takes no longer to fill: then there is room in 64 bits for debts, and for a process that runs for
/// decades.
const LONGEST: Duration = Duration::from_secs(315_360_000);

/// A bucket of `burst` units that refills with `quota` per `per`, by the generic cell rate algorithm in its virtual
/// scheduling form (GCRA; ITU-T I.371, annex A), which decides as Turner's leaky bucket does (*New Directions in
/// Communications*, IEEE Communications Magazine 24(10), 1986) and keeps one number a key.
///
/// In no interval does it let go more than `burst` and what the quota allows for the interval's length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    quota: NonZeroU64,
    per: Duration,
    burst: NonZeroU64,
    /// What a unit takes, in ticks with [`FRACTION`] bits behind the point.
    interval: u128,
    /// What the whole burst takes, in ticks.
    span: u64,
}

/// What becomes of a request, from the mildest to the severest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// There is room for it.
    Allow,
    /// There will be in so long, which it may wait. What it costs is charged already: later requests wait behind
    /// it.
    Wait(Duration),
    /// There is none, and will be none before so long.
    Deny(Duration),
    /// There never will be: it costs more than the burst.
    TooCostly,
}

impl Verdict {
    /// Its name where it is explained.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Wait(_) => "wait",
            Self::Deny(_) | Self::TooCostly => "deny",
        }
    }

    /// Whether the request is not let go.
    pub const fn denies(self) -> bool {
        matches!(self, Self::Deny(_) | Self::TooCostly)
    }
}

impl Window {
    /// A window of `quota` units per `per` (1 ns to ten years), of which `burst` may come at once. A burst that
    /// would take more than ten years to come back counts as what comes back in ten years.
    pub fn new(quota: NonZeroU64, per: Duration, burst: NonZeroU64) -> Self {
        let per = per.clamp(Duration::from_nanos(1), LONGEST);
        let exact = (u128::from(ticks(per)) << FRACTION).div_ceil(u128::from(quota.get()));
        let interval = if exact < COARSE { exact } else { exact.next_multiple_of(1 << FRACTION) };
        let mut window = Self { quota, per, burst, interval, span: ticks(LONGEST) };
        let most = window.units(window.span);
        window.burst = burst.min(NonZeroU64::new(most).unwrap_or(NonZeroU64::MIN));
        window.span = window.ticks(window.burst.get());
        window
    }

    /// Units that come back in [`per`](Self::per).
    pub(super) const fn quota(&self) -> u64 {
        self.quota.get()
    }

    /// The time in which the quota comes back.
    pub(super) const fn per(&self) -> Duration {
        self.per
    }

    /// Units that may come at once.
    pub(super) const fn burst(&self) -> u64 {
        self.burst.get()
    }

    /// What becomes of a request for `cost` units that may wait for `patience` ticks, and the arrival time once it
    /// is charged.
    /// What costs nothing (or nothing yet) passes where one unit is left.
    pub(super) fn decide(
        &self,
        arrival: Arrival,
        cost: u64,
        patience: u64,
        now: Moment,
    ) -> (Verdict, Arrival) {
        self.decide_missing(arrival, cost, patience, now, 0)
    }

    /// The same of a request for which the bucket has no room, whatever the arrival time says: it would have to wait
    /// for a unit at least.
    pub(super) fn refuse(
        &self,
        arrival: Arrival,
        cost: u64,
        patience: u64,
        now: Moment,
    ) -> (Verdict, Arrival) {
        self.decide_missing(arrival, cost, patience, now, self.ticks(1))
    }

    fn decide_missing(
        &self,
        arrival: Arrival,
        cost: u64,
        patience: u64,
        now: Moment,
        least: u64,
    ) -> (Verdict, Arrival) {
        let now = Arrival::at(now);
        let from = arrival.max(now);
        let needs = self.ticks(cost.max(1));
        let takes = if cost == 0 { 0 } else { needs };
        let missing = from.later(needs).since(now.later(self.span)).max(least);
        let verdict = if needs > self.span {
            Verdict::TooCostly
        } else if missing == 0 {
            Verdict::Allow
        } else if missing <= patience {
            Verdict::Wait(duration(missing))
        } else {
            Verdict::Deny(duration(missing))
        };
        (verdict, from.later(takes))
    }

    /// The arrival time after `units` were spent, whether the bucket had them or not.
    pub(super) fn spend(&self, arrival: Arrival, units: u64, now: Moment) -> Arrival {
        arrival.max(Arrival::at(now)).later(self.ticks(units))
    }

    /// Microseconds until all is back.
    pub(super) fn micros_ahead(&self, arrival: Arrival, now: Moment) -> f64 {
        arrival.since(Arrival::at(now)) as f64 / (PER_NANO * 1_000) as f64
    }

    /// The arrival time at which all is back in so many microseconds, and then what `units` take later.
    pub(super) fn ahead(&self, micros: f64, units: u64, now: Moment) -> Arrival {
        let ticks = micros * (PER_NANO * 1_000) as f64;
        // Not more than 64 bits: the conversion of floats saturates.
        Arrival::at(now).later(ticks as u64).later(self.ticks(units))
    }

    /// The arrival time after `units` that were spent are back.
    pub(super) fn give_back(&self, arrival: Arrival, units: u64) -> Arrival {
        arrival.earlier(self.ticks(units))
    }

    /// Whole units that are left.
    pub(super) fn left(&self, arrival: Arrival, now: Moment) -> u64 {
        let room = self.room(arrival, now);
        if room == self.span {
            return self.burst.get();
        }
        self.units(room)
    }

    /// What is left, in ticks.
    pub(super) fn room(&self, arrival: Arrival, now: Moment) -> u64 {
        self.span.saturating_sub(arrival.since(Arrival::at(now)))
    }

    /// The arrival time of a key whose bucket was `old`'s until now: what was spent of it stays spent, at most the
    /// whole burst, and what was owed stays owed.
    pub(super) fn converted(&self, arrival: Arrival, old: &Self, now: Moment) -> Arrival {
        let now = Arrival::at(now);
        let spent = arrival.since(now) as f64 * 2f64.powi(FRACTION as i32) / old.interval as f64;
        let owed = (spent - old.burst.get() as f64).max(0.0);
        let spent = spent.min(self.burst.get() as f64) + owed;
        // Not more than 64 bits: the conversion of floats saturates.
        now.later((spent * self.interval as f64 / 2f64.powi(FRACTION as i32)) as u64)
    }

    /// What a unit and what the whole burst take, in microseconds.
    pub(super) fn micros(&self) -> (f64, f64) {
        let per_micro = (PER_NANO * 1_000) as f64;
        let interval = self.interval as f64 / 2f64.powi(FRACTION as i32);
        (interval / per_micro, self.span as f64 / per_micro)
    }

    /// How many units take no more than `ticks`.
    fn units(&self, ticks: u64) -> u64 {
        u64::try_from((u128::from(ticks) << FRACTION) / self.interval).unwrap_or(u64::MAX)
    }

    /// What `units` take.
    pub(super) fn ticks(&self, units: u64) -> u64 {
        let exact = self.interval.saturating_mul(u128::from(units));
        u64::try_from(exact.div_ceil(1 << FRACTION)).unwrap_or(u64::MAX)
    }
}

/// How the bucket of one key fills from now on.
#[derive(Debug, Clone, Copy)]
pub struct Refill<'a> {
    window: &'a Window,
    /// What is missing, in ticks.
    spent: u64,
}

impl<'a> Refill<'a> {
    /// That of a key with this arrival time.
    pub(super) fn new(window: &'a Window, arrival: Arrival, now: Moment) -> Self {
        Self { window, spent: arrival.since(Arrival::at(now)) }
    }

    /// Time until one more unit than the `left` ones of now is there; `None` while the bucket is full.
    pub(super) fn until_more(&self, left: u64) -> Option<Duration> {
        let wanted = self.window.ticks(left + 1).min(self.window.span);
        let missing = self.spent.saturating_add(wanted).saturating_sub(self.window.span);
        (self.spent > 0).then(|| duration(missing))
    }

    /// Time until the bucket is full.
    pub(super) const fn until_full(&self) -> Duration {
        duration(self.spent)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::{Clock, FakeRelativeClock};
    use governor::{Quota, RateLimiter};
    use proptest::prelude::*;

    use super::*;
    use crate::rate::testing::window;

    const SECOND: Duration = Duration::from_secs(1);

    const fn millis(n: u64) -> Moment {
        Moment(n * 1_000_000)
    }

    /// What a window says to requests of one key, one after the other.
    struct Asked {
        window: Window,
        patience: u64,
        arrival: Arrival,
    }

    impl Asked {
        fn of(window: Window) -> Self {
            Self { window, patience: 0, arrival: Arrival::default() }
        }

        fn ask(&mut self, cost: u64, now: Moment) -> Verdict {
            let (verdict, next) = self.window.decide(self.arrival, cost, self.patience, now);
            if !verdict.denies() {
                self.arrival = next;
            }
            verdict
        }

        fn allowed(&mut self, wanted: usize, now: Moment) -> usize {
            (0..wanted).filter(|_| self.ask(1, now) == Verdict::Allow).count()
        }

        fn left(&self, now: Moment) -> u64 {
            self.window.left(self.arrival, now)
        }

        fn refill(&self, now: Moment) -> Refill<'_> {
            Refill::new(&self.window, self.arrival, now)
        }
    }

    #[test]
    fn the_burst_goes_at_once_and_then_what_the_quota_allows() {
        let mut asked = Asked::of(window(10, SECOND, 5));
        assert_eq!(asked.allowed(100, millis(0)), 5);
        assert_eq!(asked.ask(1, millis(0)), Verdict::Deny(Duration::from_millis(100)));
        assert_eq!(asked.allowed(100, millis(99)), 0);
        assert_eq!(asked.allowed(100, millis(100)), 1);
        assert_eq!(asked.allowed(100, millis(400)), 3);
        assert_eq!(asked.allowed(100, millis(60_000)), 5, "no more than the burst is saved");
    }

    #[test]
    fn a_request_may_cost_more_than_one() {
        let mut asked = Asked::of(window(10, SECOND, 10));
        assert_eq!(asked.ask(7, millis(0)), Verdict::Allow);
        assert_eq!(asked.ask(4, millis(0)), Verdict::Deny(Duration::from_millis(100)));
        assert_eq!(asked.ask(3, millis(0)), Verdict::Allow);
        assert_eq!(asked.ask(11, millis(60_000)), Verdict::TooCostly);
    }

    #[test]
    fn a_request_whose_cost_comes_later_passes_while_one_unit_is_left() {
        let mut asked = Asked::of(window(10, SECOND, 2));
        assert_eq!(asked.ask(0, millis(0)), Verdict::Allow);
        assert_eq!(asked.left(millis(0)), 2);
        asked.arrival = asked.window.spend(asked.arrival, 5, millis(0));
        assert_eq!(asked.ask(0, millis(0)), Verdict::Deny(Duration::from_millis(400)));
        assert_eq!(asked.ask(0, millis(400)), Verdict::Allow);
    }

    #[test]
    fn a_patient_request_waits_its_turn_behind_others() {
        let mut asked = Asked {
            patience: ticks(Duration::from_millis(250)),
            ..Asked::of(window(10, SECOND, 1))
        };
        let verdicts = [(); 4].map(|()| asked.ask(1, millis(0)));
        let wait = |n| Verdict::Wait(Duration::from_millis(n));
        assert_eq!(
            verdicts,
            [Verdict::Allow, wait(100), wait(200), Verdict::Deny(Duration::from_millis(300))]
        );
        assert_eq!(asked.ask(1, millis(100)), wait(200));
    }

    #[test]
    fn it_tells_what_is_left_and_when_there_is_more() {
        let mut asked = Asked::of(window(10, SECOND, 5));
        let more = |asked: &Asked, now| asked.refill(now).until_more(asked.left(now));
        assert_eq!((asked.left(millis(0)), more(&asked, millis(0))), (5, None));
        asked.ask(1, millis(0));
        assert_eq!(
            (asked.left(millis(0)), more(&asked, millis(0))),
            (4, Some(Duration::from_millis(100)))
        );
        assert_eq!(
            (asked.left(millis(40)), more(&asked, millis(40))),
            (4, Some(Duration::from_millis(60)))
        );
        asked.arrival = asked.window.spend(asked.arrival, 7, millis(0));
        assert_eq!(
            (asked.left(millis(0)), more(&asked, millis(0))),
            (0, Some(Duration::from_millis(400))),
            "in debt"
        );
        assert_eq!(asked.refill(millis(0)).until_full(), Duration::from_millis(800));
    }

    #[test]
    fn what_is_given_back_can_be_spent_again() {
        let mut asked = Asked::of(window(3, SECOND, 3));
        assert_eq!(asked.allowed(9, millis(0)), 3);
        asked.arrival = asked.window.give_back(asked.arrival, 2);
        assert_eq!(asked.allowed(9, millis(0)), 2);
    }

    #[test]
    fn no_rate_is_off_by_more_than_a_thousandth() {
        let (day, second) = (Duration::from_secs(86_400), Duration::from_secs(1));
        // Quota, in how long, and what is charged at a time: a request, or a packet of bytes.
        let rates = [
            (1, day, 1),
            (7, day, 1),
            (1, second, 1),
            (3, second, 1),
            (999_983, second, 1),
            (7_000_000, second, 1),
            (9_999_991, second, 1),
            (10_000_000, second, 1),
            (300_000_000, second, 1_448),
            (300_000_000, second, 64),
            (299_999_977, second, 1_000_000_000),
        ];
        for (quota, per, charge) in rates {
            let window = window(quota, per, quota);
            let exact = charge as f64 / quota as f64 * per.as_nanos() as f64 * PER_NANO as f64;
            let off = window.ticks(charge) as f64 / exact - 1.0;
            assert!(
                (0.0..0.001).contains(&(off + 1e-12)),
                "{quota} per {per:?}, {charge} at a time: {off}"
            );
        }
    }

    #[test]
    fn a_burst_is_no_more_than_what_comes_back_in_ten_years() {
        let day = Duration::from_secs(86_400);
        let burst = |per, burst| window(1, per, burst).burst();
        assert_eq!(
            (burst(day, 3_649), burst(day, 3_651), burst(day, u64::MAX)),
            (3_649, 3_650, 3_650)
        );
        assert_eq!((burst(LONGEST, 9), burst(Duration::MAX, 1)), (1, 1));
    }

    #[test]
    fn the_longest_and_the_largest_do_not_overflow() {
        let mut asked = Asked::of(window(1, LONGEST, 1));
        assert_eq!(asked.ask(1, Moment(u64::MAX)), Verdict::Allow);
        assert_eq!(asked.ask(u64::MAX, Moment(0)), Verdict::TooCostly);
        asked.arrival = asked.window.spend(asked.arrival, u64::MAX, Moment(u64::MAX));
        assert_eq!(asked.left(Moment(0)), 0);
        let left = asked.left(Moment(0));
        assert!(asked.refill(Moment(0)).until_more(left) > Some(LONGEST));
        let mut asked = Asked::of(window(u64::MAX, Duration::ZERO, u64::MAX));
        assert_eq!(asked.ask(u64::MAX, Moment(0)), Verdict::Allow);
    }

    #[test]
    fn what_was_spent_stays_spent_when_the_numbers_change() {
        let (slow, quick) =
            (window(3_600, Duration::from_secs(3_600), 3_600), window(100, SECOND, 200));
        let now = millis(5_000);
        let of = |window: &Window, spent| window.spend(Arrival::default(), spent, now);
        let left = |window: &Window, arrival| window.left(arrival, now);
        let converted = quick.converted(of(&slow, 50), &slow, now);
        assert_eq!(left(&quick, converted), 150);
        // What was an hour's worth of the old window is not an hour's wait in the new one.
        let converted = quick.converted(of(&slow, 3_600), &slow, now);
        assert_eq!(
            (left(&quick, converted), Refill::new(&quick, converted, now).until_full()),
            (0, Duration::from_secs(2))
        );
        let owed = quick.converted(of(&slow, 3_610), &slow, now);
        assert_eq!(Refill::new(&quick, owed, now).until_full(), Duration::from_millis(2_100));
        assert_eq!(left(&slow, slow.converted(of(&quick, 200), &quick, now)), 3_400);
        assert_eq!(quick.converted(Arrival::default(), &slow, now), Arrival::at(now));
    }

    proptest! {
        /// The crate `governor` counts in whole nanoseconds, so the unit takes a whole number of them here.
        #[test]
        fn it_decides_as_governor_does(
            (unit, burst) in (1u64..10_000_000, 1u32..300),
            steps in prop::collection::vec((0u64..200_000_000, 1u32..20), 1..200),
        ) {
            let clock = FakeRelativeClock::default();
            let per = Duration::from_nanos(unit);
            let (Some(quota), Some(burst)) = (Quota::with_period(per), NonZeroU32::new(burst)) else { unreachable!() };
            let governor = RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone());
            let mut asked = Asked::of(window(1, per, burst.get().into()));
            let mut now = 0;
            for (pause, cost) in steps {
                // Mostly about as much as comes back.
                let pause = pause % (unit * u64::from(cost) * 2);
                clock.advance(Duration::from_nanos(pause));
                now += pause;
                let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
                let theirs = match governor.check_n(cost) {
                    Ok(Ok(())) => Verdict::Allow,
                    Ok(Err(until)) => Verdict::Deny(until.wait_time_from(clock.now())),
                    Err(_) => Verdict::TooCostly,
                };
                prop_assert_eq!(asked.ask(cost.get().into(), Moment(now)), theirs);
            }
        }

        #[test]
        fn no_interval_lets_go_more_than_the_burst_and_the_rate(
            (quota, per, burst) in (1u64..10_000_000, 1u64..100_000, 1u64..500),
            patience in 0u64..2_000,
            steps in prop::collection::vec((0u64..3_000, 0u64..40), 1..150),
        ) {
            let per = Duration::from_millis(per);
            let patience = ticks(Duration::from_millis(patience));
            let mut asked = Asked { patience, ..Asked::of(window(quota, per, burst)) };
            let mut now = 0;
            // When each was let go, and what it cost.
            let mut gone = Vec::new();
            for (pause, cost) in steps {
                // About so long that a few units come back.
                now += per.as_nanos() as u64 / quota * pause / 100;
                match asked.ask(cost, Moment(now)) {
                    Verdict::Allow => gone.push((now, cost)),
                    Verdict::Wait(wait) => gone.push((Moment(now).after(wait).0, cost)),
                    Verdict::Deny(_) | Verdict::TooCostly => {}
                }
            }
            gone.sort_unstable();
            for (index, (from, _)) in gone.iter().enumerate() {
                let mut sum = 0;
                for (to, cost) in &gone[index..] {
                    sum += cost;
                    // Waits are rounded up to a nanosecond, so that two of them may be one too close.
                    let time = u128::from(to - from + 1) * u128::from(quota);
                    let rate = time as f64 / per.as_nanos() as f64;
                    prop_assert!(sum as f64 <= burst as f64 + rate + 1e-6, "{sum} in {} ns", to - from);
                }
            }
        }

        /// What a denied request is told to wait is enough, and a nanosecond less is not.
        #[test]
        fn the_wait_that_is_told_is_the_shortest(
            (quota, burst) in (1u64..20_000_000, 1u64..300),
            spent in 0u64..1_000,
            cost in 1u64..300,
        ) {
            let mut asked = Asked::of(window(quota, SECOND, burst));
            let now = Moment(1_000_000_000);
            asked.arrival = asked.window.spend(asked.arrival, spent, now);
            if let Verdict::Deny(wait) = asked.ask(cost, now) {
                let before = Moment(now.after(wait).0 - 1);
                prop_assert!(asked.ask(cost, before).denies());
                prop_assert_eq!(asked.ask(cost, now.after(wait)), Verdict::Allow);
            }
        }

        /// What is told to be left can be had, and one more cannot.
        #[test]
        fn what_is_left_can_be_spent(
            (quota, burst) in (1u64..20_000_000, 1u64..300),
            spent in 0u64..400,
            pause in 0u64..1_000_000,
        ) {
            let mut asked = Asked::of(window(quota, SECOND, burst));
            asked.arrival = asked.window.spend(asked.arrival, spent, Moment(0));
            let now = Moment(pause);
            let left = asked.left(now);
            prop_assert!(asked.window.decide(asked.arrival, left + 1, 0, now).0.denies());
            prop_assert!(left == 0 || asked.ask(left, now) == Verdict::Allow);
        }
    }
}
