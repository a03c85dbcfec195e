//! How long a response is fresh (RFC 9111 §4.2).

/// How that is found out.
#[derive(Debug)]
pub struct FreshnessRule;
