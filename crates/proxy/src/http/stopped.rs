//! A body that was not sent to its end.

use tidegate_core::failure::Failure;

/// Why a body was not sent to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Where the body comes from.
    Source(Failure),
    /// Where the body comes from, and the peer was told so, in trailers or in the content itself.
    Told(Failure),
    /// Where it goes: the peer wants no more of it, or is gone.
    Peer,
    /// The peer takes nothing for too long.
    Stalled,
}
