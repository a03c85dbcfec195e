//! The loop of a client's connection: its beginning, then requests and responses, per protocol.

pub mod connection;
pub mod h1;
mod h2;
pub mod h3;
mod request;
mod request_head;
mod response_head;
mod tunnel;
