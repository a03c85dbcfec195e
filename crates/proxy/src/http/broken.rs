//! A request that came to no response.

use tidegate_core::failure::Failure;

/// Why an exchange with an endpoint came to no response.
#[derive(Debug, Clone, Copy)]
pub struct Broken {
    /// What happened.
    pub failure: Failure,
    /// Whether a connection from the pool was closed before any byte of an answer, interim ones included, or told to
    /// go away: the endpoint most likely gave up the idle connection just as it was used.
    pub stale: bool,
    /// Whether the endpoint said that it did not carry the request out.
    pub refused: bool,
}

impl Broken {
    /// The connection took no further request.
    pub const UNSENT: Self = Self { failure: Failure::UpstreamReset, stale: true, refused: true };

    /// A failure after which nothing can be said for the request.
    pub fn with(failure: Failure) -> Self {
        Self { failure, stale: false, refused: false }
    }
}
