//! Admission: how many requests an upstream works on at a time, and which requests wait or are shed.
//!
//! A [`Gate`] stands before each upstream. It lets requests in up to a limit, which is the lower of
//! what the configuration says and what [`Adaptive`] has found the upstream to be able to do; above it
//! they wait in a [`Queue`], by [`Priority`](crate::plan::Priority). A burst waits and is served.
//! Only where the wait lasts are requests shed, low classes first. Where it is [predicted](crate::predict) what
//! requests cost, light ones go before heavy ones of their class, and heavy ones wait for quick workers.
//!
//! These are limits of concurrency; how many requests come in a time is no matter of this module.

mod accumulator;
mod adaptive;
mod base;
mod breaker;
mod gate;
mod hold;
mod lane;
mod queue;
mod residence;
mod waited;

pub use adaptive::{Adaptive, Window};
pub use breaker::Breaker;
pub use gate::{Gate, Verdict, Woken};
pub use hold::{Offer, Supply};
pub use lane::DelayTarget;
pub use queue::{Place, Queue};
pub use waited::Waited;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
