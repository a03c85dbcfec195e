//! The steps of a request's life, one file each. Their order is in `stack`.

pub mod mirror;
