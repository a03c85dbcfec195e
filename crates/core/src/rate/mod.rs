//! Rate limits: how often and how much, told apart by keys.
//!
//! A [`Limit`] is a name, some [`Window`]s that a request must all pass, and what it knows of each [`Key`]: one
//! number a window, in a table that never grows. A [`Pass`] asks all limits of a request and charges them all or
//! none. What is known only when the response has ended is booked then, see [`Cost`]. [`InFlight`] bounds how many
//! requests of a key are under way, [`Pacing`] how fast their bodies pass; neither has a window to tell.
//! [`Fields`] tell the client.

mod arrival;
mod cell;
mod cost;
pub mod fleet;
mod headers;
mod heavy;
mod in_flight;
mod joined;
mod key;
mod limit;
mod pacing;
mod parameter;
mod policy;
mod rule;
mod table;
mod terms;
mod window;

pub use cost::{Cost, Ended};
pub use headers::{Fields, QUOTA_EXCEEDED, Service, Style, VIOLATED_POLICIES, retry_after};
pub use heavy::{Heaviest, Heavy};
pub use in_flight::InFlight;
pub use key::{Hash, Key, Missing, Parts, Prefixes, Secret, SharedKey, Unkeyed};
pub use limit::{Demand, Limit, Mode, Pass, Standing, Terms};
pub use pacing::{Pacing, Share};
pub use policy::{Policy, Unit};
pub use rule::{KeyRule, Subject};
pub use table::OutOfMemory;
pub use window::{Refill, Verdict, Window};

#[cfg(test)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
