//! JSON Web Tokens (RFC 7519): read, verified, judged and remembered.
//!
//! A [`Token`] is what a request carries, read within [`Bounds`] and not believed yet. A [`KeySet`] has the
//! [`Key`] that its signature must verify with, [`Rules`] judge its claims, and [`Revocations`] say which are over
//! before their time. What is left is worth remembering: see [`Remembered`].
//!
//! Only signatures in the compact form (RFC 7515) are known. What RFC 8725 asks for is done by the types: a token
//! never says which key is used beyond its name, never brings one, and an algorithm is one of [`Algorithm`],
//! each of which has one kind of key.

mod algorithm;
mod bounds;
mod json;
mod key;
mod key_set;
mod revocations;
mod rules;
mod token;
mod unknown_keys;

pub use algorithm::Algorithm;
pub use bounds::Bounds;
pub use key::Key;
pub use key_set::{KeySet, Unusable};
pub use revocations::{Revocation, Revocations, Revoked};
pub use rules::{Genuine, Rules};
pub use token::Token;
pub use unknown_keys::{Unknown, UnknownKeys};

pub use super::remembered::{Miss, Remembered};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
