//! gRPC, as far as a gateway has to know of it: *gRPC over HTTP2* and *gRPC Web*, two documents of the project
//! `grpc/grpc`.

pub mod content_type;
mod frame;
mod method;
mod status;
mod status_message;
pub mod web;

pub use content_type::is_rpc;
pub use frame::{message_frame, read_message};
pub use method::check_methods;
pub use status::{STATUS_LABELS, read_status, status_fields};

use http::HeaderName;

/// The field that the status of an RPC is in.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// The field with the words for it.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
