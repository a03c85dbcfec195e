//! The theoretical arrival time: all that is remembered of a key.

use std::time::Duration;

use crate::time::Moment;

/// Ticks of a nanosecond. A request takes 100 ns of the bucket at 10 million a second and a byte 3.3 ns at 300
/// MB/s: in whole nanoseconds, rounding would cost up to 1 % of the former and 20 % of the latter. In sixteenths
/// it costs under 0.1 % of whatever takes 63 ns or more, and 64 bits still last 36 years.
pub(super) const PER_NANO: u64 = 16;

/// Theoretical arrival time of a key's next unit at the steady rate, in sixteenths of a nanosecond since the
/// origin of [`Moment`] (TAT in ITU-T I.371, annex A).
///
/// As far as it lies ahead, so much of the bucket is spent. Once it has passed, the bucket is full, however long
/// ago that was: the key may as well be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Arrival(pub(super) u64);

impl Arrival {
    /// The last one that there is; the value after it marks a cell that changes hands.
    const LAST: u64 = u64::MAX - 1;

    /// That of a key whose bucket is just full.
    pub(super) const fn at(now: Moment) -> Self {
        Self(0).later(now.0.saturating_mul(PER_NANO))
    }

    pub(super) const fn later(self, ticks: u64) -> Self {
        let later = self.0.saturating_add(ticks);
        Self(if later < Self::LAST { later } else { Self::LAST })
    }

    pub(super) const fn earlier(self, ticks: u64) -> Self {
        Self(self.0.saturating_sub(ticks))
    }

    /// Ticks from `earlier` to this one; 0 if that lies ahead.
    pub(super) const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How many ticks `duration` has.
pub(super) fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().saturating_mul(PER_NANO.into())).unwrap_or(u64::MAX)
}

/// How long `ticks` are, rounded up: what waits so long waits long enough.
pub(super) const fn duration(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.div_ceil(PER_NANO))
}
