//! Basic authentication (RFC 7617): names and passwords, which are kept as slow hashes.

mod credentials;
mod htpasswd;
mod password_hash;
mod remembered;

pub use credentials::NameAndPassword;
pub use htpasswd::Htpasswd;
