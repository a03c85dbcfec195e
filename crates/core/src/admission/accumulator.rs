//! Number and mean latency of the answers of a window, at the price of one addition for each answer.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::time::Moment;

/// Answers below this number say too little, unless they took [`LONGEST`] to come.
const ENOUGH: u64 = 64;
/// A window is at least so long, that it is not all one burst.
const SHORTEST: Duration = Duration::from_millis(100);
/// A window is at most so long.
const LONGEST: Duration = Duration::from_secs(2);

/// Bits of the word that count answers; the others add up logarithms. A window of two seconds would have
/// to see four million answers to overflow.
const COUNT_BITS: u32 = 22;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// Number and mean latency of the answers since a moment.
///
/// The mean is the geometric one. Requests differ by orders of magnitude; the arithmetic mean of a hundred
/// is the luck of how many heavy ones were among them, while waiting shows in all of them.
#[derive(Debug, Default)]
pub(super) struct Accumulator {
    /// Both in one word, so that they are of the same answers.
    sums: AtomicU64,
    since: AtomicU64,
}

/// What an [`Accumulator`] held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    pub(super) answers: u64,
    pub(super) latency: Duration,
    pub(super) since: Moment,
}

impl Accumulator {
    /// Add an answer; true when enough are together.
    pub(super) fn add(&self, latency: Duration, now: Moment) -> bool {
        let added = logarithm(latency) << COUNT_BITS | 1;
        let answers = (self.sums.fetch_add(added, Relaxed) & COUNT_MASK) + 1;
        let span = now.since(Moment(self.since.load(Relaxed)));
        span >= LONGEST || (answers >= ENOUGH && span >= SHORTEST)
    }

    /// What came together until `now`; from here on it is counted anew.
    pub(super) fn take(&self, now: Moment) -> Sums {
        let since = Moment(self.since.swap(now.0, Relaxed));
        let sums = self.sums.swap(0, Relaxed);
        let (answers, logarithms) = (sums & COUNT_MASK, sums >> COUNT_BITS);
        Sums { answers, latency: power(logarithms as f64 / answers.max(1) as f64), since }
    }
}

/// A logarithm is counted in steps of 2^-STEPS.
const STEPS: u32 = 8;
/// Bits of a double's fraction that are finer than a step.
const FINER: u32 = 52 - STEPS;
/// What a double's exponent is stored with on top.
const BIAS: u64 = 1023 << STEPS;

/// The binary logarithm of the microseconds in `latency`, in steps of 1/256: the upper bits of a double,
/// which are its exponent and, near enough, the logarithm of its fraction.
fn logarithm(latency: Duration) -> u64 {
    let micros = latency.as_micros().max(1) as f64;
    (micros.to_bits() >> FINER) - BIAS
}

/// The inverse of [`logarithm`].
fn power(logarithm: f64) -> Duration {
    let bits = (logarithm + BIAS as f64) * (1u64 << FINER) as f64;
    Duration::from_secs_f64(f64::from_bits(bits as u64) / 1e6)
}
