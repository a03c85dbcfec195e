//! Authentication: who a request is from.

mod api_key;
mod claims;
mod identity;
mod refusal;

pub use api_key::{ApiKeys, Mistake};
pub use claims::Claims;
pub use identity::Identity;
pub use refusal::Refusal;
