//! Why a response is not stored.

/// Why a response is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStored {
    /// Nothing that answers this method is: it is neither `GET`, nor a `POST` whose response says that it is what `GET`
    /// would be answered with (RFC 9110 §9.3.3).
    Method,
    /// The request has content, which is no part of the key.
    RequestBody,
    /// The client says `no-store`.
    RequestNoStore,
    /// No response of this status is.
    Status,
    /// It is a part of something, or says that there is no such part, and nothing that can be put together with other
    /// parts: it has no strong validator, or was not asked for.
    Part,
    /// What it is a part of is larger than what is stored.
    TooLarge,
    /// It says `must-understand`, and what its status means for a cache is not known here.
    MustUnderstand,
    /// It says `no-store`.
    NoStore,
    /// It says `private`.
    Private,
    /// The request has `Authorization`, and the response does not say that others may get it (RFC 9111 §3.5).
    Authorization,
    /// The request has a cookie, and the response does not say how long it is fresh.
    Cookie,
    /// The response sets a cookie, and does not say how long it is fresh, or the route does not store any such.
    SetCookie,
    /// By its `Vary` it is the response to no other request.
    Vary,
    /// Nothing says how long it is fresh.
    NoFreshness,
    /// The route's options say so (`no_store`).
    Configured,
    /// It was not asked for often enough (`min_uses`).
    MinUses,
    /// It has more tags than are kept.
    TooManyTags,
    /// It is stale from the beginning, and neither can be validated nor says that it may be used nevertheless.
    Stale,
}

impl NotStored {
    /// How people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::RequestBody => "request-body",
            Self::RequestNoStore => "request-no-store",
            Self::Status => "status",
            Self::Part => "part",
            Self::TooLarge => "too-large",
            Self::MustUnderstand => "must-understand",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::NoFreshness => "no-freshness",
            Self::Configured => "configured",
            Self::MinUses => "min-uses",
            Self::TooManyTags => "too-many-tags",
            Self::Stale => "stale",
        }
    }

    /// Whether the response is the cause, so that the next one for its key is most likely not stored either.
    pub const fn is_of_response(self) -> bool {
        !matches!(
            self,
            Self::Method
                | Self::RequestBody
                | Self::RequestNoStore
                | Self::Part
                | Self::TooLarge
                | Self::Configured
                | Self::MinUses
        )
    }
}
