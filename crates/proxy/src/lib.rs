//! The data plane of tidegate: listeners, protocols, upstream connections and the life of a request.
//!
//! Start with [`stack`], which a request runs through from top to bottom, and [`worker`], the thread it
//! runs on. [`engine`] is what the outside holds.

mod check;
mod clock;
mod deadline;
pub mod engine;
mod http;
mod io;
mod listen;
mod mirror;
mod record;
mod secret;
mod snapshot;
mod stack;
pub mod telemetry;
mod tls;
mod tunnel;
mod upstream;
mod worker;

pub use check::check;
