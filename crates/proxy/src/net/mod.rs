//! Addresses, sockets, byte streams and time: what everything else stands on.

mod address;
pub mod clock;
pub mod deadline;
pub mod io;
pub mod listen_socket;

pub use address::Address;
pub use listen_socket::ListenSocket;
