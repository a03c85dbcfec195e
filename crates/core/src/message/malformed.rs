//! What a message breaks.

use crate::failure::Failure;

/// What a message breaks; which side sent it tells whose fault that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A rule of RFC 9110, or of its version's own.
    Syntax,
    /// The limit on the target's length.
    UriTooLong,
    /// The limit on the head's size or number of fields.
    HeaderTooLarge,
    /// The major version is not one that is spoken here.
    Version,
    /// A transfer coding other than chunked (RFC 9112 §6.1 asks for 501).
    TransferCoding,
    /// An expectation other than `100-continue`.
    Expectation,
}

impl Malformed {
    /// How a request fails that is malformed so.
    pub const fn of_request(self) -> Failure {
        match self {
            Self::Syntax => Failure::MalformedRequest,
            Self::UriTooLong => Failure::UriTooLong,
            Self::HeaderTooLarge => Failure::HeaderTooLarge,
            Self::Version => Failure::VersionNotSupported,
            Self::TransferCoding => Failure::TransferCoding,
            Self::Expectation => Failure::ExpectationFailed,
        }
    }

    /// How a request fails whose response is malformed so.
    pub const fn of_response(self) -> Failure {
        match self {
            Self::HeaderTooLarge => Failure::UpstreamHeaderTooLarge,
            _ => Failure::UpstreamProtocol,
        }
    }
}
