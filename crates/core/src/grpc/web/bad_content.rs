//! What is wrong with content that is said to be gRPC's, or gRPC-Web's.

use thiserror::Error;

/// What is wrong with it, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadContent {
    /// A character, padding or bits that base64 does not have (RFC 4648 §4).
    #[error("what is said to be base64 is none")]
    Base64,
    /// The text ends within a group of four characters.
    #[error("base64 that ends within a group of four characters")]
    PartialGroup,
    /// A frame that is neither a message nor a compressed one.
    #[error("a frame with a flag other than 0 and 1")]
    Flag,
    /// The content ends within a frame.
    #[error("content that ends within a frame")]
    PartialFrame,
}
