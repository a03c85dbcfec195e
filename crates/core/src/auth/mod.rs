//! Authentication: who a request is from.

mod api_key;
mod basic;
mod claims;
mod identity;
mod refusal;

pub use api_key::ApiKeys;
pub use basic::{Htpasswd, NameAndPassword};
pub use claims::Claims;
pub use identity::Identity;
pub use refusal::Refusal;
