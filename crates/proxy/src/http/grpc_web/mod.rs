//! The content of gRPC-Web on its way, which becomes that of gRPC, and the other way round: piece by piece, and no more
//! than one of them is held.

mod request;
mod response;

pub use request::from_web;
pub use response::to_web;
