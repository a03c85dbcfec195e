//! What a shared cache stores of responses, and what it answers with (RFC 9111).
//!
//! [`storing`] judges a response and gives the [`Terms`] on which it may be used again; [`reuse`] is the table that says
//! what becomes of a request. Times are handed in, nothing here holds a response.

pub mod age;
pub mod cache_status;
pub mod conditional;
pub mod content_range;
mod date;
mod delta_seconds;
pub mod directives;
mod entity_tag;
pub mod evict;
pub mod freshening;
pub mod freshness;
pub mod gaps;
pub mod invalidation;
pub mod key;
mod purge_rule;
pub mod range;
pub mod reuse;
mod settings;
pub mod slice;
pub mod storing;
pub mod tags;
pub mod targeted;
mod terms;
#[cfg(test)]
mod tests;
pub mod validator;
pub mod vary;

pub use purge_rule::{PurgeRule, is_purge, is_soft_purge};
pub use settings::{Settings, Stale};
pub use terms::Terms;
