mod gate;
mod overload;
mod simulation;

use crate::plan::testing::number;
use crate::plan::{AdaptiveLimit, Queueing, UpstreamLimits};

/// The defaults of the configuration.
fn limits() -> UpstreamLimits {
    UpstreamLimits {
        pending: 10_000,
        queue: Queueing { timeout: number(5_000), target: number(100), interval: number(500) },
        adaptive: AdaptiveLimit { enabled: true, minimum: number(4), maximum: None },
        ..crate::plan::testing::upstream().limits
    }
}
