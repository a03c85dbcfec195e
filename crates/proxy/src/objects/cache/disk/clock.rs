//! The time by which ages are counted beyond the end of the process.
//!
//! A wall clock can be set. It is read once, when the cache is opened; from then on time passes as the process counts it.
//! A wall clock that is behind what it was when the files were written says nothing of how old they are.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidegate_core::cache::Terms;
use tidegate_core::time::{Moment, Span};

/// Nanoseconds since 1970, which never go back.
#[derive(Debug, Clone, Copy)]
pub struct DiskClock {
    opened: u64,
    opened_at: Moment,
    went_back: bool,
}

impl DiskClock {
    /// A clock that begins at `now`, by the wall clock `wall`, where `last` was the last time that was seen before.
    pub fn new(wall: SystemTime, now: Moment, last: u64) -> Self {
        let wall = nanos(wall);
        Self { opened: wall.max(last), opened_at: now, went_back: wall < last }
    }

    /// The time at `now`.
    pub fn at(&self, now: Moment) -> u64 {
        if now >= self.opened_at {
            self.opened.saturating_add(now.0 - self.opened_at.0)
        } else {
            self.opened.saturating_sub(self.opened_at.0 - now.0)
        }
    }

    /// The terms of what came at the time `arrived`, as they are counted from `now` on. Where it is not known how long
    /// that is ago it is not fresh, and is not used before it was validated.
    pub fn recall(&self, terms: Terms, arrived: u64, now: Moment) -> Terms {
        let time = self.at(now);
        let is_known = arrived <= time && !(self.went_back && arrived <= self.opened);
        let since = Duration::from_nanos(time.saturating_sub(arrived));
        let recalled = Terms {
            arrived: now,
            initial_age: terms.initial_age.duration().saturating_add(since).into(),
            ..terms
        };
        if is_known {
            return recalled;
        }
        let none = Span::default();
        let windows =
            Terms { while_revalidate: none, if_error: none, if_disconnected: none, ..recalled };
        windows.expire(now)
    }
}

/// A time as nanoseconds since 1970.
pub fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The time that is so many nanoseconds after 1970 began.
pub fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use tidegate_core::cache::freshness::Source;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn terms() -> Terms {
        Terms {
            arrived: Moment(0),
            initial_age: Duration::from_secs(3).into(),
            lifetime: Duration::from_secs(60).into(),
            by: Source::MaxAge,
            validate_always: false,
            never_stale: false,
            while_revalidate: Duration::from_secs(60).into(),
            if_error: Duration::from_secs(60).into(),
            if_disconnected: Duration::from_secs(60).into(),
            immutable: false,
        }
    }

    fn clock(wall: u64, last: u64) -> DiskClock {
        DiskClock::new(time(wall * SECOND), Moment(5 * SECOND), last * SECOND)
    }

    #[test]
    fn what_is_stored_goes_on_to_age_while_no_process_runs() {
        let recalled = clock(1_000, 900).recall(terms(), 980 * SECOND, Moment(6 * SECOND));
        assert_eq!(recalled.age(Moment(6 * SECOND)), Duration::from_secs(3 + 21));
        assert_eq!(recalled.age(Moment(7 * SECOND)), Duration::from_secs(3 + 22));
        assert!(recalled.is_fresh(Moment(6 * SECOND)));
        let recalled = clock(1_000, 900).recall(terms(), 940 * SECOND, Moment(6 * SECOND));
        assert!(!recalled.is_fresh(Moment(6 * SECOND)));
    }

    #[test]
    fn a_clock_that_went_back_makes_nothing_fresh() {
        let now = Moment(6 * SECOND);
        for arrived in [100, 899, 900, 950] {
            let recalled = clock(500, 900).recall(terms(), arrived * SECOND, now);
            assert!(!recalled.is_fresh(now), "{arrived}");
            assert_eq!(recalled.if_disconnected, Span::default());
        }
        let recalled = clock(500, 0).recall(terms(), 502 * SECOND, now);
        assert!(!recalled.is_fresh(now), "it came later than now");
    }

    #[test]
    fn what_came_since_then_counts_again() {
        let clock = clock(500, 900);
        let (came, now) = (Moment(6 * SECOND), Moment(16 * SECOND));
        let recalled = clock.recall(terms(), clock.at(came), now);
        assert_eq!((recalled.is_fresh(now), recalled.age(now)), (true, Duration::from_secs(13)));
    }

    #[test]
    fn what_came_before_it_was_opened_has_its_time_too() {
        let clock = clock(1_000, 0);
        assert_eq!(clock.at(Moment(2 * SECOND)), 997 * SECOND);
    }
}
