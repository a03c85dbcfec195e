//! QUIC (RFC 9000): what connections over UDP are made of, with clients and to endpoints, on `quinn`.
//!
//! Each worker has sockets of its own, one of each listener and one for all endpoints, whose tasks run on the worker: a
//! connection never leaves it.

mod client;
mod keys;
mod server;
mod server_endpoints;
mod sessions;
mod shared_socket;
mod steering;
mod strays;
mod windows;

pub use self::client::{ClientQuic, NotConnected, close_all};
pub use self::keys::{Keys, Secret};
pub use self::server::ServerQuic;
pub use self::server_endpoints::ServerEndpoints;
pub use self::strays::Stray;
