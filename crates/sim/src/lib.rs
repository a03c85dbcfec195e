//! Simulators that run core's own policies: of balancing, by discrete events, and of what a [`cache`] keeps.
//!
//! Clients send requests to gateways; each gateway picks a server with a [`Balancer`] of its own, the
//! same code that the proxy runs; a server has workers and one queue. Time is a number of
//! nanoseconds that jumps from event to event, so a minute of a hundred servers takes a second.
//!
//! [`Balancer`]: tidegate_core::balance::Balancer
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

mod agenda;
mod arrivals;
mod c3;
pub mod cache;
mod draw;
mod gateway;
mod pace;
mod predictor;
mod report;
mod run;
pub mod scenario;
mod server;

pub use report::{Latency, Report, Usage};
pub use run::run;
pub use scenario::Scenario;
