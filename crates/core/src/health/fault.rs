//! How answers are bad.

/// How an answered request speaks against its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A status of 500 or above other than those below: more often the application than the endpoint.
    Server,
    /// 502, 503, 504, an answer that breaks the rules, or none in time.
    Gateway,
    /// The connection broke before the answer was complete: also a gateway error, but more likely a restart
    /// than a fault.
    Broken,
}

impl Fault {
    /// The fault that a status tells of, if it does.
    pub const fn of(status: u16) -> Option<Self> {
        match status {
            502..=504 => Some(Self::Gateway),
            500.. => Some(Self::Server),
            _ => None,
        }
    }
}
