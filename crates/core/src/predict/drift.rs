//! Whether requests, and how far a model is off, are still spread as they were when it was trained.
//!
//! Two measures over bins: the population stability index, Σ (a − e) ln(a / e) of what is (a) and what was expected
//! (e), of which more than 0.25 is commonly called a shift that needs action (Siddiqi, *Credit Risk Scorecards*,
//! 2006); and the distance of Kolmogorov and Smirnov, the largest difference of the two cumulative distributions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::features::{Features, place};

/// Edges between bins at the most.
const EDGES: usize = 9;
const BINS: usize = EDGES + 1;
/// Answers that are looked at together.
const WINDOW: u32 = 2_000;
/// A stability index that is a shift.
const SHIFTED: f32 = 0.25;
/// A bin is never taken for emptier than this: an index has no meaning there.
const LEAST_SHARE: f32 = 1e-3;
/// Distributions may differ by so much …
const TOLERATED: f32 = 0.1;
/// … and by what chance does in one window of a thousand: the 99.9 % quantile of Kolmogorov's distribution, ÷ √n.
const BY_CHANCE: f32 = 1.95;
/// What moves by itself, however requests are: the time, the load, and how much the learner has seen.
const MOVING: [&str; 6] = ["answers", "hour_sin", "hour_cos", "weekday_sin", "weekday_cos", "load"];

/// How a number was spread over bins: bin i holds what is at least edge i − 1 and below edge i.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    edges: Box<[f32]>,
    shares: Box<[f32]>,
}

impl Spread {
    /// With these edges and the share of each bin.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(edges: Vec<f32>, shares: Vec<f32>) -> Result<Self, &'static str> {
        let is_share = |share: &f32| (0.0..=1.0).contains(share);
        if edges.len() > EDGES || !edges.iter().all(|edge| edge.is_finite()) {
            return Err("there are at most 9 edges, all of them finite");
        }
        if !edges.is_sorted_by(|one, other| one < other) {
            return Err("edges must ascend");
        }
        if shares.len() != edges.len() + 1 || !shares.iter().all(is_share) {
            return Err("there is one share more than edges, each from 0 to 1");
        }
        if (shares.iter().sum::<f32>() - 1.0).abs() > 1e-3 {
            return Err("the sum of the shares must be 1");
        }
        Ok(Self { edges: edges.into(), shares: shares.into() })
    }

    fn bin(&self, value: f32) -> usize {
        self.edges.iter().filter(|edge| value >= **edge).count()
    }

    /// The stability index of these counts, `of` together.
    fn index(&self, counts: &[u32; BINS], of: u32) -> f32 {
        let bins = self.shares.iter().zip(counts);
        bins.map(|(expected, count)| {
            let actual = (*count as f32 / of as f32).max(LEAST_SHARE);
            let expected = expected.max(LEAST_SHARE);
            (actual - expected) * (actual / expected).ln()
        })
        .sum()
    }

    /// The distance of Kolmogorov and Smirnov, as far as bins tell it.
    fn distance(&self, counts: &[u32; BINS], of: u32) -> f32 {
        let (mut ahead, mut most) = (0.0_f32, 0.0_f32);
        for (expected, count) in self.shares.iter().zip(counts) {
            ahead += *count as f32 / of as f32 - expected;
            most = most.max(ahead.abs());
        }
        most
    }
}

/// How everything was spread when a model was trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Spreads {
    /// Features, by their place.
    inputs: Vec<(usize, Spread)>,
    /// What costs were more than the model said, as logarithms.
    residuals: Spread,
}

impl Spreads {
    /// Of features, by their names, and of residuals. Features that move by themselves are not looked at.
    ///
    /// # Errors
    /// The name that is no feature's.
    pub fn new(inputs: Vec<(String, Spread)>, residuals: Spread) -> Result<Self, String> {
        let looked_at = |(name, spread): (String, Spread)| match place(&name) {
            None => Some(Err(name)),
            Some(_) if MOVING.contains(&&*name) => None,
            Some(place) => Some(Ok((place, spread))),
        };
        let inputs = inputs.into_iter().filter_map(looked_at).collect::<Result<_, _>>()?;
        Ok(Self { inputs, residuals })
    }
}

/// What was seen of late, beside what was expected. Of answers that come in the same instant one may be counted for
/// the next window.
#[derive(Debug)]
pub struct Drift {
    spreads: Arc<Spreads>,
    seen: AtomicU32,
    /// Of each feature that is looked at, and last of the residuals.
    counts: Box<[[AtomicU32; BINS]]>,
}

impl Drift {
    /// Nothing was seen yet.
    pub fn new(spreads: Arc<Spreads>) -> Self {
        let counts = (0..=spreads.inputs.len()).map(|_| Default::default()).collect();
        Self { spreads, seen: AtomicU32::new(0), counts }
    }

    /// A request with these features cost so much more than the model said, as a logarithm. Tells whether what was
    /// seen since the last 2,000 is spread otherwise than expected.
    pub fn record(&self, features: &Features, residual: f32) -> bool {
        let values = self.spreads.inputs.iter().map(|(place, spread)| (spread, features[*place]));
        for ((spread, value), counts) in
            values.chain([(&self.spreads.residuals, residual)]).zip(&self.counts)
        {
            counts[spread.bin(value)].fetch_add(1, Relaxed);
        }
        // One thread fills the window.
        let is_full = self.seen.fetch_add(1, Relaxed) + 1 == WINDOW;
        is_full && self.conclude()
    }

    /// Whether the window differs; the next begins.
    fn conclude(&self) -> bool {
        let mut counts =
            self.counts.iter().map(|counts| counts.each_ref().map(|count| count.swap(0, Relaxed)));
        let inputs: Vec<_> = self.spreads.inputs.iter().zip(counts.by_ref()).collect();
        let residuals = counts.next().unwrap_or_default();
        self.seen.store(0, Relaxed);
        let shifted = |(_, spread): &(usize, Spread), counts: &[u32; BINS]| {
            spread.index(counts, WINDOW) > SHIFTED
        };
        let far = TOLERATED + BY_CHANCE / (WINDOW as f32).sqrt();
        inputs.iter().any(|(spread, counts)| shifted(spread, counts))
            || self.spreads.residuals.distance(&residuals, WINDOW) > far
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::features::COUNT;
    use super::*;
    use crate::balance::SplitMix64;

    fn even() -> Spread {
        Spread::new(vec![0.25, 0.5, 0.75], vec![0.25; 4]).unwrap()
    }

    /// Whether drift is seen within 4,000 requests whose path depth and residual are so.
    fn drifts(mut next: impl FnMut(&mut SplitMix64) -> (f32, f32)) -> bool {
        let spreads = Spreads::new(vec![("path_depth".into(), even())], even()).unwrap();
        let (drift, mut random) = (Drift::new(Arc::new(spreads)), SplitMix64::new(5));
        (0..4_000).any(|_| {
            let (depth, residual) = next(&mut random);
            let mut features = [0.0; COUNT];
            features[place("path_depth").unwrap()] = depth;
            drift.record(&features, residual)
        })
    }

    fn any(random: &mut SplitMix64) -> f32 {
        random.fraction() as f32
    }

    #[test]
    fn what_is_spread_as_before_is_no_drift() {
        assert!(!drifts(|random| (any(random), any(random))));
    }

    #[test]
    fn inputs_and_residuals_that_moved_are() {
        assert!(drifts(|random| (any(random) / 2.0, any(random))));
        assert!(drifts(|random| (any(random), any(random) + 0.3)));
        assert!(drifts(|random| (f32::NAN, any(random))));
    }

    #[test]
    fn a_little_is_tolerated() {
        assert!(!drifts(|random| (any(random) * 0.9, any(random) + 0.05)));
    }

    #[test]
    fn the_index_is_that_of_its_definition() {
        // (0.5 − 0.25) ln 2 of two bins, and (0 − 0.25) ln(0.001 / 0.25) of the others, to a thousandth.
        let index = even().index(&[500, 500, 0, 0, 0, 0, 0, 0, 0, 0], 1_000);
        let expected = 2.0 * 0.25 * 2_f32.ln() + 2.0 * 0.249 * 250_f32.ln();
        assert!((index - expected).abs() < 1e-3, "{index}");
        assert_eq!(even().distance(&[500, 500, 0, 0, 0, 0, 0, 0, 0, 0], 1_000), 0.5);
    }

    #[test]
    fn what_moves_by_itself_is_not_looked_at_and_an_unknown_name_is_told() {
        let moving = Spreads::new(vec![("hour_sin".into(), even())], even()).unwrap();
        assert!(moving.inputs.is_empty());
        assert_eq!(Spreads::new(vec![("moon".into(), even())], even()), Err("moon".into()));
    }

    #[test]
    fn spreads_that_are_none_are_refused() {
        for (edges, shares) in [
            (vec![0.5, 0.5], vec![0.3, 0.3, 0.4]),
            (vec![0.5], vec![1.0]),
            (vec![0.5], vec![0.5, 0.6]),
            (vec![0.5], vec![-0.5, 1.5]),
            (vec![f32::NAN], vec![0.5, 0.5]),
            ((0..10).map(|edge| edge as f32).collect(), vec![1.0 / 11.0; 11]),
        ] {
            assert!(Spread::new(edges.clone(), shares).is_err(), "{edges:?}");
        }
        assert!(Spread::new(vec![], vec![1.0]).is_ok());
    }
}
