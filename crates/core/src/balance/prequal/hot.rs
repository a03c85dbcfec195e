//! How much load is much.

use super::probe_result::ProbeResult;

/// Results from which the quantile is found.
const ANSWERS: usize = 32;

/// Set in the ranks of hot endpoints.
const HOT: u32 = 1 << 31;

/// A quantile of the load that probes found, renewed each time that 32 more were answered.
#[derive(Debug)]
pub(super) struct Hot {
    quantile: f64,
    recent: [f32; ANSWERS],
    count: usize,
    above: f32,
}

impl Hot {
    /// Above `quantile` of all is hot; until enough is known, nothing is.
    pub(super) fn new(quantile: f64) -> Self {
        Self { quantile, recent: [0.0; ANSWERS], count: 0, above: f32::MAX }
    }

    /// A probe found `burden`. True if what is hot may have changed with it.
    pub(super) fn add(&mut self, burden: f32) -> bool {
        self.recent[self.count] = burden;
        self.count += 1;
        if self.count < ANSWERS {
            return false;
        }
        self.count = 0;
        let rank = (self.quantile * ANSWERS as f64).ceil() as usize;
        let rank = rank.clamp(1, ANSWERS) - 1;
        // An infinite one is always hot.
        self.above = self.recent.select_nth_unstable_by(rank, f32::total_cmp).1.min(f32::MAX);
        true
    }

    /// Less for the better result: cold ones go before hot ones, cold ones by latency and hot ones by
    /// burden. Floats that are not negative are in the order of their bits.
    pub(super) fn rank(&self, result: &ProbeResult) -> u32 {
        let (hot, cold) = (HOT | result.burden.to_bits(), result.latency.to_bits());
        if self.is_hot(result.burden) { hot } else { cold }
    }

    fn is_hot(&self, burden: f32) -> bool {
        burden > self.above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceeds_the_quantile_is_hot_once_enough_is_known() {
        let mut hot = Hot::new(0.5);
        assert!(!hot.is_hot(1e30));
        (1..=ANSWERS).for_each(|burden| _ = hot.add(burden as f32));
        assert!(hot.is_hot(16.5) && !hot.is_hot(16.0));
        (1..=ANSWERS).for_each(|burden| _ = hot.add(100.0 + burden as f32));
        assert!(hot.is_hot(117.0) && !hot.is_hot(17.0));
    }

    #[test]
    fn where_all_are_alike_none_is_hot_and_a_full_one_always_is() {
        let mut hot = Hot::new(0.6);
        (0..ANSWERS).for_each(|_| _ = hot.add(1.0));
        assert!(!hot.is_hot(1.0));
        (0..ANSWERS).for_each(|_| _ = hot.add(f32::INFINITY));
        assert!(hot.is_hot(f32::INFINITY));
    }
}
