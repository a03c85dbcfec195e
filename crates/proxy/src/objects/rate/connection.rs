//! Connections, which rate limits count as they are accepted.

use std::sync::Arc;

use smallvec::SmallVec;
use tidegate_core::rate::{Demand, Mode, Pass, Subject, Unkeyed};

use super::RateLimit;
use crate::net::clock;

/// Whether all `limits` let a connection in, which this `worker` has accepted. It is charged to all of them, or to none.
pub fn let_in(limits: &[Arc<RateLimit>], connection: &Subject<'_>, worker: usize) -> bool {
    let (mut asked, mut demands) = (SmallVec::<[_; 2]>::new(), SmallVec::<[_; 2]>::new());
    for limit in limits {
        match limit.key(connection) {
            Ok(key) => {
                limit.remember(key, connection);
                // None waits to be accepted: what the store has not told of is decided here.
                limit.open(key, connection, clock::now());
                let cost = limit.limit.terms().cost.ahead();
                demands.push(Demand { limit: &limit.limit, key, cost });
                asked.push(limit);
            }
            Err(Unkeyed::Skip) => {}
            Err(Unkeyed::Deny) => {
                limit.count(worker, true);
                if limit.limit.terms().mode == Mode::Enforce {
                    return false;
                }
            }
        }
    }
    let pass = Pass::new(&demands, clock::now());
    for (place, limit) in asked.into_iter().enumerate() {
        limit.count(worker, pass.exceeds(place));
    }
    !pass.verdict.denies()
}
