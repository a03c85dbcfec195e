//! How long requests are inside.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Weight of the latest in the mean.
const LATEST: f32 = 1.0 / 64.0;

/// The geometric mean of the time that requests spent inside of late: one that stays for an hour hardly moves
/// it.
///
/// Of those that leave in the same instant, one may be lost.
#[derive(Debug)]
pub(super) struct Stay(AtomicU32);

impl Default for Stay {
    fn default() -> Self {
        Self(AtomicU32::new(f32::NAN.to_bits()))
    }
}

impl Stay {
    /// A request was inside for so long.
    pub(super) fn record(&self, stay: Duration) {
        let latest = stay.as_secs_f32().max(f32::MIN_POSITIVE).ln();
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
        let stay = Stay::default();
        assert_eq!(stay.usual(), Duration::ZERO);
        for turn in 1..=1_000 {
            stay.record(Duration::from_secs(if turn % 100 == 0 { 3_600 } else { 2 }));
        }
        let usual = stay.usual().as_secs_f32();
        assert!((2.0..2.5).contains(&usual), "{usual}");
    }
}
