//! What a request will cost, learnt as traffic flows.
//!
//! The **cost** of a request is how long a worker is taken by it, in seconds at an endpoint of usual pace. A
//! [`Predictor`] stands beside each upstream. It learns from requests that are over (`cost`), and tells those that
//! must wait what they will cost and how far they may go before others (`boost`); how far it is
//! believed is decided by what its predictions explained of late ([`Skill`]). Where they explain nothing,
//! nothing is predicted, and every decision is that of the policies without it. So it is where requests took longer with
//! predictions than without ([`Comparison`]).
//!
//! All of it is bounded memory made of atomics: neither a look-up nor an update waits for another thread.

mod boost;
mod branch;
mod comparison;
mod cost;
mod drift;
pub mod features;
mod keys;
mod kinds;
mod knowledge;
mod node;
mod number;
mod parameters;
mod predictor;
mod probation;
mod sequence;
mod skill;
mod template;
#[cfg(test)]
mod tests;
mod zeroed;

pub use branch::{Branch, Described};
pub use comparison::{Arm, Comparison, Stage, Standing, Turn};
pub use cost::Learnt;
pub use drift::{Drift, Spread, Spreads};
pub use knowledge::Knowledge;
pub use node::Estimate;
pub use predictor::{Ended, Prediction, Predictor};
pub use probation::{Fall, Probation};
pub use sequence::Interval;
pub use skill::Skill;
