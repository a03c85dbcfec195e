//! Points in time that are handed in, never read here, and lengths of time.

use std::time::Duration;

/// Nanoseconds since an origin that the caller chose once for the whole process (or simulation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// Time passed since `earlier`; zero if that lies ahead.
    pub const fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment moved back by `duration`; the origin where that is later.
    #[must_use]
    pub const fn before(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_sub(duration.as_nanos() as u64))
    }

    /// This moment moved on by `duration`.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(duration.as_nanos() as u64))
    }
}

/// A length of time that is kept many times over: as nanoseconds, half of what a [`Duration`] takes. The longest is 584
/// years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub u64);

impl From<Duration> for Span {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Span {
    /// The same as a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}
