//! How a body fails that comes on a stream, according to which side sends it.

use tidegate_core::failure::Failure;
use tidegate_core::message::Malformed;

/// How a body fails.
#[derive(Debug, Clone, Copy)]
pub struct Failures {
    /// Nothing came for too long.
    pub late: Failure,
    /// The peer broke it off.
    pub gone: Failure,
    /// What came breaks the protocol.
    pub malformed: fn(Malformed) -> Failure,
}

impl Failures {
    /// A client sends it.
    pub const OF_REQUEST: Self = Self {
        late: Failure::BodyTimeout,
        gone: Failure::ClientGone,
        malformed: Malformed::of_request,
    };
    /// An endpoint sends it.
    pub const OF_RESPONSE: Self = Self {
        late: Failure::ResponseTimeout,
        gone: Failure::UpstreamReset,
        malformed: Malformed::of_response,
    };
}
