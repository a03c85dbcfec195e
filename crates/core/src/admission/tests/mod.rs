mod gate;
mod overload;
mod simulation;

use crate::plan::{AdaptiveLimit, Millis, Queueing, UpstreamLimits};

/// The defaults of the configuration.
fn limits() -> UpstreamLimits {
    UpstreamLimits {
        pending: 10_000,
        queue: Queueing { timeout: Millis(5_000), target: Millis(100), interval: Millis(500) },
        adaptive: AdaptiveLimit { enabled: true, minimum: 4, maximum: None },
        ..crate::plan::testing::upstream().limits
    }
}
