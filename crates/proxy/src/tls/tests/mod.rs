//! Handshakes between the two sides, in memory.

mod certificates;
mod client_auth;
mod mistakes;
mod resumption;
mod upstream;
