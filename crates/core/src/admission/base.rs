//! The latency of an upstream that is not overloaded.

use std::time::Duration;

/// How fast the base follows lower latencies.
const DOWN: Duration = Duration::from_secs(15);
/// How fast it follows higher ones: so slowly that an overload that builds up is seen as what it is.
const UP: Duration = Duration::from_secs(30);

/// Mean latency, in seconds, over the windows in which nothing was wrong.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Base(Option<f64>);

impl Base {
    /// Take in a window of `span` whose mean latency was `latency` seconds.
    pub(super) fn follow(&mut self, latency: f64, span: f64) {
        self.0 = Some(match self.0 {
            None => latency,
            Some(base) => {
                let tau = if latency < base { DOWN } else { UP };
                latency + (base - latency) * (-span / tau.as_secs_f64()).exp()
            }
        });
    }

    /// It was measured.
    pub(super) fn set(&mut self, latency: f64) {
        self.0 = Some(latency);
    }

    /// The base, in seconds; what was seen first if there is none yet.
    pub(super) fn get(&self, first: f64) -> f64 {
        self.0.unwrap_or(first)
    }
}
