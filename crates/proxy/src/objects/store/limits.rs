//! The limits that share something through a store.

use std::sync::Arc;

use tidegate_core::rate::fleet::SharedLimit;

use crate::objects::rate::RateLimit;

/// Those of one store.
pub type Limits = Arc<[Arc<RateLimit>]>;

/// Each with what is shared of it; all of them share something.
pub(super) fn shared(limits: &Limits) -> impl Iterator<Item = (&Arc<RateLimit>, &SharedLimit)> {
    limits.iter().filter_map(|limit| Some((limit, limit.limit.shared()?)))
}
