//! Telling: the purges that wait go to the stream, in order.

use std::convert::Infallible;

use super::{Desk, Fleet, keep_at, message};
use crate::account::metrics::FleetPurge;
use crate::objects::store::Trouble;
use crate::objects::store::stream::Stream;

/// Tell the other gateways what waits, for ever.
pub(super) async fn run(fleet: &Fleet, desk: &Desk) {
    let told = |trouble: &Trouble| {
        if fleet.waiting.leave() {
            let cache = &desk.shared.borrow().cache.plan.name;
            tracing::warn!(cache, %trouble, "other gateways are not told of purges yet");
        }
    };
    keep_at(async |node, failures| tell(fleet, desk, node, failures).await, told).await;
}

/// Tell it over one link.
async fn tell(
    fleet: &Fleet,
    desk: &Desk,
    node: Option<&str>,
    failures: &mut u32,
) -> Result<Infallible, Trouble> {
    // Nothing is opened before there is something to tell.
    fleet.waiting.next().await;
    let stream = Stream::open(&desk.store, &fleet.plan.stream, node).await?;
    loop {
        let first = fleet.waiting.next().await;
        let cache = desk.shared.borrow().cache.clone();
        let fields = first.iter().map(|each| message::purged(&cache.plan.name, &each.purge));
        stream.add(&fields.collect::<Vec<_>>()).await?;
        *failures = 0;
        // Those that came meanwhile are told next.
        if let Some(last) = first.last() {
            fleet.waiting.tell(last.number);
        }
        cache.metrics.shared(FleetPurge::Told, first.len());
    }
}
