//! On which terms a stored response may be used.

/// On which terms a stored response may be used.
#[derive(Debug, Clone)]
pub struct Terms;
