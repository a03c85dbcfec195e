mod gate;
mod overload;
mod simulation;

use crate::plan::UpstreamLimits;
use crate::plan::testing::defaults;

/// The defaults of the configuration.
fn limits() -> UpstreamLimits {
    defaults("UpstreamLimits")
}
