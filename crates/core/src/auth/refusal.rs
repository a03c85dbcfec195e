//! Refusal: why a credential is not believed.

/// Why a credential is not believed. The client learns only that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is not one, or not for this; the text says what is wrong.
    Invalid(&'static str),
    /// Its time is over.
    Expired,
    /// No key of this name is known.
    UnknownKey,
    /// It was taken back.
    Revoked,
    /// It could not be looked at.
    Unavailable,
}
