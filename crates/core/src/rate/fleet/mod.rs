//! Limits that several gateways share: what each may spend without asking, and what all of them have spent.
//!
//! The [`Bucket`] of a key is in a store, which answers some milliseconds later. So a gateway spends from a
//! [`Purse`]: units that the store has leased to it, and a little credit. Every few milliseconds it places an
//! [`Order`] for each key that was asked for: it books what it has spent, and wishes for a lease of what it will
//! spend next. The store answers with a [`Grant`], and the purse goes on from that. No request waits for any of it,
//! except one of a key that the store has not told of yet.
//!
//! What a gateway has spent is booked, whether it had a lease or not, so that in the long run the fleet spends what
//! the quota allows. `docs/concepts/fleet-limits.md` derives by how much it may be off for a while.

mod bucket;
mod purse;
mod purses;
mod quota;
mod shared_limit;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod simulation;

pub use bucket::{BUCKET_SCRIPT, Bucket, GATEWAYS_SCRIPT};
pub use purse::{Grant, Order, Placed, Purse, Tokens};
pub use purses::MOST_PURSES;
pub use quota::SharedQuota;
pub use shared_limit::{OnFailure, Opening, Ruling, SharedLimit, SharedTerms};
