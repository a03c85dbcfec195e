//! Why a credential is not believed.

/// Why a credential is not believed. The client learns only that it is not; the rest is for the log, metrics and
/// explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is malformed, wrong, or not for here; the text says which.
    Invalid(&'static str),
    /// Its time is over.
    Expired,
    /// It was made with a key, or has a name, that is not known.
    UnknownKey,
    /// It was taken back.
    Revoked,
    /// Whether it is right cannot be found out at the moment.
    Unavailable,
}

impl Refusal {
    /// As metrics, logs and explanations call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid",
            Self::Expired => "expired",
            Self::UnknownKey => "unknown_key",
            Self::Revoked => "revoked",
            Self::Unavailable => "unavailable",
        }
    }

    /// What a person reads.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Invalid(wrong) => wrong,
            Self::Expired => "its time is over",
            Self::UnknownKey => "the key that it names is not known",
            Self::Revoked => "it was revoked",
            Self::Unavailable => "it could not be checked",
        }
    }
}
