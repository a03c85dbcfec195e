//! Bandwidth: how many bytes of a key may pass now.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use super::arrival::duration;
use super::key::Key;
use super::table::{OutOfMemory, Table};
use super::window::Window;
use crate::time::Moment;

/// A body looks again no sooner, however fast it is: a wake-up costs more than the few bytes it would be for.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);
/// A slow body waits for this much, if that does not take longer than [`LONGEST_PAUSE`].
const WORTHWHILE: u64 = 16 * 1_024;
/// A body does not wait longer for more than it could have at once.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// What may come at once, if no more is asked for. What a wake-up that is late by the rest of it would have had is
/// not lost; and the first second has no more than 4 % too much by it.
const LEAST_BURST: Duration = Duration::from_millis(40);

/// Paces the bytes of bodies, those of one key together at a rate. Nothing is ever refused.
#[derive(Debug)]
pub struct Pacing {
    window: Window,
    /// Bytes that are worth a wake-up.
    worthwhile: u64,
    table: Table,
}

/// What a body may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Send so many bytes, which are at least one and charged.
    Bytes(u64),
    /// Look again in so long.
    Later(Duration),
}

impl Pacing {
    /// Paces at `rate` bytes a second, of which `burst` may pass at once (at least those of 40 ms, without which a
    /// timer that is late would cost bandwidth). Keys beyond the latest `keys` begin with a fresh burst.
    ///
    /// # Errors
    /// If there is no memory for so many keys.
    pub fn new(rate: NonZeroU64, burst: u64, keys: NonZeroUsize) -> Result<Self, OutOfMemory> {
        let within = |time: Duration| {
            let exact = u128::from(rate.get()) * time.as_nanos() / 1_000_000_000;
            u64::try_from(exact).unwrap_or(u64::MAX)
        };
        let burst = burst.max(within(LEAST_BURST));
        let burst = NonZeroU64::new(burst).unwrap_or(NonZeroU64::MIN);
        let window = Window::new(rate, Duration::from_secs(1), burst);
        let worthwhile = WORTHWHILE.clamp(within(SHORTEST_PAUSE), within(LONGEST_PAUSE)).max(1);
        Ok(Self { window, worthwhile, table: Table::new(keys)? })
    }

    /// What a body of `key` may do that has `wanted` bytes ready, at least one.
    pub fn take(&self, key: Key, wanted: u64, now: Moment) -> Share {
        let mut seen = self.table.look(key);
        loop {
            let left = self.window.left(seen.arrival, now);
            let least = wanted.min(self.worthwhile);
            if left < least {
                let missing =
                    self.window.ticks(least).saturating_sub(self.window.room(seen.arrival, now));
                return Share::Later(duration(missing).max(SHORTEST_PAUSE));
            }
            let bytes = wanted.min(left);
            let arrival = self.window.spend(seen.arrival, bytes, now);
            match self.table.advance(key, seen, arrival, now) {
                Ok(()) => return Share::Bytes(bytes),
                Err(changed) => seen = changed,
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::balance::SplitMix64;
    use crate::rate::testing::{key, nonzero};

    const MILLISECOND: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MILLISECOND;

    fn pacing(rate: u64) -> Pacing {
        Pacing::new(nonzero(rate), 0, NonZeroUsize::MIN).unwrap()
    }

    /// Bytes that pass in a second from `start` on, to `bodies` that always have 64 KB ready and whose wake-ups are
    /// late by up to `late`; and how many wake-ups that took.
    fn in_a_second(pacing: &Pacing, bodies: u64, start: u64, late: u64) -> (u64, u64) {
        let mut random = SplitMix64::new(7);
        let (mut passed, mut wake_ups) = (0, 0);
        let mut due = vec![start; bodies as usize];
        while let Some(next) = due.iter_mut().min()
            && *next < start + SECOND
        {
            wake_ups += 1;
            let now = Moment(*next);
            *next = loop {
                match pacing.take(key(1), 65_536, now) {
                    Share::Bytes(bytes) => passed += bytes,
                    Share::Later(pause) => {
                        assert!(pause >= SHORTEST_PAUSE);
                        break now.after(pause).0 + random.below(late + 1);
                    }
                }
            };
        }
        (passed, wake_ups)
    }

    #[test]
    fn a_second_passes_what_the_rate_says_within_5_percent() {
        for rate in [100_000, 300_000, 1_000_000, 7_777_777, 10_000_000, 100_000_000] {
            for (bodies, late) in
                [(1, 0), (1, 2 * MILLISECOND), (1, 15 * MILLISECOND), (5, MILLISECOND)]
            {
                let pacing = pacing(rate);
                for start in [SECOND, 2 * SECOND, 3 * SECOND] {
                    let (passed, wake_ups) = in_a_second(&pacing, bodies, start, late);
                    let off = passed as f64 / rate as f64 - 1.0;
                    assert!(
                        off.abs() <= 0.05,
                        "{rate} B/s, {bodies} bodies, late {late}: off by {off:+.3}"
                    );
                    assert!(wake_ups <= 201 * bodies, "{wake_ups} wake-ups");
                }
            }
        }
    }

    #[test]
    fn a_slow_body_is_not_woken_for_a_few_bytes() {
        let (_, wake_ups) = in_a_second(&pacing(100_000), 1, SECOND, 0);
        assert!(wake_ups <= 51, "{wake_ups}");
    }

    #[test]
    fn the_burst_passes_at_once() {
        let pacing = Pacing::new(nonzero(1_000_000), 5_000_000, NonZeroUsize::MIN).unwrap();
        assert_eq!(pacing.take(key(1), 9_000_000, Moment(0)), Share::Bytes(5_000_000));
        assert!(matches!(pacing.take(key(1), 1, Moment(0)), Share::Later(_)));
        assert_eq!(pacing.take(key(2), 1, Moment(0)), Share::Bytes(1), "another key");
    }

    #[test]
    fn the_end_of_a_body_does_not_wait_for_more_than_it_has() {
        let pacing = pacing(100_000);
        assert_eq!(pacing.take(key(1), 3_999, Moment(0)), Share::Bytes(3_999));
        assert_eq!(pacing.take(key(1), 1, Moment(0)), Share::Bytes(1));
        assert_eq!(pacing.take(key(1), 1, Moment(0)), Share::Later(SHORTEST_PAUSE));
    }

    proptest! {
        /// Whatever is asked for and whenever, nothing passes before its time, and a body always gets on.
        #[test]
        fn no_span_of_time_passes_more_than_the_burst_and_the_rate(
            rate in 1u64..200_000_000,
            steps in prop::collection::vec((0u64..30 * MILLISECOND, 1u64..1_000_000), 1..80),
        ) {
            let pacing = pacing(rate);
            let burst = u128::from(rate / 25 + 1);
            let (mut now, mut passed) = (SECOND, 0u128);
            for (pause, wanted) in steps {
                now += pause;
                match pacing.take(key(1), wanted, Moment(now)) {
                    Share::Bytes(bytes) => {
                        prop_assert!(bytes > 0 && bytes <= wanted);
                        passed += u128::from(bytes);
                    }
                    Share::Later(pause) => {
                        now = Moment(now).after(pause).0;
                        let again = pacing.take(key(1), wanted, Moment(now));
                        prop_assert!(matches!(again, Share::Bytes(_)), "{again:?} after {pause:?}");
                        if let Share::Bytes(bytes) = again {
                            passed += u128::from(bytes);
                        }
                    }
                }
                let allowed = burst + u128::from(rate) * u128::from(now - SECOND) / u128::from(SECOND) + 1;
                prop_assert!(passed <= allowed, "{passed} of {allowed}");
            }
        }
    }
}
