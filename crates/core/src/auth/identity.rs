//! Who a request is from, as far as that is proven.

use std::sync::Arc;

use super::{Claims, Refusal};

/// What an authenticator has proven of where a request comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Name of the authenticator.
    pub authenticator: Arc<str>,
    /// What it is called there; absent where it has no name.
    pub subject: Option<Box<str>>,
    /// What else is known of it.
    pub claims: Claims,
}

/// What an authenticator makes of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The request carries no credential of its kind.
    Absent,
    /// The credential proves where the request comes from.
    Proven {
        /// The identity.
        identity: Arc<Identity>,
        /// Whether a page of another site can have had the request sent with the credential: see
        /// [`Place::is_ambient`](super::Place::is_ambient).
        ambient: bool,
    },
    /// As [`Proven`](Self::Proven), a while ago: it was looked up.
    Remembered {
        /// The identity.
        identity: Arc<Identity>,
        /// As of what is proven now.
        ambient: bool,
    },
    /// The credential is of this kind and says that it is for another authenticator: one of another issuer.
    OfAnother,
    /// The credential is not believed.
    Refused(Refusal),
}
