//! How loaded each endpoint is.
