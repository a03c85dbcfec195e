//! What is to be expected of an endpoint.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// In place of a number of workers: not known, or any number.
const ANY: u32 = u32::MAX;

/// What is to be expected of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Foreseen {
    /// Requests that it works on at a time; `None`: not known, or any number.
    pub workers: Option<u32>,
    /// How much longer requests take there than at the others; `None`: not to be looked at.
    pub pace: Option<f32>,
}

impl Foreseen {
    /// Where nothing is known.
    pub(super) const NOTHING: Self = Self { workers: None, pace: None };
}

/// The last [`Foreseen`], which every pick reads.
#[derive(Debug)]
pub(super) struct LastForeseen {
    workers: AtomicU32,
    /// The bits of an `f32`, or NaN.
    pace: AtomicU32,
}

impl Default for LastForeseen {
    fn default() -> Self {
        Self { workers: AtomicU32::new(ANY), pace: AtomicU32::new(f32::NAN.to_bits()) }
    }
}

impl LastForeseen {
    pub(super) fn store(&self, Foreseen { workers, pace }: Foreseen) {
        self.workers.store(workers.unwrap_or(ANY), Relaxed);
        self.pace.store(pace.unwrap_or(f32::NAN).to_bits(), Relaxed);
    }

    pub(super) fn load(&self) -> Foreseen {
        let (workers, pace) = (self.workers.load(Relaxed), f32::from_bits(self.pace.load(Relaxed)));
        Foreseen {
            workers: (workers < ANY).then_some(workers),
            pace: (!pace.is_nan()).then_some(pace),
        }
    }

    /// Whether one more request would have to wait, with so many in flight.
    pub(super) fn is_busy(&self, in_flight: u32) -> bool {
        in_flight >= self.workers.load(Relaxed)
    }
}
