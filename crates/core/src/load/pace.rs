//! How quick an endpoint is beside others that do the same work.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::ewma::kept;
use crate::time::Moment;

/// Answers that a mean is made of at most: beyond, the latest counts as one of so many.
const MOST: f32 = 100.0;

/// The mean logarithm of an endpoint's latency, and of how many answers it is made.
///
/// The mean of latencies themselves is that of the few longest requests, and says little about the endpoint.
/// Their logarithms are spread evenly: where one endpoint takes twice as long for each request, the means are ln 2
/// apart, whatever the mix. Answers weigh e^(−Δt/τ) after Δt, so that an endpoint which was slow once
/// and gets nothing for it is trusted again some time.
///
/// Of answers that come in the same instant, one may be lost.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Mean and weight, as the bits of two `f32`; a weight of 0: nothing is known.
    mean: AtomicU64,
    /// Moment of the latest answer.
    at: AtomicU64,
}

/// A [`Pace`] as it is at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    /// Mean natural logarithm of the latency in seconds.
    pub(crate) mean: f32,
    /// Of how many answers.
    pub(crate) answers: f32,
}

impl Pace {
    /// An answer came at `now` after `latency`, to a request that was to take e^`expected` times as long as usual; `decay`
    /// is τ.
    pub(super) fn record(&self, latency: Duration, expected: f32, now: Moment, decay: Duration) {
        let Sample { mean, answers } = self.sample(now, decay);
        self.at.fetch_max(now.0, Relaxed);
        let answers = (answers + 1.0).min(MOST);
        let latest = latency.as_secs_f32().max(f32::MIN_POSITIVE).ln() - expected;
        let mean = mean + (latest - mean) / answers;
        let packed = u64::from(mean.to_bits()) << 32 | u64::from(answers.to_bits());
        self.mean.store(packed, Relaxed);
    }

    /// What is known at `now`; `decay` is τ.
    pub(super) fn sample(&self, now: Moment, decay: Duration) -> Sample {
        let Sample { mean, answers } = self.latest();
        let idle = now.since(Moment(self.at.load(Relaxed)));
        Sample { mean, answers: answers * kept(idle, decay) as f32 }
    }

    /// What was known when the latest answer came.
    pub(super) fn latest(&self) -> Sample {
        let packed = self.mean.load(Relaxed);
        Sample {
            mean: f32::from_bits((packed >> 32) as u32),
            answers: f32::from_bits(packed as u32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    fn seconds(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    fn after(latencies: impl IntoIterator<Item = u64>) -> Sample {
        let pace = Pace::default();
        for millis in latencies {
            pace.record(Duration::from_millis(millis), 0.0, seconds(1), DECAY);
        }
        pace.sample(seconds(1), DECAY)
    }

    #[test]
    fn nothing_is_known_before_the_first_answer() {
        assert_eq!(after([]).answers, 0.0);
    }

    #[test]
    fn an_endpoint_that_takes_twice_as_long_for_all_is_ln_2_behind() {
        let mix = [4, 12, 60, 400];
        let apart = after(mix.map(|millis| millis * 2)).mean - after(mix).mean;
        assert!((apart - 2f32.ln()).abs() < 1e-5, "{apart}");
    }

    #[test]
    fn an_endpoint_that_gets_the_heavy_requests_is_no_slower_where_that_is_predicted() {
        let [light, heavy] = [Pace::default(), Pace::default()];
        light.record(Duration::from_millis(4), -3.0, seconds(1), DECAY);
        heavy.record(Duration::from_millis(400), -3.0 + 100f32.ln(), seconds(1), DECAY);
        let [light, heavy] = [light, heavy].map(|pace| pace.sample(seconds(1), DECAY).mean);
        assert!((light - heavy).abs() < 1e-4, "{light} {heavy}");
    }

    #[test]
    fn the_past_fades_and_with_it_what_is_known() {
        let pace = Pace::default();
        (0..500).for_each(|_| pace.record(Duration::from_millis(100), 0.0, seconds(1), DECAY));
        assert_eq!(pace.sample(seconds(1), DECAY).answers, MOST);
        assert!((pace.sample(seconds(11), DECAY).answers - MOST / 1f32.exp()).abs() < 1e-3);
        (0..500).for_each(|_| pace.record(Duration::from_secs(1), 0.0, seconds(11), DECAY));
        assert!(pace.sample(seconds(11), DECAY).mean.abs() < 0.05);
    }
}
