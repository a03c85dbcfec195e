//! How the reader of a body that breaks off learns of it.

use http::HeaderMap;

/// What is left to say to the reader of a body that broke off.
#[derive(Debug, PartialEq, Eq)]
pub enum LastWords {
    /// Nothing says that it did: the reader is to see that something is missing.
    Cut,
    /// Its content has said so, and ends as if it were whole.
    InContent,
    /// These trailers say so.
    Trailers(HeaderMap),
}
