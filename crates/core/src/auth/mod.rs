//! Authentication: who a request is from.

mod claims;
mod identity;
pub mod jwt;
mod refusal;

pub use claims::Claims;
pub use identity::Identity;
pub use refusal::Refusal;
