//! How much an upstream is given at a time, and who waits, or is sent away, when that is not enough.
//!
//! A [`Gate`] stands before each upstream. It lets requests in up to a limit, which is the lower of
//! what the configuration says and what [`Adaptive`] has found the upstream to be able to do; above it
//! they wait in a [`Queue`], by [`Priority`](crate::plan::Priority). A burst waits and is served.
//! Only where the wait lasts are requests shed, low classes first.

mod adaptive;
mod base;
mod breaker;
mod gate;
mod lane;
mod queue;
mod stay;
mod tally;

pub use adaptive::{Adaptive, Window};
pub use breaker::Breaker;
pub use gate::{Gate, Verdict, Woken};
pub use lane::Patience;
pub use queue::{Place, Queue};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
