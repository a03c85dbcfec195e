//! Pure decisions of tidegate.
//!
//! Nothing here performs I/O, reads a clock or draws a random number: time and
//! randomness are parameters, so that the proxy and the simulator decide with
//! the same code and every decision can be tested without a socket.
#![forbid(unsafe_code)]
#![warn(unreachable_pub)]

pub mod access;
pub mod admission;
pub mod alternative;
pub mod auth;
pub mod balance;
pub mod cache;
mod condition;
pub mod cors;
pub mod csrf;
pub mod deadline;
pub mod failure;
pub mod geo;
pub mod grpc;
pub mod health;
pub mod hedge;
pub mod load;
pub mod message;
pub mod plan;
pub mod predict;
mod query;
pub mod rate;
pub mod retry;
pub mod rewrite;
pub mod route;
pub mod security_headers;
pub mod time;
pub mod websocket;
