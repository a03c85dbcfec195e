//! What latency an endpoint has at each level of load.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// Levels of requests in flight: 0, 1, 2, 3, then two to each power of two, the last one open.
const LEVELS: usize = 16;
/// Weight of the latest answer in a level's mean.
const LATEST: f32 = 1.0 / 8.0;
/// Bits of a moment that a level leaves out: it tells time in 67 ms, for nine years.
const TICK: u32 = 26;

/// Mean latency by the number of other requests in flight.
///
/// Prequal's server keeps this: the latency that a request will have follows from the load that it
/// meets, and what was measured under another load misleads. It tags an answer with the requests in flight
/// when it arrived; here it is those when it was answered, which by the symmetry of arrivals and
/// departures says as much (Little's law holds for both) and costs nothing to carry along.
///
/// Of answers that come in the same instant, one may be lost.
#[derive(Debug, Default)]
pub struct Levels([AtomicU64; LEVELS]);

impl Levels {
    /// An answer came at `now` after `latency`, while `others` were in flight.
    pub fn record(&self, others: u32, latency: Duration, now: Moment) {
        let cell = &self.0[level(others)];
        let before = cell.load(Relaxed);
        let sample = latency.as_secs_f32();
        let mean = match unpack(before) {
            Some((_, mean)) => mean + (sample - mean) * LATEST,
            None => sample,
        };
        // If another worker was quicker, its answer counts and this one does not.
        _ = cell.compare_exchange(before, pack(now, mean), Relaxed, Relaxed);
    }

    /// The mean latency in seconds with `others` in flight, or else at the nearest level; `None` if
    /// nothing was recorded in the last `age`.
    pub fn near(&self, others: u32, now: Moment, age: Duration) -> Option<f64> {
        let since = Moment(now.0.saturating_sub(age.as_nanos() as u64));
        let here = level(others);
        if let Some(latency) = self.fresh(here, since) {
            return Some(latency);
        }
        let fresh = |level: usize| Some((level.abs_diff(here), self.fresh(level, since)?));
        let below = (0..here).rev().find_map(fresh);
        let above = (here + 1..LEVELS).find_map(fresh);
        // As near to both: the lower one.
        let nearest = [below, above].into_iter().flatten().min_by_key(|&(distance, _)| distance);
        nearest.map(|(_, latency)| latency)
    }

    fn fresh(&self, level: usize, since: Moment) -> Option<f64> {
        let (at, mean) = unpack(self.0[level].load(Relaxed))?;
        (at >= since).then_some(f64::from(mean))
    }
}

fn level(others: u32) -> usize {
    let level = match others {
        0 | 1 => others,
        // The power of two, and whether the half above it is reached.
        _ => 2 * others.ilog2() + (others >> (others.ilog2() - 1) & 1),
    };
    (level as usize).min(LEVELS - 1)
}

fn pack(at: Moment, mean: f32) -> u64 {
    // A tick too late rather than 0, which means that there is nothing.
    (((at.0 >> TICK) + 1) << 32) | u64::from(mean.to_bits())
}

fn unpack(cell: u64) -> Option<(Moment, f32)> {
    let tick = cell >> 32;
    (tick > 0).then(|| (Moment(tick << TICK), f32::from_bits(cell as u32)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(10);
    const NOW: Moment = Moment(60_000_000_000);

    #[test]
    fn levels_are_fine_below_four_and_two_to_each_power_of_two_above() {
        let of = |numbers: &[u32]| numbers.iter().map(|&n| level(n)).collect::<Vec<_>>();
        assert_eq!(of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12]), [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 7]);
        assert_eq!(of(&[127, 128, 191, 192, u32::MAX]), [13, 14, 14, 15, 15]);
    }

    #[test]
    fn each_level_has_its_own_mean_and_an_unknown_one_is_as_its_nearest() {
        let levels = Levels::default();
        assert_eq!(levels.near(3, NOW, AGE), None);
        levels.record(2, Duration::from_millis(250), NOW);
        levels.record(8, Duration::from_secs(1), NOW);
        assert_eq!(levels.near(2, NOW, AGE), Some(0.25));
        assert_eq!(levels.near(0, NOW, AGE), Some(0.25));
        assert_eq!(levels.near(6, NOW, AGE), Some(1.0));
        assert_eq!(levels.near(4, NOW, AGE), Some(0.25), "as near to both: the lower one");
        assert_eq!(levels.near(900, NOW, AGE), Some(1.0));
    }

    #[test]
    fn a_mean_follows_its_samples_and_is_forgotten_when_old() {
        let levels = Levels::default();
        levels.record(1, Duration::from_secs(1), NOW);
        (0..40).for_each(|_| levels.record(1, Duration::from_millis(100), NOW));
        let mean = levels.near(1, NOW, AGE).unwrap();
        assert!((mean - 0.1).abs() < 0.01, "{mean}");
        assert_eq!(levels.near(1, NOW.after(AGE * 2), AGE), None);
    }
}
