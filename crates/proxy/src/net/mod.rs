//! Addresses, sockets, byte streams and time: what everything else stands on.

mod address;
pub mod clock;
pub mod deadline;
mod inbox;
pub mod io;
pub mod listen_socket;
mod socket_file;
mod udp_sockets;

pub use address::Address;
pub use inbox::Datagram;
pub use listen_socket::{Binding, ListenSocket, Transports};
pub use socket_file::Rights;
pub use udp_sockets::{RECEIVE_BUFFER, UdpSockets};
