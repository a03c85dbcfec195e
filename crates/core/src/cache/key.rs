//! The key of a response: what requests have in common that get it.

/// Which parts of a request count.
#[derive(Debug)]
pub struct KeyRule;
