//! What several gateways may spend together of one window, in the units that the store counts in.

use std::time::Duration;

use crate::rate::window::Window;

/// A credit is this part of what comes at once or in the window, whichever is less ...
const CREDIT: f64 = 0.05;
/// ... and a lease is at most this part of the quota, unless the store is far away or more requests wait.
const LEASE: u64 = 10;

/// Orders of a key that is in use are not farther apart.
const LONGEST_GAP: Duration = Duration::from_millis(250);

/// A window as the store and those that spend of it see it. Times are in microseconds, as the store's clock is.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedQuota {
    /// What the store calls it: the same for windows of the same length, whatever the limit's other numbers are.
    pub name: Box<str>,
    /// What a unit takes.
    pub interval: f64,
    /// What the whole burst takes.
    pub span: f64,
    quota: u64,
    burst: u64,
    per: Duration,
}

impl SharedQuota {
    /// Those of `windows`.
    pub fn of_windows(windows: &[Window]) -> Box<[Self]> {
        let of = |(index, window): (usize, &Window)| {
            let same = |before: &&Window| before.per() == window.per();
            let before = windows[..index].iter().filter(same).count();
            let (interval, span) = window.micros();
            Self {
                name: format!("{}.{before}", window.per().as_millis()).into(),
                interval,
                span,
                quota: window.quota(),
                burst: window.burst(),
                per: window.per(),
            }
        };
        windows.iter().enumerate().map(of).collect()
    }

    /// The most that a gateway wishes for at a time, which it does every `gap`: a tenth of the quota, or where the store
    /// is far away what comes back in a gap and the `trip` of an answer, as a lease must do until the next has come.
    pub(super) fn most_leased(&self, gap: Duration, trip: Duration) -> u64 {
        let back = (gap.min(LONGEST_GAP) + trip).as_micros() as f64 / self.interval;
        (self.quota / LEASE).max(back as u64).max(1)
    }

    /// What one of so many `gateways` may spend without a lease of a key of which the store told last at `silence`
    /// before now (`None`: never).
    pub(super) fn credit(&self, gateways: u32, silence: Option<Duration>) -> u64 {
        let gateways = u64::from(gateways.max(1));
        if self.is_silent(silence) {
            return self.burst.div_ceil(gateways);
        }
        let all = self.quota.min(self.burst) as f64 * CREDIT;
        ((all / gateways as f64) as u64).max(1)
    }

    /// Whether the store has told nothing for the whole window.
    pub(super) fn is_silent(&self, silence: Option<Duration>) -> bool {
        silence.is_none_or(|silence| silence >= self.per)
    }
}
