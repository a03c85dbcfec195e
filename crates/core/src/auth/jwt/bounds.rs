//! How large a token may be.

/// What is read of a token at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the token as it is sent.
    pub size: usize,
    /// Objects and lists within one another, the outermost counted.
    pub depth: usize,
    /// Names of the header, and of the claims, in all their objects together.
    pub names: usize,
}
