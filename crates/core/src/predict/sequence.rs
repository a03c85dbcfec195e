//! A confidence interval that may be looked at after every observation.

/// The prior variance of the effect is one, in variances of the observations, over this: effects of three standard
/// deviations, which are worth catching soon, take six observations.
const PRIOR: f64 = 0.1;
/// What is wrong in so many of all sequences, however often each is looked at.
const ERROR: f64 = 0.01;

/// A confidence sequence for the mean of observations that are about normal, of unknown variance: at every number of
/// them an interval, all of which hold the mean together with a probability of 99 %.
///
/// Where the mean is m, the likelihood ratio of (x − m) ÷ σ, mixed over a normal prior of the effect, against no effect is a
/// martingale: c ÷ √(n + c²) × (V ÷ (V − S² ÷ (n + c²)))^(n/2), with S and V the sums of x − m and of its square. By Ville's
/// inequality it ever exceeds 1/α with a probability of at most α; the interval is all m for which it does not (Lai,
/// *On Confidence Sequences*, Annals of Statistics 1976; Wang and Ramdas, *Anytime-valid t-tests and confidence
/// sequences for Gaussian means with unknown variance*, Sequential Analysis 2025).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sequence {
    count: f64,
    mean: f64,
    /// The sum of the squares of the distances to the mean.
    scatter: f64,
}

/// Where the mean lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// No lower than this.
    pub low: f64,
    /// No higher than this.
    pub high: f64,
}

impl Interval {
    /// Nothing is known.
    pub const ALL: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY };
}

impl Sequence {
    /// One observation more (Welford's update).
    pub(super) fn add(&mut self, observation: f64) {
        self.count += 1.0;
        let apart = observation - self.mean;
        self.mean += apart / self.count;
        self.scatter += apart * (observation - self.mean);
    }

    /// How many observations there are.
    pub(super) fn count(&self) -> u32 {
        self.count as u32
    }

    /// Their mean.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// Where the mean of all that could be observed lies.
    pub(super) fn interval(&self) -> Interval {
        let n = self.count;
        if n < 2.0 {
            return Interval::ALL;
        }
        let with_prior = n + PRIOR;
        // The part of V that S² ÷ (n + c²) may be.
        let part = 1.0 - (ERROR * (PRIOR / with_prior).sqrt()).powf(2.0 / n);
        let left = n - part * with_prior;
        if left <= 0.0 {
            return Interval::ALL;
        }
        let half = (self.scatter / n * part * with_prior / left).sqrt();
        Interval { low: self.mean - half, high: self.mean + half }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::SplitMix64;

    /// About normal, of mean 0 and variance 1: the sum of twelve (Irwin and Hall).
    fn normal(random: &mut SplitMix64) -> f64 {
        (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0
    }

    fn after(observations: impl IntoIterator<Item = f64>) -> Sequence {
        let mut sequence = Sequence::default();
        observations.into_iter().for_each(|one| sequence.add(one));
        sequence
    }

    #[test]
    fn few_observations_say_nothing() {
        for count in 0..4 {
            assert_eq!(after((0..count).map(f64::from)).interval(), Interval::ALL);
        }
    }

    #[test]
    fn the_interval_is_where_the_martingale_stays_below_its_bound() {
        let observations: Vec<f64> = (0..9).map(|n| f64::from(n * n % 7)).collect();
        let interval = after(observations.iter().copied()).interval();
        for edge in [interval.low, interval.high] {
            let sum: f64 = observations.iter().map(|one| one - edge).sum();
            let squares: f64 = observations.iter().map(|one| (one - edge).powi(2)).sum();
            let n = observations.len() as f64;
            let ratio = squares / (squares - sum * sum / (n + PRIOR));
            let martingale = (PRIOR / (n + PRIOR)).sqrt() * ratio.powf(n / 2.0);
            assert!((martingale * ERROR - 1.0).abs() < 1e-9, "{martingale}");
        }
    }

    #[test]
    fn looked_at_after_each_of_many_observations_few_sequences_ever_miss_the_mean() {
        let mut random = SplitMix64::new(1);
        let misses = (0..2_000)
            .filter(|_| {
                let mut sequence = Sequence::default();
                (0..200).any(|_| {
                    sequence.add(5.0 + 3.0 * normal(&mut random));
                    let Interval { low, high } = sequence.interval();
                    low > 5.0 || high < 5.0
                })
            })
            .count();
        assert!(misses <= 20, "{misses} of 2000");
    }

    #[test]
    fn a_large_effect_is_found_soon_and_a_small_one_later() {
        let mut random = SplitMix64::new(2);
        let mut found = |effect: f64| {
            let mut sequence = Sequence::default();
            (1..).find(|_| {
                sequence.add(effect + normal(&mut random));
                sequence.interval().low > 0.0
            })
        };
        assert!(found(4.0).is_some_and(|count| count < 12));
        assert!(found(0.5).is_some_and(|count| (12..200).contains(&count)));
    }
}
