//! On which terms a stored response may be used.

use std::time::Duration;

use super::freshness::Source;
use crate::time::{Moment, Span};

/// On which terms a stored response may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// When it arrived.
    pub arrived: Moment,
    /// How old it was then.
    pub initial_age: Span,
    /// The age until which it is fresh.
    pub lifetime: Span,
    /// How that is known.
    pub by: Source,
    /// Whether it is not used before the origin has said that it is still valid (`no-cache`).
    pub validate_always: bool,
    /// Whether it is not used when it is stale, whatever says that it may: `no-cache`, `must-revalidate`,
    /// `proxy-revalidate` and `s-maxage` (RFC 9111 §4.2.4).
    pub never_stale: bool,
    /// How long after its lifetime it is used while it is validated (RFC 5861 §3).
    pub while_revalidate: Span,
    /// How long after its lifetime it is used in place of an error (RFC 5861 §4).
    pub if_error: Span,
    /// How long after its lifetime it is used while the origin cannot be reached (RFC 9111 §4.2.4).
    pub if_disconnected: Span,
    /// Whether it does not change while it is fresh (RFC 8246).
    pub immutable: bool,
}

impl Terms {
    /// How old it is (RFC 9111 §4.2.3).
    pub fn age(&self, now: Moment) -> Duration {
        self.initial_age.duration().saturating_add(now.since(self.arrived))
    }

    /// Whether its lifetime is not over (RFC 9111 §4.2).
    pub fn is_fresh(&self, now: Moment) -> bool {
        self.lifetime.duration() > self.age(now)
    }

    /// Whole seconds for which it is still fresh; negative where it is stale (RFC 9211 §2.4).
    pub fn ttl(&self, now: Moment) -> i64 {
        // Neither is near the range of the type: both are counted from 2^31 seconds and 2^64 nanoseconds.
        self.lifetime.duration().as_secs().cast_signed() - self.age(now).as_secs().cast_signed()
    }

    /// For how long it has been stale.
    pub fn staleness(&self, now: Moment) -> Duration {
        self.age(now).saturating_sub(self.lifetime.duration())
    }

    /// The same terms, stale from now on.
    #[must_use]
    pub fn expire(&self, now: Moment) -> Self {
        Self { lifetime: self.lifetime.min(self.age(now).into()), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ARRIVED: Moment = Moment(5_000_000_000);

    /// Ten seconds of lifetime, of which three were over on arrival.
    fn terms() -> Terms {
        Terms {
            arrived: ARRIVED,
            initial_age: (SECOND * 3).into(),
            lifetime: (SECOND * 10).into(),
            by: Source::MaxAge,
            validate_always: false,
            never_stale: false,
            while_revalidate: SECOND.into(),
            if_error: SECOND.into(),
            if_disconnected: SECOND.into(),
            immutable: false,
        }
    }

    /// Age, whether fresh, ttl and staleness so many seconds after the arrival.
    fn after(terms: &Terms, seconds: u32) -> (u64, bool, i64, u64) {
        let now = ARRIVED.after(SECOND * seconds);
        let (age, staleness) = (terms.age(now).as_secs(), terms.staleness(now).as_secs());
        (age, terms.is_fresh(now), terms.ttl(now), staleness)
    }

    #[test]
    fn a_response_is_fresh_until_it_is_as_old_as_its_lifetime() {
        assert_eq!(after(&terms(), 0), (3, true, 7, 0));
        assert_eq!(after(&terms(), 6), (9, true, 1, 0));
        assert_eq!(after(&terms(), 7), (10, false, 0, 0));
        assert_eq!(after(&terms(), 12), (15, false, -5, 5));
        assert!(terms().is_fresh(Moment(ARRIVED.after(SECOND * 7).0 - 1)));
    }

    #[test]
    fn a_moment_before_the_arrival_makes_nothing_younger_than_it_was() {
        assert_eq!(terms().age(Moment(0)), SECOND * 3);
    }

    #[test]
    fn what_expires_is_stale_from_then_on() {
        let expired = terms().expire(ARRIVED.after(SECOND * 2));
        assert_eq!(after(&expired, 2), (5, false, 0, 0));
        assert_eq!(after(&expired, 4), (7, false, -2, 2));
        assert_eq!(expired.if_error, terms().if_error);
    }

    #[test]
    fn what_expires_when_it_is_stale_has_been_stale_for_as_long() {
        let expired = terms().expire(ARRIVED.after(SECOND * 20));
        assert_eq!(after(&expired, 20), (23, false, -13, 13));
    }

    #[test]
    fn the_longest_times_are_counted() {
        let old = Terms { initial_age: Duration::MAX.into(), ..terms() };
        assert!(!old.is_fresh(Moment(u64::MAX)));
        assert!(old.age(Moment(u64::MAX)) >= Duration::from_nanos(u64::MAX));
    }
}
