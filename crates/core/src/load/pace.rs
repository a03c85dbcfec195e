//! How quick an endpoint is beside others that do the same work.

use std::time::Duration;

use super::fading::{Fading, Sample};
use crate::time::Moment;

/// Answers that a mean is made of at most: beyond, the latest counts as one of so many.
const MOST: f32 = 100.0;
/// The same of the latest, which have a mean of their own.
const LATEST: f32 = 16.0;
/// Where that is further from the mean of all than this, a factor of three, the endpoint has turned slow or quick: by chance the
/// latest are hardly ever so far apart, however mixed the requests.
const TURN: f32 = 1.098_612_3; // ln 3
/// As how many answers the latest count after a turn, as some of them may be from before.
const AFTER_TURN: f32 = 4.0;

/// The mean natural logarithm of an endpoint's latency in seconds, and of how many answers it is made.
///
/// The mean of latencies themselves is that of the few longest requests, and says little about the endpoint.
/// Their logarithms are spread evenly: where one endpoint takes twice as long for each request, the means are ln 2
/// apart, whatever the mix. It fades, so that an endpoint which was slow once and gets nothing for it is trusted again
/// some time; and where the endpoint turns slow or quick at once, what was before is forgotten.
#[derive(Debug, Default)]
pub(super) struct Pace(Fading);

/// What an endpoint's latest answers said of its pace. It stands apart from that of all, as no pick reads it.
#[derive(Debug, Default)]
pub(super) struct Latest(Fading);

impl Pace {
    /// An answer came at `now` after `latency`, one of the endpoint's `latest`, to a request that was to take e^`expected`
    /// times as long as usual; `decay` is τ. Answers with how long such a request takes there.
    pub(super) fn record(
        &self,
        latest: &Latest,
        latency: Duration,
        expected: f32,
        now: Moment,
        decay: Duration,
    ) -> f32 {
        let answer = latency.as_secs_f32().max(f32::MIN_POSITIVE).ln() - expected;
        let mut known = self.0.record(answer, 1.0, MOST, now, decay);
        let latest = latest.0.record(answer, 1.0, LATEST, now, decay);
        if (latest.mean - known.mean).abs() > TURN {
            known = Sample { mean: latest.mean, answers: AFTER_TURN };
            self.0.set(known);
        }
        (known.mean + expected).exp()
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
    use crate::balance::SplitMix64;

    const DECAY: Duration = Duration::from_secs(10);
    const NOW: Moment = Moment(1_000_000_000);

    fn after(latencies: impl IntoIterator<Item = u64>) -> Sample {
        let (pace, latest) = (Pace::default(), Latest::default());
        for millis in latencies {
            pace.record(&latest, Duration::from_millis(millis), 0.0, NOW, DECAY);
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
    fn an_endpoint_that_turns_ten_times_slower_is_known_for_it_after_some_answers() {
        let well = || std::iter::repeat_n(20, 500);
        let turned = |answers| after(well().chain(std::iter::repeat_n(200, answers)));
        let apart = |answers| turned(answers).mean - after(well()).mean;
        assert!(apart(8) < 2f32.ln(), "a few may be heavy requests");
        assert!(apart(24) > 6f32.ln(), "{}", apart(24));
        assert!(apart(40) > 8f32.ln(), "{}", apart(40));
    }

    #[test]
    fn of_an_endpoint_that_answers_all_kinds_of_requests_nothing_is_forgotten_by_chance() {
        let mut random = SplitMix64::new(1);
        let (pace, latest) = (Pace::default(), Latest::default());
        let mut fewest = f32::MAX;
        for answer in 0..100_000 {
            let millis = match random.below(20) {
                0 => 400.0,
                1..4 => 60.0,
                4..10 => 12.0,
                _ => 4.0,
            };
            let latency = Duration::from_secs_f64(millis * (0.3 + 1.4 * random.fraction()) / 1e3);
            pace.record(&latest, latency, 0.0, NOW, DECAY);
            if answer > 200 {
                fewest = fewest.min(pace.latest().answers);
            }
        }
        assert_eq!(fewest, MOST);
    }

    #[test]
    fn an_endpoint_that_gets_the_heavy_requests_is_no_slower_where_that_is_predicted() {
        let [light, heavy] = [Pace::default(), Pace::default()];
        light.record(&Latest::default(), Duration::from_millis(4), -3.0, NOW, DECAY);
        heavy.record(
            &Latest::default(),
            Duration::from_millis(400),
            -3.0 + 100f32.ln(),
            NOW,
            DECAY,
        );
        let [light, heavy] = [light, heavy].map(|pace| pace.sample(NOW, DECAY).mean);
        assert!((light - heavy).abs() < 1e-4, "{light} {heavy}");
    }

    #[test]
    fn it_tells_how_long_a_request_takes_that_is_heavier_than_usual() {
        let (pace, latest) = (Pace::default(), Latest::default());
        let usual = Duration::from_millis(20);
        (0..99).for_each(|_| _ = pace.record(&latest, usual, 0.0, NOW, DECAY));
        let heavy = pace.record(&latest, Duration::from_millis(200), 10f32.ln(), NOW, DECAY);
        assert!((heavy - 0.2).abs() < 0.01, "{heavy}");
    }
}
