//! What a stored response was selected by (RFC 9111 §4.1).

/// How fields are compared that `Vary` names.
#[derive(Debug)]
pub struct VaryRule;
