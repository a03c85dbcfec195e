//! Random times and sizes.

use tidegate_core::balance::SplitMix64;

use crate::scenario::Distribution;

/// What a stream of random numbers is for. Each purpose has its own, so that two runs of one seed
/// that differ in the policy see the same arrivals, the same work and the same antagonists.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Arrivals,
    Work,
    Network,
    Gateway,
    Policy,
    Antagonist,
    Faults,
    Objects,
    Sizes,
    Prediction,
}

/// The stream of `seed` for the `index`th of what `purpose` says.
pub(crate) fn stream(seed: u64, purpose: Purpose, index: usize) -> SplitMix64 {
    let mut seeds = SplitMix64::new(seed);
    let mut own = SplitMix64::new(seeds.next() ^ ((purpose as u64) << 32 | index as u64));
    SplitMix64::new(own.next())
}

/// A number in [0, 1) with 53 random bits.
pub(crate) fn uniform(random: &mut SplitMix64) -> f64 {
    (random.next() >> 11) as f64 / (1u64 << 53) as f64
}

/// Whether something happens that happens with probability `share`.
pub(crate) fn happens(share: f64, random: &mut SplitMix64) -> bool {
    share > 0.0 && uniform(random) < share
}

/// An exponential time, by inversion.
pub(crate) fn exponential(mean: f64, random: &mut SplitMix64) -> f64 {
    -mean * (1.0 - uniform(random)).ln()
}

/// A standard normal number (Box and Muller, *A Note on the Generation of Random Normal Deviates*, 1958).
pub(crate) fn normal(random: &mut SplitMix64) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(random)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(random)).cos()
}

/// A distribution, ready to be drawn from.
#[derive(Debug, Clone)]
pub(crate) enum Draw {
    Constant(u64),
    Exponential(f64),
    /// Mean and standard deviation of the logarithm, and the largest value.
    Lognormal(f64, f64, u64),
    Bimodal {
        low: u64,
        high: u64,
        high_share: f64,
    },
    Samples(Vec<u64>),
}

impl Draw {
    pub(crate) fn new(distribution: &Distribution) -> Self {
        match *distribution {
            Distribution::Constant { value } => Self::Constant(value),
            Distribution::Exponential { mean } => Self::Exponential(mean as f64),
            Distribution::Lognormal { mean, cv, most } => {
                let variance = (1.0 + cv * cv).ln();
                let mu = (mean as f64).ln() - variance / 2.0;
                Self::Lognormal(mu, variance.sqrt(), most.unwrap_or(u64::MAX))
            }
            Distribution::Bimodal { low, high, high_share } => {
                Self::Bimodal { low, high, high_share }
            }
            Distribution::Samples(ref samples) => Self::Samples(samples.clone()),
        }
    }

    /// The next time in nanoseconds, or size in bytes.
    pub(crate) fn next(&self, random: &mut SplitMix64) -> u64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential(mean) => exponential(*mean, random) as u64,
            Self::Lognormal(mu, sigma, most) => {
                let value = (mu + sigma * normal(random)).exp() as u64;
                value.min(*most)
            }
            Self::Bimodal { low, high, high_share } => {
                if happens(*high_share, random) {
                    *high
                } else {
                    *low
                }
            }
            Self::Samples(samples) => samples[random.below(samples.len() as u64) as usize],
        }
    }
}

/// Draws an index by weight.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Sums of the weights up to and including each.
    sums: Vec<f64>,
}

impl Choice {
    pub(crate) fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let sums = weights.into_iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self { sums: sums.collect() }
    }

    /// Of so many, number k with a probability in proportion to 1 / kˢ: Zipf's law.
    pub(crate) fn zipf(count: u32, skew: f64) -> Self {
        Self::new((1..=count).map(|k| f64::from(k).powf(-skew)))
    }

    pub(crate) fn next(&self, random: &mut SplitMix64) -> usize {
        let last = self.sums.len().saturating_sub(1);
        if last == 0 {
            return 0;
        }
        let point = uniform(random) * self.sums[last];
        self.sums.partition_point(|&sum| sum <= point).min(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(distribution: &Distribution) -> (f64, f64) {
        const DRAWS: u32 = 200_000;
        let draw = Draw::new(distribution);
        let mut random = SplitMix64::new(5);
        let drawn: Vec<f64> = (0..DRAWS).map(|_| draw.next(&mut random) as f64).collect();
        let mean = drawn.iter().sum::<f64>() / f64::from(DRAWS);
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(DRAWS);
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn distributions_have_the_mean_and_variation_they_say() {
        let second = 1_000_000_000;
        for (distribution, mean, cv) in [
            (Distribution::Constant { value: second }, 1e9, 0.0),
            (Distribution::Exponential { mean: second }, 1e9, 1.0),
            (Distribution::Lognormal { mean: second, cv: 0.7, most: None }, 1e9, 0.7),
            (
                Distribution::Bimodal { low: 0, high: 4 * second, high_share: 0.25 },
                1e9,
                3f64.sqrt(),
            ),
            (Distribution::Samples(vec![0, 2 * second]), 1e9, 1.0),
        ] {
            let (found_mean, found_cv) = moments(&distribution);
            assert!((found_mean / mean - 1.0).abs() < 0.01, "{distribution:?}: {found_mean}");
            assert!((found_cv - cv).abs() < 0.02, "{distribution:?}: {found_cv}");
        }
    }

    #[test]
    fn choices_come_by_weight_and_never_with_weight_zero() {
        let choice = Choice::new([1.0, 0.0, 3.0]);
        let mut random = SplitMix64::new(1);
        let mut seen = [0; 3];
        for _ in 0..10_000 {
            seen[choice.next(&mut random)] += 1;
        }
        assert_eq!(seen[1], 0);
        assert!((2_300..2_700).contains(&seen[0]), "{seen:?}");
    }

    #[test]
    fn streams_of_one_seed_differ_by_purpose_and_index() {
        let first = |purpose, index| stream(1, purpose, index).next();
        assert_ne!(first(Purpose::Work, 0), first(Purpose::Arrivals, 0));
        assert_ne!(first(Purpose::Work, 0), first(Purpose::Work, 1));
        assert_eq!(first(Purpose::Work, 1), first(Purpose::Work, 1));
    }
}
