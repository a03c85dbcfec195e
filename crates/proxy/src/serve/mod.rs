//! The loop of a client's connection: its beginning, then requests and answers, per protocol.

pub mod connection;
pub mod h1;
mod h2;
mod tunnel;
