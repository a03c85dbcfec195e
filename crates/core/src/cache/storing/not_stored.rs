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
            Self::MustUnderstand => "must-understand",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::NoFreshness => "no-freshness",
            Self::Stale => "stale",
        }
    }
}
