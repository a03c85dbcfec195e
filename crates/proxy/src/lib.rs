//! The data plane of tidegate: listeners, protocols, upstream connections and the life of a request.
//!
//! Start with [`stack`], which a request runs through from top to bottom, and [`worker`], the thread it
//! runs on. [`engine`] is what the outside holds.

mod account;
mod call;
mod client;
pub mod engine;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod listen;
mod local;
mod long_work;
mod net;
mod objects;
mod quic;
mod serve;
mod snapshot;
mod stack;
mod steps;
#[cfg(test)]
mod testing;
mod tls;
mod upstream;
mod worker;
