//! Authentication and authorisation: who a request is from, and what its identity must have.
//!
//! An authenticator looks for its kind of credential in the [`Place`]s where it may stand. What it makes of a request
//! is a [`Finding`]: no credential of its kind, a proven [`Identity`], or a [`Refusal`]. What an identity must have to
//! use a route is a [`Requirement`] on its [`Claims`]; what upstreams learn of it are [`IdentityHeaders`].

mod api_key;
mod basic;
mod certificate;
mod claims;
mod forward;
mod guarded;
mod headers;
mod identity;
pub mod jwt;
mod place;
mod refusal;
mod remembered;
mod requirement;
mod secret_parameters;

pub use api_key::ApiKeys;
pub use basic::{Htpasswd, NameAndPassword};
pub use certificate::{CertificateNames, CertificateRule};
pub use claims::{Claim, Claims};
pub use forward::{ForwardRule, Meant};
pub use guarded::GuardedFields;
pub use headers::IdentityHeaders;
pub use identity::{Finding, Identity};
pub use place::Place;
pub use refusal::Refusal;
pub use remembered::{Miss, Remembered};
pub use requirement::{Requirement, Unmet};
pub use secret_parameters::SecretParameters;
