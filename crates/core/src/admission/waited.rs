//! How the wait of a request went.

use super::hold::Offer;

/// How the wait of a request went that is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Waited {
    /// Requests of its class that came after it and went in before it.
    pub overtaken: u32,
    /// What it left alone last to wait for something better; `None`: it took what there was.
    pub declined: Option<Offer>,
}
