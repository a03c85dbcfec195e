//! Connections that were turned away, told in the log at a bounded rate.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tidegate_core::time::Moment;

/// What happens at one listener is told once in so long.
const PAUSE: Duration = Duration::from_secs(10);

/// Connections that a listener turned away, as far as they have not been told.
#[derive(Debug, Default)]
pub struct Refusals {
    untold: AtomicU64,
    /// When they may be told, in nanoseconds.
    next: AtomicU64,
}

impl Refusals {
    /// One more was turned away: how many were since it was told, if it is to be told now.
    pub fn count(&self, now: Moment) -> Option<u64> {
        self.untold.fetch_add(1, Relaxed);
        let next = self.next.load(Relaxed);
        if now.0 < next {
            return None;
        }
        // Of several threads that come at once one tells.
        let told = self.next.compare_exchange(next, now.after(PAUSE).0, Relaxed, Relaxed);
        told.ok().map(|_| self.untold.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_in_between_is_told_with_the_next() {
        let refusals = Refusals::default();
        let seconds = |n: u64| Moment(n * 1_000_000_000);
        assert_eq!(refusals.count(seconds(1)), Some(1));
        assert_eq!([2, 5, 10].map(|n| refusals.count(seconds(n))), [None; 3]);
        assert_eq!(refusals.count(seconds(11)), Some(4));
        assert_eq!(refusals.count(seconds(12)), None);
    }
}
