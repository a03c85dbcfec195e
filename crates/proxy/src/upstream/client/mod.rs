//! Sending one request to an endpoint and receiving its response, per protocol.

pub mod h1;
pub mod h2;
