//! How often a probe result may be used.

use crate::balance::SplitMix64;
use crate::plan;

/// How often a result may be used: the more, the fewer of them come and the faster they are removed. With m
/// results kept of n endpoints, (1 + δ) / ((1 − m/n) · probes − removed), and once at least.
#[derive(Debug)]
pub(super) struct Uses {
    most: f64,
    probes: f64,
    remove: f64,
    delta: f64,
    /// The limit among so many endpoints.
    among: usize,
    mean: f64,
}

impl Uses {
    /// The limit by `plan`.
    pub(super) fn new(plan: &plan::Prequal) -> Self {
        Self {
            most: f64::from(plan.pool.get()),
            probes: f64::from(plan.probes.get()),
            remove: f64::from(plan.remove),
            delta: plan.reuse.get(),
            among: 0,
            mean: 1.0,
        }
    }

    /// A whole number, at random so that the mean among `n` endpoints is right.
    pub(super) fn draw(&mut self, n: usize, random: &mut SplitMix64) -> u32 {
        if self.among != n {
            (self.among, self.mean) = (n, self.mean(n));
        }
        // Without a limit this is the largest number there is.
        let whole = self.mean as u32;
        let part = ((self.mean - f64::from(whole)) * 1e9) as u64;
        whole.saturating_add(u32::from(random.below(1_000_000_000) < part))
    }

    fn mean(&self, n: usize) -> f64 {
        let kept = (1.0 - self.most / n as f64) * self.probes - self.remove;
        // So few endpoints that their results are replaced before they wear out.
        if kept > 0.0 { ((1.0 + self.delta) / kept).max(1.0) } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::balance::tests::upstream;
    use crate::plan::BalancePolicy;

    #[test]
    fn the_limit_of_uses_is_the_papers() {
        let mut uses = Uses::new(&upstream(BalancePolicy::Prequal, None, &[1]).balance.prequal);
        let mut random = SplitMix64::new(1);
        let mut mean = |n| (0..10_000).map(|_| uses.draw(n, &mut random)).sum::<u32>() as f64 / 1e4;
        // (1 + 1) / ((1 − 16/100) · 3 − 1) = 2 / 1.52
        assert!((mean(100) - 2.0 / 1.52).abs() < 0.02);
        assert_eq!(mean(1_000_000), 1.0);
        assert_eq!(uses.draw(8, &mut SplitMix64::new(1)), u32::MAX);
    }
}
