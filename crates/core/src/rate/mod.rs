//! Rate limits: how often and how much, told apart by keys.

mod arrival;
mod cell;
mod cost;
mod headers;
mod heavy;
mod in_flight;
mod joined;
mod key;
mod limit;
mod pacing;
mod policy;
mod rule;
mod terms;
mod table;
mod window;

pub use cost::{Cost, Ended};
pub use headers::{Fields, QUOTA_EXCEEDED, Service, Style, VIOLATED_POLICIES, retry_after};
pub use heavy::{Heaviest, Heavy};
pub use in_flight::InFlight;
pub use key::{Key, Missing, Parts, Prefixes, Secret, Unkeyed};
pub use limit::{Demand, Limit, Mode, Pass, Standing, Terms};
pub use pacing::{Pacing, Share};
pub use policy::{Policy, Unit};
pub use rule::{KeyRule, Subject};
pub use table::OutOfMemory;
pub use window::{Verdict, Window};

#[cfg(test)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
