//! What became of recent requests, so that it can be explained.
//!
//! A request that is sampled takes [`Notes`](notes::Notes) from its beginning; any other begins them with the first
//! thing that goes wrong, and usually never. At its end a request that has notes, or stands out in another way, becomes
//! a [`Story`], which is kept in the [`Archive`]. No header's value and no query is kept, but the host.

mod archive;
mod notes;
mod story;
mod witness;

pub use archive::Archive;
pub use notes::{
    AccessDecision, AuthDecision, CacheDecision, Choice, Factor, LimitDecision, PredictionDecision,
    RateStanding,
};
pub use story::{Story, Summary};
pub use witness::Explain;
