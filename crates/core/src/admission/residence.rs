//! Residence time: how long requests are inside.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Weight of the latest in the mean.
const LATEST: f32 = 1.0 / 64.0;

/// The geometric mean of the time that requests spent inside of late: one that stays for an hour hardly moves
/// it.
///
/// Of requests that leave in the same instant, one may not be counted.
#[derive(Debug)]
pub(super) struct Residence(AtomicU32);

impl Default for Residence {
    fn default() -> Self {
        Self(AtomicU32::new(f32::NAN.to_bits()))
    }
}

impl Residence {
    /// A request was inside for so long.
    pub(super) fn record(&self, time: Duration) {
        let latest = time.as_secs_f32().max(f32::MIN_POSITIVE).ln();
        let mean = f32::from_bits(self.0.load(Relaxed));
        let mean = if mean.is_nan() { latest } else { mean + (latest - mean) * LATEST };
        self.0.store(mean.to_bits(), Relaxed);
    }

    /// The mean; nothing before the first.
    pub(super) fn usual(&self) -> Duration {
        let mean = f32::from_bits(self.0.load(Relaxed));
        Duration::try_from_secs_f32(mean.exp()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_most_take_whatever_a_few_do() {
        let residence = Residence::default();
        assert_eq!(residence.usual(), Duration::ZERO);
        for turn in 1..=1_000 {
            residence.record(Duration::from_secs(if turn % 100 == 0 { 3_600 } else { 2 }));
        }
        let usual = residence.usual().as_secs_f32();
        assert!((2.0..2.5).contains(&usual), "{usual}");
    }
}
