//! Identity: what a credential proves.

use std::sync::Arc;

use super::Claims;

/// What an authenticator has found out of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The authenticator's name.
    pub authenticator: Arc<str>,
    /// What the request is from.
    pub subject: Option<Box<str>>,
    /// What is said of it.
    pub claims: Claims,
}
