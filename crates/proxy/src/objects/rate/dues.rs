//! What a request owes rate limits until its response has ended.

use std::sync::Arc;

use smallvec::SmallVec;
use tidegate_core::rate::{Ended, Key};
use tidegate_core::time::Moment;

use super::RateLimit;
use super::flight::Flight;

/// What a request owes rate limits until its response has ended.
#[derive(Debug, Default)]
pub struct Dues {
    /// Those whose cost is known then.
    pub costs: SmallVec<[Due; 2]>,
    /// Its places among the requests that are under way.
    pub flights: SmallVec<[Flight; 2]>,
}

/// What a request owes a limit whose cost is known when its response has ended.
#[derive(Debug)]
pub struct Due {
    /// The limit.
    pub limit: Arc<RateLimit>,
    /// The key that it is booked to.
    pub key: Key,
    /// The cost that the response told.
    pub told: Option<u64>,
}

impl Dues {
    /// The response has ended: book what it cost, and give its places back.
    pub fn settle(self, ended: &Ended, now: Moment) {
        for Due { limit, key, told } in self.costs {
            limit.limit.settle(key, &Ended { told, ..*ended }, now);
        }
    }
}
