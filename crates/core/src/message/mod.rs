//! What HTTP asks of every message, whatever its version (RFC 9110): one judge for requests and responses.
//!
//! A protocol keeps what is framing of its own. Whether a field, a length, a host, a target or a trailer may be
//! is decided here, so that what one version refuses no other lets through.

pub mod alt_svc;
pub mod authority;
pub mod content;
pub mod content_length;
pub mod field;
pub mod forwarding;
pub mod head_fields;
pub mod head_rules;
mod malformed;
pub mod priority;
pub mod pseudo;
pub mod spelling;
pub mod target;
pub mod trailers;
pub mod web_origin;

pub use self::malformed::Malformed;
