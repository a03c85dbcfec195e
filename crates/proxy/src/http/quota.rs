//! What a client is told of its quotas.

use tidegate_core::rate::{Fields, QUOTA_EXCEEDED, VIOLATED_POLICIES};

use super::body::Pace;

/// What a client is told of its quotas.
#[derive(Default)]
pub struct Quotas<'a> {
    /// The fields of its response.
    pub fields: Fields<'a>,
    /// Why its request is refused; absent: it is not.
    pub exceeded: Option<Exceeded>,
    /// How fast the body of its response may pass.
    pub paces: Vec<Pace>,
}

/// Quotas that a request would exceed.
#[derive(Debug, Default)]
pub struct Exceeded {
    /// Seconds after which it would be let go; absent: never.
    pub retry_after: Option<u64>,
    /// Names of the policies.
    pub policies: Vec<Box<str>>,
}

impl Exceeded {
    /// Type of the problem document.
    pub const TYPE: &str = QUOTA_EXCEEDED;

    /// The member of the problem document that names the policies, with a comma before it.
    pub fn member(&self) -> String {
        let policies = serde_json::json!(self.policies);
        format!(",\"{VIOLATED_POLICIES}\":{policies}")
    }
}
