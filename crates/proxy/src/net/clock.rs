//! Time, read here and nowhere in core.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_core::time::Moment;
use tokio::time::Instant;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// `at` as core counts time. The origin is the first call of the process.
pub fn moment(at: Instant) -> Moment {
    let since = at.saturating_duration_since(*ORIGIN);
    Moment(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Now, as core counts time.
pub fn now() -> Moment {
    moment(Instant::now())
}

/// Seconds since 1970, by which credentials end.
pub fn unix_seconds() -> i64 {
    i64::try_from(unix_nanos() / 1_000_000_000).unwrap_or(i64::MAX)
}

/// Nanoseconds since 1970, for logs.
pub fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
