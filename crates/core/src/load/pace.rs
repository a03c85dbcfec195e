//! How quick an endpoint is beside others that do the same work.

use std::time::Duration;

use super::fading::{Fading, Sample};
use crate::time::Moment;

/// Answers that a mean is made of at most: beyond, the latest counts as one of so many.
const MOST: f32 = 100.0;

/// The mean natural logarithm of an endpoint's latency in seconds, and of how many answers it is made.
///
/// The mean of latencies themselves is that of the few longest requests, and says little about the endpoint.
/// Their logarithms are spread evenly: where one endpoint takes twice as long for each request, the means are ln 2
/// apart, whatever the mix. It fades, so that an endpoint which was slow once and gets nothing for it is trusted again
/// some time.
#[derive(Debug, Default)]
pub(super) struct Pace(Fading);

impl Pace {
    /// An answer came at `now` after `latency`, to a request that was to take e^`expected` times as long as usual; `decay`
    /// is τ. Answers with how long such a request takes there.
    pub(super) fn record(
        &self,
        latency: Duration,
        expected: f32,
        now: Moment,
        decay: Duration,
    ) -> f32 {
        let latest = latency.as_secs_f32().max(f32::MIN_POSITIVE).ln() - expected;
        (self.0.record(latest, 1.0, MOST, now, decay).mean + expected).exp()
    }

    /// What is known at `now`; `decay` is τ.
    pub(super) fn sample(&self, now: Moment, decay: Duration) -> Sample {
        self.0.sample(now, decay)
    }

    /// What was known when the latest answer came.
    pub(super) fn latest(&self) -> Sample {
        self.0.latest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECAY: Duration = Duration::from_secs(10);
    const NOW: Moment = Moment(1_000_000_000);

    fn after(latencies: impl IntoIterator<Item = u64>) -> Sample {
        let pace = Pace::default();
        for millis in latencies {
            pace.record(Duration::from_millis(millis), 0.0, NOW, DECAY);
        }
        pace.sample(NOW, DECAY)
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
        light.record(Duration::from_millis(4), -3.0, NOW, DECAY);
        heavy.record(Duration::from_millis(400), -3.0 + 100f32.ln(), NOW, DECAY);
        let [light, heavy] = [light, heavy].map(|pace| pace.sample(NOW, DECAY).mean);
        assert!((light - heavy).abs() < 1e-4, "{light} {heavy}");
    }

    #[test]
    fn it_tells_how_long_a_request_takes_that_is_heavier_than_usual() {
        let pace = Pace::default();
        (0..99).for_each(|_| _ = pace.record(Duration::from_millis(20), 0.0, NOW, DECAY));
        let heavy = pace.record(Duration::from_millis(200), 10f32.ln(), NOW, DECAY);
        assert!((heavy - 0.2).abs() < 0.01, "{heavy}");
    }
}
